//! What is written in a triage tree, with what is in scope at each node.

use indexmap::IndexSet;
use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::{ExprKind, ExprNode};
use runbook_core::model::{
    Answers, Body, Branch, Contents, Leaf, NodeKind, Playbook, Remedy, RemedyAction, TreeNode, TreeQuestion, Triage,
};
use runbook_core::suggest::nearest;

use super::expr::{Checker, Own, Visit};
use super::names::{Found, RESERVED, Wrong, reserved_kind};
use super::scope::What;
use super::steps::Duty;
use super::ty::{Missing, Ty};
use crate::walk;

/// The findings of a playbook that is a tree, in file order.
pub(super) fn findings(playbook: &Playbook) -> Option<IndexSet<&str>> {
    let Contents::Triage(tree) = &playbook.contents else { return None };
    Some(tree.nodes().into_iter().filter_map(TreeNode::leaf).map(|l| l.finding.value.as_str()).collect())
}

impl<'a> Checker<'a, '_> {
    /// The names in a tree.
    pub(crate) fn tree(&mut self, tree: &'a Triage) {
        let mut branches = tree.nodes().into_iter().filter_map(TreeNode::question).flat_map(TreeQuestion::branches);
        let jumps = branches.any(|(_, b)| matches!(b, Some(Branch::Goto(_))));
        if jumps {
            // Whatever the order in the file, any node may have been visited before any other.
            ids_of(&tree.root).into_iter().for_each(|id| self.scope.ran_id(id));
        }
        self.nodes(&tree.root, jumps);
    }

    fn nodes(&mut self, branch: &'a Branch, jumps: bool) {
        let Branch::Nodes(nodes) = branch else { return };
        for node in nodes {
            let mark = self.scope.mark();
            if let Some(when) = &node.when {
                self.when(when);
            }
            self.optional(node.why.as_ref());
            match &node.kind {
                NodeKind::Question(question) => self.question(node, question, jumps),
                NodeKind::Leaf(leaf) => self.leaf(leaf),
            }
            if let Some(id) = &node.id {
                self.scope.ran_id(&id.value);
            }
            self.scope.leave(mark);
        }
    }

    fn question(&mut self, node: &'a TreeNode, question: &'a TreeQuestion, jumps: bool) {
        let id = node.id.as_ref().map(|i| i.value.as_str());
        if let Some(id) = id {
            self.scope.not_ran_id(id);
            self.scope.asking.push(id);
        }
        self.shown(&question.ask);
        let mark = self.scope.mark();
        self.list(&question.check, Duty::Look("check"));
        if let Some(answer) = &question.answer {
            match question.check.as_slice() {
                [only] if only.each.is_none() => self.expr(answer, Some(&Own { step: only })),
                _ => self.expr(answer, None),
            };
        }
        self.scope.leave(mark);
        if let Answers::Choices { choices, .. } = &question.answers {
            self.arg(choices);
        }
        if let Some(id) = id {
            self.scope.asking.pop();
            self.scope.ran_id(id);
        }
        let branches = question.branches().into_iter().filter_map(|(_, b)| b);
        if jumps {
            branches.for_each(|b| self.nodes(b, jumps));
            return;
        }
        let branches: Vec<(&'a Branch, Vec<&'a str>)> = branches.map(|b| (b, ids_of(b))).collect();
        // Only one branch is walked: in it, what lies in the others has not been.
        let all = || branches.iter().flat_map(|(_, ids)| ids.iter().copied());
        self.scope.other_branches.extend(all());
        for (branch, ids) in &branches {
            ids.iter().for_each(|id| _ = self.scope.other_branches.remove(id));
            self.nodes(branch, jumps);
            ids.iter().for_each(|id| self.scope.not_ran_id(id));
            self.scope.other_branches.extend(ids);
        }
        // After the question, any of them may have been.
        for id in all() {
            self.scope.other_branches.remove(id);
            self.scope.ran_id(id);
        }
    }

    fn leaf(&mut self, leaf: &'a Leaf) {
        let mark = self.scope.mark();
        self.list(&leaf.see, Duty::Look("see"));
        self.scope.leave(mark);
        self.optional(leaf.say.as_ref());
        if let Some(remedy) = &leaf.remedy {
            self.remedy(remedy);
        }
    }

    /// A remedy: checked as what may be run later, and nothing after it can count on it.
    fn remedy(&mut self, remedy: &'a Remedy) {
        let mark = self.scope.mark();
        match &remedy.action {
            RemedyAction::Play { name, with } => {
                with.iter().for_each(|(_, arg)| self.arg(arg));
                self.play(name, with);
            }
            RemedyAction::Steps(steps) => self.list(steps, Duty::Free),
        }
        self.maybe(remedy.cooldown.as_ref());
        self.maybe(remedy.limit.as_ref());
        self.list(&remedy.verify, Duty::Look("verify"));
        self.scope.leave(mark);
        if let RemedyAction::Steps(steps) = &remedy.action {
            steps.iter().for_each(|s| self.scope.not_ran(s));
        }
        remedy.verify.iter().for_each(|s| self.scope.not_ran(s));
    }

    /// A field of `steps.<node id>`: the result of its check, and what every result has.
    pub(super) fn node_field(&self, node: &'a TreeNode, name: &str) -> Found<'a> {
        let id = &node.key;
        let only = match node.question().map(|q| q.check.as_slice()) {
            Some([only]) => Some(only),
            _ => None,
        };
        if name == "items" {
            return match only {
                Some(step) if step.each.is_some() => Ok(Ty::Any),
                _ => Err(Wrong::undefined(format!("`steps.{id}` has no `items`"), "only a check with `for_each` has items")),
            };
        }
        if let Some(kind) = reserved_kind(name) {
            return Ok(kind.map_or(Ty::Any, Ty::Kind));
        }
        let only = only.filter(|s| s.each.is_none());
        if let Some(step) = only {
            if let Some(entry) = self.entry(step)
                && let Some(schema) = entry.result_schema["properties"].get(name)
            {
                return Ok(Ty::Schema(schema));
            }
            if let Some(ty) = self.other_fields(step, name) {
                return Ok(ty);
            }
            if self.open_result(step) {
                return Ok(Ty::Any);
            }
        }
        let mut names: Vec<&str> = only.and_then(|s| self.entry(s)).map(|e| e.result_fields()).unwrap_or_default();
        names.extend(only.map(|s| self.other_names(s)).unwrap_or_default());
        names.extend(RESERVED.iter().filter(|r| **r != "items"));
        let mut missing = Missing::among(format!("`steps.{id}` has no field `{name}`"), name, names);
        if node.question().is_some_and(|q| q.check.len() > 1) {
            missing.help =
                "it has several checks: give the one that is meant an id of its own, and use `steps.<that id>`".to_owned();
        }
        Err(Wrong::new(Code::UndefinedName, missing))
    }
}

impl<'a> Visit<'_, 'a, '_> {
    /// `'x' in findings`, and `'x' in steps.ID.findings` of a played tree: whether there is such a finding.
    pub(super) fn finding(&mut self, left: &ExprNode, right: &ExprNode) {
        let ExprKind::Const(value) = &left.kind else { return };
        let Some(wanted) = value.as_str() else { return };
        let played;
        let all = match right.dotted().as_deref() {
            Some(["findings"]) => self.checker.scope.findings.as_ref(),
            Some(["steps", id, "findings"]) => match self.checker.scope.ids.get(id).map(|k| k.what) {
                Some(What::Step(step)) => match &step.body {
                    Body::Play { name, .. } if step.each.is_none() => {
                        played = self.checker.played(&name.value).and_then(findings);
                        played.as_ref()
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        let Some(all) = all else { return };
        if all.contains(&wanted) || self.checker.lost.names.contains(wanted) {
            return;
        }
        let help = match nearest(wanted, all.iter().copied().take(500)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if all.is_empty() => "the tree has no findings".to_owned(),
            None => format!("the findings are {}", all.iter().take(20).copied().collect::<Vec<_>>().join(", ")),
        };
        let span = self.expr.span_of(&left.range);
        self.checker
            .out
            .push(Diagnostic::error(Code::UnknownFinding, span, format!("no leaf has the finding `{wanted}`")).help(help));
    }
}

/// The ids of the nodes of a branch and of the checks and steps in them.
fn ids_of(branch: &Branch) -> Vec<&str> {
    let mut out = Vec::new();
    collect_ids(branch, &mut out);
    out
}

fn collect_ids<'b>(branch: &'b Branch, out: &mut Vec<&'b str>) {
    let Branch::Nodes(nodes) = branch else { return };
    for node in nodes {
        out.extend(node.id.as_ref().map(|i| i.value.as_str()));
        // A remedy never runs by itself, so nothing can count on its steps.
        walk::each_step(node.checks(), &mut |s| out.extend(s.id.as_ref().map(|i| i.value.as_str())));
        if let Some(question) = node.question() {
            question.branches().into_iter().filter_map(|(_, b)| b).for_each(|b| collect_ids(b, out));
        }
    }
}
