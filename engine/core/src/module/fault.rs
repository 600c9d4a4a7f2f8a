//! Why a module gives no ordinary result.

use serde_json::Value as Json;

/// Why a module gives no ordinary result. "Looked, and the answer is no" and "could not look" are never the same thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// It looked, and the answer is no: refused, reset and timed out are answers of a network probe.
    Unmet {
        /// What was seen, in plain words.
        message: String,
        /// The fields that could be filled all the same (a map), or null.
        result: Json,
    },
    /// The time limit of the step ended it.
    TimedOut {
        /// After how long, in plain words.
        message: String,
        /// The fields that could be filled until then (a map), or null.
        result: Json,
    },
    /// Our side could not look: no permission, a missing tool, a broken probe.
    CannotTell {
        /// What stood in the way, and what to do about it.
        message: String,
    },
    /// Something stands in the way and nothing was begun, such as a port that is taken.
    Refused {
        /// What stands in the way.
        message: String,
    },
    /// The arguments make no sense together.
    Invalid {
        /// What is wrong.
        message: String,
        /// The argument it is about, if one.
        argument: Option<String>,
    },
}

impl Fault {
    /// Looked, and the answer is no.
    pub fn unmet(message: impl Into<String>) -> Fault {
        Fault::Unmet { message: message.into(), result: Json::Null }
    }

    /// Looked, and the answer is no, with the fields that could be filled.
    pub fn unmet_with(message: impl Into<String>, result: impl serde::Serialize) -> Fault {
        Fault::Unmet { message: message.into(), result: serde_json::to_value(result).unwrap_or_default() }
    }

    /// Could not look.
    pub fn cannot_tell(message: impl Into<String>) -> Fault {
        Fault::CannotTell { message: message.into() }
    }

    /// Nothing was begun.
    pub fn refused(message: impl Into<String>) -> Fault {
        Fault::Refused { message: message.into() }
    }

    /// An argument makes no sense.
    pub fn invalid(argument: &str, message: impl Into<String>) -> Fault {
        Fault::Invalid { message: message.into(), argument: Some(argument.to_owned()) }
    }

    /// The message.
    pub fn message(&self) -> &str {
        match self {
            Fault::Unmet { message, .. }
            | Fault::TimedOut { message, .. }
            | Fault::CannotTell { message }
            | Fault::Refused { message }
            | Fault::Invalid { message, .. } => message,
        }
    }
}
