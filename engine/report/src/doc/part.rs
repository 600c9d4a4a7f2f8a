//! What a step does, as instructions.

use runbook_core::model::{Body, ModuleCall, ParamType, Step, WaitBody};
use runbook_core::module::{ByHand, HandArgs};
use runbook_core::value::Value;

use super::md::Md;
use super::{Doc, md};
use crate::known::{Known, show, words};

impl Doc<'_> {
    /// What a person does in place of a step's call; nothing for a step that has none.
    pub(super) fn hand(&self, step: &Step, known: &Known<'_>) -> ByHand {
        match &step.body {
            Body::Module(call) => {
                let exprs = step.expect.iter().chain(step.grade.as_ref().map(|g| &g.value));
                self.call(call, known, &super::words::names(exprs))
            }
            Body::Manual(text) | Body::Note(text) => ByHand::default().note(known.text(text)),
            Body::Play { name, .. } => ByHand::default().note(format!("Do what the runbook {} says.", name.value)),
            _ => ByHand::default(),
        }
    }

    fn call(&self, call: &ModuleCall, known: &Known<'_>, asked: &[String]) -> ByHand {
        let name = &call.name.value;
        let mut args = known.shown(&call.args);
        let Some(entry) = self.effects.module(call) else {
            return ByHand::default().note(format!("Do what the module `{name}` would do with {}.", words(&args)));
        };
        let mut ready = Vec::new();
        let mut present = Vec::new();
        if name == "service" || name.starts_with("service.") {
            let service = args.field("name").to_string();
            let entry = known.service(&service);
            if let Value::Map(map) = &args {
                let mut map = (**map).clone();
                map.insert("entry".into(), show(&entry));
                args = Value::from(map);
            }
            let known = known.with("service", entry);
            if let Some(service) = self.any_service(&service) {
                let waits = !matches!(args.field("ready"), Value::Bool(false)) && name != "service.stop";
                if waits {
                    ready = service
                        .ready
                        .iter()
                        .flat_map(|c| self.remarks(c, &known, "It is ready when", name != "service"))
                        .collect();
                }
                present = service
                    .present
                    .iter()
                    .flat_map(|c| {
                        self.remarks(c, &known, "Leave it out if this does not hold, for then it is not installed here", false)
                    })
                    .collect();
            }
        }
        let mut hand = entry.by_hand(&HandArgs::new(&args).asking(asked));
        if hand.is_empty() {
            hand = hand.note(format!("Do what the module `{name}` would do with {}.", words(&args)));
        }
        hand.lines.splice(0..0, present);
        // What it says if it does not come up stands last.
        let log = hand.lines.iter().position(|l| l.starts_with("# If it does not come up")).unwrap_or(hand.lines.len());
        hand.lines.splice(log..log, ready);
        hand
    }

    /// The service of a name; of one that is not known which, the first if all are looked at in the same way.
    fn any_service(&self, name: &str) -> Option<&runbook_core::model::Service> {
        let services = &self.unit.system.services;
        services.get(name).or_else(|| {
            let first = services.values().next()?;
            let spans = |steps: &[Step]| steps.iter().map(|s| s.span).collect::<Vec<_>>();
            let same = |other: &runbook_core::model::Service| spans(&other.ready) == spans(&first.ready);
            services.values().all(same).then_some(first)
        })
    }

    /// Writes the lines of a call, with what to know besides.
    pub(super) fn lines(&self, md: &mut Md, hand: &ByHand) {
        self.note_stand_ins(&hand.lines);
        typed(md, &hand.lines);
        for note in &hand.notes {
            md.block(&md::line(note));
        }
    }

    /// What a call looks like with the other value of a parameter that is true or false.
    pub(super) fn alternatives(&self, md: &mut Md, step: &Step, known: &Known<'_>, base: &ByHand) {
        for flip in &self.flips {
            let other = self.hand(step, &flip.known.with_locals_of(known));
            self.difference(md, &flip.name, flip.to, &base.lines, &other.lines);
        }
    }

    /// Tells how lines differ with a parameter's other value.
    pub(super) fn difference(&self, md: &mut Md, name: &str, to: bool, base: &[String], other: &[String]) {
        if base == other {
            return;
        }
        let given = format!("If {} is {to}", md::code(name));
        let new: Vec<String> = other.iter().filter(|l| !base.contains(l)).cloned().collect();
        let gone: Vec<String> = base.iter().filter(|l| !other.contains(l)).cloned().collect();
        let (same_count, commands) = (base.len() == other.len(), |l: &&String| !l.starts_with('#'));
        if let Some((at, added)) = added(base, other) {
            let after = base[..at].iter().rev().find(|l| !l.starts_with('#'));
            let after = after.map(|l| format!(" after {}", md::code(l.lines().next().unwrap_or_default()))).unwrap_or_default();
            md.block(&format!("{given}, type this too{after}:"));
            self.note_stand_ins(added);
            typed(md, added);
        } else if new.is_empty() {
            let ready = gone.iter().filter(|l| l.starts_with('#')).all(|l| l.contains("is ready when"));
            if ready {
                md.block(&format!("{given}, do not wait until it is ready."));
            } else {
                md.block(&format!("{given}, leave out:"));
                self.note_stand_ins(&gone);
                typed(md, &gone);
            }
        } else if same_count && new.iter().filter(commands).count() == new.len() {
            md.block(&format!("{given}, what differs is:"));
            self.note_stand_ins(&new);
            typed(md, &new);
        } else {
            md.block(&format!("{given}, type this instead:"));
            self.note_stand_ins(other);
            typed(md, other);
        }
    }

    /// What to do where there is nothing to type.
    pub(super) fn body(&self, md: &mut Md, step: &Step, number: &str, level: usize, known: &Known<'_>) {
        match &step.body {
            Body::Module(_) => {
                let hand = self.hand(step, known);
                self.lines(md, &hand);
                self.alternatives(md, step, known, &hand);
                self.expectations(md, step, known, &hand.expect);
            }
            Body::Block(block) => self.block(md, block, number, level, known),
            Body::Parallel(children) => self.parallel(md, children, number, level, known),
            Body::Play { name, with } => self.play(md, &name.value, with, known),
            Body::Set(entries) => {
                md.block("Write down, for the steps that follow:");
                let one = |(name, arg): &(runbook_core::span::Spanned<String>, runbook_core::model::Arg)| {
                    format!("{} is {}", md::code(&name.value), self.value(known, arg))
                };
                md.bullets(&entries.iter().map(one).collect::<Vec<_>>());
            }
            Body::Ask(ask) => {
                if step.name.is_some() {
                    md.block(&md::prose(&known.text(&ask.question)));
                }
                let mut about = Vec::new();
                if let Some(choices) = &ask.choices {
                    let all = match known.shown(choices) {
                        Value::List(all) => all.iter().map(|c| md::code(&words(c))).collect::<Vec<_>>().join(", "),
                        other => md::code(&words(&other)),
                    };
                    about.push(format!("The answer is one of {all}."));
                } else if ask.ty != ParamType::String {
                    about.push(format!("The answer is of the kind {}.", md::code(ask.ty.word())));
                }
                if let Some(default) = &ask.default {
                    about.push(format!("If there is no reason for another, it is {}.", md::code(&known.line(default))));
                }
                md.block(&about.join(" "));
            }
            Body::Manual(text) => {
                let text = known.text(text);
                if step.name.is_some() || number.is_empty() || text.trim().contains('\n') {
                    md.block(&md::prose(&text));
                }
                if !number.is_empty() {
                    md.block("Write down that it was done, or why not.");
                }
            }
            Body::Note(text) => md.block(&md::prose(&known.text(text))),
            Body::Fail(text) => {
                md.block(&md::prose(&known.text(text)));
                md.block("**Stop here: it has failed.**");
            }
            Body::Stop(text) => {
                md.block(&md::prose(&known.text(text)));
                md.block("**Stop here: that is all, and it went well.**");
                let always = !self.playbook().always.is_empty();
                if always {
                    md.block(&format!("Still do what stands under [In any case](#{}).", self.at("always")));
                }
            }
            Body::Wait(_) if step.name.is_none() => {}
            Body::Wait(WaitBody::For(arg)) => md.block(&format!("Wait {}.", self.value(known, arg))),
            Body::Wait(WaitBody::Until(arg)) => md.block(&format!("Wait until {}.", self.value(known, arg))),
        }
        if !matches!(step.body, Body::Module(_)) {
            self.expectations(md, step, known, "");
        }
    }

    /// Another runbook is followed.
    pub(super) fn play(
        &self,
        md: &mut Md,
        name: &str,
        with: &[(runbook_core::span::Spanned<String>, runbook_core::model::Arg)],
        known: &Known<'_>,
    ) {
        md.block(&format!("Do what the runbook {} says{}", self.runbook(name), self.given_with(with, known)));
    }

    /// A link to the page of a playbook that this one plays.
    pub(super) fn runbook(&self, name: &str) -> String {
        let played = self.source.plan.resolve(&self.playbook().full_name, name);
        let url = played.and_then(|u| self.links.playbook(&u.playbook.full_name));
        let title = played.map_or(name, |u| &u.playbook.title.value);
        match url {
            Some(url) => md::link(title, &url),
            None => format!("{} ({})", md::line(title), md::code(name)),
        }
    }

    /// The values that another runbook gets, to end a sentence.
    pub(super) fn given_with(
        &self,
        with: &[(runbook_core::span::Spanned<String>, runbook_core::model::Arg)],
        known: &Known<'_>,
    ) -> String {
        if with.is_empty() {
            return ", then come back.".to_owned();
        }
        let one = |(k, v): &(runbook_core::span::Spanned<String>, runbook_core::model::Arg)| {
            format!("{} = {}", md::code(&k.value), self.value(known, v))
        };
        format!(", with {}; then come back.", with.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

/// Lines that the second list has more in one place, where the first has nothing to type: where, and which.
fn added<'o>(base: &[String], other: &'o [String]) -> Option<(usize, &'o [String])> {
    let at = base.iter().zip(other).take_while(|(a, b)| a == b).count();
    let behind = base[at..].iter().rev().zip(other[at..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (gone, new) = (&base[at..base.len() - behind], &other[at..other.len() - behind]);
    let types = |lines: &[String]| lines.iter().any(|l| !l.starts_with("# "));
    (!types(gone) && types(new)).then_some((at, new))
}

/// Lines that are typed. What is to be read before the next of them stands between, so that nobody pastes over it.
pub(super) fn typed(md: &mut Md, lines: &[String]) {
    let mut together: Vec<String> = Vec::new();
    for line in lines {
        match line.strip_prefix("# ") {
            Some(sentence) => {
                md.sh(&std::mem::take(&mut together));
                md.block(&md::line(sentence));
            }
            None => together.push(line.clone()),
        }
    }
    md.sh(&together);
}
