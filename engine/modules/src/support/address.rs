//! A host and port in one text.

use runbook_core::module::Fault;

/// Splits `db.internal:5432` or `[::1]:80`; a text without a colon is a port if `port` is none, else a host with that port.
pub(crate) fn split(address: &str, port: Option<u16>) -> Result<(String, u16), Fault> {
    let bad =
        || Fault::invalid("address", format!("{address:?} is not a host and port such as `127.0.0.1:7000` or `[::1]:7000`"));
    let default = port.map(|p| p.to_string());
    let (host, port) = match (address.rsplit_once(':'), &default) {
        // The colons of an IPv6 address in brackets are its own.
        (Some((_, after)), Some(default)) if after.ends_with(']') => (address, default.as_str()),
        (Some(both), _) => both,
        (None, Some(default)) => (address, default.as_str()),
        (None, None) => ("127.0.0.1", address),
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    // Without brackets nobody can tell an IPv6 address from its port.
    if host.is_empty() || (bare.is_none() && host.contains(':')) {
        return Err(bad());
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(bad()),
        Ok(port) => Ok((bare.unwrap_or(host).to_owned(), port)),
    }
}

/// Refuses a host that is none.
pub(crate) fn check_host(argument: &str, host: &str) -> Result<(), Fault> {
    match runbook_core::forms::host(host) {
        Some(wrong) => Err(Fault::invalid(
            argument,
            format!("{}; write a name such as `db.internal` or an address such as `127.0.0.1`", wrong.message),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split() {
        for (text, port, host, number) in [
            ("[::1]:80", None, "::1", 80),
            ("db.internal:5432", None, "db.internal", 5432),
            ("7000", None, "127.0.0.1", 7000),
            ("db.internal", Some(443), "db.internal", 443),
            ("[::1]", Some(443), "::1", 443),
            ("[::1]:8443", Some(443), "::1", 8443),
        ] {
            assert_eq!(split(text, port).unwrap(), (host.to_owned(), number), "{text}");
        }
        for bad in ["::1", "h:", ":80", "h:0", "h:70000", "", "a b"] {
            assert!(split(bad, None).is_err(), "{bad}");
        }
    }
}
