//! What is written as a key's value, as a schema.

use serde_json::{Map, Value as Json, json};

use super::step::Place;
use super::{Maker, Style};
use crate::keys::{Form, Key, Shape};

/// A template somewhere in a text.
pub(super) const TEMPLATE: &str = r"\{[{%#]";

/// Text that says something.
const TEXT: &str = r"\S";

/// An expression, not in braces.
const EXPRESSION: &str = r"^\s*([^{\s]|\{([^{]|$))";

/// A duration: units from longer to shorter, each once.
pub(super) fn duration() -> String {
    let units = ["w", "d", "h", "m", "s", "ms", "us", "ns"];
    let parts: String = units.iter().map(|u| format!(r"(\d+(\.\d{{1,9}})?{u})?")).collect();
    // A first digit, so that there is at least one of them; only the digits before a unit can be taken twice.
    format!(r"^{parts}$")
}

/// A size.
pub(super) const SIZE: &str = r"^\d+(\.\d{1,9})?([KMGT]i?)?B$";

/// A URL with a scheme that is spoken and a host.
pub(super) const URL: &str = r"^((https?|wss?)://[^/\s]\S*|unix:\S*)$";

/// A scalar schema that a template may stand for as well.
pub(super) fn or_template(schema: Json) -> Json {
    let Json::Object(mut map) = schema else { return schema };
    let types = types(&map);
    let scalar = !types.is_empty() && types.iter().all(|t| !matches!(t.as_str(), "object" | "array"));
    let free = ["enum", "const", "anyOf", "oneOf", "allOf"].iter().all(|k| !map.contains_key(*k));
    let text = types.iter().any(|t| t == "string");
    if !scalar || !free {
        return any_of([Json::Object(map), json!({ "type": "string", "pattern": TEMPLATE })]);
    }
    match (text, map.get("pattern").and_then(Json::as_str).map(str::to_owned)) {
        (true, Some(pattern)) => {
            map.insert("pattern".to_owned(), json!(format!("{pattern}|{TEMPLATE}")));
        }
        // Any text may hold a template already.
        (true, None) => {}
        (false, _) => {
            set_types(&mut map, types.into_iter().chain(["string".to_owned()]).collect());
            map.insert("pattern".to_owned(), json!(TEMPLATE));
        }
    }
    Json::Object(map)
}

/// A schema that nothing (`key:`) fits as well.
pub(super) fn or_null(schema: Json) -> Json {
    let Json::Object(mut map) = schema else { return schema };
    if map.is_empty() {
        return Json::Object(map);
    }
    if let Some(Json::Array(forms)) = map.get_mut("anyOf") {
        if !forms.iter().any(|f| f["type"] == "null") {
            forms.push(json!({ "type": "null" }));
        }
        return retyped(Json::Object(map));
    }
    let types = types(&map);
    if map.contains_key("$ref") || types.is_empty() && !map.contains_key("enum") {
        return any_of([Json::Object(map), json!({ "type": "null" })]);
    }
    if !types.is_empty() && !types.iter().any(|t| t == "null") {
        set_types(&mut map, types.into_iter().chain(["null".to_owned()]).collect());
    }
    if let Some(Json::Array(words)) = map.get_mut("enum") {
        words.push(Json::Null);
    }
    Json::Object(map)
}

/// A schema with what it means. It never stands beside `$ref`, where draft-07 would not see it.
pub(super) fn described(schema: Json, text: &str) -> Json {
    let Json::Object(mut inner) = schema else { return schema };
    if inner.contains_key("$ref") {
        let types = types(&inner);
        inner = Map::from_iter([("allOf".to_owned(), json!([inner]))]);
        set_types(&mut inner, types);
    }
    let mut map = Map::new();
    describe(&mut map, text);
    map.extend(inner.into_iter().filter(|(k, _)| !matches!(k.as_str(), "description" | "markdownDescription")));
    Json::Object(map)
}

/// Adds a description; where Markdown says it better, that too.
pub(super) fn describe(map: &mut Map<String, Json>, text: &str) {
    map.insert("description".to_owned(), json!(text));
    if text.contains(['`', '\n']) {
        map.insert("markdownDescription".to_owned(), json!(text));
    }
}

/// One of several schemas, with the types of all of them: what an editor goes by when it writes a key.
pub(super) fn any_of(forms: impl IntoIterator<Item = Json>) -> Json {
    let mut flat: Vec<Json> = Vec::new();
    for form in forms {
        let inner = match &form {
            Json::Object(map) if map.keys().all(|k| k == "anyOf" || k == "type") && map.contains_key("anyOf") => {
                form["anyOf"].as_array().cloned()
            }
            _ => None,
        };
        flat.extend(inner.unwrap_or_else(|| vec![form]));
    }
    retyped(json!({ "anyOf": flat }))
}

/// Sets `type` of a choice to the types of its forms, if all of them say theirs.
fn retyped(mut schema: Json) -> Json {
    let Json::Object(map) = &mut schema else { return schema };
    let mut all: Vec<String> = Vec::new();
    let mut known = true;
    for form in map.get("anyOf").and_then(Json::as_array).into_iter().flatten() {
        let Json::Object(form) = form else { continue };
        let types = types(form);
        known &= !types.is_empty();
        for one in types {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    map.remove("type");
    if known && !all.is_empty() {
        set_types(map, all);
    }
    if let Some(Json::Array(forms)) = map.get_mut("anyOf") {
        tell_apart(forms);
    }
    schema
}

/// Gives forms of a choice that say nothing of themselves a mark that means nothing: an empty `properties` each.
///
/// Language servers tell the forms of a choice apart by title, description and properties. If they cannot, they take all of them for
/// met, and some versions then show what the forms say of themselves, which is nothing, in place of what the key means.
fn tell_apart(forms: &mut [Json]) {
    let unmarked = forms.iter_mut().filter_map(Json::as_object_mut).filter(|form| {
        !form.is_empty() && !["$ref", "title", "description", "properties"].iter().any(|key| form.contains_key(*key))
    });
    for form in unmarked.skip(1) {
        form.insert("properties".to_owned(), json!({}));
    }
}

fn types(map: &Map<String, Json>) -> Vec<String> {
    match map.get("type") {
        Some(Json::String(one)) => vec![one.clone()],
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        // A branch has several forms; every other definition is a map.
        _ if map.get("$ref").and_then(Json::as_str) == Some("#/definitions/branch") => {
            ["object", "array", "string"].map(str::to_owned).to_vec()
        }
        _ if map.contains_key("$ref") => vec!["object".to_owned()],
        _ if map.get("enum").and_then(Json::as_array).is_some_and(|e| e.iter().all(Json::is_string)) => vec!["string".to_owned()],
        _ => Vec::new(),
    }
}

fn set_types(map: &mut Map<String, Json>, types: Vec<String>) {
    let types = match types.as_slice() {
        [one] => json!(one),
        _ => json!(types),
    };
    map.insert("type".to_owned(), types);
}

impl Maker<'_> {
    /// A value of this shape, written for this key.
    pub(super) fn shape(&mut self, shape: &Shape, key: &Key, place: Place) -> Json {
        let lazy = self.style == Style::Lazy;
        let templates = !key.fixed && self.style != Style::Plain;
        let fill = |schema: Json| if templates { or_template(schema) } else { schema };
        let ranged = |ty: &str| {
            let mut schema = json!({ "type": ty });
            if let Some((least, greatest)) = key.range {
                schema["minimum"] = json!(least);
                schema["maximum"] = json!(greatest);
            }
            schema
        };
        match shape {
            Shape::Text | Shape::Template => json!({ "type": "string", "pattern": TEXT }),
            Shape::Expr => expression(),
            Shape::Exprs => any_of([expression(), json!({ "type": "array", "minItems": 1, "items": expression() })]),
            Shape::Bool => fill(json!({ "type": "boolean" })),
            Shape::Int => fill(ranged("integer")),
            Shape::Number => fill(ranged("number")),
            Shape::Duration => {
                said(fill(json!({ "type": "string", "minLength": 2, "pattern": duration() })), shape.wanted(), templates)
            }
            Shape::Word(words) => {
                let words = json!({ "enum": words });
                if lazy { or_template(words) } else { words }
            }
            Shape::Texts => {
                let list = json!({ "type": "array", "items": { "type": "string", "pattern": TEXT } });
                if lazy { or_template(list) } else { list }
            }
            Shape::Form(form) => formed(form, templates),
            Shape::Computed => json!({ "type": "string", "pattern": TEMPLATE }),
            Shape::Steps | Shape::Checks => self.steps(place),
            Shape::Check => any_of([self.step(place), self.steps(place)]),
            Shape::Templates => {
                let map = json!({ "type": "object" });
                if lazy { or_template(map) } else { map }
            }
            Shape::Any => json!({}),
            Shape::Nothing => json!({ "type": "null" }),
            Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
            Shape::Module => {
                let names: Vec<&str> = self.registry.names().collect();
                json!({ "enum": names })
            }
            Shape::Table(table) => self.table(table),
            Shape::ListOf(inner) => {
                let list = json!({ "type": "array", "items": self.shape(inner, key, place) });
                if lazy { or_template(list) } else { list }
            }
            Shape::MapOf(inner) => json!({ "type": "object", "additionalProperties": self.shape(inner, key, place) }),
            Shape::Named(form, inner) => {
                let names = formed(form, false);
                json!({ "type": "object", "propertyNames": names, "additionalProperties": self.shape(inner, key, place) })
            }
            Shape::OneOf(forms) => {
                let made: Vec<Json> = forms
                    .iter()
                    .map(|f| if matches!(f, Shape::Any) { anything_else(forms) } else { self.shape(f, key, place) })
                    .collect();
                any_of(made)
            }
            Shape::Tree => self.tree(),
            Shape::Branch => self.branch(),
        }
    }

    /// What stands under `triage`.
    fn tree(&mut self) -> Json {
        let node = self.node();
        any_of([node.clone(), json!({ "type": "array", "minItems": 1, "items": node })])
    }

    /// A node of a triage tree.
    fn node(&mut self) -> Json {
        self.defined("node", |maker| {
            let forms = [maker.table(&crate::keys::QUESTION), maker.table(&crate::keys::LEAF)];
            json!({ "type": "object", "anyOf": forms, "defaultSnippets": super::snippets::nodes() })
        })
    }

    /// Where an answer of a triage tree leads.
    fn branch(&mut self) -> Json {
        self.defined("branch", |maker| {
            let node = maker.node();
            let goto = maker.table(&crate::keys::GOTO);
            let several = json!({ "type": "array", "minItems": 1, "items": node });
            let on = json!({ "enum": ["continue"], "markdownEnumDescriptions": ["On to what comes after the question."] });
            any_of([on, goto, node, several])
        })
    }
}

/// Anything beside these forms. A map with one of a table's keys is that table's, if the table has one that must be there.
fn anything_else(forms: &[Shape]) -> Json {
    let tables = forms.iter().filter_map(|f| match f {
        Shape::Table(table) => Some(table),
        _ => None,
    });
    let tables = tables.filter(|t| t.keys.iter().any(|k| k.required));
    let keys: Vec<Json> = tables.flat_map(|t| t.names()).map(|k| json!({ "required": [k] })).collect();
    if keys.is_empty() {
        return json!({ "type": ["string", "number", "boolean", "array", "object", "null"] });
    }
    json!({ "type": ["string", "number", "boolean", "array", "object", "null"], "not": { "type": "object", "anyOf": keys } })
}

fn expression() -> Json {
    json!({
        "type": ["string", "number", "boolean"],
        "pattern": EXPRESSION,
        "patternErrorMessage": "An expression such as `status == 200`, without braces around it.",
    })
}

fn formed(form: &Form, templates: bool) -> Json {
    let mut schema = json!({ "type": "string", "pattern": format!("^({})$", form.pattern) });
    if form.rendered && templates {
        schema = or_template(schema);
    }
    if !form.examples.is_empty() {
        schema["examples"] = json!(form.examples);
    }
    let except: Vec<&str> = form.except.iter().copied().flatten().copied().collect();
    if !except.is_empty() {
        schema["not"] = json!({ "enum": except });
    }
    said(schema, form.wanted, form.rendered && templates)
}

/// A schema with what is said when its pattern does not match.
fn said(mut schema: Json, wanted: &str, templates: bool) -> Json {
    let mut chars = wanted.chars();
    let wanted: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    schema["patternErrorMessage"] =
        json!(if templates { format!("{wanted}, or a template that gives one.") } else { format!("{wanted}.") });
    schema
}
