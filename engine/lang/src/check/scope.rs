//! Which names are in scope at a place, and which steps have run by then.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};
use runbook_core::expr::Expr;
use runbook_core::model::{Body, Contents, Param, Playbook, Step, System, TreeNode};
use runbook_core::span::Span;

use super::maybe::{self, Cond};
use super::ty::Ty;
use crate::walk;

/// What has an id.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// A step.
    Step(&'a Step),
    /// A node of a triage tree.
    Node(&'a TreeNode),
}

/// A step or node with an id.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) what: What<'a>,
    /// The place of the id.
    pub(crate) span: Span,
}

/// A `parallel` that is being walked: whose child is looked at, and who needs whom.
pub(crate) struct Parallel<'a> {
    /// The child that each id lies in.
    pub(crate) owner: HashMap<&'a str, usize>,
    /// The children that each child needs.
    pub(crate) needs: Vec<Vec<usize>>,
    /// The child that is being walked.
    pub(crate) current: usize,
}

impl Parallel<'_> {
    /// Whether the current child waits for another one, directly or through others.
    fn waits_for(&self, other: usize) -> bool {
        let mut seen = vec![false; self.needs.len()];
        let mut todo = vec![self.current];
        while let Some(at) = todo.pop() {
            for next in self.needs.get(at).into_iter().flatten() {
                if *next == other {
                    return true;
                }
                if !std::mem::replace(&mut seen[*next], true) {
                    todo.push(*next);
                }
            }
        }
        false
    }
}

/// A name that comes and goes.
struct Local<'a> {
    name: &'a str,
    ty: Ty<'a>,
    /// Whether its value is made from a secret.
    secret: bool,
    /// The condition under which alone it was set.
    maybe: Option<&'a Expr>,
}

/// What is in scope.
pub(crate) struct Scope<'a> {
    /// The playbook; none while a system file is checked.
    pub(crate) playbook: Option<&'a Playbook>,
    /// The system.
    pub(crate) system: &'a System,
    /// Variables, `item`, `error`: the innermost last.
    locals: Vec<Local<'a>>,
    /// How often each local name is there, for a quick no.
    local_names: HashMap<&'a str, Vec<usize>>,
    /// The conditions under which each step with an id runs.
    conditions: HashMap<&'a str, Vec<Cond<'a>>>,
    conditional: bool,
    /// Where each variable is first set by a step.
    sets: HashMap<&'a str, Span>,
    /// Every step and node with an id, in the order of the file.
    pub(crate) ids: IndexMap<&'a str, Known<'a>>,
    /// The loop that a step with an id lies in, the outermost one.
    loops: HashMap<&'a str, &'a Step>,
    /// The ids of steps that have run.
    ran: HashSet<&'a str>,
    /// The `parallel`s around the place, the innermost last.
    pub(crate) parallels: Vec<Parallel<'a>>,
    /// The steps around the place, the innermost last.
    pub(crate) inside: Vec<&'a Step>,
    /// The declared environment variables, and whether each may be shown.
    pub(crate) env: HashMap<&'a str, bool>,
    /// The places of the parameters by their names.
    param_at: HashMap<&'a str, usize>,
    /// Whether `params` is in scope, and up to which one; `None` means all.
    pub(crate) params: Option<usize>,
    /// The findings of the tree; none if the playbook is no tree.
    pub(crate) findings: Option<IndexSet<&'a str>>,
    /// The questions whose check is being walked.
    pub(crate) asking: Vec<&'a str>,
    /// The ids that lie in another branch of a question around the place.
    pub(crate) other_branches: HashSet<&'a str>,
}

/// Whether a step's result can be used at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It can.
    Ran,
    /// There is no such step.
    Unknown,
    /// It comes later.
    Later,
    /// It is the step itself, or one around it.
    Around,
    /// It runs at the same time.
    Beside,
    /// It lies in another branch of the tree.
    OtherBranch,
}

impl<'a> Scope<'a> {
    /// The scope of a playbook before anything has run.
    pub(crate) fn new(playbook: Option<&'a Playbook>, system: &'a System, lists: &[&'a [Step]]) -> Self {
        let (mut ids, mut sets) = (IndexMap::new(), HashMap::new());
        for list in lists {
            walk::each_step(list, &mut |step| {
                if let Some(id) = &step.id {
                    ids.entry(id.value.as_str()).or_insert(Known { what: What::Step(step), span: id.span });
                }
                if let Body::Set(vars) = &step.body {
                    for (name, _) in vars {
                        sets.entry(name.value.as_str()).or_insert(name.span);
                    }
                }
            });
        }
        if let Some(Contents::Triage(tree)) = playbook.map(|p| &p.contents) {
            for node in tree.nodes() {
                if let Some(id) = &node.id {
                    ids.entry(id.value.as_str()).or_insert(Known { what: What::Node(node), span: id.span });
                }
            }
        }
        let mut loops = HashMap::new();
        for list in lists {
            for looped in outermost_loops(list) {
                for inner in walk::children(looped) {
                    walk::each_step(inner, &mut |step| {
                        if let Some(id) = &step.id {
                            loops.entry(id.value.as_str()).or_insert(looped);
                        }
                    });
                }
            }
        }
        let mut env = HashMap::new();
        for one in playbook.map(|p| p.env.as_slice()).unwrap_or_default().iter().chain(&system.env) {
            env.entry(one.name.value.as_str()).or_insert(one.plain);
        }
        let params = playbook.map(|p| p.params.as_slice()).unwrap_or_default();
        let param_at = params.iter().enumerate().map(|(i, p)| (p.name.value.as_str(), i)).collect();
        Scope {
            env,
            param_at,
            loops,
            playbook,
            system,
            locals: Vec::new(),
            local_names: HashMap::new(),
            conditions: maybe::conditions(lists),
            conditional: maybe::any(lists),
            sets,
            ids,
            ran: HashSet::new(),
            parallels: Vec::new(),
            inside: Vec::new(),
            params: None,
            findings: playbook.and_then(super::triage::findings),
            asking: Vec::new(),
            other_branches: HashSet::new(),
        }
    }

    /// A parameter of the playbook, and which one it is.
    pub(crate) fn param(&self, name: &str) -> Option<(usize, &'a Param)> {
        let at = *self.param_at.get(name)?;
        Some((at, self.playbook?.params.get(at)?))
    }

    /// Brings a name into scope.
    pub(crate) fn add(&mut self, name: &'a str, ty: Ty<'a>) {
        self.add_value(name, ty, false);
    }

    /// Brings a name into scope whose value may be made from a secret.
    pub(crate) fn add_value(&mut self, name: &'a str, ty: Ty<'a>, secret: bool) {
        self.local_names.entry(name).or_default().push(self.locals.len());
        self.locals.push(Local { name, ty, secret, maybe: None });
    }

    /// Brings a name into scope that is set only under a condition. Where it was there already, it stays certain.
    pub(crate) fn add_maybe(&mut self, name: &'a str, ty: Ty<'a>, secret: bool, when: &'a Expr) {
        let maybe = match self.find(name) {
            Some(before) => before.maybe,
            None => Some(when),
        };
        self.add_value(name, ty, secret);
        if let Some(last) = self.locals.last_mut() {
            last.maybe = maybe;
        }
    }

    fn find(&self, name: &str) -> Option<&Local<'a>> {
        self.locals.get(*self.local_names.get(name)?.last()?)
    }

    /// Whether the value of a name is made from a secret.
    pub(crate) fn is_secret(&self, name: &str) -> bool {
        self.find(name).is_some_and(|l| l.secret)
    }

    /// The condition under which alone a name was set.
    pub(crate) fn maybe_set(&self, name: &str) -> Option<&'a Expr> {
        self.find(name)?.maybe
    }

    /// The conditions under which a step runs.
    pub(crate) fn conditions(&self, id: &str) -> &[Cond<'a>] {
        self.conditions.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether every step runs, unless one before it fails.
    pub(crate) fn nothing_is_conditional(&self) -> bool {
        !self.conditional
    }

    /// Where the names stand now, for [`Scope::leave`].
    pub(crate) fn mark(&self) -> usize {
        self.locals.len()
    }

    /// Takes out every name that was added since the mark.
    pub(crate) fn leave(&mut self, mark: usize) {
        while self.locals.len() > mark {
            let Some(local) = self.locals.pop() else { return };
            if let Some(places) = self.local_names.get_mut(local.name) {
                places.pop();
            }
        }
    }

    /// The innermost local of a name.
    pub(crate) fn local(&self, name: &str) -> Option<Ty<'a>> {
        self.find(name).map(|l| l.ty)
    }

    /// The local names.
    pub(crate) fn local_names(&self) -> impl Iterator<Item = &'a str> {
        self.locals.iter().map(|l| l.name)
    }

    /// Where a variable is set anywhere in the playbook.
    pub(crate) fn set_somewhere(&self, name: &str) -> Option<Span> {
        self.sets.get(name).copied()
    }

    /// Notes that a step has run; those inside it are noted as they are walked.
    pub(crate) fn ran(&mut self, step: &'a Step) {
        if let Some(id) = &step.id {
            self.ran.insert(&id.value);
        }
    }

    /// Notes that what has this id has run.
    pub(crate) fn ran_id(&mut self, id: &'a str) {
        self.ran.insert(id);
    }

    /// Takes back that what has this id has run.
    pub(crate) fn not_ran_id(&mut self, id: &str) {
        self.ran.remove(id);
    }

    /// Takes back that a step and everything inside it has run.
    pub(crate) fn not_ran(&mut self, step: &'a Step) {
        walk::each_step(std::slice::from_ref(step), &mut |s| {
            if let Some(id) = &s.id {
                self.ran.remove(id.value.as_str());
            }
        });
    }

    /// Notes that steps and everything inside them have run.
    pub(crate) fn ran_all(&mut self, steps: &'a [Step]) {
        walk::each_step(steps, &mut |s| self.ran(s));
    }

    /// Whether a step lies in a loop that this place is outside of: there its results are in `items`.
    pub(crate) fn outside_its_loop(&self, id: &str) -> bool {
        self.loops.get(id).is_some_and(|looped| !self.inside.iter().any(|s| std::ptr::eq(*s, *looped)))
    }

    /// Whether a step's result can be used here.
    pub(crate) fn reach(&self, id: &str) -> Reach {
        if self.ran.contains(id) {
            return Reach::Ran;
        }
        if !self.ids.contains_key(id) {
            return Reach::Unknown;
        }
        if self.asking.contains(&id) {
            return Reach::Around;
        }
        if self.other_branches.contains(id) {
            return Reach::OtherBranch;
        }
        for parallel in self.parallels.iter().rev() {
            if let Some(owner) = parallel.owner.get(id)
                && *owner != parallel.current
            {
                return if parallel.waits_for(*owner) { Reach::Ran } else { Reach::Beside };
            }
        }
        if self.inside.iter().any(|s| s.id.as_ref().is_some_and(|i| i.value == id)) {
            return Reach::Around;
        }
        Reach::Later
    }
}

/// The loops of a list that lie in no other loop, in file order.
fn outermost_loops(steps: &[Step]) -> Vec<&Step> {
    let mut out = Vec::new();
    for step in steps {
        if step.each.is_some() {
            out.push(step);
        } else {
            walk::children(step).into_iter().for_each(|list| out.extend(outermost_loops(list)));
        }
    }
    out
}
