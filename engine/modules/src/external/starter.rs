//! What a new module of the user's own begins with.

/// A language that a new module can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Python 3, with nothing but its standard library.
    Python,
    /// bash, with `jq` for JSON.
    Bash,
    /// Node.js, with nothing but its standard library.
    Node,
}

impl Lang {
    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Lang::Python => "py",
            Lang::Bash => "sh",
            Lang::Node => "js",
        }
    }
}

/// The text of a new module: a probe for a noun, an action for a `noun.verb`; `None` if the name cannot be one.
pub fn starter(name: &str, lang: Lang) -> Option<String> {
    if !super::folder::is_name(name) {
        return None;
    }
    let text = match (lang, name.contains('.')) {
        (Lang::Python, false) => include_str!("starters/probe.py"),
        (Lang::Python, true) => include_str!("starters/action.py"),
        (Lang::Bash, false) => include_str!("starters/probe.sh"),
        (Lang::Bash, true) => include_str!("starters/action.sh"),
        (Lang::Node, false) => include_str!("starters/probe.js"),
        (Lang::Node, true) => include_str!("starters/action.js"),
    };
    Some(text.replace("NAME", name))
}
