//! Layers: which box stands above which, and the places that edges take in between.

use super::{Boxed, GAP, LINE_GAP, Link, MOST_BENDS, Size};

/// What takes a place in a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// A box.
    Box(usize),
    /// The answer on an edge.
    Label(usize),
    /// An edge that passes.
    Bend(usize),
}

/// A place in a layer.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) what: What,
    pub(super) layer: usize,
    pub(super) size: Size,
    /// The middle.
    pub(super) x: f64,
    /// Neighbours in the layer above and below.
    pub(super) up: Vec<usize>,
    pub(super) down: Vec<usize>,
}

/// An edge as the chain of its places, from the upper box to the lower one.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) slots: Vec<usize>,
    /// Whether it leads upwards.
    pub(super) is_turned: bool,
}

/// All places by layer, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    pub(super) slots: Vec<Slot>,
    pub(super) layers: Vec<Vec<usize>>,
    pub(super) chains: Vec<Chain>,
}

impl Grid {
    pub(super) fn new(boxes: &[Boxed], links: &[Link]) -> Option<Grid> {
        let turned = back_links(boxes.len(), links);
        let ends: Vec<(usize, usize)> =
            links.iter().zip(&turned).map(|(l, turned)| if *turned { (l.to, l.from) } else { (l.from, l.to) }).collect();
        let ranks = ranks(boxes.len(), &ends);
        let most = ranks.iter().copied().max().unwrap_or_default();
        // A layer for answers below each rank that an answer leads down from.
        let mut has_labels = vec![false; most + 1];
        for (link, (upper, _)) in links.iter().zip(&ends) {
            has_labels[ranks[*upper]] |= link.label.is_some();
        }
        let mut layer_of = Vec::with_capacity(most + 1);
        let mut layers = 0_usize;
        for labels in &has_labels {
            layer_of.push(layers);
            layers += if *labels { 2 } else { 1 };
        }
        let bends: usize = ends.iter().map(|(a, b)| layer_of[ranks[*b]].saturating_sub(layer_of[ranks[*a]] + 1)).sum();
        if bends > MOST_BENDS {
            return None;
        }
        let mut grid = Grid { layers: vec![Vec::new(); layers], ..Grid::default() };
        for (i, Boxed { size, room }) in boxes.iter().enumerate() {
            grid.slots.push(Slot {
                what: What::Box(i),
                layer: layer_of[ranks[i]],
                size: Size { w: size.w + room * 2.0, h: size.h },
                x: 0.0,
                up: Vec::new(),
                down: Vec::new(),
            });
        }
        for (i, (link, (upper, lower))) in links.iter().zip(&ends).enumerate() {
            let mut chain = vec![*upper];
            let first = layer_of[ranks[*upper]] + 1;
            for layer in first..layer_of[ranks[*lower]] {
                let label = link.label.filter(|_| layer == first);
                let (what, size) = match label {
                    Some(size) => (What::Label(i), size),
                    None => (What::Bend(i), Size::default()),
                };
                chain.push(grid.slots.len());
                grid.slots.push(Slot { what, layer, size, x: 0.0, up: Vec::new(), down: Vec::new() });
            }
            chain.push(*lower);
            for pair in chain.windows(2) {
                grid.slots[pair[0]].down.push(pair[1]);
                grid.slots[pair[1]].up.push(pair[0]);
            }
            grid.chains.push(Chain { slots: chain, is_turned: turned[i] });
        }
        grid.fill();
        Some(grid)
    }

    /// Puts the places into their layers in the order in which they are reached from the top, first branches first.
    fn fill(&mut self) {
        let mut seen = vec![false; self.slots.len()];
        let tops: Vec<usize> = (0..self.slots.len()).filter(|s| self.slots[*s].up.is_empty()).collect();
        for top in tops {
            let mut stack = vec![top];
            while let Some(at) = stack.pop() {
                if std::mem::replace(&mut seen[at], true) {
                    continue;
                }
                let slot = &self.slots[at];
                self.layers[slot.layer].push(at);
                stack.extend(slot.down.iter().rev());
            }
        }
    }

    /// The least distance between the middles of two neighbours.
    pub(super) fn apart(&self, left: usize, right: usize) -> f64 {
        let (a, b) = (&self.slots[left], &self.slots[right]);
        let gap = match (a.what, b.what) {
            (What::Box(_), What::Box(_)) => GAP,
            _ => LINE_GAP,
        };
        (a.size.w + b.size.w) / 2.0 + gap
    }
}

/// Which links lead back to where one comes from. Turned around, they leave no circle.
fn back_links(boxes: usize, links: &[Link]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); boxes];
    links.iter().enumerate().for_each(|(i, l)| out[l.from].push(i));
    let mut turned = vec![false; links.len()];
    let mut state = vec![State::New; boxes];
    for start in 0..boxes {
        if state[start] != State::New {
            continue;
        }
        state[start] = State::Open;
        let mut stack = vec![(start, 0)];
        while let Some((at, next)) = stack.last_mut() {
            let Some(&link) = out[*at].get(*next) else {
                state[*at] = State::Done;
                stack.pop();
                continue;
            };
            *next += 1;
            let to = links[link].to;
            match state[to] {
                State::Open => turned[link] = true,
                State::New => {
                    state[to] = State::Open;
                    stack.push((to, 0));
                }
                State::Done => {}
            }
        }
    }
    turned
}

/// How many edges lie above each box at most; a box that nothing leads to stands just above the first that it leads to.
fn ranks(boxes: usize, ends: &[(usize, usize)]) -> Vec<usize> {
    let mut down: Vec<Vec<usize>> = vec![Vec::new(); boxes];
    let mut above = vec![0_usize; boxes];
    for (upper, lower) in ends {
        down[*upper].push(*lower);
        above[*lower] += 1;
    }
    let is_top: Vec<bool> = above.iter().map(|n| *n == 0).collect();
    let mut ranks = vec![0; boxes];
    let mut ready: Vec<usize> = (0..boxes).filter(|b| is_top[*b]).collect();
    while let Some(at) = ready.pop() {
        for &lower in &down[at] {
            ranks[lower] = ranks[lower].max(ranks[at] + 1);
            above[lower] -= 1;
            if above[lower] == 0 {
                ready.push(lower);
            }
        }
    }
    for at in 0..boxes {
        if is_top[at] && at > 0 {
            ranks[at] = down[at].iter().map(|l| ranks[*l]).min().map_or(0, |r| r - 1);
        }
    }
    ranks
}
