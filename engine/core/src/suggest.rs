//! "Did you mean": the nearest of the names that are legal at a place.

/// Longer names are not compared.
const LONGEST: usize = 64;

/// Of so many names at the most the nearest is looked for.
const MOST: usize = 500;

/// The name nearest to `typed`, if one is near enough to be what was meant.
///
/// Near is a Damerau-Levenshtein distance (optimal string alignment) of at most a third of the typed length, 1 at least, but never the
/// whole of it. If nothing is that near, the one name that begins with what was typed (`warn` for `warning`) is.
pub fn nearest<'a>(typed: &str, legal: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > 4 * LONGEST {
        return None;
    }
    let typed_lower = typed.to_lowercase();
    let length = typed.chars().count();
    let limit = (length / 3).max(1).min(length.saturating_sub(1));
    let legal: Vec<&str> = legal.into_iter().take(MOST).collect();
    let letters: Vec<char> = typed_lower.chars().collect();
    let dash = typed.contains('-');
    let by_distance = legal
        .iter()
        .copied()
        .filter(|name| *name != typed)
        .filter_map(|name| Some((distance(&letters, name, dash, limit)?, name)))
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name);
    if by_distance.is_some() || length < 3 {
        return by_distance;
    }
    let begins = |name: &str| {
        name.len() >= length && name.chars().flat_map(char::to_lowercase).take(letters.len()).eq(letters.iter().copied())
    };
    let mut longer = legal.into_iter().filter(|name| *name != typed && begins(name));
    longer.next().filter(|_| longer.next().is_none())
}

/// The optimal string alignment distance (edits and swaps of neighbours) to a name in small letters, in which `-` and `_` count as the one
/// of them that was typed. `None` if it is over the limit.
fn distance(typed: &[char], name: &str, dash: bool, limit: usize) -> Option<usize> {
    // A character is at most four bytes long.
    if typed.len() > LONGEST || name.len() > 4 * LONGEST || name.len() / 4 > typed.len() + limit {
        return None;
    }
    let mut letters = ['\0'; LONGEST];
    let mut count = 0;
    for c in name.chars().flat_map(char::to_lowercase) {
        *letters.get_mut(count)? = if matches!(c, '-' | '_') { if dash { '-' } else { '_' } } else { c };
        count += 1;
    }
    let (a, b) = (typed, &letters[..count]);
    if a.len().abs_diff(b.len()) > limit.min(8) {
        return None;
    }
    // The row before the last, the last, and the one that is being filled.
    let mut rows = [[0_usize; LONGEST + 1]; 3];
    for (j, cell) in rows[1][..=b.len()].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        let [before, last, row] = &mut rows;
        row[0] = i;
        let mut least = i;
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row[j] = best;
            least = least.min(best);
        }
        // It never shrinks by more than one from row to row.
        if least > limit + 1 {
            return None;
        }
        rows.rotate_left(1);
    }
    Some(rows[1][b.len()]).filter(|d| *d <= limit)
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
        assert_eq!(nearest("Timeuot", legal), Some("timeout"));
        assert_eq!(nearest("api-gatewy", ["api_gateway", "gateway"]), Some("api_gateway"));
        assert_eq!(nearest("überpüfen", ["überprüfen"]), Some("überprüfen"));
        assert_eq!(nearest(&"x".repeat(63), [&*"x".repeat(64)]), Some(&*"x".repeat(64)));
        assert_eq!(nearest(&"x".repeat(65), [&*"x".repeat(64)]), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), legal), None);
    }
}
