//! Parts of a graph that do not hang together, and boxes without edges.

use super::{GAP, Layout, Link, Point, Route, Size, WIDE};

/// The space between parts.
const APART: f64 = 26.0;
/// The height above which stacked boxes stand in several columns.
const HIGH: f64 = 560.0;
/// The space between stacked boxes.
const STACK_GAP: f64 = 12.0;

/// A part: its boxes and links by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) boxes: Vec<usize>,
    pub(super) links: Vec<usize>,
}

/// The parts that hang together, in the order of their first boxes.
pub(super) fn components(boxes: usize, links: &[Link]) -> Vec<Part> {
    fn top(of: &mut [usize], mut at: usize) -> usize {
        while of[at] != at {
            of[at] = of[of[at]];
            at = of[at];
        }
        at
    }
    let mut of: Vec<usize> = (0..boxes).collect();
    for link in links {
        let (a, b) = (top(&mut of, link.from), top(&mut of, link.to));
        // The smaller number leads, so that parts keep the order of their first boxes.
        of[a.max(b)] = a.min(b);
    }
    let mut place = vec![usize::MAX; boxes];
    let mut parts: Vec<Part> = Vec::new();
    for at in 0..boxes {
        let leader = top(&mut of, at);
        if place[leader] == usize::MAX {
            place[leader] = parts.len();
            parts.push(Part::default());
        }
        parts[place[leader]].boxes.push(at);
    }
    for (i, link) in links.iter().enumerate() {
        let leader = top(&mut of, link.from);
        parts[place[leader]].links.push(i);
    }
    parts
}

/// Puts parts side by side, and below each other where that would become too wide.
pub(super) fn side_by_side(boxes: usize, links: usize, parts: &[Part], laid: Vec<Layout>) -> Layout {
    let mut out = Layout { boxes: vec![Point::default(); boxes], routes: vec![Route::default(); links], size: Size::default() };
    let (mut x, mut y, mut row) = (0.0, 0.0, 0.0_f64);
    for (part, layout) in parts.iter().zip(laid) {
        if x > 0.0 && x + layout.size.w > WIDE {
            (x, y, row) = (0.0, y + row + APART, 0.0);
        }
        let moved = |p: Point| Point { x: p.x + x, y: p.y + y };
        for (at, point) in part.boxes.iter().zip(&layout.boxes) {
            out.boxes[*at] = moved(*point);
        }
        for (at, route) in part.links.iter().zip(layout.routes) {
            out.routes[*at] = Route { points: route.points.into_iter().map(moved).collect(), label: route.label.map(moved) };
        }
        out.size = Size { w: out.size.w.max(x + layout.size.w), h: out.size.h.max(y + layout.size.h) };
        row = row.max(layout.size.h);
        x += layout.size.w + APART;
    }
    out
}

/// Boxes that stand below each other, in several columns if they are many. Gives the sizes too: all of a column are equally wide.
pub(in crate::picture::svg) fn stacked(boxes: &[Size]) -> (Layout, Vec<Size>) {
    let total: f64 = boxes.iter().map(|b| b.h + STACK_GAP).sum();
    let columns = ((total / HIGH).ceil() as usize).clamp(1, 3).min(boxes.len().max(1));
    let mut out = Layout::default();
    let mut sizes = Vec::with_capacity(boxes.len());
    let mut x = 0.0;
    let mut rest = boxes;
    for column in 0..columns {
        let take = rest.len().div_ceil(columns - column);
        let (own, others) = rest.split_at(take);
        rest = others;
        let wide = own.iter().map(|b| b.w).fold(0.0, f64::max);
        let mut y = 0.0;
        for size in own {
            out.boxes.push(Point { x, y });
            sizes.push(Size { w: wide, h: size.h });
            y += size.h + STACK_GAP;
        }
        out.size = Size { w: x + wide, h: out.size.h.max(y - STACK_GAP) };
        x += wide + GAP;
    }
    (out, sizes)
}
