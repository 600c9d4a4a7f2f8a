//! Words about triage trees that all reporters share.

use runbook_core::event::{AnswerOrigin, GradeWord, Proposal};
use runbook_core::model::FindingSeverity;

/// Who answered, in a word.
pub(crate) fn origin_word(origin: AnswerOrigin) -> &'static str {
    match origin {
        AnswerOrigin::Probed => "probed",
        AnswerOrigin::Answered => "answered",
        AnswerOrigin::Flag => "flag",
        AnswerOrigin::File => "file",
        AnswerOrigin::Default => "suggestion taken",
        AnswerOrigin::Skipped => "skipped",
        AnswerOrigin::Resumed => "answered before",
        AnswerOrigin::Test => "test",
    }
}

/// A remedy in a line: its command, or what else is known of it.
pub(crate) fn remedy_words(remedy: &Proposal) -> String {
    if let Some(command) = &remedy.command {
        return command.clone();
    }
    let mut text = match &remedy.play {
        Some(play) => format!("play {play}"),
        None if remedy.steps.is_empty() => "none that can be told".to_owned(),
        None => format!("{}: {}", crate::human::count(remedy.steps.len(), "step"), remedy.steps.join(", ")),
    };
    if let Some(trouble) = &remedy.trouble {
        text.push_str(&format!(" ({trouble})"));
    }
    text
}

/// A severity on the scale of grades, for its glyph.
pub(crate) fn grade(severity: FindingSeverity) -> GradeWord {
    match severity {
        FindingSeverity::Info => GradeWord::Ok,
        FindingSeverity::Warning => GradeWord::Warning,
        FindingSeverity::Critical => GradeWord::Critical,
    }
}
