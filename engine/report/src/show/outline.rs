//! Steps as an outline, with their effects.

use runbook_core::model::{Body, Confirm, Step};
use runbook_core::module::Effect;

use super::{Shown, ink_of};
use crate::effects::Effects;
use crate::human;
use crate::ink::{Ink, Line};
use crate::known::Known;
use crate::page::Page;
use crate::step_words as words;

pub(super) struct Outline<'a> {
    pub(super) shown: &'a Shown<'a>,
    pub(super) effects: Effects<'a>,
}

impl Outline<'_> {
    pub(super) fn steps(&self, page: &mut Page, known: &Known<'_>, steps: &[Step], prefix: &str, indent: usize) {
        for (i, step) in steps.iter().enumerate() {
            let known = known.in_pass(step);
            let number = format!("{prefix}{}", i + 1);
            let effect = self.effects.of(step);
            let line = Line::of(Ink::Dim, &format!("{number} "));
            let line = line.with(Ink::Plain, &words::label(step, &known)).with(ink_of(effect), &format!("  {}", effect.word()));
            page.wrapped(indent, number.len() + 1, line);
            let deeper = indent + number.len() + 1;
            for note in self.notes(step, effect, &known) {
                page.prose(deeper, Ink::Dim, &note);
            }
            let inner = format!("{number}.");
            match &step.body {
                Body::Block(block) => {
                    self.steps(page, &known, &block.steps, &inner, indent + 2);
                    for (word, steps) in [("if it fails:", &block.rescue), ("in any case:", &block.always)] {
                        if !steps.is_empty() {
                            page.push(Line::indent(indent + 2).with(Ink::Dim, word));
                            self.steps(page, &known, steps, "", indent + 4);
                        }
                    }
                }
                Body::Parallel(steps) => self.steps(page, &known, steps, &inner, indent + 2),
                _ => {}
            }
        }
    }

    /// What is to be known about a step: what it runs, and under which conditions.
    fn notes(&self, step: &Step, effect: Effect, known: &Known<'_>) -> Vec<String> {
        let what = words::what(step, known, self.shown.registry);
        let is_said = what.is_empty() || what == words::label(step, known);
        let mut notes: Vec<String> = (!is_said).then_some(what).into_iter().collect();
        notes.extend(match &step.body {
            Body::Parallel(_) => Some("at the same time".to_owned()),
            Body::Manual(_) => Some("a person does it".to_owned()),
            Body::Ask(_) => Some("a person answers".to_owned()),
            Body::Fail(_) => Some("ends it as failed".to_owned()),
            Body::Stop(_) => Some("ends it as succeeded".to_owned()),
            _ => None,
        });
        notes.extend(step.each.as_ref().map(|e| words::each(e, known)));
        notes.extend(step.when.as_ref().map(|w| format!("when {}", w.text)));
        if !step.needs.is_empty() {
            let needs: Vec<String> = step.needs.iter().map(|n| n.value.clone()).collect();
            notes.push(format!("after {}", human::and_list(&needs)));
        }
        let is_group = matches!(step.body, Body::Block(_) | Body::Parallel(_) | Body::Play { .. });
        match &step.confirm {
            Some(Confirm::Type(word)) => notes.push(format!("asks to type \"{}\"", known.text(word))),
            _ if effect == Effect::Destroy && !is_group => {
                let word = step.id.as_ref().map_or("its path", |id| id.value.as_str());
                notes.push(format!("asks to type {word}"));
            }
            Some(_) => notes.push("asks before it runs".to_owned()),
            None => {}
        }
        if !step.undo.is_empty() {
            notes.push(format!("taken back by {}", words::names(&step.undo, known, self.shown.registry)));
        }
        notes
    }
}
