//! Effects, resources and needs: what a module says about itself before it runs.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a step changes. Ordered: a declaration never lowers a module's own effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It only looks.
    #[default]
    Read,
    /// It changes something that can be changed back.
    Change,
    /// It loses something.
    Destroy,
}

impl Effect {
    /// Every effect with its word.
    pub const ALL: &'static [(&'static str, Effect)] =
        &[("read", Effect::Read), ("change", Effect::Change), ("destroy", Effect::Destroy)];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Change => "change",
            Effect::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Something that is read or changed: `service:NAME`, `port:N`, `process:PID`, `file:PATH`, `db:PATH-or-URL`, `host:*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Resource(pub String);

impl Resource {
    /// A resource of a kind.
    pub fn new(kind: &str, name: impl fmt::Display) -> Self {
        Resource(format!("{kind}:{name}"))
    }

    /// A file or folder.
    pub fn file(path: impl AsRef<std::path::Path>) -> Self {
        Resource::new("file", path.as_ref().display())
    }

    /// Whether a change of `self` may change what is read of `other`: the same, one inside the other, or a whole kind (`host:*`).
    pub fn overlaps(&self, other: &Resource) -> bool {
        let (Some((ka, a)), Some((kb, b))) = (self.0.split_once(':'), other.0.split_once(':')) else {
            return self.0 == other.0;
        };
        if ka == "host" || kb == "host" {
            return true;
        }
        if ka != kb {
            return false;
        }
        let inside =
            |outer: &str, inner: &str| inner.strip_prefix(outer.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
        a == b || a == "*" || b == "*" || (ka == "file" && (inside(a, b) || inside(b, a)))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something a module must be allowed to do (`permissions:`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Start a program.
    Exec(String),
    /// Write at a path.
    Write(PathBuf),
    /// Connect to a host and port.
    Net {
        /// The host name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// Send a signal.
    Signal,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Exec(program) => write!(f, "exec ({program})"),
            Need::Write(path) => write!(f, "write: {}", path.display()),
            Need::Net { host, port } => write!(f, "net: {host}:{port}"),
            Need::Signal => f.write_str("signal"),
        }
    }
}

/// What a call reads, changes and needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Touches {
    /// Resources it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Resource>,
    /// Resources it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Resource>,
    /// What it must be allowed to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
}

impl Touches {
    /// Reads these.
    pub fn reads(resources: impl IntoIterator<Item = Resource>) -> Self {
        Touches { reads: resources.into_iter().collect(), ..Touches::default() }
    }

    /// Changes these.
    pub fn changes(resources: impl IntoIterator<Item = Resource>) -> Self {
        Touches { changes: resources.into_iter().collect(), ..Touches::default() }
    }

    /// Adds something it reads.
    pub fn and_reads(mut self, resource: Resource) -> Self {
        self.reads.push(resource);
        self
    }

    /// Adds something it must be allowed to do.
    pub fn needing(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_overlap_by_containment() {
        let r = |s: &str| Resource(s.to_owned());
        assert!(r("file:/a/b").overlaps(&r("file:/a/b/c")));
        assert!(!r("file:/a/b").overlaps(&r("file:/a/bc")));
        assert!(r("host:*").overlaps(&r("port:80")));
        assert!(!r("port:80").overlaps(&r("port:81")));
    }
}
