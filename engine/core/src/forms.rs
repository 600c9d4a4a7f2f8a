//! Text that must have a form: what is wrong with it, where in it, and what to write instead.

use std::ops::Range;

use crate::suggest::nearest;

/// Why a text does not have the form that its place needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The cause, as a fragment.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The bytes of the text that it is about, if only some are.
    pub range: Option<Range<usize>>,
}

impl Wrong {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Wrong { message: message.into(), help: help.into(), range: None }
    }

    fn at(mut self, range: Range<usize>) -> Self {
        self.range = Some(range);
        self
    }
}

/// What to write where a text is no duration.
pub const DURATION: &str = "the units are `ms`, `s`, `m`, `h`, `d`, `w`, longer ones first: `1h30m`";
/// What to write where a text is no size.
pub const SIZE: &str = "the units are `B`, `KB`, `MB`, `GB`, `TB` and `KiB`, `MiB`, `GiB`, `TiB`: `512KiB`, `10GB`";
/// What to write where a text is no time.
pub const TIME: &str =
    "a time is a day that exists, an hour, and a zone: `2026-02-15T14:23:45Z`, or with an offset such as `+01:00`";

/// The size that a pattern may take when it is compiled, in bytes.
pub const MAX_PATTERN: usize = 1 << 20;

/// The schemes that the modules speak.
const SCHEMES: &[&str] = &["http", "https", "ws", "wss"];

/// The form of a URL, as said in messages.
const URL: &str = "a URL is written like `http://127.0.0.1:8000/health`";

/// What is wrong with a URL that a module is to ask.
pub fn url(text: &str) -> Option<Wrong> {
    if let Some((range, name)) = foreign_value(text) {
        let message = format!("`{}` is no value here", &text[range.clone()]);
        return Some(Wrong::new(message, format!("a value is written in double braces: `{{{{ {name} }}}}`")).at(range));
    }
    if text.starts_with("unix:") && text.len() > 5 {
        return None;
    }
    if text.is_empty() {
        return Some(Wrong::new("the URL is empty", URL));
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
        let what = if c == ' ' { "a space".to_owned() } else { format!("the character U+{:04X}", c as u32) };
        return Some(Wrong::new(format!("a URL cannot hold {what}"), "write `%20` for a space").at(at..at + c.len_utf8()));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let message = format!("{text:?} has no scheme");
        return Some(match text.split_once(':') {
            Some((scheme, rest)) if SCHEMES.contains(&scheme) && !rest.is_empty() => {
                Wrong::new(message, format!("write `{scheme}://{}`", rest.trim_start_matches('/')))
            }
            _ => Wrong::new(message, format!("write `http://{}`", text.trim_start_matches('/'))),
        });
    };
    if !SCHEMES.contains(&scheme) {
        let help = match (nearest(scheme, SCHEMES.iter().copied()), scheme) {
            (_, "file") => "a file is looked at with `file`, `config` or `log`".to_owned(),
            (Some(near), _) => format!("did you mean `{near}://`?"),
            (None, _) => "the schemes are `http`, `https`, `ws` and `wss`".to_owned(),
        };
        return Some(Wrong::new(format!("`{scheme}://` is no scheme that is spoken here"), help).at(0..scheme.len()));
    }
    let start = scheme.len() + 3;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let host_at = start + authority.rfind('@').map_or(0, |i| i + 1);
    let host_and_port = &text[host_at..start + authority.len()];
    let (name, port) = match host_and_port.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host_and_port, None),
    };
    if name.is_empty() {
        return Some(Wrong::new(format!("{text:?} has no host"), URL));
    }
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|p| p > 0)
    {
        let at = host_at + name.len() + 1;
        let message = if port.is_empty() { "a port is missing after `:`".to_owned() } else { format!("`{port}` is no port") };
        return Some(Wrong::new(message, "a port is a number from 1 to 65535").at(at..at + port.len()));
    }
    host(name).map(|mut wrong| {
        wrong.range = wrong.range.map(|r| host_at + r.start..host_at + r.end);
        wrong
    })
}

/// A value in the way of other tools, `${name}` or `{name}`: its place and the name.
fn foreign_value(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let open = text.find('{')?;
    let (name, _) = text[open + 1..].split_once('}')?;
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let start = if text[..open].ends_with('$') { open - 1 } else { open };
    named.then(|| (start..open + 1 + name.len() + 1, name))
}

/// What is wrong with a link for people, which may have any scheme.
pub fn link(text: &str) -> Option<Wrong> {
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    let known = SCHEMES.contains(&scheme) || nearest(scheme, SCHEMES.iter().copied()).is_some();
    let named = !scheme.is_empty() && !scheme.contains(['/', '.']) && !rest.is_empty() && !text.contains(char::is_whitespace);
    if named && !known { None } else { url(text) }
}

/// What is wrong with the name or address of a host; an IPv6 address may stand in brackets.
pub fn host(text: &str) -> Option<Wrong> {
    let whole = Some(0..text.len());
    let bad = |message: String, help: &str| Some(Wrong { message, help: help.to_owned(), range: whole.clone() });
    if text.is_empty() {
        return bad("the host is empty".to_owned(), "a host is a name such as `db.internal` or an address such as `127.0.0.1`");
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if bare.is_some() || text.contains(':') {
        let address = bare.unwrap_or(text).split('%').next().unwrap_or_default();
        return match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => None,
            Err(_) => bad(format!("`{text}` is no IPv6 address"), "an IPv6 address is written like `::1`, in a URL `[::1]`"),
        };
    }
    if let Some((address, bits)) = text.split_once('/') {
        return bad(format!("`{address}/{bits}` is a range of addresses, not one host"), "name one host");
    }
    // Nothing but digits and dots is meant as an address.
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return match text.parse::<std::net::Ipv4Addr>() {
            Ok(_) => None,
            Err(_) => bad(format!("`{text}` is no IPv4 address"), "an IPv4 address is four numbers from 0 to 255: `127.0.0.1`"),
        };
    }
    let rule = "a host's name is made of letters, digits, `-` and `_` between dots";
    if let Some(c) = text.chars().find(|c| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
        return bad(format!("the host `{text}` holds `{c}`"), rule);
    }
    let labels = text.strip_suffix('.').unwrap_or(text).split('.');
    for label in labels {
        if label.is_empty() {
            return bad(format!("the host `{text}` has nothing between two dots"), rule);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return bad(format!("`{label}` in the host `{text}` begins or ends with `-`"), rule);
        }
        if label.len() > 63 {
            return bad(format!("a part of the host `{text}` is longer than 63 characters"), rule);
        }
    }
    None
}

/// What is wrong with the name of a systemd unit.
pub fn unit(text: &str) -> Option<Wrong> {
    let bad = text.char_indices().find(|(_, c)| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '-' | '_' | '.' | '\\' | '@'));
    let (at, c) = bad?;
    let help = "a unit is named like `nginx.service` or `backup@daily.timer`";
    Some(Wrong::new(format!("the name of a unit cannot hold {c:?}"), help).at(at..at + c.len_utf8()))
}

/// The letters that make a name look like another one, if it mixes scripts: `аpple.com` with a Cyrillic `а`.
pub fn look_alike(text: &str) -> Option<(char, &'static str)> {
    let script = |c: char| match c as u32 {
        0x370..=0x3ff | 0x1f00..=0x1fff => Some("Greek"),
        0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Some("Cyrillic"),
        0x530..=0x58f => Some("Armenian"),
        0x13a0..=0x13ff => Some("Cherokee"),
        0xff00..=0xffef => Some("full-width"),
        _ => None,
    };
    text.split(['.', '/', ':', '@'])
        .filter(|label| label.bytes().any(|b| b.is_ascii_alphabetic()))
        .find_map(|label| label.chars().find_map(|c| script(c).map(|s| (c, s))))
}

/// The longest text of a regular expression, in bytes: reading one takes some hundred times its length.
pub const MAX_PATTERN_TEXT: usize = 10_000;

/// What is wrong with a regular expression.
pub fn regex(text: &str, size_limit: usize) -> Option<Wrong> {
    if text.len() > MAX_PATTERN_TEXT {
        let message = format!("the pattern is {} bytes long, and at most {MAX_PATTERN_TEXT} are read", text.len());
        return Some(Wrong::new(message, "look for less, or for several things one after the other"));
    }
    let error = ::regex::RegexBuilder::new(text).size_limit(size_limit).build().err()?;
    let help = if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| text.contains(look)) {
        "look-around is not part of this dialect: match more, and take a group"
    } else if (1..10).any(|n| text.contains(&format!("\\{n}"))) {
        "back-references are not part of this dialect"
    } else if matches!(error, ::regex::Error::CompiledTooBig(_)) {
        "repeat less: `{1000}` around `{1000}` is a million"
    } else {
        "a character that stands for itself is written with a backslash: `\\(`, `\\.`"
    };
    let ::regex::Error::Syntax(said) = &error else {
        return Some(Wrong::new("the pattern cannot be read: it is too large", help));
    };
    let cause = said.lines().last().unwrap_or_default().trim();
    let cause = cause.strip_prefix("error: ").unwrap_or(cause);
    let mut wrong = Wrong::new(format!("the pattern cannot be read: {cause}"), help);
    // A pattern of one line is drawn with carets below it, both indented by four.
    if !text.contains('\n')
        && let Some(carets) = said.lines().find(|l| l.contains('^') && l.trim_matches([' ', '^']).is_empty())
    {
        let start = carets.find('^').unwrap_or_default().saturating_sub(4);
        let length = carets.chars().filter(|c| *c == '^').count();
        let byte = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(i, _)| i);
        wrong.range = Some(byte(start)..byte(start + length));
    }
    Some(wrong)
}

/// What is wrong with a JSONPath.
pub fn json_path(text: &str) -> Option<Wrong> {
    let error = crate::json_path::JsonPath::parse(text).err()?;
    let example = "RFC 9535: `$.items[*].name`, `$..port`, `$.items[?@.ok == true]`".to_owned();
    let jq = text.strip_prefix('.').filter(|rest| !rest.starts_with('.'));
    let help = match jq {
        Some("") => "the whole document is `$`".to_owned(),
        Some(rest) if crate::json_path::JsonPath::parse(&format!("$.{}", rest.replace("[]", "[*]"))).is_ok() => {
            format!("write `$.{}`: a JSONPath begins with `$`", rest.replace("[]", "[*]"))
        }
        _ if crate::json_path::JsonPath::parse(&format!("$.{text}")).is_ok() => {
            format!("write `$.{text}`: a JSONPath begins with `$`")
        }
        _ => example,
    };
    let byte = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(i, _)| i);
    let range = error.at.map(|at| byte(at)..byte(at + 1));
    Some(Wrong { message: format!("{text:?} is not a JSONPath: {}", error.cause), help, range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_can_be_asked() {
        for good in [
            "http://127.0.0.1:8000/health",
            "https://db.internal",
            "http://my_service:8080/a?b=c://d",
            "http://[::1]:80/",
            "ws://a.b/",
            "unix:/run/x.sock",
            "http://user:pw@host/",
            "http://bücher.example/",
            "http://a./",
        ] {
            assert_eq!(url(good), None, "{good}");
        }
    }

    #[test]
    fn urls_that_cannot_say_why_and_where() {
        for (bad, message, range) in [
            ("", "the URL is empty", None),
            ("nowhere", "\"nowhere\" has no scheme", None),
            ("http:/a", "\"http:/a\" has no scheme", None),
            ("htp://x", "`htp://` is no scheme that is spoken here", Some(0..3)),
            ("file:///etc/x", "`file://` is no scheme that is spoken here", Some(0..4)),
            ("http://", "\"http://\" has no host", None),
            ("http://:80/", "\"http://:80/\" has no host", None),
            ("http://a b/", "a URL cannot hold a space", Some(8..9)),
            ("http://a:99999/x", "`99999` is no port", Some(9..14)),
            ("http://a:0", "`0` is no port", Some(9..10)),
            ("http://a:/x", "a port is missing after `:`", Some(9..9)),
            ("http://256.1.1.1/", "`256.1.1.1` is no IPv4 address", Some(7..16)),
            ("http://-a.b/", "`-a` in the host `-a.b` begins or ends with `-`", Some(7..11)),
            ("http://a..b/", "the host `a..b` has nothing between two dots", Some(7..11)),
            ("http://[::z]/", "`[::z]` is no IPv6 address", Some(7..12)),
            ("http://a$b/", "the host `a$b` holds `$`", Some(7..10)),
        ] {
            let wrong = url(bad).expect(bad);
            assert_eq!((wrong.message.as_str(), wrong.range), (message, range), "{bad}");
            assert!(!wrong.help.is_empty());
        }
    }

    #[test]
    fn links_may_have_any_scheme() {
        for good in ["https://a/b", "mailto:a@b.c", "slack://channel?id=1", "file:///x", "tel:+49301"] {
            assert_eq!(link(good), None, "{good}");
        }
        for bad in ["htp://a", "docs/page", "example.org/x", "http://", "mailto:a b"] {
            assert!(link(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn hosts() {
        for good in ["localhost", "db-1.internal", "127.0.0.1", "::1", "[fe80::1%eth0]", "my_container"] {
            assert_eq!(host(good), None, "{good}");
        }
        for bad in ["", "10.0.0.0/33", "256.1.1.1", "1.2.3", "-x", "a b", ":::", "a..b"] {
            assert!(host(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn names_of_two_scripts_are_noticed() {
        assert_eq!(look_alike("http://\u{430}pple.com/"), Some(('\u{430}', "Cyrillic")));
        assert_eq!(look_alike("http://пример.com/"), None);
        assert_eq!(look_alike("http://bücher.example/"), None);
    }

    #[test]
    fn patterns_are_pointed_into() {
        let wrong = regex("ab(c", 1 << 20).expect("bad");
        assert_eq!((wrong.message.as_str(), wrong.range), ("the pattern cannot be read: unclosed group", Some(2..3)));
        let wrong = regex("é[", 1 << 20).expect("bad");
        assert_eq!(wrong.range, Some(2..3));
        assert!(regex("(?=x)", 1 << 20).expect("bad").help.contains("look-around"));
        assert!(regex("(a)\\1", 1 << 20).expect("bad").help.contains("back-references"));
        assert!(regex("(?:a{1000}){1000}", 1 << 20).expect("bad").message.contains("too large"));
        assert_eq!(regex("a(b)+", 1 << 20), None);
    }

    #[test]
    fn paths_are_pointed_into() {
        let wrong = json_path("$..[").expect("bad");
        assert_eq!(
            (wrong.message.as_str(), wrong.range),
            ("\"$..[\" is not a JSONPath: expected a name, a number, `*` or `?` here", Some(4..4))
        );
        assert_eq!(json_path(".a.b").expect("jq").help, "write `$.a.b`: a JSONPath begins with `$`");
        assert_eq!(json_path(".items[].name").expect("jq").help, "write `$.items[*].name`: a JSONPath begins with `$`");
        assert_eq!(json_path("a.b").expect("bare").help, "write `$.a.b`: a JSONPath begins with `$`");
        assert_eq!(json_path("$.a"), None);
    }
}
