//! What is cut out of a source before anything else looks at it: secrets, and places such as `<pod>` that a person fills in.
//!
//! Each is replaced by a mark that is an ordinary word to the shell. Where the mark ends up in the playbook, a parameter is written
//! in its place, so that nothing behind this file ever sees a secret.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::decode::shell::{Around, Walk};

/// Something that was cut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// What stands in its place.
    pub(super) mark: String,
    /// The parameter that fills it.
    pub(super) param: String,
    /// Whether it held a secret.
    pub(super) secret: bool,
    /// What people are shown: `<pod>`, or stars.
    pub(super) shown: String,
    /// What was there.
    value: String,
}

/// Everything that was cut out of a source.
#[derive(Clone, Debug, Default)]
pub(super) struct Holes {
    prefix: String,
    list: Vec<Hole>,
}

/// How many values are told apart.
const MAX: usize = 400;

/// The last words of names whose values are secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "bearer",
];

/// Pairs of last words of names whose values are secret.
const SECRET_PAIRS: &[(&str, &str)] = &[
    ("api", "key"),
    ("access", "key"),
    ("private", "key"),
    ("secret", "key"),
    ("auth", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("account", "key"),
    ("master", "key"),
];

/// Whether a variable of this name holds a secret.
pub(super) fn secret_name(name: &str) -> bool {
    if matches!(name, "PWD" | "OLDPWD") {
        return false;
    }
    let lower = name.to_lowercase().replace('-', "_");
    let words: Vec<&str> = lower.split('_').filter(|w| !w.is_empty() && !w.chars().all(|c| c.is_ascii_digit())).collect();
    match words.as_slice() {
        [] => false,
        [.., a, b] if SECRET_PAIRS.contains(&(a, b)) => true,
        [.., last] => {
            SECRET_WORDS.contains(last)
                || ["password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "secretkey", "privatekey"]
                    .iter()
                    .any(|w| last.ends_with(w))
        }
    }
}

/// A word of shell text, quotes and all.
const WORD: &str = r#"(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'";&|()<>\\])+"#;

/// Where secrets stand: the value is `v`; its name is `n`, or else the text beside the pattern.
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let key = r"[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key)";
    [
        (r"(?s)(?P<v>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z))".to_owned(), "private_key"),
        (format!(r#"(?:^|[\s;&|(`"'])(?P<n>[A-Za-z_][A-Za-z0-9_]*)\+?=(?P<v>{WORD})"#), ""),
        (format!(r"(?i)(?:^|\s)--?(?P<n>{key})(?:=|\s+)(?P<v>{WORD})"), ""),
        (r#"\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump|mariadb-admin)\b[^\n|;&]*?\s-p(?P<v>(?:[^\s'"$]|"(?:[^"\\]|\\.)*")(?:'[^']*'|"(?:[^"\\]|\\.)*"|[^\s'"])*)"#.to_owned(), "password"),
        (format!(r"\bsshpass\s+-p\s*(?P<v>{WORD})"), "password"),
        (format!(r"\bredis-cli\b[^\n|;&]*?\s(?:-a|--pass)\s+(?P<v>{WORD})"), "redis_password"),
        (format!(r"\bdocker\s+login\b[^\n|;&]*?\s-p\s+(?P<v>{WORD})"), "registry_password"),
        (r#"\b(?:curl|http|https|wget)\b[^\n|;]*?\s(?:-u|--user|-a)[= ]?\s*["']?[^\s:"'/]+:(?P<v>[^\s"']+)"#.to_owned(), "password"),
        (r#"\bpass:(?P<v>[^\s'"]+)"#.to_owned(), "passphrase"),
        (r#"\becho\s+["']?[\w.-]+:(?P<v>[^\s'"|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd"#.to_owned(), "password"),
        (r#"(?i)\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|apikey)\s+)?(?P<v>[^\s'"\\]{3,})"#.to_owned(), "token"),
        (r#"(?i)\b(?:x-[a-z-]*(?:token|secret|key)|api-key|private-token|cookie|set-cookie)\s*:\s*(?P<v>[^'"\n]+)"#.to_owned(), "token"),
        (r"(?i)\bbearer\s+(?P<v>[A-Za-z0-9._~+/=-]{6,})".to_owned(), "token?"),
        (r#"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@'"<>]*:(?P<v>[^\s/@'"<>]+)@"#.to_owned(), "password"),
        (r##"(?i)[?&](?:access_token|auth_token|token|api_?key|key|secret|client_secret|password|passwd|pwd|auth|sig|signature|sas)=(?P<v>[^\s&'"#<>]+)"##.to_owned(), "token"),
        (format!(r#"(?i)["']?\b(?P<n>{key})["']?\s*[:=]\s*(?P<v>"[^"\n]*"|'[^'\n]*'|[^\s"',;}}\]&|<>)]{{3,}})"#), ""),
        (r#"(?i)\b(?:identified\s+(?:with\s+\S+\s+)?by|password)\s+(?P<v>'[^'\n]*'|"[^"\n]*")"#.to_owned(), "password"),
        (r"(?P<v>\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[0-9A-Za-z_]{16,}|glpat-[0-9A-Za-z_-]{16,}|sk-[0-9A-Za-z_-]{12,}|sk_live_[0-9A-Za-z_]{12,}|xox[abeprs]-[0-9A-Za-z_-]{8,}|AKIA[0-9A-Z]{12,}|AIza[0-9A-Za-z_-]{30,}|SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}|npm_[0-9A-Za-z_]{20,}|pypi-[0-9A-Za-z_-]{20,}|dop_v1_[0-9A-Za-z_]{20,}|hvs\.[0-9A-Za-z_-]{16,}|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*)?))".to_owned(), "token"),
        (r#"(?P<v>https://hooks\.slack\.com/services/[^\s'"]+|https://discord(?:app)?\.com/api/webhooks/[^\s'"]+)"#.to_owned(), "webhook_url"),
    ]
    .into_iter()
    .filter_map(|(pattern, name)| Some((Regex::new(&format!("(?m){pattern}")).ok()?, name)))
    .collect()
});

/// How many patterns there are: one that does not compile would be a hole of its own, and a test counts them.
#[cfg(test)]
const COUNT: usize = 19;

/// `<pod>`, as documents write what the reader is to fill in.
static PLACES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"<(?P<n>[A-Za-z](?:[A-Za-z0-9_ .-]{0,30}[A-Za-z0-9])?)>").ok());

/// Whether a value looks like a secret by itself, and not like a word that also means something else.
fn unguessable(value: &str) -> bool {
    let has = |f: fn(char) -> bool| value.chars().any(f);
    let mixed = has(|c| c.is_ascii_digit()) && has(|c| c.is_ascii_alphabetic());
    let cased = has(|c| c.is_ascii_lowercase()) && has(|c| c.is_ascii_uppercase());
    let special = has(|c| !c.is_alphanumeric() && !"-_./: ".contains(c));
    value.len() >= 20 || (value.len() >= 6 && (mixed || special)) || (value.len() >= 10 && cased)
}

/// Whether a value only refers to one that is kept elsewhere, or says nothing.
fn refers(value: &str) -> bool {
    value.is_empty()
        || value.starts_with(['$', '`', '<', '@', '%', '*', '(', '='])
        || value.starts_with("{{")
        || value.starts_with("\\$")
        || matches!(value.to_lowercase().as_str(), "true" | "false" | "null" | "none" | "nil")
}

impl Holes {
    /// A fresh one, whose marks occur nowhere in the source.
    pub(super) fn new(source: &str) -> Holes {
        let mut prefix = "RBHOLE".to_owned();
        while source.contains(&prefix) {
            prefix.push('X');
        }
        Holes { prefix, list: Vec::new() }
    }

    /// Cuts the secrets out of a text, and with `places` what stands there to be filled in.
    pub(super) fn punch(&mut self, text: &str, places: bool) -> String {
        let mut spans: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        for (pattern, name) in PATTERNS.iter() {
            for found in pattern.captures_iter(text) {
                let Some((range, name)) = self.secret(text, &found, name) else { continue };
                if !spans.iter().any(|(r, _)| r.start < range.end && range.start < r.end) {
                    spans.push((range, name));
                }
            }
        }
        spans.sort_by_key(|(range, _)| range.start);
        let mut out = String::new();
        let mut at = 0;
        for (range, name) in spans {
            out.push_str(&text[at..range.start]);
            out.push_str(&self.hole(&name, true, &text[range.clone()]));
            at = range.end;
        }
        out.push_str(&text[at..]);
        // The same value elsewhere, unless it is a word that may mean something else there.
        for hole in self.list.iter().filter(|h| h.secret && unguessable(&h.value)) {
            out = out.replace(&hole.value, &hole.mark);
        }
        if places { self.places(&out) } else { out }
    }

    fn secret(&self, source: &str, found: &Captures<'_>, name: &str) -> Option<(std::ops::Range<usize>, String)> {
        let value = found.name("v")?;
        let (mut range, mut text) = (value.range(), value.as_str());
        // `${TOKEN:?text}` says what is missing; `${TOKEN:-value}` holds a value behind its operator.
        if let Some(name) = found.name("n").filter(|n| source[..n.start()].ends_with("${") && source[n.end()..].starts_with(':'))
        {
            let operator = source[name.end() + 1..].chars().next();
            if range.start != name.end() + 1 || !matches!(operator, Some('-' | '=' | '+')) {
                return None;
            }
            range.start += 1;
            text = &text[1..];
        }
        // One pair of quotes around the whole stays where it is.
        let bare = ['\'', '"'].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q).filter(|inner| !inner.contains(*q)));
        if let Some(inner) = bare {
            range = range.start + 1..range.end - 1;
            if refers(inner) {
                return None;
            }
        } else if refers(text) {
            return None;
        }
        let value = bare.unwrap_or(text);
        if value.contains(&self.prefix) && value.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).is_empty() {
            return None;
        }
        // What the shell works out is no secret by itself: only what stands before it is cut out.
        let single = bare.is_some() && text.starts_with('\'');
        if !single && let Some(stop) = value.find(['$', '`']).filter(|stop| *stop > 0) {
            range = range.start..range.start + stop;
        }
        let name = match found.name("n") {
            Some(n) if !secret_name(n.as_str()) => return None,
            Some(n) => n.as_str().to_lowercase().trim_matches(['-', '_']).replace('-', "_"),
            None if name.ends_with('?') && !unguessable(value) => return None,
            None => name.trim_end_matches('?').to_owned(),
        };
        Some((range, name))
    }

    /// Cuts out what stands there to be filled in.
    fn places(&mut self, text: &str) -> String {
        let Some(pattern) = PLACES.as_ref() else { return text.to_owned() };
        let mut out = String::new();
        let mut at = 0;
        for found in pattern.captures_iter(text) {
            let (Some(whole), Some(name)) = (found.get(0), found.name("n")) else { continue };
            let before = text[..whole.start()].chars().next_back();
            let after = text[whole.end()..].chars().next();
            let stands = before.is_none_or(|c| c.is_whitespace() || "/=:\"'@,-_([.".contains(c))
                && after.is_none_or(|c| c.is_whitespace() || "/=:\"',.)@]-_;|".contains(c));
            if !stands {
                continue;
            }
            out.push_str(&text[at..whole.start()]);
            let mark = self.hole(name.as_str(), false, whole.as_str());
            out.push_str(&mark);
            at = whole.end();
        }
        out.push_str(&text[at..]);
        out
    }

    /// The mark for a value.
    fn hole(&mut self, name: &str, secret: bool, value: &str) -> String {
        if let Some(known) = self.list.iter().find(|h| h.secret == secret && h.value == value) {
            return known.mark.clone();
        }
        // So many are no script; what comes after them is cut out too, and shares one parameter.
        if let Some(last) = self.list.iter().rev().find(|h| h.secret == secret).filter(|_| self.list.len() >= MAX) {
            return last.mark.clone();
        }
        let mark = format!("{}{}Z", self.prefix, self.list.len());
        let param = self.free(&super::name::member(name, if secret { "secret" } else { "value" }));
        let shown = if secret { "***".to_owned() } else { value.to_owned() };
        self.list.push(Hole { mark: mark.clone(), param, secret, shown, value: value.to_owned() });
        mark
    }

    fn free(&self, name: &str) -> String {
        let taken = |name: &str| self.list.iter().any(|h| h.param == name);
        let mut out = name.to_owned();
        let mut n = 2;
        while taken(&out) {
            out = format!("{name}_{n}");
            n += 1;
        }
        out
    }

    /// The holes of a text, in the order of their marks.
    pub(super) fn of(&self, text: &str) -> Vec<&Hole> {
        if !text.contains(&self.prefix) {
            return Vec::new();
        }
        self.list.iter().filter(|h| text.contains(&h.mark)).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Hole] {
        &self.list
    }

    /// The text for people.
    pub(super) fn shown(&self, text: &str) -> String {
        self.filled(text, |hole| hole.shown.clone())
    }

    /// The text as a template that is given its parameters.
    pub(super) fn template(&self, text: &str) -> String {
        self.filled(text, |hole| format!("{{{{ params.{} }}}}", hole.param))
    }

    fn filled(&self, text: &str, with: impl Fn(&Hole) -> String) -> String {
        let mut out = text.to_owned();
        for hole in self.of(text) {
            out = out.replace(&hole.mark, &with(hole));
        }
        out
    }

    /// Shell text whose holes are variables of the environment, whatever quotes they stand in. Second: whether one stood where the shell
    /// works nothing out. `literal` says whether a place lies in a here-document that is taken as it is.
    pub(super) fn shell(&self, text: &str, literal: impl Fn(usize) -> bool) -> (String, bool) {
        let mut marks: Vec<(usize, &Hole)> =
            self.of(text).into_iter().flat_map(|hole| text.match_indices(&hole.mark).map(move |(at, _)| (at, hole))).collect();
        marks.sort_by_key(|(at, _)| *at);
        let mut walk = Walk::new();
        let (mut out, mut at, mut lost) = (String::new(), 0, false);
        for (place, hole) in marks {
            walk.text(&text[at..place]);
            out.push_str(&text[at..place]);
            let name = hole.param.to_uppercase();
            match walk.top() {
                _ if literal(place) => {
                    lost = true;
                    out.push_str(&hole.shown);
                }
                _ if walk.in_comment() => out.push_str(&hole.shown),
                _ if walk.in_document() => out.push_str(&format!("${{{name}}}")),
                Around::Single => out.push_str(&format!("'\"${{{name}}}\"'")),
                Around::Ansi => out.push_str(&format!("'\"${{{name}}}\"$'")),
                Around::Bare | Around::Parens => out.push_str(&format!("\"${{{name}}}\"")),
                Around::Double | Around::Backquote | Around::Braces => out.push_str(&format!("${{{name}}}")),
            }
            walk.text(&hole.mark);
            at = place + hole.mark.len();
        }
        out.push_str(&text[at..]);
        (out, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), COUNT);
        assert!(PLACES.is_some());
    }

    #[test]
    fn secrets_are_cut_out() {
        for (text, left) in [
            ("PASSWORD=hunter2", "PASSWORD=*"),
            ("export DB_PASSWORD='a b'", "export DB_PASSWORD='*'"),
            ("API_KEY=\"x\\\"y\" cmd", "API_KEY=* cmd"),
            ("TOKEN=abc$X", "TOKEN=*$X"),
            ("PW=a'b'\"c\"", "PW=*"),
            ("PGPASSWORD=x psql", "PGPASSWORD=* psql"),
            ("x --password s3cret --user u", "x --password * --user u"),
            ("x --api-token=abc", "x --api-token=*"),
            ("mysql -u root -phunter2 db", "mysql -u root -p* db"),
            ("sshpass -p 'x y' ssh h", "sshpass -p '*' ssh h"),
            ("redis-cli -a pw ping", "redis-cli -a * ping"),
            ("curl -u admin:pw http://x", "curl -u admin:* http://x"),
            ("curl -H 'Authorization: Bearer abc.def' x", "curl -H 'Authorization: Bearer *' x"),
            ("curl -H \"X-Api-Key: abc\" x", "curl -H \"X-Api-Key: *\" x"),
            ("git clone https://u:tok@host/x", "git clone https://u:*@host/x"),
            ("curl 'http://x/?token=abc&y=1'", "curl 'http://x/?token=*&y=1'"),
            ("psql postgres://u:pw@h/db", "psql postgres://u:*@h/db"),
            ("echo ghp_0123456789abcdefABCDEF", "echo *"),
            ("echo sk-abcdefghijkl1234", "echo *"),
            ("{\"password\": \"x\", \"a\": 1}", "{\"password\": \"*\", \"a\": 1}"),
            ("db_password: hunter2", "db_password: *"),
            ("CREATE USER x IDENTIFIED BY 'pw'", "CREATE USER x IDENTIFIED BY '*'"),
            ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "*"),
            ("PASSWORD=abc123\nfoo abc123 # abc123", "PASSWORD=*\nfoo * # *"),
            ("PASSWORD=postgres\nsystemctl restart postgres", "PASSWORD=*\nsystemctl restart postgres"),
            ("echo 'u:pw' | sudo chpasswd", "echo 'u:*' | sudo chpasswd"),
            ("echo \"${TOKEN:-hunter2}\"", "echo \"${TOKEN:-*}\""),
            ("mysql -p\"a b\" db", "mysql -p\"*\" db"),
        ] {
            let mut holes = Holes::new(text);
            let found = holes.punch(text, true);
            let mut shown = found.clone();
            for hole in holes.of(&found) {
                assert!(hole.secret, "{text}");
                shown = shown.replace(&hole.mark, "*");
            }
            assert_eq!(shown, left, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "PASSWORD=$1",
            "PASSWORD=\"${X:-y}\"",
            ": \"${TOKEN:?need a token}\"",
            ": ${API_KEY:?missing}",
            "mysql -p\"${DB_PASSWORD:?set it}\"",
            "TOKEN=$(cat f)",
            "TOKEN_FILE=/run/x",
            "PWD=/tmp",
            "MAX_TOKENS=5",
            "x --password-file f",
            "--token \"$T\"",
            "curl http://u@h/x",
            "a: b",
            "mysql -p db",
            "API keys (Bearer tokens, sk-*)",
            "tokens are fine",
            "PASSWORD=",
            "curl -d @file",
            "key=value",
            "psql -U postgres -p 5432",
            "cp -pr a b",
        ] {
            let mut holes = Holes::new(text);
            assert_eq!(holes.punch(text, true), text);
        }
    }

    #[test]
    fn places_are_cut_out_of_documents_only() {
        let text = "kubectl logs <pod-name> -n <ns>; cat <in>out; cat <file; x <a> <pod-name>/y";
        let mut holes = Holes::new(text);
        let found = holes.punch(text, true);
        assert_eq!(holes.shown(&found), text);
        assert_eq!(
            holes.template(&found),
            "kubectl logs {{ params.pod_name }} -n {{ params.ns }}; cat <in>out; cat <file; x {{ params.a }} {{ params.pod_name }}/y"
        );
        let mut holes = Holes::new(text);
        assert_eq!(holes.punch(text, false), text);
    }

    #[test]
    fn shell_text_gets_variables_for_holes() {
        let text = "curl -u a:pw0000x -H 'Authorization: x' \"http://a:pw0000x@h\" 'pw0000x' $(echo pw0000x) # pw0000x\ncat <<E\npw0000x\nE\n";
        let mut holes = Holes::new(text);
        let found = holes.punch(text, false);
        let (filled, lost) = holes.shell(&found, |_| false);
        assert!(!filled.contains("pw0000x"), "{filled}");
        assert!(filled.starts_with("curl -u a:\"${PASSWORD}\""), "{filled}");
        assert!(
            filled.contains(
                "\"http://a:${PASSWORD}@h\" ''\"${PASSWORD}\"'' $(echo \"${PASSWORD}\") # ***\ncat <<E\n${PASSWORD}\nE"
            ),
            "{filled}"
        );
        assert!(!lost);
    }
}
