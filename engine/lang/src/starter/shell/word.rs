//! Words: quotes, variables and substitutions.

use std::ops::Range;

use super::parse::{Give, Parser};
use super::{Part, Use, Word};

impl Parser<'_> {
    /// A word; the caller has seen that one begins here.
    pub(super) fn word(&mut self) -> Result<Word, Give> {
        let from = self.pos;
        let mut parts: Vec<Part> = Vec::new();
        let mut text = String::new();
        let flush = |text: &mut String, parts: &mut Vec<Part>| {
            if !text.is_empty() {
                parts.push(Part::Text { text: std::mem::take(text), quoted: false });
            }
        };
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | ')' => break,
                '<' | '>' if self.rest()[1..].starts_with('(') && self.pos == from => {
                    self.pos += 2;
                    self.bash = true;
                    self.nested(|p| p.list(&[]))?;
                    self.eat(")")?;
                    parts.push(Part::Other);
                }
                '<' | '>' => break,
                '(' if text.ends_with(['?', '*', '+', '@', '!']) => {
                    self.balanced('(', ')')?;
                    self.bash = true;
                    flush(&mut text, &mut parts);
                    parts.push(Part::Other);
                }
                '(' => break,
                '\\' => {
                    self.pos += 1;
                    match self.next() {
                        Some('\n') => {}
                        c => {
                            let c = c.unwrap_or('\\');
                            flush(&mut text, &mut parts);
                            parts.push(Part::Text { text: c.to_string(), quoted: true });
                        }
                    }
                }
                '\'' => {
                    flush(&mut text, &mut parts);
                    self.pos += 1;
                    let end = self.rest().find('\'').ok_or(Give::Up)?;
                    parts.push(Part::Text { text: self.rest()[..end].to_owned(), quoted: true });
                    self.pos += end + 1;
                }
                '"' => {
                    flush(&mut text, &mut parts);
                    self.double(&mut parts)?;
                }
                '$' => {
                    flush(&mut text, &mut parts);
                    self.dollar(false, &mut parts)?;
                }
                '`' => {
                    flush(&mut text, &mut parts);
                    parts.push(self.backquote()?);
                }
                c => {
                    text.push(c);
                    self.pos += c.len_utf8();
                }
            }
        }
        flush(&mut text, &mut parts);
        Ok(Word { parts, span: from..self.pos })
    }

    /// What stands between double quotes.
    fn double(&mut self, parts: &mut Vec<Part>) -> Result<(), Give> {
        self.pos += 1;
        let mut text = String::new();
        let before = parts.len();
        loop {
            match self.peek().ok_or(Give::Up)? {
                '"' => break,
                '\\' => {
                    self.pos += 1;
                    match self.next().ok_or(Give::Up)? {
                        '\n' => {}
                        c @ ('$' | '`' | '"' | '\\') => text.push(c),
                        c => {
                            text.push('\\');
                            text.push(c);
                        }
                    }
                }
                '$' | '`' => {
                    if !text.is_empty() {
                        parts.push(Part::Text { text: std::mem::take(&mut text), quoted: true });
                    }
                    if self.peek() == Some('$') {
                        self.dollar(true, parts)?;
                    } else {
                        let part = self.backquote()?;
                        parts.push(part);
                    }
                }
                c => {
                    text.push(c);
                    self.pos += c.len_utf8();
                }
            }
        }
        self.pos += 1;
        if !text.is_empty() || parts.len() == before {
            parts.push(Part::Text { text, quoted: true });
        }
        Ok(())
    }

    /// What begins with `$`.
    fn dollar(&mut self, quoted: bool, parts: &mut Vec<Part>) -> Result<(), Give> {
        self.pos += 1;
        let rest = self.rest();
        if rest.starts_with("((")
            && let Some(end) = arithmetic_end(&rest[2..])
        {
            self.arithmetic(self.pos + 2..self.pos + 2 + end);
            self.pos += end + 4;
            parts.push(Part::Other);
            return Ok(());
        }
        match self.peek() {
            Some('(') => {
                self.pos += 1;
                let from = self.pos;
                self.nested(|p| p.list(&[]))?;
                let inside = from..self.pos;
                self.eat(")")?;
                parts.push(Part::Command { inside, backquoted: false });
            }
            Some('{') => {
                let from = self.pos + 1;
                self.braces()?;
                let inside = self.src[from..self.pos - 1].to_owned();
                let length = inside.len() > 1 && inside.starts_with('#');
                let body = inside.strip_prefix(['#', '!']).filter(|_| inside.len() > 1).unwrap_or(&inside);
                let name = leading_name(body);
                let op = if length { "#" } else { &body[name.len()..] };
                let special = inside.starts_with('!') || op.starts_with(['[', '^', ',', '@', '/']) || substring(op);
                self.bash |= special;
                self.used(name, op);
                if op.starts_with(":=") || op.starts_with('=') {
                    self.set(name);
                }
                parts.push(if name.is_empty() || special {
                    Part::Other
                } else {
                    Part::Var { name: name.to_owned(), op: op.to_owned(), quoted }
                });
            }
            Some('\'') if !quoted => {
                self.bash = true;
                self.pos += 1;
                let mut text = String::new();
                loop {
                    match self.next().ok_or(Give::Up)? {
                        '\'' => break,
                        '\\' => text.push(match self.next().ok_or(Give::Up)? {
                            'n' => '\n',
                            't' => '\t',
                            c @ ('\\' | '\'' | '"') => c,
                            // Codes of characters and the rest are left to the shell.
                            _ => {
                                parts.push(Part::Other);
                                '?'
                            }
                        }),
                        c => text.push(c),
                    }
                }
                parts.push(Part::Text { text, quoted: true });
            }
            Some('"') if !quoted => self.double(parts)?,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = leading_name(self.rest()).to_owned();
                self.pos += name.len();
                self.used(&name, "");
                parts.push(Part::Var { name, op: String::new(), quoted });
            }
            Some(c) if c.is_ascii_digit() || "@*#?$!-".contains(c) => {
                self.pos += 1;
                self.used(&c.to_string(), "");
                parts.push(Part::Var { name: c.to_string(), op: String::new(), quoted });
            }
            // A name that goes on behind a line break.
            Some('\\') if self.rest().starts_with("\\\n") => parts.push(Part::Other),
            _ => parts.push(Part::Text { text: "$".to_owned(), quoted: true }),
        }
        Ok(())
    }

    /// Skips `{ ... }` after a `$`, with whatever quotes and braces are in it.
    fn braces(&mut self) -> Result<(), Give> {
        self.deeper(|p| {
            p.pos += 1;
            loop {
                match p.peek().ok_or(Give::Up)? {
                    '}' => {
                        p.pos += 1;
                        return Ok(());
                    }
                    '\\' => {
                        p.pos += 1;
                        p.next().ok_or(Give::Up)?;
                    }
                    '\'' => {
                        p.pos += 1;
                        let end = p.rest().find('\'').ok_or(Give::Up)?;
                        p.pos += end + 1;
                    }
                    '"' => p.double(&mut Vec::new())?,
                    '$' => p.dollar(true, &mut Vec::new())?,
                    '`' => {
                        p.backquote()?;
                    }
                    c => p.pos += c.len_utf8(),
                }
            }
        })
    }

    /// What stands between backquotes, whose backslashes are one layer of their own.
    fn backquote(&mut self) -> Result<Part, Give> {
        self.pos += 1;
        let from = self.pos;
        loop {
            match self.next().ok_or(Give::Up)? {
                '`' => break,
                '\\' => {
                    self.next().ok_or(Give::Up)?;
                }
                _ => {}
            }
        }
        let inside = from..self.pos - 1;
        let text = self.src[inside.clone()].replace("\\`", "`").replace("\\$", "$").replace("\\\\", "\\");
        self.aside(&text);
        Ok(Part::Command { inside, backquoted: true })
    }

    /// Notes the variables of an arithmetic expression.
    pub(super) fn arithmetic(&mut self, inside: Range<usize>) {
        let text = self.src[inside].to_owned();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let name = leading_name(&rest[at..]);
            self.used(name, "");
            let after = rest[at + name.len()..].trim_start();
            let sets = (after.starts_with('=') && !after.starts_with("=="))
                || ["++", "--", "+=", "-=", "*=", "/=", "%="].iter().any(|op| after.starts_with(op))
                || rest[..at].ends_with("++")
                || rest[..at].ends_with("--");
            if sets {
                self.set(name);
            }
            rest = &rest[at + name.len()..];
        }
    }

    /// Notes the variables of a here-document that the shell works out.
    pub(super) fn document(&mut self, body: &str) {
        let mut rest = body;
        while let Some(at) = rest.find('$') {
            let after = rest[at + 1..].trim_start_matches('{');
            let name = leading_name(after);
            if !name.is_empty() {
                self.used(name, "");
            }
            rest = &rest[at + 1..];
        }
    }

    pub(super) fn used(&mut self, name: &str, op: &str) {
        let positional = name.starts_with(|c: char| c.is_ascii_digit()) || matches!(name, "@" | "*" | "#");
        let of_a_function = positional && self.in_function > 0;
        if !name.is_empty() && !of_a_function && self.quiet == 0 {
            self.uses.push(Use { name: name.to_owned(), op: op.to_owned() });
            self.opened(name);
        }
    }

    /// Notes a variable whose value comes from before.
    pub(super) fn opened(&mut self, name: &str) {
        if !name.is_empty() && !self.sets.iter().chain(&self.open).any(|s| s == name) {
            self.open.push(name.to_owned());
        }
    }

    pub(super) fn set(&mut self, name: &str) {
        if !name.is_empty() && !self.sets.iter().any(|s| s == name) {
            self.sets.push(name.to_owned());
        }
    }
}

/// The name at the beginning of a text: letters, digits and `_`, or one character that is a name by itself.
pub(super) fn leading_name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())];
    }
    match end {
        0 if text.starts_with(['@', '*', '#', '?', '$', '!', '-']) => &text[..1],
        end => &text[..end],
    }
}

/// `${x:1:2}`, which is no `${x:-y}`.
fn substring(op: &str) -> bool {
    op.strip_prefix(':').is_some_and(|rest| !rest.starts_with(['-', '=', '?', '+']))
}

/// Where `))` ends an arithmetic expression whose inside begins here.
pub(super) fn arithmetic_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    for (i, b) in bytes.iter().enumerate() {
        match b {
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b')' => return (bytes.get(i + 1) == Some(&b')')).then_some(i),
            _ => {}
        }
    }
    None
}
