//! Triage trees: questions, leaves, and where answers lead.

use std::collections::HashMap;

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{
    Answers, Auto, Branch, FindingSeverity, Leaf, NodeKind as TreeKind, Remedy, RemedyAction, TreeNode, TreeQuestion, Triage,
};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::Spanned;
use runbook_core::suggest::nearest;

use super::fields::head;
use super::names::Naming;
use super::reader::has_template;
use super::step::Ground;
use super::{Fields, Reader};
use crate::keys::{self, GOTO, LEAF, QUESTION, REMEDY, Where};

/// What a node looks like when it says neither `ask` nor `finding`: keys that only a question has, and only a leaf.
const OF_QUESTION: &[&str] = &["check", "answer", "auto", "yes", "no", "unknown", "choices", "cases", "default"];
const OF_LEAF: &[&str] = &["severity", "say", "see", "remedy"];

impl Reader<'_> {
    /// What stands under `triage`.
    pub(crate) fn triage(&mut self, node: &Node) -> Triage {
        let help = "begin with a question: `ask: ...`, and its answers `yes:` and `no:` beside it";
        let root = match &node.kind {
            NodeKind::Map(entries) if entries.iter().any(|(k, _)| k.value == "goto") => {
                let message = "a tree cannot begin with `goto`";
                self.out.push(Diagnostic::error(Code::NotAllowedHere, head(node), message).help(help));
                None
            }
            NodeKind::Map(entries) if !entries.is_empty() => Some(self.nodes_at(node, "triage")),
            NodeKind::List(items) if !items.is_empty() => Some(self.nodes_at(node, "triage")),
            _ => {
                let found = match &node.kind {
                    _ if node.is_null() => "nothing",
                    NodeKind::List(_) => "an empty list",
                    NodeKind::Map(_) => "an empty map",
                    NodeKind::Scalar(_) => node.describe(),
                };
                let message = format!("`triage` is a node or a list of nodes, found {found}");
                self.out.push(Diagnostic::error(Code::WrongType, node.span, message).help(help));
                None
            }
        };
        Triage { root: Branch::Nodes(root.unwrap_or_default()) }
    }

    /// A branch.
    fn branch(&mut self, node: &Node, key: &str, path: &str) -> Branch {
        match &node.kind {
            NodeKind::Map(entries) if entries.iter().any(|(k, _)| k.value == "goto") => {
                let id = self.fields(node, &GOTO, None).and_then(|f| f.get("goto")).and_then(|n| self.text(n, "goto"));
                match id {
                    Some(id) => Branch::Goto(id),
                    None => Branch::Continue(node.span),
                }
            }
            NodeKind::Map(_) => Branch::Nodes(self.nodes_at(node, path)),
            NodeKind::List(items) => {
                if items.is_empty() {
                    let message = format!("`{key}` leads nowhere");
                    self.out.push(
                        Diagnostic::error(Code::WrongType, node.span, message)
                            .help("write a node below it, or `continue` to go on to what comes after the question"),
                    );
                }
                Branch::Nodes(self.nodes_at(node, path))
            }
            NodeKind::Scalar(s) if s.text == "continue" => Branch::Continue(node.span),
            NodeKind::Scalar(s) => {
                let message =
                    format!("`{key}` leads to a node, a list of nodes, `continue` or `{{goto: ID}}`, found {}", node.describe());
                let word = s.text.strip_prefix("goto").map_or(s.text.as_str(), |rest| rest.trim_start_matches([':', ' ']));
                let help = if nearest(&s.text, ["continue"]).is_some() {
                    "did you mean `continue`?".to_owned()
                } else if node.as_str().is_some() && !word.is_empty() && word.len() <= 64 && !word.contains(char::is_whitespace) {
                    format!(
                        "to go to a node write `{key}: {{ goto: {word} }}`, to name what was found `{key}: {{ finding: {word} }}`"
                    )
                } else {
                    format!("to say what was found write `{key}: {{ finding: ID, say: TEXT }}`")
                };
                self.out.push(Diagnostic::error(Code::WrongType, node.span, message).help(help));
                Branch::Continue(node.span)
            }
        }
    }

    /// One node, or the nodes of a list.
    fn nodes_at(&mut self, node: &Node, path: &str) -> Vec<TreeNode> {
        match node.as_list() {
            Some(items) => {
                items.iter().enumerate().filter_map(|(i, item)| self.tree_node(item, format!("{path}[{}]", i + 1))).collect()
            }
            None => self.tree_node(node, path.to_owned()).into_iter().collect(),
        }
    }

    fn tree_node(&mut self, node: &Node, path: String) -> Option<TreeNode> {
        let made = self.whole_node(node, path);
        if made.is_none() {
            self.lose(node);
        }
        made
    }

    fn whole_node(&mut self, node: &Node, path: String) -> Option<TreeNode> {
        let Some(entries) = node.as_map() else {
            let diagnostic =
                Diagnostic::error(Code::WrongType, head(node), format!("a node is a map, found {}", node.describe()));
            self.out.push(match node.as_str() {
                Some("continue") => diagnostic.help("in a list it stands for nothing: leave it out"),
                _ => diagnostic.help("a node is a question such as `ask: Is it up?`, or a leaf such as `finding: not-started`"),
            });
            return None;
        };
        if let Some((key, _)) = entries.iter().find(|(k, _)| k.value == "goto") {
            self.out.push(
                Diagnostic::error(Code::NotAllowedHere, key.span, "`goto` stands alone as an answer's branch")
                    .help("give it to an answer of the question before it, such as `yes: { goto: ID }`"),
            );
            return None;
        }
        let fields = Fields::new(node);
        let question = self.is_question(&fields)?;
        let fields = self.fields(node, if question { &QUESTION } else { &LEAF }, Some(Where::Node))?;
        let id = fields.get("id").and_then(|n| self.text(n, "id")).filter(|id| self.name(id, Naming::Id));
        let when = fields.get("when").and_then(|n| self.expr(n, "when"));
        let why = fields.get("why").and_then(|n| self.template(n, "why"));
        let links = self.links(fields.get("links"));
        let kind =
            if question { TreeKind::Question(self.question(&fields, &path)?) } else { TreeKind::Leaf(self.leaf(&fields)?) };
        let key = id.as_ref().map_or_else(|| path.clone(), |id| id.value.clone());
        Some(TreeNode { span: node.span, id, path, key, when, why, links, kind })
    }

    /// Whether a node is a question; `None` if that cannot be told, which is reported.
    fn is_question(&mut self, fields: &Fields<'_>) -> Option<bool> {
        let ask = fields.entry("ask");
        let finding = fields.entry("finding");
        if let (Some((ask, _)), Some((finding, _))) = (ask, finding) {
            let (second, first) = if ask.span < finding.span { (finding, ask) } else { (ask, finding) };
            self.out.push(
                Diagnostic::error(Code::OneOf, second.span, "a node with `ask` and `finding`")
                    .also(first.span, "the first one")
                    .help("a node asks or has found something: put the leaf under an answer, such as `no: { finding: ... }`"),
            );
            return None;
        }
        if ask.is_some() || finding.is_some() {
            return Some(ask.is_some());
        }
        let has = |keys: &[&str]| fields.entries.iter().any(|(k, _)| keys.contains(&k.value.as_str()));
        let meant = |word: &str| {
            let quoted = format!("`{word}:`");
            fields.entries.iter().any(|(k, _)| {
                nearest(&k.value, [word]).is_some()
                    || keys::find_alias(Where::Node, &k.value).is_some_and(|a| a.help.contains(&quoted))
            })
        };
        // The table of keys then says what is missing, or what the other word is here.
        if meant("ask") || has(OF_QUESTION) {
            return Some(true);
        }
        if meant("finding") || has(OF_LEAF) {
            return Some(false);
        }
        let diagnostic = Diagnostic::error(Code::OneOf, fields.head(), "a node needs `ask` or `finding`");
        self.out.push(match fields.entries.iter().find(|(k, _)| self.registry.get(&k.value).is_some()) {
            Some((module, _)) => {
                diagnostic.help(format!("put the check into a question: `ask: ...`, `check: {{ {}: ... }}`", module.value))
            }
            None => diagnostic.help("a question is `ask: TEXT` with its answers, a leaf is `finding: ID`"),
        });
        None
    }

    fn question(&mut self, fields: &Fields<'_>, path: &str) -> Option<TreeQuestion> {
        let ask = fields.get("ask").and_then(|n| self.template(n, "ask"));
        let check = fields.get("check").map(|n| self.checks(n, "check", Ground::default())).unwrap_or_default();
        let auto = fields.get("auto").and_then(|n| self.word(n, "auto", Auto::ALL));
        let answer = fields.get("answer").and_then(|n| self.expr(n, "answer"));
        let answers = self.answers(fields, path);
        if let Some((key, _)) = fields.entry("auto")
            && fields.entry("check").is_none()
            && fields.entry("answer").is_none()
        {
            self.out.push(
                Diagnostic::error(Code::NotAllowedHere, key.span, "`auto` means nothing without `check`")
                    .help("leave it out: without a check a person is always asked"),
            );
        }
        Some(TreeQuestion { ask: ask?, check, auto: auto.unwrap_or_default(), answer, answers })
    }

    fn answers(&mut self, fields: &Fields<'_>, path: &str) -> Answers {
        let plain = ["yes", "no", "unknown"].into_iter().find_map(|k| fields.entry(k));
        let choice = ["choices", "cases", "default"].into_iter().find_map(|k| fields.entry(k));
        if let (Some((plain, _)), Some((choice, _))) = (plain, choice) {
            self.out.push(
                Diagnostic::error(Code::Conflict, plain.span, format!("`{}` beside `{}`", plain.value, choice.value))
                    .also(choice.span, "the other one")
                    .help("a question is answered by yes or no, or by one of its `choices`: put every branch under `cases`"),
            );
        }
        if choice.is_none() {
            if let Some((key, _)) = fields.entry("answer") {
                self.out.push(
                    Diagnostic::error(Code::NotAllowedHere, key.span, "`answer` stands beside `choices`")
                        .help("the check answers a yes/no question by itself: put the expression under its `expect:`"),
                );
            }
            let mut one = |key: &str| fields.get(key).map(|n| self.branch(n, key, &format!("{path}.{key}")));
            return Answers::YesNo { yes: one("yes"), no: one("no"), unknown: one("unknown") };
        }
        if fields.entry("check").is_some() && fields.entry("answer").is_none() {
            self.out.push(
                Diagnostic::error(
                    Code::MissingKey,
                    fields.key_span("check"),
                    "this check cannot choose: it holds or it does not",
                )
                .help("add `answer: EXPRESSION`, which gives one of the choices"),
            );
        }
        let choices = match fields.get("choices") {
            Some(node) => {
                if node.as_list().is_none() && !node.as_str().is_some_and(has_template) {
                    self.wrong(node, "choices", "a list such as `[a, b]`");
                }
                self.arg(node)
            }
            None => {
                let span = choice.map_or(fields.head(), |(k, _)| k.span);
                let names: Vec<&str> = fields
                    .get("cases")
                    .and_then(Node::as_map)
                    .unwrap_or_default()
                    .iter()
                    .map(|(k, _)| k.value.as_str())
                    .collect();
                let list = if names.is_empty() { "a, b".to_owned() } else { names.join(", ") };
                self.out.push(
                    Diagnostic::error(Code::MissingKey, span, "a question with cases needs `choices`")
                        .help(format!("write `choices: [{list}]`")),
                );
                let unknown = runbook_core::value::Value::unknown("choices that were left out");
                runbook_core::model::Arg::literal(unknown, span)
            }
        };
        let entries = self.entries(fields.get("cases"), "cases", "a map from choices to branches");
        let mut used: HashMap<String, u32> = HashMap::new();
        let cases = entries
            .iter()
            .map(|(value, node)| {
                let mut slug = slug(&value.value);
                let times = used.entry(slug.clone()).or_default();
                *times += 1;
                if *times > 1 {
                    slug.push_str(&format!("~{times}"));
                }
                let branch = if node.is_null() {
                    Branch::Continue(node.span)
                } else {
                    self.branch(node, &value.value, &format!("{path}.cases.{slug}"))
                };
                (value.clone(), branch)
            })
            .collect();
        let default = fields.get("default").map(|n| self.branch(n, "default", &format!("{path}.default")));
        Answers::Choices { choices, cases, default }
    }

    fn leaf(&mut self, fields: &Fields<'_>) -> Option<Leaf> {
        let finding = fields.get("finding").and_then(|n| self.text(n, "finding")).filter(|id| self.name(id, Naming::Id));
        let severity = fields.get("severity").and_then(|n| self.word(n, "severity", FindingSeverity::ALL));
        let say = fields.get("say").and_then(|n| self.template(n, "say"));
        let see = fields.get("see").map(|n| self.checks(n, "see", Ground::default())).unwrap_or_default();
        let remedy = fields.get("remedy").map(|n| self.remedy(n));
        // What has a remedy is a fault.
        let usual = if remedy.is_some() { FindingSeverity::Warning } else { FindingSeverity::Info };
        Some(Leaf { finding: finding?, severity: severity.unwrap_or(usual), say, see, remedy: remedy.flatten() })
    }

    fn remedy(&mut self, node: &Node) -> Option<Remedy> {
        if let Some(text) = node.as_str() {
            let simple = !text.contains(char::is_whitespace) && text.len() <= 64;
            self.out.push(Diagnostic::error(Code::WrongType, node.span, "`remedy` is a map, found a string").help(if simple {
                format!("write `remedy: {{ play: {text} }}`")
            } else {
                "write `remedy: { play: NAME }`, or put advice for people under `say:`".to_owned()
            }));
            return None;
        }
        let fields = self.fields(node, &REMEDY, None)?;
        let with = self.named_args(fields.get("with"), "with", Naming::Free);
        let steps = fields.get("steps").map(|n| self.steps(n, "steps", Ground::default()));
        let play = fields.get("play").map(|n| self.play_name(n));
        let verify = fields.get("verify").map(|n| self.checks(n, "verify", Ground::default())).unwrap_or_default();
        let cooldown = self.duration_arg(fields.get("cooldown"), "cooldown");
        let limit = self.int_arg(fields.get("limit"), "limit", 1, 10_000);
        if let (Some((with, _)), None) = (fields.entry("with"), fields.entry("play")) {
            self.out.push(
                Diagnostic::error(Code::NotAllowedHere, with.span, "`with` stands beside `play`")
                    .help("it gives the parameters of the playbook; `steps` take none"),
            );
        }
        let action = match (play, steps) {
            (Some(_), Some(_)) => {
                self.out.push(
                    Diagnostic::error(Code::Conflict, fields.key_span("steps"), "`steps` beside `play`")
                        .also(fields.key_span("play"), "the other one")
                        .help("a remedy is a playbook or steps: keep one, or play the playbook as one of the steps"),
                );
                return None;
            }
            (Some(name), None) => RemedyAction::Play { name: name?, with },
            (None, Some(steps)) => RemedyAction::Steps(steps),
            (None, None) => {
                self.out.push(
                    Diagnostic::error(Code::MissingKey, fields.head(), "`remedy` needs `play` or `steps`")
                        .help("write `play: NAME`, the playbook that puts it right"),
                );
                return None;
            }
        };
        Some(Remedy { span: node.span, action, verify, cooldown, limit })
    }
}

/// A case's value as a part of a path.
fn slug(value: &str) -> String {
    let mut out: String = value
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' })
        .collect();
    if out.is_empty() {
        out.push('-');
    }
    out
}

/// The ids of nodes, with their places.
pub(crate) fn node_ids(tree: &Triage) -> Vec<&Spanned<String>> {
    tree.nodes().into_iter().filter_map(|n| n.id.as_ref()).collect()
}
