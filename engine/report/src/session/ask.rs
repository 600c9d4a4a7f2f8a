//! The question itself, and what is typed as its answer.

use runbook_core::session::Standing;
use runbook_core::value::Value;

use super::{below, in_rows};
use crate::ink::{Ink, Line, wrap};
use crate::policy::TermPolicy;
use crate::runs::{short_id, text};
use crate::terminal::Glyphs;

/// What was typed at a question.
#[derive(Clone, Debug)]
pub enum Key {
    /// An answer.
    Answer(Value),
    /// Why it is asked.
    Why,
    /// What was looked at.
    Evidence,
    /// Look again.
    Again,
    /// Back to the question before.
    Back,
    /// Pass it over.
    Skip,
    /// Answer something else than the checks say, with a reason.
    Override,
    /// The tree, with the way so far.
    Tree,
    /// What the keys do.
    Help,
    /// Leave the session.
    Quit,
}

/// The question with what is known about it, as lines.
pub fn question(asked: &str, details: &[String], standing: &Standing, run: &str, policy: &TermPolicy) -> String {
    let glyphs = Glyphs::of(policy.unicode);
    let mut out = vec![Line::new()];
    let mut head = vec![standing.playbook.clone(), format!("session {}", short_id(run))];
    head.push(match standing.left {
        Some(0) => format!("question {}, the last one", standing.number),
        Some(left) => format!("question {}, at most {left} left", standing.number),
        None => format!("question {}", standing.number),
    });
    for line in wrap(&head.join(&format!(" {} ", glyphs.dot)), policy.width) {
        out.push(Line::of(Ink::Dim, &line));
    }
    for (i, line) in wrap(asked, policy.width.saturating_sub(2)).iter().enumerate() {
        let start = if i == 0 { Line::of(Ink::Accent, glyphs.group).with(Ink::Plain, " ") } else { Line::indent(2) };
        out.push(start.with(Ink::Bold, line));
    }
    for detail in details {
        below(detail, Ink::Plain, policy, &mut out);
    }
    if let Some(before) = &standing.before {
        below(&format!("you answered {before} before"), Ink::Dim, policy, &mut out);
    }
    text(out, policy)
}

/// The answers and keys, as lines.
pub fn keys(choices: &[Value], standing: &Standing, policy: &TermPolicy) -> String {
    let mut out = Vec::new();
    let item = |key: &str, word: &str| (key.to_owned(), word.to_owned());
    if is_yes_no(choices) && !policy.accessible {
        in_rows(&[item("y", "yes"), item("n", "no"), item("u", "don't know")], policy, &mut out);
    } else {
        for (i, choice) in choices.iter().enumerate() {
            let choice = if is_yes_no(choices) && i == 2 { "don't know".to_owned() } else { choice.to_string() };
            let number = format!("{:>2}", i + 1);
            let mut line = Line::indent(super::COLUMN - 1).with(Ink::Bold, &number).with(Ink::Plain, "  ");
            let column = line.width();
            for (n, piece) in wrap(&choice, policy.width.saturating_sub(column)).iter().enumerate() {
                if n > 0 {
                    line = Line::indent(column);
                }
                out.push(std::mem::take(&mut line).with(Ink::Plain, piece));
            }
        }
    }
    let mut others = vec![item("w", "why"), item("e", "evidence")];
    if standing.probe.is_some() {
        others.push(item("r", "look again"));
    }
    if standing.can_go_back {
        others.push(item("b", "back"));
    }
    others.push(item("s", "skip"));
    if standing.probe.as_ref().is_some_and(|p| p.answer.is_some()) {
        others.push(item("o", "override"));
    }
    others.extend([item("t", "tree"), item("?", "keys"), item("q", "leave")]);
    in_rows(&others, policy, &mut out);
    text(out, policy)
}

fn is_yes_no(choices: &[Value]) -> bool {
    choices.len() == 3 && choices.iter().zip(["yes", "no", "unknown"]).all(|(c, w)| c.as_str() == Some(w))
}

/// What a typed key or word means. A number or a value answers a choice; so does the beginning of a value that can only mean one. Nothing
/// typed takes the suggestion.
///
/// # Errors
/// What can be typed instead.
pub fn understand(typed: &str, choices: &[Value], suggestion: Option<&Value>) -> Result<Key, String> {
    let typed = typed.trim();
    if typed.is_empty() {
        return match suggestion {
            Some(value) => Ok(Key::Answer(value.clone())),
            None => Err("there is no suggestion to take: answer it, or press ? for the keys".to_owned()),
        };
    }
    if let Some(choice) = choices.iter().find(|c| c.to_string() == typed) {
        return Ok(Key::Answer(choice.clone()));
    }
    let lower = typed.to_ascii_lowercase();
    if is_yes_no(choices) {
        let answer = match lower.as_str() {
            "y" | "yes" | "1" => Some("yes"),
            "n" | "no" | "2" => Some("no"),
            "u" | "unknown" | "don't know" | "3" => Some("unknown"),
            _ => None,
        };
        if let Some(answer) = answer {
            return Ok(Key::Answer(Value::str(answer)));
        }
    } else if let Some(choice) = typed.parse::<usize>().ok().and_then(|n| choices.get(n.checked_sub(1)?)) {
        return Ok(Key::Answer(choice.clone()));
    }
    let key = match lower.as_str() {
        "w" | "why" => Some(Key::Why),
        "e" | "evidence" => Some(Key::Evidence),
        "r" | "again" | "look again" => Some(Key::Again),
        "b" | "back" => Some(Key::Back),
        "s" | "skip" => Some(Key::Skip),
        "o" | "override" => Some(Key::Override),
        "t" | "tree" => Some(Key::Tree),
        "?" | "h" | "help" | "keys" => Some(Key::Help),
        "q" | "quit" | "leave" => Some(Key::Quit),
        _ => None,
    };
    if let Some(key) = key {
        return Ok(key);
    }
    let mut begins = choices.iter().filter(|c| c.to_string().to_lowercase().starts_with(&lower));
    match (begins.next(), begins.next()) {
        (Some(choice), None) if !is_yes_no(choices) => Ok(Key::Answer(choice.clone())),
        _ if is_yes_no(choices) => Err("press y, n or u to answer, or ? for the keys".to_owned()),
        _ => Err(format!("answer with a number from 1 to {}, or press ? for the keys", choices.len())),
    }
}
