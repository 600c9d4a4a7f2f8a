//! What `runbook modules test` found.

use runbook_core::event::Outcome;
use serde_json::json;

use crate::ink::{Ink, Line};
use crate::page::Page;
use crate::policy::TermPolicy;

/// A module that was tried out.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// The file that it is.
    pub path: String,
    /// What was found, in the order in which it was tried.
    pub findings: Vec<Found>,
}

/// What was found of one thing.
#[derive(Clone, Debug)]
pub struct Found {
    /// How good it is.
    pub level: Level,
    /// What was tried, and how it went.
    pub what: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Warning,
    /// It breaks the contract.
    Bad,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Warning => "warning",
            Level::Bad => "bad",
        }
    }
}

impl Tried {
    /// Whether it breaks the contract.
    pub fn is_bad(&self) -> bool {
        self.findings.iter().any(|f| f.level == Level::Bad)
    }
}

/// On a terminal: a line for each finding, and what to do below.
pub fn text(tried: &[Tried], policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    for (i, one) in tried.iter().enumerate() {
        if i > 0 {
            page.blank();
        }
        page.title(&one.name, &one.path);
        for found in &one.findings {
            let (outcome, ink) = match found.level {
                Level::Good => (Outcome::Ok, Ink::Plain),
                Level::Warning => (Outcome::Unknown, Ink::Warn),
                Level::Bad => (Outcome::Failed, Ink::Bad),
            };
            let (glyph, glyph_ink) = page.glyph(outcome);
            let glyph = if found.level == Level::Warning { "!" } else { glyph };
            page.wrapped(2, 4, Line::of(glyph_ink, glyph).with(Ink::Plain, " ").with(ink, &found.what));
            if !found.help.is_empty() {
                page.wrapped(4, 6, Line::of(Ink::Dim, "help: ").with(Ink::Dim, &found.help));
            }
        }
    }
    let bad = tried.iter().filter(|t| t.is_bad()).count();
    page.blank();
    let many = crate::human::count(tried.len(), "module");
    page.push(match bad {
        0 => Line::of(Ink::Good, &format!("{many} tried: all keep the contract")),
        _ => Line::of(Ink::Bad, &format!("{many} tried: {bad} broken")),
    });
    page.finish()
}

/// As JSON, with a line break at the end.
pub fn json(tried: &[Tried]) -> String {
    let all: Vec<serde_json::Value> = tried
        .iter()
        .map(|t| {
            let findings: Vec<_> =
                t.findings.iter().map(|f| json!({ "level": f.level.word(), "what": f.what, "help": f.help })).collect();
            json!({ "name": t.name, "path": t.path, "keeps_the_contract": !t.is_bad(), "findings": findings })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(all))
}
