//! Steps: the common keys and exactly one body, as far as they mean something at a place.

use runbook_core::module::Kind;
use serde_json::{Map, Value as Json, json};

use super::{Maker, module, reference, rules, snippets};
use crate::keys::{BLOCK, BODIES, PLAYBOOK, STEP, Table};

/// Where a step stands, as far as its keys and bodies depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// It must only look.
    looks: bool,
    /// Directly inside a `parallel`.
    parallel: bool,
    /// Somewhere inside `checks`.
    row: bool,
}

impl Place {
    /// Under `steps`.
    pub(super) const STEP: Place = Place { looks: false, parallel: false, row: false };
    /// Where only checks may stand.
    pub(super) const CHECK: Place = Place { looks: true, ..Place::STEP };
    /// Under `checks`.
    pub(super) const ROW: Place = Place { row: true, ..Place::CHECK };

    /// The place of the steps under a key.
    pub(super) fn below(self, table: &Table, key: &str) -> Place {
        if table.name == BODIES.name && BODIES.get(key).is_some() || BLOCK.get(key).is_some() && table.name == BLOCK.name {
            return Place { parallel: key == "parallel", ..self };
        }
        Place::STEP
    }

    /// The place of the checks under a key.
    pub(super) fn looking(self, table: &Table) -> Place {
        if table.name == STEP.name { Place { looks: true, parallel: false, ..self } } else { Place::CHECK }
    }

    /// The name of its definition.
    fn name(self) -> &'static str {
        match (self.looks, self.row, self.parallel) {
            (false, _, false) => "step",
            (false, _, true) => "step-in-parallel",
            (true, false, false) => "check",
            (true, false, true) => "check-in-parallel",
            (true, true, false) => "row",
            (true, true, true) => "row-in-parallel",
        }
    }

    /// What it is called. It has no description: an editor would show that in place of what the key above it means.
    fn title(self) -> &'static str {
        match (self.looks, self.row) {
            (false, _) => "step",
            (true, false) => "check",
            (true, true) => "item of a checklist",
        }
    }

    /// What is said where no body is.
    fn bodiless(self) -> &'static str {
        match (self.looks, self.row) {
            (false, _) => {
                "A step needs a body: a module such as `http` or `command`, or a key such as `block`, `manual` or `note`."
            }
            (true, false) => "A check needs a body that only looks, such as `http`, `port` or `command` with `effect: read`.",
            (true, true) => "An item of a checklist needs a body that only looks, such as `http` or `port`, or `manual`.",
        }
    }

    /// Whether a common key means something here.
    fn has(self, key: &str) -> bool {
        match key {
            "needs" | "every" => self.parallel,
            "severity" | "graded" => self.row,
            _ => true,
        }
    }
}

/// Whether a key cannot be written with nothing as its value, although it may be left out.
pub(super) fn is_needed(table: &Table, key: &str) -> bool {
    match key {
        "steps" | "triage" | "checks" => table.name == PLAYBOOK.name,
        "for_each" => table.name == STEP.name,
        // The table of bodies has the name of a step too, for what is said to people.
        _ => table.name == BODIES.name && BODIES.get(key).is_some(),
    }
}

impl Maker<'_> {
    /// A list of steps.
    pub(super) fn steps(&mut self, place: Place) -> Json {
        json!({ "type": "array", "minItems": 1, "items": self.step(place) })
    }

    /// One step.
    pub(super) fn step(&mut self, place: Place) -> Json {
        self.defined(place.name(), |maker| maker.make_step(place))
    }

    fn make_step(&mut self, place: Place) -> Json {
        let mut properties = Map::new();
        for table in [&STEP, &BODIES, &BLOCK] {
            for key in table.keys.iter().filter(|k| place.has(k.name)) {
                let property = self.property(table, key, place);
                properties.insert(key.name.to_owned(), property);
            }
        }
        let mut bodies: Vec<String> = BODIES.names().map(str::to_owned).collect();
        let entries: Vec<_> = self.registry.iter().cloned().collect();
        for entry in entries.iter().filter(|e| !place.looks || e.kind == Kind::Probe || e.declared_effect) {
            let module = self.defined(&format!("module-{}", entry.name), |_| module::call(entry));
            properties.insert(entry.name.to_string(), module);
            bodies.push(entry.name.to_string());
        }
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let one = rules::needed(&bodies, place.bodiless());
        let mut schema = Map::new();
        schema.insert("title".to_owned(), json!(place.title()));
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("defaultSnippets".to_owned(), snippets::steps(place.looks));
        schema.insert("properties".to_owned(), Json::Object(properties));
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema.insert("oneOf".to_owned(), one);
        schema.insert("dependencies".to_owned(), self.beside());
        Json::Object(schema)
    }

    /// What a key needs beside it, and what it means nothing beside.
    fn beside(&mut self) -> Json {
        let probes: Vec<String> = self.registry.iter().filter(|e| e.kind == Kind::Probe).map(|e| e.name.to_string()).collect();
        let none_of = |bodies: Vec<String>| {
            let each: Vec<Json> = bodies.iter().map(|b| json!({ "required": [b] })).collect();
            json!({ "not": { "anyOf": each } })
        };
        let with = |more: &[&str]| probes.iter().cloned().chain(more.iter().map(|b| (*b).to_owned())).collect::<Vec<_>>();
        let passive = ["note", "set", "ask", "wait", "fail", "stop"];
        let changing = with(&[&passive[..], &["manual"]].concat());
        let undone = with(&passive);
        let silent = passive.iter().filter(|b| **b != "ask").map(|b| (*b).to_owned()).collect();
        let changing = self.defined("beside-a-change", |_| none_of(changing));
        let undone = self.defined("beside-what-can-be-undone", |_| none_of(undone));
        let judged = self.defined("beside-a-result", |_| none_of(silent));
        let each =
            json!({ "anyOf": [{ "required": ["for_each"] }, { "properties": { "confirm": { "not": { "enum": ["each"] } } } }] });
        json!({
            "rescue": ["block"],
            "always": ["block"],
            "with": ["play"],
            "as": ["for_each"],
            "order": ["for_each"],
            "max_parallel": ["for_each"],
            "undo": undone,
            "idempotent": changing,
            "touches": changing,
            "confirm": { "allOf": [reference("beside-a-change"), each] },
            "retry": judged,
            "expect": judged,
            "grade": judged,
        })
    }
}
