//! What the operator answers.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::test::TestAnswer;
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::Spanned;
use runbook_core::suggest::nearest;

use super::{Played, Tests};
use crate::answers::fit;
use crate::answers::question::{Found, Question, Questions};
use crate::keys::ANSWER;

impl Tests<'_, '_, '_> {
    pub(super) fn answers(
        &mut self,
        nodes: [Option<&Node>; 2],
        played: Option<&Played<'_>>,
    ) -> Vec<(Spanned<String>, Vec<TestAnswer>)> {
        let own = nodes[0].map(|n| n.span);
        let registry = self.reader.registry;
        // What the file answers for all of its tests is held against the playbook once, where they all play the same one.
        let questions = own.and(played).map(|p| Questions::among(p.units.iter().copied(), registry));
        let mut out = Vec::new();
        for (id, node) in self.merged(nodes, "answers", "a map such as `{go-on: yes}`") {
            let own = own.is_some_and(|s| id.span.start >= s.start && id.span.end <= s.end);
            let questions = questions.as_ref().filter(|_| own);
            let asked = questions.and_then(|questions| self.question(id, questions)).unwrap_or_default();
            let items = match &node.kind {
                NodeKind::List(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            let mut answers = Vec::new();
            for item in items {
                let Some(answer) = self.answer(item) else { continue };
                self.fits(id, item, &answer, &asked);
                answers.push(answer);
            }
            if answers.is_empty() {
                if matches!(&node.kind, NodeKind::List(items) if items.is_empty()) {
                    self.reader.out.push(
                        Diagnostic::error(Code::WrongType, node.span, format!("`{}` has no answers", id.value))
                            .help("leave the id out: then nobody is there to answer"),
                    );
                }
                continue;
            }
            out.push((id.clone(), answers));
        }
        out
    }

    /// Holds an answer against the questions of its id. Several may have one id; an answer that one of them takes is an answer.
    fn fits(&mut self, id: &Spanned<String>, node: &Node, answer: &TestAnswer, asked: &[Question<'_>]) {
        let mut wrongs = Vec::new();
        for question in asked {
            match fit::in_test(question, &answer.value) {
                Some(wrong) => wrongs.push((question, wrong)),
                None => return,
            }
        }
        let Some((question, wrong)) = wrongs.into_iter().next() else { return };
        let span = node.get("answer").map_or(node.span, |n| n.span);
        let mut diagnostic = Diagnostic::error(Code::BadAnswer, span, format!("`{}` {}", id.value, wrong.message));
        diagnostic.help = wrong.help;
        self.reader.out.push(diagnostic.also(question.span, "the question"));
    }

    fn answer(&mut self, node: &Node) -> Option<TestAnswer> {
        let bare = |node: &Node| TestAnswer { value: node.value(), note: None, takes: jiff::SignedDuration::ZERO };
        match &node.kind {
            NodeKind::Scalar(_) if node.is_null() => {
                self.reader.wrong(node, "answers", "an answer such as `yes`");
                None
            }
            NodeKind::Map(entries) if entries.iter().any(|(k, _)| ANSWER.get(&k.value).is_some()) => {
                let fields = self.reader.fields(node, &ANSWER, None)?;
                let answer = fields.get("answer")?;
                let note = self.reader.plain_text(fields.get("note"), "note");
                Some(TestAnswer { note, takes: self.takes(fields.get("takes")), ..bare(answer) })
            }
            _ => Some(bare(node)),
        }
    }

    /// The questions that an id stands for; reported if there are none.
    pub(super) fn question<'p>(&mut self, id: &Spanned<String>, questions: &Questions<'_, 'p>) -> Option<Vec<Question<'p>>> {
        let (message, help) = match questions.find(&id.value) {
            Found::Questions(asked) => return Some(asked.into_iter().cloned().collect()),
            Found::Silent(why) => (format!("`{}` asks nothing: {why}", id.value), "leave the answer out".to_owned()),
            Found::Nothing => {
                let known = questions.ids();
                let help = match nearest(&id.value, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "the playbook asks nothing".to_owned(),
                    None => format!(
                        "the questions are {}; a question has the id of its step or node, else its path, such as `steps[2]`",
                        known.join(", ")
                    ),
                };
                (format!("no question has the id `{}`", id.value), help)
            }
        };
        self.reader.out.push(Diagnostic::error(Code::UnknownAnswer, id.span, message).help(help));
        None
    }
}
