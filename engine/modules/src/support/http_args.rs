//! What the arguments and results of `http` and `http.request` have in common.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use runbook_core::module::Fault;
use runbook_core::value::{Duration, Size, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::args::Text;
use super::certificate::Certificate;
use super::http_client::{Answer, json_of, put};
use super::net::rounded;

/// Names with texts, where null leaves a name out.
pub(crate) type Pairs = BTreeMap<String, Option<Text>>;

/// A user and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basic {
    /// The user's name.
    pub(crate) user: String,
    /// The password; give a secret param. Default: empty.
    #[serde(default)]
    pub(crate) password: String,
}

/// The most bytes of a body that are kept unless said otherwise: 1 MiB.
pub(crate) fn default_max_body() -> Size {
    Size(1 << 20)
}

/// The headers of a request from its arguments.
pub(crate) fn headers(given: &Pairs, basic: Option<&Basic>, bearer: Option<&str>) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    match (basic, bearer) {
        (Some(_), Some(_)) => return Err(Fault::invalid("bearer", "give either `basic` or `bearer`, not both")),
        (Some(basic), None) => {
            if basic.user.contains(':') {
                return Err(Fault::invalid("basic", "a user name cannot have a colon in it"));
            }
            let pair = format!("{}:{}", basic.user, basic.password);
            put(&mut headers, AUTHORIZATION.as_str(), &format!("Basic {}", base64(pair.as_bytes())), true)?;
        }
        (None, Some(token)) => put(&mut headers, AUTHORIZATION.as_str(), &format!("Bearer {token}"), true)
            .map_err(|_| Fault::invalid("bearer", "the token has a character that no header may have, such as a line break"))?,
        (None, None) => {}
    }
    for (name, value) in given {
        if let Some(value) = value {
            put(&mut headers, name, &value.0, false)?;
        }
    }
    Ok(headers)
}

/// The address that takes the place of a host name, checked against the URL.
pub(crate) fn resolve(url: &Url, address: Option<&str>) -> Result<Option<IpAddr>, Fault> {
    let Some(address) = address else { return Ok(None) };
    let host = url.host_str().unwrap_or_default();
    if host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok() {
        return Err(Fault::invalid("resolve", format!("`{host}` is an address already; write the host name into the URL")));
    }
    match address.parse() {
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(Fault::invalid("resolve", format!("{address:?} is not an address such as `10.0.0.5`"))),
    }
}

/// Finds arguments about TLS that exclude each other.
pub(crate) fn check_trust(insecure: bool, ca_file: Option<&str>, cert: Option<&str>, key: Option<&str>) -> Result<(), Fault> {
    if insecure && ca_file.is_some() {
        return Err(Fault::invalid("ca_file", "give either `ca_file` or `insecure`: who takes any certificate trusts nobody"));
    }
    if key.is_some() && cert.is_none() {
        return Err(Fault::invalid("client_key", "a key needs its certificate: give `client_cert` too"));
    }
    Ok(())
}

/// Adds query parameters to a URL.
pub(crate) fn add_query(url: &mut Url, query: &Pairs) {
    if query.values().any(Option::is_some) {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in query {
            if let Some(value) = value {
                pairs.append_pair(name, &value.0);
            }
        }
    }
}

/// A form as `application/x-www-form-urlencoded`.
pub(crate) fn form(fields: &Pairs) -> Result<String, Fault> {
    let mut url = Url::parse("http://form/").map_err(|e| Fault::cannot_tell(e.to_string()))?;
    add_query(&mut url, fields);
    Ok(url.query().unwrap_or_default().to_owned())
}

/// What a server answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HttpOut {
    /// The status code; null if no answer came.
    pub(crate) status: Option<u16>,
    /// The headers by their names in lower case; several of one name are joined by `, `.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as text, whatever the status; bytes that are not UTF-8 become `�`. Null if no answer came.
    pub(crate) body: Option<String>,
    /// The body read as JSON; null if it is not JSON or was cut off.
    pub(crate) json: serde_json::Value,
    /// The size of the body that was read.
    pub(crate) bytes: Size,
    /// Whether the body was longer than `max_body` and was cut off.
    pub(crate) truncated: bool,
    /// Whether the server answered at all, with whatever status: a server that says 404 or 503 is there.
    pub(crate) reachable: bool,
    /// The time from the start of the request to the end of the body, redirects included.
    pub(crate) elapsed: Duration,
    /// Where the time went, of the last request if redirects were followed.
    pub(crate) timings: Timings,
    /// The certificate and version of TLS, also if the certificate was not accepted; null without TLS.
    pub(crate) tls: Option<TlsFacts>,
    /// The URL that answered, without user and password.
    pub(crate) url: String,
    /// The address and port that answered, such as `127.0.0.1:8000`; null for Unix sockets and if no answer came.
    pub(crate) address: Option<String>,
    /// The version of HTTP: `1.0`, `1.1` or `2`; null if no answer came.
    pub(crate) http_version: Option<String>,
    /// The number of redirects that were followed.
    pub(crate) redirects: u32,
    /// Why no complete answer came, such as `connection refused`; null if one did.
    pub(crate) error: Option<String>,
}

/// Where the time of a request went.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Timings {
    /// The time to look the host name up; null if none was looked up.
    pub(crate) dns: Option<Duration>,
    /// The time to make the connection, through a proxy if there is one; null if one that was open already was used.
    pub(crate) connect: Option<Duration>,
    /// The time of the TLS handshake; null if there was none.
    pub(crate) tls: Option<Duration>,
    /// The time from the start of the request to the headers of its answer; null if none came.
    pub(crate) first_byte: Option<Duration>,
    /// The whole time, as in `elapsed`.
    pub(crate) total: Duration,
    /// Whether a connection that was open already was used.
    pub(crate) reused: bool,
}

/// The TLS of an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TlsFacts {
    /// The version of TLS, `1.2` or `1.3`; null if the handshake was not completed.
    pub(crate) version: Option<String>,
    /// Whom the certificate is for, such as `CN=api.example.org`.
    pub(crate) subject: String,
    /// Who signed the certificate.
    pub(crate) issuer: String,
    /// The host names and addresses that the certificate is for.
    pub(crate) names: Vec<String>,
    /// When the certificate ends or ended to be valid.
    pub(crate) not_after: Time,
    /// The whole days until the certificate ends; negative once it has ended.
    pub(crate) days_left: i64,
}

impl TlsFacts {
    fn of(answer: &Answer, now: Timestamp) -> Option<TlsFacts> {
        let read = Certificate::read(answer.certificate.as_deref()?, now)?;
        Some(TlsFacts {
            version: answer.tls_version.map(str::to_owned),
            subject: read.subject,
            issuer: read.issuer,
            names: read.names,
            not_after: read.not_after,
            days_left: read.days_left,
        })
    }
}

impl HttpOut {
    /// The result of an answer, complete or not.
    pub(crate) fn of(answer: Answer, error: Option<String>, now: Timestamp) -> HttpOut {
        let times = &answer.times;
        let timings = Timings {
            dns: times.dns.map(rounded),
            connect: times.connect.map(rounded),
            tls: times.tls.map(rounded),
            first_byte: times.first_byte.map(rounded),
            total: rounded(answer.elapsed),
            reused: times.reused,
        };
        HttpOut {
            reachable: answer.status.is_some(),
            timings,
            tls: TlsFacts::of(&answer, now),
            json: json_of(&answer),
            bytes: Size(answer.body.len() as u64),
            body: answer.status.map(|_| text(answer.body)),
            status: answer.status,
            headers: answer.headers,
            truncated: answer.truncated,
            elapsed: rounded(answer.elapsed),
            url: answer.url,
            address: answer.address,
            http_version: answer.http_version.map(str::to_owned),
            redirects: answer.redirects,
            error,
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().enumerate().fold(0_u32, |n, (i, b)| n | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let letter = LETTERS[(n >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Pairs {
        all.iter().map(|(k, v)| ((*k).to_owned(), Some(Text((*v).to_owned())))).collect()
    }

    #[test]
    fn base64_is_base64() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("user:päss", "dXNlcjpww6Rzcw==")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn authorisation_is_one_of_two() {
        let basic = Basic { user: "u".into(), password: "p".into() };
        let made = headers(&Pairs::new(), Some(&basic), None).unwrap();
        assert_eq!(made[AUTHORIZATION], "Basic dTpw");
        assert!(made[AUTHORIZATION].is_sensitive());
        assert_eq!(headers(&Pairs::new(), None, Some("t")).unwrap()[AUTHORIZATION], "Bearer t");
        assert!(headers(&Pairs::new(), Some(&basic), Some("t")).is_err());
        assert!(headers(&Pairs::new(), Some(&Basic { user: "a:b".into(), password: String::new() }), None).is_err());
    }

    #[test]
    fn a_header_cannot_smuggle_another() {
        let fault = headers(&pairs(&[("x-a", "1\r\nx-b: 2")]), None, None).unwrap_err();
        assert!(fault.message().contains("x-a"), "{fault:?}");
        assert!(headers(&pairs(&[("x a", "1")]), None, None).is_err());
        let fault = headers(&Pairs::new(), None, Some("hunter2\n")).unwrap_err();
        assert!(!fault.message().contains("hunter2"), "{fault:?}");
    }

    #[test]
    fn queries_and_forms_are_encoded() {
        let mut url = Url::parse("http://h/p?a=1").unwrap();
        add_query(&mut url, &pairs(&[("b c", "d&e")]));
        assert_eq!(url.as_str(), "http://h/p?a=1&b+c=d%26e");
        add_query(&mut url, &BTreeMap::from([("x".to_owned(), None)]));
        assert_eq!(url.as_str(), "http://h/p?a=1&b+c=d%26e");
        assert_eq!(form(&pairs(&[("a", "ä"), ("b", "")])).unwrap(), "a=%C3%A4&b=");
    }
}
