//! The text in a box: its lines, and how large the box must be.

use super::super::{Kind, Node};
use super::layout::Size;
use super::measure::{Face, width, wrap};

/// The widest line of text in a box.
const ROOM: f64 = 252.0;
/// The space between text and border.
pub(super) const PAD: Size = Size { w: 13.0, h: 10.0 };
/// The most lines of each part of the text; the rest is in the tool tip.
const MOST: usize = 6;

/// A line of text, from the upper left corner of its block.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) face: Face,
    pub(super) text: String,
    /// The base line.
    pub(super) y: f64,
}

/// Lines of text below each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) rows: Vec<Row>,
    pub(super) size: Size,
}

impl Block {
    fn add(&mut self, text: &str, face: Face, room: f64, most: usize) {
        for line in wrap(text, face, room, most) {
            let y = self.size.h + face.size() + (face.leading() - face.size()) / 2.0 - 1.0;
            self.size.w = self.size.w.max(width(&line, face));
            self.size.h += face.leading();
            self.rows.push(Row { face, text: line, y });
        }
    }

    fn space(&mut self, h: f64) {
        if !self.rows.is_empty() {
            self.size.h += h;
        }
    }

    /// What is written in the box of a node.
    pub(super) fn of(node: &Node) -> Block {
        let mut block = Block::default();
        let word = [node.number.as_str(), node.word.as_str()];
        let word: Vec<&str> = word.into_iter().filter(|t| !t.is_empty()).collect();
        if matches!(node.kind, Kind::Group(_)) {
            let name = [node.number.as_str(), node.label.as_str()].join(" ");
            block.add(name.trim(), Face::Label, ROOM * 1.6, 3);
            block.add(&node.word, Face::Word, ROOM, 1);
            block.add(&node.what, Face::Code, ROOM * 1.6, 2);
            node.notes.iter().for_each(|n| block.add(n, Face::Note, ROOM * 1.6, 3));
            return block;
        }
        block.add(&word.join(" · "), Face::Word, ROOM, 2);
        block.add(&node.label, Face::Label, ROOM, MOST);
        if !node.what.is_empty() {
            block.space(3.0);
            block.add(&node.what, Face::Code, ROOM, 4);
        }
        if !node.notes.is_empty() {
            block.space(3.0);
            node.notes.iter().for_each(|n| block.add(n, Face::Note, ROOM, 4));
        }
        block
    }

    /// The heading of a picture.
    pub(super) fn heading(name: &str, title: &str, source: &str, room: f64) -> Block {
        let mut block = Block::default();
        block.add(title, Face::Title, room, MOST);
        block.space(2.0);
        block.add(name, Face::Code, room, 2);
        block.add(source, Face::Note, room, 3);
        block
    }

    /// One answer.
    pub(super) fn answer(text: &str) -> Block {
        let mut block = Block::default();
        block.add(text, Face::Answer, 180.0, 3);
        block
    }
}
