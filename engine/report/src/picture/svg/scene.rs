//! Where everything in a picture is.

use super::super::{Edge, Kind, Picture};
use super::block::{Block, PAD};
use super::layout::{Boxed, Layout, Link, Point, Route, Size, layered, stacked};
use super::measure::{Face, width};

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// Its width.
    pub w: f64,
    /// Its height.
    pub h: f64,
}

/// A line of text.
#[derive(Clone, Debug)]
pub struct Text {
    /// Where its base line begins.
    pub at: Point,
    /// How wide it is at most.
    pub width: f64,
    /// Its kind.
    pub face: Face,
    /// What it says.
    pub text: String,
}

/// The box of a node.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The node.
    pub node: usize,
    /// Where it is.
    pub rect: Rect,
    /// What is written in it.
    pub texts: Vec<Text>,
}

/// An edge.
#[derive(Clone, Debug)]
pub struct Line {
    /// The edge.
    pub edge: usize,
    /// From where it begins to where it ends.
    pub points: Vec<Point>,
    /// Whether it leads back to the box that it left.
    pub is_loop: bool,
    /// The answer on it, with the place that is kept free for it.
    pub label: Option<(Rect, Vec<Text>)>,
}

/// Everything in a picture.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The size of the whole.
    pub size: (f64, f64),
    /// Its heading.
    pub heading: Vec<Text>,
    /// The boxes, groups before what is in them.
    pub shapes: Vec<Shape>,
    /// The edges.
    pub lines: Vec<Line>,
}

/// The space around the whole.
const MARGIN: f64 = 18.0;
/// The space between a group's border and what is in it.
const INSIDE: f64 = 16.0;
/// The room that an edge from a box to itself takes at its side.
const LOOP: f64 = 26.0;
/// The space at the sides of an answer.
const ANSWER_PAD: f64 = 5.0;
/// The least room of a heading.
const HEADING: f64 = 420.0;

pub(super) fn scene(picture: &Picture) -> Option<Scene> {
    let mut maker = Maker::new(picture);
    let all = maker.group(picture.nodes.len())?;
    let heading = Block::heading(&picture.name, &picture.title, &picture.source, all.size.w.max(HEADING));
    let mut scene = Scene { heading: texts(&heading, Point { x: MARGIN, y: MARGIN }), ..Scene::default() };
    let top = MARGIN + heading.size.h + 18.0;
    let wide = all.size.w.max(heading.size.w);
    maker.put(&all, Point { x: MARGIN + (wide - all.size.w) / 2.0, y: top }, &mut scene);
    scene.size = ((wide + MARGIN * 2.0).ceil(), (top + all.size.h + MARGIN).ceil());
    Some(scene)
}

/// The inside of a group, laid out.
struct Laid {
    size: Size,
    /// The nodes in it, with their boxes.
    nodes: Vec<(usize, Rect)>,
    /// The edges in it, and its loops.
    routes: Vec<(usize, Route)>,
    loops: Vec<usize>,
    inner: Vec<Option<Laid>>,
}

struct Maker<'a> {
    picture: &'a Picture,
    children: Vec<Vec<usize>>,
    /// The edges of each group: both ends are in it, or in groups in it.
    edges: Vec<Vec<(usize, usize, usize)>>,
    blocks: Vec<Block>,
    answers: Vec<Block>,
}

impl<'a> Maker<'a> {
    fn new(picture: &'a Picture) -> Self {
        let outside = picture.nodes.len();
        let mut edges = vec![Vec::new(); outside + 1];
        let mut looped: Vec<Vec<&str>> = vec![Vec::new(); picture.nodes.len()];
        for (i, edge) in picture.edges.iter().enumerate() {
            if edge.from == edge.to && !edge.label.is_empty() {
                looped[edge.from].push(&edge.label);
            }
            if let Some((group, from, to)) = level(picture, edge) {
                edges[group.unwrap_or(outside)].push((i, from, to));
            }
        }
        edges.iter_mut().for_each(|all| all.sort_by_key(|(_, from, to)| if from == to { *from } else { 0 }));
        let answer = |e: &Edge| match e.from == e.to {
            true => Block::answer(&looped[e.from].join(" or ")),
            false => Block::answer(&e.label),
        };
        Maker {
            picture,
            children: picture.children(),
            edges,
            blocks: picture.nodes.iter().map(Block::of).collect(),
            answers: picture.edges.iter().map(answer).collect(),
        }
    }

    /// Lays out a group from the inside out; the last is what stands in no group.
    fn group(&mut self, at: usize) -> Option<Laid> {
        let nodes = self.children[at].clone();
        let mut inner = Vec::with_capacity(nodes.len());
        let mut sizes = Vec::with_capacity(nodes.len());
        for &node in &nodes {
            let laid = if self.children[node].is_empty() { None } else { Some(self.group(node)?) };
            sizes.push(self.size(node, laid.as_ref()));
            inner.push(laid);
        }
        let (mut loops, between): (Vec<_>, Vec<_>) = self.edges[at].iter().copied().partition(|(_, from, to)| from == to);
        // One loop at a box is enough; it bears all answers.
        loops.dedup_by_key(|(_, from, _)| *from);
        // A loop runs beside its box, with its answer.
        let mut room: Vec<f64> = vec![0.0; nodes.len()];
        let place = |node: usize| nodes.iter().position(|n| *n == node);
        for (edge, node, _) in &loops {
            if let Some(place) = place(*node) {
                room[place] = room[place].max(LOOP + self.answers[*edge].size.w + ANSWER_PAD * 2.0);
            }
        }
        let is_stacked = self.picture.nodes.get(at).is_some_and(|n| n.stacked) && between.is_empty() && loops.is_empty();
        let layout = if is_stacked {
            let (layout, wider) = stacked(&sizes);
            sizes = wider;
            layout
        } else {
            self.flow(&nodes, &sizes, &room, &between)?
        };
        let Layout { size, boxes, routes } = layout;
        let rects = boxes.iter().zip(&sizes).map(|(p, s)| Rect { x: p.x, y: p.y, w: s.w, h: s.h });
        Some(Laid {
            size,
            nodes: nodes.iter().copied().zip(rects).collect(),
            routes: between.iter().map(|(edge, ..)| *edge).zip(routes).collect(),
            loops: loops.iter().map(|(edge, ..)| *edge).collect(),
            inner,
        })
    }

    fn flow(&self, nodes: &[usize], sizes: &[Size], room: &[f64], between: &[(usize, usize, usize)]) -> Option<Layout> {
        let mut place = vec![usize::MAX; self.picture.nodes.len()];
        nodes.iter().enumerate().for_each(|(i, n)| place[*n] = i);
        let links: Vec<Link> = between
            .iter()
            .map(|(edge, from, to)| {
                let answer = &self.answers[*edge];
                let size = Size { w: answer.size.w + ANSWER_PAD * 2.0, h: answer.size.h + 2.0 };
                Link { from: place[*from], to: place[*to], label: (!answer.rows.is_empty()).then_some(size) }
            })
            .collect();
        let boxes: Vec<Boxed> = sizes.iter().zip(room).map(|(size, room)| Boxed { size: *size, room: *room }).collect();
        layered(&boxes, &links)
    }

    fn size(&self, node: usize, inner: Option<&Laid>) -> Size {
        let text = self.blocks[node].size;
        match inner {
            Some(inner) => Size { w: text.w.max(inner.size.w) + INSIDE * 2.0, h: text.h + inner.size.h + PAD.h * 2.0 + INSIDE },
            None => Size { w: (text.w + self.left(node) * 2.0).max(64.0).ceil(), h: text.h + PAD.h * 2.0 },
        }
    }

    /// The space between a box's border and its text.
    fn left(&self, node: usize) -> f64 {
        // The slanted sides of a question take some more.
        if self.picture.nodes[node].kind == Kind::Question { PAD.w + 6.0 } else { PAD.w }
    }

    /// Puts a group's inside at its place.
    fn put(&self, laid: &Laid, at: Point, scene: &mut Scene) {
        let moved = |p: Point| Point { x: p.x + at.x, y: p.y + at.y };
        for ((node, rect), inner) in laid.nodes.iter().zip(&laid.inner) {
            let rect = Rect { x: rect.x + at.x, y: rect.y + at.y, ..*rect };
            let block = &self.blocks[*node];
            let is_group = inner.is_some();
            let left = rect.x + if is_group { INSIDE } else { self.left(*node) };
            let texts = texts(block, Point { x: left, y: rect.y + PAD.h });
            scene.shapes.push(Shape { node: *node, rect, texts });
            if let Some(inner) = inner {
                // What is narrower than its title stands in the middle.
                let x = rect.x + (rect.w - inner.size.w) / 2.0;
                self.put(inner, Point { x, y: rect.y + PAD.h * 2.0 + block.size.h }, scene);
            }
        }
        for (edge, route) in &laid.routes {
            let answer = &self.answers[*edge];
            let label = route.label.map(|p| {
                let p = moved(p);
                let rect = Rect { x: p.x, y: p.y, w: answer.size.w + ANSWER_PAD * 2.0, h: answer.size.h + 2.0 };
                (rect, texts(answer, Point { x: p.x + ANSWER_PAD, y: p.y + 1.0 }))
            });
            let points = route.points.iter().copied().map(moved).collect();
            scene.lines.push(Line { edge: *edge, points, is_loop: false, label });
        }
        for edge in &laid.loops {
            let node = self.picture.edges[*edge].from;
            let Some((_, rect)) = laid.nodes.iter().find(|(n, _)| *n == node) else { continue };
            let rect = Rect { x: rect.x + at.x, y: rect.y + at.y, ..*rect };
            let right = rect.x + rect.w;
            let (from, to) = (rect.y + rect.h * 0.3, rect.y + rect.h * 0.7);
            let answer = &self.answers[*edge];
            let place = Rect { x: right + LOOP, y: rect.y + (rect.h - answer.size.h) / 2.0, w: answer.size.w, h: answer.size.h };
            let label = (!answer.rows.is_empty()).then(|| (place, texts(answer, Point { x: place.x, y: place.y })));
            let points = vec![Point { x: right, y: from }, Point { x: right, y: to }];
            scene.lines.push(Line { edge: *edge, points, is_loop: true, label });
        }
    }
}

/// The group in which both ends of an edge stand, with what stands there of each; none where one is inside of the other.
fn level(picture: &Picture, edge: &Edge) -> Option<(Option<usize>, usize, usize)> {
    let up = |mut at: usize| {
        let mut out = vec![at];
        while let Some(group) = picture.nodes[at].group {
            out.push(group);
            at = group;
        }
        out
    };
    if edge.from == edge.to {
        return Some((picture.nodes[edge.from].group, edge.from, edge.to));
    }
    let (from, to) = (up(edge.from), up(edge.to));
    for (i, a) in from.iter().enumerate() {
        let group = picture.nodes[*a].group;
        if let Some(j) = to.iter().position(|b| picture.nodes[*b].group == group) {
            return (from[i] != to[j]).then_some((group, from[i], to[j]));
        }
    }
    None
}

fn texts(block: &Block, at: Point) -> Vec<Text> {
    let row = |row: &super::block::Row| Text {
        at: Point { x: at.x, y: at.y + row.y },
        width: width(&row.text, row.face),
        face: row.face,
        text: row.text.clone(),
    };
    block.rows.iter().map(row).collect()
}
