//! A playbook as data.

use runbook_core::model::Contents;
use serde_json::{Value as Json, json};

use super::{Shown, kind};
use crate::picture::{Kind, Picture};

/// A playbook as JSON: what it is, its parameters, the outline of its steps, what it changes and finds; with a line break at the end.
pub fn json(shown: &Shown<'_>) -> String {
    let unit = shown.plan.root_unit();
    let playbook = &unit.playbook;
    let steps = |steps: &[runbook_core::model::Step]| -> Vec<Json> {
        let one = |s: &runbook_core::model::Step| {
            json!({
                "id": s.id.as_ref().map(|i| &i.value),
                "name": s.name.as_ref().map(|n| &*n.text),
                "body": s.body.word(),
                "effect": shown.effects().of(s).word(),
                "when": s.when.as_ref().map(|w| &*w.text),
                "loop": s.each.is_some(),
                "confirm": s.confirm.is_some(),
            })
        };
        steps.iter().map(one).collect()
    };
    let contents = match &playbook.contents {
        Contents::Steps(list) | Contents::Checks(list) => steps(list),
        Contents::Triage(_) => Vec::new(),
    };
    let params: Vec<Json> = playbook
        .params
        .iter()
        .map(|p| {
            json!({
                "name": p.name.value,
                "type": p.ty.word(),
                "required": p.required,
                "default": p.default.as_ref().map(|d| d.skeleton().to_json()),
                "choices": p.choices.as_ref().map(|c| c.skeleton().to_json()),
                "help": p.help,
            })
        })
        .collect();
    let links: Vec<Json> = playbook.links.iter().map(|l| json!({ "title": l.title, "url": l.url })).collect();
    let touched = shown.touched();
    let mut value = json!({
        "name": playbook.full_name,
        "file": shown.plan.sources.get(playbook.file).map(|s| &s.name),
        "system": unit.system.name,
        "kind": kind(playbook),
        "title": playbook.title.value,
        "description": playbook.description,
        "source": playbook.source,
        "links": links,
        "tags": playbook.tags,
        "run": shown.command(),
        "params": params,
        "requires": steps(&playbook.requires),
        "steps": contents,
        "verify": steps(&playbook.verify),
        "effect": shown.effects().of_playbook(playbook).word(),
        "changes": touched.changes,
        "destroys": touched.destroys,
    });
    if let Contents::Triage(_) = &playbook.contents {
        let picture = Picture::of(shown.plan, shown.registry, &shown.known);
        let of = |wanted: fn(Kind) -> bool| -> Vec<Json> {
            let nodes = picture.nodes.iter().filter(|n| wanted(n.kind));
            nodes.map(|n| json!({ "id": n.id, "label": n.label, "word": n.word, "what": n.what, "notes": n.notes })).collect()
        };
        value["questions"] = of(|k| k == Kind::Question).into();
        value["findings"] = of(|k| matches!(k, Kind::Finding(_))).into();
    }
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}
