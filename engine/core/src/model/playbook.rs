//! Playbooks and the plan made of them.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::SignedDuration;

use super::{Arg, EnvName, Param, Step, System, Triage};
use crate::expr::Template;
use crate::span::{SourceId, SourceMap, Span, Spanned};

/// One playbook.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// The file stem, such as `stack-start`.
    pub name: String,
    /// With its system, such as `sonia/stack-start`.
    pub full_name: String,
    /// Its text.
    pub file: SourceId,
    /// The place of the whole playbook.
    pub span: Span,
    /// One line: what this does.
    pub title: Spanned<String>,
    /// More about it, in Markdown.
    pub description: Option<String>,
    /// The document and section the procedure comes from.
    pub source: Option<String>,
    /// Links for people.
    pub links: Vec<Link>,
    /// For listing.
    pub tags: Vec<String>,
    /// For routing and reports.
    pub severity: Option<String>,
    /// How long it usually takes.
    pub expected_duration: Option<SignedDuration>,
    /// When it runs by itself.
    pub schedule: Option<Schedule>,
    /// Its typed inputs.
    pub params: Vec<Param>,
    /// Environment variables it uses.
    pub env: Vec<EnvName>,
    /// Variables, in order.
    pub vars: Vec<(Spanned<String>, Arg)>,
    /// Preconditions.
    pub requires: Vec<Step>,
    /// The steps, tree or checks.
    pub contents: Contents,
    /// Postconditions.
    pub verify: Vec<Step>,
    /// What to do when the run failed.
    pub rescue: Vec<Step>,
    /// What to do whatever happened.
    pub always: Vec<Step>,
    /// Values handed to the caller.
    pub outputs: Vec<(Spanned<String>, Arg)>,
    /// Whether a failure undoes what was done.
    pub undo_on_failure: bool,
    /// The lock.
    pub lock: Lock,
    /// What it may do; `None` means everything.
    pub permissions: Option<Vec<Permission>>,
    /// The default host.
    pub on: Option<Template>,
}

/// What a playbook consists of.
#[derive(Clone, Debug)]
pub enum Contents {
    /// A procedure.
    Steps(Vec<Step>),
    /// A checklist.
    Checks(Vec<Step>),
    /// A triage tree.
    Triage(Triage),
}

/// A link for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it leads to.
    pub title: String,
    /// Where.
    pub url: String,
}

/// When a playbook runs by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// At an interval.
    Every(SignedDuration),
    /// By a cron expression.
    Cron {
        /// The expression.
        cron: String,
        /// An IANA zone; UTC if none.
        timezone: Option<String>,
    },
}

/// The lock of a playbook.
#[derive(Clone, Debug)]
pub enum Lock {
    /// The system's name, refused when held.
    System,
    /// A name of its own.
    Named {
        /// The name.
        name: Template,
        /// How long to wait for it.
        wait: Option<SignedDuration>,
    },
    /// No lock.
    None,
}

/// Something a playbook may do.
#[derive(Clone, Debug)]
pub enum Permission {
    /// Start programs.
    Exec,
    /// Write at or below a path.
    Write(Template),
    /// Connect to `HOST:PORT`; `*` stands for any.
    Net(Template),
    /// Send signals.
    Signal,
}

/// A playbook with the system it belongs to.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The playbook.
    pub playbook: Arc<Playbook>,
    /// Its system; an empty one if it has none.
    pub system: Arc<System>,
}

/// Everything that a run needs, checked: the playbook, and every playbook it plays.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The full name of the playbook to run.
    pub root: String,
    /// The playbooks by full name.
    pub units: IndexMap<String, Unit>,
    /// The names as written in `play:` with the full names they mean, per playing unit: `(unit, written) → full name`.
    pub names: IndexMap<(String, String), String>,
    /// The texts.
    pub sources: Arc<SourceMap>,
    /// SHA-256 over all texts in hexadecimal: changes when anything of the plan does.
    pub digest: String,
}

impl Plan {
    /// The unit to run.
    pub fn root_unit(&self) -> &Unit {
        &self.units[&self.root]
    }

    /// The unit that `play: name` in `from` means.
    pub fn resolve(&self, from: &str, name: &str) -> Option<&Unit> {
        let full = self.names.get(&(from.to_owned(), name.to_owned()))?;
        self.units.get(full)
    }
}
