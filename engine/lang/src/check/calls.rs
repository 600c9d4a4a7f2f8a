//! Functions, filters and tests: whether they exist, how many arguments they take, and literal patterns in them.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::{Arguments, CallableKind, ExprKind, ExprNode, FUNCTIONS, find_callable};
use runbook_core::forms;
use runbook_core::suggest::nearest;

use super::expr::Visit;
use crate::decode::lower_first;

fn word(kind: CallableKind) -> &'static str {
    match kind {
        CallableKind::Function => "function",
        CallableKind::Filter => "filter",
        CallableKind::Test => "test",
    }
}

/// What other template languages call it.
fn other_word(name: &str) -> Option<&'static str> {
    Some(match name {
        "to_json" | "json" | "dump" => "tojson",
        "from_json" | "fromjson" | "parsejson" => "parse_json",
        "len" | "size_of" => "length",
        "match" => "regex_match",
        "search" | "regex" => "regex_search",
        "contains" | "includes" => "containing",
        "startswith" | "has_prefix" => "starts_with",
        "endswith" | "has_suffix" => "ends_with",
        "to_int" | "integer" | "parseInt" => "int",
        "to_float" => "float",
        "str" | "to_string" | "text" => "string",
        "quote" | "shellquote" => "shell_quote",
        "strftime" | "to_datetime" | "format_date" => "date",
        "b64" | "base64" => "b64encode",
        "json_query" | "jq" => "jsonpath",
        "uppercase" => "upper",
        "lowercase" => "lower",
        "strip" => "trim",
        "dict2items" => "items",
        "hash" | "checksum" => "sha256",
        "mean" | "average" => "percentile(50)",
        _ => return None,
    })
}

/// What to do without a filter that other template languages have.
fn not_here(name: &str) -> Option<&'static str> {
    Some(match name {
        "format" | "printf" | "sprintf" => "put the values into the text: `\"{{ a }} of {{ b }}\"`",
        "safe" | "escape" | "e" | "forceescape" => "nothing is escaped here: leave it out",
        "ternary" => "write `a if condition else b`",
        "combine" | "merge" | "update" => "write the map with all its entries: `{a: 1, b: x.b}`",
        "random" | "shuffle" | "uuid" => "expressions are pure: the same values give the same result",
        "batch" | "slice" | "chunk" => "take a part by its places: `list[0:10]`",
        "pprint" | "to_nice_json" | "to_yaml" | "to_nice_yaml" => "write `tojson(indent=2)`",
        "mandatory" => "an undefined name is an error anyway: leave it out",
        "quote_identifier" => "here it is `sql_ident`",
        _ => return None,
    })
}

impl Visit<'_, '_, '_> {
    fn callable(&mut self, kind: CallableKind, node: &ExprNode, name: &str, given: usize) -> bool {
        let Some(callable) = find_callable(kind, name) else {
            let names = |k: CallableKind| FUNCTIONS.iter().filter(move |c| c.kind == k).map(|c| c.name);
            let help = if let Some(meant) = other_word(name).filter(|_| kind == CallableKind::Filter) {
                format!("here it is `| {meant}`")
            } else if let Some(near) = nearest(name, names(kind)) {
                format!("did you mean `{near}`?")
            } else if kind == CallableKind::Function && find_callable(CallableKind::Filter, name).is_some() {
                format!("it is a filter: write `value | {name}`")
            } else if kind == CallableKind::Filter && find_callable(CallableKind::Test, name).is_some() {
                format!("it is a test: write `value is {name}`")
            } else if kind == CallableKind::Function && matches!(name, "lookup" | "query" | "env" | "file" | "include" | "pipe") {
                "expressions look at nothing outside: read it with a module, and use its result".to_owned()
            } else if let Some(instead) = not_here(name) {
                instead.to_owned()
            } else {
                format!("`runbook help expressions` lists the {}s", word(kind))
            };
            let span = self.callable_span(node, name);
            self.checker
                .out
                .push(Diagnostic::error(Code::UnknownFunction, span, format!("there is no {} `{name}`", word(kind))).help(help));
            return false;
        };
        if (callable.min..=callable.max).contains(&given) {
            return true;
        }
        let wanted = match (callable.min, callable.max) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (a, b) if a == b => format!("{a} arguments"),
            (0, 1) => "at most one argument".to_owned(),
            (a, b) => format!("{a} to {b} arguments"),
        };
        let span = self.callable_span(node, name);
        let message = format!("the {} `{name}` takes {wanted}, found {given}", word(kind));
        self.checker.out.push(
            Diagnostic::error(Code::UnknownFunction, span, message).help(format!("`{name}`: {}", lower_first(callable.doc))),
        );
        false
    }

    /// The place of a filter's, test's or function's name.
    fn callable_span(&self, node: &ExprNode, name: &str) -> runbook_core::span::Span {
        let from = match &node.kind {
            ExprKind::Filter(_, inner, _) | ExprKind::Test(_, inner, _) => inner.range.end,
            _ => node.range.start,
        };
        let text = self.expr.text.get(from as usize..).unwrap_or("");
        match text.find(name) {
            Some(at) => {
                let start = from + at as u32;
                self.expr.span_of(&(start..start + name.len() as u32))
            }
            None => self.expr.span_of(&node.range),
        }
    }

    pub(super) fn function(&mut self, node: &ExprNode, name: &str, args: &Arguments) {
        self.callable(CallableKind::Function, node, name, args.positional.len() + args.named.len());
    }

    pub(super) fn test(&mut self, node: &ExprNode, name: &str, args: &Arguments) {
        if self.callable(CallableKind::Test, node, name, args.positional.len() + args.named.len()) && name == "matching" {
            self.pattern(args);
        }
    }

    pub(super) fn filter(&mut self, node: &ExprNode, name: &str, args: &Arguments) {
        if !self.callable(CallableKind::Filter, node, name, args.positional.len() + args.named.len()) {
            return;
        }
        match name {
            "regex_search" | "regex_match" | "regex_replace" | "regex_find_all" => self.pattern(args),
            "jsonpath" => self.jsonpath(args),
            "date" => self.date_format(node, args),
            "map" => self.named_callable(args, 0, CallableKind::Filter),
            "select" | "reject" => self.named_callable(args, 0, CallableKind::Test),
            "selectattr" | "rejectattr" => self.named_callable(args, 1, CallableKind::Test),
            _ => {}
        }
    }

    /// A filter or test that is named by a literal argument.
    fn named_callable(&mut self, args: &Arguments, at: usize, kind: CallableKind) {
        let Some(node) = args.positional.get(at) else { return };
        let ExprKind::Const(value) = &node.kind else { return };
        let Some(name) = value.as_str() else { return };
        if find_callable(kind, name).is_some() || matches!(name, "==" | "!=" | "<" | "<=" | ">" | ">=") {
            return;
        }
        let names = FUNCTIONS.iter().filter(|c| c.kind == kind).map(|c| c.name);
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None if kind == CallableKind::Filter => format!("to take a field, write `map(attribute='{name}')`"),
            None => "the tests are those that follow `is`, such as `eq` or `defined`".to_owned(),
        };
        let name = name.to_owned();
        self.report(Code::UnknownFunction, node, format!("there is no {} `{name}`", word(kind)), Some(help));
    }

    /// A literal regular expression.
    fn pattern(&mut self, args: &Arguments) {
        let Some(node) = args.positional.first() else { return };
        let ExprKind::Const(value) = &node.kind else { return };
        let Some(text) = value.as_str() else {
            let kind = value.kind();
            self.report(
                Code::BadRegex,
                node,
                format!("a pattern is a string, found {kind}"),
                Some("put it in quotes".to_owned()),
            );
            return;
        };
        let span = self.expr.span_of(&node.range);
        if !self.checker.patterns.take(1, span, self.checker.out) {
            return;
        }
        if let Some(wrong) = forms::regex(text, forms::MAX_PATTERN) {
            self.wrong_form(Code::BadRegex, node, text, wrong);
        }
    }

    /// A literal JSONPath.
    fn jsonpath(&mut self, args: &Arguments) {
        let Some(node) = args.positional.first() else { return };
        let ExprKind::Const(value) = &node.kind else { return };
        let Some(text) = value.as_str() else { return };
        if let Some(wrong) = forms::json_path(text) {
            self.wrong_form(Code::BadJsonPath, node, text, wrong);
        }
    }

    /// Reports a literal text that does not have the form it needs, at the bytes that it is about.
    fn wrong_form(&mut self, code: Code, node: &ExprNode, text: &str, wrong: forms::Wrong) {
        // Without escapes the literal is its text between quotes.
        let written = self.expr.text.get(node.range.start as usize + 1..node.range.end as usize - 1);
        let range = match wrong.range.filter(|_| written == Some(text)) {
            Some(range) => node.range.start + 1 + range.start as u32..node.range.start + 1 + range.end as u32,
            None => node.range.clone(),
        };
        let span = self.expr.span_of(&range);
        self.checker.out.push(Diagnostic::error(code, span, wrong.message).help(wrong.help));
    }
}
