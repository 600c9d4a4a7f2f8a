//! Answers: given beforehand by flags, or by a person at a prompt.

use std::collections::HashMap;
use std::sync::Mutex;

use runbook_core::module::BoxFuture;
use runbook_core::value::Value;
use runbook_core::world::{Origin, Question, QuestionKind, Reply};

/// A person at a prompt, or whoever stands in for one.
pub trait Operator: Send + Sync {
    /// Asks; resolves when there is an answer.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Reply>;
}

/// Answers that were given beforehand.
#[derive(Debug, Default)]
pub struct Answers {
    /// `--yes`: confirms changes.
    pub yes: bool,
    /// `--answer id=value`.
    pub answers: HashMap<String, String>,
    /// `--confirm id=WORD`.
    pub confirms: HashMap<String, String>,
    used: Mutex<Vec<String>>,
}

impl Answers {
    /// Answers by these flags.
    pub fn new(yes: bool, answers: HashMap<String, String>, confirms: HashMap<String, String>) -> Self {
        Answers { yes, answers, confirms, used: Mutex::default() }
    }

    /// The answer to a question, if it was given beforehand.
    pub fn find(&self, question: &Question) -> Option<Reply> {
        let id = &question.id;
        let given = |value: Value| Reply::Given { value, note: None, origin: Origin::Flag };
        match &question.kind {
            QuestionKind::Confirm => {
                if let Some(text) = self.take(&self.answers, id) {
                    return Some(match text.as_str() {
                        "yes" | "y" | "true" => given(Value::Bool(true)),
                        "no" | "n" | "false" => Reply::Declined { origin: Origin::Flag },
                        other => Reply::Unfit { message: format!("the answer to `{id}` must be yes or no, found {other:?}") },
                    });
                }
                if self.take(&self.confirms, id).is_some() || self.yes {
                    return Some(given(Value::Bool(true)));
                }
                None
            }
            QuestionKind::ConfirmWord { word } => {
                let typed = self.take(&self.confirms, id)?;
                Some(if typed == *word {
                    given(Value::Bool(true))
                } else {
                    Reply::Unfit { message: format!("--confirm {id}={typed} does not match the word that is asked for") }
                })
            }
            QuestionKind::Ask { .. } | QuestionKind::Manual => {
                let text = self.take(&self.answers, id)?;
                let (value, note) = match (&question.kind, text.split_once(':')) {
                    (QuestionKind::Manual, Some((word, note))) => (word.to_owned(), Some(note.trim().to_owned())),
                    _ => (text, None),
                };
                Some(Reply::Given { value: Value::from(value), note, origin: Origin::Flag })
            }
            QuestionKind::Override => {
                let reason = self.take(&self.answers, id)?;
                Some(Reply::Given { value: Value::Bool(true), note: Some(reason), origin: Origin::Flag })
            }
        }
    }

    fn take(&self, from: &HashMap<String, String>, id: &str) -> Option<String> {
        let value = from.get(id)?.clone();
        self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(id.to_owned());
        Some(value)
    }

    /// The ids that were given and asked for by nothing.
    pub fn unused(&self) -> Vec<String> {
        let used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut out: Vec<String> =
            self.answers.keys().chain(self.confirms.keys()).filter(|id| !used.contains(id)).cloned().collect();
        out.sort();
        out.dedup();
        out
    }

    /// The flag with which a question is answered beforehand.
    pub fn flag_for(question: &Question) -> String {
        let id = runbook_core::expr::shell_quote(&question.id);
        match &question.kind {
            QuestionKind::Confirm => "--yes".to_owned(),
            QuestionKind::ConfirmWord { word } => format!("--confirm {id}={}", runbook_core::expr::shell_quote(word)),
            QuestionKind::Ask { .. } => format!("--answer {id}=VALUE"),
            QuestionKind::Manual => format!("--answer {id}=done"),
            QuestionKind::Override => format!("--answer {id}=REASON"),
        }
    }
}
