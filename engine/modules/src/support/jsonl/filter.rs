//! Judging lines by an expression: the common comparisons at once, everything else by the language's own evaluator.

use std::collections::BTreeSet;

use jiff::Timestamp;
use runbook_core::expr::{Compare, Expr, ExprKind, ExprNode, Scope};
use runbook_core::value::{Map, Value, from_json};

use super::field::{Field, Part};
use super::line::{Found, Slot, Wanted, number};

/// A condition on lines.
pub(crate) struct Filter {
    expr: Expr,
    quick: Option<Quick>,
    /// The names that it uses, with the slots of what is at them.
    roots: Vec<(String, usize)>,
    values: Map,
    now: Timestamp,
}

/// A condition that needs no more than the texts of its fields.
enum Quick {
    Number(usize, Compare, f64),
    Text(usize, bool, Box<[u8]>),
    Flag(usize),
    Not(Box<Quick>),
    And(Box<Quick>, Box<Quick>),
    Or(Box<Quick>, Box<Quick>),
}

/// What a condition says of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    No,
    /// A field that it needs is not in the line.
    Missing,
    /// It cannot be told, for this reason.
    Unclear(String),
}

impl Filter {
    /// A condition; `must` gets the fields without which it says nothing, with their slots.
    pub(crate) fn new(
        text: &str,
        values: Map,
        now: Timestamp,
        wanted: &mut Wanted,
        must: &mut Vec<(Field, Slot)>,
    ) -> Result<Filter, String> {
        let expr = Expr::parse_standalone(text).map_err(|e| match e.help {
            Some(help) => format!("{}; {help}", e.message),
            None => e.message,
        })?;
        let mut names = BTreeSet::new();
        expr.walk(&mut |node| {
            if let ExprKind::Var(name) = &node.kind
                && !values.contains_key(name)
            {
                names.insert(name.clone());
            }
        });
        needed(&expr.root, &values, wanted, must);
        let quick = quick(&expr.root, &values, wanted);
        let roots = match quick {
            Some(_) => Vec::new(),
            None => names.into_iter().map(|n| (n.clone(), wanted.add(&[&n]))).collect(),
        };
        Ok(Filter { expr, quick, roots, values, now })
    }

    /// What it says of a line.
    pub(crate) fn judge(&self, line: &[u8], found: &Found) -> Verdict {
        match self.quick.as_ref().map(|q| q.holds(line, found)) {
            Some(Some(true)) => return Verdict::Yes,
            Some(Some(false)) => return Verdict::No,
            _ => {}
        }
        if self.quick.is_some() {
            // Rare: a field is missing or of another kind. The evaluator has the words for it.
            return match serde_json::from_slice::<serde_json::Value>(line) {
                Ok(json) => self.slow(&Whole { value: from_json(json), values: &self.values, now: self.now }),
                Err(e) => Verdict::Unclear(e.to_string()),
            };
        }
        self.slow(&OfLine { filter: self, line, found })
    }

    fn slow(&self, scope: &dyn Scope) -> Verdict {
        match self.expr.eval(scope) {
            Ok(value) if value.truth() == Some(true) => Verdict::Yes,
            Ok(_) => Verdict::No,
            Err(e) if e.undefined => Verdict::Missing,
            Err(e) => Verdict::Unclear(e.message),
        }
    }
}

struct OfLine<'a> {
    filter: &'a Filter,
    line: &'a [u8],
    found: &'a Found,
}

impl Scope for OfLine<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.filter.values.get(name) {
            return Some(value.clone());
        }
        let slot = self.filter.roots.iter().find(|(n, _)| n == name)?.1;
        serde_json::from_slice(self.found.raw(self.line, slot)?).ok().map(from_json)
    }
    fn now(&self) -> Timestamp {
        self.filter.now
    }
}

struct Whole<'a> {
    value: Value,
    values: &'a Map,
    now: Timestamp,
}

impl Scope for Whole<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned().or_else(|| self.value.as_map()?.get(name).cloned())
    }
    fn now(&self) -> Timestamp {
        self.now
    }
}

impl Quick {
    /// Whether it holds; `None` if the evaluator must tell.
    fn holds(&self, line: &[u8], found: &Found) -> Option<bool> {
        match self {
            Quick::Number(slot, op, n) => {
                let value = number(found.raw(line, *slot)?)?;
                Some(match op {
                    Compare::Eq => value == *n,
                    Compare::Ne => value != *n,
                    Compare::Lt => value < *n,
                    Compare::Le => value <= *n,
                    Compare::Gt => value > *n,
                    Compare::Ge => value >= *n,
                    Compare::In | Compare::NotIn => return None,
                })
            }
            Quick::Text(slot, equal, text) => {
                let raw = found.raw(line, *slot)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
                if memchr::memchr(b'\\', raw).is_some() { None } else { Some((*raw == **text) == *equal) }
            }
            Quick::Flag(slot) => match found.raw(line, *slot)? {
                b"true" => Some(true),
                b"false" => Some(false),
                _ => None,
            },
            Quick::Not(inner) => inner.holds(line, found).map(|h| !h),
            Quick::And(a, b) => {
                if a.holds(line, found)? {
                    b.holds(line, found)
                } else {
                    Some(false)
                }
            }
            Quick::Or(a, b) => {
                if a.holds(line, found)? {
                    Some(true)
                } else {
                    b.holds(line, found)
                }
            }
        }
    }
}

/// The field that a node names, if it names one of the line.
fn field(node: &ExprNode, values: &Map) -> Option<Vec<Part>> {
    match &node.kind {
        ExprKind::Var(name) if !values.contains_key(name) => Some(vec![Part::Key(name.clone())]),
        ExprKind::Attr(inner, name) => {
            let mut parts = field(inner, values)?;
            parts.push(Part::Key(name.clone()));
            Some(parts)
        }
        ExprKind::Item(inner, index) => {
            let ExprKind::Const(index) = &index.kind else { return None };
            let mut parts = field(inner, values)?;
            parts.push(match index {
                Value::Str(name) => Part::Key(name.to_string()),
                Value::Int(i) => Part::Index(*i),
                _ => return None,
            });
            Some(parts)
        }
        _ => None,
    }
}

fn slot(node: &ExprNode, values: &Map, wanted: &mut Wanted) -> Option<usize> {
    let parts = field(node, values)?;
    let keys: Option<Vec<&str>> = parts.iter().map(|p| if let Part::Key(k) = p { Some(k.as_str()) } else { None }).collect();
    Some(wanted.add(&keys?))
}

fn quick(node: &ExprNode, values: &Map, wanted: &mut Wanted) -> Option<Quick> {
    Some(match &node.kind {
        ExprKind::And(a, b) => Quick::And(Box::new(quick(a, values, wanted)?), Box::new(quick(b, values, wanted)?)),
        ExprKind::Or(a, b) => Quick::Or(Box::new(quick(a, values, wanted)?), Box::new(quick(b, values, wanted)?)),
        ExprKind::Not(inner) => Quick::Not(Box::new(quick(inner, values, wanted)?)),
        ExprKind::Compare(first, rest) => {
            let [(op, second)] = rest.as_slice() else { return None };
            if matches!(op, Compare::In | Compare::NotIn) {
                return None;
            }
            let (place, value, op) = match (constant(second, values), constant(first, values)) {
                (Some(value), _) => (slot(first, values, wanted)?, value, *op),
                (None, Some(value)) => (slot(second, values, wanted)?, value, turned(*op)),
                _ => return None,
            };
            match (&value, op) {
                // Numbers that a float cannot hold are for the evaluator.
                (Value::Int(n), _) if n.unsigned_abs() < 1 << 53 => Quick::Number(place, op, *n as f64),
                (Value::Float(n), _) => Quick::Number(place, op, *n),
                (Value::Str(text), Compare::Eq | Compare::Ne) => Quick::Text(place, op == Compare::Eq, text.as_bytes().into()),
                _ => return None,
            }
        }
        ExprKind::Var(_) | ExprKind::Attr(..) | ExprKind::Item(..) => Quick::Flag(slot(node, values, wanted)?),
        _ => return None,
    })
}

fn constant(node: &ExprNode, values: &Map) -> Option<Value> {
    match &node.kind {
        ExprKind::Const(value) => Some(value.clone()),
        ExprKind::Var(name) => values.get(name).cloned(),
        _ => None,
    }
}

fn turned(op: Compare) -> Compare {
    match op {
        Compare::Lt => Compare::Gt,
        Compare::Le => Compare::Ge,
        Compare::Gt => Compare::Lt,
        Compare::Ge => Compare::Le,
        other => other,
    }
}

/// The fields that a condition takes for granted: not those that it asks about with `is defined`, or has a default for.
fn needed(node: &ExprNode, values: &Map, wanted: &mut Wanted, must: &mut Vec<(Field, Slot)>) {
    match &node.kind {
        ExprKind::Filter(name, ..) if name == "default" || name == "d" => return,
        ExprKind::Test(name, ..) if name == "defined" || name == "undefined" => return,
        // `x is defined and x > 5`: what is asked about is not taken for granted.
        ExprKind::And(a, _) | ExprKind::Or(a, _) if asks(a) => return,
        _ => {}
    }
    if let Some(parts) = field(node, values) {
        let text = parts.iter().fold(String::new(), |mut text, part| {
            match part {
                Part::Key(k) if text.is_empty() => text.push_str(k),
                Part::Key(k) => text.push_str(&format!(".{k}")),
                Part::Index(i) => text.push_str(&format!("[{i}]")),
            }
            text
        });
        let field = Field { text, parts };
        if !must.iter().any(|(f, _)| f.text == field.text) {
            let slot = wanted.field(&field);
            must.push((field, slot));
        }
        return;
    }
    for child in node.children() {
        needed(child, values, wanted, must);
    }
}

fn asks(node: &ExprNode) -> bool {
    let mut found = false;
    node.walk(&mut |n| found |= matches!(&n.kind, ExprKind::Test(name, ..) if name == "defined" || name == "undefined"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str, line: &str) -> (Verdict, bool) {
        let mut wanted = Wanted::default();
        let values = [("id".to_owned(), Value::str("r'1"))].into_iter().collect();
        let now = "2026-02-15T00:00:00Z".parse().unwrap();
        let filter = Filter::new(text, values, now, &mut wanted, &mut Vec::new()).unwrap();
        let mut found = Found::default();
        wanted.find(line.as_bytes(), &mut found).unwrap();
        (filter.judge(line.as_bytes(), &found), filter.quick.is_some())
    }

    #[test]
    fn quick_and_full_judgement_agree() {
        let line = r#"{"a":{"n":450,"s":"x\u0041"},"s":"r'1","t":true,"z":null,"l":[1,2],"i":9007199254740993}"#;
        for (text, verdict, quick) in [
            ("a.n > 400", Verdict::Yes, true),
            ("400 >= a.n", Verdict::No, true),
            ("a.n == 450 and not t", Verdict::No, true),
            ("a['n'] != 450.5 or gone > 1", Verdict::Yes, true),
            ("s == id", Verdict::Yes, true),
            ("s != 'other' and t", Verdict::Yes, true),
            ("a.s == 'xA'", Verdict::Yes, true),
            ("gone > 5", Verdict::Missing, true),
            ("a.gone > 5", Verdict::Missing, true),
            ("gone is defined and gone > 5", Verdict::No, false),
            ("a.n + 1 > l[0]", Verdict::Yes, false),
            ("l | length == 2", Verdict::Yes, false),
            ("z == none", Verdict::Yes, false),
            ("a.n in [450]", Verdict::Yes, false),
            ("i == 9007199254740993", Verdict::Yes, false),
        ] {
            assert_eq!(judge(text, line), (verdict, quick), "{text}");
        }
        for text in ["s > 5", "z < 5", "a == 5"] {
            assert!(matches!(judge(text, line).0, Verdict::Unclear(_)), "{text}");
        }
    }

    #[test]
    fn fields_that_are_needed_are_known() {
        let must = |text: &str| {
            let mut must = Vec::new();
            let now = "2026-02-15T00:00:00Z".parse().unwrap();
            Filter::new(text, Map::new(), now, &mut Wanted::default(), &mut must).unwrap();
            must.into_iter().map(|(f, _)| f.text).collect::<Vec<_>>()
        };
        assert_eq!(must("a.b > 1 and c[0].d == 2 or a.b < 0"), ["a.b", "c[0].d"]);
        assert!(must("x is defined and x > 1").is_empty());
        assert!(must("(x | default(0)) > 1").is_empty());
    }

    #[test]
    fn nonsense_is_told() {
        let now = "2026-02-15T00:00:00Z".parse().unwrap();
        for bad in ["", "a >", "a == == b"] {
            assert!(Filter::new(bad, Map::new(), now, &mut Wanted::default(), &mut Vec::new()).is_err());
        }
    }
}
