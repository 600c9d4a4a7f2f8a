//! The forms that a text must have, for editors: what a validator of the schema can see of them. The reader says more about a text that
//! does not fit.

use crate::decode::{LOCAL, ROOTS, WORDS};

/// A form of texts.
#[derive(Debug)]
pub struct Form {
    /// What is needed, as said to people, with an example.
    pub wanted: &'static str,
    /// A regular expression without anchors that the whole text matches; in the dialect that all validators have in common.
    pub pattern: &'static str,
    /// Texts that match and are refused all the same.
    pub except: &'static [&'static [&'static str]],
    /// Whether a text that holds a template fits too.
    pub rendered: bool,
    /// What an editor may propose.
    pub examples: &'static [&'static str],
}

const fn form(wanted: &'static str, pattern: &'static str) -> Form {
    Form { wanted, pattern, except: &[], rendered: false, examples: &[] }
}

/// One line.
pub static LINE: Form = form("one line of text", r"[^\n]*\S\s*");

/// A name that stays behind a dot or beside a flag: of a step, a service, a node.
pub static ID: Form =
    Form { except: &[WORDS, &["run", "self"]], ..form("a name such as `api-gateway`", "[a-z][a-z0-9_-]{0,63}") };

/// A name that is used bare in expressions.
pub static VARIABLE: Form = Form { except: &[WORDS, ROOTS, LOCAL], ..form("a name such as `base_url`", "[a-z_][a-z0-9_]{0,63}") };

/// A name behind a dot in a map whose keys cannot hold hyphens.
pub static MEMBER: Form = Form { except: &[WORDS], ..form("a name such as `base_url`", "[a-z_][a-z0-9_]{0,63}") };

/// The name of an environment variable.
pub static ENV: Form = form("a name such as `DB_URL`", "[A-Za-z_][A-Za-z0-9_]{0,63}");

/// The name of a playbook: written out, so that what it plays is checked with it.
pub static PLAYBOOK_NAME: Form = form("a playbook's name such as `stack-start`, written out", r"[^{]*[^{\s][^{]*");

/// Something that is read or changed.
pub static RESOURCE: Form = Form {
    rendered: true,
    examples: &["service:NAME", "port:N", "process:PID", "file:PATH", "db:PATH", "host:*"],
    ..form("a resource such as `service:api-gateway`", r"(service|port|process|file|db|host):[\s\S]*")
};

/// A time with its zone.
pub static TIME: Form = Form {
    rendered: true,
    ..form(
        "a time such as `2026-02-15T14:23:45Z`",
        r"[+-]?\d{4,6}-?\d\d-?\d\d[Tt ]\d\d(:?\d\d(:?\d\d([.,]\d{1,9})?)?)?([Zz]|[+-]\d\d(:?\d\d(:?\d\d)?)?)(\[[^\]]*\])*",
    )
};

/// A duration, or how it compares to one. The reader looks at the order of the units.
pub static BOUND: Form =
    form("a duration such as `30s` or `<= 30s`", r"\s*(<=|>=|==|!=|<|>)?\s*(\d+(\.\d{1,9})?(w|d|h|ms|m|us|s|ns))+\s*");

/// A host with its port.
pub static NET: Form =
    Form { rendered: true, ..form("a host and a port such as `127.0.0.1:8000`", r"[\s\S]+:(\*|0*[1-9]\d{0,4})") };

/// A signal.
pub static SIGNAL: Form = Form {
    rendered: true,
    examples: &["TERM", "INT", "QUIT", "HUP", "KILL"],
    ..form(
        "a signal such as `TERM`",
        "([Ss][Ii][Gg])?([Tt][Ee][Rr][Mm]|[Ii][Nn][Tt]|[Qq][Uu][Ii][Tt]|[Hh][Uu][Pp]|[Kk][Ii][Ll][Ll]|[Uu][Ss][Rr][12]|[Cc][Oo][Nn][Tt]|\
         [Ss][Tt][Oo][Pp]|[Tt][Ss][Tt][Pp]|[Ww][Ii][Nn][Cc][Hh]|[Aa][Bb][Rr][Tt]|[Aa][Ll][Rr][Mm])",
    )
};
