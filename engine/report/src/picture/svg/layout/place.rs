//! How far to the right everything in a layer stands.

use super::layers::{Grid, What};

/// How often the layers pull at each other.
const ROUNDS: usize = 14;
/// Above this many places fewer rounds are made.
const MANY: usize = 4_000;

/// Gives every place its middle: near those it hangs together with, and apart from its neighbours.
pub(super) fn assign(grid: &mut Grid) {
    for layer in 0..grid.layers.len() {
        let slots = grid.layers[layer].clone();
        let mut x = 0.0;
        for (i, slot) in slots.iter().enumerate() {
            if i > 0 {
                x += grid.apart(slots[i - 1], *slot);
            }
            grid.slots[*slot].x = x;
        }
    }
    let rounds = if grid.slots.len() > MANY { 4 } else { ROUNDS };
    let count = grid.layers.len();
    for round in 0..rounds {
        for layer in 0..count {
            pull(grid, layer, true, false);
        }
        for layer in (0..count).rev() {
            pull(grid, layer, false, true);
        }
        // In the end both sides pull at once.
        if round + 3 >= rounds {
            for layer in 0..count {
                pull(grid, layer, true, true);
            }
        }
    }
    straighten(grid);
    let left = grid.slots.iter().map(|s| s.x - s.size.w / 2.0).fold(f64::INFINITY, f64::min);
    grid.slots.iter_mut().for_each(|s| s.x -= left);
}

/// How strongly two places pull at each other: the parts of one line most.
fn weight(a: What, b: What) -> f64 {
    match (a, b) {
        (What::Box(_), What::Box(_)) => 1.0,
        (What::Box(_), _) | (_, What::Box(_)) => 2.0,
        _ => 8.0,
    }
}

/// Moves the places of a layer as near as possible to what they hang together with above and below.
fn pull(grid: &mut Grid, layer: usize, up: bool, down: bool) {
    let slots = &grid.layers[layer];
    let mut wanted = Vec::with_capacity(slots.len());
    for slot in slots {
        let own = &grid.slots[*slot];
        let (mut sum, mut all) = (0.0, 0.0);
        for next in own.up.iter().filter(|_| up).chain(own.down.iter().filter(|_| down)) {
            let next = &grid.slots[*next];
            let weight = weight(own.what, next.what);
            sum += next.x * weight;
            all += weight;
        }
        wanted.push(if all > 0.0 { (sum / all, all) } else { (own.x, 0.01) });
    }
    let apart: Vec<f64> = slots.windows(2).map(|pair| grid.apart(pair[0], pair[1])).collect();
    let xs = fit(&wanted, &apart);
    for (slot, x) in grid.layers[layer].clone().into_iter().zip(xs) {
        grid.slots[slot].x = x;
    }
}

/// The places nearest to the wanted ones (each with its weight) that keep their order and distances: least squares, by pooling
/// neighbours that would come too near.
pub(super) fn fit(wanted: &[(f64, f64)], apart: &[f64]) -> Vec<f64> {
    struct Pool {
        mean: f64,
        weight: f64,
        count: usize,
    }
    let mut offsets = Vec::with_capacity(wanted.len());
    let mut offset = 0.0;
    let mut pools: Vec<Pool> = Vec::new();
    for (i, (x, weight)) in wanted.iter().enumerate() {
        if i > 0 {
            offset += apart[i - 1];
        }
        offsets.push(offset);
        let mut pool = Pool { mean: x - offset, weight: *weight, count: 1 };
        while let Some(before) = pools.pop_if(|p| p.mean >= pool.mean) {
            let weight = before.weight + pool.weight;
            let mean = (before.mean * before.weight + pool.mean * pool.weight) / weight;
            pool = Pool { mean, weight, count: before.count + pool.count };
        }
        pools.push(pool);
    }
    let means = pools.iter().flat_map(|p| std::iter::repeat_n(p.mean, p.count));
    means.zip(&offsets).map(|(mean, offset)| mean + offset).collect()
}

/// Makes lines straight: as many bends of an edge as there is room for stand right below each other.
fn straighten(grid: &mut Grid) {
    let mut order = vec![0; grid.slots.len()];
    for layer in &grid.layers {
        layer.iter().enumerate().for_each(|(i, slot)| order[*slot] = i);
    }
    // What makes room for one may be another's gain.
    for _ in 0..2 {
        for chain in 0..grid.chains.len() {
            let slots = grid.chains[chain].slots.clone();
            let bends = &slots[1..slots.len() - 1];
            let mut from = 0;
            while from < bends.len() {
                let (mut least, mut most) = free(grid, &order, bends[from]);
                let mut to = from + 1;
                while to < bends.len() {
                    let (l, m) = free(grid, &order, bends[to]);
                    if l.max(least) > m.min(most) {
                        break;
                    }
                    (least, most) = (l.max(least), m.min(most));
                    to += 1;
                }
                if to - from > 1 {
                    let mean = bends[from..to].iter().map(|b| grid.slots[*b].x).sum::<f64>() / (to - from) as f64;
                    bends[from..to].iter().for_each(|b| grid.slots[*b].x = mean.clamp(least, most));
                }
                from = to;
            }
        }
    }
}

/// From where to where a place may move without coming too near to its neighbours.
fn free(grid: &Grid, order: &[usize], slot: usize) -> (f64, f64) {
    let layer = &grid.layers[grid.slots[slot].layer];
    let at = order[slot];
    let least = at.checked_sub(1).map_or(f64::NEG_INFINITY, |i| grid.slots[layer[i]].x + grid.apart(layer[i], slot));
    let most = layer.get(at + 1).map_or(f64::INFINITY, |right| grid.slots[*right].x - grid.apart(slot, *right));
    // Rounding must not make the room smaller than nothing.
    (least.min(grid.slots[slot].x), most.max(grid.slots[slot].x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_their_distance_and_stay_near() {
        assert_eq!(fit(&[(0.0, 1.0), (100.0, 1.0)], &[10.0]), [0.0, 100.0]);
        assert_eq!(fit(&[(50.0, 1.0), (50.0, 1.0)], &[10.0]), [45.0, 55.0]);
        assert_eq!(fit(&[(50.0, 1.0), (50.0, 1.0), (0.0, 1.0)], &[10.0, 10.0]).len(), 3);
        assert!(fit(&[], &[]).is_empty());
    }
}
