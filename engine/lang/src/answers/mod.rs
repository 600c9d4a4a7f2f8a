//! Answers files: what an operator answers, written down beforehand.
//!
//! They are YAML or JSON, read like playbooks: every mistake is told with its place, and before anything runs. What a question takes is
//! held against the plan as far as that is known then; the rest is held against the question when it is asked.

pub(crate) mod fit;
pub(crate) mod question;
mod template;

use std::sync::Arc;

use indexmap::IndexMap;
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use runbook_core::model::Plan;
use runbook_core::module::Registry;
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::{SourceId, SourceMap, Span, Spanned};
use runbook_core::suggest::nearest;
use runbook_core::value::Value;

pub use template::{Asked, Sheet, sheet, template};

use crate::decode::Reader;
use crate::keys::{ANSWERS_FILE, GIVEN};
use crate::loader::Loader;
use question::{Found, Questions};

/// The answers of a file.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// By question id.
    pub answers: IndexMap<String, Given>,
    /// The words that confirm what loses something, by question id.
    pub confirms: IndexMap<String, String>,
}

/// An answer with its remark.
#[derive(Clone, Debug)]
pub struct Given {
    /// The answer.
    pub value: Value,
    /// The remark.
    pub note: Option<String>,
}

/// An answers file that was read.
#[derive(Clone, Debug)]
pub struct ReadAnswers {
    /// The answers; none if anything is wrong.
    pub answers: Option<Answers>,
    /// What is wrong, in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that the diagnostics point into: the file, and those of the plan.
    pub sources: Arc<SourceMap>,
}

/// Reads an answers file for a plan.
pub fn read_answers(loader: &dyn Loader, path: &str, plan: &Plan, registry: &Registry) -> ReadAnswers {
    let mut out = Diagnostics::default();
    let mut sources = (*plan.sources).clone();
    let answers = tree(loader, path, &mut sources, &mut out).and_then(|root| {
        let mut reader = File { reader: Reader::new(registry, &mut out), questions: Questions::of(plan, registry) };
        reader.file(&root, plan)
    });
    let mut diagnostics = out.into_sorted();
    // `yes` means the same to a reader that takes it for a boolean.
    diagnostics.retain(|d| d.code != Code::AmbiguousScalar);
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    ReadAnswers { answers: answers.filter(|_| !failed), diagnostics, sources: Arc::new(sources) }
}

/// The file as a tree.
fn tree(loader: &dyn Loader, path: &str, sources: &mut SourceMap, out: &mut Diagnostics) -> Option<Node> {
    let shown = loader.shown(path);
    let bytes = match loader.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            out.push(crate::session::unreadable(&shown, &error, None));
            return None;
        }
    };
    let source = crate::text::accept(&shown, &bytes, sources, out)?;
    let text = sources.get(source)?.text.clone();
    // YAML reads more than JSON allows; a file that says it is JSON is held to that.
    if path.ends_with(".json")
        && let Err(error) = serde_json::from_str::<serde_json::Value>(&text)
    {
        out.push(not_json(&error, &text, source));
        return None;
    }
    let before = out.len();
    let root = crate::yaml::read(&text, source, out).root;
    if root.as_ref().is_none_or(Node::is_null) && out.len() == before {
        out.push(
            Diagnostic::error(Code::EmptyFile, Span::new(source, 0, 0), "the file says nothing")
                .help("write `answers:` and below it one line for each question, such as `go-on: yes`"),
        );
        return None;
    }
    root
}

fn not_json(error: &serde_json::Error, text: &str, source: SourceId) -> Diagnostic {
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut at = (line_start + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or(&cause);
    Diagnostic::error(Code::YamlSyntax, Span::new(source, at, end), format!("the JSON cannot be read: {cause}"))
        .help("correct it, or give the file a name that ends in `.yaml`: YAML is more forgiving")
}

/// Decodes one file.
struct File<'f, 'r, 'p> {
    reader: Reader<'r>,
    questions: Questions<'f, 'p>,
}

impl File<'_, '_, '_> {
    fn file(&mut self, root: &Node, plan: &Plan) -> Option<Answers> {
        let Some(entries) = root.as_map() else {
            let message = format!("an answers file is a map, found {}", root.describe());
            self.push(
                Diagnostic::error(Code::WrongType, root.span.at_start(), message)
                    .help("write `answers:` and below it one line for each question, such as `go-on: yes`"),
            );
            return None;
        };
        for (key, value) in entries.iter().filter(|(k, _)| ANSWERS_FILE.get(&k.value).is_none()) {
            if self.questions.has(&key.value) {
                self.push(
                    Diagnostic::error(
                        Code::UnknownKey,
                        key.span,
                        format!("the answer to `{}` at the top of the file", key.value),
                    )
                    .help("write it below `answers:`"),
                );
            } else {
                let _ = self.reader.unknown_key(key, value, &ANSWERS_FILE, None);
            }
        }
        let get = |key: &str| root.get(key).filter(|n| !n.is_null());
        if let Some(name) = get("playbook").and_then(|n| self.reader.text(n, "playbook")) {
            self.playbook(&name, plan);
        }
        if let Some(run) = get("run") {
            self.reader.text(run, "run");
        }
        let mut out = Answers::default();
        for (id, node) in self.reader.entries(get("answers"), "answers", "a map such as `{go-on: yes}`") {
            if let Some(given) = self.given(node) {
                self.answer(id, node, &given);
                out.answers.insert(id.value.clone(), given);
            }
        }
        for (id, node) in self.reader.entries(get("confirm"), "confirm", "a map such as `{wipe: wipe}`") {
            if node.is_null() {
                continue;
            }
            if let Some(word) = self.reader.text(node, "confirm") {
                self.word(id, &word);
                out.confirms.insert(id.value.clone(), word.value);
            }
        }
        Some(out)
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.reader.out.push(diagnostic);
    }

    /// The playbook that the answers are for.
    fn playbook(&mut self, name: &Spanned<String>, plan: &Plan) {
        let root = &plan.root;
        let same = name.value == *root || root.rsplit('/').next() == Some(&name.value);
        if !same {
            self.push(
                Diagnostic::error(
                    Code::BadAnswer,
                    name.span,
                    format!("these answers are for `{}`, not for `{root}`", name.value),
                )
                .help(format!("`runbook answers {root}` writes the questions of this one")),
            );
        }
    }

    /// An answer as written; nothing is no answer.
    fn given(&mut self, node: &Node) -> Option<Given> {
        match &node.kind {
            NodeKind::Scalar(_) if node.is_null() => None,
            NodeKind::Map(entries) if entries.iter().any(|(k, _)| GIVEN.get(&k.value).is_some()) => {
                let fields = self.reader.fields(node, &GIVEN, None)?;
                let note = self.reader.plain_text(fields.get("note"), "note");
                Some(Given { value: fields.get("answer")?.value(), note })
            }
            _ => Some(Given { value: node.value(), note: None }),
        }
    }

    /// Holds an answer against the questions of its id.
    fn answer(&mut self, id: &Spanned<String>, node: &Node, given: &Given) {
        let asked = match self.questions.find(&id.value) {
            Found::Questions(asked) => asked,
            Found::Silent(why) => return self.silent(id, &why),
            Found::Nothing => return self.unknown(id),
        };
        let wrong: Vec<_> = asked.iter().filter_map(|q| Some((*q, fit::answer(q, &given.value)?))).collect();
        // Several questions may have one id; an answer that one of them takes is an answer.
        if wrong.len() < asked.len() {
            return;
        }
        if let Some((question, wrong)) = wrong.into_iter().next() {
            let span = node.get("answer").map_or(node.span, |n| n.span);
            let mut diagnostic = Diagnostic::error(Code::BadAnswer, span, format!("`{}` {}", id.value, wrong.message));
            diagnostic.help = wrong.help;
            let at = question.span;
            self.push(diagnostic.also(at, "the question"));
        }
    }

    /// Holds a word against the confirmations of its id.
    fn word(&mut self, id: &Spanned<String>, word: &Spanned<String>) {
        let asked = match self.questions.find(&id.value) {
            Found::Questions(asked) => asked,
            Found::Silent(why) => return self.silent(id, &why),
            Found::Nothing => return self.unknown(id),
        };
        let wrong: Vec<_> = asked.iter().filter_map(|q| Some((*q, fit::word(q, &word.value)?))).collect();
        if wrong.len() < asked.len() {
            return;
        }
        if let Some((question, wrong)) = wrong.into_iter().next() {
            let mut diagnostic = Diagnostic::error(Code::BadAnswer, word.span, format!("`{}` {}", id.value, wrong.message));
            diagnostic.help = wrong.help;
            let at = question.span;
            self.push(diagnostic.also(at, "the question"));
        }
    }

    fn silent(&mut self, id: &Spanned<String>, why: &str) {
        self.push(
            Diagnostic::error(Code::UnknownAnswer, id.span, format!("`{}` asks nothing: {why}", id.value))
                .help("leave the answer out"),
        );
    }

    fn unknown(&mut self, id: &Spanned<String>) {
        let known = self.questions.ids();
        let help = match nearest(&id.value, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "the playbook asks nothing".to_owned(),
            None => format!("the questions are {}", known.join(", ")),
        };
        self.push(Diagnostic::error(Code::UnknownAnswer, id.span, format!("no question has the id `{}`", id.value)).help(help));
    }
}
