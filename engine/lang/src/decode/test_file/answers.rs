//! What the operator answers.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::test::TestAnswer;
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::Spanned;
use runbook_core::suggest::nearest;

use super::{Played, Tests};
use crate::keys::ANSWER;

impl Tests<'_, '_, '_> {
    pub(super) fn answers(
        &mut self,
        nodes: [Option<&Node>; 2],
        played: Option<&Played<'_>>,
    ) -> Vec<(Spanned<String>, Vec<TestAnswer>)> {
        let own = nodes[0].map(|n| n.span);
        let mut out = Vec::new();
        for (id, node) in self.merged(nodes, "answers", "a map such as `{go-on: yes}`") {
            if let Some(played) = played
                && own.is_some_and(|s| id.span.start >= s.start && id.span.end <= s.end)
            {
                self.question(id, played);
            }
            let answers: Vec<TestAnswer> = match &node.kind {
                NodeKind::List(items) => items.iter().filter_map(|item| self.answer(item)).collect(),
                _ => self.answer(node).into_iter().collect(),
            };
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

    /// Reports an id that no question has.
    fn question(&mut self, id: &Spanned<String>, played: &Played<'_>) {
        let name = id.value.strip_suffix(".override").unwrap_or(&id.value);
        if name.contains('[') {
            self.step_path(name, id.span, played);
            return;
        }
        let mut known = played.ids();
        let params = played.unit().map(|u| u.playbook.params.as_slice()).unwrap_or_default();
        known.extend(params.iter().filter(|p| p.ask.is_some()).map(|p| p.name.value.as_str()));
        if known.contains(&name) {
            return;
        }
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a question has the id of its step; without one, the step's path, such as `steps[2]`".to_owned(),
        };
        self.reader
            .out
            .push(Diagnostic::error(Code::UnknownAnswer, id.span, format!("no question has the id `{}`", id.value)).help(help));
    }
}
