//! Triage trees: questions that lead to findings.
//!
//! A tree is written nested. [`TriageGraph`] is the same tree as a flat list of nodes in file order, each with the node that comes after
//! it: what the checker, the walk, coverage and pictures need. A walk is at one node; the node's answer says to which node it goes next.

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arg, ArgKind, Link, Step};
use crate::expr::{Expr, ExprKind, ExprNode, Template};
use crate::span::{Span, Spanned};

/// A triage tree.
#[derive(Clone, Debug)]
pub struct Triage {
    /// What is written under `triage`: one node or a list of them.
    pub root: Branch,
}

/// Where an answer leads.
#[derive(Clone, Debug)]
pub enum Branch {
    /// To one node or to several, visited in order; then on to what comes after the question.
    Nodes(Vec<TreeNode>),
    /// To what comes after the question. The place is that of the word.
    Continue(Span),
    /// To the node of this id, and not back.
    Goto(Spanned<String>),
}

/// A question or a leaf.
#[derive(Clone, Debug)]
pub struct TreeNode {
    /// The place of the whole node.
    pub span: Span,
    /// The id under `steps`.
    pub id: Option<Spanned<String>>,
    /// The structural path in its tree, such as `triage.no[2]`: unique, and the same as long as nothing is put before or around it.
    pub path: String,
    /// The id, else the structural path: the name of its question for `--answer`, tests, coverage and pictures.
    pub key: String,
    /// Visited only if true.
    pub when: Option<Expr>,
    /// Why it is asked, or how the finding is known.
    pub why: Option<Template>,
    /// Links for people.
    pub links: Vec<Link>,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A question.
    Question(TreeQuestion),
    /// A finding.
    Leaf(Leaf),
}

/// A question with the branches of its answers.
#[derive(Clone, Debug)]
pub struct TreeQuestion {
    /// The question.
    pub ask: Template,
    /// The checks that answer it by themselves: all of them must hold.
    pub check: Vec<Step>,
    /// Whether the checks' answer is taken without asking.
    pub auto: Auto,
    /// The value that is one of the choices.
    pub answer: Option<Expr>,
    /// Where the answers lead.
    pub answers: Answers,
}

/// Whether the answer of a check is taken without asking a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto {
    /// It is taken.
    #[default]
    Always,
    /// A person is asked, with it as the suggestion.
    Suggest,
    /// A person is asked, and the check is only shown.
    Never,
}

impl Auto {
    /// Every one with its word.
    pub const ALL: &'static [(&'static str, Auto)] =
        &[("always", Auto::Always), ("suggest", Auto::Suggest), ("never", Auto::Never)];
}

/// The branches of a question. One that was left out goes on to what comes after the question.
#[derive(Clone, Debug)]
pub enum Answers {
    /// Yes or no.
    YesNo {
        /// The branch of yes.
        yes: Option<Branch>,
        /// The branch of no.
        no: Option<Branch>,
        /// The branch of what nobody could tell.
        unknown: Option<Branch>,
    },
    /// One of several.
    Choices {
        /// The choices, a list.
        choices: Arg,
        /// The branches by choice.
        cases: Vec<(Spanned<String>, Branch)>,
        /// The branch of every other choice.
        default: Option<Branch>,
    },
}

/// A finding, with its evidence and what to do about it.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The stable id.
    pub finding: Spanned<String>,
    /// How bad it is: `info`, but `warning` where there is a remedy, if it is not written.
    pub severity: FindingSeverity,
    /// What is said about it.
    pub say: Option<Template>,
    /// Checks whose results are shown as evidence; none of them can fail the run.
    pub see: Vec<Step>,
    /// What to do about it.
    pub remedy: Option<Remedy>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// Nothing is wrong here.
    #[default]
    Info,
    /// A fault that can wait.
    Warning,
    /// A fault that cannot.
    Critical,
}

impl FindingSeverity {
    /// Every one with its word, the least first.
    pub const ALL: &'static [(&'static str, FindingSeverity)] =
        &[("info", FindingSeverity::Info), ("warning", FindingSeverity::Warning), ("critical", FindingSeverity::Critical)];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            FindingSeverity::Info => "info",
            FindingSeverity::Warning => "warning",
            FindingSeverity::Critical => "critical",
        }
    }

    /// Whether something is wrong.
    pub fn is_fault(self) -> bool {
        self > FindingSeverity::Info
    }
}

/// What to do about a finding. It never runs by itself.
#[derive(Clone, Debug)]
pub struct Remedy {
    /// The place of the whole remedy.
    pub span: Span,
    /// What is done.
    pub action: RemedyAction,
    /// Checks that say whether it helped.
    pub verify: Vec<Step>,
    /// How long to leave it alone after it was tried.
    pub cooldown: Option<Arg>,
    /// How often it may be tried.
    pub limit: Option<Arg>,
}

/// What a remedy does.
#[derive(Clone, Debug)]
pub enum RemedyAction {
    /// A playbook is played.
    Play {
        /// Its name as written.
        name: Spanned<String>,
        /// Its parameters.
        with: Vec<(Spanned<String>, Arg)>,
    },
    /// Steps are run.
    Steps(Vec<Step>),
}

/// The answer that a branch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerName<'a> {
    /// `yes`
    Yes,
    /// `no`
    No,
    /// `unknown`
    Unknown,
    /// A choice that has a case of its own.
    Case(&'a str),
    /// Every other choice.
    Default,
}

impl<'a> AnswerName<'a> {
    /// As written; a case is its value.
    pub fn as_str(self) -> &'a str {
        match self {
            AnswerName::Yes => "yes",
            AnswerName::No => "no",
            AnswerName::Unknown => "unknown",
            AnswerName::Case(value) => value,
            AnswerName::Default => "default",
        }
    }
}

impl TreeNode {
    /// The question, if it is one.
    pub fn question(&self) -> Option<&TreeQuestion> {
        match &self.kind {
            NodeKind::Question(question) => Some(question),
            NodeKind::Leaf(_) => None,
        }
    }

    /// The leaf, if it is one.
    pub fn leaf(&self) -> Option<&Leaf> {
        match &self.kind {
            NodeKind::Leaf(leaf) => Some(leaf),
            NodeKind::Question(_) => None,
        }
    }

    /// Its remedy, if it is a leaf that has one.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.leaf().and_then(|l| l.remedy.as_ref())
    }

    /// The checks that the walk makes here: `check` of a question, `see` of a leaf.
    pub fn checks(&self) -> &[Step] {
        match &self.kind {
            NodeKind::Question(question) => &question.check,
            NodeKind::Leaf(leaf) => &leaf.see,
        }
    }

    /// The lists of steps that are written in it, in file order: its checks, and a remedy's `steps` and `verify`.
    pub fn step_lists(&self) -> Vec<&[Step]> {
        let mut lists = vec![self.checks()];
        if let Some(remedy) = self.remedy() {
            if let RemedyAction::Steps(steps) = &remedy.action {
                lists.push(steps);
            }
            lists.push(&remedy.verify);
        }
        lists.into_iter().filter(|l| !l.is_empty()).collect()
    }
}

impl TreeQuestion {
    /// Every answer with its branch, in the order yes, no, unknown, or the cases as written and then the default. `None` is a branch that
    /// was left out; `default` is listed only if it is written.
    pub fn branches(&self) -> Vec<(AnswerName<'_>, Option<&Branch>)> {
        match &self.answers {
            Answers::YesNo { yes, no, unknown } => {
                vec![(AnswerName::Yes, yes.as_ref()), (AnswerName::No, no.as_ref()), (AnswerName::Unknown, unknown.as_ref())]
            }
            Answers::Choices { cases, default, .. } => cases
                .iter()
                .map(|(value, branch)| (AnswerName::Case(&value.value), Some(branch)))
                .chain(default.iter().map(|d| (AnswerName::Default, Some(d))))
                .collect(),
        }
    }

    /// The texts of its choices, as cases are compared with them; `None` for a yes/no question and where they are made only when the tree
    /// is walked.
    pub fn literal_choices(&self) -> Option<Vec<Spanned<String>>> {
        let Answers::Choices { choices: Arg { kind: ArgKind::List(items), .. }, .. } = &self.answers else { return None };
        let text = |item: &Arg| match &item.kind {
            ArgKind::Value(value) if !value.is_unknown() => Some(Spanned::new(value.to_string(), item.span)),
            _ => None,
        };
        items.iter().map(text).collect()
    }

    /// Whether a choice may be answered that has neither a case nor a default, so that the walk goes on.
    fn may_fall_through(&self) -> bool {
        let Answers::Choices { cases, default: None, .. } = &self.answers else { return false };
        let given: HashSet<&str> = cases.iter().map(|(value, _)| value.value.as_str()).collect();
        self.literal_choices().is_none_or(|all| all.iter().any(|choice| !given.contains(choice.value.as_str())))
    }

    /// The answer that a given text is, and its branch. A choice without a case takes the default.
    pub fn branch(&self, answer: &str) -> (AnswerName<'_>, Option<&Branch>) {
        match &self.answers {
            Answers::YesNo { yes, no, unknown } => match answer {
                "yes" => (AnswerName::Yes, yes.as_ref()),
                "no" => (AnswerName::No, no.as_ref()),
                _ => (AnswerName::Unknown, unknown.as_ref()),
            },
            Answers::Choices { cases, default, .. } => match cases.iter().find(|(value, _)| value.value == answer) {
                Some((value, branch)) => (AnswerName::Case(&value.value), Some(branch)),
                None => (AnswerName::Default, default.as_ref()),
            },
        }
    }
}

impl Triage {
    /// Every node in file order, parents first.
    pub fn nodes(&self) -> Vec<&TreeNode> {
        let mut out = Vec::new();
        collect(&self.root, &mut out);
        out
    }

    /// Every list of steps that is written in the tree, in file order, those of remedies too.
    pub fn step_lists(&self) -> Vec<&[Step]> {
        self.nodes().into_iter().flat_map(TreeNode::step_lists).collect()
    }

    /// The tree as a graph.
    pub fn graph(&self) -> TriageGraph<'_> {
        TriageGraph::new(self)
    }
}

fn collect<'a>(branch: &'a Branch, out: &mut Vec<&'a TreeNode>) {
    let Branch::Nodes(nodes) = branch else { return };
    for node in nodes {
        out.push(node);
        if let NodeKind::Question(question) = &node.kind {
            question.branches().into_iter().filter_map(|(_, b)| b).for_each(|b| collect(b, out));
        }
    }
}

/// A tree as a flat list of nodes.
#[derive(Clone, Debug)]
pub struct TriageGraph<'a> {
    /// The nodes in file order, parents first.
    pub nodes: Vec<GraphNode<'a>>,
    /// The first node of each id.
    ids: HashMap<&'a str, usize>,
    /// The nodes by address.
    places: HashMap<usize, usize>,
}

/// A node with its surroundings. Nodes are named by their index in [`TriageGraph::nodes`].
#[derive(Clone, Debug)]
pub struct GraphNode<'a> {
    /// The node.
    pub node: &'a TreeNode,
    /// The question whose branch it stands in, and the answer; none at the top.
    pub parent: Option<(usize, AnswerName<'a>)>,
    /// What comes after it: the next of its list, else what comes after its question; none is the end of the tree.
    pub next: Option<usize>,
}

/// An edge of the graph: where an answer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge<'a> {
    /// The answer; none where a leaf goes on, or where a node is passed over by its `when`.
    pub answer: Option<AnswerName<'a>>,
    /// Whether the branch is written; one that was left out goes on.
    pub written: bool,
    /// Whether it is a `goto`.
    pub goto: bool,
    /// The node; none is the end of the tree.
    pub to: Option<usize>,
}

impl<'a> TriageGraph<'a> {
    fn new(tree: &'a Triage) -> Self {
        let mut graph = TriageGraph { nodes: Vec::new(), ids: HashMap::new(), places: HashMap::new() };
        graph.add(&tree.root, None);
        // The last of a list goes on to what comes after its question. Parents stand before their children, so that theirs is known.
        for at in 0..graph.nodes.len() {
            if let GraphNode { next: None, parent: Some((parent, _)), .. } = graph.nodes[at] {
                graph.nodes[at].next = graph.nodes[parent].next;
            }
        }
        graph
    }

    fn add(&mut self, branch: &'a Branch, parent: Option<(usize, AnswerName<'a>)>) {
        let Branch::Nodes(nodes) = branch else { return };
        let mut before: Option<usize> = None;
        for node in nodes {
            let at = self.nodes.len();
            self.nodes.push(GraphNode { node, parent, next: None });
            self.places.insert(std::ptr::from_ref(node) as usize, at);
            if let Some(id) = &node.id {
                self.ids.entry(&id.value).or_insert(at);
            }
            if let Some(before) = before.replace(at) {
                self.nodes[before].next = Some(at);
            }
            if let NodeKind::Question(question) = &node.kind {
                for (answer, branch) in question.branches() {
                    if let Some(branch) = branch {
                        self.add(branch, Some((at, answer)));
                    }
                }
            }
        }
    }

    /// The node of an id.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    /// Where a branch of the node `at` leads; none is the end of the tree. A `goto` to an id that is not there ends too: the checker
    /// refuses it.
    pub fn target(&self, at: usize, branch: Option<&Branch>) -> Option<usize> {
        match branch {
            Some(Branch::Goto(id)) => self.find(&id.value),
            Some(Branch::Nodes(nodes)) if !nodes.is_empty() => {
                self.places.get(&(std::ptr::from_ref(&nodes[0]) as usize)).copied()
            }
            _ => self.nodes[at].next,
        }
    }

    /// Every way on from the node `at`: a question's answers in the order of [`TreeQuestion::branches`], then a default that was left out if
    /// a choice has no case, then `next` of a leaf or of a node that has `when`.
    pub fn edges(&self, at: usize) -> Vec<Edge<'a>> {
        let GraphNode { node, next, .. } = &self.nodes[at];
        let on = Edge { answer: None, written: false, goto: false, to: *next };
        let mut out: Vec<Edge<'a>> = match &node.kind {
            NodeKind::Leaf(_) => vec![on],
            NodeKind::Question(question) => question
                .branches()
                .into_iter()
                .map(|(answer, branch)| Edge {
                    answer: Some(answer),
                    written: branch.is_some(),
                    goto: matches!(branch, Some(Branch::Goto(_))),
                    to: self.target(at, branch),
                })
                .collect(),
        };
        if node.question().is_some_and(TreeQuestion::may_fall_through) {
            out.push(Edge { answer: Some(AnswerName::Default), ..on });
        }
        if node.when.is_some() && node.question().is_some() {
            out.push(on);
        }
        out
    }

    /// How many questions may still come after the node `at`, at most; `None` if the tree can go around from there.
    pub fn questions_after(&self, at: usize) -> Option<u32> {
        let mut known = vec![Longest::New; self.nodes.len()];
        self.longest(at, &mut known)
    }

    fn longest(&self, at: usize, known: &mut [Longest]) -> Option<u32> {
        match known[at] {
            Longest::Known(n) => return Some(n),
            Longest::Open => return None,
            Longest::New => known[at] = Longest::Open,
        }
        let mut most = 0;
        for to in self.edges(at).into_iter().filter_map(|e| e.to) {
            let asks = u32::from(self.nodes[to].node.question().is_some());
            most = most.max(asks + self.longest(to, known)?);
        }
        known[at] = Longest::Known(most);
        Some(most)
    }

    /// What comes after a finding: from `next` on, the first node that is not passed over because something was found.
    pub fn after_finding(&self, mut next: Option<usize>) -> Option<usize> {
        while let Some(at) = next {
            let GraphNode { node, next: after, .. } = self.nodes.get(at)?;
            if !node.when.as_ref().is_some_and(|when| wants_no_findings(&when.root)) {
                break;
            }
            next = *after;
        }
        next
    }
}

/// What is known of the longest way on from a node.
#[derive(Clone, Copy)]
enum Longest {
    /// Nothing yet.
    New,
    /// It is being looked for: to come here again is to go around.
    Open,
    /// So many questions.
    Known(u32),
}

/// Whether a condition does not hold once something was found: `not findings`, alone or with others.
fn wants_no_findings(node: &ExprNode) -> bool {
    match &node.kind {
        ExprKind::Not(inner) => matches!(&inner.kind, ExprKind::Var(name) if name == "findings"),
        ExprKind::And(a, b) => wants_no_findings(a) || wants_no_findings(b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(path: &str) -> TreeNode {
        let finding = Spanned::new(path.replace('.', "-"), Span::default());
        let leaf = Leaf { finding, severity: FindingSeverity::Info, say: None, see: Vec::new(), remedy: None };
        TreeNode { kind: NodeKind::Leaf(leaf), ..node(path) }
    }

    fn node(path: &str) -> TreeNode {
        question(path, None, None)
    }

    fn question(path: &str, yes: Option<Branch>, no: Option<Branch>) -> TreeNode {
        TreeNode {
            span: Span::default(),
            id: Some(Spanned::new(path.to_owned(), Span::default())),
            path: path.to_owned(),
            key: path.to_owned(),
            when: None,
            why: None,
            links: Vec::new(),
            kind: NodeKind::Question(TreeQuestion {
                ask: Template::literal("Well?", Span::default()),
                check: Vec::new(),
                auto: Auto::Always,
                answer: None,
                answers: Answers::YesNo { yes, no, unknown: None },
            }),
        }
    }

    #[test]
    fn a_node_goes_on_to_the_next_of_its_list_and_then_to_what_follows_its_question() {
        let inner = question("b", Some(Branch::Goto(Spanned::new("a".into(), Span::default()))), None);
        let no = Branch::Nodes(vec![inner, leaf("c")]);
        let tree = Triage { root: Branch::Nodes(vec![question("a", None, Some(no)), leaf("d")]) };
        let graph = tree.graph();
        let keys: Vec<&str> = graph.nodes.iter().map(|n| n.node.key.as_str()).collect();
        assert_eq!(keys, ["a", "b", "c", "d"]);
        let next: Vec<Option<usize>> = graph.nodes.iter().map(|n| n.next).collect();
        assert_eq!(next, [Some(3), Some(2), Some(3), None]);
        assert_eq!(graph.nodes[2].parent, Some((0, AnswerName::No)));
        let ends = |at| graph.edges(at).iter().map(|e| (e.answer.map_or("", AnswerName::as_str), e.to)).collect::<Vec<_>>();
        assert_eq!(ends(0), [("yes", Some(3)), ("no", Some(1)), ("unknown", Some(3))]);
        assert_eq!(ends(1), [("yes", Some(0)), ("no", Some(2)), ("unknown", Some(2))]);
        assert_eq!(ends(3), [("", None)]);
        assert!(graph.edges(1)[0].goto && graph.edges(1)[0].written && !graph.edges(1)[1].written);
    }

    #[test]
    fn the_longest_way_on_is_counted_in_questions() {
        let deep = question("b", Some(Branch::Nodes(vec![node("c"), leaf("d")])), None);
        let tree = Triage { root: Branch::Nodes(vec![question("a", None, Some(Branch::Nodes(vec![deep]))), node("e")]) };
        let graph = tree.graph();
        let left: Vec<_> = (0..graph.nodes.len()).map(|at| graph.questions_after(at)).collect();
        assert_eq!(left, [Some(3), Some(2), Some(1), Some(1), Some(0)]);
        // A tree that goes around has no bound, but what comes after the way around has.
        let around = question("b", Some(Branch::Goto(Spanned::new("a".into(), Span::default()))), None);
        let tree = Triage { root: Branch::Nodes(vec![node("a"), around, node("c")]) };
        let graph = tree.graph();
        assert_eq!([0, 1, 2].map(|at| graph.questions_after(at)), [None, None, Some(0)]);
    }

    #[test]
    fn a_choice_without_a_case_takes_the_default() {
        let mut node = node("a");
        let NodeKind::Question(question) = &mut node.kind else { panic!("a question") };
        let case = |word: &str, to: &str| {
            (Spanned::new(word.to_owned(), Span::default()), Branch::Goto(Spanned::new(to.to_owned(), Span::default())))
        };
        question.answers = Answers::Choices {
            choices: Arg::literal(crate::value::Value::Null, Span::default()),
            cases: vec![case("slow", "x")],
            default: None,
        };
        assert_eq!(question.branch("slow").0, AnswerName::Case("slow"));
        assert!(matches!(question.branch("fast"), (AnswerName::Default, None)));
        assert_eq!(question.branches().len(), 1);
    }
}
