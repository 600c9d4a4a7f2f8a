//! One step with everything that is to be known about it.

use runbook_core::expr::Expr;
use runbook_core::model::{Arg, Block, Body, Confirm, Step};
use runbook_core::module::Effect;
use runbook_core::value::Value;

use super::md::Md;
use super::{Doc, md};
use crate::human;
use crate::known::Known;
use crate::step_words;

impl Doc<'_> {
    /// Steps one after the other; `prefix` begins their numbers.
    pub(super) fn steps(&self, md: &mut Md, steps: &[Step], prefix: &str, level: usize, known: &Known<'_>) {
        for (i, step) in steps.iter().enumerate() {
            let number = format!("{prefix}{}", i + 1);
            let inner = known.in_pass(step);
            md.heading(level, &self.at(&number), &format!("{number}. {}", self.title(step, &inner)));
            self.step(md, step, &number, level, known);
        }
    }

    /// What a step is called.
    pub(super) fn title(&self, step: &Step, known: &Known<'_>) -> String {
        let text = match (&step.name, &step.body) {
            (None, Body::Module(_)) => return md::code(&step_words::what(step, known, self.source.registry)),
            (None, Body::Note(_)) => "Know this".to_owned(),
            (None, Body::Fail(_)) => "Stop: it has failed".to_owned(),
            (None, Body::Stop(_)) => "Stop: that is all".to_owned(),
            (None, Body::Block(_)) => "These steps together".to_owned(),
            (None, Body::Parallel(_)) => "At the same time".to_owned(),
            (None, Body::Play { name, .. }) => format!("Another runbook: {}", name.value),
            _ => step_words::label(step, known),
        };
        let is_name = step.name.is_some();
        md::line(&if is_name { text } else { super::words::capital(&text) })
    }

    /// What stands below a step's heading.
    pub(super) fn step(&self, md: &mut Md, step: &Step, number: &str, level: usize, known: &Known<'_>) {
        let inner = known.in_pass(step);
        if let Some(when) = &step.when {
            match self.settled(when, &inner) {
                // It holds for this system, whatever is asked for.
                Some(true) => {}
                Some(false) => {
                    let when = self.condition(when, &inner);
                    md.block(&format!("Leave this out: it is only done if {when}, which is not so here."));
                    return;
                }
                None => self.only_if_each(md, step, when, &inner),
            }
        }
        if let Some(on) = &step.on {
            let host = known.line(on);
            if host != "localhost" {
                md.block(&format!("Do it on {}.", md::code(&host)));
            }
        }
        self.confirm(md, step, &inner);
        if !self.passes(md, step, known) {
            if let Some(each) = &step.each {
                self.repeat(md, step, each, known);
            }
            self.body(md, step, number, level, &inner);
        }
        self.timing(md, step, &inner);
        if let Some(path) = &step.save {
            md.block(&format!("Keep what it printed in {}.", md::code(&inner.line(path))));
        }
        if step.sensitive {
            md.block("Do not write down or send on what it prints: it is confidential.");
        }
        match &step.continue_on_error {
            Some(arg) if is_true(arg) => md.block("If it fails, write that down and go on."),
            Some(arg) => md.block(&format!("If it fails: write that down and go on, if {} is true.", self.value(&inner, arg))),
            None => {}
        }
        self.then(md, &step.verify, "Then check", "V", number, level, &inner);
        self.then(md, &step.undo, "To take it back", "U", number, level, &inner);
        let links: Vec<String> = step.links.iter().map(|l| md::link(&l.title, &l.url)).collect();
        if !links.is_empty() {
            md.block(&format!("See also: {}.", links.join(", ")));
        }
    }

    fn only_if_each(&self, md: &mut Md, step: &Step, when: &Expr, known: &Known<'_>) {
        let item = step.each.as_ref().map(|e| format!(" (asked for each of them, which is {})", md::code(&e.bind)));
        let when = self.condition(when, known);
        md.block(&format!("**Only if** {when}{}. Otherwise leave it out.", item.unwrap_or_default()));
    }

    /// Whether a condition is known to hold or not to, whatever the parameters are.
    fn settled(&self, when: &Expr, known: &Known<'_>) -> Option<bool> {
        let holds = known.eval(when)?.truth()?;
        let others = self.flips.iter().map(|f| f.known.with_locals_of(known));
        let same = others.map(|k| k.eval(when).and_then(|v| v.truth())).all(|other| other == Some(holds));
        same.then_some(holds)
    }

    /// What to be sure of before it is done.
    fn confirm(&self, md: &mut Md, step: &Step, known: &Known<'_>) {
        let is_group = matches!(step.body, Body::Block(_) | Body::Parallel(_) | Body::Play { .. });
        let destroys = self.effects.of(step) == Effect::Destroy && !is_group;
        let word = match &step.confirm {
            Some(Confirm::Type(word)) => {
                format!(" Say the word {} aloud first: it is what the program asks for.", md::code(&known.text(word)))
            }
            _ => String::new(),
        };
        if destroys {
            let undo = if step.undo.is_empty() { " There is no way back." } else { "" };
            md.warning(&[format!(
                "**Ask before you go on.** This destroys something: look twice whether it is the right thing.{undo}{word}"
            )]);
        } else if let Some(confirm) = &step.confirm {
            let each = if matches!(confirm, Confirm::Each) { " each of them" } else { "" };
            md.warning(&[format!("**Ask before you go on{each}:** is this wanted now? If not, stop here.{word}")]);
        }
    }

    /// How often it is tried, and how long it may take.
    fn timing(&self, md: &mut Md, step: &Step, known: &Known<'_>) {
        let mut text = Vec::new();
        if let Some(retry) = &step.retry {
            text.push(format!("**If it does not come:** {}", uncapital_try(&self.retried(retry, known))));
        }
        if let Some(timeout) = &step.timeout {
            let once = if step.retry.is_some() { " each time" } else { "" };
            text.push(format!("It may take up to {}{once}; after that, it has failed.", self.value(known, timeout)));
        }
        if let Some(usual) = &step.expected_duration {
            text.push(format!("It usually takes no longer than {}.", self.value(known, usual)));
        }
        md.block(&text.join(" "));
    }

    /// Steps that belong to a step: its checks, and what takes it back.
    #[expect(clippy::too_many_arguments, reason = "a list of steps with its place")]
    fn then(&self, md: &mut Md, steps: &[Step], title: &str, letter: &str, number: &str, level: usize, known: &Known<'_>) {
        if steps.is_empty() {
            return;
        }
        for (i, step) in steps.iter().enumerate() {
            let inner = known.in_pass(step);
            let number = format!("{number}.{letter}{}", i + 1);
            md.heading(level + 1, &self.at(&number), &format!("{number}. {title}: {}", self.title(step, &inner)));
            self.step(md, step, &number, level + 1, known);
        }
    }

    /// A group of steps.
    pub(super) fn block(&self, md: &mut Md, block: &Block, number: &str, level: usize, known: &Known<'_>) {
        let rescue = self.at(&format!("{number}-failed"));
        let always = self.at(&format!("{number}-always"));
        let last = block.steps.len();
        let range =
            if last == 1 { format!("Step {number}.1 belongs") } else { format!("Steps {number}.1 to {number}.{last} belong") };
        let mut text = format!("{range} to it.");
        if !block.rescue.is_empty() {
            text.push_str(&format!(" If one of them fails, go on with [If {number} failed](#{rescue})."));
        }
        if !block.always.is_empty() {
            text.push_str(&format!(" Whatever happens, do [In any case after {number}](#{always})."));
        }
        md.block(&text);
        self.steps(md, &block.steps, &format!("{number}."), level + 1, known);
        if !block.rescue.is_empty() {
            md.heading(level + 1, &rescue, &format!("If {number} failed"));
            let ends = block.rescue.iter().any(|s| matches!(s.body, Body::Fail(_)));
            let after = if ends { "" } else { " When this is done, go on after it as if it had gone well." };
            md.block(&format!("Only if one of the steps of {number} failed.{after}"));
            self.steps(md, &block.rescue, &format!("{number}.F"), level + 2, known);
        }
        if !block.always.is_empty() {
            md.heading(level + 1, &always, &format!("In any case after {number}"));
            self.steps(md, &block.always, &format!("{number}.A"), level + 2, known);
        }
    }

    /// Steps at the same time.
    pub(super) fn parallel(&self, md: &mut Md, children: &[Step], number: &str, level: usize, known: &Known<'_>) {
        let ordered = children.iter().any(|c| !c.needs.is_empty());
        let order = if ordered { "in any order in which each comes after those it names" } else { "in any order" };
        md.block(&format!(
            "These can be done at the same time, for instance in several terminals, or {order}. If one fails, stop the others."
        ));
        for (i, child) in children.iter().enumerate() {
            let number = format!("{number}.{}", i + 1);
            let inner = known.in_pass(child);
            md.heading(level + 1, &self.at(&number), &format!("{number}. {}", self.title(child, &inner)));
            let needs: Vec<String> =
                child.needs.iter().map(|n| self.step_link(&n.value).unwrap_or_else(|| md::code(&n.value))).collect();
            if !needs.is_empty() {
                md.block(&format!("**Only after** {}.", human::and_list(&needs)));
            }
            if let Some(every) = &child.every {
                md.block(&format!("**Again every {}**, until the others are done.", self.value(&inner, every)));
            }
            self.step(md, child, &number, level + 1, known);
        }
    }
}

fn is_true(arg: &Arg) -> bool {
    matches!(arg.skeleton().bare(), Value::Bool(true))
}

/// After a colon it goes on small.
fn uncapital_try(text: &str) -> String {
    text.replacen("Try again", "try again", 1)
}
