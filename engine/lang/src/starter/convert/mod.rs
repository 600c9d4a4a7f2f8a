//! Shell text into steps.
//!
//! A script is one process, and each step of a playbook is one of its own. So what a script carries from line to line is carried over
//! here: variables become variables and parameters, what a command prints becomes a step's result, and functions, `cd ~` and the like
//! are put in front of the steps that need them. What cannot be carried over is marked.

mod bind;
mod carry;
mod steps;
mod tangle;
mod unit;

use std::collections::{HashMap, HashSet};

use runbook_core::module::Effect;

use super::console;
use super::draft::{Draft, Step};
use super::guess;
use super::holes::Holes;
use super::shell::{self, Shape, Unit, Use};
use super::yaml;

pub(super) use bind::Binding;
pub(super) use carry::Prelude;

/// The most text that is put in front of the steps of one playbook, in bytes.
const MAX_CARRIED: usize = 256 * 1024;

/// Variables that a shell or a login gives a value.
const GIVEN: &[&str] =
    &["BASH_SOURCE", "HOSTNAME", "LOGNAME", "OLDPWD", "RANDOM", "SECONDS", "SHELL", "SUDO_USER", "TERM", "UID", "EUID", "0"];

/// What a shell is started with.
#[derive(Clone, Debug, Default)]
pub(super) struct Shell {
    /// The program of the `#!` line, if it is no plain `sh`.
    pub(super) program: Option<String>,
    pub(super) stops: bool,
    pub(super) strict: bool,
    pub(super) pipefail: bool,
}

/// The conversion of one source.
#[derive(Default)]
pub(super) struct Converter {
    pub(super) draft: Draft,
    pub(super) holes: Holes,
    pub(super) shell: Shell,
    bindings: HashMap<String, Binding>,
    /// Bound variables that every program is given, in the order in which they were exported.
    exported: Vec<String>,
    /// Variables whose values an earlier step has and later ones have not.
    lost: HashSet<String>,
    preludes: Vec<Prelude>,
    cwd: Option<String>,
    ids: Names,
    members: Names,
    /// The template for `$1`, `$2`, ...
    positional: Vec<Option<String>>,
    /// Variables that other parts of the source use.
    pub(super) used_elsewhere: HashSet<String>,
    /// Whether the steps of a document come in blocks, out of which no `set:` reaches.
    pub(super) in_document: bool,
    /// Whether a whole script is one step.
    pub(super) in_one_step: bool,
    /// How much text was put in front of steps, in bytes.
    carried: usize,
    /// Comments that wait for the next step.
    pending: Vec<String>,
    out: Vec<Step>,
    sudo: bool,
}

/// The unit that is being converted, with its surroundings.
struct Place<'a> {
    text: &'a str,
    unit: &'a Unit,
    /// Whether a variable is used after it.
    later: &'a dyn Fn(&str) -> bool,
}

impl Place<'_> {
    fn raw(&self) -> &str {
        &self.text[self.unit.span.clone()]
    }
}

impl Converter {
    pub(super) fn new(holes: Holes) -> Converter {
        let mut members = Names::default();
        holes.all().iter().for_each(|h| drop(members.free(&h.param, '_')));
        Converter { holes, members, ..Converter::default() }
    }

    /// The steps of a script whose secrets were cut out.
    pub(super) fn script(&mut self, text: &str) -> Vec<Step> {
        let (units, rest) = shell::script(text);
        let units = if self.in_one_step { whole(units).into_iter().collect() } else { tangle::together(text, joined(units)) };
        self.required(&units);
        let mut last_use: HashMap<&str, usize> = HashMap::new();
        for (i, unit) in units.iter().enumerate() {
            for used in &unit.uses {
                last_use.insert(&used.name, i);
            }
        }
        // What a function uses is used whenever it is called.
        let mut in_functions: HashSet<&str> = HashSet::new();
        let elsewhere = std::mem::take(&mut self.used_elsewhere);
        for (i, unit) in units.iter().enumerate() {
            let later = |name: &str| {
                last_use.get(name).is_some_and(|at| *at > i) || elsewhere.contains(name) || in_functions.contains(name)
            };
            self.printed_before(&unit.comments);
            self.sudo |= unit.commands.iter().any(|c| c.name() == "sudo");
            self.unit(&Place { text, unit, later: &later });
            if matches!(unit.shape, Shape::Function(_)) {
                in_functions.extend(unit.uses.iter().map(|u| u.name.as_str()));
            }
        }
        self.used_elsewhere = elsewhere;
        self.unused_preludes();
        self.printed_before(&rest);
        let left = rest.iter().filter(|c| !c.is_empty() && !for_a_tool(c)).map(|c| clean(c)).collect::<Vec<_>>();
        self.pending.extend(left.into_iter().map(|c| self.holes.shown(&c)));
        std::mem::take(&mut self.out)
    }

    /// Takes what the script insists on being given for parameters.
    fn required(&mut self, units: &[Unit]) {
        let mut set: HashSet<&str> = HashSet::new();
        for unit in units {
            set.extend(unit.sets.iter().map(String::as_str));
            for used in unit.uses.iter().filter(|u| bind::required(&u.op) && !is_positional(u)) {
                let given = unit::SEEN_BY_ALL.contains(&used.name.as_str()) || GIVEN.contains(&used.name.as_str());
                if !given && !set.contains(used.name.as_str()) {
                    self.require(&used.name, &used.op);
                }
            }
        }
    }

    /// Puts what a command prints in the source below its step.
    fn printed_before(&mut self, comments: &[String]) {
        for line in comments.iter().filter_map(|c| c.strip_prefix(console::PRINTED.trim_end())) {
            let line = format!("|{}", self.holes.shown(line));
            match self.out.last_mut() {
                Some(step) => step.after.push(line),
                None => self.pending.push(line),
            }
        }
    }

    /// Begins a part of a document that has a terminal of its own, as far as folders and such are concerned.
    pub(super) fn fresh(&mut self) {
        self.cwd = None;
        self.exported.clear();
        self.preludes.retain(|p| !p.always());
    }

    /// Whether any command is run by `sudo`.
    pub(super) fn uses_sudo(&self) -> bool {
        self.sudo
    }

    /// Whether so much is put in front of steps that one step for all is the better playbook.
    pub(super) fn carries_too_much(&self) -> bool {
        self.carried > MAX_CARRIED
    }

    /// The comments that no step came for.
    pub(super) fn take_pending(&mut self) -> Vec<String> {
        std::mem::take(&mut self.pending)
    }

    /// Text for people as a template: secrets as stars, what is to be filled in as its parameter.
    pub(super) fn human(&self, text: &str) -> String {
        let mut out = yaml::template(text);
        for hole in self.holes.of(text) {
            let with = if hole.secret { hole.shown.clone() } else { format!("{{{{ params.{} }}}}", hole.param) };
            out = out.replace(&hole.mark, &with);
        }
        out
    }

    fn free_id(&mut self, text: &str, otherwise: &str) -> String {
        self.ids.free(&super::name::id(&self.holes.shown(text), otherwise), '-')
    }

    fn free_member(&mut self, text: &str) -> String {
        self.members.free(&super::name::member(text, "value"), '_')
    }

    fn free_variable(&mut self, text: &str) -> String {
        self.members.free(&super::name::variable(text), '_')
    }

    /// Adds a step, with the comments that were waiting.
    fn push(&mut self, mut step: Step) {
        let mut comments = std::mem::take(&mut self.pending);
        comments.append(&mut step.comments);
        step.comments = comments;
        if step.effect == Some(Effect::Destroy) && step.id.is_none() {
            // Its id is the word that confirms it.
            let words = match (&step.name, &step.body) {
                (Some(name), _) => name.clone(),
                (None, super::draft::Body::Command { argv, .. }) => argv.join(" "),
                (None, super::draft::Body::Shell { script, .. }) => script.lines().next().unwrap_or_default().to_owned(),
                _ => String::new(),
            };
            step.id = Some(self.free_id(&words, "destroy"));
        }
        self.out.push(step);
    }
}

/// Names that are taken.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// The last number that each name was given.
    last: HashMap<String, usize>,
}

impl Names {
    /// A name that was not taken yet, with a number if it has to have one.
    fn free(&mut self, name: &str, join: char) -> String {
        let mut out = name.to_owned();
        while !self.taken.insert(out.clone()) {
            let n = self.last.entry(name.to_owned()).or_insert(1);
            *n += 1;
            out = format!("{name}{join}{n}");
        }
        out
    }
}

/// Joins units that are torn apart by line breaks alone: those that ask how the one before ended, or for its process.
fn joined(units: Vec<Unit>) -> Vec<Unit> {
    let mut out: Vec<Unit> = Vec::new();
    for unit in units {
        let function = matches!(unit.shape, Shape::Function(_));
        let uses = |names: &[&str]| unit.uses.iter().any(|u| names.contains(&u.name.as_str()));
        let jobs = unit.commands.iter().any(|c| {
            matches!(c.name().as_str(), "wait" | "fg" | "bg" | "jobs" | "disown")
                || (c.name() == "kill" && c.rough_words().iter().skip(1).any(|w| w.starts_with('%')))
        });
        // Comments at the beginning of the source are no reason to keep anything apart.
        let from = match () {
            () if function || out.is_empty() => None,
            () if jobs || uses(&["!"]) => Some(out.iter().rposition(|u| u.background).unwrap_or(out.len() - 1)),
            () if uses(&["?", "PIPESTATUS", "_"]) => Some(out.len() - 1),
            () => None,
        };
        let Some(from) = from else {
            out.push(unit);
            continue;
        };
        let rest = out.split_off(from).into_iter().chain([unit]);
        out.extend(whole(rest));
    }
    out
}

/// Units as one.
fn whole(units: impl IntoIterator<Item = Unit>) -> Option<Unit> {
    units.into_iter().reduce(|mut whole, next| {
        whole.span.end = next.span.end;
        whole.background |= next.background;
        whole.bash |= next.bash;
        whole.commands.extend(next.commands);
        whole.uses.extend(next.uses);
        whole.documents.extend(next.documents);
        whole.open.extend(next.open);
        whole.sets.extend(next.sets);
        whole.remark = next.remark;
        whole.shape = Shape::Joined;
        whole
    })
}

/// A comment without its sign and its ornaments.
pub(super) fn clean(comment: &str) -> String {
    let text = comment.trim().trim_start_matches('#').trim();
    let ornament = |c: char| "#-=*~_/\\|+<>·─═━".contains(c);
    let bare = text.trim_matches(|c: char| ornament(c) || c.is_whitespace());
    // `--flag` at the beginning of a line is no ornament.
    let keeps = text.starts_with("--") && bare.len() + 2 == text.len()
        || text.starts_with('-') && !text.starts_with("- ") && bare.len() + 1 == text.len()
        || text.starts_with('/');
    if keeps { text.to_owned() } else { bare.to_owned() }
}

/// Whether a comment speaks to a tool.
fn for_a_tool(comment: &str) -> bool {
    let text = comment.trim().trim_start_matches('#').trim_start();
    comment.starts_with("#!")
        || comment.starts_with(console::PRINTED.trim_end())
        || ["shellcheck ", "vim:", "-*-", "yaml-language-server", "noqa"].iter().any(|t| text.starts_with(t))
}

/// The effect of steps that call these preludes too.
fn worst(unit: &Unit, preludes: &[&Prelude], is_function: &dyn Fn(&str) -> bool) -> Effect {
    preludes.iter().map(|p| p.effect).fold(guess::unit(unit, is_function), Effect::max)
}

/// Whether a variable is one of those that a script is started with.
fn is_positional(used: &Use) -> bool {
    used.name.starts_with(|c: char| c.is_ascii_digit() && c != '0') || matches!(used.name.as_str(), "@" | "*" | "#")
}
