//! URLs of databases that hold who logs in.

/// A URL in its parts: without who logs in, the user, and the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parted {
    /// The URL without user and password.
    pub(crate) bare: String,
    /// The user.
    pub(crate) user: Option<String>,
    /// The password.
    pub(crate) password: Option<String>,
}

/// Takes a URL apart, so that its password can go where `ps` does not show it. It need not be a whole URL: a person may have to fill it in.
pub(crate) fn parted(url: &str) -> Parted {
    let whole = || Parted { bare: url.to_owned(), user: None, password: None };
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some((who, place)) = rest[..end].rsplit_once('@') else { return whole() };
    let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
    let filled = |text: &str| Some(decoded(text)).filter(|t| !t.is_empty());
    Parted { bare: format!("{scheme}://{place}{}", &rest[end..]), user: filled(user), password: password.and_then(filled) }
}

/// Percent-encoded text.
pub(crate) fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let hex = (*byte == b'%').then(|| std::str::from_utf8(after.get(..2)?).ok()).flatten();
        let (next, skip) = match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(decoded) => (decoded, 2),
            None => (*byte, 0),
        };
        out.push(next);
        rest = &after[skip..];
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use runbook_core::module::{hand_secret, hand_word};

    use super::*;

    #[test]
    fn passwords_are_taken_out() {
        let of = |url: &str| {
            let parted = parted(url);
            (parted.bare, parted.user.unwrap_or_default(), parted.password.unwrap_or_default())
        };
        let text = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(of("redis://app:p%40ss@h:1/3"), text("redis://h:1/3", "app", "p@ss"));
        assert_eq!(of("postgres://app@db/shop?sslmode=require"), text("postgres://db/shop?sslmode=require", "app", ""));
        assert_eq!(of("redis://:a@b@[::1]"), text("redis://[::1]", "", "a@b"));
        for whole in ["redis://h/a@b", "<url>", "", "unix:///run/a@b.sock"] {
            assert_eq!(of(whole), text(whole, "", ""));
        }
        let secret = parted(&format!("redis://:{}@h", hand_secret("pass")));
        assert_eq!((secret.bare.as_str(), hand_word(&secret.password.unwrap()).as_str()), ("redis://h", "\"$pass\""));
    }
}
