//! The shape of a triage tree: every node is reached, every question decides something, and every walk comes to an end.

use std::collections::{HashMap, HashSet};

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::{Expr, ExprKind, ExprNode};
use runbook_core::model::{AnswerName, Answers, Arg, Branch, TreeNode, TreeQuestion, Triage, TriageGraph};
use runbook_core::span::{Span, Spanned};
use runbook_core::suggest::nearest;

use super::expr::Checker;
use super::graph;
use super::scope::What;

/// So many names are looked through for what was meant, and so many slips of one kind are told: a bound for absurd files.
const NAMES: usize = 500;

/// Words for "every other choice" that are written where a choice is.
const OTHERWISE: &[&str] = &["default", "else", "otherwise", "other", "*", "_"];

impl Checker<'_, '_> {
    /// Everything about the shape of a tree. `whole` says that nothing had to be left out of it, so that what is not there is certain.
    pub(crate) fn tree_shape(&mut self, tree: &Triage, whole: bool) {
        let graph = tree.graph();
        let mut lost = Vec::new();
        for node in &graph.nodes {
            let Some(question) = node.node.question() else { continue };
            self.choices(question);
            for (_, branch) in question.branches() {
                if let Some(Branch::Goto(id)) = branch
                    && graph.find(&id.value).is_none()
                {
                    lost.push(id);
                }
            }
        }
        let gotos = lost.is_empty();
        self.dangling(&lost, &graph);
        if !whole || graph.nodes.is_empty() {
            return;
        }
        if graph.nodes.iter().all(|n| n.node.question().is_none()) {
            self.out.push(
                Diagnostic::error(Code::DeadEnd, place(graph.nodes[0].node), "a triage tree that asks nothing")
                    .help("begin with a question: `ask: ...`, and put the finding under one of its answers"),
            );
            return;
        }
        self.dead_ends(&graph);
        if gotos {
            self.unreachable(&graph);
            self.no_exit(&graph);
        }
    }

    /// Every `goto` to an id that no node has.
    fn dangling(&mut self, lost: &[&Spanned<String>], graph: &TriageGraph<'_>) {
        let nodes = || graph.nodes.iter().map(|n| n.node);
        let names: Vec<&str> = nodes().filter_map(|n| n.id.as_ref()).map(|i| i.value.as_str()).take(NAMES).collect();
        let leaves: HashMap<&str, &TreeNode> = nodes().filter_map(|n| Some((n.leaf()?.finding.value.as_str(), n))).collect();
        for id in lost.iter().filter(|id| !self.lost.names.contains(&id.value)).take(NAMES) {
            let diagnostic = Diagnostic::error(Code::UnknownNode, id.span, format!("there is no node `{}`", id.value));
            let step = self.scope.ids.get(id.value.as_str()).filter(|k| matches!(k.what, What::Step(_)));
            self.out.push(if let Some(leaf) = leaves.get(id.value.as_str()) {
                diagnostic.also(place(leaf), "the leaf").help(format!("it is a finding: give its leaf an id, `id: {}`", id.value))
            } else if let Some(known) = step {
                diagnostic.also(known.span, "the step").help("it is a step; `goto` leads to a question or a leaf")
            } else if let Some(near) = nearest(&id.value, names.iter().copied()) {
                diagnostic.help(format!("did you mean `{near}`?"))
            } else if names.is_empty() {
                diagnostic.help(format!("give the node that is meant an id: `id: {}`", id.value))
            } else {
                diagnostic.help(format!("the nodes are {}", names.iter().take(20).copied().collect::<Vec<_>>().join(", ")))
            });
        }
    }

    /// Questions none of whose answers leads anywhere.
    fn dead_ends(&mut self, graph: &TriageGraph<'_>) {
        for node in &graph.nodes {
            let Some(question) = node.node.question() else { continue };
            let leads = |b: Option<&Branch>| match b {
                Some(Branch::Nodes(nodes)) => !nodes.is_empty(),
                Some(Branch::Goto(_)) => true,
                Some(Branch::Continue(_)) | None => false,
            };
            if question.branches().into_iter().any(|(_, b)| leads(b)) {
                continue;
            }
            // What was answered may decide what comes later.
            let used = node.node.id.as_ref().is_none_or(|id| self.used_ids.as_ref().is_none_or(|u| u.contains(&id.value)));
            if node.node.id.is_some() && used {
                continue;
            }
            let help = match &question.answers {
                Answers::YesNo { .. } => "give it `yes:` or `no:`, such as `no: { finding: ID }`",
                Answers::Choices { .. } => "give a choice its case, such as `cases: { CHOICE: { finding: ID } }`",
            };
            let message = "none of the answers to this question leads anywhere";
            self.out.push(Diagnostic::error(Code::DeadEnd, place(node.node), message).help(help));
        }
    }

    /// Nodes that no walk comes to; of several that hang together the first.
    fn unreachable(&mut self, graph: &TriageGraph<'_>) {
        let reached = reached(graph);
        let mut siblings: HashMap<usize, usize> = HashMap::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            if let Some(next) = node.next.filter(|n| graph.nodes[*n].parent == node.parent) {
                siblings.insert(next, at);
            }
        }
        for (at, node) in graph.nodes.iter().enumerate() {
            let before = siblings.get(&at).copied();
            let parent_reached = node.parent.is_none_or(|(p, _)| reached[p]);
            if reached[at] || !parent_reached || before.is_some_and(|b| !reached[b]) {
                continue;
            }
            let message = match node.node.leaf() {
                Some(leaf) => format!("the finding `{}` is never reached", leaf.finding.value),
                None => "this question is never reached".to_owned(),
            };
            let mut diagnostic = Diagnostic::error(Code::UnreachableNode, place(node.node), message);
            if let Some(before) = before {
                diagnostic = diagnostic.also(place(graph.nodes[before].node), "every answer to this one leads elsewhere");
            }
            self.out.push(diagnostic.help("let an answer before it `continue`, or `goto` it by an id, or take it out"));
        }
    }

    /// Cycles that nothing leads out of.
    fn no_exit(&mut self, graph: &TriageGraph<'_>) {
        // An answer that was left out because somebody always knows is no way out.
        let ways = |at: usize| graph.edges(at).into_iter().filter(|e| e.written || e.answer != Some(AnswerName::Unknown));
        let mut comes_to_end = vec![false; graph.nodes.len()];
        let mut back: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
        let mut todo = Vec::new();
        for at in 0..graph.nodes.len() {
            for way in ways(at) {
                match way.to {
                    Some(to) => back[to].push(at),
                    None => todo.push(at),
                }
            }
        }
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut comes_to_end[at], true) {
                todo.extend(&back[at]);
            }
        }
        let reached = reached(graph);
        let stuck = |at: usize| reached[at] && !comes_to_end[at];
        let edges = (0..graph.nodes.len())
            .map(|at| match stuck(at) {
                true => ways(at).filter_map(|w| w.to).filter(|to| stuck(*to)).map(|to| (to, way_span(graph, at, to))).collect(),
                false => Vec::new(),
            })
            .collect();
        let name = |at: usize| graph.nodes[at].node.key.clone();
        for cycle in graph::cycles(&edges) {
            let help = "no answer leads out of it: give one of them a branch that ends, such as `no: { finding: ID }`";
            if let Some(mut diagnostic) = graph::report(&cycle, &name, "leads to", help) {
                diagnostic.code = Code::NoExit;
                self.out.push(diagnostic);
            }
        }
    }

    /// The choices of a question and its cases.
    fn choices(&mut self, question: &TreeQuestion) {
        let Answers::Choices { choices, cases, default } = &question.answers else { return };
        let choosable = |word: &str| question.literal_choices().is_some_and(|l| l.iter().any(|c| c.value == word));
        if let (Some((case, _)), Some(default)) = (cases.iter().find(|(v, _)| v.value == "default"), default)
            && !choosable("default")
        {
            self.out.push(
                Diagnostic::error(Code::Conflict, case.span, "two defaults")
                    .also(branch_span(default).unwrap_or(case.span), "the other one")
                    .help("keep the `default:` beside `cases:`"),
            );
            return;
        }
        let Some(known) = self.distinct(question, choices) else { return };
        let texts: HashSet<&str> = known.iter().map(|(t, _)| t.as_str()).collect();
        for (case, _) in cases.iter().filter(|(case, _)| !texts.contains(case.value.as_str())).take(NAMES) {
            let mut diagnostic = Diagnostic::error(
                Code::BadChoice,
                case.span,
                format!("`{}` is none of the choices, so it never comes", case.value),
            )
            .also(choices.span, "the choices");
            diagnostic = if OTHERWISE.contains(&case.value.as_str()) {
                diagnostic.help("for every other choice write `default:` beside `cases:`")
            } else {
                match nearest(&case.value, known.iter().map(|(t, _)| t.as_str()).take(NAMES)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => {
                        let all: Vec<&str> = known.iter().map(|(t, _)| t.as_str()).take(20).collect();
                        diagnostic.help(format!("the choices are {}", all.join(", ")))
                    }
                }
            };
            self.out.push(diagnostic);
        }
        let given: HashSet<&str> = cases.iter().map(|(v, _)| v.value.as_str()).collect();
        let missing: Vec<&(String, Span)> = known.iter().filter(|(t, _)| !given.contains(t.as_str())).collect();
        match (missing.as_slice(), default) {
            ([], Some(default)) => {
                let span = branch_span(default).unwrap_or(choices.span);
                self.out.push(
                    Diagnostic::error(Code::UnreachableNode, span, "`default` is never taken: every choice has a case")
                        .also(choices.span, "the choices")
                        .help("take `default` out"),
                );
            }
            ([(_, first), ..], None) if !cases.is_empty() => {
                let names: Vec<&str> = missing.iter().map(|(t, _)| t.as_str()).take(20).collect();
                let what = if names.len() == 1 { "this choice has" } else { "these choices have" };
                self.out.push(
                    Diagnostic::error(Code::CasesMissing, *first, format!("{what} no case: {}", names.join(", ")))
                        .help("add a case, `continue` if it needs nothing more, or `default:` beside `cases:`"),
                );
            }
            _ => {}
        }
        if let Some(answer) = &question.answer {
            self.constant_answers(answer, &known);
        }
    }

    /// Literal choices, each once; `None` if they are not known before the walk.
    fn distinct(&mut self, question: &TreeQuestion, choices: &Arg) -> Option<Vec<(String, Span)>> {
        let listed = question.literal_choices()?;
        if listed.is_empty() {
            self.out.push(
                Diagnostic::error(Code::WrongType, choices.span, "there is nothing to choose from")
                    .help("list the answers: `choices: [a, b]`"),
            );
            return None;
        }
        let mut known: Vec<(String, Span)> = Vec::new();
        let mut seen: HashMap<String, Span> = HashMap::new();
        for Spanned { value: text, span } in listed {
            match seen.get(&text) {
                Some(first) => self.out.push(
                    Diagnostic::error(Code::Conflict, span, format!("the choice `{text}` is listed twice"))
                        .also(*first, "first listed here")
                        .help("take one of them out: a case could not tell them apart"),
                ),
                None => {
                    seen.insert(text.clone(), span);
                    known.push((text, span));
                }
            }
        }
        Some(known)
    }

    /// Texts that `answer` certainly gives, held against the choices.
    fn constant_answers(&mut self, answer: &Expr, known: &[(String, Span)]) {
        let mut constants: Vec<&ExprNode> = Vec::new();
        collect_constants(&answer.root, &mut constants);
        for node in constants {
            let ExprKind::Const(value) = &node.kind else { continue };
            let Some(text) = value.as_str() else { continue };
            if known.iter().any(|(t, _)| t == text) {
                continue;
            }
            let diagnostic =
                Diagnostic::error(Code::BadChoice, answer.span_of(&node.range), format!("`{text}` is none of the choices"));
            self.out.push(match nearest(text, known.iter().map(|(t, _)| t.as_str())) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("a person would be asked: add it to `choices`, or give one of them"),
            });
        }
    }
}

/// Where a node is pointed at: its question or its finding.
fn place(node: &TreeNode) -> Span {
    match (node.question(), node.leaf()) {
        (Some(question), _) => question.ask.span,
        (_, Some(leaf)) => leaf.finding.span,
        _ => node.span.at_start(),
    }
}

fn branch_span(branch: &Branch) -> Option<Span> {
    match branch {
        Branch::Nodes(nodes) => nodes.first().map(place),
        Branch::Continue(span) => Some(*span),
        Branch::Goto(id) => Some(id.span),
    }
}

/// The place of the way from one node to another: the `goto`, else the node that the way begins at.
fn way_span(graph: &TriageGraph<'_>, at: usize, to: usize) -> Span {
    let node = graph.nodes[at].node;
    let branches = node.question().map(TreeQuestion::branches).unwrap_or_default();
    branches
        .into_iter()
        .find_map(|(_, b)| match b {
            Some(Branch::Goto(id)) if graph.find(&id.value) == Some(to) => Some(id.span),
            _ => None,
        })
        .unwrap_or_else(|| place(node))
}

/// Which nodes some walk comes to.
fn reached(graph: &TriageGraph<'_>) -> Vec<bool> {
    let mut reached = vec![false; graph.nodes.len()];
    let mut todo = vec![0];
    while let Some(at) = todo.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            todo.extend(graph.edges(at).into_iter().filter_map(|e| e.to));
        }
    }
    reached
}

/// The constants that an expression may give as a whole.
fn collect_constants<'e>(node: &'e ExprNode, out: &mut Vec<&'e ExprNode>) {
    match &node.kind {
        ExprKind::Const(_) => out.push(node),
        ExprKind::If(..) => {
            let children: Vec<&ExprNode> = node.children().into_iter().collect();
            // The condition is not a value.
            children.into_iter().skip(1).for_each(|c| collect_constants(c, out));
        }
        _ => {}
    }
}
