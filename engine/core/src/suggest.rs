//! "Did you mean": the nearest of the names that are legal at a place.

/// The name nearest to `typed`, if one is near enough to be what was meant.
///
/// Near is a Damerau-Levenshtein distance (optimal string alignment) of at most a third of the typed length, 1 at least, but never the
/// whole of it. If nothing is that near, the one name that begins with what was typed (`warn` for `warning`) is.
pub fn nearest<'a>(typed: &str, legal: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed_lower = typed.to_lowercase();
    let length = typed.chars().count();
    let limit = (length / 3).max(1).min(length.saturating_sub(1));
    let legal: Vec<&str> = legal.into_iter().collect();
    let by_distance = legal
        .iter()
        .copied()
        .filter(|name| *name != typed)
        .map(|name| {
            (
                distance(
                    &typed_lower,
                    &name.to_lowercase().replace('-', "_").replace('_', if typed.contains('-') { "-" } else { "_" }),
                ),
                name,
            )
        })
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name);
    if by_distance.is_some() || length < 3 {
        return by_distance;
    }
    let mut longer = legal.into_iter().filter(|name| *name != typed && name.to_lowercase().starts_with(&typed_lower));
    longer.next().filter(|_| longer.next().is_none())
}

/// The optimal string alignment distance: edits and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 8 || a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let legal = ["timeout", "steps", "ask", "when"];
        assert_eq!(nearest("timout", legal), Some("timeout"));
        assert_eq!(nearest("stpes", legal), Some("steps"));
        assert_eq!(nearest("aks", legal), Some("ask"));
        assert_eq!(nearest("zzz", legal), None);
        assert_eq!(nearest("stack_start", ["stack-start"]), Some("stack-start"));
        assert_eq!(nearest("x", ["a", "b"]), None);
        assert_eq!(nearest("warn", ["target", "warning"]), Some("warning"));
        assert_eq!(nearest("item", ["items_a", "items_b"]), None);
    }
}
