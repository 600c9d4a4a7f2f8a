//! Why a text is no YAML, said so that the place to mend is the place that is pointed at.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::span::{SourceId, Span};

/// What the reader stumbled over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooDeep,
    Directive,
    OpenQuote,
    InFlow,
    Mismatched(char, char),
    ClosesNothing,
    Tab,
    StartsWith(char),
    AfterQuote,
    Escape,
    SecondColon,
    ListBesideKey,
    Indent,
    NoColon,
    Comment,
    NoAnchorName,
    Other,
}

/// A broken place.
pub(crate) struct Broken<'a> {
    pub(crate) text: &'a str,
    pub(crate) source: SourceId,
    /// Where the reader stopped.
    pub(crate) at: usize,
    /// Where the last thing that could be read ended.
    pub(crate) last_end: usize,
    /// The innermost open bracket.
    pub(crate) open: Option<usize>,
    pub(crate) fault: Fault,
    /// The reader's own words.
    pub(crate) said: String,
}

impl Broken<'_> {
    fn span(&self, at: usize) -> Span {
        let length = self.text.get(at..).and_then(|t| t.chars().next()).filter(|c| *c != '\n').map_or(0, char::len_utf8);
        Span::new(self.source, at, at + length)
    }

    fn error(&self, at: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(Code::YamlSyntax, self.span(at), message)
    }

    fn line_of(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count()
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1)
    }

    fn line_text(&self, at: usize) -> &str {
        self.text[self.line_start(at)..].lines().next().unwrap_or("")
    }

    /// The first quote that was opened after everything that could be read.
    fn quote(&self) -> Option<(usize, char)> {
        let from = self.last_end.min(self.at);
        let rest = self.text.get(from..)?;
        let mut comment = false;
        let mut before = ' ';
        for (i, c) in rest.char_indices() {
            match c {
                '\n' => comment = false,
                '#' if before.is_whitespace() => comment = true,
                '"' | '\'' if !comment => return Some((from + i, c)),
                _ => {}
            }
            before = c;
        }
        None
    }
}

/// The diagnostic for a broken place.
pub(crate) fn explain(b: &Broken<'_>) -> Diagnostic {
    match b.fault {
        Fault::TooDeep => Diagnostic::error(Code::TooLarge, b.span(b.at), "lists and maps are nested deeper than 64")
            .help("split the playbook, or keep the data in a file of its own"),
        Fault::Directive => Diagnostic::error(Code::YamlFeature, b.span(b.at), "directives (`%`) are not part of playbooks")
            .help("remove the line"),
        Fault::OpenQuote => match b.quote() {
            Some((at, quote)) => b
                .error(at, format!("the quote `{quote}` is never closed"))
                .label("opened here")
                .also(b.span(b.at), "noticed here")
                .help(format!("close it with `{quote}` where the text ends")),
            None => b.error(b.at, "a quote is never closed"),
        },
        Fault::InFlow => in_flow(b),
        Fault::Mismatched(open, close) => b
            .error(b.at, format!("the bracket `{open}` is closed by `{close}`"))
            .help(format!("close it with `{}`", if open == '[' { ']' } else { '}' })),
        Fault::ClosesNothing => {
            let bracket = b.text[b.at..].chars().next().unwrap_or(']');
            b.error(b.at, format!("the bracket `{bracket}` closes nothing")).help("remove it, or quote the text")
        }
        Fault::Tab => {
            let start = b.line_start(b.at);
            let at = b.text[start..].find('\t').map_or(b.at, |i| start + i);
            tab(b, at)
        }
        Fault::StartsWith(c) => b.error(b.at, format!("plain text cannot start with `{c}`")).help("put the text in quotes"),
        Fault::AfterQuote => b
            .error(b.at, "more text after the closing quote")
            .help(format!("put the whole value in quotes: {}", quoted_value(b.line_text(b.at)))),
        Fault::Escape => escape(b),
        Fault::SecondColon => {
            let line = b.line_text(b.at);
            if b.line_of(b.last_end.saturating_sub(1)) == b.line_of(b.at) && b.last_end > b.line_start(b.at) && !continued(b) {
                b.error(b.at, "a second `: ` in one value").help(format!("put the value in quotes: {}", quoted_value(line)))
            } else {
                b.error(b.at, "this line is read as more of the text above, where `: ` means nothing")
                    .help("indent it like the key it belongs beside, or quote the text above")
            }
        }
        Fault::ListBesideKey => {
            b.error(b.at, "a list cannot start beside its key").help("put the first `- ` on the next line, or write `[a, b]`")
        }
        Fault::Indent => indent(b),
        Fault::NoColon => {
            let line = b.text[b.at.min(b.text.len())..].lines().next().unwrap_or("").trim();
            let word: String = line.chars().take(40).collect();
            let joined = word.split_once(':').filter(|(key, value)| {
                !key.is_empty() && !value.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            });
            match joined {
                Some((key, value)) => b
                    .error(b.at, format!("`{word}` lacks a space after the `:`"))
                    .help(format!("write `{key}: {}`", value.trim_start())),
                None => b.error(b.at, format!("`{word}` lacks a `:`")).help("a line of a map is `key: value`"),
            }
        }
        Fault::Comment => {
            b.error(b.at, "`#` needs a space before it to begin a comment").help("put a space before it, or quote the text")
        }
        Fault::NoAnchorName => {
            b.error(b.at, "`*` and `&` begin an alias or an anchor, and a name must follow").help("put the text in quotes")
        }
        Fault::Other => b.error(b.at, format!("this is not YAML: {}", b.said)),
    }
}

/// A tab in an indent, with the indent of the line above.
fn tab(b: &Broken<'_>, at: usize) -> Diagnostic {
    let above = b.text[..b.line_start(at)].lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("");
    let spaces = above.len() - above.trim_start_matches(' ').len();
    let help = match (above.trim_start().starts_with(['\t', '#']), spaces) {
        (true, _) | (_, 0) => "indent with spaces".to_owned(),
        (_, 1) => "indent with spaces; the line above has 1".to_owned(),
        (_, n) => format!("indent with spaces; the line above has {n}"),
    };
    b.error(at, "a tab where YAML needs spaces").help(help)
}

/// Whether the text that was read last began on a line above.
fn continued(b: &Broken<'_>) -> bool {
    !b.text[b.line_start(b.at)..b.last_end.max(b.line_start(b.at))].contains(':')
}

fn in_flow(b: &Broken<'_>) -> Diagnostic {
    let Some(open) = b.open else {
        return b.error(b.at, format!("this is not YAML: {}", b.said)).help("quote text that holds `: `, `#`, `[`, `{` or `,`");
    };
    let bracket = b.text[open..].chars().next().unwrap_or('[');
    let close = if bracket == '[' { ']' } else { '}' };
    if b.line_of(open) != b.line_of(b.at) || b.at >= b.text.len() || b.at <= open {
        return b
            .error(open, format!("the bracket `{bracket}` is never closed"))
            .label("opened here")
            .also(b.span(b.at), "noticed here")
            .help(format!("close it with `{close}`"));
    }
    b.error(b.at, format!("a `,` or `{close}` is missing here"))
        .also(b.span(open), "the bracket was opened here")
        .help("quote text that holds `: `, `#`, `[`, `{` or `,`")
}

fn escape(b: &Broken<'_>) -> Diagnostic {
    // The reader points at the opening quote or past it; the escape is the first bad one behind it.
    let from = b.quote().map_or(b.at, |(at, _)| at);
    let rest = &b.text[from..];
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let Some((_, next)) = chars.next() else { break };
        let length = match next {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            c if "0abt\tnvfre \"/\\N_LP\n\r".contains(c) => 0,
            _ => usize::MAX,
        };
        let digits: String = rest[i + 1 + next.len_utf8()..].chars().take(length.min(8)).collect();
        let good = length != usize::MAX && digits.len() == length && digits.bytes().all(|d| d.is_ascii_hexdigit());
        if !good {
            let span = Span::new(b.source, from + i, from + i + 1 + next.len_utf8());
            return Diagnostic::error(Code::YamlSyntax, span, format!("`\\{next}` is no escape"))
                .help("write `\\\\` for a backslash, or use single quotes, in which nothing is an escape");
        }
    }
    b.error(b.at, "an escape that stands for no character").help("use single quotes, in which nothing is an escape")
}

fn indent(b: &Broken<'_>) -> Diagnostic {
    let start = b.line_start(b.at);
    let lead = &b.text[start..b.at];
    if lead.trim_start().starts_with("- ") && b.text[..start].trim_end().lines().last().is_some_and(|l| l.contains(": ")) {
        return b
            .error(b.at, "this line goes on with the text above it, as it is indented deeper")
            .help("put the `-` as far left as the steps above; or take the `- ` away, if it belongs to the step above");
    }
    if !lead.trim().is_empty() {
        return b
            .error(b.at, "nothing may follow here")
            .help(format!("put the whole value in quotes: {}", quoted_value(b.line_text(b.at))));
    }
    let tab = lead.find('\t');
    if let Some(tab) = tab {
        return self::tab(b, start + tab);
    }
    // The indents that the lines above have, from the inside out.
    let mut above: Vec<usize> = Vec::new();
    for line in b.text[..start].lines().rev().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#')) {
        let n = line.len() - line.trim_start_matches(' ').len();
        if above.last().is_none_or(|last| n < *last) {
            above.push(n);
        }
        if n == 0 {
            break;
        }
    }
    let wanted: Vec<String> = above.iter().rev().map(ToString::to_string).collect();
    let here = lead.len();
    if above.contains(&here) {
        let list = b.text[b.at..].starts_with("- ");
        return b
            .error(b.at, if list { "a list item between the keys of a map" } else { "a key between the items of a list" })
            .help("give the lines of one list or map the same form and indent");
    }
    b.error(b.at, format!("this indent ({here}) fits no line above"))
        .help(format!("the lines above are indented by {}", wanted.join(" or ")))
}

/// The line's value in quotes, for a help line.
fn quoted_value(line: &str) -> String {
    let (key, value) = match line.split_once(": ") {
        Some((key, value)) => (format!("{}: ", key.trim().trim_start_matches("- ")), value.trim()),
        None => (String::new(), line.trim()),
    };
    let quote = if value.contains('"') && !value.contains('\'') { '\'' } else { '"' };
    let value = if quote == '"' { value.replace('\\', "\\\\").replace('"', "\\\"") } else { value.to_owned() };
    format!("{key}{quote}{value}{quote}")
}
