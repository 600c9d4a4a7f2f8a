//! The order within layers: as few crossings as a few sweeps can find.

use super::layers::Grid;

/// How often the layers are ordered down and up again.
const SWEEPS: usize = 10;
/// Above this many places fewer sweeps are made.
const MANY: usize = 4_000;

/// Orders each layer so that edges cross as little as possible. Where it makes no difference, the order stays as it is.
pub(super) fn untangle(grid: &mut Grid) {
    let mut best = grid.layers.clone();
    let mut fewest = crossings(grid);
    let sweeps = if grid.slots.len() > MANY { 2 } else { SWEEPS };
    for sweep in 0..sweeps {
        if fewest == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let count = grid.layers.len();
        for i in 1..count {
            let layer = if down { i } else { count - 1 - i };
            sort(grid, layer, down);
        }
        let now = crossings(grid);
        if now < fewest {
            fewest = now;
            best.clone_from(&grid.layers);
        }
    }
    grid.layers = best;
}

fn positions(grid: &Grid, layer: usize) -> Vec<(usize, usize)> {
    grid.layers[layer].iter().enumerate().map(|(i, s)| (*s, i)).collect()
}

/// Sorts a layer by the mean place of its neighbours in the one before.
fn sort(grid: &mut Grid, layer: usize, down: bool) {
    let beside = if down { layer - 1 } else { layer + 1 };
    let mut place = vec![0_usize; grid.slots.len()];
    for (slot, i) in positions(grid, beside) {
        place[slot] = i;
    }
    let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(grid.layers[layer].len());
    let mut last = 0.0;
    for slot in &grid.layers[layer] {
        let next = if down { &grid.slots[*slot].up } else { &grid.slots[*slot].down };
        // What has no neighbour there stays beside the one it stood beside.
        if !next.is_empty() {
            last = next.iter().map(|n| place[*n] as f64).sum::<f64>() / next.len() as f64;
        }
        keyed.push((last, *slot));
    }
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    grid.layers[layer] = keyed.into_iter().map(|(_, slot)| slot).collect();
}

/// How often edges cross, in all gaps together.
fn crossings(grid: &Grid) -> usize {
    let mut total = 0;
    let mut place = vec![0_usize; grid.slots.len()];
    for layer in 1..grid.layers.len() {
        for (slot, i) in positions(grid, layer) {
            place[slot] = i;
        }
        let mut ends = Vec::new();
        for slot in &grid.layers[layer - 1] {
            let mut targets: Vec<usize> = grid.slots[*slot].down.iter().map(|t| place[*t]).collect();
            targets.sort_unstable();
            ends.extend(targets);
        }
        total += inversions(&ends, grid.layers[layer].len());
    }
    total
}

/// The pairs that stand in the wrong order, counted with a tree of sums.
fn inversions(ends: &[usize], most: usize) -> usize {
    let mut sums = vec![0_usize; most + 1];
    let mut total = 0;
    for (seen, end) in ends.iter().enumerate() {
        let mut at = end + 1;
        let mut not_after = 0;
        while at > 0 {
            not_after += sums[at];
            at &= at - 1;
        }
        total += seen - not_after;
        at = end + 1;
        while at <= most {
            sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::super::{Boxed, Link, Size};
    use super::*;

    #[test]
    fn inversions_are_counted() {
        assert_eq!(inversions(&[0, 1, 2], 3), 0);
        assert_eq!(inversions(&[2, 1, 0], 3), 3);
        assert_eq!(inversions(&[1, 1, 0], 2), 2);
    }

    #[test]
    fn what_can_be_untangled_is() {
        // a→d, b→c drawn in the order a, b above c, d cross once; two swapped do not.
        let link = |from, to| Link { from, to, label: None };
        let links = [link(4, 0), link(4, 1), link(0, 3), link(1, 2), link(0, 5), link(1, 5), link(5, 6), link(2, 6), link(3, 6)];
        let mut grid = Grid::new(&[Boxed { size: Size { w: 10.0, h: 10.0 }, room: 0.0 }; 7], &links).expect("small");
        untangle(&mut grid);
        assert_eq!(crossings(&grid), 0);
    }
}
