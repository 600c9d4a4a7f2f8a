//! Entries of services, as far as they are known before anything runs.

use runbook_core::model::{Arg, ArgKind, Service};
use runbook_core::value::{Map, Value, equal};

use super::{Known, stand_in};

/// How often the fields of an entry are rendered, since they may speak of each other.
const ROUNDS: usize = 6;

/// The entry of a service.
pub(super) fn entry(known: &Known<'_>, service: &Service) -> Value {
    let mut map = Map::from_iter([
        ("id".to_owned(), Value::str(&service.id)),
        ("needs".to_owned(), Value::list(service.needs.iter().map(|n| Value::str(&n.value)))),
    ]);
    let fields: Vec<(&str, &Arg)> = service.fields.iter().map(|(n, a)| (n.value.as_str(), a)).collect();
    for (name, _) in &fields {
        map.insert((*name).to_owned(), stand_in(name));
    }
    settle(known, map, &fields)
}

/// The entry of a service that is not known which, such as that of a parameter: what all entries have in common is known, and of the
/// rest it is said whose it is.
pub(super) fn any(known: &Known<'_>, name: &str) -> Value {
    let services = &known.unit.system.services;
    let bare = name.trim_matches(['<', '>']);
    let mut map = Map::from_iter([("id".to_owned(), Value::unknown(name))]);
    let mut common: Vec<(&str, &Arg)> = Vec::new();
    for (field, arg) in services.values().flat_map(|s| &s.fields) {
        let field = field.value.as_str();
        if map.contains_key(field) {
            continue;
        }
        map.insert(field.to_owned(), Value::unknown(format!("<{field} of {bare}>")));
        let mut written = services.values().map(|s| s.fields.iter().find(|(n, _)| n.value == field).map(|(_, a)| a));
        if written.all(|other| other.is_some_and(|o| same(o, arg))) {
            common.push((field, arg));
        }
    }
    settle(known, map, &common)
}

/// Renders fields that may speak of each other until nothing changes.
fn settle(known: &Known<'_>, mut map: Map, fields: &[(&str, &Arg)]) -> Value {
    for round in 0..ROUNDS {
        let scope = known.with("service", Value::from(map.clone()));
        for (name, arg) in fields {
            // What speaks of no other field is done after the first round.
            if round == 0 || speaks_of_service(arg) {
                map.insert((*name).to_owned(), scope.value(arg));
            }
        }
        if !fields.iter().any(|(_, arg)| speaks_of_service(arg)) {
            break;
        }
    }
    Value::from(map)
}

fn speaks_of_service(arg: &Arg) -> bool {
    let mut found = false;
    for expr in arg.exprs() {
        expr.walk(&mut |node| found |= matches!(&node.kind, runbook_core::expr::ExprKind::Var(name) if name == "service"));
    }
    found
}

/// Whether two values are written the same.
fn same(a: &Arg, b: &Arg) -> bool {
    match (&a.kind, &b.kind) {
        (ArgKind::Value(a), ArgKind::Value(b)) => equal(a, b) == Ok(true),
        (ArgKind::Template(a), ArgKind::Template(b)) => a.text == b.text,
        (ArgKind::List(a), ArgKind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (ArgKind::Map(a), ArgKind::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k.value == l.value && same(a, b))
        }
        _ => false,
    }
}
