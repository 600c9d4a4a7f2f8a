//! Text into a tree. The only file that names minijinja: its parser gives the grammar, the meaning is ours.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use minijinja::machinery::ast as mj;
use minijinja::machinery::parse_expr;

use super::ast::{Arguments, Compare, Expr, ExprKind, ExprNode, Operator};
use crate::span::{SourceId, Span, TextMap};
use crate::value::{Value, from_json, parse_duration, parse_size};

/// The longest expression, in bytes. Longer ones are a program, and the parser's stack is finite.
const MAX_EXPRESSION: usize = 8 * 1024;

/// The deepest run of prefix operators and brackets that is handed to the parser, which recurses on them.
const MAX_NESTING: usize = 100;

/// The most operators, dots, filters and brackets of one expression: building the tree recurses on them.
const MAX_OPERATORS: usize = 250;

/// The deepest tree that is evaluated: evaluation recurses, on the small stacks of worker threads too.
const MAX_DEPTH: usize = 120;

/// Names whose entries may hold a hyphen after a dot: `steps.start-db`, `services.api-gateway`.
const HYPHENATED: &[&str] = &["steps", "services", "thresholds", "contacts", "hosts"];

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The cause.
    pub message: String,
    /// The bytes in the text that it is about.
    pub range: Range<u32>,
    /// What to write instead, if that is clear.
    pub help: Option<String>,
}

impl Expr {
    /// Parses `text`, which begins at `offset` of the decoded scalar that `map` describes.
    ///
    /// # Errors
    /// The first thing that is not the grammar's.
    pub fn parse(text: &str, source: SourceId, offset: u32, map: Arc<TextMap>) -> Result<Expr, SyntaxError> {
        let whole = 0..text.len() as u32;
        if text.trim().is_empty() {
            return Err(SyntaxError { message: "the expression is empty".into(), range: whole, help: None });
        }
        let prepared = prepare(text)?;
        let tree = parse_expr(&prepared.text).map_err(|e| syntax_error(text, &e))?;
        let convert = Convert { original: text, prepared: &prepared };
        let root = convert.node(&tree)?;
        if depth(&root) > MAX_DEPTH {
            let help = Some("give its parts names under `vars` or `set`".to_owned());
            return Err(SyntaxError { message: "the expression is nested too deeply".into(), range: whole, help });
        }
        let mut expr = Expr { text: Arc::from(text), span: Span::default(), offset, source, map, root };
        expr.span = expr.span_of(&whole);
        Ok(expr)
    }

    /// Parses a text that has no place, such as a module's default verdict.
    ///
    /// # Errors
    /// As [`Expr::parse`].
    pub fn parse_standalone(text: &str) -> Result<Expr, SyntaxError> {
        Expr::parse(text, SourceId::default(), 0, Arc::new(TextMap::contiguous(0)))
    }
}

/// The text with literals such as `7d` and names such as `start-db` replaced by identifiers of the same length.
struct Prepared {
    text: String,
    /// Literals by their offset.
    literals: HashMap<u32, Value>,
}

fn prepare(text: &str) -> Result<Prepared, SyntaxError> {
    if text.len() > MAX_EXPRESSION {
        let message = format!("the expression is {} bytes long; {MAX_EXPRESSION} is the limit", text.len());
        return Err(SyntaxError { message, range: 0..text.len() as u32, help: None });
    }
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut literals = HashMap::new();
    let mut i = 0;
    let mut run = 0;
    let mut open = 0usize;
    let mut operators = 0usize;
    while i < bytes.len() {
        let b = bytes[i];
        operators += usize::from(b"+-*/%~|.<>=!([{".contains(&b));
        if operators > MAX_OPERATORS {
            let message = format!("the expression has more than {MAX_OPERATORS} operators");
            let help = Some("give its parts names under `vars` or `set`".to_owned());
            return Err(SyntaxError { message, range: i as u32..i as u32 + 1, help });
        }
        if matches!(b, b'-' | b'(' | b'[' | b'{' | b'!') || bytes[i..].starts_with(b"not ") {
            run += 1;
        } else if !b.is_ascii_whitespace() && !bytes[i..].starts_with(b"ot ") && !bytes[i..].starts_with(b"t ") {
            run = 0;
        }
        match b {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if run > MAX_NESTING || open > MAX_NESTING {
            let message = "the expression is nested too deeply".to_owned();
            return Err(SyntaxError { message, range: i as u32..i as u32 + 1, help: None });
        }
        match b {
            b'"' | b'\'' => {
                i += 1;
                while i < bytes.len() && bytes[i] != b {
                    i += if bytes[i] == b'\\' { 2 } else { 1 };
                }
                i += 1;
            }
            b'0'..=b'9' => {
                let start = i;
                while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_' || fraction(bytes, i)) {
                    i += 1;
                }
                let word = &text[start..i];
                if word.bytes().any(|c| c.is_ascii_alphabetic()) && !is_number(word) {
                    let value = parse_duration(word).map(Value::Duration).or_else(|| parse_size(word).map(Value::Size));
                    let Some(value) = value else {
                        return Err(SyntaxError {
                            message: format!("`{word}` is neither a number, a duration nor a size"),
                            range: start as u32..i as u32,
                            help: Some("durations are written `30s`, `1h30m`, `7d`; sizes `100MB`, `1GiB`".into()),
                        });
                    };
                    literals.insert(start as u32, value);
                    out[start..i].fill(b'_');
                }
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                let start = i;
                while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_') {
                    i += 1;
                }
                operators += usize::from(matches!(&text[start..i], "and" | "or" | "not" | "is" | "in" | "if"));
                let after_dot = start > 0 && bytes[start - 1] == b'.';
                if !after_dot && HYPHENATED.contains(&&text[start..i]) && bytes.get(i) == Some(&b'.') {
                    i += 1;
                    while i < bytes.len() {
                        let letter = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
                        if letter(bytes[i]) {
                            i += 1;
                        } else if bytes[i] == b'-' && bytes.get(i + 1).is_some_and(|c| letter(*c)) {
                            out[i] = b'_';
                            i += 1;
                        } else {
                            break;
                        }
                    }
                }
            }
            _ => i += 1,
        }
    }
    let text = String::from_utf8(out).unwrap_or_else(|_| text.to_owned());
    Ok(Prepared { text, literals })
}

/// Whether the `.` at `i` is a decimal point and not an attribute.
fn fraction(bytes: &[u8], i: usize) -> bool {
    bytes[i] == b'.' && bytes.get(i + 1).is_some_and(u8::is_ascii_digit)
}

/// Whether a word that starts with a digit is a plain number (`1e5`, `0x1f`, `1_000`).
fn is_number(word: &str) -> bool {
    let bare = word.replace('_', "");
    bare.parse::<f64>().is_ok()
        || ["0x", "0o", "0b"].iter().any(|p| bare.strip_prefix(p).is_some_and(|d| i64::from_str_radix(d, 16).is_ok()))
}

fn syntax_error(text: &str, error: &minijinja::Error) -> SyntaxError {
    let end = text.len() as u32;
    let mut range = error.range().map_or(0..end, |r| (r.start as u32).min(end)..(r.end as u32).min(end));
    // The parser's range may end inside a character.
    while !text.is_char_boundary(range.start as usize) {
        range.start -= 1;
    }
    while !text.is_char_boundary(range.end as usize) {
        range.end += 1;
    }
    let assignment = text.char_indices().any(|(i, c)| {
        let next = text[i + c.len_utf8()..].chars().next();
        let before = text[..i].chars().next_back();
        c == '=' && next != Some('=') && !matches!(before, Some('=' | '!' | '<' | '>'))
    });
    let help = if assignment {
        Some("`=` is not a comparison: write `==`".to_owned())
    } else if text.contains("&&") || text.contains("||") {
        Some("write `and` and `or` instead of `&&` and `||`".to_owned())
    } else if text.contains("{{") {
        Some("this key takes a bare expression: leave the braces out".to_owned())
    } else {
        infix(text)
    };
    let message = error.detail().unwrap_or("this is not an expression").replace('\n', " ");
    SyntaxError { message, range, help }
}

/// `is containing(…)` for `contains`, the habit of other languages.
fn infix(text: &str) -> Option<String> {
    let (before, after) = [" contains", ".contains"].iter().find_map(|word| text.split_once(word))?;
    let argument = after.trim().trim_start_matches('(').trim_end_matches(')').trim();
    Some(format!("write `{} is containing({argument})`", before.trim()))
}

struct Convert<'a> {
    original: &'a str,
    prepared: &'a Prepared,
}

impl Convert<'_> {
    fn node(&self, expr: &mj::Expr<'_>) -> Result<ExprNode, SyntaxError> {
        let span = expr.span();
        let mut range = span.start_offset..span.end_offset;
        // Each form has a function of its own, so that one level of the tree costs little stack.
        let kind = match expr {
            mj::Expr::Var(v) => self.variable(v.id, range.start),
            mj::Expr::Const(c) => ExprKind::Const(constant(&c.value, &range)?),
            mj::Expr::Slice(s) => self.slice(s)?,
            mj::Expr::UnaryOp(u) => self.unary(u)?,
            mj::Expr::BinOp(b) => self.binary(b)?,
            mj::Expr::Compare(c) => self.compare(c)?,
            mj::Expr::IfExpr(i) => self.choice(i)?,
            mj::Expr::Filter(f) => self.filter(f, &range)?,
            mj::Expr::Test(t) => self.test(t)?,
            mj::Expr::GetAttr(g) => self.attribute(g)?,
            mj::Expr::GetItem(g) => ExprKind::Item(self.boxed(&g.expr)?, self.boxed(&g.subscript_expr)?),
            mj::Expr::Call(c) => self.call(c, &range)?,
            mj::Expr::List(l) => self.list(&l.items)?,
            mj::Expr::Tuple(t) => self.list(&t.items)?,
            mj::Expr::Map(m) => self.map(m)?,
        };
        let mut node = ExprNode { kind, range: range.clone() };
        // Some of the parser's spans cover the operator only; a parent covers its children.
        for child in node.children() {
            range.start = range.start.min(child.range.start);
            range.end = range.end.max(child.range.end);
        }
        node.range = range;
        Ok(node)
    }

    fn variable(&self, id: &str, start: u32) -> ExprKind {
        match self.prepared.literals.get(&start) {
            Some(value) => ExprKind::Const(value.clone()),
            None if id == "null" => ExprKind::Const(Value::Null),
            None => ExprKind::Var(id.to_owned()),
        }
    }

    fn slice(&self, s: &mj::Slice<'_>) -> Result<ExprKind, SyntaxError> {
        Ok(ExprKind::Slice(self.boxed(&s.expr)?, [self.maybe(&s.start)?, self.maybe(&s.stop)?, self.maybe(&s.step)?]))
    }

    fn unary(&self, u: &mj::UnaryOp<'_>) -> Result<ExprKind, SyntaxError> {
        let inner = self.boxed(&u.expr)?;
        Ok(match u.op {
            mj::UnaryOpKind::Not => ExprKind::Not(inner),
            mj::UnaryOpKind::Neg => ExprKind::Neg(inner),
        })
    }

    fn compare(&self, c: &mj::Compare<'_>) -> Result<ExprKind, SyntaxError> {
        let first = self.boxed(&c.expr)?;
        let mut rest = Vec::with_capacity(c.ops.len());
        for op in &c.ops {
            let kind = match op.op {
                mj::CompareOpKind::Eq => Compare::Eq,
                mj::CompareOpKind::Ne => Compare::Ne,
                mj::CompareOpKind::Lt => Compare::Lt,
                mj::CompareOpKind::Lte => Compare::Le,
                mj::CompareOpKind::Gt => Compare::Gt,
                mj::CompareOpKind::Gte => Compare::Ge,
                mj::CompareOpKind::In => Compare::In,
                mj::CompareOpKind::NotIn => Compare::NotIn,
            };
            rest.push((kind, self.node(&op.expr)?));
        }
        Ok(ExprKind::Compare(first, rest))
    }

    fn choice(&self, i: &mj::IfExpr<'_>) -> Result<ExprKind, SyntaxError> {
        let otherwise = match &i.false_expr {
            Some(e) => Some(self.boxed(e)?),
            None => None,
        };
        Ok(ExprKind::If(self.boxed(&i.test_expr)?, self.boxed(&i.true_expr)?, otherwise))
    }

    fn filter(&self, f: &mj::Filter<'_>, range: &Range<u32>) -> Result<ExprKind, SyntaxError> {
        let inner = f.expr.as_ref().ok_or_else(|| self.error(range, "a filter needs a value before it"))?;
        Ok(ExprKind::Filter(f.name.to_owned(), self.boxed(inner)?, self.args(&f.args)?))
    }

    fn test(&self, t: &mj::Test<'_>) -> Result<ExprKind, SyntaxError> {
        Ok(ExprKind::Test(t.name.to_owned(), self.boxed(&t.expr)?, self.args(&t.args)?))
    }

    fn attribute(&self, g: &mj::GetAttr<'_>) -> Result<ExprKind, SyntaxError> {
        let inner = self.boxed(&g.expr)?;
        let mut name = g.name.to_owned();
        // The parser saw `_` where the author wrote `-`; the original text has the true name.
        if let ExprKind::Var(root) = &inner.kind
            && HYPHENATED.contains(&root.as_str())
        {
            let from = inner.range.end as usize + 1;
            if let Some(true_name) = self.original.get(from..from + name.len()) {
                name = true_name.to_owned();
            }
        }
        Ok(ExprKind::Attr(inner, name))
    }

    fn call(&self, c: &mj::Call<'_>, range: &Range<u32>) -> Result<ExprKind, SyntaxError> {
        match &c.expr {
            mj::Expr::Var(v) => Ok(ExprKind::Call(v.id.to_owned(), self.args(&c.args)?)),
            mj::Expr::GetAttr(g) => {
                let mut error = self.error(range, "values have no methods");
                error.help = Some(format!("use a filter: `... | {}`", g.name));
                Err(error)
            }
            _ => Err(self.error(range, "only a function can be called")),
        }
    }

    fn list(&self, items: &[mj::Expr<'_>]) -> Result<ExprKind, SyntaxError> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            out.push(self.node(item)?);
        }
        Ok(ExprKind::List(out))
    }

    fn map(&self, m: &mj::Map<'_>) -> Result<ExprKind, SyntaxError> {
        let mut out = Vec::with_capacity(m.keys.len());
        for (key, value) in m.keys.iter().zip(&m.values) {
            out.push((self.node(key)?, self.node(value)?));
        }
        Ok(ExprKind::Map(out))
    }

    fn binary(&self, b: &mj::BinOp<'_>) -> Result<ExprKind, SyntaxError> {
        let (l, r) = (self.boxed(&b.left)?, self.boxed(&b.right)?);
        Ok(combine(b.op, l, r))
    }

    fn boxed(&self, expr: &mj::Expr<'_>) -> Result<Box<ExprNode>, SyntaxError> {
        self.node(expr).map(Box::new)
    }

    fn maybe(&self, expr: &Option<mj::Expr<'_>>) -> Result<Option<Box<ExprNode>>, SyntaxError> {
        expr.as_ref().map(|e| self.boxed(e)).transpose()
    }

    fn args(&self, args: &[mj::CallArg<'_>]) -> Result<Arguments, SyntaxError> {
        let mut out = Arguments::default();
        for arg in args {
            match arg {
                mj::CallArg::Pos(e) => out.positional.push(self.node(e)?),
                mj::CallArg::Kwarg(name, e) => out.named.push(((*name).to_owned(), self.node(e)?)),
                mj::CallArg::PosSplat(e) | mj::CallArg::KwargSplat(e) => {
                    let span = e.span();
                    return Err(
                        self.error(&(span.start_offset..span.end_offset), "`*` and `**` arguments are not part of the language")
                    );
                }
            }
        }
        Ok(out)
    }

    fn error(&self, range: &Range<u32>, message: &str) -> SyntaxError {
        SyntaxError { message: message.to_owned(), range: range.clone(), help: None }
    }
}

/// How deep a tree is, counted without recursion.
fn depth(root: &ExprNode) -> usize {
    let mut deepest = 0;
    let mut todo = vec![(root, 1)];
    while let Some((node, at)) = todo.pop() {
        deepest = deepest.max(at);
        todo.extend(node.children().into_iter().map(|child| (child, at + 1)));
    }
    deepest
}

/// The node of a binary operator.
fn combine(op: mj::BinOpKind, l: Box<ExprNode>, r: Box<ExprNode>) -> ExprKind {
    let operator = match op {
        mj::BinOpKind::ScAnd => return ExprKind::And(l, r),
        mj::BinOpKind::ScOr => return ExprKind::Or(l, r),
        mj::BinOpKind::Eq => return ExprKind::Compare(l, vec![(Compare::Eq, *r)]),
        mj::BinOpKind::Ne => return ExprKind::Compare(l, vec![(Compare::Ne, *r)]),
        mj::BinOpKind::Lt => return ExprKind::Compare(l, vec![(Compare::Lt, *r)]),
        mj::BinOpKind::Lte => return ExprKind::Compare(l, vec![(Compare::Le, *r)]),
        mj::BinOpKind::Gt => return ExprKind::Compare(l, vec![(Compare::Gt, *r)]),
        mj::BinOpKind::Gte => return ExprKind::Compare(l, vec![(Compare::Ge, *r)]),
        mj::BinOpKind::In => return ExprKind::Compare(l, vec![(Compare::In, *r)]),
        mj::BinOpKind::Add => Operator::Add,
        mj::BinOpKind::Sub => Operator::Sub,
        mj::BinOpKind::Mul => Operator::Mul,
        mj::BinOpKind::Div => Operator::Div,
        mj::BinOpKind::FloorDiv => Operator::FloorDiv,
        mj::BinOpKind::Rem => Operator::Rem,
        mj::BinOpKind::Pow => Operator::Pow,
        mj::BinOpKind::Concat => Operator::Concat,
    };
    ExprKind::Binary(operator, l, r)
}

fn constant(value: &minijinja::Value, range: &Range<u32>) -> Result<Value, SyntaxError> {
    use minijinja::value::ValueKind;
    let too_large = || SyntaxError { message: "the number is out of range".into(), range: range.clone(), help: None };
    Ok(match value.kind() {
        ValueKind::None | ValueKind::Undefined => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => Value::Int(value.as_i64().ok_or_else(too_large)?),
        ValueKind::Number => Value::Float(f64::try_from(value.clone()).map_err(|_| too_large())?),
        ValueKind::String => Value::str(value.as_str().unwrap_or_default()),
        _ => from_json(serde_json::Value::String(value.to_string())),
    })
}
