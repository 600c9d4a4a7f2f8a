//! From places to points: heights of layers, where edges leave and enter boxes, and how they run in between.

use super::layers::{Grid, What};
use super::place::fit;
use super::{Boxed, Layout, Link, Point, Route, Size};

/// The least height of a gap that edges run through.
const GAP: f64 = 30.0;
/// The most that is added to it where edges run far to the side.
const MORE: f64 = 44.0;
/// The least height of a gap above answers, which edges only enter.
const LABEL_GAP: f64 = 16.0;
/// How near to the corner of a box an edge may leave it.
const CORNER: f64 = 16.0;
/// The distance between two edges at one side of a box.
const PORT: f64 = 16.0;

/// Where the edges touch the boxes: per edge, at its upper and at its lower end.
struct Ports {
    upper: Vec<f64>,
    lower: Vec<f64>,
}

pub(super) fn routes(grid: &Grid, boxes: &[Boxed], links: &[Link]) -> Layout {
    let ports = ports(grid, boxes);
    let tops = tops(grid, &ports);
    let heights: Vec<f64> = (0..grid.layers.len()).map(|l| height(grid, l)).collect();
    let mut out = Layout::default();
    for (slot, Boxed { size, .. }) in grid.slots.iter().zip(boxes) {
        out.boxes.push(Point { x: slot.x - size.w / 2.0, y: tops[slot.layer] });
    }
    for (i, (chain, link)) in grid.chains.iter().zip(links).enumerate() {
        let mut points = Vec::with_capacity(chain.slots.len() * 2);
        let mut label = None;
        for (n, &at) in chain.slots.iter().enumerate() {
            let slot = &grid.slots[at];
            let (top, bottom) = (tops[slot.layer], tops[slot.layer] + heights[slot.layer]);
            if n == 0 {
                points.push(Point { x: ports.upper[i], y: top + slot.size.h });
                points.push(Point { x: ports.upper[i], y: bottom });
            } else if n + 1 == chain.slots.len() {
                points.push(Point { x: ports.lower[i], y: top });
            } else {
                points.push(Point { x: slot.x, y: top });
                points.push(Point { x: slot.x, y: bottom });
                if let (What::Label(_), Some(size)) = (slot.what, link.label) {
                    label = Some(Point { x: slot.x - size.w / 2.0, y: top });
                }
            }
        }
        points.dedup();
        if chain.is_turned {
            points.reverse();
        }
        out.routes.push(Route { points, label });
    }
    let right = grid.slots.iter().map(|s| s.x + s.size.w / 2.0).fold(0.0, f64::max);
    out.size = Size { w: right, h: tops.last().map_or(0.0, |t| t + heights[heights.len() - 1]) };
    out
}

fn height(grid: &Grid, layer: usize) -> f64 {
    grid.layers[layer].iter().map(|s| grid.slots[*s].size.h).fold(0.0, f64::max)
}

/// The upper edges of the layers: the further edges run to the side, the higher the gap.
fn tops(grid: &Grid, ports: &Ports) -> Vec<f64> {
    let mut far = vec![0.0_f64; grid.layers.len()];
    for (i, chain) in grid.chains.iter().enumerate() {
        let last = chain.slots.len() - 1;
        let x = |n: usize| match n {
            0 => ports.upper[i],
            n if n == last => ports.lower[i],
            n => grid.slots[chain.slots[n]].x,
        };
        for n in 1..=last {
            let layer = grid.slots[chain.slots[n]].layer;
            far[layer] = far[layer].max((x(n) - x(n - 1)).abs());
        }
    }
    let mut tops = Vec::with_capacity(grid.layers.len());
    let mut y = 0.0;
    for (layer, far) in far.iter().enumerate() {
        if layer > 0 {
            let is_labels = !grid.layers[layer].iter().any(|s| matches!(grid.slots[*s].what, What::Box(_)));
            let least = if is_labels { LABEL_GAP } else { GAP };
            y += (least + (far * 0.12).min(MORE)).round();
        }
        tops.push(y);
        y += height(grid, layer);
    }
    tops
}

/// Where edges leave boxes at the bottom and enter them at the top: right above or below where they go, as far as there is room.
fn ports(grid: &Grid, boxes: &[Boxed]) -> Ports {
    let count = grid.chains.len();
    let mut ports = Ports { upper: vec![0.0; count], lower: vec![0.0; count] };
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); grid.slots.len()];
    let mut into: Vec<Vec<usize>> = vec![Vec::new(); grid.slots.len()];
    for (i, chain) in grid.chains.iter().enumerate() {
        out[chain.slots[0]].push(i);
        into[chain.slots[chain.slots.len() - 1]].push(i);
    }
    for (at, edges) in out.iter().enumerate().take(boxes.len()) {
        let mut wanted: Vec<(f64, usize)> = edges.iter().map(|e| (grid.slots[grid.chains[*e].slots[1]].x, *e)).collect();
        spread(grid.slots[at].x, boxes[at].size.w, &mut wanted);
        wanted.iter().for_each(|(x, e)| ports.upper[*e] = *x);
    }
    for (at, edges) in into.iter().enumerate().take(boxes.len()) {
        let from = |e: usize| match grid.chains[e].slots.as_slice() {
            [_, _] => ports.upper[e],
            [.., before, _] => grid.slots[*before].x,
            _ => 0.0,
        };
        let mut wanted: Vec<(f64, usize)> = edges.iter().map(|e| (from(*e), *e)).collect();
        spread(grid.slots[at].x, boxes[at].size.w, &mut wanted);
        wanted.iter().for_each(|(x, e)| ports.lower[*e] = *x);
    }
    ports
}

/// Spreads ends of edges along the side of a box around `middle`.
fn spread(middle: f64, wide: f64, wanted: &mut [(f64, usize)]) {
    if wanted.is_empty() {
        return;
    }
    let corner = CORNER.min(wide / 4.0);
    let (left, right) = (middle - wide / 2.0 + corner, middle + wide / 2.0 - corner);
    let port = PORT.min((right - left) / wanted.len() as f64);
    wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let near: Vec<(f64, f64)> = wanted.iter().map(|(x, _)| (x.clamp(left, right), 1.0)).collect();
    let xs = fit(&near, &vec![port; wanted.len() - 1]);
    // Those that were pushed over a corner come back, and keep their distance.
    let last = port * (wanted.len() - 1) as f64;
    for (i, ((x, _), new)) in wanted.iter_mut().zip(xs).enumerate() {
        let offset = port * i as f64;
        *x = (new - offset).clamp(left, (right - last).max(left)) + offset;
    }
}
