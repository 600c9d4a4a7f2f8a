//! Unified diffs of texts.

/// Lines of context around each change.
const CONTEXT: usize = 3;

/// The most changed lines that a shortest diff is looked for; beyond it everything between the first and last change is shown as changed.
const MOST: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Keep(usize, usize),
    Remove(usize),
    Add(usize),
}

/// What changes from `old` to `new`, as `diff -u` shows it; `None` if nothing does.
pub fn unified(name: &str, old: Option<&str>, new: &str) -> Option<String> {
    if old == Some(new) {
        return None;
    }
    let a: Vec<&str> = old.unwrap_or_default().split_inclusive('\n').collect();
    let b: Vec<&str> = new.split_inclusive('\n').collect();
    let ops = ops(&a, &b);
    let from = if old.is_some() { name } else { "/dev/null" };
    let mut out = format!("--- {from}\n+++ {name}\n");
    for hunk in hunks(&ops) {
        write_hunk(&mut out, &ops[hunk], &a, &b);
    }
    Some(out)
}

fn ops(a: &[&str], b: &[&str]) -> Vec<Op> {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (mid_a, mid_b) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    let mut ops: Vec<Op> = (0..start).map(|i| Op::Keep(i, i)).collect();
    match shortest(mid_a, mid_b) {
        Some(found) => ops.extend(found.into_iter().map(|op| match op {
            Op::Keep(i, j) => Op::Keep(i + start, j + start),
            Op::Remove(i) => Op::Remove(i + start),
            Op::Add(j) => Op::Add(j + start),
        })),
        None => {
            ops.extend((start..a.len() - end).map(Op::Remove));
            ops.extend((start..b.len() - end).map(Op::Add));
        }
    }
    ops.extend((0..end).rev().map(|k| Op::Keep(a.len() - 1 - k, b.len() - 1 - k)));
    ops
}

/// Myers' algorithm: the fewest removed and added lines, or `None` if there are too many.
fn shortest(a: &[&str], b: &[&str]) -> Option<Vec<Op>> {
    let (n, m) = (a.len() as isize, b.len() as isize);
    let most = (n + m).min(MOST as isize);
    let middle = most + 1;
    let at = |k: isize| (k + middle) as usize;
    let mut furthest = vec![0_isize; (2 * middle + 1) as usize];
    let mut trail = Vec::new();
    for d in 0..=most {
        trail.push(furthest.clone());
        for k in (-d..=d).step_by(2) {
            let down = k == -d || (k != d && furthest[at(k - 1)] < furthest[at(k + 1)]);
            let mut x = if down { furthest[at(k + 1)] } else { furthest[at(k - 1)] + 1 };
            while x < n && x - k < m && a[x as usize] == b[(x - k) as usize] {
                x += 1;
            }
            furthest[at(k)] = x;
            if x >= n && x - k >= m {
                return Some(walk_back(&trail, n, m, at));
            }
        }
    }
    None
}

fn walk_back(trail: &[Vec<isize>], n: isize, m: isize, at: impl Fn(isize) -> usize) -> Vec<Op> {
    let (mut x, mut y) = (n, m);
    let mut ops = Vec::new();
    for (d, furthest) in trail.iter().enumerate().rev() {
        let (d, k) = (d as isize, x - y);
        let down = k == -d || (k != d && furthest[at(k - 1)] < furthest[at(k + 1)]);
        let before_k = if down { k + 1 } else { k - 1 };
        let before_x = if d == 0 { 0 } else { furthest[at(before_k)] };
        let before_y = if d == 0 { 0 } else { before_x - before_k };
        while x > before_x && y > before_y {
            x -= 1;
            y -= 1;
            ops.push(Op::Keep(x as usize, y as usize));
        }
        if d > 0 {
            ops.push(if down { Op::Add(before_y as usize) } else { Op::Remove(before_x as usize) });
        }
        (x, y) = (before_x, before_y);
    }
    ops.reverse();
    ops
}

fn hunks(ops: &[Op]) -> Vec<std::ops::Range<usize>> {
    let mut hunks: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, op) in ops.iter().enumerate() {
        if matches!(op, Op::Keep(..)) {
            continue;
        }
        let (start, end) = (i.saturating_sub(CONTEXT), (i + 1 + CONTEXT).min(ops.len()));
        match hunks.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => hunks.push(start..end),
        }
    }
    hunks
}

fn write_hunk(out: &mut String, ops: &[Op], a: &[&str], b: &[&str]) {
    let old: Vec<usize> =
        ops.iter().filter_map(|o| if let Op::Keep(i, _) | Op::Remove(i) = o { Some(*i) } else { None }).collect();
    let new: Vec<usize> = ops.iter().filter_map(|o| if let Op::Keep(_, j) | Op::Add(j) = o { Some(*j) } else { None }).collect();
    let place = |lines: &[usize]| match lines {
        [] => "0,0".to_owned(),
        [only] => format!("{}", only + 1),
        [first, ..] => format!("{},{}", first + 1, lines.len()),
    };
    out.push_str(&format!("@@ -{} +{} @@\n", place(&old), place(&new)));
    for op in ops {
        let (sign, line) = match op {
            Op::Keep(i, _) => (' ', a[*i]),
            Op::Remove(i) => ('-', a[*i]),
            Op::Add(j) => ('+', b[*j]),
        };
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_diff_shows_it() {
        let diff = unified("f", Some("a\nb\nc\n"), "a\nB\nc\nd\n").expect("a diff");
        assert_eq!(diff, "--- f\n+++ f\n@@ -1,3 +1,4 @@\n a\n-b\n+B\n c\n+d\n");
        assert_eq!(unified("f", None, "x\n").expect("a diff"), "--- /dev/null\n+++ f\n@@ -0,0 +1 @@\n+x\n");
        assert_eq!(
            unified("f", Some("x"), "").expect("a diff"),
            "--- f\n+++ f\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n"
        );
        assert_eq!(unified("f", Some("same"), "same"), None);
    }

    #[test]
    fn far_changes_are_hunks_of_their_own() {
        let old: String = (0..40).map(|i| format!("{i}\n")).collect();
        let new = old.replace("5\n", "five\n").replace("\n30\n", "\nthirty\n");
        let diff = unified("f", Some(&old), &new).expect("a diff");
        assert!(diff.matches("@@ -").count() >= 2, "{diff}");
    }

    /// Applies the operations, which must give the new text from the old one.
    #[test]
    fn operations_lead_from_one_to_the_other() {
        let mut seed = 7_u64;
        let mut next = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        for _ in 0..300 {
            let words = ["a\n", "b\n", "c\n", "d\n"];
            let (la, lb) = (next() % 12, next() % 12);
            let a: Vec<&str> = (0..la).map(|_| words[next() % 4]).collect();
            let b: Vec<&str> = (0..lb).map(|_| words[next() % 4]).collect();
            let (mut old, mut new) = (Vec::new(), Vec::new());
            for op in ops(&a, &b) {
                match op {
                    Op::Keep(i, j) => {
                        assert_eq!(a[i], b[j]);
                        old.push(a[i]);
                        new.push(b[j]);
                    }
                    Op::Remove(i) => old.push(a[i]),
                    Op::Add(j) => new.push(b[j]),
                }
            }
            assert_eq!((old, new), (a, b));
        }
    }

    #[test]
    fn enormous_changes_still_give_a_diff() {
        let old: String = (0..3000).map(|i| format!("{i}\n")).collect();
        let new: String = (0..3000).map(|i| format!("x{i}\n")).collect();
        let diff = unified("f", Some(&old), &new).expect("a diff");
        assert_eq!(diff.lines().count(), 3 + 6000);
    }
}
