//! Pictures of playbooks: one model, and one file for each way to draw it.
//!
//! A [`Picture`] is made from a checked plan ([`Picture::of`]), may be cut ([`Picture::cut`]), and is drawn as text, Mermaid, DOT, JSON
//! or SVG. It holds the playbook twice: as an outline, which is how it is written and read from top to bottom, and as nodes with edges,
//! which is how it runs.

mod build;
mod cut;
mod dot;
mod json;
mod mermaid;
pub mod svg;
mod text;

use runbook_core::model::FindingSeverity;
use runbook_core::module::Effect;
use serde::Serialize;

pub use cut::NoSuchNode;
pub use mermaid::{MOST_CHARACTERS, MOST_EDGES};

/// A picture of a playbook.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The playbook's full name.
    pub name: String,
    /// What it does, in one line.
    pub title: String,
    /// `procedure`, `checklist` or `triage`.
    pub kind: &'static str,
    /// The document that it comes from; may be empty.
    pub source: String,
    /// The nodes. A group is a node that others are in.
    pub nodes: Vec<Node>,
    /// What comes after what.
    pub edges: Vec<Edge>,
    /// The nodes as they are written.
    pub outline: Vec<Entry>,
}

/// A step, question, finding, service or group.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its id in the playbook, else its structural path; unique in the picture.
    pub id: String,
    /// Its number among its siblings, such as `2.1`; may be empty.
    pub number: String,
    /// What it is.
    pub kind: Kind,
    /// The same in a word or two, so that nothing is said by colour or shape alone.
    pub word: String,
    /// What it is called.
    pub label: String,
    /// What it runs, such as `http http://127.0.0.1:7000/healthz`; may be empty.
    pub what: String,
    /// What is to be known about it: conditions, loops, retries.
    pub notes: Vec<String>,
    /// The group that it stands in.
    pub group: Option<usize>,
    /// Of a group: whether its nodes stand one below the other, in no order of their own.
    pub stacked: bool,
    /// File and line where it is written; may be empty.
    pub place: String,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A step with an effect.
    #[default]
    Step,
    /// A step that changes something.
    Change,
    /// A step that destroys something.
    Destroy,
    /// Something that a person does or answers.
    Person,
    /// Another playbook.
    Play(Effect),
    /// A step that ends the playbook as failed.
    Fail,
    /// A step that ends the playbook as succeeded, or the end of a tree.
    Stop,
    /// A question of a triage tree.
    Question,
    /// A finding.
    Finding(FindingSeverity),
    /// A group, with what it does at most.
    Group(Effect),
}

/// What an edge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// It comes next.
    Next,
    /// It waits for the other.
    Needs,
    /// An answer leads there.
    Answer,
    /// An answer leads there and does not come back.
    Goto,
    /// It comes after that, whatever was found.
    Then,
    /// When the other failed.
    Failed,
    /// In any case.
    Always,
}

impl EdgeKind {
    /// Whether it is drawn as a broken line: a way that is not the ordinary one.
    pub(crate) fn is_broken(self) -> bool {
        matches!(self, EdgeKind::Goto | EdgeKind::Then | EdgeKind::Failed | EdgeKind::Always)
    }
}

/// A way from one node to another.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Where it begins.
    pub from: usize,
    /// Where it leads.
    pub to: usize,
    /// The answer, or in which case; may be empty.
    pub label: String,
    /// What it means.
    pub kind: EdgeKind,
}

/// A node of the outline.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A node with what hangs below it.
    Node {
        /// The node.
        node: usize,
        /// Its branches; of a group one without a label.
        limbs: Vec<Limb>,
    },
    /// A node that stands elsewhere.
    See(usize),
    /// Nothing of its own: it goes on with this node; none is the end.
    GoOn(Option<usize>),
    /// So many nodes that were cut off.
    Cut(usize),
}

/// A branch of the outline.
#[derive(Clone, Debug, Default)]
pub struct Limb {
    /// The answer, or in which case; empty for what is inside a group.
    pub label: String,
    /// What is on it.
    pub entries: Vec<Entry>,
}

impl Kind {
    /// A step of this effect.
    pub(crate) fn of(effect: Effect) -> Kind {
        match effect {
            Effect::Read => Kind::Step,
            Effect::Change => Kind::Change,
            Effect::Destroy => Kind::Destroy,
        }
    }

    /// Its name in style sheets and JSON.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Kind::Step => "read",
            Kind::Change | Kind::Play(Effect::Change) => "change",
            Kind::Destroy | Kind::Play(Effect::Destroy) => "destroy",
            Kind::Play(Effect::Read) => "read",
            Kind::Person => "person",
            Kind::Fail => "fail",
            Kind::Stop => "stop",
            Kind::Question => "question",
            Kind::Finding(FindingSeverity::Info) => "info",
            Kind::Finding(FindingSeverity::Warning) => "warning",
            Kind::Finding(FindingSeverity::Critical) => "critical",
            Kind::Group(_) => "group",
        }
    }
}

impl Node {
    /// What it is called where something speaks of it: its id or label, with its number.
    pub(crate) fn name(&self) -> String {
        let name = if self.id.contains(['[', '.']) { &self.label } else { &self.id };
        format!("{} {name}", self.number).trim().to_owned()
    }

    /// Whether it is the end of a tree, which is drawn but not written.
    pub(crate) fn is_end(&self) -> bool {
        self.kind == Kind::Stop && self.number.is_empty()
    }
}

impl Picture {
    /// One sentence about it, for those who cannot see it.
    pub fn about(&self) -> String {
        let count = |test: &dyn Fn(Kind) -> bool| self.nodes.iter().filter(|n| test(n.kind)).count();
        let is_step = |n: &&Node| !matches!(n.kind, Kind::Question | Kind::Finding(_) | Kind::Group(_)) && !n.is_end();
        let steps = self.nodes.iter().filter(is_step).count();
        let mut parts = vec![format!("A {} in a picture", self.kind)];
        for (n, one, many) in [
            (count(&|k| k == Kind::Question), "question", "questions"),
            (count(&|k| matches!(k, Kind::Finding(_))), "finding", "findings"),
            (steps, "step", "steps"),
            (count(&|k| matches!(k, Kind::Group(_))), "group", "groups"),
        ] {
            if n > 0 {
                parts.push(crate::human::plural(n, one, many));
            }
        }
        parts.join(", ")
    }

    /// The nodes directly inside each group, in their order, and last those outside of all groups.
    pub(crate) fn children(&self) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new(); self.nodes.len() + 1];
        for (i, node) in self.nodes.iter().enumerate() {
            out[node.group.unwrap_or(self.nodes.len())].push(i);
        }
        out
    }
}
