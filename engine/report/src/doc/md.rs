//! Markdown that is made of texts that others wrote: nothing of them is read as markup but where Markdown is meant.

use runbook_core::module::hand_shown;

use crate::sanitize::{sanitize, sanitize_line};

/// A text without what commands a terminal, with variables in place of secrets.
fn clean(text: &str) -> String {
    sanitize(&hand_shown(text)).into_owned()
}

fn clean_line(text: &str) -> String {
    let text = hand_shown(text);
    sanitize_line(text.trim()).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name or a sentence on one line: only code between backticks is markup.
pub(super) fn line(text: &str) -> String {
    let text = clean_line(text);
    let mut out = String::with_capacity(text.len() + 8);
    for (is_code, piece) in spans(&text) {
        if is_code { out.push_str(piece) } else { escape(piece, &mut out) }
    }
    match out.chars().next() {
        Some('#' | '>' | '+' | '-' | '=' | '~') => out.insert(0, '\\'),
        Some('0'..='9') => {
            // `1.` or `1)` would begin a list.
            let digits = out.len() - out.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let mut rest = out[digits..].chars();
            if matches!(rest.next(), Some('.' | ')')) && rest.next().is_none_or(char::is_whitespace) {
                out.insert(digits, '\\');
            }
        }
        _ => {}
    }
    out
}

/// A text in pieces: code between two runs of as many backticks, and what is around it.
fn spans(text: &str) -> Vec<(bool, &str)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('`') {
        let run = rest[open..].len() - rest[open..].trim_start_matches('`').len();
        let inner = &rest[open + run..];
        let close = inner.match_indices('`').map(|(i, _)| i).find(|&i| {
            let is_start = !inner[..i].ends_with('`');
            is_start && inner[i..].len() - inner[i..].trim_start_matches('`').len() == run
        });
        let Some(close) = close else {
            // It is closed nowhere: a backtick like any other sign.
            out.push((false, &rest[..open + run]));
            rest = inner;
            continue;
        };
        out.push((false, &rest[..open]));
        out.push((true, &rest[open..open + run + close + run]));
        rest = &inner[close + run..];
    }
    out.push((false, rest));
    out.retain(|(_, piece)| !piece.is_empty());
    out
}

fn escape(text: &str, out: &mut String) {
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        let inside_word = before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
        let needed = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' => true,
            '_' => !inside_word,
            '~' => after == Some('~') || before == Some('~'),
            '&' => after.is_some_and(|a| a.is_ascii_alphanumeric() || a == '#'),
            _ => false,
        };
        if needed {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
}

/// A cell of a table.
pub(super) fn cell(text: &str) -> String {
    bars(&line(text))
}

/// What was written as Markdown already, in a cell of a table.
pub(super) fn bars(markdown: &str) -> String {
    markdown.replace('|', "\\|")
}

/// Code on one line. Nothing is a pair of quotes.
pub(super) fn code(text: &str) -> String {
    let text = clean_line(text);
    if text.is_empty() {
        return "`\"\"`".to_owned();
    }
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Several lines of code.
pub(super) fn fence(language: &str, text: &str) -> String {
    let text = clean(text);
    let fence = "`".repeat(longest_run(&text, '`').max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", text.trim_end_matches('\n'))
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or_default()
}

/// What its author wrote as Markdown: emphasis, lists, tables, links and code stay; headings, HTML and open fences cannot break the page.
pub(super) fn prose(text: &str) -> String {
    let text = clean(text);
    let text = text.trim();
    let mut fence: Option<String> = None;
    // A backtick without a partner may have one on another line, and then nothing is known of what lies between.
    let outside: Vec<&str> = {
        let mut open = None;
        text.lines().filter(|l| !toggles(l, &mut open) && open.is_none()).collect()
    };
    let code_is_clear = outside.iter().all(|l| spans(l).iter().all(|(code, piece)| *code || !piece.contains('`')));
    let mut out = Vec::new();
    for line in text.lines() {
        if toggles(line, &mut fence) || fence.is_some() {
            out.push(line.to_owned());
            continue;
        }
        let body = line.trim_start();
        let indent = &line[..line.len() - body.len()];
        let underline =
            !body.is_empty() && (body.trim_end().chars().all(|c| c == '=') || body.trim_end().chars().all(|c| c == '-'));
        let escaped = if body.starts_with('#') || underline { "\\" } else { "" };
        let body: String = if code_is_clear {
            spans(body).into_iter().map(|(code, piece)| if code { piece.to_owned() } else { harmless(piece) }).collect()
        } else {
            harmless(body)
        };
        out.push(format!("{indent}{escaped}{body}"));
    }
    out.extend(fence);
    out.join("\n")
}

/// Whether a line begins or ends a block of code; what is open afterwards is what would end it.
fn toggles(line: &str, open: &mut Option<String>) -> bool {
    let body = line.trim_start();
    let of = |c: char| body.len() - body.trim_start_matches(c).len();
    match open {
        None => {
            let (c, run) = if of('~') >= 3 { ('~', of('~')) } else { ('`', of('`')) };
            // What follows a fence of backticks has none, or it would be code on a line.
            if run < 3 || (c == '`' && body[run..].contains('`')) {
                return false;
            }
            *open = Some(c.to_string().repeat(run));
            true
        }
        Some(fence) => {
            let closes = body.starts_with(fence.as_str()) && body.trim_end().chars().all(|c| fence.starts_with(c));
            if closes {
                *open = None;
            }
            closes
        }
    }
}

/// Text of a Markdown author without HTML, and without links that run something.
fn harmless(text: &str) -> String {
    let text = text.replace('<', "\\<");
    let lower = text.to_ascii_lowercase();
    let bad = ["javascript:", "vbscript:", "data:"];
    if bad.iter().any(|b| lower.contains(b)) { text.replace("](", "]\\(").replace("]:", "]\\:") } else { text }
}

/// A link; a place that is none of those that a page may lead to is only told.
pub(super) fn link(label: &str, url: &str) -> String {
    let url = clean_line(url);
    let scheme = url.split_once(':').map(|(s, _)| s).filter(|s| !s.contains(['/', '#', '?', '.'])).map(str::to_ascii_lowercase);
    match scheme.as_deref() {
        None | Some("http" | "https" | "mailto" | "tel") => format!("[{}]({})", line(label), address(&url)),
        Some(_) => format!("{} ({})", line(label), code(&url)),
    }
}

/// An address in a link, without what would end it.
pub(super) fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            ' ' => out.push_str("%20"),
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '\\' => out.push_str("%5C"),
            '|' => out.push_str("%7C"),
            c => out.push(c),
        }
    }
    out
}

/// The name of a place in a page: letters, digits and hyphens.
pub(super) fn anchor(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// A page that grows block by block, with one empty line between two.
#[derive(Debug, Default)]
pub(super) struct Md {
    text: String,
}

impl Md {
    /// A block of Markdown.
    pub(super) fn block(&mut self, markdown: &str) {
        let markdown = markdown.trim_end();
        if markdown.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(markdown);
        self.text.push('\n');
    }

    /// A heading; the deepest is the sixth.
    pub(super) fn heading(&mut self, level: usize, anchor: &str, markdown: &str) {
        if !anchor.is_empty() {
            self.block(&format!("<a id=\"{anchor}\"></a>"));
        }
        self.block(&format!("{} {markdown}", "#".repeat(level.clamp(1, 6))));
    }

    /// A list of bullets, each of them Markdown.
    pub(super) fn bullets(&mut self, items: &[String]) {
        let items: Vec<String> = items.iter().map(|i| format!("- {}", i.replace('\n', "\n  "))).collect();
        self.block(&items.join("\n"));
    }

    /// A warning that stands out.
    pub(super) fn warning(&mut self, lines: &[String]) {
        let lines: Vec<String> = lines.iter().map(|l| if l.is_empty() { ">".to_owned() } else { format!("> {l}") }).collect();
        self.block(&lines.join("\n"));
    }

    /// A table whose cells are Markdown.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        self.block(&text);
    }

    /// Lines for a shell.
    pub(super) fn sh(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            self.block(&fence("sh", &lines.join("\n")));
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        for (text, markdown) in [
            ("Point `current` at <version>", "Point `current` at \\<version>"),
            ("a * b_c _d_", "a \\* b_c \\_d\\_"),
            ("# no heading", "\\# no heading"),
            ("1. no list", "1\\. no list"),
            ("12 monkeys", "12 monkeys"),
            ("1.5 of them", "1.5 of them"),
            ("[x](javascript:y)", "\\[x\\](javascript:y)"),
            ("one ` alone", "one \\` alone"),
            ("``a ` b`` c", "``a ` b`` c"),
            ("two\nlines\x1b[2J", "two lines\\\\x1b\\[2J"),
            ("&lt; & ~~x~~", "\\&lt; & \\~\\~x\\~\\~"),
            ("back\\slash", "back\\\\slash"),
        ] {
            assert_eq!(line(text), markdown);
        }
        assert_eq!(cell("a|b `c|d`"), "a\\|b `c\\|d`");
    }

    #[test]
    fn code_is_longer_than_its_content() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code(""), "`\"\"`");
        assert_eq!(fence("sh", "a\n```\nb"), "````sh\na\n```\nb\n````");
        assert_eq!(fence("sh", "a\x1bb"), "```sh\na\\x1bb\n```");
    }

    #[test]
    fn prose_cannot_break_the_page() {
        for (text, markdown) in [
            ("# Heading\ntext", "\\# Heading\ntext"),
            ("text\n---\nmore", "text\n\\---\nmore"),
            ("a <script>x</script> `<b>`", "a \\<script>x\\</script> `<b>`"),
            ("one ` here\nand ` <b> `", "one ` here\nand ` \\<b> `"),
            ("```\nopen <b>", "```\nopen <b>\n```"),
            ("~~~\n```\n# x", "~~~\n```\n# x\n~~~"),
            ("[x](javascript:y)", "[x]\\(javascript:y)"),
            ("[x](https://y)", "[x](https://y)"),
            ("- one\n- two", "- one\n- two"),
        ] {
            assert_eq!(prose(text), markdown);
        }
    }

    #[test]
    fn links_lead_only_where_they_may() {
        assert_eq!(link("a]b", "https://x/a b(c)"), "[a\\]b](https://x/a%20b%28c%29)");
        assert_eq!(link("a", "../b.md#c"), "[a](../b.md#c)");
        assert_eq!(link("a", "JavaScript:x"), "a (`JavaScript:x`)");
        assert_eq!(anchor("shop/Deploy (2)!"), "shop-deploy-2");
    }
}
