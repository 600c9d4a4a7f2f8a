//! Commands: simple ones, compound ones, and lists of them.

use super::word::{arithmetic_end, leading_name};
use super::{Shape, Simple, Unit, Use, Word};

/// How deep constructs are followed. What is deeper is kept as text.
const MAX_DEPTH: usize = 64;

/// The text cannot be read from here on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Give {
    /// Nothing else is known.
    Up,
}

/// A here-document whose body begins with the next line.
pub(super) struct Pending {
    pub(super) end: String,
    pub(super) quoted: bool,
    pub(super) strip: bool,
}

/// A walk through shell text.
pub(super) struct Parser<'s> {
    pub(super) src: &'s str,
    pub(super) pos: usize,
    depth: usize,
    /// How many function bodies this is inside of.
    pub(super) in_function: usize,
    /// Whether uses of variables are of no interest.
    pub(super) quiet: usize,
    /// Where the blanks began that were skipped last, and where they ended.
    end: usize,
    blank: usize,
    pub(super) pending: Vec<Pending>,
    pub(super) commands: Vec<Simple>,
    pub(super) uses: Vec<Use>,
    pub(super) sets: Vec<String>,
    /// Variables that are used before they are set.
    pub(super) open: Vec<String>,
    documents: Vec<(std::ops::Range<usize>, bool)>,
    pub(super) bash: bool,
}

/// The units of a script, and the comments below the last one.
pub(in crate::starter) fn script(text: &str) -> (Vec<Unit>, Vec<String>) {
    let mut parser = Parser::new(text, 0);
    let mut units = Vec::new();
    let mut comments: Vec<String> = Vec::new();
    loop {
        match parser.peek() {
            None => return (units, comments),
            Some(' ' | '\t' | '\r') => parser.pos += 1,
            Some('\n') => {
                parser.pos += 1;
                let line = parser.rest().split('\n').next().unwrap_or("");
                if !parser.rest().is_empty() && line.trim().is_empty() && comments.last().is_some_and(|c| !c.is_empty()) {
                    comments.push(String::new());
                }
            }
            Some('\\') if parser.rest().starts_with("\\\n") => parser.pos += 2,
            Some('#') => {
                let line = parser.rest().split('\n').next().unwrap_or("");
                comments.push(line.to_owned());
                parser.pos += line.len();
            }
            Some(_) => units.push(parser.unit(std::mem::take(&mut comments))),
        }
    }
}

impl<'s> Parser<'s> {
    fn new(src: &'s str, depth: usize) -> Self {
        Parser {
            src,
            pos: 0,
            depth,
            in_function: 0,
            quiet: 0,
            end: 0,
            blank: 0,
            pending: Vec::new(),
            commands: Vec::new(),
            uses: Vec::new(),
            sets: Vec::new(),
            open: Vec::new(),
            documents: Vec::new(),
            bash: false,
        }
    }

    pub(super) fn rest(&self) -> &'s str {
        &self.src[self.pos..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, text: &str) -> Result<(), Give> {
        if !self.rest().starts_with(text) {
            return Err(Give::Up);
        }
        self.pos += text.len();
        Ok(())
    }

    /// Does something one level deeper.
    pub(super) fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Give>) -> Result<T, Give> {
        if self.depth >= MAX_DEPTH {
            return Err(Give::Up);
        }
        self.depth += 1;
        let out = f(self);
        self.depth -= 1;
        out
    }

    /// Does something inside of a word, where here-documents are its own.
    pub(super) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Give>) -> Result<T, Give> {
        let waiting = std::mem::take(&mut self.pending);
        let out = self.deeper(f);
        self.pending.splice(0..0, waiting);
        out
    }

    /// Reads text that stands for itself elsewhere, for what it uses and sets.
    pub(super) fn aside(&mut self, text: &str) {
        if self.depth >= MAX_DEPTH {
            return;
        }
        let mut inner = Parser::new(text, self.depth + 1);
        inner.in_function = self.in_function;
        let _ = inner.list(&[]);
        self.commands.extend(inner.commands);
        self.uses.extend(inner.uses);
        inner.open.iter().for_each(|name| self.opened(name));
        self.bash |= inner.bash;
        inner.sets.iter().for_each(|name| self.set(name));
    }

    /// Skips a pair of brackets with all that is in it.
    pub(super) fn balanced(&mut self, open: char, close: char) -> Result<(), Give> {
        let mut depth = 0_usize;
        while let Some(c) = self.next() {
            if c == open {
                depth += 1;
            } else if c == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
            }
        }
        Err(Give::Up)
    }

    /// One unit at the top of a script; text that cannot be read is one to its end.
    fn unit(&mut self, comments: Vec<String>) -> Unit {
        let from = self.pos;
        self.commands.clear();
        self.uses.clear();
        self.sets.clear();
        self.open.clear();
        self.documents.clear();
        self.pending.clear();
        self.bash = false;
        let mut background = false;
        let mut shape = None;
        let read = loop {
            match self.and_or() {
                // Several on a line that share it with a here-document.
                Ok(found) => shape = Some(if shape.is_some() { Shape::Joined } else { found }),
                Err(give) => break Err(give),
            }
            match self.peek() {
                Some('&') => {
                    background = true;
                    self.pos += 1;
                    self.end = self.pos;
                }
                Some(';') if !self.rest().starts_with(";;") => {
                    self.pos += 1;
                    self.end = self.pos - 1;
                }
                None | Some('\n') => break Ok(()),
                _ => break Err(Give::Up),
            }
            if self.pending.is_empty() {
                break Ok(());
            }
            let end = self.end;
            self.blanks();
            self.end = end;
            if matches!(self.peek(), None | Some('\n')) {
                break Ok(());
            }
        };
        let (mut end, mut remark) = (self.end, None);
        match read {
            Ok(()) => {
                let after = &self.src[end..];
                let line = after.split('\n').next().unwrap_or("").trim_start_matches([' ', '\t', ';']);
                if line.starts_with('#') {
                    remark = Some(line.to_owned());
                    self.pos = end + after.find('\n').unwrap_or(after.len());
                }
                if !self.pending.is_empty() {
                    self.pos = end + after.find('\n').unwrap_or(after.len());
                    self.newline();
                    end = self.pos;
                }
            }
            Err(_) => {
                self.pos = self.src.len();
                end = self.pos;
                shape = Some(Shape::Unread);
            }
        }
        while end > from && self.src[..end].ends_with(['\n', ' ', '\t']) && self.documents.is_empty() {
            end -= 1;
        }
        Unit {
            span: from..end,
            shape: shape.unwrap_or(Shape::Unread),
            background,
            commands: std::mem::take(&mut self.commands),
            uses: std::mem::take(&mut self.uses),
            sets: std::mem::take(&mut self.sets),
            open: std::mem::take(&mut self.open),
            kept: Vec::new(),
            documents: std::mem::take(&mut self.documents),
            bash: self.bash,
            comments,
            remark,
        }
    }

    /// Skips spaces, continued lines and a comment.
    pub(super) fn blanks(&mut self) {
        if self.pos != self.blank {
            self.end = self.pos;
        }
        self.skip_blanks();
        self.blank = self.pos;
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with([' ', '\t', '\r']) {
                self.pos += 1;
            } else if rest.starts_with("\\\n") {
                self.pos += 2;
            } else if rest.starts_with('#')
                && !self.src[..self.pos].ends_with(|c: char| !c.is_whitespace() && !";&|()".contains(c))
            {
                self.pos += rest.find('\n').unwrap_or(rest.len());
            } else {
                return;
            }
        }
    }

    /// Takes a line break, and the here-documents whose bodies begin behind it.
    fn newline(&mut self) {
        if self.peek() == Some('\n') {
            self.pos += 1;
        }
        for pending in std::mem::take(&mut self.pending) {
            let from = self.pos;
            let mut end = self.src.len();
            while self.pos < self.src.len() {
                let line = self.rest().split('\n').next().unwrap_or("");
                let at = self.pos;
                self.pos = (self.pos + line.len() + 1).min(self.src.len());
                let line = if pending.strip { line.trim_start_matches('\t') } else { line };
                if line == pending.end {
                    end = at;
                    break;
                }
            }
            let body = from.min(end)..end;
            if !pending.quoted {
                self.document(&self.src[body.clone()]);
            }
            self.documents.push((body, pending.quoted));
        }
    }

    /// Skips blanks and line breaks.
    pub(super) fn breaks(&mut self) {
        loop {
            self.blanks();
            if self.peek() != Some('\n') {
                return;
            }
            self.newline();
        }
    }

    /// Whether this word stands here, unquoted and whole.
    pub(super) fn at(&self, word: &str) -> bool {
        self.rest().strip_prefix(word).is_some_and(|after| {
            after.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>'))
        })
    }

    /// Takes this word, after line breaks.
    fn expect(&mut self, word: &str) -> Result<(), Give> {
        self.breaks();
        if !self.at(word) {
            return Err(Give::Up);
        }
        self.eat(word)
    }

    /// A list of commands up to one of these words, a bracket, `;;`, or the end.
    pub(super) fn list(&mut self, ends: &[&str]) -> Result<(), Give> {
        self.deeper(|p| {
            loop {
                p.breaks();
                let stop =
                    |p: &Self| p.peek().is_none_or(|c| c == ')') || p.rest().starts_with(";;") || p.rest().starts_with(";&");
                if stop(p) || ends.iter().any(|end| p.at(end)) {
                    return Ok(());
                }
                p.and_or()?;
                if stop(p) {
                    return Ok(());
                }
                match p.peek() {
                    Some(';' | '&') => p.pos += 1,
                    Some('\n') => p.newline(),
                    _ => return Err(Give::Up),
                }
            }
        })
    }

    /// Pipes joined by `&&` and `||`.
    fn and_or(&mut self) -> Result<Shape, Give> {
        let mut shape = self.pipeline()?;
        loop {
            self.blanks();
            if !self.rest().starts_with("&&") && !self.rest().starts_with("||") {
                return Ok(shape);
            }
            self.pos += 2;
            self.breaks();
            self.pipeline()?;
            shape = Shape::Joined;
        }
    }

    /// Commands joined by `|`.
    fn pipeline(&mut self) -> Result<Shape, Give> {
        self.blanks();
        let mut joined = false;
        while self.at("!") || (self.at("time") && !self.rest()[4..].trim_start().starts_with(['-', ';', '\n'])) {
            self.pos += if self.at("!") { 1 } else { 4 };
            self.blanks();
            joined = true;
        }
        let mut shape = self.command()?;
        loop {
            self.blanks();
            if !self.rest().starts_with('|') || self.rest().starts_with("||") {
                break;
            }
            self.pos += 1;
            if self.peek() == Some('&') {
                self.bash = true;
                self.pos += 1;
            }
            self.breaks();
            self.command()?;
            joined = true;
        }
        if joined {
            shape = Shape::Joined;
        }
        Ok(shape)
    }

    fn command(&mut self) -> Result<Shape, Give> {
        self.deeper(|p| {
            let Some(shape) = p.compound()? else { return p.simple().map(Shape::Simple) };
            if !matches!(shape, Shape::Function(_)) {
                let mut rest = Simple::default();
                loop {
                    p.blanks();
                    if !p.redirect(&mut rest)? {
                        break;
                    }
                }
                if !rest.redirects.is_empty() {
                    p.commands.push(rest);
                }
            }
            Ok(shape)
        })
    }

    /// A compound command, if one begins here.
    fn compound(&mut self) -> Result<Option<Shape>, Give> {
        if let Some(name) = self.function_head() {
            self.breaks();
            self.in_function += 1;
            let body = self.command();
            self.in_function -= 1;
            body?;
            return Ok(Some(Shape::Function(name)));
        }
        if self.rest().starts_with("((")
            && let Some(end) = arithmetic_end(&self.rest()[2..])
        {
            self.bash = true;
            self.arithmetic(self.pos + 2..self.pos + 2 + end);
            self.pos += end + 4;
        } else if self.peek() == Some('(') {
            self.pos += 1;
            self.list(&[])?;
            self.eat(")")?;
        } else if self.at("{") {
            self.pos += 1;
            self.list(&["}"])?;
            self.expect("}")?;
        } else if self.at("[[") {
            self.conditional()?;
        } else if self.at("if") {
            self.pos += 2;
            self.list(&["then"])?;
            self.expect("then")?;
            loop {
                self.list(&["elif", "else", "fi"])?;
                if self.at("elif") {
                    self.pos += 4;
                    self.list(&["then"])?;
                    self.expect("then")?;
                } else if self.at("else") {
                    self.pos += 4;
                } else {
                    break;
                }
            }
            self.expect("fi")?;
        } else if self.at("while") || self.at("until") {
            self.pos += 5;
            self.list(&["do"])?;
            self.body()?;
            return Ok(Some(Shape::Loop));
        } else if self.at("for") || self.at("select") {
            self.bash |= self.at("select");
            self.pos += if self.at("for") { 3 } else { 6 };
            self.for_head()?;
            self.body()?;
            return Ok(Some(Shape::Loop));
        } else if self.at("case") {
            self.pos += 4;
            self.case()?;
        } else {
            return Ok(None);
        }
        Ok(Some(Shape::Joined))
    }

    /// `name ()` or `function name`.
    fn function_head(&mut self) -> Option<String> {
        let rest = self.rest();
        let (keyword, after) = match rest.strip_prefix("function").filter(|_| self.at("function")) {
            Some(after) => (true, after.trim_start_matches([' ', '\t'])),
            None => (false, rest),
        };
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && !"_-.:+".contains(c)).unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        let brackets = tail
            .trim_start_matches([' ', '\t'])
            .strip_prefix('(')
            .and_then(|t| t.trim_start_matches([' ', '\t']).strip_prefix(')'));
        if name.is_empty() || (!keyword && brackets.is_none()) {
            return None;
        }
        self.bash |= keyword;
        self.pos = self.src.len() - brackets.unwrap_or(tail).len();
        Some(name.to_owned())
    }

    /// `do ... done`, or a group in braces.
    fn body(&mut self) -> Result<(), Give> {
        self.breaks();
        let (open, close) = if self.at("{") { ("{", "}") } else { ("do", "done") };
        self.expect(open)?;
        self.list(&[close])?;
        self.expect(close)
    }

    fn for_head(&mut self) -> Result<(), Give> {
        self.blanks();
        if self.rest().starts_with("((") {
            let end = arithmetic_end(&self.rest()[2..]).ok_or(Give::Up)?;
            self.bash = true;
            self.arithmetic(self.pos + 2..self.pos + 2 + end);
            self.pos += end + 4;
        } else {
            let name = leading_name(self.rest());
            self.pos += name.len();
            self.set(name);
            self.breaks();
            if self.at("in") {
                self.pos += 2;
                self.words()?;
            }
        }
        self.blanks();
        if self.peek() == Some(';') {
            self.pos += 1;
        }
        Ok(())
    }

    /// Words up to the end of a command.
    pub(super) fn words(&mut self) -> Result<(), Give> {
        loop {
            self.blanks();
            match self.peek() {
                None | Some('\n' | ';' | '&' | '|' | ')') => return Ok(()),
                _ => {
                    let before = self.pos;
                    self.word()?;
                    if self.pos == before {
                        return Err(Give::Up);
                    }
                }
            }
        }
    }

    fn case(&mut self) -> Result<(), Give> {
        self.blanks();
        self.word()?;
        self.expect("in")?;
        loop {
            self.breaks();
            if self.at("esac") {
                return self.eat("esac");
            }
            if self.peek() == Some('(') {
                self.pos += 1;
            }
            loop {
                self.blanks();
                let before = self.pos;
                self.word()?;
                self.blanks();
                if self.peek() == Some('|') {
                    self.pos += 1;
                } else if self.pos == before {
                    return Err(Give::Up);
                } else {
                    break;
                }
            }
            self.eat(")")?;
            self.list(&["esac"])?;
            self.breaks();
            match [";;&", ";;", ";&"].iter().find(|end| self.rest().starts_with(**end)) {
                Some(end) => self.pos += end.len(),
                None if self.at("esac") => {}
                None => return Err(Give::Up),
            }
        }
    }

    /// `[[ ... ]]`.
    fn conditional(&mut self) -> Result<(), Give> {
        self.bash = true;
        self.pos += 2;
        loop {
            self.breaks();
            if self.at("]]") {
                self.pos += 2;
                let name = Word { parts: vec![super::Part::Text { text: "[[".into(), quoted: true }], span: 0..0 };
                self.commands.push(Simple { words: vec![name], ..Simple::default() });
                return Ok(());
            }
            match self.peek().ok_or(Give::Up)? {
                c @ ('(' | ')' | '<' | '>' | '&' | '|' | ';') => self.pos += c.len_utf8(),
                _ => {
                    let before = self.pos;
                    self.word()?;
                    if self.pos == before {
                        return Err(Give::Up);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
