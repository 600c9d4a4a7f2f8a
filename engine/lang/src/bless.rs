//! Writing recorded expectations into a test file, in their place; everything else stays as it is.

use runbook_core::span::Span;
use runbook_core::tested::Trace;

/// A text that may be written without quotes: it means the same to every reader of YAML.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _./@>-[]()".contains(c);
    let safe = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) && !text.ends_with(' ');
    if safe && (text.contains(' ') || text.len() > 5) {
        return text.to_owned();
    }
    if text.chars().all(|c| (' '..='~').contains(&c)) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    // JSON's strings are YAML's double-quoted ones; what could hide something is written out.
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if (c as u32) <= 0xffff => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('"');
    out
}

fn list(name: &str, items: &[String], indent: &str, out: &mut String) {
    if items.is_empty() {
        out.push_str(&format!("{indent}  {name}: []\n"));
        return;
    }
    out.push_str(&format!("{indent}  {name}:\n"));
    for item in items {
        out.push_str(&format!("{indent}    - {}\n", scalar(item)));
    }
}

/// `recorded:` with what a run did, behind so much indent. It begins at the key, and ends without a line break.
fn block(trace: &Trace, indent: &str) -> String {
    let mut out = format!("recorded:\n{indent}  outcome: {}\n", trace.outcome);
    list("path", &trace.path, indent, &mut out);
    list("calls", &trace.calls, indent, &mut out);
    out.truncate(out.trim_end().len());
    out
}

/// The text of a test file with these runs recorded, each at the place of its `recorded`.
///
/// # Errors
/// A `recorded` that stands inside braces, where no block can be written: its place.
pub fn bless(text: &str, runs: &[(Span, &Trace)]) -> Result<String, Span> {
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    for (span, trace) in runs {
        let start = (span.start as usize).min(text.len());
        let line = text[..start].rfind('\n').map_or(0, |n| n + 1);
        let before = &text[line..start];
        // A key may stand behind the `- ` of its list item.
        if !before.trim_start().trim_start_matches("- ").is_empty() {
            return Err(*span);
        }
        let indent = " ".repeat(before.chars().count());
        // Of a key without a value the place is the key's alone.
        let end = (span.end as usize).min(text.len());
        let end = if text[end..].starts_with(':') { end + 1 } else { end };
        let end = value_end(text, start, end, indent.len());
        let mut new = block(trace, &indent);
        // A comment on the key's line is about the key.
        let first = text[start..].split('\n').next().unwrap_or("");
        let one_line = !text[start..end].contains('\n');
        let behind = if one_line { &first[end - start..] } else { first.get("recorded:".len()..).unwrap_or("") };
        let comment = if behind.trim_start().starts_with('#') { behind.trim_end() } else { "" };
        new.insert_str("recorded:".len(), comment);
        let end = if one_line && !comment.is_empty() { start + first.len() } else { end };
        edits.push((start, end, new));
    }
    edits.sort_by_key(|(start, ..)| std::cmp::Reverse(*start));
    let mut out = text.to_owned();
    for (start, end, new) in edits {
        out.replace_range(start..end, &new);
    }
    Ok(out)
}

/// Where the value ends: with its last line, a comment behind it left out, blank lines and comments after it too.
fn value_end(text: &str, start: usize, end: usize, indent: usize) -> usize {
    let mut last = end.max(start);
    // The lines below that are indented deeper and say something are the value's.
    let mut at = text[last..].find('\n').map_or(text.len(), |n| last + n);
    while at < text.len() {
        let line = text[at + 1..].split('\n').next().unwrap_or("");
        let deep = line.len() - line.trim_start_matches(' ').len();
        let says = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        if says && deep <= indent {
            break;
        }
        let next = at + 1 + line.len();
        if says && next <= end {
            last = last.max(next);
        }
        if next >= text.len() || next > end {
            break;
        }
        at = next;
    }
    let trimmed = text[start..last].trim_end().len();
    start + trimmed
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::diagnostic::Diagnostics;
    use runbook_core::node::Node;
    use runbook_core::span::SourceMap;

    fn trace(path: &[&str], calls: &[&str]) -> Trace {
        let own = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect();
        Trace { outcome: "succeeded".into(), path: own(path), calls: own(calls) }
    }

    fn root(text: &str) -> Node {
        let id = SourceMap::default().add("a", text);
        crate::yaml::read(text, id, &mut Diagnostics::default()).root.expect(text)
    }

    /// The text with the recorded parts of its tests replaced, and what it says then.
    fn blessed(text: &str, trace: &Trace) -> String {
        let root = root(text);
        let tests: Vec<&Node> = root.get("tests").and_then(Node::as_list).map_or_else(|| vec![&root], |l| l.iter().collect());
        let spans: Vec<(Span, &Trace)> = tests
            .iter()
            .filter_map(|t| t.as_map()?.iter().find(|(k, _)| k.value == "recorded"))
            .map(|(k, v)| (if v.is_null() { k.span } else { k.span.to(v.span) }, trace))
            .collect();
        bless(text, &spans).expect("a block")
    }

    #[test]
    fn only_the_recorded_part_changes() {
        let new = trace(&["a ok"], &["http {\"url\":\"x: y\"}"]);
        let before = "test: t   # why\nrecorded: {}   # written by bless\n# last\n";
        let after = blessed(before, &new);
        assert_eq!(
            after,
            "test: t   # why\nrecorded:   # written by bless\n  outcome: succeeded\n  path:\n    - a ok\n  calls:\n    - 'http {\"url\":\"x: y\"}'\n# last\n"
        );
        // What was written is read back as it is, and written again the same.
        let again = root(&after);
        let calls = again.get("recorded").and_then(|r| r.get("calls")).and_then(Node::as_list).expect("a list");
        assert_eq!(calls[0].as_str(), Some("http {\"url\":\"x: y\"}"));
        assert_eq!(blessed(&after, &new), after);
    }

    #[test]
    fn older_records_are_replaced_whole_in_every_test() {
        let before = "play: p\ntests:\n  - test: one\n    recorded:\n      outcome: failed\n      path:\n        - a failed\n\n        - b ok\n      calls: []\n\n  # two\n  - recorded:\n    test: two\n    expect: {}\n";
        let after = blessed(before, &trace(&[], &[]));
        assert_eq!(
            after,
            "play: p\ntests:\n  - test: one\n    recorded:\n      outcome: succeeded\n      path: []\n      calls: []\n\n  # two\n  - recorded:\n      outcome: succeeded\n      path: []\n      calls: []\n    test: two\n    expect: {}\n"
        );
    }

    #[test]
    fn a_record_inside_braces_is_refused() {
        let text = "tests: [{ test: a, recorded: {} }]\n";
        let at = text.find("recorded").expect("there");
        let span = Span::new(runbook_core::span::SourceId(0), at, at + 12);
        assert_eq!(bless(text, &[(span, &trace(&[], &[]))]), Err(span));
    }

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        for (text, written) in [
            ("a ok", "a ok"),
            ("yes", "'yes'"),
            ("it's {x}", "'it''s {x}'"),
            ("é", "\"\\u00e9\""),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
        ] {
            assert_eq!(scalar(text), written);
            assert_eq!(root(&format!("- {written}\n")).as_list().expect("a list")[0].as_str(), Some(text));
        }
    }
}
