//! The person at the terminal: questions on standard error, answers from standard input. Questions of a triage tree take single keys
//! ([`session`]), everything else a line.

pub(crate) mod keys;
mod session;

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use runbook_core::module::BoxFuture;
use runbook_core::value::Value;
use runbook_core::world::{Origin, Question, QuestionKind, Reply};
use runbook_report::{TermPolicy, sanitize};
use runbook_runtime::live::Operator;

use crate::output::Output;

/// Draws the tree with a way through it: the keys of the questions that were asked, and the one that stands.
pub(crate) type DrawTree = dyn Fn(&[&str], &str, &TermPolicy) -> String + Send + Sync;

/// Asks at the terminal. While a question stands, the view of the run waits.
pub(crate) struct Prompt {
    pub(crate) output: Arc<Output>,
    /// The run, for those who come back to it.
    pub(crate) run: String,
    /// How to write to the terminal.
    pub(crate) policy: TermPolicy,
    pub(crate) draw: Arc<DrawTree>,
}

/// Ends the reading of keys when nobody waits for the answer any more, and gives the terminal back as it was.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        keys::restore();
    }
}

impl Operator for Prompt {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let (send, receive) = tokio::sync::oneshot::channel();
            let (output, question) = (self.output.clone(), question.clone());
            let over = Arc::new(AtomicBool::new(false));
            let _waiting = Waiting(over.clone());
            let session = session::Session { run: self.run.clone(), policy: self.policy, draw: self.draw.clone(), over };
            output.pause();
            // A thread of its own, not the runtime's: a read that nobody answers must not hold up the end of the program.
            std::thread::spawn(move || {
                // The live lines are away as long as the question stands.
                let reply = output.suspended(|| match &question.kind {
                    QuestionKind::Node { .. } | QuestionKind::Remedy { .. } => session.put(&question),
                    _ => put(&question),
                });
                output.resume();
                let _ = send.send(reply);
            });
            receive.await.unwrap_or(Reply::Cancelled)
        })
    }
}

/// Puts a question until its answer fits.
fn put(question: &Question) -> Reply {
    // Never hold the stream: the view of the run is written to it by another thread when the run is stopped.
    let mut err = std::io::stderr();
    let _ = writeln!(err, "\n? {}", sanitize(&question.text));
    for line in &question.details {
        for line in line.lines() {
            let _ = writeln!(err, "    {}", sanitize(line));
        }
    }
    loop {
        let _ = write!(err, "{}", hint(&question.kind));
        let _ = err.flush();
        let secret = matches!(&question.kind, QuestionKind::Ask { answer_type, .. } if answer_type == "secret");
        let Some(line) = read_line(secret) else {
            // The end of input is no answer; it never starts a change.
            let _ = writeln!(err);
            return Reply::NobodyThere { how: "an answer (the input ended)".to_owned() };
        };
        match understand(&question.kind, line.trim()) {
            Ok(reply) => return reply,
            Err(message) => {
                let _ = writeln!(err, "    {message}");
            }
        }
    }
}

fn hint(kind: &QuestionKind) -> String {
    match kind {
        QuestionKind::Confirm => "  yes or no [no]: ".to_owned(),
        QuestionKind::ConfirmWord { word } => format!("  type `{}` to go on, anything else to stop: ", sanitize(word)),
        QuestionKind::Ask { choices, default, answer_type } => {
            let mut text = String::new();
            for (i, choice) in choices.iter().enumerate() {
                text.push_str(&format!("    {}) {}\n", i + 1, sanitize(&choice.to_string())));
            }
            let default = default.as_ref().map(|d| format!(" [{d}]")).unwrap_or_default();
            let what = if choices.is_empty() { answer_type.as_str() } else { "number or value" };
            format!("{text}  {what}{default}: ")
        }
        QuestionKind::Manual => "  done, skip or failed (a remark may follow after a colon), or later: ".to_owned(),
        QuestionKind::Override => "  a reason to accept it, or nothing to refuse: ".to_owned(),
        // The session asks these.
        QuestionKind::Node { .. } | QuestionKind::Remedy { .. } => String::new(),
    }
}

fn understand(kind: &QuestionKind, line: &str) -> Result<Reply, String> {
    let given = |value: Value, note: Option<String>| Reply::Given { value, note, origin: Origin::Operator };
    let declined = Reply::Declined { origin: Origin::Operator };
    match kind {
        QuestionKind::Confirm => match line.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(given(Value::Bool(true), None)),
            "" | "n" | "no" => Ok(declined),
            _ => Err("answer yes or no".to_owned()),
        },
        QuestionKind::ConfirmWord { word } => Ok(if line == word { given(Value::Bool(true), None) } else { declined }),
        QuestionKind::Ask { choices, default, .. } => {
            if line.is_empty() {
                return match default {
                    Some(value) => Ok(Reply::Given { value: value.clone(), note: None, origin: Origin::Default }),
                    None => Err("an answer is needed".to_owned()),
                };
            }
            if choices.is_empty() {
                return Ok(given(Value::str(line), None));
            }
            let by_number = line.parse::<usize>().ok().and_then(|n| choices.get(n.checked_sub(1)?));
            let by_name = choices.iter().find(|c| c.to_string() == line);
            // The beginning is enough where it can only mean one.
            let mut begins = choices.iter().filter(|c| c.to_string().to_lowercase().starts_with(&line.to_lowercase()));
            let by_beginning = begins.next().filter(|_| begins.next().is_none());
            match by_name.or(by_number).or(by_beginning) {
                Some(choice) => Ok(given(choice.clone(), None)),
                None => Err(format!("answer with a number from 1 to {}, or one of the values", choices.len())),
            }
        }
        QuestionKind::Manual => {
            let (word, note) = match line.split_once(':') {
                Some((word, note)) => (word.trim(), Some(note.trim().to_owned())),
                None => (line, None),
            };
            match word.to_ascii_lowercase().as_str() {
                "d" | "done" => Ok(given(Value::str("done"), note)),
                "s" | "skip" => Ok(given(Value::str("skip"), note)),
                "f" | "failed" => Ok(given(Value::str("failed"), note)),
                "l" | "later" => Ok(Reply::Later),
                _ => Err("answer done, skip, failed or later".to_owned()),
            }
        }
        QuestionKind::Node { .. } | QuestionKind::Remedy { .. } => Err("this is asked by the session".to_owned()),
        QuestionKind::Override => Ok(if line.is_empty() { declined } else { given(Value::Bool(true), Some(line.to_owned())) }),
    }
}

/// Reads a line; `None` at the end of input. A secret is not echoed.
fn read_line(secret: bool) -> Option<String> {
    let stdin = std::io::stdin();
    let before = secret.then(|| rustix::termios::tcgetattr(&stdin).ok()).flatten();
    if let Some(before) = &before {
        let mut quiet = before.clone();
        quiet.local_modes.remove(rustix::termios::LocalModes::ECHO);
        let _ = rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &quiet);
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(before) = &before {
        let _ = rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, before);
        let _ = writeln!(std::io::stderr());
    }
    match read {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_never_starts_a_change() {
        assert!(matches!(understand(&QuestionKind::Confirm, ""), Ok(Reply::Declined { .. })));
        let word = QuestionKind::ConfirmWord { word: "wipe".into() };
        assert!(matches!(understand(&word, ""), Ok(Reply::Declined { .. })));
        assert!(matches!(understand(&word, "yes"), Ok(Reply::Declined { .. })));
        assert!(matches!(understand(&word, "wipe"), Ok(Reply::Given { .. })));
    }

    #[test]
    fn choices_are_taken_by_number_or_value() {
        let ask = QuestionKind::Ask { answer_type: "choice".into(), choices: vec!["a".into(), "b".into()], default: None };
        assert!(matches!(understand(&ask, "2"), Ok(Reply::Given { value, .. }) if value.to_string() == "b"));
        assert!(matches!(understand(&ask, "a"), Ok(Reply::Given { value, .. }) if value.to_string() == "a"));
        assert!(understand(&ask, "3").is_err() && understand(&ask, "").is_err());
    }
}
