//! What looks like a secret and is written in clear: by the name of its key, or by the form of known tokens.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics};
use runbook_core::forms;
use runbook_core::node::{Node, NodeKind, Scalar, ScalarValue};
use runbook_core::span::{SourceId, Span};

use crate::decode::inside;

/// The ends of keys whose values are secrets, without case, `-`, `_` and `.`.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "credentials",
    "authorization",
    "bearer",
];

/// A token that is known by its form.
struct Token {
    /// One of these is in every text that holds one: the pattern is compiled once there is such a text, since compiling all of them takes
    /// ten times as long as reading a playbook.
    hints: &'static [&'static str],
    /// Its form. Where only a part of it is the secret, that is the group.
    pattern: LazyLock<Option<Regex>>,
    /// What it is.
    what: &'static str,
}

impl Token {
    const fn new(hints: &'static [&'static str], pattern: fn() -> Option<Regex>, what: &'static str) -> Token {
        Token { hints, pattern: LazyLock::new(pattern), what }
    }
}

/// A pattern that is compiled when it is first used.
macro_rules! lazily {
    ($pattern:literal) => {
        || Regex::new($pattern).ok()
    };
}

/// Tokens by their form.
static TOKENS: [Token; 11] = [
    Token::new(&["PRIVATE KEY"], lazily!(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), "a private key"),
    Token::new(&["AKIA", "ASIA", "ABIA", "ACCA"], lazily!(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"), "an AWS key"),
    Token::new(
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        lazily!(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
        "a GitHub token",
    ),
    Token::new(&["glpat-"], lazily!(r"\bglpat-[\w-]{20,}"), "a GitLab token"),
    Token::new(&["xox"], lazily!(r"\bxox[abeprs]-[\w-]{10,}"), "a Slack token"),
    Token::new(&["k_live_", "k_test_", "k_prod_"], lazily!(r"\b[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}"), "a Stripe key"),
    Token::new(&["AIza"], lazily!(r"\bAIza[\w-]{35,}"), "a Google key"),
    Token::new(&["hvs."], lazily!(r"\bhvs\.[\w-]{20,}"), "a Vault token"),
    Token::new(&["eyJ"], lazily!(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"), "a signed token"),
    Token::new(&["@"], lazily!(r"://[^\s/@:{}]+:([^\s/@{}]+)@"), "a password in a URL"),
    Token::new(
        &["password=", "passwd=", "token=", "secret=", "apikey=", "api-key="],
        lazily!(r"--?(?:password|passwd|token|secret|api-?key)=([^\s{}$]+)"),
        "a password in an argument",
    ),
];

/// A key with what follows it on its line.
static ENTRY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"([A-Za-z_][\w.-]*)["']?[ \t]*[:=][ \t]*("[^"\n]*"?|'[^'\n]*'?|[^\s,}\]"'][^,}\]\n"']*)"#).ok()
});

/// A key with a map behind it on its line.
static ENTRY_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"([A-Za-z_][\w.-]*): \{").ok());

/// What every line with a secret has in it.
static HINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new("(?i)passw|passphrase|pwd|secret|token|key|credential|authorization|bearer|://|-----BEGIN|A[KSBC][IC]A|gh[pousr]_|github_pat|glpat-|xox|[sr]k_|AIza|hvs|eyJ").ok()
});

/// Whether the value of a key of this name is a secret.
fn named(key: &str) -> bool {
    let key: String = key.chars().filter(|c| !matches!(c, '-' | '_' | '.')).flat_map(char::to_lowercase).collect();
    NAMES.iter().any(|n| key.ends_with(n))
}

/// Whether a text is a value and no reference to one.
fn literal(text: &str) -> bool {
    let text = text.trim().trim_matches(['"', '\'']);
    let reference = text.contains("{{")
        || text.contains("${")
        || text.starts_with(['$', '<', '%', '/', '~', '.', '&', '*', '|', '>', '{', '[']);
    let word = matches!(text, "" | "plain" | "secret" | "none" | "null" | "true" | "false" | "~");
    // The name of a variable.
    let variable = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    !(reference || word || variable)
}

/// The first known token in a text.
fn token(text: &str) -> Option<(Range<usize>, &'static str)> {
    // Where a part of the pattern is the secret, it is the group.
    TOKENS.iter().filter(|t| t.hints.iter().any(|hint| text.contains(hint))).find_map(|t| {
        let found = t.pattern.as_ref()?.captures(text)?;
        found.get(1).or_else(|| found.get(0)).map(|m| (m.range(), t.what))
    })
}

/// Warns about everything in a file that looks like a secret, and gives the places.
pub(crate) fn warn(node: &Node, out: &mut Diagnostics, hidden: &mut Vec<Span>) {
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            if scalar.text.contains("://")
                && let Some((c, script)) = forms::look_alike(&scalar.text)
            {
                let at = scalar.text.find(c).unwrap_or_default();
                let span = inside(node, &scalar.map, &(at as u32..(at + c.len_utf8()) as u32));
                out.push(
                    Diagnostic::warning(Code::LookAlike, span, format!("`{c}` is a {script} letter among Latin ones"))
                        .help("if it is meant, write the host's name in its ASCII form, `xn--...`"),
                );
            }
            if let Some((range, what)) = token(&scalar.text) {
                let span = inside(node, &scalar.map, &(range.start as u32..range.end as u32));
                report(span, format!("this looks like {what}, written in clear"), out, hidden);
            }
        }
        NodeKind::List(items) => {
            for pair in items.windows(2) {
                // `--password hunter2`, as two words of a command.
                if let [Some(flag), Some(_)] = [0, 1].map(|i| pair[i].as_scalar())
                    && flag.text.starts_with('-')
                    && named(&flag.text)
                    && pair[1].as_scalar().is_some_and(|s| is_value(&flag.text, s) && !s.text.starts_with('-'))
                {
                    let message = format!("the word after `{}` looks like a secret, written in clear", flag.text);
                    report(pair[1].span, message, out, hidden);
                }
            }
            items.iter().for_each(|item| warn(item, out, hidden));
        }
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                match value.as_scalar() {
                    Some(scalar) if named(&key.value) && is_value(&key.value, scalar) => {
                        let message = format!("the value of `{}` looks like a secret, written in clear", key.value);
                        report(value.span, message, out, hidden);
                    }
                    _ => warn(value, out, hidden),
                }
                // A parameter of such a name that is not declared as a secret.
                if named(&key.value)
                    && let Some(default) = value.get("default")
                    && default.as_scalar().is_some_and(|s| is_value(&key.value, s))
                    && value.get("type").and_then(Node::as_str) != Some("secret")
                {
                    let message = format!("the default of `{}` looks like a secret, written in clear", key.value);
                    report(default.span, message, out, hidden);
                }
            }
        }
    }
}

/// Whether a scalar is a secret's value, if its key is a secret's name. A number is only where nothing but a password stands.
fn is_value(key: &str, scalar: &Scalar) -> bool {
    match scalar.value {
        ScalarValue::Str => literal(&scalar.text),
        ScalarValue::Int(_) | ScalarValue::Float(_) => key.to_lowercase().contains("pass"),
        _ => false,
    }
}

fn report(span: Span, message: String, out: &mut Diagnostics, hidden: &mut Vec<Span>) {
    hidden.push(span);
    out.push(
        Diagnostic::warning(Code::SecretInClear, span, message)
            .help("take it out and change it; give it as a `secret` parameter, or through `env:`"),
    );
}

/// The places in a text that are not echoed, found line by line, so that a file that cannot be read is covered as well.
pub(crate) fn places(text: &str, source: SourceId) -> Vec<Span> {
    let mut out = Vec::new();
    let mut done = 0;
    // Only lines that hold one of these can hold a secret.
    for hint in HINTS.iter().flat_map(|regex| regex.find_iter(text)) {
        if hint.start() < done {
            continue;
        }
        let start = text[..hint.start()].rfind('\n').map_or(0, |i| i + 1);
        let end = text[hint.start()..].find('\n').map_or(text.len(), |i| hint.start() + i);
        done = end;
        let line = &text[start..end];
        let mut hide = |range: Range<usize>| out.push(Span::new(source, start + range.start, start + range.end));
        let declared = |key: &str| line.contains(&format!("{key}: {{")) && named(key);
        let keys = ENTRY_KEY.iter().flat_map(|regex| regex.captures_iter(line)).filter_map(|c| c.get(1));
        let secret_param = line.contains("type: secret") || keys.into_iter().any(|key| declared(key.as_str()));
        for found in ENTRY.iter().flat_map(|regex| regex.captures_iter(line)) {
            let (Some(key), Some(value)) = (found.get(1), found.get(2)) else { continue };
            let secret = named(key.as_str()) || (secret_param && key.as_str() == "default");
            if secret && literal(value.as_str()) {
                hide(value.start()..value.start() + value.as_str().trim_end().len());
            }
        }
        if let Some((range, _)) = token(line) {
            hide(range);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> Vec<&str> {
        places(text, SourceId(0)).into_iter().map(|s| &text[s.start as usize..s.end as usize]).collect()
    }

    #[test]
    fn secrets_are_not_echoed() {
        for (line, secret) in [
            ("password: hunter2", "hunter2"),
            ("  db_password: 'a b' # x", "'a b'"),
            ("{ user: a, Api-Key: \"k\", x: 1 }", "\"k\""),
            ("x: { type: secret, default: hunter2 }", "hunter2"),
            ("- http://a:pw@h/", "pw"),
            ("[curl, \"Authorization: token abcdef\"]", "token abcdef"),
            ("api_token: { type: string, default: abc }", "abc"),
            ("key: AKIAQ7RTZ2WMK4XN5JVB", "AKIAQ7RTZ2WMK4XN5JVB"),
            ("password: \"open", "\"open"),
        ] {
            assert_eq!(hidden(line), [secret], "{line}");
        }
    }

    #[test]
    fn names_and_references_are() {
        for line in [
            "password_file: /run/secrets/db",
            "max_tokens: 4096",
            "token: \"{{ params.token }}\"",
            "TOKEN: plain",
            "token: GITHUB_TOKEN",
            "x: { type: secret, required: true }",
            "secret:",
            "key: x",
            "password: { type: secret }",
        ] {
            assert!(hidden(line).is_empty(), "{line}: {:?}", hidden(line));
        }
    }
}
