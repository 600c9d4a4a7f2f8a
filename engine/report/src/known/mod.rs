//! What is known of a playbook's values before anything runs: the system's variables, defaults of parameters, entries of services.
//!
//! What only a run can tell stays unknown, with the text that stands for it: `<service>`, `<state folder>/sonia/config`. Secrets are
//! never looked at: they are unknown too.

mod place;
mod service;

use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::expr::{Expr, ExprKind, ExprNode, Part, Scope, Template};
use runbook_core::inputs::Given;
use runbook_core::model::{Arg, ArgKind, Each, Over, ParamType, Step, Unit};
use runbook_core::module::{hand_secret, hand_word};
use runbook_core::value::{Map, Value};

pub(crate) use place::OR;

/// What is in scope of a playbook before it runs.
#[derive(Clone)]
pub struct Known<'a> {
    unit: &'a Unit,
    names: Arc<Map>,
    locals: Map,
}

/// What a run alone can tell, with the words that stand for it.
const RUN: &[(&str, &str)] = &[
    ("id", "run id"),
    ("started_at", "start of the run"),
    ("operator", "operator"),
    ("host", "host"),
    ("root", "project folder"),
    ("state", "state folder"),
    ("verdict", "verdict"),
];

/// The text that stands for a value that is not known.
pub(crate) fn stand_in(name: &str) -> Value {
    Value::unknown(format!("<{name}>"))
}

impl<'a> Known<'a> {
    /// What is known of a playbook, with values that were given for it.
    pub fn new(unit: &'a Unit, given: &Given) -> Self {
        Known::make(unit, given, false)
    }

    /// What is known to a person who does it by hand: `<words>` stand for every parameter that was not given, since a default is only one
    /// of its values, and variables of the shell for secrets. Of parameters that are true or false the default is taken: conditions and
    /// choices hang on them, which no words can stand for.
    pub(crate) fn by_hand(unit: &'a Unit, given: &Given) -> Self {
        Known::make(unit, given, true)
    }

    fn make(unit: &'a Unit, given: &Given, by_hand: bool) -> Self {
        let mut known = Known { unit, names: Arc::default(), locals: Map::new() };
        let secret = |name: &str| if by_hand { Value::unknown(hand_secret(name)) } else { stand_in(name) };
        let env = unit.system.env.iter().chain(&unit.playbook.env);
        known.define("env", Value::map(env.map(|e| (e.name.value.clone(), secret(&e.name.value)))));
        let mut run: Map = RUN.iter().map(|(name, words)| ((*name).to_owned(), stand_in(words))).collect();
        run.insert("program".into(), Value::str("runbook"));
        run.insert("dry_run".into(), Value::Bool(false));
        known.define("run", Value::from(run));
        known.define("host", Value::str("localhost"));
        known.define("findings", stand_in("findings"));
        known.define("steps", stand_in("steps"));
        known.define("error", stand_in("error"));
        known.define("services", stand_in("services"));
        for (name, arg) in &unit.system.vars {
            let value = given.overrides.get(&name.value).cloned().unwrap_or_else(|| known.value(arg));
            known.define(&name.value, value);
        }
        known.define_services();
        let limits = unit.system.thresholds.iter().map(|(name, arg)| (name.value.clone(), known.value(arg))).collect::<Vec<_>>();
        known.define("thresholds", Value::map(limits));
        for (name, arg) in
            [("contacts", &unit.system.contacts), ("escalation", &unit.system.escalation), ("hosts", &unit.system.hosts)]
        {
            let value = arg.as_ref().map_or(Value::Null, |a| known.value(a));
            known.define(name, value);
        }
        let mut params = Map::new();
        for param in &unit.playbook.params {
            let name = &param.name.value;
            let value = match (given.params.get(name), &param.default) {
                _ if param.ty == ParamType::Secret => secret(name),
                (Some(value), _) => value.clone(),
                (None, Some(_)) if by_hand && param.ty != ParamType::Bool => stand_in(name),
                (None, Some(default)) => {
                    let value = known.value(default);
                    runbook_core::inputs::typed(param.ty, value.clone()).unwrap_or(value)
                }
                // Whoever runs it may give it, so that nothing can be said of one that may be left out either.
                (None, None) => stand_in(name),
            };
            params.insert(name.clone(), value);
            known.define("params", Value::from(params.clone()));
        }
        for (name, arg) in &unit.playbook.vars {
            let value = known.value(arg);
            known.define(&name.value, value);
        }
        known.define_services();
        known
    }

    /// Renders the entries of the services; twice, since an entry may speak of other services.
    fn define_services(&mut self) {
        for _ in 0..2 {
            let services = self.unit.system.services.values();
            let entries: Vec<(String, Value)> = services.map(|s| (s.id.clone(), service::entry(self, s))).collect();
            self.define("services", Value::map(entries));
        }
    }

    fn define(&mut self, name: &str, value: Value) {
        Arc::make_mut(&mut self.names).insert(name.to_owned(), value);
    }

    /// With a name more, such as the item of a loop.
    pub(crate) fn with(&self, name: &str, value: Value) -> Self {
        let mut inner = self.clone();
        inner.locals.insert(name.to_owned(), value);
        inner
    }

    /// With the names that steps around have made in another.
    pub(crate) fn with_locals_of(&self, other: &Known<'_>) -> Self {
        Known { locals: other.locals.clone(), ..self.clone() }
    }

    /// Whether a parameter may be left out and is nothing then.
    fn may_lack(&self, name: &str) -> bool {
        self.unit.playbook.params.iter().any(|p| p.name.value == name && !p.required && p.default.is_none())
    }

    /// The value of a parameter: given, or its default.
    pub(crate) fn param(&self, name: &str) -> Value {
        self.names.get("params").map(|p| p.field(name)).unwrap_or_default()
    }

    /// The value of a part of an expression, if it is known in full.
    pub(crate) fn part(&self, expr: &Expr, node: &ExprNode) -> Option<Value> {
        if depends_on_time(expr) {
            return None;
        }
        let value = expr.eval_part(node, self).ok()?;
        let is_known = value.find_unknown().is_none() && value.all_secret_names().is_empty();
        (is_known && is_small(&value, &mut MOST_PARTS.clone())).then_some(value)
    }

    /// The entry of a service by its name; if it is not known which, what all entries have in common.
    pub(crate) fn service(&self, name: &str) -> Value {
        match self.unit.system.services.get(name) {
            Some(service) => service::entry(self, service),
            None => service::any(self, name),
        }
    }

    /// The items of a loop with their keys, if they are known and there are any.
    pub(crate) fn items(&self, each: &Each) -> Option<Vec<(String, Value)>> {
        let value = match &each.over {
            Over::Expr(expr) => self.eval_loosely(expr)?,
            Over::Literal(arg) => self.value(arg),
        };
        let items: Vec<(String, Value)> = match &value {
            Value::Map(map) => map.iter().map(|(k, v)| (k.clone(), keyed(k, v))).collect(),
            Value::List(items) => items.iter().enumerate().map(|(i, v)| (key(i, v), v.clone())).collect(),
            _ => return None,
        };
        (!items.is_empty()).then_some(items)
    }

    /// What is known inside of a step: of a loop's item its name, and of a service's entry what all services have in common.
    pub(crate) fn in_pass(&self, step: &Step) -> Self {
        let Some(each) = &step.each else { return self.clone() };
        let services = &self.unit.system.services;
        let items = self.items(each).unwrap_or_default();
        let are_services = !items.is_empty() && items.iter().all(|(k, v)| v.as_map().is_some() && services.contains_key(k));
        let item = if are_services { service::any(self, "<service>") } else { stand_in(&each.bind) };
        self.with(&each.bind, item)
    }

    /// The value of an expression, if it is known in full.
    pub(crate) fn eval(&self, expr: &Expr) -> Option<Value> {
        if depends_on_time(expr) {
            return None;
        }
        let value = expr.eval(self).ok()?;
        // Values that hold each other over and over are small in memory and endless when they are written out.
        if !is_small(&value, &mut MOST_PARTS.clone()) {
            return None;
        }
        (value.find_unknown().is_none() && value.all_secret_names().is_empty()).then_some(value)
    }

    /// The value of an expression, of which parts may not be known; they are unknown, with the text that stands for them.
    pub(crate) fn eval_loosely(&self, expr: &Expr) -> Option<Value> {
        if depends_on_time(expr) {
            return None;
        }
        let value = expr.eval(self).ok()?;
        (is_small(&value, &mut MOST_PARTS.clone()) && value.all_secret_names().is_empty()).then_some(value)
    }

    /// A value as written; what is not known in it is unknown, with the text that stands for it.
    pub(crate) fn value(&self, arg: &Arg) -> Value {
        match &arg.kind {
            ArgKind::Value(value) => value.clone(),
            ArgKind::Template(template) => self.template(template),
            ArgKind::Shell(template) => self.shell(template),
            ArgKind::List(items) => Value::from(items.iter().map(|i| self.value(i)).collect::<Vec<_>>()),
            ArgKind::Map(entries) => Value::map(entries.iter().map(|(k, v)| (k.value.clone(), self.value(v)))),
        }
    }

    /// A value as written, where a text stands for what is not known.
    pub(crate) fn shown(&self, arg: &Arg) -> Value {
        show(&self.value(arg))
    }

    /// A text, where `<words>` stand for what is not known.
    pub(crate) fn text(&self, template: &Template) -> String {
        show(&self.template(template)).to_string()
    }

    /// A value as text on one line.
    pub(crate) fn line(&self, arg: &Arg) -> String {
        words(&self.shown(arg))
    }

    fn template(&self, template: &Template) -> Value {
        if let [Part::Expr(expr)] = template.parts.as_slice() {
            return self.eval(expr).unwrap_or_else(|| Value::unknown(place::stands_for(self, expr)));
        }
        self.join(template, &|value| words(value))
    }

    /// A script: values are quoted as they are in a run, and so is what stands for those that are not known.
    fn shell(&self, template: &Template) -> Value {
        let quote = |value: &Value| match value {
            Value::List(items) => items.iter().map(|i| hand_word(&i.to_string())).collect::<Vec<_>>().join(" "),
            other => hand_word(&other.to_string()),
        };
        self.join(template, &quote)
    }

    fn join(&self, template: &Template, put: &dyn Fn(&Value) -> String) -> Value {
        let mut text = String::new();
        let mut all = true;
        for part in &template.parts {
            if text.len() > LONGEST {
                return Value::unknown("<a very long text>");
            }
            match part {
                Part::Text(written) => text.push_str(written),
                Part::Expr(expr) => {
                    let bare = matches!(&expr.root.kind, ExprKind::Filter(name, ..) if name == "unquoted");
                    let value = self.eval(expr).unwrap_or_else(|| {
                        all = false;
                        Value::str(place::stands_for(self, expr))
                    });
                    text.push_str(&if bare { value.to_string() } else { put(&value) });
                }
            }
        }
        if all { Value::from(text) } else { Value::unknown(text) }
    }
}

/// The item of a map, which knows its key.
fn keyed(key: &str, value: &Value) -> Value {
    let mut entry = match value {
        Value::Map(inner) => (**inner).clone(),
        other => Map::from_iter([("value".to_owned(), other.clone())]),
    };
    entry.insert("id".into(), Value::str(key));
    Value::from(entry)
}

/// What an item of a list is called: its id, else itself if it is a short text or a number, else its place.
fn key(i: usize, value: &Value) -> String {
    match (value.field("id").as_str(), value) {
        (Some(id), _) => id.to_owned(),
        (None, Value::Str(s)) if !s.is_empty() && s.len() <= 60 => s.to_string(),
        (None, Value::Int(n)) => n.to_string(),
        _ => (i + 1).to_string(),
    }
}

/// The most values that are looked at inside one.
const MOST_PARTS: usize = 10_000;

/// The longest text that is made here; a longer one would not be read.
const LONGEST: usize = 64 * 1024;

fn is_small(value: &Value, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value.bare() {
        Value::List(items) => items.iter().all(|i| is_small(i, left)),
        Value::Map(map) => map.values().all(|v| is_small(v, left)),
        _ => true,
    }
}

/// Whether an expression asks for the time, which is not known before it runs.
fn depends_on_time(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |node| {
        found |= match &node.kind {
            ExprKind::Call(name, _) => name == "now",
            ExprKind::Filter(name, ..) => name == "ago",
            _ => false,
        };
    });
    found
}

/// The value with a text in place of everything that is not known.
pub(crate) fn show(value: &Value) -> Value {
    match value {
        Value::Unknown(unknown) => Value::str(&unknown.reason),
        Value::List(items) => Value::from(items.iter().map(show).collect::<Vec<_>>()),
        Value::Map(map) => Value::map(map.iter().map(|(k, v)| (k.clone(), show(v)))),
        Value::Secret(_) => Value::str(value.to_string()),
        other => other.clone(),
    }
}

/// A value as a person writes it on one line: lists with commas, maps with colons.
pub(crate) fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::List(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Map(map) => map.iter().map(|(k, v)| format!("{k}: {}", words(v))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

impl Scope for Known<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.locals.get(name).or_else(|| self.names.get(name)) {
            return Some(value.clone());
        }
        // Whatever else is in scope is made by a step.
        Some(stand_in(name))
    }

    fn get_in(&self, root: &str, key: &str) -> Option<Option<Value>> {
        match root {
            "steps" => Some(Some(stand_in(key))),
            _ => None,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}
