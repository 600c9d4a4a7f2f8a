//! Variables: what is known of them, and words with them as templates.

use super::{Converter, Place, steps};
use crate::starter::draft::{Body, Param, Step};
use crate::starter::holes::secret_name;
use crate::starter::shell::{self, Part, Shape, Word};
use crate::starter::{guess, yaml};

/// What a variable stands for.
#[derive(Clone, Debug)]
pub(in crate::starter) struct Binding {
    /// A template.
    pub(super) text: String,
    /// Whether its value must stay out of argument vectors and notes.
    pub(super) secret: bool,
    /// The value, if it is written in the source.
    pub(super) literal: Option<String>,
}

impl Converter {
    /// A word as a template; `None` if the shell has to work it out, or if it holds a secret that may not stand there.
    pub(super) fn templated(&self, word: &Word, secrets: bool) -> Option<String> {
        let mut out = String::new();
        let mut empty = true;
        for part in &word.parts {
            match part {
                Part::Text { text, quoted } => {
                    if !quoted && shell::expands(text, empty) {
                        return None;
                    }
                    if !secrets && self.holes.of(text).iter().any(|h| h.secret) {
                        return None;
                    }
                    out.push_str(&self.holes.template(&yaml::template(text)));
                }
                Part::Var { name, op, quoted } if op.is_empty() || (required(op) && self.bindings.contains_key(name)) => {
                    // What the shell works out for it is newer than what it is bound to.
                    if self.is_carried(name) {
                        return None;
                    }
                    let binding = match name.parse::<usize>() {
                        Ok(n) if n > 0 => {
                            let text = self.positional.get(n - 1).cloned().flatten()?;
                            Binding { text, secret: false, literal: None }
                        }
                        Ok(_) => return None,
                        Err(_) => self.bindings.get(name)?.clone(),
                    };
                    // Without quotes the shell would make several words of it, or look for files.
                    let splits = binding
                        .literal
                        .as_ref()
                        .is_some_and(|t| t.is_empty() || t.contains(char::is_whitespace) || shell::expands(t, true));
                    if (binding.secret && !secrets) || (!quoted && splits) {
                        return None;
                    }
                    out.push_str(&binding.text);
                }
                _ => return None,
            }
            empty = false;
        }
        Some(out)
    }

    fn secret(&self, word: &Word) -> bool {
        word.parts.iter().any(|part| match part {
            Part::Text { text, .. } => self.holes.of(text).iter().any(|h| h.secret),
            Part::Var { name, .. } => self.bindings.get(name).is_some_and(|b| b.secret),
            _ => false,
        })
    }

    /// `NAME=value` at the top of a script. Says whether it was carried over.
    pub(super) fn assign(&mut self, place: &Place<'_>, name: &str, value: &Word, special: bool, exported: bool) -> bool {
        self.lost.remove(name);
        let own = value.parts.iter().any(|p| matches!(p, Part::Var { name: n, .. } if n == name));
        if special || (own && !matches!(value.parts.as_slice(), [_])) {
            return false;
        }
        let bound = self.parameter(name, value) || self.written(place, name, value, exported) || self.printed(place, name, value);
        if bound {
            self.preludes.retain(|p| !p.is_assignment(name));
            if exported && !self.exported.iter().any(|e| e == name) {
                self.exported.push(name.to_owned());
            }
        }
        bound
    }

    /// `NAME=$1`, `NAME=${1:-x}`, `NAME=${NAME:-x}`: a parameter.
    fn parameter(&mut self, name: &str, value: &Word) -> bool {
        let [Part::Var { name: from, op, .. }] = value.parts.as_slice() else { return false };
        let index = from.parse::<usize>().ok().filter(|n| (1..=9).contains(n));
        if index.is_none() && from == name && required(op) {
            self.require(name, op);
            return true;
        }
        let op = op.trim_start_matches(':');
        let (default, help) = match (op.chars().next(), index) {
            (None, Some(_)) => (None, None),
            (Some('?'), Some(_)) => (None, plain(&op[1..])),
            (Some('-' | '='), _) if index.is_some() || from == name => match plain(&op[1..]) {
                Some(default) => (Some(default), None),
                None => return false,
            },
            _ => return false,
        };
        if default.as_ref().is_some_and(|d| self.holes.of(d).iter().any(|h| h.secret)) {
            return false;
        }
        let secret = secret_name(name) && default.as_ref().is_none_or(String::is_empty);
        let param = self.free_member(name);
        let text = format!("{{{{ params.{param} }}}}");
        let said = help.map(|h| yaml::one_line(&self.holes.shown(&h))).filter(|h| !h.is_empty());
        let help = said
            .or_else(|| index.map(|n| format!("Argument {n} of the script")))
            .or_else(|| Some(format!("In place of ${name}")));
        let default = default.map(|d| self.holes.shown(&d)).map(|d| yaml::template(&d));
        self.draft.params.push(Param { name: param, secret, default, help, mark: None });
        if let Some(n) = index {
            self.positional.resize(self.positional.len().max(n), None);
            self.positional[n - 1] = Some(text.clone());
        }
        self.bindings.insert(name.to_owned(), Binding { text, secret, literal: None });
        true
    }

    /// `${NAME:?text}` of a variable that the script does not set: a parameter that has to be given.
    pub(super) fn require(&mut self, name: &str, op: &str) {
        if self.bindings.contains_key(name) {
            return;
        }
        let param = self.free_member(name);
        let text = format!("{{{{ params.{param} }}}}");
        let secret = secret_name(name);
        let said = plain(op.trim_start_matches([':', '?'])).map(|h| yaml::one_line(&self.holes.shown(&h)));
        let help = said.filter(|h| !h.is_empty()).unwrap_or_else(|| format!("In place of ${name}"));
        self.draft.params.push(Param { name: param, secret, default: None, help: Some(help), mark: None });
        self.bindings.insert(name.to_owned(), Binding { text, secret, literal: None });
    }

    /// A value that is written out, perhaps with variables that are known.
    fn written(&mut self, place: &Place<'_>, name: &str, value: &Word, exported: bool) -> bool {
        let Some(text) = self.templated(value, true) else { return false };
        let secret = self.secret(value);
        let literal = value.literal().filter(|_| !secret);
        if !exported && !(place.later)(name) {
            let said = self.holes.shown(&place.text[value.span.clone()]);
            self.pending.push(format!("{name}={said} (nothing uses it)"));
        } else if !secret && !is_reference(&text) && (self.knows_first(&text) || !self.in_document) {
            let var = self.free_variable(name);
            if self.knows_first(&text) {
                self.draft.vars.push((var.clone(), text));
            } else {
                self.push(Step::new(Body::Set { name: var.clone(), value: text }));
            }
            self.bindings.insert(name.to_owned(), Binding { text: format!("{{{{ {var} }}}}"), secret, literal });
            return true;
        }
        self.bindings.insert(name.to_owned(), Binding { text, secret, literal });
        true
    }

    /// Whether a template holds nothing but what is known before the first step runs.
    fn knows_first(&self, text: &str) -> bool {
        let set = |name: &str| self.out.iter().any(|s| matches!(&s.body, Body::Set { name: n, .. } if n == name));
        text.split("{{ ").skip(1).filter_map(|t| t.split(" }}").next()).all(|expr| !expr.starts_with("steps.") && !set(expr))
    }

    /// `NAME=$(command)`: a step of its own, whose output the variable is.
    fn printed(&mut self, place: &Place<'_>, name: &str, value: &Word) -> bool {
        if !value.parts.iter().any(|p| matches!(p, Part::Command { .. })) {
            return false;
        }
        let whole = match value.parts.as_slice() {
            [Part::Command { inside, backquoted: false }] => Some(place.text[inside.clone()].trim().to_owned()),
            _ => None,
        };
        let said = &place.text[value.span.clone()];
        // A trailing comment would swallow nothing here, and an empty substitution prints nothing.
        let script = whole.filter(|w| !w.is_empty()).unwrap_or_else(|| format!("printf '%s\\n' {}", double_quoted(said)));
        let (units, _) = shell::script(&script);
        let [unit] = units.as_slice() else { return self.output_of(place, name, &script, &units) };
        let inner = Place { text: &script, unit, later: place.later };
        let command = match &unit.shape {
            Shape::Simple(simple) if !guess::needs_a_person(simple) => self.command(&inner, simple),
            _ => None,
        };
        match command {
            Some(step) => self.output(name, step),
            None => return self.output_of(place, name, &script, &units),
        }
        true
    }

    fn output_of(&mut self, place: &Place<'_>, name: &str, script: &str, units: &[shell::Unit]) -> bool {
        let Some(whole) = super::whole(units.iter().cloned()) else { return false };
        let step = self.shell_step(&Place { text: script, unit: &whole, later: place.later });
        self.output(name, step);
        true
    }

    fn output(&mut self, name: &str, mut step: Step) {
        let id = self.free_id(name, "output");
        let secret = secret_name(name);
        step.sensitive = secret;
        step.name = Some(format!("Set {name}"));
        let text = format!("{{{{ steps.{id}.stdout | trim }}}}");
        self.bindings.insert(name.to_owned(), Binding { text, secret, literal: None });
        step.id = Some(id);
        self.push(step);
    }

    /// `read -p "Which?" NAME`: a question; a pause for a person if nobody looks at the answer.
    pub(super) fn asked(&mut self, place: &Place<'_>, words: &[Word]) -> bool {
        let mut question = None;
        let mut hidden = false;
        let mut names = Vec::new();
        let mut rest = words.iter().skip(1);
        while let Some(word) = rest.next() {
            let Some(text) = self.templated(word, false) else { return false };
            match text.strip_prefix('-') {
                Some(flags) if !flags.is_empty() => {
                    hidden |= flags.contains('s');
                    if flags.ends_with('p') {
                        let Some(asked) = rest.next().and_then(|w| self.templated(w, false)) else { return false };
                        question = Some(asked);
                    } else if flags.ends_with(['n', 't', 'N', 'd', 'u', 'a', 'i']) {
                        rest.next();
                    }
                }
                _ => names.push(text),
            }
        }
        let name = match names.as_slice() {
            [] => "REPLY".to_owned(),
            [name] if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => name.clone(),
            _ => return false,
        };
        let question = question.map(|q| q.trim().to_owned()).filter(|q| !q.is_empty());
        let was = Some(self.holes.shown(place.raw()));
        if !(place.later)(&name) {
            let text = question.unwrap_or_else(|| "Go on?".to_owned());
            self.push(Step { was, ..Step::new(Body::Manual(text)) });
            return true;
        }
        let secret = hidden || secret_name(&name);
        let id = self.free_id(&name, "answer");
        let body = Body::Ask { question: question.unwrap_or_else(|| format!("{name}?")), secret };
        self.lost.remove(&name);
        self.bindings.insert(name, Binding { text: format!("{{{{ steps.{id}.answer }}}}"), secret, literal: None });
        let (label, comments) = steps::naming(self, place.unit);
        self.push(Step { id: Some(id), name: label, comments, was, ..Step::new(body) });
        true
    }
}

/// Whether the text behind a name in `${ }` ends the script if there is no value.
pub(super) fn required(op: &str) -> bool {
    op.strip_prefix(':').unwrap_or(op).starts_with('?')
}

/// Text behind an operator, if the shell would work nothing out in it.
fn plain(text: &str) -> Option<String> {
    let quoted = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    let text = quoted.unwrap_or(text);
    (!text.contains(['$', '`', '"', '\'', '\\'])).then(|| text.to_owned())
}

/// Whether a template is one expression and nothing else.
fn is_reference(text: &str) -> bool {
    text.strip_prefix("{{ ").and_then(|t| t.strip_suffix(" }}")).is_some_and(|t| !t.contains(['{', '}']))
}

/// A value as one word: in double quotes, unless it has some.
fn double_quoted(raw: &str) -> String {
    if raw.contains(['"', '\'']) { raw.to_owned() } else { format!("\"{raw}\"") }
}
