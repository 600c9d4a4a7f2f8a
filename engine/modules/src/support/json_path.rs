//! JSONPath queries: the one place that names the library.

use jsonpath_rust::parser::model::{Filter, FilterAtom, JpQuery, Segment, Selector, Test};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use runbook_core::module::Fault;
use serde_json::Value as Json;

/// A JSONPath that can be asked.
pub(crate) struct JsonPath(JpQuery);

impl JsonPath {
    /// Reads a JSONPath argument.
    pub(crate) fn parse(argument: &str, text: &str) -> Result<JsonPath, Fault> {
        let query = parse_json_path(text).map_err(|e| {
            let why = e.to_string();
            // The first line says where; the rest draws it.
            Fault::invalid(
                argument,
                format!("{text:?} is not a JSONPath such as `$.services[0].port`: {}", why.trim().replace('\n', " ")),
            )
        })?;
        if query.segments.iter().any(|s| filters(s).any(nests)) {
            // The library answers these with an empty list, which would make a check pass or fail wrongly.
            return Err(Fault::invalid(argument, format!("{text:?} has a filter inside a filter, which is not supported")));
        }
        Ok(JsonPath(query))
    }

    /// Everything in a document that it selects.
    pub(crate) fn select(&self, document: &Json) -> Result<Vec<Json>, Fault> {
        let found = js_path_process(&self.0, document)
            .map_err(|e| Fault::cannot_tell(format!("the JSONPath cannot be followed: {e}")))?;
        Ok(found.into_iter().map(|r| r.val().clone()).collect())
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
        let ask = |p: &str| JsonPath::parse("query", p).unwrap().select(&document).unwrap();
        assert_eq!(ask("$.services[*].port"), [json!(1), json!(2)]);
        assert_eq!(ask("$.services[?@.name == 'b'].port"), [json!(2)]);
        assert_eq!(ask("$..name"), [json!("a"), json!("b")]);
        assert!(ask("$.gone").is_empty());
    }

    #[test]
    fn nonsense_and_nested_filters_are_invalid() {
        for bad in ["", "services", "$.", "$[", "$[?@[?@>1]]", "$.a[?(@.x || @.y[?@.z])]", "$..[?!(@[?@.x])]"] {
            assert!(matches!(JsonPath::parse("query", bad), Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
