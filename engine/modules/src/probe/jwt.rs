//! `jwt`: what a token says, read on this machine.

use std::time::Duration as Std;

use jiff::{SignedDuration, Timestamp};
use ring::{hmac, signature};
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use runbook_core::value::{Duration, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::support::args::OneOrMany;
use crate::support::by_hand;
use crate::support::paths;

pub(crate) struct Jwt;

/// Reads a JSON Web Token on this machine, and says whether it is good.
///
/// The token goes nowhere and is never shown. What is checked: that it is a token at all, its time (`exp` and `nbf`), with `issuer` and
/// `audience` who made it and for whom, and with `key` or `key_file` its signature. Without `expect` the step is ok if it is `valid`; `problems`
/// says what is wrong.
///
/// Without a key the signature is not checked, and `signature` says so: then `valid` only means that the token says the right things.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The token; give a secret param. A leading `Bearer ` is left out.
    token: String,
    /// The key for the signature: a shared secret, or a public key or certificate in PEM. Give a secret param. Default: it is not checked.
    #[serde(default)]
    key: Option<String>,
    /// A file with the key. Default: none.
    #[serde(default)]
    key_file: Option<String>,
    /// The algorithms that are allowed, such as `RS256`. Default: all that fit the key.
    #[serde(default)]
    algorithms: Option<OneOrMany>,
    /// Who must have made it, one of these. Default: anybody.
    #[serde(default)]
    issuer: Option<OneOrMany>,
    /// For whom it must be, one of these. Default: anybody.
    #[serde(default)]
    audience: Option<OneOrMany>,
    /// How far clocks may be apart. Default: `0s`.
    #[serde(default)]
    leeway: Option<Duration>,
}

/// What the token says.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether nothing is wrong with what was checked.
    valid: bool,
    /// The first problem; null if there is none.
    error: Option<String>,
    /// All problems.
    problems: Vec<String>,
    /// Whether the signature is `good`, `wrong`, or was `not checked`.
    signature: String,
    /// The algorithm of the signature, such as `HS256`.
    algorithm: Option<String>,
    /// Which key it is signed with (`kid`); null if it does not say.
    key_id: Option<String>,
    /// Who made it (`iss`); null if it does not say.
    issuer: Option<String>,
    /// Whom it is about (`sub`); null if it does not say.
    subject: Option<String>,
    /// For whom it is (`aud`).
    audience: Vec<String>,
    /// When it ends (`exp`); null if it does not say.
    expires_at: Option<Time>,
    /// How long it is still good; `0s` once it has ended; null if it does not say.
    expires_in: Option<Duration>,
    /// Whether it has ended.
    expired: bool,
    /// When it begins (`nbf`); null if it does not say.
    not_before: Option<Time>,
    /// When it was made (`iat`); null if it does not say.
    issued_at: Option<Time>,
    /// Everything that it claims. It may hold personal data: say `sensitive: true` at the step then.
    claims: serde_json::Map<String, Json>,
}

/// The bytes of base64 as tokens use it: with `-` and `_`, and nothing at the end.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    (count < 6).then_some(out)
}

/// A key for a signature.
enum Key {
    Shared(Vec<u8>),
    Rsa(Vec<u8>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    fn read(bytes: &[u8]) -> Result<Key, String> {
        if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            return match bytes {
                [] => Err("the key is empty".to_owned()),
                _ => Ok(Key::Shared(bytes.to_vec())),
            };
        }
        let bad = |what: &str| format!("the key is not proper PEM: {what}");
        let (_, pem) = parse_x509_pem(bytes).map_err(|e| bad(&e.to_string()))?;
        match pem.label.as_str() {
            "PUBLIC KEY" => {
                let (_, info) = SubjectPublicKeyInfo::from_der(&pem.contents).map_err(|e| bad(&e.to_string()))?;
                Key::of(&info)
            }
            "CERTIFICATE" => {
                let (_, certificate) = X509Certificate::from_der(&pem.contents).map_err(|e| bad(&e.to_string()))?;
                Key::of(certificate.public_key())
            }
            "RSA PUBLIC KEY" => Ok(Key::Rsa(pem.contents)),
            label if label.contains("PRIVATE") => Err("that is a private key: give the public one".to_owned()),
            label => Err(format!("the key is a {label:?}, not a public key or a certificate")),
        }
    }

    fn of(info: &SubjectPublicKeyInfo<'_>) -> Result<Key, String> {
        let bytes = info.subject_public_key.data.to_vec();
        let curve = info.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok()).map(|o| o.to_id_string());
        match (info.algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            ("1.2.840.113549.1.1.1", _) => Ok(Key::Rsa(bytes)),
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Ok(Key::P256(bytes)),
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Ok(Key::P384(bytes)),
            ("1.3.101.112", _) => Ok(Key::Ed25519(bytes)),
            (other, _) => Err(format!("keys of the kind {other} are not known here")),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Key::Shared(_) => "a shared secret",
            Key::Rsa(_) => "an RSA key",
            Key::P256(_) => "a key of the curve P-256",
            Key::P384(_) => "a key of the curve P-384",
            Key::Ed25519(_) => "an Ed25519 key",
        }
    }

    /// Whether the signature is right. A token that names an algorithm which the key is not made for is refused: it is how a public
    /// key is passed off as a shared secret.
    fn verify(&self, algorithm: &str, text: &[u8], signed: &[u8]) -> Result<bool, String> {
        let public = |kind: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            Ok(signature::UnparsedPublicKey::new(kind, key).verify(text, signed).is_ok())
        };
        let shared = |kind, key: &[u8]| Ok(hmac::verify(&hmac::Key::new(kind, key), text, signed).is_ok());
        match (algorithm, self) {
            ("HS256", Key::Shared(key)) => shared(hmac::HMAC_SHA256, key),
            ("HS384", Key::Shared(key)) => shared(hmac::HMAC_SHA384, key),
            ("HS512", Key::Shared(key)) => shared(hmac::HMAC_SHA512, key),
            ("RS256", Key::Rsa(key)) => public(&signature::RSA_PKCS1_2048_8192_SHA256, key),
            ("RS384", Key::Rsa(key)) => public(&signature::RSA_PKCS1_2048_8192_SHA384, key),
            ("RS512", Key::Rsa(key)) => public(&signature::RSA_PKCS1_2048_8192_SHA512, key),
            ("PS256", Key::Rsa(key)) => public(&signature::RSA_PSS_2048_8192_SHA256, key),
            ("PS384", Key::Rsa(key)) => public(&signature::RSA_PSS_2048_8192_SHA384, key),
            ("PS512", Key::Rsa(key)) => public(&signature::RSA_PSS_2048_8192_SHA512, key),
            ("ES256", Key::P256(key)) => public(&signature::ECDSA_P256_SHA256_FIXED, key),
            ("ES384", Key::P384(key)) => public(&signature::ECDSA_P384_SHA384_FIXED, key),
            ("EdDSA", Key::Ed25519(key)) => public(&signature::ED25519, key),
            _ => Err(format!("it says it is signed by {algorithm:?}, which does not go with {}", self.kind())),
        }
    }
}

impl Probe for Jwt {
    const NAME: &'static str = "jwt";
    const MAIN: Option<&'static str> = Some("token");
    const VERDICT: &'static str = "valid";
    const SAYS: &'static str = "of {{ issuer }}, good for {{ expires_in }}, signature {{ signature }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A token has not ended and is signed with our secret",
            yaml: "jwt:\n  token: '{{ params.token }}'\n  key: '{{ params.jwt_secret }}'\n  algorithms: HS256\nsensitive: true\n",
            runs: false,
        },
        Example {
            title: "It is good for a quarter of an hour more, and for this API",
            yaml: "jwt: { token: '{{ params.token }}', audience: gateway-api }\nexpect:\n  - valid\n  - expires_in > 15m\n",
            runs: false,
        },
        Example {
            title: "A token that has ended is seen to have ended",
            yaml: "jwt: eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJkZW1vIiwiZXhwIjoxNzAwMDAwMDAwfQ.c2ln\nexpect:\n  - expired\n  - issuer == 'demo'\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let script = "import base64,json,sys; [print(json.dumps(json.loads(base64.urlsafe_b64decode(p+\"==\")))) for p in \
             sys.stdin.read().split()[-1].split(\".\")[:2]]";
        ByHand::run(by_hand::with_input(&format!("python3 -c '{script}'"), &args.or("token", "<token>")))
            .expect("`exp` is in the future: `date +%s` says the time of now")
            .note("Do not paste a live token into a web site: whoever has it can use it.")
    }

    fn touches(args: &Args) -> Touches {
        args.key_file.as_ref().map_or_else(Touches::default, |file| Touches::reads([paths::resource(file)]))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.key.is_some() && args.key_file.is_some() {
            return Err(Fault::invalid("key_file", "give either `key` or `key_file`, not both"));
        }
        if let Some(key) = &args.key {
            Key::read(key.as_bytes()).map_err(|why| Fault::invalid("key", why))?;
        }
        Ok(())
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let key = match (&args.key, &args.key_file) {
            (Some(key), _) => Some(Key::read(key.as_bytes()).map_err(|why| Fault::invalid("key", why))?),
            (None, Some(file)) => {
                let path = paths::resolve(cx, "key_file", file)?;
                let mut bytes = tokio::fs::read(&path).await.map_err(|e| paths::fault(&path, &e))?;
                // Whoever writes a secret into a file ends the line.
                while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
                    bytes.pop();
                }
                Some(Key::read(&bytes).map_err(|why| Fault::cannot_tell(format!("{}: {why}", path.display())))?)
            }
            (None, None) => None,
        };
        read(args, key.as_ref(), cx.now())
    }
}

fn read(args: &Args, key: Option<&Key>, now: Timestamp) -> Result<Out, Fault> {
    // The token is in no message, not even in part.
    let none = |why: &str| Fault::unmet(format!("this is no token: {why}"));
    let token = args.token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signed] = parts[..] else {
        return Err(match parts.len() {
            5 => none("it has five parts, so it is encrypted (JWE) and only its receiver can read it"),
            n => none(&format!("it has {n} parts in place of three")),
        });
    };
    let object = |part: &str, what: &str| -> Result<serde_json::Map<String, Json>, Fault> {
        let bytes = decode(part).ok_or_else(|| none(&format!("its {what} is not base64")))?;
        serde_json::from_slice(&bytes).map_err(|_| none(&format!("its {what} is not JSON")))
    };
    let (header, claims) = (object(header, "header")?, object(claims, "claims")?);
    let text = |map: &serde_json::Map<String, Json>, name: &str| map.get(name).and_then(Json::as_str).map(str::to_owned);
    let moment = |name: &str| -> Option<Time> {
        let seconds = claims.get(name)?.as_f64()?;
        Timestamp::from_second(seconds as i64).ok().map(Time)
    };
    let mut out = Out {
        algorithm: text(&header, "alg"),
        key_id: text(&header, "kid"),
        issuer: text(&claims, "iss"),
        subject: text(&claims, "sub"),
        audience: match claims.get("aud") {
            Some(Json::String(one)) => vec![one.clone()],
            Some(Json::Array(many)) => many.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        },
        expires_at: moment("exp"),
        not_before: moment("nbf"),
        issued_at: moment("iat"),
        ..Out::default()
    };
    let leeway = args.leeway.map(|l| l.0).unwrap_or_default();
    judge_time(&mut out, &claims, now, leeway);
    judge_people(&mut out, args);
    judge_signature(&mut out, args, key, &token[..token.len() - signed.len() - 1], signed);
    out.claims = claims;
    out.error = out.problems.first().cloned();
    out.valid = out.problems.is_empty();
    Ok(out)
}

fn judge_time(out: &mut Out, claims: &serde_json::Map<String, Json>, now: Timestamp, leeway: SignedDuration) {
    for (name, read) in [("exp", out.expires_at), ("nbf", out.not_before), ("iat", out.issued_at)] {
        if claims.get(name).is_some_and(|v| !v.is_null()) && read.is_none() {
            out.problems.push(format!("its `{name}` is no time"));
        }
    }
    if let Some(Time(end)) = out.expires_at {
        let left = end.duration_since(now);
        let whole = Std::from_secs(u64::try_from(left.as_secs()).unwrap_or(0));
        out.expires_in = Some(whole.into());
        out.expired = left + leeway <= SignedDuration::ZERO;
        if out.expired {
            out.problems.push(format!("it ended at {end}"));
        }
    }
    if let Some(Time(begin)) = out.not_before
        && begin.duration_since(now) > leeway
    {
        out.problems.push(format!("it does not begin before {begin}"));
    }
}

fn judge_people(out: &mut Out, args: &Args) {
    if let Some(wanted) = &args.issuer
        && !out.issuer.as_ref().is_some_and(|i| wanted.0.contains(i))
    {
        let made = out.issuer.as_ref().map_or("nobody says who".to_owned(), |i| format!("`{i}`"));
        out.problems.push(format!("it was made by {made}, not by `{}`", wanted.0.join("` or `")));
    }
    if let Some(wanted) = &args.audience
        && !out.audience.iter().any(|a| wanted.0.contains(a))
    {
        let whom = if out.audience.is_empty() { "nobody".to_owned() } else { format!("`{}`", out.audience.join("`, `")) };
        out.problems.push(format!("it is for {whom}, not for `{}`", wanted.0.join("` or `")));
    }
}

fn judge_signature(out: &mut Out, args: &Args, key: Option<&Key>, text: &str, signed: &str) {
    out.signature = "not checked".to_owned();
    let algorithm = out.algorithm.clone().unwrap_or_default();
    if algorithm.eq_ignore_ascii_case("none") || algorithm.is_empty() || signed.is_empty() {
        out.problems.push("it is not signed".to_owned());
        return;
    }
    if let Some(allowed) = &args.algorithms
        && !allowed.0.contains(&algorithm)
    {
        out.problems.push(format!("it is signed by `{algorithm}`, not by `{}`", allowed.0.join("` or `")));
        return;
    }
    let Some(key) = key else { return };
    let verdict = match decode(signed) {
        Some(signed) => key.verify(&algorithm, text.as_bytes(), &signed),
        None => Ok(false),
    };
    match verdict {
        Ok(true) => out.signature = "good".to_owned(),
        Ok(false) => {
            out.signature = "wrong".to_owned();
            out.problems.push("its signature is wrong: it was not signed with this key, or was changed".to_owned());
        }
        Err(why) => {
            out.signature = "wrong".to_owned();
            out.problems.push(why);
        }
    }
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
