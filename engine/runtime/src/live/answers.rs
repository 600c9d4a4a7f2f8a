//! Answers: given beforehand by flags, or by a person at a prompt.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use runbook_core::module::BoxFuture;
use runbook_core::session::RemedyChoice;
use runbook_core::value::Value;
use runbook_core::world::{Origin, Question, QuestionKind, Reply};

/// A person at a prompt, or whoever stands in for one.
pub trait Operator: Send + Sync {
    /// Asks; resolves when there is an answer.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Reply>;
}

/// An answer with its remark.
type Remarked = (Value, Option<String>);

/// Answers that were given beforehand.
#[derive(Debug, Default)]
pub struct Answers {
    /// `--yes`: confirms changes.
    pub yes: bool,
    /// `--answer id=value`.
    pub answers: HashMap<String, String>,
    /// `--confirm id=WORD`.
    pub confirms: HashMap<String, String>,
    /// `--answers FILE`: what flags do not answer.
    pub file: FileAnswers,
    /// `--remedy`: what becomes of a remedy.
    pub remedy: Option<RemedyChoice>,
    /// What people answered in the session that this one goes on with, by question id, each answer for one visit.
    resumed: Mutex<HashMap<String, VecDeque<Remarked>>>,
    used: Mutex<Vec<String>>,
}

/// Answers of a file.
#[derive(Debug, Default)]
pub struct FileAnswers {
    /// By question id, each with its remark.
    pub answers: HashMap<String, Remarked>,
    /// The words that confirm what loses something.
    pub confirms: HashMap<String, String>,
}

impl Answers {
    /// Answers by these flags.
    pub fn new(yes: bool, answers: HashMap<String, String>, confirms: HashMap<String, String>) -> Self {
        Answers { yes, answers, confirms, ..Answers::default() }
    }

    /// With what becomes of a remedy.
    #[must_use]
    pub fn with_remedy(self, remedy: Option<RemedyChoice>) -> Self {
        Answers { remedy, ..self }
    }

    /// With what people answered in the session that this one goes on with, in the order in which it was asked: flags and the file of
    /// this run go before.
    #[must_use]
    pub fn with_resumed(self, answers: impl IntoIterator<Item = (String, Value, Option<String>)>) -> Self {
        let mut resumed: HashMap<String, VecDeque<Remarked>> = HashMap::new();
        for (id, value, note) in answers {
            resumed.entry(id).or_default().push_back((value, note));
        }
        Answers { resumed: Mutex::new(resumed), ..self }
    }

    /// With the answers of a file, for what flags do not answer.
    #[must_use]
    pub fn with_file(self, file: FileAnswers) -> Self {
        Answers { file, ..self }
    }

    /// The answer to a question, if it was given beforehand: by a flag for this question, by the file, or by `--yes` for all.
    pub fn find(&self, question: &Question) -> Option<Reply> {
        let all = || (self.yes && matches!(question.kind, QuestionKind::Confirm)).then(|| given(Value::Bool(true)));
        self.by_flag(question).or_else(|| self.by_file(question)).or_else(|| self.by_session(question)).or_else(all)
    }

    /// What a person answered to a tree's question in the session before.
    fn by_session(&self, question: &Question) -> Option<Reply> {
        let QuestionKind::Node { .. } = question.kind else { return None };
        let mut resumed = self.resumed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (value, note) = resumed.get_mut(&question.id)?.pop_front()?;
        Some(Reply::Given { value, note, origin: Origin::Resumed })
    }

    /// The answer that the file gives.
    fn by_file(&self, question: &Question) -> Option<Reply> {
        let id = &question.id;
        let given = |value: Value, note: Option<String>| Reply::Given { value, note, origin: Origin::File };
        let unfit = |message: String| Reply::Unfit { message };
        if let QuestionKind::ConfirmWord { word } = &question.kind {
            let typed = self.take(&self.file.confirms, id)?;
            return Some(if typed == *word {
                given(Value::Bool(true), None)
            } else {
                unfit(format!("`confirm` of the answers file says `{typed}` for `{id}`, which is not the word that is asked for"))
            });
        }
        if matches!(question.kind, QuestionKind::Confirm) && self.take(&self.file.confirms, id).is_some() {
            return Some(given(Value::Bool(true), None));
        }
        let (value, note) = self.take(&self.file.answers, id)?;
        Some(match &question.kind {
            QuestionKind::Confirm => match (&value, value.as_str()) {
                (Value::Bool(true), _) | (_, Some("yes" | "y" | "true")) => given(Value::Bool(true), note),
                (Value::Bool(false), _) | (_, Some("no" | "n" | "false")) => Reply::Declined { origin: Origin::File },
                _ => unfit(format!("the answer to `{id}` must be yes or no, found {value}")),
            },
            QuestionKind::Override => given(Value::Bool(true), Some(value.to_string())),
            _ => given(value, note),
        })
    }

    /// The answer that a flag for this question gives.
    fn by_flag(&self, question: &Question) -> Option<Reply> {
        let id = &question.id;
        match &question.kind {
            QuestionKind::Confirm => {
                if let Some(text) = self.take(&self.answers, id) {
                    return Some(match text.as_str() {
                        "yes" | "y" | "true" => given(Value::Bool(true)),
                        "no" | "n" | "false" => Reply::Declined { origin: Origin::Flag },
                        other => Reply::Unfit { message: format!("the answer to `{id}` must be yes or no, found {other:?}") },
                    });
                }
                self.take(&self.confirms, id).map(|_| given(Value::Bool(true)))
            }
            QuestionKind::ConfirmWord { word } => {
                let typed = self.take(&self.confirms, id)?;
                Some(if typed == *word {
                    given(Value::Bool(true))
                } else {
                    Reply::Unfit { message: format!("--confirm {id}={typed} does not match the word that is asked for") }
                })
            }
            QuestionKind::Remedy { .. } => self.remedy.map(|choice| given(Value::str(choice.word()))),
            QuestionKind::Ask { .. } | QuestionKind::Manual | QuestionKind::Node { .. } => {
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

    fn take<T: Clone>(&self, from: &HashMap<String, T>, id: &str) -> Option<T> {
        let value = from.get(id)?.clone();
        self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(id.to_owned());
        Some(value)
    }

    /// The ids that were given and asked for by nothing.
    pub fn unused(&self) -> Vec<String> {
        let used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let flags = self.answers.keys().chain(self.confirms.keys());
        let file = self.file.answers.keys().chain(self.file.confirms.keys());
        let mut out: Vec<String> = flags.chain(file).filter(|id| !used.contains(id)).cloned().collect();
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
            QuestionKind::Ask { .. } | QuestionKind::Node { .. } => format!("--answer {id}=VALUE"),
            QuestionKind::Remedy { .. } => "--remedy run".to_owned(),
            QuestionKind::Manual => format!("--answer {id}=done"),
            QuestionKind::Override => format!("--answer {id}=REASON"),
        }
    }
}

/// What a flag says.
fn given(value: Value) -> Reply {
    Reply::Given { value, note: None, origin: Origin::Flag }
}
