//! Lists that are expected, exactly or in part, against those that were seen.

use runbook_core::model::test::Listed;

/// How a list differs from what was expected of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// They are not the same: what was expected, in the words of what was seen where that fits, and what was seen.
    Exactly(Vec<String>, Vec<String>),
    /// This is not there, or not after that which was expected before it.
    Lacks(String, Vec<String>),
    /// This is there and must not be: what was expected not to be, and what was seen.
    Holds(String, Vec<String>),
}

/// Compares; `fits` says whether what was expected is what was seen.
pub(super) fn compare<E: ToString, S: ToString>(
    listed: &Listed<E>,
    seen: &[S],
    fits: &dyn Fn(&E, &S) -> bool,
) -> Option<Difference> {
    let texts = || seen.iter().map(ToString::to_string).collect::<Vec<_>>();
    if let Some(wanted) = &listed.exactly {
        let same = wanted.len() == seen.len() && wanted.iter().zip(seen).all(|(w, s)| fits(w, s));
        return (!same).then(|| Difference::Exactly(in_words_of(wanted, seen, fits), texts()));
    }
    let mut from = 0;
    for wanted in &listed.includes {
        match seen[from..].iter().position(|s| fits(wanted, s)) {
            Some(at) => from += at + 1,
            None => return Some(Difference::Lacks(wanted.to_string(), texts())),
        }
    }
    for unwanted in &listed.excludes {
        let found: Vec<String> = seen.iter().filter(|s| fits(unwanted, s)).map(ToString::to_string).collect();
        if !found.is_empty() {
            return Some(Difference::Holds(unwanted.to_string(), found));
        }
    }
    None
}

/// What was expected, each in the words of what was seen if there is such a thing, so that only differences differ.
fn in_words_of<E: ToString, S: ToString>(wanted: &[E], seen: &[S], fits: &dyn Fn(&E, &S) -> bool) -> Vec<String> {
    let mut from = 0;
    let mut out = Vec::with_capacity(wanted.len());
    for one in wanted {
        match seen[from..].iter().position(|s| fits(one, s)) {
            Some(at) => {
                out.push(seen[from + at].to_string());
                from += at + 1;
            }
            None => out.push(one.to_string()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::span::Span;

    fn listed(exactly: Option<&[&str]>, includes: &[&str], excludes: &[&str]) -> Listed<String> {
        let own = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect();
        Listed { span: Span::default(), exactly: exactly.map(own), includes: own(includes), excludes: own(excludes) }
    }

    fn differ(listed: &Listed<String>, seen: &[&str]) -> Option<Difference> {
        compare(listed, seen, &|e: &String, s: &&str| s.starts_with(e.as_str()))
    }

    #[test]
    fn an_exact_list_is_all_of_it_in_order() {
        let list = listed(Some(&["a", "b"]), &[], &[]);
        assert_eq!(differ(&list, &["a1", "b1"]), None);
        let own = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(differ(&list, &["b1", "a1"]), Some(Difference::Exactly(own(&["a1", "b"]), own(&["b1", "a1"]))));
        assert_eq!(differ(&list, &["a1", "b1", "c"]), Some(Difference::Exactly(own(&["a1", "b1"]), own(&["a1", "b1", "c"]))));
        assert_eq!(differ(&listed(Some(&[]), &[], &[]), &[]), None);
        assert!(differ(&listed(Some(&[]), &[], &[]), &["a"]).is_some());
    }

    #[test]
    fn a_part_is_in_order_and_may_have_gaps() {
        assert_eq!(differ(&listed(None, &["a", "c"], &["x"]), &["a", "b", "c"]), None);
        assert!(
            matches!(differ(&listed(None, &["c", "a"], &[]), &["a", "b", "c"]), Some(Difference::Lacks(what, _)) if what == "a")
        );
        assert!(matches!(differ(&listed(None, &["a", "a"], &[]), &["a"]), Some(Difference::Lacks(..))));
        assert!(
            matches!(differ(&listed(None, &[], &["b"]), &["a", "b1", "b2"]), Some(Difference::Holds(_, found)) if found.len() == 2)
        );
    }
}
