//! Systems: the variables, services and limits that a group of playbooks shares.

use indexmap::IndexMap;

use super::{Arg, EnvName, Step};
use crate::span::{SourceId, Span, Spanned};

/// A system file.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// Its name; empty for playbooks without a system.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its text, if it has one.
    pub file: Option<SourceId>,
    /// Variables, in order. One run may override them with `--param`.
    pub vars: Vec<(Spanned<String>, Arg)>,
    /// Environment variables it uses.
    pub env: Vec<EnvName>,
    /// The names of its profiles.
    pub profiles: Vec<String>,
    /// The profile that was laid over it.
    pub profile: Option<String>,
    /// Limits by name: maps with `target`, `warning`, `critical`, `unit`.
    pub thresholds: Vec<(Spanned<String>, Arg)>,
    /// People and teams.
    pub contacts: Option<Arg>,
    /// Whom to call, in order.
    pub escalation: Option<Arg>,
    /// Further redaction rules.
    pub redact: Option<Arg>,
    /// Argument-vector prefixes whose effect is `read`.
    pub read_commands: Vec<Vec<String>>,
    /// Hosts by name.
    pub hosts: Option<Arg>,
    /// Services by id, in file order.
    pub services: IndexMap<String, Service>,
}

/// A service: its own entry laid over `service_defaults`.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// The place of its entry.
    pub span: Span,
    /// The services it needs.
    pub needs: Vec<Spanned<String>>,
    /// Every other field but the checks, as written.
    pub fields: Vec<(Spanned<String>, Arg)>,
    /// The checks that say it is ready.
    pub ready: Vec<Step>,
    /// The checks that say it is installed here at all.
    pub present: Vec<Step>,
}

/// Who starts and stops a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manager {
    /// The engine itself.
    #[default]
    Process,
    /// systemd.
    Systemd,
    /// Docker Compose.
    Compose,
    /// Nobody here: never started or stopped.
    External,
}
