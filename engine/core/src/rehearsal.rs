//! What a dry run says: one row a step, each with a verdict and its reason.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::module::Effect;
use crate::path::StepPath;

/// What a dry run knows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DryVerdict {
    /// It really looked, now.
    Read,
    /// It would run.
    WouldRun,
    /// It would do nothing, or not run.
    WouldSkip,
    /// A person would be asked, and decides.
    WouldAsk,
    /// It depends on what has not run.
    Unknown,
    /// What it needs does not hold now, so that nothing of it would run.
    Blocked,
}

impl DryVerdict {
    /// As it stands in the report.
    pub fn word(self) -> &'static str {
        match self {
            DryVerdict::Read => "READ",
            DryVerdict::WouldRun => "WOULD RUN",
            DryVerdict::WouldSkip => "WOULD SKIP",
            DryVerdict::WouldAsk => "WOULD ASK",
            DryVerdict::Unknown => "UNKNOWN",
            DryVerdict::Blocked => "BLOCKED",
        }
    }

    /// Whether it is decided what would become of the step.
    pub fn is_decided(self) -> bool {
        self != DryVerdict::Unknown
    }
}

/// A step of a dry run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DryRow {
    /// The step.
    pub path: StepPath,
    /// What it is called, with the groups that it stands in.
    pub name: String,
    /// Its effect.
    pub effect: Effect,
    /// What is known of it.
    pub verdict: DryVerdict,
    /// Whether it is only reached if something holds that is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub possible: bool,
    /// What it would do, or what was read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
    /// The argument vector that it would run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// What would become what: what, from, to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_to: Vec<(String, String, String)>,
    /// A unified diff, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}
