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

/// A line as its content, without indent, and the comment behind it.
fn split(line: &str) -> (&str, &str) {
    let line = line.trim();
    let value = line.strip_prefix("- ").unwrap_or(line);
    let quoted = match value.chars().next() {
        Some(quote @ ('\'' | '"')) => value.rfind(quote).unwrap_or(0),
        _ => 0,
    };
    let from = line.len() - value.len() + quoted;
    match line[from..].find(" #") {
        Some(at) => (line[..from + at].trim_end(), line[from + at..].trim_start()),
        None => (line, ""),
    }
}

/// A new block with the comments of the old one: each at the line that it was about, or at the beginning if that line is gone.
fn with_comments(new: &str, old: &str, indent: &str) -> String {
    let mut about: Vec<(&str, Vec<&str>, &str)> = Vec::new();
    let mut above: Vec<&str> = Vec::new();
    for line in old.lines().skip(1) {
        if line.trim_start().starts_with('#') {
            above.push(line.trim());
            continue;
        }
        let (content, behind) = split(line);
        if !above.is_empty() || !behind.is_empty() {
            about.push((content, std::mem::take(&mut above), behind));
        }
    }
    let mut out: Vec<String> = Vec::new();
    for line in new.lines() {
        let at = about.iter().position(|(content, ..)| *content == line.trim() && !out.is_empty());
        let Some((_, above, behind)) = at.map(|at| about.remove(at)) else {
            out.push(line.to_owned());
            continue;
        };
        let own = &line[..line.len() - line.trim_start().len()];
        out.extend(above.into_iter().map(|comment| format!("{own}{comment}")));
        out.push(if behind.is_empty() { line.to_owned() } else { format!("{line}   {behind}") });
    }
    let lost = about.into_iter().flat_map(|(_, above, behind)| above.into_iter().chain(Some(behind).filter(|b| !b.is_empty())));
    let lost: Vec<String> = lost.chain(above).map(|comment| format!("{indent}  {comment}")).collect();
    out.splice(1..1, lost);
    out.join("\n")
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
        if text[start..end].contains('\n') {
            new = with_comments(&new, &text[start..end], &indent);
        }
        // A comment on the key's line is about the key.
        let first = text[start..].split('\n').next().unwrap_or("");
        let one_line = !text[start..end].contains('\n');
        let behind = if one_line { &first[end - start..] } else { first.get("recorded:".len()..).unwrap_or("") };
        let comment = if behind.trim_start().starts_with('#') { behind.trim_end() } else { "" };
        new.insert_str("recorded:".len(), comment);
        if first.ends_with('\r') {
            new = new.replace('\n', "\r\n");
        }
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
    fn comments_inside_a_record_stay() {
        let before = "test: t\nrecorded:\n  # how it ends\n  outcome: failed\n  path:\n    # first\n    - a ok   # as ever\n    - 'b #1 ok' # not any more\n  calls: []\n# last\n";
        let after = blessed(before, &trace(&["c ok", "a ok"], &[]));
        assert_eq!(
            after,
            "test: t\nrecorded:\n  # how it ends\n  # not any more\n  outcome: succeeded\n  path:\n    - c ok\n    # first\n    - a ok   # as ever\n  calls: []\n# last\n"
        );
        assert_eq!(blessed(&after, &trace(&["c ok", "a ok"], &[])).matches('#').count(), after.matches('#').count());
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        let after = blessed("test: t\r\nrecorded: {}\r\nplay: p\r\n", &trace(&["a ok"], &[]));
        assert_eq!(after, "test: t\r\nrecorded:\r\n  outcome: succeeded\r\n  path:\r\n    - a ok\r\n  calls: []\r\nplay: p\r\n");
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
