//! What a certificate says, for people.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use runbook_core::value::Time;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Certificate {
    /// Whom it is for, such as `CN=api.example.org`.
    pub(crate) subject: String,
    /// Who signed it, such as `C=US, O=Let's Encrypt, CN=R11`.
    pub(crate) issuer: String,
    /// The host names and addresses that it is for.
    pub(crate) names: Vec<String>,
    /// When it began or begins to be valid.
    pub(crate) not_before: Time,
    /// When it ends or ended to be valid.
    pub(crate) not_after: Time,
    /// The whole days until it ends; negative once it has ended.
    pub(crate) days_left: i64,
    /// Its number, in hexadecimal.
    pub(crate) serial: String,
    /// The SHA-256 of it, in hexadecimal.
    pub(crate) fingerprint: String,
    /// The kind and length of its key, such as `RSA 2048` or `EC 256`.
    pub(crate) key: String,
    /// Whether it is signed by itself.
    pub(crate) self_signed: bool,
}

impl Certificate {
    /// Reads one; `None` if it is none.
    pub(crate) fn read(der: &[u8], now: Timestamp) -> Option<Certificate> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let moment = |t: x509_parser::time::ASN1Time| Timestamp::from_second(t.timestamp()).unwrap_or(Timestamp::MAX);
        let (not_before, not_after) = (moment(read.validity().not_before), moment(read.validity().not_after));
        let names = read.subject_alternative_name().ok().flatten();
        let key = read.public_key();
        let key = match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
            Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
            _ if key.algorithm.algorithm.to_id_string() == "1.3.101.112" => "Ed25519".to_owned(),
            _ => "unknown".to_owned(),
        };
        Some(Certificate {
            subject: shown(read.subject()),
            issuer: shown(read.issuer()),
            names: names.iter().flat_map(|n| &n.value.general_names).filter_map(name).collect(),
            not_before: Time(not_before),
            not_after: Time(not_after),
            days_left: (not_after.as_second() - now.as_second()).div_euclid(86_400),
            serial: read.raw_serial().iter().map(|b| format!("{b:02x}")).collect(),
            fingerprint: Sha256::digest(der).iter().map(|b| format!("{b:02x}")).collect(),
            key,
            self_signed: read.subject().as_raw() == read.issuer().as_raw(),
        })
    }
}

/// A name as `C=US, O=Example, CN=api.example.org`.
fn shown(name: &X509Name<'_>) -> String {
    // Line breaks and the like in a name would break the line that it is shown in.
    name.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn name(general: &GeneralName<'_>) -> Option<String> {
    match general {
        GeneralName::DNSName(dns) => Some((*dns).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|a| a.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
}
