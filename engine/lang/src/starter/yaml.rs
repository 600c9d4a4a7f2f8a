//! Text as YAML: plain where that is safe in every reader, else quoted, else a block.

use runbook_core::node::ScalarValue;

use crate::scalar::{self, Plain};

/// The widest line that is written where there is a choice.
pub(super) const WIDTH: usize = 100;

/// Whether a text may stand without quotes on one line. `flow`: between the brackets of a list or map.
fn bare(text: &str, flow: bool, numbers: bool) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let second = text.chars().nth(1).unwrap_or(' ');
    let begins = match first {
        '-' => {
            second.is_ascii_alphanumeric() || (second == '-' && text.chars().nth(2).is_some_and(|c| c.is_ascii_alphanumeric()))
        }
        c => c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '$' | '+' | '(' | '^'),
    };
    let reads = match scalar::resolve(text) {
        Plain::Is(ScalarValue::Str) => true,
        Plain::Is(ScalarValue::Int(n)) => numbers && n.to_string() == text,
        _ => false,
    };
    begins
        && reads
        && scalar::other_reading(text).is_none()
        && !text.ends_with(' ')
        && !text.contains("{{")
        && text.chars().all(|c| scalar::shown(c) && !matches!(c, ':' | '#' | '?') && !(flow && ",[]{}\"'`&*!|>%@\\".contains(c)))
}

/// A text on one line after its key: bare if it can be, else in quotes.
pub(super) fn inline(text: &str) -> String {
    if bare(text, false, false) { text.to_owned() } else { quoted(text) }
}

/// A text between the brackets of a list or map.
pub(super) fn item(text: &str) -> String {
    if bare(text, true, false) { text.to_owned() } else { quoted(text) }
}

/// A word of an argument vector: as [`item`], and whole numbers need no quotes.
pub(super) fn word(text: &str) -> String {
    if bare(text, true, true) { text.to_owned() } else { quoted(text) }
}

/// A text in quotes: double ones unless single ones spare the backslashes.
fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains('\'') && text.chars().all(scalar::shown) {
        return format!("'{text}'");
    }
    scalar::double_quoted(text)
}

/// A text after its key: on the same line, or as a block whose lines are indented by `indent`.
pub(super) fn value(text: &str, indent: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.first().copied().unwrap_or_default();
    // A block keeps every line as it is, save that it ends with exactly one line break.
    let whole = text.strip_suffix('\n').unwrap_or(text);
    // On one line, too, where quotes would need quotes.
    let crowded = text.contains('\'') && text.contains(['"', '\\']) && !bare(text, false, false);
    let block = (text.contains('\n') || crowded)
        && !whole.ends_with('\n')
        && !first.trim().is_empty()
        && !first.starts_with([' ', '\t'])
        && text.chars().all(|c| scalar::shown(c) || matches!(c, '\n' | '\t'));
    if !block {
        return inline(text);
    }
    let pad = " ".repeat(indent);
    let mut out = String::from(if text.ends_with('\n') { "|" } else { "|-" });
    for line in lines {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&pad);
            out.push_str(line);
        }
    }
    out
}

/// A text on one line, without what hides it and with single spaces.
pub(super) fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if scalar::shown(c) { c } else { ' ' }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as it may stand in a comment: on one line, with its spaces.
pub(super) fn comment(text: &str) -> String {
    let text: String = text.chars().map(|c| if scalar::shown(c) { c } else { ' ' }).collect();
    text.trim_end().to_owned()
}

/// A literal text as a template: whatever would open an expression, a statement or a comment is taken as it is.
pub(super) fn template(text: &str) -> String {
    /// How far the end of `{{` is looked for.
    const FAR: usize = 200;
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, here) = rest.split_at(at);
        out.push_str(before);
        if !here[1..].starts_with(['{', '%', '#']) {
            out.push('{');
            rest = &here[1..];
            continue;
        }
        // A whole `{{ ... }}` reads better than its first brace alone.
        let near = here.char_indices().nth(FAR).map_or(here.len(), |(n, _)| n);
        let whole = here[..near].strip_prefix("{{").and_then(|t| t.find("}}")).map(|end| &here[..end + 4]);
        let piece = whole.filter(|w| !w.contains("{%") && !w.contains('\n')).unwrap_or("{");
        out.push_str("{% raw %}");
        out.push_str(piece);
        out.push_str("{% endraw %}");
        rest = &here[piece.len()..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use runbook_core::diagnostic::Diagnostics;
    use runbook_core::expr::Template;
    use runbook_core::span::{SourceId, SourceMap, Span, TextMap};
    use std::sync::Arc;

    /// The scalar that a reader finds after `key:`.
    fn read(yaml: &str) -> String {
        let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
        let root = crate::text::accept("a.yaml", yaml.as_bytes(), &mut sources, &mut out)
            .and_then(|id| crate::yaml::read(yaml, id, &mut out).root);
        let complaints: Vec<String> = out.into_sorted().into_iter().map(|d| d.message).collect();
        assert!(complaints.is_empty(), "{complaints:?}\n{yaml}");
        let root = root.expect("a tree");
        let node = root.get("key").expect("the key");
        let node = node.as_list().and_then(|l| l.first()).unwrap_or(node);
        node.as_scalar().expect("a scalar").text.clone()
    }

    fn agrees(text: &str) {
        assert_eq!(read(&format!("key: {}\n", inline(text))), text);
        assert_eq!(read(&format!("key: [{}, b]\n", word(text))), text);
        assert_eq!(read(&format!("key: [{}, b]\n", item(text))), text);
        assert_eq!(read(&format!("key: {}\nother: 1\n", value(text, 2))), text, "{}", value(text, 2));
        let map = Arc::new(TextMap::contiguous(0));
        let parsed = Template::parse(&template(text), Span::default(), SourceId(0), &map).expect("a template");
        assert_eq!(parsed.as_literal(), Some(text));
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        for text in [
            "a",
            "echo \"a\" | b [c] {d} > $X",
            "Restart web",
            "-sr",
            "--all",
            "/tmp/x",
            "$HOME/x",
            "a-b_c.d",
            "x=y",
            "it is (not)",
        ] {
            assert_eq!(inline(text), text);
        }
        assert_eq!(word("100"), "100");
        assert_eq!(word("-9"), "-9");
        for text in [
            "",
            "no",
            "0755",
            "1.10",
            "12:30",
            "100",
            "null",
            "~",
            "-",
            "--",
            "---",
            "a: b",
            "a #b",
            "?",
            "{{ x }}",
            " a",
            "a ",
            "<<",
            "=",
            "*",
            "&a",
            "!x",
            "%",
            "@a",
            "`a",
            "é\u{200b}",
            "\u{1b}[0m",
        ] {
            assert_ne!(inline(text), text, "{text:?}");
            agrees(text);
        }
        assert_eq!(item("a \"b\" c"), "'a \"b\" c'");
        assert_eq!(item("it's \"b\""), "\"it's \\\"b\\\"\"");
    }

    #[test]
    fn scripts_are_blocks_and_odd_ones_are_quoted() {
        assert_eq!(value("a\n  b\n\nc\n", 4), "|\n    a\n      b\n\n    c");
        assert_eq!(value("a\nb", 2), "|-\n  a\n  b");
        for text in [
            "\na\n",
            "  a\nb\n",
            "a\n\n",
            "\ta\nb\n",
            "a\n\tb\n",
            "a\n   \nb\n",
            "a\n\u{1b}b\n",
            "a\r\nb",
            "a \nb\n",
            "\n",
            "# a\nb\n",
            "- a\n- b\n",
            "a\n\u{a0}b\n",
            "---\nb\n",
            "a\n---\n",
            "a\n...\n",
        ] {
            agrees(text);
        }
    }

    #[test]
    fn braces_are_taken_as_they_are() {
        assert_eq!(template("docker ps --format '{{.Names}}'"), "docker ps --format '{% raw %}{{.Names}}{% endraw %}'");
        for text in [
            "{{",
            "}}",
            "{%",
            "{#",
            "{% endraw %}",
            "{% raw %}",
            "{{{{",
            "{{ {% endraw %} }}",
            "${{x}}",
            "${#x}",
            "a{",
            "{{\n}}",
            "{{a}}{{b}}",
            "{{{a}}}",
        ] {
            agrees(text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn every_text_comes_back(text in "([ \\-:\\[\\]{}'\"|>&*!#%@`a-c0-2\n\t\r,?=<~.\\\\]|\\PC|\\{\\{|\\{%|raw|endraw|%\\}|\u{1b}|\u{202e}|\u{a0}|no|0x1f){0,24}") {
            agrees(&text);
        }
    }
}
