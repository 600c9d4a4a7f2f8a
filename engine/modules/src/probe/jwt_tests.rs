//! Tests of `jwt`.

use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;
use crate::support::http_args::base64;
use crate::support::testing::{TestHost, args, holds};

fn coded(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn unsigned(algorithm: &str, claims: &Json) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": "k1" }).to_string();
    format!("{}.{}", coded(header.as_bytes()), coded(claims.to_string().as_bytes()))
}

fn hs256(claims: &Json, secret: &str) -> String {
    let text = unsigned("HS256", claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
    format!("{text}.{}", coded(tag.as_ref()))
}

fn pem(prefix: &str, key: &[u8]) -> String {
    let prefix: Vec<u8> = (0..prefix.len()).step_by(2).map(|i| u8::from_str_radix(&prefix[i..i + 2], 16).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&[prefix.as_slice(), key].concat()))
}

async fn ask(json: Json) -> Result<Out, Fault> {
    let host = TestHost::new();
    host.write("secret", "s3cret\n");
    Jwt::observe(&args(json), &host.cx()).await
}

fn soon(seconds: i64) -> i64 {
    Timestamp::now().as_second() + seconds
}

#[tokio::test]
async fn a_good_token() {
    let claims = json!({ "iss": "netops", "sub": "u1", "aud": ["api", "web"], "exp": soon(600), "nbf": soon(-5), "iat": soon(-5), "role": "admin" });
    let token = hs256(&claims, "s3cret");
    for key in [json!({ "key": "s3cret" }), json!({ "key_file": "secret" })] {
        let mut args = key;
        args["token"] = json!(format!("Bearer {token}\n"));
        args["issuer"] = json!(["netops", "other"]);
        args["audience"] = json!("web");
        args["algorithms"] = json!("HS256");
        let out = ask(args).await.unwrap();
        assert!(out.valid && holds(Jwt::VERDICT, &out) && holds("expires_in > 9m and claims.role == 'admin'", &out), "{out:?}");
        assert_eq!((out.signature.as_str(), out.key_id.as_deref(), out.subject.as_deref()), ("good", Some("k1"), Some("u1")));
    }
    let out = ask(json!({ "token": token })).await.unwrap();
    assert_eq!((out.valid, out.signature.as_str()), (true, "not checked"));
}

#[tokio::test]
async fn everything_that_is_wrong_is_said() {
    let good = json!({ "iss": "a", "aud": "b", "exp": soon(600) });
    let cases = [
        (hs256(&json!({ "exp": soon(-10) }), "k"), json!({ "key": "k" }), "it ended at 20", "good"),
        (hs256(&json!({ "nbf": soon(100) }), "k"), json!({ "key": "k" }), "does not begin before", "good"),
        (hs256(&json!({ "exp": "tomorrow" }), "k"), json!({}), "its `exp` is no time", "not checked"),
        (hs256(&good, "k"), json!({ "key": "other" }), "signature is wrong", "wrong"),
        (hs256(&good, "k"), json!({ "issuer": "x" }), "made by `a`, not by `x`", "not checked"),
        (hs256(&good, "k"), json!({ "audience": "x" }), "it is for `b`, not for `x`", "not checked"),
        (
            hs256(&good, "k"),
            json!({ "key": "k", "algorithms": ["RS256", "ES256"] }),
            "signed by `HS256`, not by `RS256` or `ES256`",
            "not checked",
        ),
        (format!("{}.", unsigned("none", &good)), json!({ "key": "k" }), "it is not signed", "not checked"),
        (format!("{}.", unsigned("HS256", &good)), json!({}), "it is not signed", "not checked"),
    ];
    for (token, mut args, word, signature) in cases {
        args["token"] = json!(token);
        let out = ask(args.clone()).await.unwrap();
        assert!(!out.valid && !holds(Jwt::VERDICT, &out), "{args}");
        assert!(out.error.as_deref().unwrap().contains(word) && out.signature == signature, "{out:?}");
    }
    let out = ask(json!({ "token": hs256(&json!({ "exp": soon(-10) }), "k"), "leeway": "1m" })).await.unwrap();
    assert!(out.valid && !out.expired);
    // Somebody changes what it says.
    let token = hs256(&good, "k");
    let parts: Vec<&str> = token.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], coded(json!({ "iss": "root" }).to_string().as_bytes()), parts[2]);
    assert_eq!(ask(json!({ "token": forged, "key": "k" })).await.unwrap().signature, "wrong");
}

#[tokio::test]
async fn public_keys_of_both_curves() {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let text = unsigned("ES256", &json!({ "iss": "a" }));
    let token = format!("{text}.{}", coded(pair.sign(&random, text.as_bytes()).unwrap().as_ref()));
    let p256 = pem("3059301306072a8648ce3d020106082a8648ce3d030107034200", pair.public_key().as_ref());
    assert_eq!(ask(json!({ "token": token, "key": p256 })).await.unwrap().signature, "good");

    let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let text = unsigned("EdDSA", &json!({ "iss": "a" }));
    let token = format!("{text}.{}", coded(pair.sign(text.as_bytes()).as_ref()));
    let ed = pem("302a300506032b6570032100", pair.public_key().as_ref());
    assert_eq!(ask(json!({ "token": token, "key": ed })).await.unwrap().signature, "good");
    assert_eq!(ask(json!({ "token": token, "key": p256 })).await.unwrap().signature, "wrong");
    // A public key is no shared secret, whatever the token says.
    let out = ask(json!({ "token": hs256(&json!({ "iss": "a" }), &ed), "key": ed })).await.unwrap();
    assert!(!out.valid && out.error.unwrap().contains("does not go with an Ed25519 key"));
}

#[tokio::test]
async fn rsa_keys_as_openssl_makes_them() {
    let host = TestHost::new();
    let text = unsigned("RS256", &json!({ "iss": "a" }));
    host.write("text", &text);
    let script =
        "openssl genrsa -out key 2048 && openssl rsa -in key -pubout -out pub && openssl dgst -sha256 -sign key -out sig text";
    let made = std::process::Command::new("sh").args(["-c", script]).current_dir(host.root()).output();
    if !made.is_ok_and(|m| m.status.success()) {
        return;
    }
    let token = format!("{text}.{}", coded(&std::fs::read(host.file("sig")).unwrap()));
    let out = Jwt::observe(&args(json!({ "token": token, "key_file": "pub" })), &host.cx()).await.unwrap();
    assert_eq!(out.signature, "good");
    let fault = Jwt::observe(&args(json!({ "token": token, "key_file": "key" })), &host.cx()).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("private key")), "{fault:?}");
}

#[tokio::test]
async fn what_is_no_token() {
    for (token, word) in [
        ("", "1 parts"),
        ("a.b", "2 parts"),
        ("a.b.c.d.e", "encrypted"),
        ("!!.e30.x", "header is not base64"),
        ("e30.bm8.x", "claims is not JSON"),
        ("W10.e30.x", "header is not JSON"),
    ] {
        let fault = ask(json!({ "token": token })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{token}: {fault:?}");
    }
    let both = args(json!({ "token": "a", "key": "k", "key_file": "f" }));
    assert!(matches!(Jwt::check(&both), Err(Fault::Invalid { .. })));
    let bad = args(json!({ "token": "a", "key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" }));
    assert!(matches!(Jwt::check(&bad), Err(Fault::Invalid { .. })));
}

#[tokio::test]
async fn t62_a_live_token_is_read_here_and_shown_nowhere() {
    let token = hs256(&json!({ "iss": "netops", "exp": soon(600) }), "k");
    let json = json!({ "token": token, "key": "k" });
    // No host, no port, no program: it goes nowhere.
    assert_eq!(Jwt::touches(&args(json.clone())), Touches::default());
    let out = serde_json::to_string(&ask(json).await.unwrap()).unwrap();
    for part in token.split('.') {
        assert!(!out.contains(part), "{out}");
    }
    for broken in [format!("{token}.x"), token.replace('.', "!")] {
        let fault = ask(json!({ "token": broken })).await.unwrap_err();
        assert!(!fault.message().contains(&token[..12]), "{fault:?}");
    }
}
