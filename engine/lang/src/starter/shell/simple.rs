//! Simple commands: assignments, words, redirections.

use super::parse::{Give, Parser, Pending};
use super::word::leading_name;
use super::{Assign, Part, Redirect, Simple, Word};

/// Words that end a construct, and hence begin no command.
const CLOSERS: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}", "in"];

impl Parser<'_> {
    /// A command with its assignments, words and redirections.
    pub(super) fn simple(&mut self) -> Result<Simple, Give> {
        if CLOSERS.iter().any(|word| self.at(word)) {
            return Err(Give::Up);
        }
        let mut out = Simple::default();
        loop {
            self.blanks();
            match self.peek() {
                None | Some('\n' | ';' | '|' | ')') => break,
                Some('&') if !self.rest().starts_with("&>") => break,
                Some('(') => return Err(Give::Up),
                _ => {}
            }
            if self.redirect(&mut out)? {
                continue;
            }
            match self.assignment(out.words.is_empty())? {
                Some(assign) => out.assigns.push(assign),
                None => out.words.push(self.word()?),
            }
        }
        if out == Simple::default() {
            return Err(Give::Up);
        }
        // In front of a command they are for that command alone.
        if out.words.is_empty() {
            out.assigns.iter().for_each(|assign| self.set(&assign.name));
        }
        self.note_sets(&out);
        self.commands.push(out.clone());
        Ok(out)
    }

    /// `NAME=value` where a command begins, or as an argument of what declares variables.
    fn assignment(&mut self, leading: bool) -> Result<Option<Assign>, Give> {
        let name = leading_name(self.rest());
        if !leading || name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return Ok(None);
        }
        let mut after = &self.rest()[name.len()..];
        let mut special = false;
        if after.starts_with('[')
            && let Some(close) = after.find(']')
            && !after[..close].contains(char::is_whitespace)
        {
            after = &after[close + 1..];
            special = true;
        }
        if let Some(rest) = after.strip_prefix('+') {
            after = rest;
            special = true;
        }
        let Some(value) = after.strip_prefix('=') else { return Ok(None) };
        let name = name.to_owned();
        self.pos = self.src.len() - value.len();
        if special {
            self.opened(&name);
        }
        if value.starts_with('(') {
            self.bash = true;
            let from = self.pos;
            self.pos += 1;
            loop {
                self.words()?;
                self.breaks();
                match self.peek() {
                    Some(')') => break,
                    Some(_) if self.pos < self.src.len() && !matches!(self.peek(), Some(';' | '&' | '|')) => {}
                    _ => return Err(Give::Up),
                }
            }
            self.pos += 1;
            let value = Word { parts: vec![Part::Other], span: from..self.pos };
            return Ok(Some(Assign { name, value, special: true }));
        }
        let value = match self.peek() {
            None | Some(' ' | '\t' | '\n' | ';' | '&' | '|' | ')') => Word { parts: Vec::new(), span: self.pos..self.pos },
            _ => self.word()?,
        };
        self.bash |= special;
        Ok(Some(Assign { name, value, special }))
    }

    /// A redirection, if one begins here.
    pub(super) fn redirect(&mut self, into: &mut Simple) -> Result<bool, Give> {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let after = &rest[digits..];
        const OPS: &[&str] = &["&>>", "<<<", "<<-", "<<", ">>", ">&", "<&", ">|", "<>", "&>", "<", ">"];
        let Some(op) = OPS.iter().find(|op| after.starts_with(**op)) else { return Ok(false) };
        if (digits > 0 && op.starts_with('&')) || ((*op == "<" || *op == ">") && after[1..].starts_with('(')) {
            return Ok(false);
        }
        self.pos += digits + op.len();
        self.bash |= op.starts_with('&') || *op == "<<<";
        self.blanks();
        let from = self.pos;
        if matches!(self.peek(), None | Some('\n' | ';' | '|' | ')' | '&')) {
            return Err(Give::Up);
        }
        if *op == "<<" || *op == "<<-" {
            self.quiet += 1;
            let word = self.word();
            self.quiet -= 1;
            word?;
            let raw = &self.src[from..self.pos];
            let end: String = raw.chars().filter(|c| !"'\"\\".contains(*c)).collect();
            let quoted = end.len() != raw.len();
            self.pending.push(Pending { end, quoted, strip: *op == "<<-" });
            into.redirects.push(Redirect { op: (*op).to_owned(), target: Word::default() });
            return Ok(true);
        }
        let target = self.word()?;
        if self.pos == from {
            return Err(Give::Up);
        }
        into.redirects.push(Redirect { op: (*op).to_owned(), target });
        Ok(true)
    }

    /// Notes the variables that a command sets by its arguments.
    fn note_sets(&mut self, command: &Simple) {
        let name = command.name();
        let words = command.rough_words();
        let args = words.iter().skip(1);
        match name.as_str() {
            "export" | "readonly" | "declare" | "typeset" | "local" => {
                self.bash |= name == "declare" || name == "typeset";
                for arg in args.filter(|a| !a.starts_with('-')) {
                    self.set(leading_name(arg));
                }
            }
            "read" | "mapfile" | "readarray" | "unset" | "getopts" => {
                self.bash |= name == "mapfile" || name == "readarray";
                for arg in args.filter(|a| leading_name(a) == a.as_str()) {
                    self.set(arg);
                }
            }
            "printf" if words.get(1).is_some_and(|w| w == "-v") => {
                self.bash = true;
                self.set(words.get(2).map_or("", String::as_str));
            }
            "let" => {
                self.bash = true;
                for name in args.map(|arg| leading_name(arg)) {
                    self.opened(name);
                    self.set(name);
                }
            }
            "source" | "pushd" | "popd" | "shopt" | "disown" => self.bash = true,
            _ => {}
        }
    }
}
