//! An answers file to fill in.

use std::collections::HashMap;

use runbook_core::expr::Template;
use runbook_core::model::{Answers, Arg, Body, Contents, ParamType, Plan, Step, each_placed};
use runbook_core::module::Registry;
use serde::Serialize;

use super::question::{Question, Questions, What};

/// A question, to be answered in a file.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// The key under which it is answered.
    pub id: String,
    /// The section of the file: `answers` or `confirm`.
    pub under: &'static str,
    /// What is asked.
    pub question: String,
    /// What an answer looks like; none where any text will do.
    pub takes: Option<String>,
    /// What else is to be known.
    pub note: Option<String>,
    /// Of what loses something, the word that confirms it.
    pub word: Option<String>,
}

/// The questions of a plan, to be answered in a file.
#[derive(Clone, Debug, Serialize)]
pub struct Sheet {
    /// The playbook's full name.
    pub playbook: String,
    /// What is typed to give the answers.
    pub command: String,
    /// The questions, in the order in which they stand in the playbooks.
    pub questions: Vec<Asked>,
    /// How many more a loop asks, which have no name before it runs.
    pub not_listed: usize,
}

/// The questions of a plan as an answers file in which every answer is empty, but for the ids that `known` says are answered.
pub fn template(plan: &Plan, registry: &Registry, known: &dyn Fn(&str) -> bool) -> String {
    sheet(plan, registry, known).text()
}

/// The questions of a plan, but for the ids that `known` says are answered.
pub fn sheet(plan: &Plan, registry: &Registry, known: &dyn Fn(&str) -> bool) -> Sheet {
    let verb = if matches!(plan.root_unit().playbook.contents, Contents::Triage(_)) { "triage" } else { "play" };
    let mut out = Sheet {
        playbook: plan.root.clone(),
        command: format!("runbook {verb} {} --answers FILE", plan.root),
        questions: Vec::new(),
        not_listed: 0,
    };
    let ways = Ways::of(plan);
    // An id is the same wherever its playbook is played.
    let anywhere = [Some(String::new())];
    for question in Questions::of(plan, registry).iter().filter(|q| !matches!(q.what, What::Maybe)) {
        // A remedy is run by itself, after the walk of its tree: what it asks is not asked here.
        let Some(ways) = ways.units.get(question.unit) else { continue };
        for way in if question.id.is_some() { anywhere.as_slice() } else { ways.as_slice() } {
            match way.as_ref().and_then(|way| Some(format!("{way}{}", question.answered_by()?))) {
                None => out.not_listed += 1,
                Some(id) if known(&id) || out.questions.iter().any(|q| q.id == id) => {}
                Some(id) => out.questions.push(asked(question, id)),
            }
        }
    }
    out
}

fn asked(question: &Question<'_>, id: String) -> Asked {
    let mut lines = about(question, &id).into_iter();
    let word = match &question.what {
        What::Word(_, word) => Some(word_of(*word, &id)),
        _ => None,
    };
    let under = if word.is_some() { "confirm" } else { "answers" };
    Asked { under, question: lines.next().unwrap_or_default(), takes: lines.next(), note: lines.next(), word, id }
}

/// The word that confirms: the one that is written, or the question's id.
fn word_of(word: Option<&Template>, id: &str) -> String {
    word.map_or_else(|| id.to_owned(), |word| word.text.to_string())
}

impl Sheet {
    /// As an answers file to fill in.
    fn text(&self) -> String {
        let mut out = format!("# Answers for `{}`, to be given with: {}\n", self.playbook, self.command);
        out.push_str("# What is left empty is not answered.\n");
        out.push_str(&format!("playbook: {}\n", self.playbook));
        if self.questions.is_empty() && self.not_listed == 0 {
            out.push_str("# It asks nothing.\n");
        }
        for (under, head) in [("answers", ""), ("confirm", "# Each loses something: the word is typed.\n")] {
            let mut all = self.questions.iter().filter(|q| q.under == under).peekable();
            if all.peek().is_some() {
                out.push_str(&format!("{head}{under}:\n"));
            }
            for asked in all {
                for line in [Some(&asked.question), asked.takes.as_ref(), asked.note.as_ref()].into_iter().flatten() {
                    out.push_str(&format!("  # {}\n", one_line(line)));
                }
                out.push_str(&format!("  {}:\n", key(&asked.id)));
            }
        }
        if self.not_listed > 0 {
            let (what, them) = match self.not_listed {
                1 => ("1 question is".to_owned(), "it"),
                more => (format!("{more} questions are"), "they"),
            };
            out.push_str(&format!(
                "# {what} not listed, since a loop asks: give the step an `id`, so that {them} can be answered by name.\n"
            ));
        }
        out
    }
}

/// The playbooks that are walked, each with what stands before the paths of its steps; none where a loop plays it, since the items
/// are not known yet.
#[derive(Default)]
struct Ways<'p> {
    units: HashMap<&'p str, Vec<Option<String>>>,
    count: usize,
}

/// A playbook may be played in many places, each of which plays others: more ways than these are not written out.
const MOST_WAYS: usize = 500;

impl<'p> Ways<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut out = Ways::default();
        out.enter(plan, &plan.root, Some(String::new()));
        out
    }

    fn enter(&mut self, plan: &'p Plan, name: &'p str, way: Option<String>) {
        let ways = self.units.entry(name).or_default();
        if ways.contains(&way) || self.count >= MOST_WAYS {
            return;
        }
        ways.push(way.clone());
        self.count += 1;
        let Some(unit) = plan.units.get(name) else { return };
        let mut looping: Vec<String> = Vec::new();
        each_placed(&unit.playbook, &mut |placed| {
            if placed.step.each.is_some() {
                looping.push(placed.path.clone());
            }
            let Body::Play { name: other, .. } = &placed.step.body else { return };
            let Some(played) = plan.resolve(name, &other.value) else { return };
            let full = played.playbook.full_name.as_str();
            let loops = looping.iter().any(|l| placed.path.starts_with(l.as_str()));
            let way = way.as_ref().filter(|_| !loops).map(|way| format!("{way}{}>{full}:", placed.path));
            self.enter(plan, full, way);
        });
    }
}

/// An id as the key of a map: a path may hold what would end it.
fn key(id: &str) -> String {
    if id.contains([':', '>', '#', '@']) { format!("\"{id}\"") } else { id.to_owned() }
}

/// What a question asks, and what it takes.
fn about(question: &Question<'_>, id: &str) -> Vec<String> {
    match &question.what {
        What::Param(param) => {
            let mut lines = vec![param.ask.clone().unwrap_or_default(), takes(param.ty, param.choices.as_ref())];
            lines.extend(param.help.clone());
            lines
        }
        What::Ask(ask) => {
            let mut lines = vec![ask.question.text.to_string(), takes(ask.ty, ask.choices.as_ref())];
            if let Some(default) = ask.default.as_ref().filter(|d| d.is_literal()) {
                lines.push(format!("An operator who just presses Enter answers {}.", default.skeleton()));
            }
            lines
        }
        What::Manual(text) => vec![text.text.to_string(), "done, skip, failed or later".to_owned()],
        What::Confirm(step) => vec![format!("{}?", called(step)), "yes or no".to_owned()],
        What::Word(step, word) => {
            let word = word_of(*word, id);
            vec![format!("{}: the word is {word}", called(step))]
        }
        What::Maybe => Vec::new(),
        What::Override(step) => vec![format!("A reason to accept it all the same if it fails: {}", called(step))],
        What::Node(node) => vec![
            node.ask.text.to_string(),
            match &node.answers {
                Answers::YesNo { .. } => "yes, no or unknown".to_owned(),
                Answers::Choices { choices, .. } => takes(ParamType::Choice, Some(choices)),
            },
        ],
    }
}

/// What an answer of a type looks like.
fn takes(ty: ParamType, choices: Option<&Arg>) -> String {
    if let Some(list) = choices.filter(|c| c.is_literal()).map(Arg::skeleton)
        && let Some(items) = list.as_list()
    {
        let names: Vec<String> = items.iter().map(ToString::to_string).collect();
        return format!("one of {}", names.join(", "));
    }
    match ty {
        ParamType::String => "a text".to_owned(),
        ParamType::Int => "a whole number".to_owned(),
        ParamType::Float => "a number".to_owned(),
        ParamType::Bool => "true or false".to_owned(),
        ParamType::Duration => "a duration such as 30s".to_owned(),
        ParamType::Size => "a size such as 100MB".to_owned(),
        ParamType::Time => "a time such as 2026-02-15T14:23:45Z".to_owned(),
        ParamType::Path => "a path".to_owned(),
        ParamType::Url => "a URL".to_owned(),
        ParamType::List => "a list".to_owned(),
        ParamType::Map => "a map".to_owned(),
        ParamType::Choice => "one of its choices".to_owned(),
        ParamType::Secret => {
            "a secret: leave it empty where others may read the file, and type it when it is asked for".to_owned()
        }
    }
}

/// What a step is called, as far as that is written.
fn called(step: &Step) -> String {
    match (&step.name, &step.id) {
        (Some(name), _) => name.text.to_string(),
        (None, Some(id)) => format!("{} ({})", id.value, step.body.word()),
        (None, None) => step.body.word().to_owned(),
    }
}

/// Text on one line, without anything that could end the comment it stands in.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
