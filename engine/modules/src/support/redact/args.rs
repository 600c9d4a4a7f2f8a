//! What is to be taken out, as arguments.

use regex::bytes::RegexBuilder;
use runbook_core::module::Fault;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::{Own, Rule, Rules};

/// A rule by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum Name {
    Email,
    Ssn,
    CreditCard,
    Phone,
    ApiKey,
    Password,
    PrivateKey,
}

/// A pattern of your own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct Pattern {
    /// Its name, from which its mark is made: `order` gives `[ORDER_REDACTED]`.
    #[schemars(length(min = 1))]
    name: String,
    /// A regular expression; it must not match nothing.
    #[schemars(extend("format" = "regex"))]
    pattern: String,
    /// The number of the group that is taken out. Default: 0, and all that matches is.
    #[serde(default)]
    group: u32,
}

/// The rules that these arguments ask for.
pub(crate) fn rules(on: Option<&[Name]>, fields: &[String], patterns: &[Pattern], values: &[String]) -> Result<Rules, Fault> {
    let on: Vec<Rule> = match on {
        None => Rule::ALL.iter().map(|(r, ..)| *r).collect(),
        Some(names) => names
            .iter()
            .map(|n| match n {
                Name::Email => Rule::Email,
                Name::Ssn => Rule::Ssn,
                Name::CreditCard => Rule::CreditCard,
                Name::Phone => Rule::Phone,
                Name::ApiKey => Rule::ApiKey,
                Name::Password => Rule::Password,
                Name::PrivateKey => Rule::PrivateKey,
            })
            .collect(),
    };
    let own = patterns
        .iter()
        .map(|p| {
            let pattern = RegexBuilder::new(&p.pattern)
                .multi_line(true)
                .crlf(true)
                .size_limit(runbook_core::forms::MAX_PATTERN)
                .build()
                .map_err(|e| Fault::invalid("patterns", e.to_string()))?;
            if pattern.is_match(b"") {
                return Err(Fault::invalid(
                    "patterns",
                    format!("`{}` matches nothing at all, and would mark every place", p.name),
                ));
            }
            if p.group as usize >= pattern.captures_len() {
                return Err(Fault::invalid("patterns", format!("`{}` has no group {}", p.name, p.group)));
            }
            Ok(Own { name: p.name.clone(), pattern, group: p.group as usize })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    if let Some(short) = values.iter().find(|v| v.chars().count() < 4) {
        let length = short.chars().count();
        return Err(Fault::invalid(
            "values",
            format!("a value of {length} characters would be found everywhere; it needs at least 4"),
        ));
    }
    if fields.iter().any(String::is_empty) {
        return Err(Fault::invalid("fields", "a name is empty"));
    }
    Rules::new(&on, fields, own, values).map_err(|e| Fault::invalid("values", e))
}
