//! JSONPath queries (RFC 9535): the one place that names the library.

use jsonpath_rust::parser::model::{Filter, FilterAtom, JpQuery, Segment, Selector, Test};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value as Json;

/// A JSONPath that can be asked.
#[derive(Debug)]
pub struct JsonPath(JpQuery);

/// Why a text is no JSONPath that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPathError {
    /// The text.
    pub text: String,
    /// The cause, as a fragment.
    pub cause: String,
    /// The character that it is about, from 0.
    pub at: Option<usize>,
}

impl std::fmt::Display for JsonPathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is not a JSONPath such as `$.services[0].port`: {}", self.text, self.cause)?;
        self.at.map_or(Ok(()), |at| write!(f, " at character {}", at + 1))
    }
}

/// The most bytes of a query. The library's parser takes hundreds of times the memory of a long text.
const MAX_LEN: usize = 10_000;

impl JsonPath {
    /// Reads a JSONPath.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<JsonPath, JsonPathError> {
        if text.len() > MAX_LEN {
            let shown: String = text.chars().take(40).collect();
            let cause = format!("it has {} bytes, more than {MAX_LEN}", text.len());
            return Err(JsonPathError { text: format!("{shown}…"), cause, at: None });
        }
        let query = parse_json_path(text).map_err(|e| {
            let (cause, at) = cause(&e.to_string());
            JsonPathError { text: text.to_owned(), cause, at }
        })?;
        if query.segments.iter().any(|s| filters(s).any(nests)) {
            // The library answers these with an empty list, which would make a check pass or fail wrongly.
            let cause = "a filter inside a filter is not supported".to_owned();
            return Err(JsonPathError { text: text.to_owned(), cause, at: None });
        }
        Ok(JsonPath(query))
    }

    /// Everything in a document that it selects.
    ///
    /// # Errors
    /// Why the document cannot be asked.
    pub fn select(&self, document: &Json) -> Result<Vec<Json>, String> {
        let found = js_path_process(&self.0, document).map_err(|e| format!("the JSONPath cannot be followed: {e}"))?;
        Ok(found.into_iter().map(|r| r.val().clone()).collect())
    }
}

/// What the library found wrong: it draws the place over several lines, with the cause after `=` on the last.
fn cause(drawn: &str) -> (String, Option<usize>) {
    let cause = drawn.lines().rev().find_map(|l| l.trim().strip_prefix("= "));
    let at = drawn.lines().find_map(|l| l.split_once("--> 1:")?.1.trim().parse::<usize>().ok()?.checked_sub(1));
    match cause {
        Some(cause) => (plain(cause), at),
        None => (plain(&drawn.trim().replace('\n', " ")), None),
    }
}

/// The library's names of grammar rules in plain words.
fn plain(cause: &str) -> String {
    match cause {
        "expected jp_query" => "it does not begin with `$`".to_owned(),
        "expected selector" => "expected a name, a number, `*` or `?` here".to_owned(),
        _ => cause.replace("EOI", "the end").replace('_', " "),
    }
}

fn filters(segment: &Segment) -> Box<dyn Iterator<Item = &Filter> + '_> {
    fn of(selector: &Selector) -> Option<&Filter> {
        if let Selector::Filter(f) = selector { Some(f) } else { None }
    }
    match segment {
        Segment::Descendant(inner) => filters(inner),
        Segment::Selector(one) => Box::new(of(one).into_iter()),
        Segment::Selectors(many) => Box::new(many.iter().filter_map(of)),
    }
}

/// Whether there is another filter in a query inside this one.
fn nests(filter: &Filter) -> bool {
    match filter {
        Filter::Or(all) | Filter::And(all) => all.iter().any(nests),
        Filter::Atom(FilterAtom::Filter { expr, .. }) => nests(expr),
        Filter::Atom(FilterAtom::Test { expr, .. }) => match &**expr {
            Test::RelQuery(segments) => segments.iter().any(|s| filters(s).next().is_some()),
            Test::AbsQuery(query) => query.segments.iter().any(|s| filters(s).next().is_some()),
            Test::Function(_) => false,
        },
        Filter::Atom(FilterAtom::Comparison(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_select() {
        let document = json!({ "services": [{ "name": "a", "port": 1 }, { "name": "b", "port": 2 }] });
        let ask = |p: &str| JsonPath::parse(p).expect("a path").select(&document).expect("asked");
        assert_eq!(ask("$.services[*].port"), [json!(1), json!(2)]);
        assert_eq!(ask("$.services[?@.name == 'b'].port"), [json!(2)]);
        assert_eq!(ask("$..name"), [json!("a"), json!("b")]);
        assert!(ask("$.gone").is_empty());
    }

    #[test]
    fn the_cause_is_one_line_with_its_place() {
        let why = JsonPath::parse("$..[").expect_err("no path");
        assert_eq!(
            why.to_string(),
            "\"$..[\" is not a JSONPath such as `$.services[0].port`: expected a name, a number, `*` or `?` here at character 5"
        );
    }

    #[test]
    fn nonsense_and_nested_filters_are_invalid() {
        for bad in ["", "services", "$.", "$[", "$[?@[?@>1]]", "$.a[?(@.x || @.y[?@.z])]", "$..[?!(@[?@.x])]"] {
            assert!(JsonPath::parse(bad).is_err(), "{bad}");
        }
    }
}
