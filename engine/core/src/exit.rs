//! The exit codes, the same everywhere (`runbook help exit-codes`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why the program ended, as a process exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// Done as asked.
    Ok,
    /// An unexpected or internal error.
    Internal,
    /// The command line was wrong.
    Usage,
    /// A playbook, system or answers file, or a parameter, is invalid; nothing ran.
    Invalid,
    /// A step failed; what was to be undone is undone.
    Failed,
    /// A step failed and undoing failed too: the state is unknown, a person is needed.
    UndoFailed,
    /// The operator said no at a prompt.
    Declined,
    /// An answer is needed and nobody is there to give it; resumable.
    InputNeeded,
    /// A precondition does not hold; nothing changed.
    Precondition,
    /// A plan is stale, or the lock is held; nothing changed.
    Refused,
    /// With `--detailed-exitcode`: a dry run found something that would change.
    WouldChange,
    /// With `--detailed-exitcode`: a dry run left steps undecided.
    Undecided,
    /// With `--detailed-exitcode`: triage concluded a fault.
    Fault,
    /// With `--detailed-exitcode`: triage was inconclusive.
    Inconclusive,
    /// The overall time limit was reached.
    Timeout,
    /// Stopped by SIGHUP, after cleaning up.
    Hangup,
    /// Stopped by SIGINT, after cleaning up.
    Interrupted,
    /// Stopped by SIGTERM, after cleaning up.
    Terminated,
}

impl Exit {
    /// Every exit, in the order of its number.
    pub const ALL: &'static [Exit] = &[
        Exit::Ok,
        Exit::Internal,
        Exit::Usage,
        Exit::Invalid,
        Exit::Failed,
        Exit::UndoFailed,
        Exit::Declined,
        Exit::InputNeeded,
        Exit::Precondition,
        Exit::Refused,
        Exit::WouldChange,
        Exit::Undecided,
        Exit::Fault,
        Exit::Inconclusive,
        Exit::Timeout,
        Exit::Hangup,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The number handed to the operating system.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Internal => 1,
            Exit::Usage => 2,
            Exit::Invalid => 3,
            Exit::Failed => 4,
            Exit::UndoFailed => 5,
            Exit::Declined => 6,
            Exit::InputNeeded => 7,
            Exit::Precondition => 8,
            Exit::Refused => 9,
            Exit::WouldChange => 10,
            Exit::Undecided => 11,
            Exit::Fault => 12,
            Exit::Inconclusive => 13,
            Exit::Timeout => 124,
            Exit::Hangup => 129,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// What the code means, in one line.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Ok => "done as asked",
            Exit::Internal => "an unexpected or internal error",
            Exit::Usage => "the command line was wrong",
            Exit::Invalid => "a playbook, system or answers file, or a parameter, is invalid; nothing ran",
            Exit::Failed => "a step failed; what was to be undone is undone",
            Exit::UndoFailed => "a step failed and undoing failed too: the state is unknown, a person is needed",
            Exit::Declined => "the operator said no at a prompt",
            Exit::InputNeeded => "an answer is needed and nobody is there to give it; resumable",
            Exit::Precondition => "a precondition does not hold; nothing changed",
            Exit::Refused => "a plan is stale, or the lock is held; nothing changed",
            Exit::WouldChange => "--detailed-exitcode: the dry run found something that would change",
            Exit::Undecided => "--detailed-exitcode: the dry run left steps undecided",
            Exit::Fault => "--detailed-exitcode: triage concluded a fault",
            Exit::Inconclusive => "--detailed-exitcode: triage was inconclusive",
            Exit::Timeout => "the overall time limit was reached",
            Exit::Hangup => "stopped by SIGHUP, after cleaning up",
            Exit::Interrupted => "stopped by SIGINT (Ctrl-C), after cleaning up",
            Exit::Terminated => "stopped by SIGTERM, after cleaning up",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ascending() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|e| e.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }
}
