//! Questions of a triage tree: single keys, and what a person asks back before they answer.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use runbook_core::session::{RemedyChoice, RemedyOffer, Standing};
use runbook_core::value::Value;
use runbook_core::world::{Origin, Question, QuestionKind, Reply};
use runbook_report::session::{self, Key};
use runbook_report::{TermPolicy, sanitize};

use super::DrawTree;
use super::keys::{self, Keys, Press};

/// One question at the terminal.
pub(super) struct Session {
    pub(super) run: String,
    pub(super) policy: TermPolicy,
    pub(super) draw: Arc<DrawTree>,
    /// Whether nobody waits for the answer any more.
    pub(super) over: Arc<AtomicBool>,
}

/// What was typed.
enum Typed {
    Text(String),
    /// The input ended.
    End,
    /// The window was resized: what stands there is said again.
    Again,
    /// The run stops.
    Over,
}

/// More answers than there are digits are typed with Enter behind them.
const MOST_DIGITS: usize = 9;

impl Session {
    pub(super) fn put(&self, question: &Question) -> Reply {
        match &question.kind {
            QuestionKind::Node { choices, suggestion, standing } => self.node(question, choices, suggestion.as_ref(), standing),
            QuestionKind::Remedy { offer } => self.remedy(question, offer),
            _ => Reply::Cancelled,
        }
    }

    fn node(&self, question: &Question, choices: &[Value], suggestion: Option<&Value>, standing: &Standing) -> Reply {
        let by_line = choices.len() > MOST_DIGITS;
        let ask = || {
            let policy = self.policy();
            write(&session::question(&question.text, &question.details, standing, &self.run, &policy));
            write(&session::keys(choices, standing, &policy));
        };
        ask();
        loop {
            let hint = suggestion.map(|s| format!(" [{}]", sanitize(&s.to_string()))).unwrap_or_default();
            let typed = match self.typed(&format!("  answer{hint}: "), by_line) {
                Typed::Text(typed) => typed,
                Typed::End => return Reply::NobodyThere { how: format!("--answer {}=VALUE", question.id) },
                Typed::Over => return Reply::Cancelled,
                Typed::Again => {
                    ask();
                    continue;
                }
            };
            match session::understand(&typed, choices, suggestion) {
                Err(message) => write(&format!("    {message}\n")),
                Ok(Key::Answer(value)) => {
                    if let Some(reply) = self.answered(value, typed.trim().is_empty(), standing) {
                        return reply;
                    }
                }
                Ok(Key::Why) => write(&session::why(standing, &self.policy())),
                Ok(Key::Evidence) => write(&session::evidence(standing, &self.policy())),
                Ok(Key::Help) => write(&session::help(&self.policy())),
                Ok(Key::Tree) => {
                    let way: Vec<&str> = standing.path.iter().map(|a| a.key.as_str()).collect();
                    write(&(self.draw)(&way, &standing.key, &self.policy()));
                }
                Ok(Key::Again) if standing.probe.is_none() => write("    nothing is looked at here: only a person can tell\n"),
                Ok(Key::Again) => return Reply::Again,
                Ok(Key::Back) if !standing.can_go_back => write("    this is the first question\n"),
                Ok(Key::Back) => return Reply::Back,
                Ok(Key::Skip) => {
                    if let Some(reply) = self.skipped(choices, standing) {
                        return reply;
                    }
                }
                Ok(Key::Override) => {
                    if let Some(reply) = self.overridden(choices, standing) {
                        return reply;
                    }
                }
                Ok(Key::Quit) => return Reply::Later,
            }
        }
    }

    /// An answer as a reply. One that is not what the checks say needs a reason; without one it is none.
    fn answered(&self, value: Value, is_suggestion: bool, standing: &Standing) -> Option<Reply> {
        let origin = if is_suggestion { Origin::Default } else { Origin::Operator };
        let probed = standing.probe.as_ref().and_then(|p| p.answer.as_ref());
        let note = match probed {
            Some(probed) if probed.to_string() != value.to_string() => Some(self.reason(probed, &value)?),
            _ => None,
        };
        Some(Reply::Given { value, note, origin })
    }

    /// Why the check is wrong, in a line.
    fn reason(&self, probed: &Value, value: &Value) -> Option<String> {
        let (probed, value) = (sanitize(&probed.to_string()).into_owned(), sanitize(&value.to_string()).into_owned());
        write(&format!("    the check says {probed}; why is it {value}?\n"));
        let reason = self.line("  reason (nothing: back to the question): ").map(|r| r.trim().to_owned());
        let reason = reason.filter(|r| !r.is_empty());
        if reason.is_none() {
            write("    without a reason it stays as the check says\n");
        }
        reason
    }

    /// `o`: the other answer where there is only one, else the one that is typed.
    fn overridden(&self, choices: &[Value], standing: &Standing) -> Option<Reply> {
        let Some(probed) = standing.probe.as_ref().and_then(|p| p.answer.as_ref()) else {
            write("    the checks say nothing that could be overridden: answer it\n");
            return None;
        };
        let value = match probed.as_str() {
            Some("yes") if choices.len() == 3 => Value::str("no"),
            Some("no") if choices.len() == 3 => Value::str("yes"),
            _ => {
                let names: Vec<String> = choices.iter().map(|c| sanitize(&c.to_string()).into_owned()).collect();
                let typed = self.line(&format!("  instead ({}): ", names.join(", ")))?;
                match session::understand(&typed, choices, None) {
                    Ok(Key::Answer(value)) => value,
                    _ => {
                        write("    that is none of the answers\n");
                        return None;
                    }
                }
            }
        };
        self.answered(value, false, standing)
    }

    /// `s`: on as if nobody could tell; where the author did not write where that leads, the person says which way.
    fn skipped(&self, choices: &[Value], standing: &Standing) -> Option<Reply> {
        if standing.has_unknown {
            return Some(Reply::Skipped { value: Value::str("unknown") });
        }
        let names: Vec<String> = choices.iter().map(|c| sanitize(&c.to_string()).into_owned()).collect();
        write(&format!(
            "    the author did not write where this leads if nobody can tell; go on as if it were\n    {}?\n",
            names.join(", ")
        ));
        let typed = self.line("  as if (nothing: back to the question): ")?;
        if typed.trim().is_empty() {
            return None;
        }
        match session::understand(&typed, choices, None) {
            Ok(Key::Answer(value)) => Some(Reply::Skipped { value }),
            _ => {
                write("    that is none of the answers\n");
                None
            }
        }
    }

    fn remedy(&self, question: &Question, offer: &RemedyOffer) -> Reply {
        let ask = || write(&session::remedy(&question.text, offer, &self.policy()));
        ask();
        loop {
            let typed = match self.typed("  choose [dry run]: ", false) {
                Typed::Text(typed) => typed,
                // The end of input never starts a change.
                Typed::End => return Reply::NobodyThere { how: "--remedy run".to_owned() },
                Typed::Over => return Reply::Cancelled,
                Typed::Again => {
                    ask();
                    continue;
                }
            };
            if matches!(typed.trim(), "?" | "h" | "help") {
                write(&session::remedy_help(&self.policy()));
                continue;
            }
            match session::understand_remedy(&typed, offer) {
                Ok(Some(choice)) => return chosen(choice),
                Ok(None) => return Reply::Back,
                Err(message) => write(&format!("    {}\n", sanitize(&message))),
            }
        }
    }

    /// How to write now: the window may have been resized.
    fn policy(&self) -> TermPolicy {
        let width = keys::width().map_or(self.policy.width, |w| usize::from(w).max(20));
        TermPolicy { width, ..self.policy }
    }

    /// A key with a word of what was pressed behind the hint, or a line where keys cannot be read or are not wanted.
    fn typed(&self, hint: &str, by_line: bool) -> Typed {
        let plain = self.policy.accessible || by_line;
        let Some(mut keys) = (!plain).then(Keys::open).flatten() else {
            return self.line(hint).map_or(Typed::End, Typed::Text);
        };
        write(hint);
        loop {
            let (shown, typed) = match keys.next(&self.over) {
                Press::Char(c) => (c.to_string(), Typed::Text(c.to_string())),
                Press::Enter => (String::new(), Typed::Text(String::new())),
                Press::End => (String::new(), Typed::End),
                Press::Resized => (String::new(), Typed::Again),
                Press::Over => (String::new(), Typed::Over),
                Press::Other => continue,
            };
            write(&format!("{}\n", sanitize(&shown)));
            return typed;
        }
    }

    /// A line; `None` at the end of input.
    fn line(&self, hint: &str) -> Option<String> {
        keys::restore();
        write(hint);
        super::read_line(false)
    }
}

fn chosen(choice: RemedyChoice) -> Reply {
    Reply::Given { value: Value::str(choice.word()), note: None, origin: Origin::Operator }
}

/// Never holds the stream: the view of the run is written to it by another thread when the run is stopped.
fn write(text: &str) {
    let mut err = std::io::stderr();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}
