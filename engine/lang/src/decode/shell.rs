//! Values in shell text: each is quoted by the engine, so it must not stand where the shell quotes already.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::{ExprKind, Part, Template};

use super::Reader;

/// What surrounds a place in shell text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// Bare words.
    Bare,
    /// Between single quotes.
    Single,
    /// Between `$'` and `'`, where a backslash escapes.
    Ansi,
    /// Between double quotes.
    Double,
    /// Between backquotes.
    Backquote,
    /// Inside `$( )` or `( )`.
    Parens,
    /// Inside `${ }`.
    Braces,
}

/// A walk through shell text as POSIX sh reads it.
pub(crate) struct Walk {
    stack: Vec<Around>,
    /// The character before, if it changes what follows: `\` or `$`.
    before: char,
    /// Whether a word starts here, so that `#` would begin a comment.
    word_start: bool,
    comment: bool,
    /// Words that end here-documents whose bodies begin with the next line.
    waiting: Vec<(String, bool)>,
    /// The here-document that is being read.
    document: Option<(String, bool)>,
    line: String,
}

impl Walk {
    pub(crate) fn new() -> Walk {
        Walk {
            stack: Vec::new(),
            before: ' ',
            word_start: true,
            comment: false,
            waiting: Vec::new(),
            document: None,
            line: String::new(),
        }
    }

    /// The innermost of what surrounds the place that was reached.
    pub(crate) fn top(&self) -> Around {
        self.stack.last().copied().unwrap_or(Around::Bare)
    }

    /// Whether the place that was reached lies in a comment.
    pub(crate) fn in_comment(&self) -> bool {
        self.comment
    }

    /// Whether the place that was reached lies in a here-document.
    pub(crate) fn in_document(&self) -> bool {
        self.document.is_some()
    }

    /// Reads literal text.
    pub(crate) fn text(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let mut i = 0;
        while i < chars.len() {
            let c = chars[i];
            if self.document.is_some() {
                self.read_document(c);
                i += 1;
                continue;
            }
            if c == '\n' {
                self.comment = false;
                self.word_start = true;
                self.before = ' ';
                if !self.waiting.is_empty() && matches!(self.top(), Around::Bare | Around::Parens) {
                    self.document = Some(self.waiting.remove(0));
                    self.line.clear();
                }
                i += 1;
                continue;
            }
            if self.comment {
                i += 1;
                continue;
            }
            if self.before == '\\' && self.top() != Around::Single {
                self.before = ' ';
                self.word_start = false;
                i += 1;
                continue;
            }
            let dollar = self.before == '$';
            let quoted = matches!(self.top(), Around::Double);
            match (self.top(), c) {
                (Around::Single | Around::Ansi, '\'')
                | (Around::Double, '"')
                | (Around::Backquote, '`')
                | (Around::Parens, ')')
                | (Around::Braces, '}') => {
                    self.stack.pop();
                }
                (Around::Single | Around::Ansi, _) => {}
                (_, '\'') if !quoted && dollar => self.stack.push(Around::Ansi),
                (_, '\'') if !quoted => self.stack.push(Around::Single),
                (_, '"') => self.stack.push(Around::Double),
                (_, '`') => self.stack.push(Around::Backquote),
                (_, '(') if dollar || !quoted => self.stack.push(Around::Parens),
                (_, '{') if dollar => self.stack.push(Around::Braces),
                (_, '#') if self.word_start && !quoted => self.comment = true,
                (_, '<') if !quoted && chars.get(i + 1) == Some(&'<') && self.before != '<' && chars.get(i + 2) != Some(&'<') => {
                    i += self.here_document(&chars[i + 2..]) + 1;
                }
                _ => {}
            }
            self.before = c;
            self.word_start = c.is_whitespace() || matches!(c, ';' | '|' | '&' | '(');
            i += 1;
        }
    }

    /// Reads the word that ends a here-document; gives how many characters it has.
    fn here_document(&mut self, rest: &[char]) -> usize {
        let mut n = 0;
        let strip = rest.first() == Some(&'-');
        n += usize::from(strip);
        n += rest[n..].iter().take_while(|c| matches!(c, ' ' | '\t')).count();
        let word: String = rest[n..].iter().take_while(|c| c.is_alphanumeric() || "_-'\"\\.".contains(**c)).collect();
        n += word.chars().count();
        let bare: String = word.chars().filter(|c| !"'\"\\".contains(*c)).collect();
        if !bare.is_empty() {
            self.waiting.push((bare, strip));
        }
        n
    }

    fn read_document(&mut self, c: char) {
        if c != '\n' {
            self.line.push(c);
            return;
        }
        if let Some((word, strip)) = &self.document {
            let line = if *strip { self.line.trim_start_matches('\t') } else { &self.line };
            if line == word {
                self.document = if self.waiting.is_empty() { None } else { Some(self.waiting.remove(0)) };
                self.word_start = true;
                self.before = ' ';
            }
        }
        self.line.clear();
    }

    /// Why a value may not stand here.
    fn refuses(&self) -> Option<&'static str> {
        if self.document.is_some() {
            return Some("inside a here-document");
        }
        if self.comment {
            return Some("inside a comment");
        }
        // Only the innermost counts: what surrounds a command substitution does not quote what is inside it.
        match self.top() {
            Around::Single | Around::Ansi => return Some("inside single quotes"),
            Around::Double => return Some("inside double quotes"),
            Around::Braces => return Some("inside `${ }`"),
            Around::Backquote => return Some("inside backquotes"),
            Around::Parens | Around::Bare => {}
        }
        match self.before {
            '\\' => Some("behind a backslash"),
            '$' => Some("behind `$`"),
            _ => None,
        }
    }

    fn value(&mut self) {
        self.before = 'x';
        self.word_start = false;
        self.line.push('x');
    }
}

/// The expressions of shell text that stand where the shell quotes already: their index among the expressions and the place in words.
fn misplaced(template: &Template) -> Vec<(usize, &'static str)> {
    let mut walk = Walk::new();
    let mut out = Vec::new();
    let mut index = 0;
    for part in &template.parts {
        match part {
            Part::Text(text) => walk.text(text),
            Part::Expr(_) => {
                if let Some(place) = walk.refuses() {
                    out.push((index, place));
                }
                walk.value();
                index += 1;
            }
        }
    }
    out
}

impl Reader<'_> {
    /// Reports values in shell text that are quoted twice or not at all.
    pub(crate) fn shell_text(&mut self, template: &Template) {
        let misplaced = misplaced(template);
        for (index, expr) in template.exprs().enumerate() {
            let unquoted = matches!(&expr.root.kind, ExprKind::Filter(name, _, _) if name == "unquoted");
            if unquoted {
                self.out.push(
                    Diagnostic::warning(Code::UnquotedShell, expr.span, "this value goes into the shell text as it is")
                        .help("leave `| unquoted` out if the value is one word; `command:` needs no quoting at all"),
                );
                continue;
            }
            if let Some((_, place)) = misplaced.iter().find(|(i, _)| *i == index) {
                let help = match *place {
                    "behind `$`" => "leave the `$` out: the engine puts the value itself there".to_owned(),
                    "inside a comment" => "take it out of the comment".to_owned(),
                    "inside single quotes" | "inside double quotes" => {
                        format!(
                            "leave the quotes out, or pass it by `env: {{ VALUE: \"{{{{ {} }}}}\" }}` and write \"$VALUE\"",
                            expr.text.trim()
                        )
                    }
                    _ => format!(
                        "pass it by `env: {{ VALUE: \"{{{{ {} }}}}\" }}` and write \"$VALUE\", or use `command:`",
                        expr.text.trim()
                    ),
                };
                self.out.push(
                    Diagnostic::error(
                        Code::ShellQuoting,
                        expr.span,
                        format!("a value {place}, where the engine's own quotes would not hold"),
                    )
                    .help(help),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::span::{SourceId, Span, TextMap};
    use std::sync::Arc;

    fn places(text: &str) -> Vec<&'static str> {
        let map = Arc::new(TextMap::contiguous(0));
        let template = Template::parse(text, Span::default(), SourceId(0), &map).expect(text);
        misplaced(&template).into_iter().map(|(_, p)| p).collect()
    }

    #[test]
    fn bare_values_are_fine() {
        for text in [
            "echo {{ x }}",
            "echo 'a' {{ x }} \"b\"",
            "echo \"$(cat {{ x }})\"",
            "echo it\\'s {{ x }}",
            "# it's a comment\necho {{ x }}",
            "echo a#b'c' {{ x }}",
            "cat <<EOF\nit's\nEOF\necho {{ x }}",
            "(cd {{ x }} && ls)",
            "echo $((1 + 2)) {{ x }}",
            "cat <<< {{ x }}",
        ] {
            assert!(places(text).is_empty(), "{text}: {:?}", places(text));
        }
    }

    #[test]
    fn quoted_values_are_found() {
        for (text, place) in [
            ("echo '{{ x }}'", "inside single quotes"),
            ("echo \"a {{ x }}\"", "inside double quotes"),
            ("echo \"$(echo 'a {{ x }}')\"", "inside single quotes"),
            ("echo $'it\\'s {{ x }}'", "inside single quotes"),
            ("echo `ls {{ x }}`", "inside backquotes"),
            ("echo ${y:-{{ x }}}", "inside `${ }`"),
            ("echo \\{{ x }}", "behind a backslash"),
            ("echo ${{ x }}", "behind `$`"),
            ("cat <<EOF\n{{ x }}\nEOF\n", "inside a here-document"),
            ("cat <<-'E'\n\ta\n\tE\necho '{{ x }}'", "inside single quotes"),
            ("ls # {{ x }}", "inside a comment"),
        ] {
            assert_eq!(places(text), [place], "{text}");
        }
    }
}
