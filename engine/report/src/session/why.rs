//! Why a question is asked: the way so far, and what each answer leads to.

use runbook_core::session::{Answered, Standing};

use super::{below, in_rows, indented};
use crate::ink::{Ink, Line};
use crate::policy::TermPolicy;
use crate::runs::text;
use crate::terminal::Glyphs;
use crate::tree::origin_word;

/// The way so far, the author's reason, and where each answer leads.
pub fn why(standing: &Standing, policy: &TermPolicy) -> String {
    let glyphs = Glyphs::of(policy.unicode);
    let mut out = Vec::new();
    match &standing.why {
        Some(why) => below(why, Ink::Plain, policy, &mut out),
        None => below("the author gives no reason", Ink::Dim, policy, &mut out),
    }
    if !standing.path.is_empty() {
        below("so far:", Ink::Dim, policy, &mut out);
    }
    for step in &standing.path {
        indented(&format!("{} {}", step.question, answer_words(step)), 6, Ink::Plain, policy, &mut out);
    }
    below("what each answer leads to:", Ink::Dim, policy, &mut out);
    for lead in &standing.leads {
        indented(&format!("{} {} {}", lead.answer, glyphs.arrow, lead.to), 6, Ink::Plain, policy, &mut out);
    }
    text(out, policy)
}

/// `no (probed)`; `yes (answered, overrides the check: no)`.
fn answer_words(step: &Answered) -> String {
    let mut words = origin_word(step.origin).to_owned();
    if let Some(probe) = step.probe.as_ref().filter(|p| **p != step.answer) {
        words.push_str(&format!(", overrides the check: {probe}"));
    }
    format!("{} ({words})", step.answer)
}

/// What the keys do.
pub fn help(policy: &TermPolicy) -> String {
    let mut out: Vec<Line> = Vec::new();
    let keys = [
        ("y n u", "yes, no, don't know; 1 to 9 choose; Enter takes the suggestion"),
        ("w", "why this is asked, and where each answer leads"),
        ("e", "the evidence: what was called, when, and what came back"),
        ("r", "look again; both readings are kept"),
        ("b", "back to the question before, also if a check answered it"),
        ("s", "skip it: recorded as skipped, goes on as if nobody could tell"),
        ("o", "override the check, with a reason that is recorded"),
        ("t", "the tree, with the way so far marked *"),
        ("q", "leave; what was answered is kept, and the command to go on is shown"),
        ("Ctrl-C", "stop; the same"),
    ];
    let widest = keys.iter().map(|(k, _)| k.len()).max().unwrap_or(0);
    for (key, what) in keys {
        if policy.width < 50 {
            in_rows(&[(key.to_owned(), String::new())], policy, &mut out);
            indented(what, 6, Ink::Dim, policy, &mut out);
            continue;
        }
        let column = 4 + widest + 2;
        let mut lines = Vec::new();
        indented(what, column, Ink::Dim, policy, &mut lines);
        for (i, line) in lines.into_iter().enumerate() {
            if i > 0 {
                out.push(line);
                continue;
            }
            let mut first = Line::indent(4).with(Ink::Bold, key);
            first.pad_to(column);
            let words = line.render(false);
            out.push(first.with(Ink::Dim, words.trim_start()));
        }
    }
    text(out, policy)
}
