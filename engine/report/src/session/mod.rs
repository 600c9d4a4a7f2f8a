//! What a person sees when a triage tree asks them: the question, and what they ask back.
//!
//! Every part is lines below what stands on the screen already. Nothing is redrawn, so that a screen reader, a log of the terminal and a
//! narrow window all read the same.

mod ask;
mod evidence;
mod remedy;
mod why;

pub use ask::{Key, keys, question, understand};
pub use evidence::evidence;
pub use remedy::{remedy, remedy_help, understand_remedy};
pub use why::{help, why};

use crate::ink::{Ink, Line, wrap};
use crate::policy::TermPolicy;

/// The column of what belongs to a question.
const COLUMN: usize = 4;

/// A text in lines below the question.
fn below(text: &str, ink: Ink, policy: &TermPolicy, out: &mut Vec<Line>) {
    indented(text, COLUMN, ink, policy, out);
}

fn indented(text: &str, column: usize, ink: Ink, policy: &TermPolicy, out: &mut Vec<Line>) {
    let room = policy.width.saturating_sub(column);
    out.extend(wrap(text, room).iter().map(|l| Line::indent(column).with(ink, l)));
}

/// Short texts in a row, broken between them where the width is at its end. Each is a bold key and what it does.
fn in_rows(items: &[(String, String)], policy: &TermPolicy, out: &mut Vec<Line>) {
    let mut line = Line::indent(COLUMN);
    let mut is_first = true;
    for (key, word) in items {
        let one = Line::of(Ink::Bold, key).with(Ink::Plain, " ").with(Ink::Dim, word);
        if !is_first && line.width() + 3 + one.width() > policy.width {
            out.push(std::mem::replace(&mut line, Line::indent(COLUMN)));
            is_first = true;
        }
        if !is_first {
            line.push(Ink::Plain, "   ");
        }
        line.append(one);
        is_first = false;
    }
    out.push(line);
}
