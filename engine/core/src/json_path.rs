//! JSONPath queries (RFC 9535): the one place that names the library.

use jsonpath_rust::parser::model::{Filter, FilterAtom, JpQuery, Segment, Selector, Test};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value as Json;

/// A JSONPath that can be asked.
#[derive(Debug)]
pub struct JsonPath(JpQuery);

impl JsonPath {
    /// Reads a JSONPath.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<JsonPath, String> {
        let query = parse_json_path(text)
            .map_err(|e| format!("{text:?} is not a JSONPath such as `$.services[0].port`: {}", cause(&e.to_string())))?;
        if query.segments.iter().any(|s| filters(s).any(nests)) {
            // The library answers these with an empty list, which would make a check pass or fail wrongly.
            return Err(format!("{text:?} has a filter inside a filter, which is not supported"));
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
fn cause(drawn: &str) -> String {
    let cause = drawn.lines().rev().find_map(|l| l.trim().strip_prefix("= "));
    let at = drawn.lines().find_map(|l| l.split_once("--> 1:"));
    match (cause, at) {
        (Some(cause), Some((_, at))) => format!("{cause} at character {at}"),
        _ => drawn.trim().replace('\n', " "),
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
        assert_eq!(why, "\"$..[\" is not a JSONPath such as `$.services[0].port`: expected selector at character 5");
    }

    #[test]
    fn nonsense_and_nested_filters_are_invalid() {
        for bad in ["", "services", "$.", "$[", "$[?@[?@>1]]", "$.a[?(@.x || @.y[?@.z])]", "$..[?!(@[?@.x])]"] {
            assert!(JsonPath::parse(bad).is_err(), "{bad}");
        }
    }
}
