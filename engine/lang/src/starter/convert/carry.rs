//! What is put in front of the steps that need it: functions, assignments that the shell works out, and what holds for all that follows.

use runbook_core::module::Effect;

use super::{Converter, Place, clean, steps};
use crate::starter::draft::Step;
use crate::starter::guess;
use crate::starter::shell::{Unit, Use};

/// Shell text that later steps begin with.
#[derive(Clone, Debug)]
pub(in crate::starter) struct Prelude {
    /// The text, secrets cut out.
    text: String,
    kind: Kind,
    /// What it uses and calls itself.
    uses: Vec<Use>,
    calls: Vec<String>,
    pub(super) bash: bool,
    pub(super) effect: Effect,
    /// The places of here-documents in it that are taken as they are.
    literal: Vec<std::ops::Range<usize>>,
    used: bool,
    unit: Unit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// For the steps that call it.
    Function(String),
    /// For the steps that use one of these variables.
    Sets(Vec<String>),
    /// For every step.
    Always,
    /// For every step: `cd ~/app`.
    Folder,
}

impl Prelude {
    pub(super) fn always(&self) -> bool {
        matches!(self.kind, Kind::Always | Kind::Folder)
    }

    pub(super) fn is_assignment(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Sets(names) if names.iter().all(|n| n == name))
    }
}

impl Converter {
    pub(super) fn is_function(&self, name: &str) -> bool {
        self.preludes.iter().any(|p| matches!(&p.kind, Kind::Function(n) if n == name))
    }

    /// Whether the value of a variable is worked out in front of the steps that use it.
    pub(super) fn is_carried(&self, name: &str) -> bool {
        self.preludes.iter().any(|p| matches!(&p.kind, Kind::Sets(names) if names.iter().any(|n| n == name)))
    }

    fn carry(&mut self, place: &Place<'_>, kind: Kind, text: String) {
        let unit = place.unit;
        let offset = text.len() - place.raw().len().min(text.len());
        let literal = unit.documents.iter().filter(|(_, quoted)| *quoted).map(|(r, _)| {
            let at = |n: usize| n.saturating_sub(unit.span.start) + offset;
            at(r.start)..at(r.end)
        });
        self.preludes.push(Prelude {
            literal: literal.collect(),
            uses: unit.uses.clone(),
            calls: unit.commands.iter().map(crate::starter::shell::Simple::name).collect(),
            bash: unit.bash,
            effect: guess::unit(unit, &|name| self.is_function(name)),
            used: false,
            unit: unit.clone(),
            text,
            kind,
        });
    }

    /// A function: in front of whatever calls it.
    pub(super) fn carry_function(&mut self, place: &Place<'_>, name: &str) {
        self.preludes.retain(|p| !matches!(&p.kind, Kind::Function(n) if n == name));
        self.carry(place, Kind::Function(name.to_owned()), commented(place));
    }

    /// Text that sets variables: in front of whatever uses them. One that adds to what was set before does not take its place.
    pub(super) fn carry_assignment(&mut self, place: &Place<'_>, names: &[String], adds: bool, exported: bool) {
        for name in names {
            self.lost.remove(name);
            if !adds {
                self.preludes.retain(|p| !p.is_assignment(name));
                self.bindings.remove(name);
                self.exported.retain(|e| e != name);
            }
        }
        let kind = if exported { Kind::Always } else { Kind::Sets(names.to_vec()) };
        self.carry(place, kind, commented(place));
    }

    /// Text that holds for all that follows.
    pub(super) fn carry_always(&mut self, place: &Place<'_>) {
        self.carry(place, Kind::Always, commented(place));
    }

    /// A folder that only the shell can find.
    pub(super) fn carry_folder(&mut self, place: &Place<'_>) {
        self.carry(place, Kind::Folder, commented(place));
    }

    /// Forgets the folders that were gone to.
    pub(super) fn forget_folders(&mut self) {
        self.preludes.retain(|p| p.kind != Kind::Folder);
    }

    pub(super) fn goes_to_folders(&self) -> bool {
        self.preludes.iter().any(|p| p.kind == Kind::Folder)
    }

    /// The preludes that something with these uses and calls needs, in the order in which they were written.
    pub(super) fn needed(&mut self, uses: &[Use], calls: &[String]) -> Vec<usize> {
        let mut uses: Vec<Use> = uses.to_vec();
        let mut calls: Vec<String> = calls.to_vec();
        let mut chosen = vec![false; self.preludes.len()];
        loop {
            let mut grew = false;
            for (i, prelude) in self.preludes.iter_mut().enumerate() {
                let wanted = match &prelude.kind {
                    Kind::Always | Kind::Folder => true,
                    Kind::Function(name) => calls.contains(name),
                    Kind::Sets(names) => uses.iter().any(|u| names.contains(&u.name)),
                };
                if wanted && !chosen[i] {
                    chosen[i] = true;
                    prelude.used = true;
                    grew = true;
                    uses.extend(prelude.uses.iter().cloned());
                    calls.extend(prelude.calls.iter().cloned());
                }
            }
            if !grew {
                return (0..chosen.len()).filter(|i| chosen[*i]).collect();
            }
        }
    }

    pub(super) fn preludes(&self, indexes: &[usize]) -> Vec<&Prelude> {
        indexes.iter().map(|i| &self.preludes[*i]).collect()
    }

    /// The text of preludes with variables in place of what was cut out, the uses of all, and whether something had to be left out.
    pub(super) fn prelude_text(&self, indexes: &[usize]) -> (String, Vec<Use>, bool) {
        let (mut out, mut uses, mut lost) = (String::new(), Vec::new(), false);
        for prelude in self.preludes(indexes) {
            let (text, left) = self.holes.shell(&prelude.text, |at| prelude.literal.iter().any(|r| r.contains(&at)));
            lost |= left;
            out.push_str(text.trim_end_matches('\n'));
            out.push('\n');
            uses.extend(prelude.uses.iter().cloned());
        }
        (out, uses, lost)
    }

    pub(super) fn prelude_length(&self, index: usize) -> usize {
        self.preludes.get(index).map_or(0, |p| p.text.len())
    }

    /// The marks that preludes hold, for knowing which variables they need.
    pub(super) fn prelude_raw(&self, indexes: &[usize]) -> String {
        self.preludes(indexes).iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Functions that nothing calls are kept as steps, so that nothing of the source is missing.
    pub(super) fn unused_preludes(&mut self) {
        let unused: Vec<Prelude> = self.preludes.iter().filter(|p| !p.used).cloned().collect();
        for prelude in &unused {
            let what = match &prelude.kind {
                Kind::Function(name) => format!("nothing calls the function `{name}`; it does nothing here"),
                Kind::Sets(names) => format!("nothing uses {}; it does nothing here", names.join(", ")),
                Kind::Always | Kind::Folder => "nothing comes after this".to_owned(),
            };
            let place = Place {
                text: &prelude.text,
                unit: &Unit {
                    span: 0..prelude.text.len(),
                    documents: prelude.literal.iter().map(|r| (r.clone(), true)).collect(),
                    ..prelude.unit.clone()
                },
                later: &|_| false,
            };
            let step = self.shell_step(&place);
            let mut marks = step.marks.clone();
            marks.push(what);
            let name = match &prelude.kind {
                Kind::Function(name) => Some(format!("The function {name}")),
                _ => steps::naming(self, &prelude.unit).0,
            };
            self.push(Step { marks, name, ..step });
        }
        self.preludes.iter_mut().for_each(|p| p.used = true);
    }

    /// A line that has no step of its own: kept as a comment, with what is to be done about it.
    pub(super) fn remember(&mut self, place: &Place<'_>, mark: Option<&str>) {
        for comment in place.unit.comments.iter().filter(|c| !c.is_empty() && !super::for_a_tool(c)) {
            self.pending.push(self.holes.shown(&clean(comment)));
        }
        let said = self.holes.shown(place.raw());
        self.pending.push(match mark {
            Some(mark) => format!("review: `{said}`: {mark}"),
            None => said,
        });
    }
}

/// The text of a unit with the comments above it.
fn commented(place: &Place<'_>) -> String {
    let comments = place.unit.comments.iter().map(String::as_str).filter(|c| !c.is_empty() && !super::for_a_tool(c));
    comments.chain([place.raw()]).collect::<Vec<_>>().join("\n")
}
