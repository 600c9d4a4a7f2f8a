//! Two lists of lines, side by side as a diff.

/// A line of a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// In both.
    Same(&'a str),
    /// Only in the first.
    Gone(&'a str),
    /// Only in the second.
    New(&'a str),
    /// So many lines that are in both are left out.
    Skipped(usize),
}

/// Longer lists are compared from their ends only: nobody reads more.
const MOST: usize = 2_000;

/// The lines of `before` and `after`, with so many lines around each change.
pub(super) fn diff<'a>(before: &'a [String], after: &'a [String], around: usize) -> Vec<Change<'a>> {
    let same_start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let same_end = before[same_start..].iter().rev().zip(after[same_start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (b, a) = (&before[same_start..before.len() - same_end], &after[same_start..after.len() - same_end]);
    let mut all: Vec<Change<'a>> = before[..same_start].iter().map(|l| Change::Same(l)).collect();
    if b.len() > MOST || a.len() > MOST {
        all.extend(b.iter().map(|l| Change::Gone(l)));
        all.extend(a.iter().map(|l| Change::New(l)));
    } else {
        middle(b, a, &mut all);
    }
    all.extend(before[before.len() - same_end..].iter().map(|l| Change::Same(l)));
    shortened(&all, around)
}

/// The longest common lines, the usual table.
fn middle<'a>(b: &'a [String], a: &'a [String], out: &mut Vec<Change<'a>>) {
    let mut best = vec![vec![0usize; a.len() + 1]; b.len() + 1];
    for i in (0..b.len()).rev() {
        for j in (0..a.len()).rev() {
            best[i][j] = if b[i] == a[j] { best[i + 1][j + 1] + 1 } else { best[i + 1][j].max(best[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < b.len() || j < a.len() {
        if i < b.len() && j < a.len() && b[i] == a[j] {
            out.push(Change::Same(&b[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < b.len() && (j == a.len() || best[i + 1][j] >= best[i][j + 1]) {
            out.push(Change::Gone(&b[i]));
            i += 1;
        } else {
            out.push(Change::New(&a[j]));
            j += 1;
        }
    }
}

/// Lines that did not change, and stand far from those that did, are left out.
fn shortened<'a>(all: &[Change<'a>], around: usize) -> Vec<Change<'a>> {
    let near = |at: usize| {
        let from = at.saturating_sub(around);
        all[from..(at + around + 1).min(all.len())].iter().any(|c| !matches!(c, Change::Same(_)))
    };
    let mut out: Vec<Change<'a>> = Vec::new();
    for (at, change) in all.iter().enumerate() {
        if near(at) {
            out.push(*change);
        } else if let Some(Change::Skipped(n)) = out.last_mut() {
            *n += 1;
        } else {
            out.push(Change::Skipped(1));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|l| (*l).to_owned()).collect()
    }

    #[test]
    fn changes_are_found_and_the_rest_is_left_out() {
        let (before, after) = (own(&["1", "2", "3", "4", "x", "5"]), own(&["1", "2", "3", "4", "y", "5", "6"]));
        assert_eq!(
            diff(&before, &after, 1),
            [Change::Skipped(3), Change::Same("4"), Change::Gone("x"), Change::New("y"), Change::Same("5"), Change::New("6")]
        );
        assert_eq!(diff(&before, &before, 1), [Change::Skipped(6)]);
        assert_eq!(diff(&[], &own(&["a"]), 1), [Change::New("a")]);
    }
}
