//! Steps and nodes of trees, as a test names them: by id, by id and item, or by path.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::test::{StepRef, is_path};
use runbook_core::model::{Body, Contents, Step, TreeNode, Unit, each_placed};
use runbook_core::path::StepPath;
use runbook_core::span::{Span, Spanned};
use runbook_core::suggest::nearest;

use super::{Played, Tests};

/// What a name stands for.
#[derive(Clone, Copy)]
pub(super) enum Named<'p> {
    /// A step.
    Step(&'p Step),
    /// A node of a tree.
    Node(&'p TreeNode),
}

impl<'p> Named<'p> {
    /// The steps whose calls are its own: a node's are its checks.
    fn steps(self) -> &'p [Step] {
        match self {
            Named::Step(step) => std::slice::from_ref(step),
            Named::Node(node) => node.checks(),
        }
    }

    /// The step whose fields its result has.
    pub(super) fn step(self) -> Option<&'p Step> {
        match (self, self.steps()) {
            (Named::Node(node), _) if node.leaf().is_some() => None,
            (_, [only]) => Some(only),
            _ => None,
        }
    }
}

impl<'p> Played<'p> {
    /// The ids of the steps and nodes of the playbook and of those that it plays.
    pub(super) fn ids(&self) -> Vec<&'p str> {
        let mut ids = Vec::new();
        for unit in &self.units {
            ids.extend(nodes(unit).into_iter().filter_map(|n| Some(n.id.as_ref()?.value.as_str())));
            each_placed(&unit.playbook, &mut |p| ids.extend(p.step.id.as_ref().map(|i| i.value.as_str())));
        }
        ids
    }

    /// What has this id, the playbook's own first.
    fn with_id(&self, id: &str) -> Vec<Named<'p>> {
        let mut found = Vec::new();
        let same = |own: &Option<Spanned<String>>| own.as_ref().is_some_and(|own| own.value == id);
        for unit in &self.units {
            found.extend(nodes(unit).into_iter().filter(|n| same(&n.id)).map(Named::Node));
            each_placed(&unit.playbook, &mut |p| found.extend(Some(Named::Step(p.step)).filter(|_| same(&p.step.id))));
        }
        found
    }

    /// What is named, if only one can be meant.
    pub(super) fn find(&self, name: &StepRef) -> Option<Named<'p>> {
        match name {
            StepRef::Id { id, .. } => self.with_id(id).first().copied(),
            StepRef::Path(path) => self.at(path),
        }
    }

    /// What is at a path.
    fn at(&self, path: &str) -> Option<Named<'p>> {
        let path: StepPath = serde_json::from_value(serde_json::Value::from(path)).ok()?;
        let (unit, place) = path.place();
        let unit = match unit {
            Some(name) => self.units.iter().find(|u| u.playbook.full_name == name)?,
            None => self.units.first()?,
        };
        let mut found = nodes(unit).into_iter().find(|n| n.path == place).map(Named::Node);
        each_placed(&unit.playbook, &mut |p| {
            if p.path == place {
                found = Some(Named::Step(p.step));
            }
        });
        found
    }

    /// The findings of its trees.
    pub(super) fn findings(&self) -> Vec<&'p str> {
        let mut all: Vec<&str> = Vec::new();
        for leaf in self.units.iter().flat_map(|u| nodes(u)).filter_map(TreeNode::leaf) {
            if !all.contains(&leaf.finding.value.as_str()) {
                all.push(&leaf.finding.value);
            }
        }
        all
    }
}

/// The nodes of a playbook's tree.
fn nodes(unit: &Unit) -> Vec<&TreeNode> {
    match &unit.playbook.contents {
        Contents::Triage(tree) => tree.nodes(),
        _ => Vec::new(),
    }
}

impl Tests<'_, '_, '_> {
    /// A step that a rule or a call is tied to.
    pub(super) fn step_ref(&mut self, text: &Spanned<String>, played: Option<&Played<'_>>) -> StepRef {
        let step = StepRef::read(&text.value);
        if let Some(played) = played {
            match &step {
                StepRef::Id { id, .. } => self.step_id(id, text.span, played),
                StepRef::Path(path) => self.step_path(path, text.span, played),
            }
        }
        step
    }

    /// A step's label in a path: as [`Tests::step_ref`], and inside a played playbook behind `>`.
    pub(super) fn label(&mut self, text: &Spanned<String>, played: Option<&Played<'_>>) {
        let Some(played) = played else { return };
        if is_path(&text.value) {
            self.step_path(&text.value, text.span, played);
            return;
        }
        for part in text.value.split('>') {
            self.step_id(part.split('@').next().unwrap_or(part), text.span, played);
        }
    }

    fn step_id(&mut self, id: &str, span: Span, played: &Played<'_>) {
        let ids = played.ids();
        if ids.contains(&id) {
            return;
        }
        let name = played.unit().map(|u| u.playbook.full_name.clone()).unwrap_or_default();
        let help = match nearest(id, ids.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if ids.is_empty() => {
                "none of its steps has an `id`: give it one, or write its path, such as `steps[2]`".to_owned()
            }
            None => format!("the ids are {}; a step without one has a path, such as `steps[2]`", ids.join(", ")),
        };
        self.reader.out.push(Diagnostic::error(Code::UnknownStep, span, format!("`{name}` has no step `{id}`")).help(help));
    }

    pub(super) fn step_path(&mut self, path: &str, span: Span, played: &Played<'_>) {
        // `ready[1]` and `present[1]` of a service stand below the step that acts on it.
        let step = match path.rsplit_once('.') {
            Some((step, last)) if last.starts_with("ready[") || last.starts_with("present[") => step,
            _ => path,
        };
        if played.at(step).is_some() {
            return;
        }
        let name = played.unit().map(|u| u.playbook.full_name.clone()).unwrap_or_default();
        self.reader.out.push(Diagnostic::error(Code::UnknownStep, span, format!("`{name}` has no step at `{path}`")).help(
            "a path counts from 1: `steps[2]`, `steps[2].block[1]`, `steps[2]@item`; `runbook test -v` shows those of a run",
        ));
    }

    /// The module that a step calls; reported if the step calls none, or another than another step of this id.
    pub(super) fn module_of(&mut self, named: &StepRef, span: Span, played: Option<&Played<'_>>) -> Option<String> {
        let played = played?;
        let found = match named {
            StepRef::Id { id, .. } => played.with_id(id),
            StepRef::Path(path) => played.at(path).into_iter().collect(),
        };
        let steps: Vec<&Step> = found.into_iter().flat_map(Named::steps).collect();
        let mut modules: Vec<&str> = Vec::new();
        for step in &steps {
            if let Body::Module(call) = &step.body
                && !modules.contains(&call.name.value.as_str())
            {
                modules.push(&call.name.value);
            }
        }
        match (modules.as_slice(), steps.first()) {
            ([one], _) => Some((*one).to_owned()),
            ([], None) => None,
            ([], Some(step)) => {
                let message = format!("`{named}` calls no module itself: it is a `{}`", step.body.word());
                self.reader.out.push(
                    Diagnostic::error(Code::MissingKey, span, message).help("write `module:` too: which call inside it is meant"),
                );
                None
            }
            (several, _) => {
                let message = format!("steps of this id call {}", several.join(" and "));
                self.reader
                    .out
                    .push(Diagnostic::error(Code::MissingKey, span, message).help("write `module:` too: which of them is meant"));
                None
            }
        }
    }
}
