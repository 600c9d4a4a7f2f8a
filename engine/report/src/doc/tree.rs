//! A triage tree: questions with how to find the answer and where it leads, then the findings with what to do.

use runbook_core::model::{
    AnswerName, Answers, Arg, Auto, Edge, FindingSeverity, GraphNode, Leaf, NodeKind, Remedy, RemedyAction, Step, TreeNode,
    TreeQuestion, Triage, TriageGraph,
};
use runbook_core::value::Value;

use super::md::Md;
use super::{Doc, md, place};
use crate::human;
use crate::known::{show, words};

impl Doc<'_> {
    pub(super) fn triage(&self, md: &mut Md, tree: &Triage) {
        let graph = tree.graph();
        md.heading(2, "", "Questions");
        let first = if graph.nodes.is_empty() { String::new() } else { format!(" Begin with {}.", self.node(&graph, 0)) };
        md.block(&format!(
            "{}Write down every finding on the way. At the end take care of the worst one first, then ask from the beginning again.",
            if first.is_empty() { String::new() } else { format!("{} Answer a question, and go where the answer leads. ", first.trim()) }
        ));
        for (at, GraphNode { node, .. }) in graph.nodes.iter().enumerate() {
            if let NodeKind::Question(question) = &node.kind {
                self.question(md, &graph, at, node, question);
            }
        }
        if graph.nodes.iter().any(|n| n.node.leaf().is_some()) {
            md.heading(2, "", "Findings");
        }
        for (at, GraphNode { node, .. }) in graph.nodes.iter().enumerate() {
            if let NodeKind::Leaf(leaf) = &node.kind {
                self.finding(md, &graph, at, node, leaf);
            }
        }
    }

    /// A link to a question or finding.
    fn node(&self, graph: &TriageGraph<'_>, at: usize) -> String {
        let number = place::of_node(&graph.nodes, at);
        let place = self.at(&number);
        match &graph.nodes[at].node.kind {
            NodeKind::Question(q) => format!("[{number}. {}](#{place})", md::line(&self.known.text(&q.ask))),
            NodeKind::Leaf(leaf) => {
                format!("[{number}. {}](#{place}) ({})", md::line(&leaf.finding.value), severity(leaf.severity))
            }
        }
    }

    /// Where an edge leads: past nodes that are left out, each with its condition.
    fn way(&self, graph: &TriageGraph<'_>, to: Option<usize>) -> String {
        match to {
            Some(to) => self.node(graph, to),
            None => "the end: nothing more to ask".to_owned(),
        }
    }

    fn only_if(&self, md: &mut Md, graph: &TriageGraph<'_>, at: usize) {
        let GraphNode { node, next, .. } = &graph.nodes[at];
        if let Some(when) = &node.when {
            let otherwise = match next {
                Some(to) => format!("go on with {}", self.node(graph, *to)),
                None => "that is the end: there is nothing more to ask".to_owned(),
            };
            md.block(&format!("**Only if** {}. Otherwise {otherwise}.", self.condition(when, &self.known)));
        }
    }

    fn question(&self, md: &mut Md, graph: &TriageGraph<'_>, at: usize, node: &TreeNode, question: &TreeQuestion) {
        let number = place::of_node(&graph.nodes, at);
        md.heading(3, &self.at(&number), &format!("{number}. {}", md::line(&self.known.text(&question.ask))));
        self.only_if(md, graph, at);
        if let Some(why) = &node.why {
            md.block(&md::prose(&self.known.text(why)));
        }
        let yes_no = matches!(question.answers, Answers::YesNo { .. });
        self.how(md, question, yes_no);
        let mut lines = Vec::new();
        for Edge { answer, written, to, .. } in graph.edges(at) {
            let answer = match answer {
                Some(AnswerName::Unknown) if !written => continue,
                Some(AnswerName::Unknown) => "cannot be told".to_owned(),
                Some(AnswerName::Default) => "anything else".to_owned(),
                Some(answer) => md::line(answer.as_str()),
                None => continue,
            };
            lines.push(format!("**{answer}** → {}", self.way(graph, to)));
        }
        md.bullets(&lines);
        let links: Vec<String> = node.links.iter().map(|l| md::link(&l.title, &l.url)).collect();
        if !links.is_empty() {
            md.block(&format!("See also: {}.", links.join(", ")));
        }
    }

    /// How the answer is found.
    fn how(&self, md: &mut Md, question: &TreeQuestion, yes_no: bool) {
        for check in &question.check {
            if question.check.len() > 1 || check.name.is_some() {
                md.block(&format!("**{}**", self.title(check, &self.known)));
            }
            self.check(md, check);
        }
        match (question.check.len(), yes_no) {
            (0, true) => md.block("Nothing can be typed to find this out: look, or ask somebody who knows."),
            (0, false) if question.answer.is_none() => {
                md.block("Nothing can be typed to find this out: look, or ask somebody who knows.");
            }
            (1, true) => md.block("If so, the answer is yes. If the command itself cannot be run, ask somebody who knows."),
            (_, true) => {
                md.block(
                    "If all of that is so, the answer is yes. If one of the commands cannot be run, ask somebody who knows.",
                );
            }
            (_, false) => {}
        }
        if let Some(answer) = &question.answer {
            md.block(&format!("The answer is {}.", self.derived(answer, &self.known)));
        }
        match question.auto {
            Auto::Suggest if !question.check.is_empty() => md.block("Do not trust that alone: it is only a hint."),
            Auto::Never if !question.check.is_empty() => md.block("That does not answer it: decide yourself."),
            _ => {}
        }
        if let Answers::Choices { choices, .. } = &question.answers {
            let all = match self.known.value(choices) {
                Value::List(all) => {
                    human::and_list(&all.iter().map(|c| md::code(&words(&show(c)))).collect::<Vec<_>>()).replace(" and ", " or ")
                }
                _ => written(choices).unwrap_or_else(|| md::code(&self.known.line(choices))),
            };
            md.block(&format!("It is one of {all}."));
        }
    }

    /// A check inside of a tree.
    fn check(&self, md: &mut Md, check: &Step) {
        let known = self.known.in_pass(check);
        if let Some(when) = &check.when {
            md.block(&format!("Only if {}:", self.condition(when, &known)));
        }
        self.step_body(md, check);
    }

    fn finding(&self, md: &mut Md, graph: &TriageGraph<'_>, at: usize, node: &TreeNode, leaf: &Leaf) {
        let number = place::of_node(&graph.nodes, at);
        let title = format!("{number}. {} ({})", md::line(&leaf.finding.value), severity(leaf.severity));
        md.heading(3, &self.at(&number), &title);
        self.only_if(md, graph, at);
        if let Some(say) = &leaf.say {
            md.block(&md::prose(&self.known.text(say)));
        }
        if let Some(why) = &node.why {
            md.block(&md::prose(&self.known.text(why)));
        }
        if !leaf.see.is_empty() {
            md.block("**Look at** this, and keep it with the finding:");
            for step in &leaf.see {
                if leaf.see.len() > 1 || step.name.is_some() {
                    md.block(&format!("**{}**", self.title(step, &self.known)));
                }
                self.step_body(md, step);
            }
        }
        if let Some(remedy) = &leaf.remedy {
            self.remedy(md, remedy, &number);
        }
        let links: Vec<String> = node.links.iter().map(|l| md::link(&l.title, &l.url)).collect();
        if !links.is_empty() {
            md.block(&format!("See also: {}.", links.join(", ")));
        }
        md.block(&match graph.after_finding(graph.nodes[at].next) {
            Some(to) => format!("Then go on with {}.", self.node(graph, to)),
            None => "Then that is the end: there is nothing more to ask.".to_owned(),
        });
    }

    fn remedy(&self, md: &mut Md, remedy: &Remedy, number: &str) {
        match &remedy.action {
            RemedyAction::Play { name, with } => {
                md.block(&format!(
                    "**What to do**, when all questions are answered: what the runbook {} says{}",
                    self.runbook(&name.value),
                    self.given_with(with, &self.known)
                ));
            }
            RemedyAction::Steps(steps) => {
                md.block("**What to do**, when all questions are answered:");
                self.steps(md, steps, &format!("{number}."), 4, &self.known);
            }
        }
        if !remedy.verify.is_empty() {
            md.block("**It helped** if:");
            self.steps(md, &remedy.verify, &format!("{number}.V"), 4, &self.known);
        }
        let mut limits = Vec::new();
        if let Some(limit) = &remedy.limit {
            limits.push(format!("Do this no more than {} times.", self.value(&self.known, limit)));
        }
        if let Some(cooldown) = &remedy.cooldown {
            limits.push(format!("Before you do it again, wait {}.", self.value(&self.known, cooldown)));
        }
        md.block(&limits.join(" "));
    }

    /// A step that stands in a tree, without a number of its own.
    fn step_body(&self, md: &mut Md, step: &Step) {
        self.step(md, &Step { name: None, when: None, ..step.clone() }, "", 4, &self.known);
    }
}

/// An expression as it is written, for what is known only when it is asked.
fn written(arg: &Arg) -> Option<String> {
    arg.exprs().first().map(|expr| md::code(&expr.text))
}

fn severity(severity: FindingSeverity) -> &'static str {
    match severity {
        FindingSeverity::Info => "nothing is wrong",
        FindingSeverity::Warning => "warning",
        FindingSeverity::Critical => "critical",
    }
}
