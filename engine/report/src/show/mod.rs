//! What a playbook is, does, takes and touches.

mod facts;
mod json;
mod outline;
mod touched;

use runbook_core::model::{Contents, Plan, Playbook, Step};
use runbook_core::module::{Effect, Registry};

pub(crate) use facts::{facts, param_words};
pub use json::json;

use crate::effects::Effects;
use crate::ink::{Ink, Line};
use crate::known::Known;
use crate::page::Page;
use crate::picture::{Kind, Picture};
use crate::policy::TermPolicy;
use outline::Outline;

/// A playbook that is shown.
pub struct Shown<'a> {
    /// The plan whose playbook it is.
    pub plan: &'a Plan,
    /// The modules.
    pub registry: &'a Registry,
    /// What is known of its values.
    pub known: Known<'a>,
}

impl<'a> Shown<'a> {
    fn effects(&self) -> Effects<'a> {
        Effects::new(self.registry, self.plan, self.plan.root_unit())
    }

    /// What is typed to run it, with the parameters that must be given.
    pub(crate) fn command(&self) -> String {
        let playbook = &self.plan.root_unit().playbook;
        let verb = if matches!(playbook.contents, Contents::Triage(_)) { "triage" } else { "play" };
        let mut out = format!("runbook {verb} {}", playbook.full_name);
        for param in playbook.params.iter().filter(|p| p.required) {
            let name = &param.name.value;
            out.push_str(&format!(" --param {name}={}", name.to_uppercase()));
        }
        out
    }
}

/// A playbook on a terminal: title, where it comes from, how it is run, parameters, steps with their effects, what it changes; of a tree
/// its questions and findings.
pub fn show(shown: &Shown<'_>, policy: &TermPolicy) -> String {
    let plan = shown.plan;
    let unit = plan.root_unit();
    let playbook = &unit.playbook;
    let mut page = Page::new(policy);
    page.title(&playbook.full_name, kind(playbook));
    page.prose(2, Ink::Plain, &playbook.title);
    if let Some(description) = &playbook.description {
        page.blank();
        page.prose(2, Ink::Plain, description);
    }
    page.blank();
    for (label, text) in facts(unit, &plan.sources) {
        page.prose(2, Ink::Dim, &format!("{label}: {text}"));
    }
    page.heading("Run it");
    page.code(2, &shown.command());
    if !playbook.params.is_empty() {
        page.heading("Parameters");
        playbook
            .params
            .iter()
            .for_each(|p| page.term(2, &p.name, &param_words(p, &shown.known), p.help.as_deref().unwrap_or_default()));
    }
    let outline = Outline { shown, effects: shown.effects() };
    let sections: [(&str, &[Step]); 5] = [
        ("Preconditions", &playbook.requires),
        match &playbook.contents {
            Contents::Steps(steps) => ("Steps", steps),
            Contents::Checks(checks) => ("Checks", checks),
            Contents::Triage(_) => ("Questions", &[]),
        },
        ("Postconditions", &playbook.verify),
        ("When it fails", &playbook.rescue),
        ("In any case", &playbook.always),
    ];
    for (title, steps) in sections {
        if !steps.is_empty() {
            page.heading(title);
            outline.steps(&mut page, &shown.known, steps, "", 2);
        }
    }
    if matches!(playbook.contents, Contents::Triage(_)) {
        tree(&mut page, shown);
    }
    changes(&mut page, shown);
    page.finish()
}

/// The questions of a tree with what answers them, and its findings with their remedies.
fn tree(page: &mut Page, shown: &Shown<'_>) {
    let picture = Picture::of(shown.plan, shown.registry, &shown.known);
    let mut list = |title: &str, wanted: fn(Kind) -> bool| {
        let mut nodes = picture.nodes.iter().filter(|n| wanted(n.kind)).peekable();
        if nodes.peek().is_some() {
            page.heading(title);
        }
        for node in nodes {
            let ink = match node.kind.class() {
                "warning" => Ink::Warn,
                "critical" => Ink::Bad,
                _ => Ink::Dim,
            };
            let about = if node.kind == Kind::Question { node.id.as_str() } else { node.word.as_str() };
            let hang = node.number.len() + 1;
            let line = Line::of(Ink::Dim, &format!("{} ", node.number)).with(Ink::Plain, &node.label);
            page.wrapped(2, hang, line.with(ink, &format!("  {about}")));
            for note in [node.what.as_str()].into_iter().chain(node.notes.iter().map(String::as_str)).filter(|n| !n.is_empty()) {
                page.prose(2 + hang, Ink::Dim, note);
            }
        }
    };
    list("Questions", |kind| kind == Kind::Question);
    list("Findings", |kind| matches!(kind, Kind::Finding(_)));
}

/// What it changes and destroys, by name.
fn changes(page: &mut Page, shown: &Shown<'_>) {
    let touched = shown.touched();
    if !touched.changes.is_empty() {
        page.heading("What it changes");
        for (kind, names) in &touched.changes {
            page.prose(2, Ink::Plain, &format!("{kind}: {}", names.join(", ")));
        }
    }
    if !touched.destroys.is_empty() {
        page.heading("What it destroys");
        for line in &touched.destroys {
            page.wrapped(2, 2, Line::of(Ink::Bad, line));
        }
    }
}

/// What kind of playbook it is, in a word.
pub(crate) fn kind(playbook: &Playbook) -> &'static str {
    match playbook.contents {
        Contents::Steps(_) => "procedure",
        Contents::Checks(_) => "checklist",
        Contents::Triage(_) => "triage",
    }
}

/// The ink of an effect.
fn ink_of(effect: Effect) -> Ink {
    match effect {
        Effect::Read => Ink::Dim,
        Effect::Change => Ink::Warn,
        Effect::Destroy => Ink::Bad,
    }
}
