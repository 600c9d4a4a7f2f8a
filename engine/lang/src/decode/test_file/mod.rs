//! Files of tests, held against the playbooks that they test.

mod answers;
mod expect;
mod names;
mod value;
mod world;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::inputs;
use runbook_core::model::Unit;
use runbook_core::model::test::{Interrupt, PlayTest, Recorded, TestFile, WorldRule};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::{SourceId, Span, Spanned};
use runbook_core::suggest::nearest;
use runbook_core::value::{Value, parse_time};
use runbook_core::world::StopReason;

use super::{Fields, Reader};
use crate::keys::{INTERRUPT, RECORDED, TEST, TEST_FILE, Where};

/// A playbook that a test plays, with all that it plays itself.
#[derive(Clone)]
pub(crate) struct Played<'p> {
    /// Its full name.
    pub(crate) full_name: String,
    /// It, then every playbook that it plays, directly or through others.
    pub(crate) units: Vec<&'p Unit>,
}

impl<'p> Played<'p> {
    /// The playbook itself.
    pub(crate) fn unit(&self) -> Option<&'p Unit> {
        self.units.first().copied()
    }
}

/// Finds the playbook that a name means under a profile; `None` if there is none that can be tested, which has been reported.
pub(crate) type Find<'p> = &'p dyn Fn(&str, Option<&str>) -> Option<Played<'p>>;

/// What the tests of a file name: `(playbook, its place, profile)`. Nothing is reported.
pub(crate) fn tested(root: &Node) -> Vec<(String, Span, Option<String>)> {
    let text = |node: &Node, key: &str| node.get(key).filter(|n| n.as_str().is_some()).map(|n| (trimmed(n), n.span));
    let shared = (text(root, "play"), text(root, "profile"));
    let one = |node: &Node| {
        let (play, span) = text(node, "play").or_else(|| shared.0.clone())?;
        Some((play, span, text(node, "profile").or_else(|| shared.1.clone()).map(|(p, _)| p)))
    };
    match root.get("tests").and_then(Node::as_list) {
        Some(tests) => tests.iter().filter_map(one).collect(),
        None => one(root).into_iter().collect(),
    }
}

/// The places of the answers of a file, given and expected. `yes` there means the same to a reader that takes it for a boolean.
pub(crate) fn answers(root: &Node) -> Vec<Span> {
    fn scalars(node: &Node, out: &mut Vec<Span>) {
        match &node.kind {
            NodeKind::Scalar(_) => out.push(node.span),
            NodeKind::List(items) => items.iter().for_each(|i| scalars(i, out)),
            NodeKind::Map(entries) => entries.iter().for_each(|(_, v)| scalars(v, out)),
        }
    }
    let mut out = Vec::new();
    let tests = root.get("tests").and_then(Node::as_list).unwrap_or_default();
    for test in tests.iter().chain([root]) {
        let expected = ["path", "steps"].into_iter().filter_map(|key| test.get("expect")?.get(key));
        test.get("answers").into_iter().chain(expected).for_each(|answers| scalars(answers, &mut out));
    }
    out
}

fn trimmed(node: &Node) -> String {
    node.as_str().unwrap_or_default().trim_end().to_owned()
}

/// Decodes a file of tests. Mistakes go to the reader.
pub(crate) fn test_file(reader: &mut Reader<'_>, root: &Node, file: SourceId, path: &str, find: Find<'_>) -> Option<TestFile> {
    if root.as_map().is_none() {
        let message = format!("a test file is a map, found {}", root.describe());
        let help = match root.as_list() {
            Some(_) => "begin with `tests:`, and put the list below it",
            None => "begin with `test: WHAT IT SHOWS` and `play: PLAYBOOK`",
        };
        reader.out.push(Diagnostic::error(Code::WrongType, root.span.at_start(), message).help(help));
        return None;
    }
    let mut tests = Tests { reader, find, mixed: false, names: Vec::new() };
    // One test needs no list around it.
    if root.get("tests").is_none() && !root.as_map().is_some_and(|m| m.iter().any(|(k, _)| k.value == "tests")) {
        let test = tests.test(root, None)?;
        return Some(TestFile {
            file,
            path: path.to_owned(),
            tests: vec![Arc::new(test)],
            shared: Vec::new(),
            answers: Vec::new(),
        });
    }
    let fields = tests.reader.fields(root, &TEST_FILE, Some(Where::Test))?;
    let mut out = TestFile { file, path: path.to_owned(), tests: Vec::new(), shared: Vec::new(), answers: Vec::new() };
    let list = fields.get("tests");
    match list.map(|n| (n, n.as_list())) {
        None => {}
        Some((node, None)) => tests.reader.wrong(node, "tests", "a list of tests, each beginning with `- test: `"),
        Some((node, Some([]))) => {
            tests.reader.out.push(
                Diagnostic::error(Code::WrongType, node.span, "`tests` is empty").help("write `- test: WHAT IT SHOWS` below it"),
            );
        }
        Some((_, Some(items))) => {
            let first = tests.shared_play(&fields, items);
            out.shared = tests.world(fields.get("world"), first.as_ref());
            if let Some(played) = first.as_ref() {
                out.answers = tests.answers([fields.get("answers"), None], Some(played)).into_iter().map(|(id, _)| id).collect();
            }
            tests.mixed = false;
            let shared = Shared { fields: &fields, rules: &out.shared };
            out.tests = items.iter().filter_map(|node| tests.test(node, Some(&shared))).map(Arc::new).collect();
        }
    }
    Some(out)
}

/// What the tests of a file share.
struct Shared<'n, 's> {
    fields: &'s Fields<'n>,
    rules: &'s [Arc<WorldRule>],
}

/// Decodes the tests of one file.
pub(super) struct Tests<'t, 'r, 'p> {
    pub(super) reader: &'t mut Reader<'r>,
    find: Find<'p>,
    /// Whether what is read now is shared by tests of several playbooks.
    pub(super) mixed: bool,
    /// The names of the tests so far.
    names: Vec<Spanned<String>>,
}

impl<'p> Tests<'_, '_, 'p> {
    /// The playbook that the file's own rules are about: the file's, else the one that all of its tests name.
    fn shared_play(&mut self, fields: &Fields<'_>, items: &[Node]) -> Option<Played<'p>> {
        let profile = fields.get("profile").map(trimmed);
        let mut named: Vec<String> =
            items.iter().filter_map(|t| t.get("play").or_else(|| fields.get("play"))).map(trimmed).collect();
        named.sort();
        named.dedup();
        self.mixed = named.len() > 1;
        match named.as_slice() {
            [one] => (self.find)(one, profile.as_deref()),
            _ => None,
        }
    }

    fn test(&mut self, node: &Node, shared: Option<&Shared<'_, '_>>) -> Option<PlayTest> {
        let fields = self.reader.fields(node, &TEST, Some(Where::Test))?;
        let from_file = |key: &str| shared.and_then(|s| s.fields.get(key));
        let either = |key: &str| fields.get(key).or_else(|| from_file(key));
        let name = fields.get("test").and_then(|n| self.reader.text(n, "test"));
        if let Some(name) = &name {
            self.name(name);
        }
        let play = either("play").and_then(|n| self.reader.text(n, "play"));
        if play.is_none() && either("play").is_none() {
            self.reader.out.push(
                Diagnostic::error(Code::MissingKey, fields.head(), "a test needs `play`")
                    .help("write `play:` and the playbook's name"),
            );
        }
        let profile = either("profile").and_then(|n| self.reader.text(n, "profile")).map(|p| p.value);
        let played = play.as_ref().and_then(|p| (self.find)(&p.value, profile.as_deref()));
        let played = played.as_ref();
        let mut world = self.world(fields.get("world"), played);
        world.extend(shared.into_iter().flat_map(|s| s.rules.iter().cloned()));
        let test = PlayTest {
            with: self.with([fields.get("with"), from_file("with")], played),
            env: self.env([fields.get("env"), from_file("env")], played),
            answers: self.answers([fields.get("answers"), from_file("answers")], played),
            now: either("now").and_then(|n| self.now(n)),
            interrupt: fields.get("interrupt").and_then(|n| self.interrupt(n)),
            world,
            expect: self.expect(fields.get("expect"), fields.head(), played),
            recorded: fields.entry("recorded").and_then(|(key, n)| self.recorded(key.span, n)),
            playbook: played.map(|p| p.full_name.clone()).unwrap_or_default(),
            profile,
            name: name?,
            play: play?,
        };
        played.is_some().then_some(test)
    }

    /// A name that another test of the file has could not be picked, and a report could not tell the two apart.
    fn name(&mut self, name: &Spanned<String>) {
        if name.value.contains('\n') {
            self.reader.out.push(
                Diagnostic::error(Code::WrongType, name.span, "`test` is one line").help("say it shorter, or use a comment"),
            );
        }
        match self.names.iter().find(|n| n.value == name.value) {
            Some(first) => self.reader.out.push(
                Diagnostic::error(Code::DuplicateId, name.span, format!("two tests are called {:?}", name.value))
                    .also(first.span, "the first one")
                    .help("say what makes this one different"),
            ),
            None => self.names.push(name.clone()),
        }
    }

    /// The entries of a test's own map, then those of the file's that it does not have.
    pub(super) fn merged<'n>(
        &mut self,
        nodes: [Option<&'n Node>; 2],
        key: &str,
        wanted: &str,
    ) -> Vec<(&'n Spanned<String>, &'n Node)> {
        let mut out: Vec<(&Spanned<String>, &Node)> = Vec::new();
        for node in nodes {
            for (name, value) in self.reader.entries(node, key, wanted) {
                if !out.iter().any(|(n, _)| n.value == name.value) {
                    out.push((name, value));
                }
            }
        }
        out
    }

    /// Parameters of the playbook, and variables of its system.
    fn with(&mut self, nodes: [Option<&Node>; 2], played: Option<&Played<'_>>) -> Vec<(Spanned<String>, Value)> {
        let own = nodes[0].map(|n| n.span);
        let mut out = Vec::new();
        for (name, node) in self.merged(nodes, "with", "a map such as `{name: value}`") {
            let value = node.value();
            let Some(unit) = played.and_then(Played::unit) else { continue };
            let params = &unit.playbook.params;
            match params.iter().find(|p| p.name.value == name.value) {
                Some(param) => {
                    if let Err(error) = inputs::typed(param.ty, value.clone()) {
                        let mut diagnostic =
                            Diagnostic::error(Code::BadParam, node.span, format!("`{}`: {}", name.value, error.message))
                                .also(param.name.span, "the parameter");
                        diagnostic.help = error.help;
                        self.reader.out.push(diagnostic);
                        continue;
                    }
                }
                None if unit.system.vars.iter().any(|(n, _)| n.value == name.value) => {}
                // What the file gives to all of its tests need not be for each of them.
                None if own.is_none_or(|s| name.span.start < s.start || name.span.end > s.end) => continue,
                None => {
                    let names = params.iter().map(|p| p.name.value.as_str());
                    let known = names.clone().chain(unit.system.vars.iter().map(|(n, _)| n.value.as_str()));
                    let help = match nearest(&name.value, known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None if params.is_empty() => "it takes none".to_owned(),
                        None => format!("it takes {}", names.collect::<Vec<_>>().join(", ")),
                    };
                    let message = format!("`{}` has no parameter `{}`", unit.playbook.full_name, name.value);
                    self.reader.out.push(
                        Diagnostic::error(Code::UnknownParam, name.span, message)
                            .also(unit.playbook.title.span, "the playbook")
                            .help(help),
                    );
                    continue;
                }
            }
            out.push((name.clone(), value));
        }
        out
    }

    /// Environment variables that the playbook declares.
    fn env(&mut self, nodes: [Option<&Node>; 2], played: Option<&Played<'_>>) -> Vec<(Spanned<String>, String)> {
        let own = nodes[0].map(|n| n.span);
        let mut out = Vec::new();
        for (name, node) in self.merged(nodes, "env", "a map such as `{NAME: value}`") {
            let Some(scalar) = node.as_scalar().filter(|_| !node.is_null()) else {
                self.reader.wrong(node, &name.value, "text");
                continue;
            };
            let declared = played.is_none_or(|p| {
                p.units.iter().any(|u| u.system.env.iter().chain(&u.playbook.env).any(|e| e.name.value == name.value))
            });
            let ours = own.is_some_and(|s| name.span.start >= s.start && name.span.end <= s.end);
            if !declared && ours {
                let names: Vec<&str> = played
                    .into_iter()
                    .flat_map(|p| p.units.iter().flat_map(|u| u.system.env.iter().chain(&u.playbook.env)))
                    .map(|e| e.name.value.as_str())
                    .collect();
                let help = match nearest(&name.value, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "only variables that the playbook lists under `env` are in scope".to_owned(),
                };
                let message = format!("the playbook does not use the environment variable `{}`", name.value);
                self.reader.out.push(Diagnostic::error(Code::UndefinedName, name.span, message).help(help));
                continue;
            }
            out.push((name.clone(), scalar.text.clone()));
        }
        out
    }

    fn now(&mut self, node: &Node) -> Option<Timestamp> {
        let time = node.as_str().and_then(parse_time);
        if time.is_none() {
            let found = node.as_scalar().map_or_else(|| node.describe().to_owned(), |s| format!("`{}`", s.text));
            self.reader.out.push(
                Diagnostic::error(Code::BadTime, node.span, format!("`now` takes a time, found {found}"))
                    .help("write it like `2026-02-15T14:23:45Z`, with a zone"),
            );
        }
        time
    }

    fn interrupt(&mut self, node: &Node) -> Option<Interrupt> {
        const REASONS: &[(&str, StopReason)] = &[
            ("interrupt", StopReason::Interrupt),
            ("terminate", StopReason::Terminate),
            ("hangup", StopReason::Hangup),
            ("time_limit", StopReason::TimeLimit),
        ];
        if node.as_map().is_none() {
            let after = self.reader.duration(node, "interrupt")?;
            return Some(Interrupt { after, reason: StopReason::Interrupt });
        }
        let fields = self.reader.fields(node, &INTERRUPT, None)?;
        let reason = fields.get("by").and_then(|n| self.reader.word(n, "by", REASONS)).unwrap_or(StopReason::Interrupt);
        let after = fields.get("after").and_then(|n| self.reader.duration(n, "after"))?;
        Some(Interrupt { after, reason })
    }

    fn recorded(&mut self, key: Span, node: &Node) -> Option<Recorded> {
        if node.is_null() {
            return Some(Recorded { span: key, ..Recorded::default() });
        }
        let fields = self.reader.fields(node, &RECORDED, None)?;
        let lines = |reader: &mut Reader<'_>, name: &str| -> Vec<String> {
            reader.texts(fields.get(name), name).into_iter().map(|t| t.value).collect()
        };
        let outcome = fields.get("outcome").and_then(|n| self.reader.text(n, "outcome")).map(|t| t.value);
        let (path, calls) = (lines(self.reader, "path"), lines(self.reader, "calls"));
        Some(Recorded { span: key.to(node.span), outcome, path, calls })
    }

    /// A duration, if one is written; no time if not.
    pub(super) fn takes(&mut self, node: Option<&Node>) -> SignedDuration {
        node.and_then(|n| self.reader.duration(n, "takes")).unwrap_or(SignedDuration::ZERO)
    }
}
