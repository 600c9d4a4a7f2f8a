//! Triage trees.

use runbook_core::model::{
    AnswerName, Answers, Auto, Branch, GraphNode, Leaf, NodeKind, Remedy, RemedyAction, Step, TreeNode, TreeQuestion, Triage,
    TriageGraph,
};
use runbook_core::value::Value;

use super::steps::one_line;
use super::{Builder, EdgeKind, Entry, Kind, Limb, Node};
use crate::human;
use crate::step_words as step_text;

impl Builder<'_> {
    /// A tree: its questions and findings, and where each answer leads.
    pub(super) fn tree(&mut self, tree: &Triage, before: Option<usize>) -> Vec<Entry> {
        let graph = tree.graph();
        let base = self.picture.nodes.len();
        for (i, GraphNode { node, .. }) in graph.nodes.iter().enumerate() {
            let made = self.tree_node(node, i + 1);
            self.add(made);
        }
        for (i, GraphNode { node, next, .. }) in graph.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Question(question) => self.answers(&graph, i, question, base),
                NodeKind::Leaf(_) => {
                    if let Some(to) = graph.after_finding(*next) {
                        self.link(base + i, base + to, "", EdgeKind::Then);
                    }
                }
            }
        }
        if let (Some(before), false) = (before, graph.nodes.is_empty()) {
            self.link(before, base, "", EdgeKind::Next);
        }
        let mut next = base;
        self.outline_of(&tree.root, &graph, base, None, &mut next)
    }

    fn tree_node(&self, node: &TreeNode, number: usize) -> Node {
        let mut notes: Vec<String> = node.when.iter().map(|when| format!("only if {}", one_line(when))).collect();
        let (kind, word, label, what) = match &node.kind {
            NodeKind::Question(question) => {
                notes.extend(self.how_answered(question));
                let single = question.check.first().filter(|_| question.check.len() == 1);
                let what = single.map(|check| self.check(check)).unwrap_or_default();
                (Kind::Question, "question".to_owned(), self.known.text(&question.ask), what)
            }
            NodeKind::Leaf(leaf) => {
                notes.extend(self.about_finding(leaf));
                (Kind::Finding(leaf.severity), leaf.severity.word().to_owned(), leaf.finding.value.clone(), String::new())
            }
        };
        Node {
            id: node.key.clone(),
            number: number.to_string(),
            kind,
            word,
            label,
            what,
            notes,
            place: self.place(node.span),
            ..Node::default()
        }
    }

    /// A check in one line: what it runs and what it expects.
    fn check(&self, check: &Step) -> String {
        let what = step_text::what(check, &self.known, self.registry);
        let expect: Vec<String> = check.expect.iter().map(one_line).collect();
        if expect.is_empty() { what } else { format!("{what}: {}", expect.join(" and ")) }
    }

    fn how_answered(&self, question: &TreeQuestion) -> Vec<String> {
        let mut notes: Vec<String> = match question.check.as_slice() {
            [] | [_] => Vec::new(),
            several => several.iter().map(|c| self.check(c)).collect(),
        };
        if let Some(answer) = &question.answer {
            notes.push(format!("the answer is {}", one_line(answer)));
        }
        match (question.check.is_empty() && question.answer.is_none(), question.auto) {
            (true, _) | (_, Auto::Never) => notes.push("a person answers".to_owned()),
            (false, Auto::Suggest) => notes.push("a person confirms the answer".to_owned()),
            (false, Auto::Always) => {}
        }
        notes
    }

    fn about_finding(&self, leaf: &Leaf) -> Vec<String> {
        let mut notes: Vec<String> = leaf.say.iter().map(|say| self.known.text(say).trim().to_owned()).collect();
        if !leaf.see.is_empty() {
            let names: Vec<String> = leaf.see.iter().map(|s| step_text::what(s, &self.known, self.registry)).collect();
            notes.push(format!("see: {}", human::and_list(&names)));
        }
        notes.extend(leaf.remedy.as_ref().map(|r| format!("remedy: {}", self.remedy(r))));
        notes
    }

    fn remedy(&self, remedy: &Remedy) -> String {
        match &remedy.action {
            RemedyAction::Play { name, with } => {
                let with: Vec<String> = with.iter().map(|(k, v)| format!("{}: {}", k.value, self.known.line(v))).collect();
                let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
                format!("play {}{with}", name.value)
            }
            RemedyAction::Steps(steps) => step_text::names(steps, &self.known, self.registry),
        }
    }

    /// The edges of a question.
    fn answers(&mut self, graph: &TriageGraph<'_>, at: usize, question: &TreeQuestion, base: usize) {
        let mut branches: Vec<(String, Option<&Branch>)> = Vec::new();
        for (answer, branch) in question.branches() {
            // Without a branch of its own, what nobody could tell is asked of a person.
            if branch.is_none() && answer == AnswerName::Unknown {
                continue;
            }
            branches.push((self.answer(answer), branch));
        }
        if !self.all_cases(&question.answers) {
            branches.push(("otherwise".to_owned(), None));
        }
        // Answers that lead to the same place share an edge.
        let mut ways: Vec<(Option<usize>, EdgeKind, Vec<String>)> = Vec::new();
        for (label, branch) in branches {
            let kind = if matches!(branch, Some(Branch::Goto(_))) { EdgeKind::Goto } else { EdgeKind::Answer };
            let to = graph.target(at, branch);
            match ways.iter_mut().find(|(t, k, _)| *t == to && *k == kind) {
                Some((_, _, labels)) => labels.push(label),
                None => ways.push((to, kind, vec![label])),
            }
        }
        for (to, kind, labels) in ways {
            let to = match to {
                Some(to) => base + to,
                None => self.add(Node {
                    id: format!("{}.end", graph.nodes[at].node.key),
                    kind: Kind::Stop,
                    word: "end".to_owned(),
                    label: "nothing more to ask".to_owned(),
                    ..Node::default()
                }),
            };
            self.link(base + at, to, &labels.join(" or "), kind);
        }
    }

    fn answer(&self, answer: AnswerName<'_>) -> String {
        match answer {
            AnswerName::Default => "otherwise".to_owned(),
            other => other.as_str().to_owned(),
        }
    }

    /// Whether every answer has a branch, written or not.
    fn all_cases(&self, answers: &Answers) -> bool {
        let Answers::Choices { choices, cases, default } = answers else { return true };
        let has = |choice: &Value| cases.iter().any(|(case, _)| choice.to_string() == case.value);
        default.is_some() || matches!(self.known.value(choices), Value::List(all) if all.iter().all(has))
    }

    fn outline_of(
        &self,
        branch: &Branch,
        graph: &TriageGraph<'_>,
        base: usize,
        after: Option<usize>,
        next: &mut usize,
    ) -> Vec<Entry> {
        let nodes = match branch {
            Branch::Nodes(nodes) => nodes,
            Branch::Continue(_) => return vec![Entry::GoOn(after)],
            Branch::Goto(id) => return graph.find(&id.value).map(|to| Entry::See(base + to)).into_iter().collect(),
        };
        let mut entries = Vec::with_capacity(nodes.len());
        for node in nodes {
            let at = *next;
            *next += 1;
            let mut limbs = Vec::new();
            let after = graph.nodes[at - base].next.map(|n| base + n);
            if let NodeKind::Question(question) = &node.kind {
                for (answer, branch) in question.branches() {
                    if branch.is_none() && answer == AnswerName::Unknown {
                        continue;
                    }
                    let entries = match branch {
                        Some(branch) => self.outline_of(branch, graph, base, after, next),
                        None => vec![Entry::GoOn(after)],
                    };
                    limbs.push(Limb { label: self.answer(answer), entries });
                }
                if !self.all_cases(&question.answers) {
                    limbs.push(Limb { label: "otherwise".to_owned(), entries: vec![Entry::GoOn(after)] });
                }
            }
            entries.push(Entry::Node { node: at, limbs });
        }
        entries
    }
}
