//! What the system says: services, whom to call, and what stands for what is not known.

use indexmap::IndexSet;
use runbook_core::value::Value;

use super::md::Md;
use super::{Doc, md};
use crate::known::{show, words};

/// What only a run knows, by the words that stand for it.
const RUN: &[(&str, &str)] = &[
    (
        "state folder",
        "the folder for runs, locks and logs: what `RUNBOOK_STATE` says, else `$XDG_STATE_HOME/runbook`, else `~/.local/state/runbook`",
    ),
    ("project folder", "the folder with `playbooks` in it"),
    ("run id", "a name for what you do now, such as the date and time"),
    ("start of the run", "the time when you began"),
    ("operator", "your user name"),
    ("host", "the name of the machine"),
    ("verdict", "how it came out"),
];

impl Doc<'_> {
    /// Remembers the placeholders in lines that are typed.
    pub(super) fn note_stand_ins(&self, lines: &[String]) {
        let mut found = self.placeholders.borrow_mut();
        for line in lines {
            let mut rest = line.as_str();
            while let Some((_, after)) = rest.split_once('<') {
                rest = after;
                let Some((name, _)) = after.split_once('>') else { break };
                let is_name =
                    name.starts_with(|c: char| c.is_alphabetic()) && !name.ends_with(' ') && !name.contains(['\n', '<']);
                if is_name {
                    found.insert(name.to_owned());
                }
            }
        }
    }

    /// What the placeholders in the commands stand for.
    pub(super) fn stand_ins(&self, md: &mut Md) {
        let found: IndexSet<String> = self.placeholders.borrow().clone();
        let rows: Vec<Vec<String>> = found
            .iter()
            .filter_map(|name| Some(vec![md::bars(&md::code(&format!("<{name}>"))), md::bars(&self.meaning(name)?)]))
            .collect();
        if rows.is_empty() {
            return;
        }
        md.heading(2, "", "What stands for what");
        md.block("In the commands, replace these too:");
        md.table(&["Written", "Put in its place"], &rows);
    }

    fn meaning(&self, name: &str) -> Option<String> {
        if let Some((_, meaning)) = RUN.iter().find(|(n, _)| *n == name) {
            return Some((*meaning).to_owned());
        }
        match name {
            "message of error" => return Some("what went wrong".to_owned()),
            "step of error" => return Some("the step that failed".to_owned()),
            _ => {}
        }
        // Parameters have a table of their own, and items stand beside their loop.
        let (field, whose) = name.split_once(" of ")?;
        if let Some(step) = self.step_link(whose) {
            return Some(if field == "result" {
                format!("what {step} printed")
            } else {
                format!("{} in what {step} showed", md::code(field))
            });
        }
        let of_service = self.unit.system.services.values().any(|s| s.fields.iter().any(|(n, _)| n.value == field));
        of_service.then(|| format!("the {} of that service: see [Services](#{})", md::code(field), self.at("services")))
    }

    /// The services of the system, where commands speak of one that is not known which.
    pub(super) fn services(&self, md: &mut Md) {
        let services = &self.unit.system.services;
        let mut fields: Vec<String> = Vec::new();
        for name in self.placeholders.borrow().iter() {
            let Some((field, whose)) = name.split_once(" of ") else { continue };
            let known = services.values().any(|s| s.fields.iter().any(|(n, _)| n.value == field));
            if known && !self.steps.contains_key(whose) && !fields.iter().any(|f| f == field) {
                fields.push(field.to_owned());
            }
        }
        if fields.is_empty() {
            return;
        }
        md.heading(2, &self.at("services"), "Services");
        let needs = services.values().any(|s| !s.needs.is_empty());
        let mut head = vec!["Service"];
        head.extend(fields.iter().map(String::as_str));
        if needs {
            head.push("needs");
        }
        let rows = services.values().map(|service| {
            let entry = self.known.service(&service.id);
            let mut row = vec![md::bars(&md::code(&service.id))];
            row.extend(fields.iter().map(|f| match entry.field(f) {
                Value::Null => "—".to_owned(),
                value => md::bars(&md::code(&words(&show(&value)))),
            }));
            if needs {
                row.push(md::cell(&service.needs.iter().map(|n| n.value.as_str()).collect::<Vec<_>>().join(", ")));
            }
            row
        });
        md.table(&head, &rows.collect::<Vec<_>>());
    }

    /// Whom to call.
    pub(super) fn contacts(&self, md: &mut Md) {
        let system = &self.unit.system;
        if system.contacts.is_none() && system.escalation.is_none() {
            return;
        }
        md.heading(2, "", "Whom to call");
        if let Some(Value::List(all)) = system.escalation.as_ref().map(|e| self.known.shown(e)) {
            let one = |step: &Value| {
                let after = match step.field("after") {
                    Value::Null => String::new(),
                    after => format!(" after {}", words(&after)),
                };
                let only = match step.field("only") {
                    Value::Null => String::new(),
                    only => format!(", only for {}", words(&only)),
                };
                let rest = md::line(&format!("{after}{only}"));
                format!("{} {}", md::code(&words(&step.field("contact"))), rest.trim_start_matches(", "))
            };
            let lines: Vec<String> = all.iter().map(|s| one(s).trim_end().to_owned()).collect();
            md.block("If you cannot put it right, call in this order:");
            md.bullets(&lines);
        }
        if let Some(Value::Map(all)) = system.contacts.as_ref().map(|c| self.known.shown(c)) {
            let rows = all.iter().map(|(name, about)| vec![md::bars(&md::code(name)), md::cell(&words(about))]);
            md.table(&["Who", "How"], &rows.collect::<Vec<_>>());
        }
    }
}
