//! What a test expects.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::event::{GradeWord, Outcome, RunOutcome};
use runbook_core::expr::Compare;
use runbook_core::model::test::{CallEntry, Checked, DurationBound, Expect, Listed, Matcher, PathEntry, StepRef};
use runbook_core::model::{Answers, Body, Contents, TreeNode};
use runbook_core::node::{Node, NodeKind, ScalarValue};
use runbook_core::span::{Span, Spanned};
use runbook_core::suggest::nearest;
use runbook_core::value::parse_duration;

use super::names::Named;
use super::{Played, Tests};
use crate::answers::question::{Found, Questions};
use crate::decode::fields::head;
use crate::keys::{CALL, EXPECT, LISTED, Where};

const OUTCOMES: &[(&str, Outcome)] = &[
    ("ok", Outcome::Ok),
    ("changed", Outcome::Changed),
    ("failed", Outcome::Failed),
    ("skipped", Outcome::Skipped),
    ("unknown", Outcome::Unknown),
];

const GRADES: &[(&str, GradeWord)] = &[
    ("ok", GradeWord::Ok),
    ("off target", GradeWord::OffTarget),
    ("warning", GradeWord::Warning),
    ("unknown", GradeWord::Unknown),
    ("critical", GradeWord::Critical),
];

/// The fields that every step's result has besides those of its module.
const OWN: &[&str] = &["outcome", "changed", "error", "grade", "answer", "note", "attempts", "items", "started_at", "duration"];

impl Tests<'_, '_, '_> {
    pub(super) fn expect(&mut self, node: Option<&Node>, nowhere: Span, played: Option<&Played<'_>>) -> Expect {
        let Some(node) = node else { return Expect { span: nowhere, ..Expect::default() } };
        let Some(fields) = self.reader.fields(node, &EXPECT, Some(Where::Expect)) else {
            return Expect { span: nowhere, ..Expect::default() };
        };
        let get = |key: &str| fields.get(key);
        let outcome = get("outcome")
            .and_then(|n| self.reader.word(n, "outcome", RunOutcome::ALL).map(|outcome| Spanned::new(outcome, n.span)));
        let exit = get("exit").and_then(|n| self.exit(n));
        let message = match get("message") {
            None => Vec::new(),
            Some(node) => match &node.kind {
                NodeKind::List(items) => items.iter().filter_map(|i| self.text_pattern(i, "message")).collect(),
                _ => self.text_pattern(node, "message").into_iter().collect(),
            },
        };
        let findings = match (get("finding"), get("findings")) {
            (Some(one), Some(_)) => {
                self.reader.out.push(
                    Diagnostic::error(Code::Conflict, fields.key_span("finding"), "`finding` beside `findings`")
                        .also(fields.key_span("findings"), "the other one")
                        .help("`finding` is for one alone; write all of them under `findings`"),
                );
                let _ = one;
                None
            }
            (Some(one), None) => self.finding_id(one, "finding", played).map(|id| Listed {
                span: one.span,
                exactly: Some(vec![id]),
                includes: Vec::new(),
                excludes: Vec::new(),
            }),
            (None, Some(node)) => self.listed(node, "findings", &mut |this, n| this.finding_id(n, "findings", played)),
            (None, None) => None,
        };
        Expect {
            span: head(node),
            outcome,
            exit,
            message,
            findings,
            path: get("path").and_then(|n| self.listed(n, "path", &mut |this, n| this.path_entry(n, played))),
            steps: self.step_results(get("steps"), played),
            calls: get("calls").and_then(|n| self.listed(n, "calls", &mut |this, n| this.call_entry(n, played))),
            ran: get("ran").and_then(|n| self.listed(n, "ran", &mut |this, n| this.call_entry(n, played))),
            asked: get("asked").and_then(|n| self.asked(n, played)),
            skipped: get("skipped").and_then(|n| {
                self.listed(n, "skipped", &mut |this, n| {
                    let label = this.reader.text(n, "skipped")?;
                    this.label(&label, played);
                    Some(label)
                })
            }),
            notes: get("notes").and_then(|n| self.listed(n, "notes", &mut |this, n| this.text_pattern(n, "notes"))),
            vars: self.values(get("vars"), "vars"),
            outputs: self.outputs(get("outputs"), played),
            verdict: get("verdict").and_then(|n| self.verdict(n, played)),
            checks: self.checks(get("checks")),
            duration: get("duration").and_then(|n| self.bound(n)),
            that: self.reader.exprs(get("that"), "that"),
        }
    }

    fn finding_id(&mut self, node: &Node, key: &str, played: Option<&Played<'_>>) -> Option<Spanned<String>> {
        let id = self.reader.text(node, key)?;
        self.finding(&id, played);
        Some(id)
    }

    fn exit(&mut self, node: &Node) -> Option<Spanned<u8>> {
        match node.as_scalar().map(|s| &s.value) {
            Some(ScalarValue::Int(n)) if (0..=255).contains(n) => Some(Spanned::new(*n as u8, node.span)),
            _ => {
                self.reader.wrong(node, "exit", "an exit code such as `4`; `runbook help exit-codes` lists them");
                None
            }
        }
    }

    fn text_pattern(&mut self, node: &Node, key: &str) -> Option<Spanned<Matcher>> {
        self.text_matcher(node, key).map(|m| Spanned::new(m, node.span))
    }

    /// A list, or `includes` and `excludes`.
    fn listed<T>(&mut self, node: &Node, key: &str, item: &mut dyn FnMut(&mut Self, &Node) -> Option<T>) -> Option<Listed<T>> {
        let mut all = |this: &mut Self, node: Option<&Node>, name: &str| -> Vec<T> {
            let Some(node) = node else { return Vec::new() };
            match node.as_list() {
                Some(items) => items.iter().filter_map(|i| item(this, i)).collect(),
                None => {
                    this.reader.wrong(node, name, "a list");
                    Vec::new()
                }
            }
        };
        match &node.kind {
            NodeKind::List(_) => Some(Listed {
                span: node.span,
                exactly: Some(all(self, Some(node), key)),
                includes: Vec::new(),
                excludes: Vec::new(),
            }),
            NodeKind::Map(_) => {
                let fields = self.reader.fields(node, &LISTED, None)?;
                let includes = all(self, fields.get("includes"), "includes");
                let excludes = all(self, fields.get("excludes"), "excludes");
                Some(Listed { span: head(node), exactly: None, includes, excludes })
            }
            NodeKind::Scalar(_) => {
                let example = node.as_str().map_or_else(|| "a list".to_owned(), |t| format!("a list such as `[{t}]`"));
                self.reader.wrong(node, key, &format!("{example}, or `{{ includes: [...] }}`"));
                None
            }
        }
    }

    fn path_entry(&mut self, node: &Node, played: Option<&Played<'_>>) -> Option<PathEntry> {
        if let NodeKind::Map(entries) = &node.kind {
            let [(label, word)] = entries.as_slice() else {
                self.reader.wrong(node, "path", "a step, or one step with its outcome, such as `start: changed`");
                return None;
            };
            // A step may be called `finding` too.
            if label.value == PathEntry::FINDING && played.is_some_and(|p| !p.ids().contains(&PathEntry::FINDING)) {
                let id = self.reader.text(word, PathEntry::FINDING)?;
                self.finding(&id, played);
                return Some(PathEntry { label: label.clone(), word: Some(id.value) });
            }
            self.label(label, played);
            let word = match self.named(label, played) {
                // What the words are is not known if the step is not.
                None => self.reader.text(word, &label.value)?.value,
                Some(Named::Node(tree_node)) => self.answer_word(word, label, tree_node)?,
                Some(Named::Step(_)) => self.reader.word(word, &label.value, OUTCOMES)?.word().to_owned(),
            };
            return Some(PathEntry { label: label.clone(), word: Some(word) });
        }
        let label = self.reader.text(node, "path")?;
        self.label(&label, played);
        Some(PathEntry { label, word: None })
    }

    /// Ids of questions.
    fn asked(&mut self, node: &Node, played: Option<&Played<'_>>) -> Option<Listed<Spanned<String>>> {
        let registry = self.reader.registry;
        let questions = played.map(|p| Questions::among(p.units.iter().copied(), registry));
        self.listed(node, "asked", &mut |this, n| {
            let id = this.reader.text(n, "asked")?;
            if let Some(questions) = &questions
                && matches!(questions.find(&id.value), Found::Nothing)
            {
                this.question(&id, questions);
            }
            Some(id)
        })
    }

    /// What a label stands for, as far as that is known.
    fn named<'p>(&self, label: &Spanned<String>, played: Option<&Played<'p>>) -> Option<Named<'p>> {
        played?.find(&StepRef::read(label.value.rsplit('>').next().unwrap_or(&label.value)))
    }

    /// What a node of a tree may have come to: a question's answer, a leaf's finding, or that it was passed over.
    fn answer_word(&mut self, node: &Node, label: &Spanned<String>, tree_node: &TreeNode) -> Option<String> {
        let mut words: Vec<String> = match &tree_node.kind {
            runbook_core::model::NodeKind::Leaf(leaf) => vec![leaf.finding.value.clone()],
            runbook_core::model::NodeKind::Question(question) => match &question.answers {
                Answers::YesNo { .. } => ["yes", "no", "unknown"].map(str::to_owned).to_vec(),
                // What there is to choose from may be known only when it is asked.
                Answers::Choices { .. } => match question.literal_choices() {
                    Some(choices) => choices.into_iter().map(|c| c.value).collect(),
                    None => return self.reader.text(node, &label.value).map(|t| t.value),
                },
            },
        };
        words.extend(["skipped", "failed"].map(str::to_owned));
        let words: Vec<(&str, &str)> = words.iter().map(|w| (w.as_str(), w.as_str())).collect();
        self.reader.word(node, &label.value, &words).map(str::to_owned)
    }

    /// Reports a finding that no tree makes.
    fn finding(&mut self, id: &Spanned<String>, played: Option<&Played<'_>>) {
        let Some((played, unit)) = played.and_then(|p| Some((p, p.unit()?))) else { return };
        let known = played.findings();
        if known.contains(&id.value.as_str()) {
            return;
        }
        let name = &unit.playbook.full_name;
        let (message, help) = match nearest(&id.value, known.iter().copied()) {
            _ if known.is_empty() => (
                format!("`{name}` is no triage tree, and finds nothing"),
                "write `outcome`, `steps` or `path` for what a procedure comes to".to_owned(),
            ),
            Some(near) => (format!("`{name}` has no finding `{}`", id.value), format!("did you mean `{near}`?")),
            None => (format!("`{name}` has no finding `{}`", id.value), format!("its findings are {}", known.join(", "))),
        };
        self.reader.out.push(Diagnostic::error(Code::UnknownFinding, id.span, message).help(help));
    }

    fn verdict(&mut self, node: &Node, played: Option<&Played<'_>>) -> Option<Spanned<String>> {
        // A procedure may have an output of this name, with words of its own.
        if played.and_then(Played::unit).is_none_or(|u| matches!(u.playbook.contents, Contents::Steps(_))) {
            return self.reader.text(node, "verdict");
        }
        let grade = self.reader.word(node, "verdict", GRADES)?;
        Some(Spanned::new(grade.word().to_owned(), node.span))
    }

    fn call_entry(&mut self, node: &Node, played: Option<&Played<'_>>) -> Option<CallEntry> {
        if node.as_map().is_none() {
            let name = self.reader.text(node, "module")?;
            return Some(CallEntry { span: node.span, module: self.module(&name)?, step: None, with: Vec::new() });
        }
        let fields = self.reader.fields(node, &CALL, Some(Where::Rule))?;
        let module = fields.get("module").and_then(|n| self.reader.text(n, "module"))?;
        let module = self.module(&module)?;
        let step = fields.get("step").and_then(|n| self.reader.text(n, "step")).map(|t| self.step_ref(&t, played));
        let with = fields.get("with").map(|n| self.arguments(n, &module)).unwrap_or_default();
        Some(CallEntry { span: fields.head(), module, step, with })
    }

    /// Names with values.
    fn values(&mut self, node: Option<&Node>, key: &str) -> Vec<Checked> {
        let entries = self.reader.entries(node, key, "a map such as `{name: value}`");
        entries.iter().map(|(name, value)| Checked { name: name.clone(), value: self.matcher(value) }).collect()
    }

    fn outputs(&mut self, node: Option<&Node>, played: Option<&Played<'_>>) -> Vec<Checked> {
        let checked = self.values(node, "outputs");
        let Some(unit) = played.and_then(Played::unit) else { return checked };
        let mut known: Vec<&str> = unit.playbook.outputs.iter().map(|(n, _)| n.value.as_str()).collect();
        if !matches!(unit.playbook.contents, Contents::Steps(_)) {
            known.extend(["verdict", "findings", "checks"]);
        }
        for one in &checked {
            if known.contains(&one.name.value.as_str()) {
                continue;
            }
            let help = match nearest(&one.name.value, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has no `outputs`".to_owned(),
                None => format!("its outputs are {}", known.join(", ")),
            };
            let message = format!("`{}` has no output `{}`", unit.playbook.full_name, one.name.value);
            self.reader.out.push(Diagnostic::error(Code::UndefinedName, one.name.span, message).help(help));
        }
        checked
    }

    /// Steps with their outcome, or with fields of their result.
    fn step_results(&mut self, node: Option<&Node>, played: Option<&Played<'_>>) -> Vec<(Spanned<String>, Vec<Checked>)> {
        let mut out = Vec::new();
        for (label, node) in self.reader.entries(node, "steps", "a map such as `{start: changed}`") {
            self.label(label, played);
            let outcome = Spanned::new("outcome".to_owned(), node.span);
            if let NodeKind::Map(entries) = &node.kind {
                self.step_fields(label, node, played);
                let checked = entries.iter().map(|(name, value)| Checked { name: name.clone(), value: self.matcher(value) });
                out.push((label.clone(), checked.collect()));
                continue;
            }
            let (name, word) = match self.named(label, played) {
                None => {
                    self.reader.text(node, &label.value);
                    continue;
                }
                Some(Named::Step(_)) => {
                    let Some(word) = self.reader.word(node, &label.value, OUTCOMES) else { continue };
                    (outcome, word.word().to_owned())
                }
                Some(Named::Node(tree_node)) => {
                    let Some(word) = self.answer_word(node, label, tree_node) else { continue };
                    match (word.as_str(), tree_node.leaf()) {
                        ("skipped" | "failed", _) => (outcome, word),
                        (_, Some(_)) => (outcome, Outcome::Ok.word().to_owned()),
                        (_, None) => (Spanned::new("answer".to_owned(), node.span), word),
                    }
                }
            };
            let value = Matcher::Equals(runbook_core::value::Value::str(word));
            out.push((label.clone(), vec![Checked { name, value }]));
        }
        out
    }

    /// Reports fields that the result of a step never has.
    fn step_fields(&mut self, label: &Spanned<String>, node: &Node, played: Option<&Played<'_>>) {
        let Some(played) = played else { return };
        let Some(step) = played.find(&StepRef::read(&label.value)).and_then(Named::step) else { return };
        let Body::Module(call) = &step.body else { return };
        let Some(entry) = self.reader.registry.get(&call.name.value).cloned() else { return };
        let mut known = entry.result_fields();
        if known.is_empty() {
            return;
        }
        known.extend(OWN);
        for (key, value) in node.as_map().unwrap_or_default() {
            if !known.contains(&key.value.as_str()) {
                self.unknown_field(key.span, &key.value, &known, &entry.name);
            }
            if key.value == "outcome" {
                self.reader.word(value, "outcome", OUTCOMES);
            }
        }
    }

    fn checks(&mut self, node: Option<&Node>) -> Vec<(Spanned<String>, Spanned<GradeWord>)> {
        let mut out = Vec::new();
        for (row, node) in self.reader.entries(node, "checks", "a map such as `{memory: ok}`") {
            if let Some(grade) = self.reader.word(node, &row.value, GRADES) {
                out.push((row.clone(), Spanned::new(grade, node.span)));
            }
        }
        out
    }

    /// `30s`, `<= 30s`.
    fn bound(&mut self, node: &Node) -> Option<Spanned<DurationBound>> {
        const SIGNS: &[(&str, Compare)] = &[
            ("<=", Compare::Le),
            (">=", Compare::Ge),
            ("==", Compare::Eq),
            ("!=", Compare::Ne),
            ("<", Compare::Lt),
            (">", Compare::Gt),
        ];
        let text = node.as_scalar().map(|s| s.text.trim()).unwrap_or_default();
        let (compare, rest) = SIGNS
            .iter()
            .find_map(|(sign, c)| text.strip_prefix(sign).map(|rest| (*c, rest.trim())))
            .unwrap_or((Compare::Eq, text));
        match parse_duration(rest).filter(|_| node.as_str().is_some()) {
            Some(limit) => Some(Spanned::new(DurationBound { compare, limit }, node.span)),
            None if rest == text => {
                self.reader.bad_duration(node, "duration");
                None
            }
            None => {
                self.reader.out.push(
                    Diagnostic::error(
                        Code::BadDuration,
                        node.span,
                        format!("`duration` takes a duration after `<=`, found `{rest}`"),
                    )
                    .help("write it like `<= 30s`, with a unit"),
                );
                None
            }
        }
    }
}
