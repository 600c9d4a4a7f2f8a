//! A picture as data.

use serde_json::{Value as Json, json};

use super::{Edge, Kind, Node, Picture};

impl Picture {
    /// The picture as JSON: nodes with the ids that edges and groups name; with a line break at the end.
    pub fn json(&self) -> String {
        let node = |Node { id, number, kind, word, label, what, notes, group, place, .. }: &Node| {
            json!({
                "id": id,
                "number": number,
                "kind": match kind {
                    Kind::Group(_) => "group",
                    Kind::Question => "question",
                    Kind::Finding(_) => "finding",
                    Kind::Play(_) => "play",
                    Kind::Person => "person",
                    Kind::Fail => "fail",
                    Kind::Stop => "stop",
                    Kind::Step | Kind::Change | Kind::Destroy => "step",
                },
                "effect": match kind {
                    Kind::Group(effect) | Kind::Play(effect) => Json::from(effect.word()),
                    Kind::Step | Kind::Change | Kind::Destroy => Json::from(kind.class()),
                    _ => Json::Null,
                },
                "severity": match kind {
                    Kind::Finding(severity) => Json::from(severity.word()),
                    _ => Json::Null,
                },
                "word": word,
                "label": label,
                "what": what,
                "notes": notes,
                "group": group.map(|g| &self.nodes[g].id),
                "place": place,
            })
        };
        let edge = |Edge { from, to, label, kind }: &Edge| json!({ "from": self.nodes[*from].id, "to": self.nodes[*to].id, "label": label, "kind": kind });
        let value = json!({
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "source": self.source,
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "edges": self.edges.iter().map(edge).collect::<Vec<_>>(),
        });
        let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
        text.push('\n');
        text
    }
}
