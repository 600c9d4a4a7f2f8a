//! What a playbook is, does and takes.

use runbook_core::model::{
    Arg, ArgKind, Body, Contents, Each, Lock, ModuleCall, Order, Over, Param, Permission, Schedule, Step, Unit,
};
use runbook_core::module::{Effect, Kind, Registry};
use runbook_core::span::SourceMap;
use runbook_core::value::{Value, format_duration};

use crate::human;
use crate::ink::{Ink, Line};
use crate::page::Page;
use crate::policy::TermPolicy;

/// A playbook on a terminal: title, where it comes from, parameters, preconditions and its steps with their effects.
pub fn show(unit: &Unit, sources: &SourceMap, registry: &Registry, policy: &TermPolicy) -> String {
    let playbook = &unit.playbook;
    let mut page = Page::new(policy);
    page.title(&playbook.full_name, kind(playbook));
    page.prose(2, Ink::Plain, &playbook.title);
    if let Some(description) = &playbook.description {
        page.blank();
        page.prose(2, Ink::Plain, description);
    }
    page.blank();
    for (label, text) in facts(unit, sources) {
        page.prose(2, Ink::Dim, &format!("{label}: {text}"));
    }
    if !playbook.params.is_empty() {
        page.heading("Parameters");
        playbook.params.iter().for_each(|p| page.term(2, &p.name, &param_words(p), p.help.as_deref().unwrap_or_default()));
    }
    let outline = Outline { registry, read_commands: &unit.system.read_commands };
    let sections: [(&str, &[Step]); 4] = [
        ("Preconditions", &playbook.requires),
        match &playbook.contents {
            Contents::Steps(steps) => ("Steps", steps),
            Contents::Checks(checks) => ("Checks", checks),
            Contents::Triage(_) => ("Questions", &[]),
        },
        ("Postconditions", &playbook.verify),
        ("In any case", &playbook.always),
    ];
    for (title, steps) in sections {
        if !steps.is_empty() {
            page.heading(title);
            outline.steps(&mut page, steps, "", 2);
        }
    }
    if !playbook.rescue.is_empty() {
        page.heading("When it fails");
        outline.steps(&mut page, &playbook.rescue, "", 2);
    }
    if let Contents::Triage(tree) = &playbook.contents
        && let Some(first) = tree.nodes().first().and_then(|n| n.question())
    {
        page.heading("First question");
        page.prose(2, Ink::Plain, &first.ask.text);
    }
    page.finish()
}

fn facts(unit: &Unit, sources: &SourceMap) -> Vec<(&'static str, String)> {
    let playbook = &unit.playbook;
    let mut out = Vec::new();
    let mut add = |label, text: String| {
        if !text.is_empty() {
            out.push((label, text));
        }
    };
    add("file", sources.get(playbook.file).map(|s| s.name.clone()).unwrap_or_default());
    add("source", playbook.source.clone().unwrap_or_default());
    add("system", unit.system.name.clone());
    add("profile", unit.system.profile.clone().unwrap_or_default());
    add("tags", playbook.tags.join(", "));
    add("severity", playbook.severity.clone().unwrap_or_default());
    add("usually takes", playbook.expected_duration.map(|d| human::duration(d.as_secs_f64() * 1_000.0)).unwrap_or_default());
    add(
        "schedule",
        match &playbook.schedule {
            Some(Schedule::Every(every)) => format!("every {}", format_duration(*every)),
            Some(Schedule::Cron { cron, timezone }) => {
                format!("cron {cron} ({})", timezone.as_deref().unwrap_or("UTC"))
            }
            None => String::new(),
        },
    );
    add(
        "lock",
        match &playbook.lock {
            Lock::System | Lock::None => String::new(),
            Lock::Named { name, wait } => match wait {
                Some(wait) => format!("{}, waited for up to {}", name.text, format_duration(*wait)),
                None => name.text.to_string(),
            },
        },
    );
    if playbook.undo_on_failure {
        add("on failure", "what was done is undone".to_owned());
    }
    let permission = |p: &Permission| match p {
        Permission::Exec => "exec".to_owned(),
        Permission::Write(path) => format!("write {}", path.text),
        Permission::Net(place) => format!("net {}", place.text),
        Permission::Signal => "signal".to_owned(),
    };
    if let Some(permissions) = &playbook.permissions {
        let list: Vec<String> = permissions.iter().map(permission).collect();
        add("may", if list.is_empty() { "only look".to_owned() } else { list.join(", ") });
    }
    let env = |e: &runbook_core::model::EnvName| {
        if e.plain { e.name.value.clone() } else { format!("{} (secret)", e.name.value) }
    };
    add("environment", playbook.env.iter().map(env).collect::<Vec<_>>().join(", "));
    for link in &playbook.links {
        add("link", format!("{} {}", link.title, link.url));
    }
    out
}

fn param_words(param: &Param) -> String {
    let mut words = vec![param.ty.word().to_owned()];
    if param.required {
        words.push("required".to_owned());
    }
    if let Some(default) = &param.default {
        words.push(format!("default {}", arg_text(default)));
    }
    if let Some(choices) = &param.choices {
        words.push(format!("one of {}", arg_text(choices)));
    }
    match (&param.min, &param.max) {
        (Some(min), Some(max)) => words.push(format!("{} to {}", arg_text(min), arg_text(max))),
        (Some(min), None) => words.push(format!("at least {}", arg_text(min))),
        (None, Some(max)) => words.push(format!("at most {}", arg_text(max))),
        (None, None) => {}
    }
    if let Some(pattern) = &param.pattern {
        words.push(format!("matching {}", pattern.value));
    }
    words.join(", ")
}

/// A value as written, in short.
fn arg_text(arg: &Arg) -> String {
    match &arg.kind {
        ArgKind::Value(Value::Str(s)) if s.is_empty() => "\"\"".to_owned(),
        ArgKind::Value(value) => value.to_string(),
        ArgKind::Template(t) | ArgKind::Shell(t) => t.text.to_string(),
        ArgKind::List(items) => items.iter().map(arg_text).collect::<Vec<_>>().join(", "),
        ArgKind::Map(entries) => {
            let inner: Vec<String> = entries.iter().map(|(k, v)| format!("{}: {}", k.value, arg_text(v))).collect();
            format!("{{{}}}", inner.join(", "))
        }
    }
}

struct Outline<'a> {
    registry: &'a Registry,
    read_commands: &'a [Vec<String>],
}

impl Outline<'_> {
    fn steps(&self, page: &mut Page, steps: &[Step], prefix: &str, indent: usize) {
        for (i, step) in steps.iter().enumerate() {
            let number = format!("{prefix}{}", i + 1);
            let mut line = Line::indent(indent).with(Ink::Dim, &number).with(Ink::Plain, " ");
            line.push(Ink::Plain, &label(step));
            let effect = self.effect(step);
            let ink = match effect {
                Effect::Read => Ink::Dim,
                Effect::Change => Ink::Warn,
                Effect::Destroy => Ink::Bad,
            };
            line.push(Ink::Dim, &format!("  {} ", step.body.word()));
            line.push(ink, effect.word());
            // Too wide: what is lost is at the end, and the effect must not be.
            if line.width() > page.width() {
                let mut short = Line::indent(indent).with(Ink::Dim, &number).with(Ink::Plain, " ").with(Ink::Plain, &label(step));
                let room = page.width().saturating_sub(effect.word().len() + 2);
                short = short.fit(room, page.glyphs.ellipsis).with(Ink::Plain, "  ").with(ink, effect.word());
                line = short;
            }
            page.push(line);
            let deeper = indent + number.len() + 1;
            if let Some(each) = &step.each {
                page.prose(deeper, Ink::Dim, &each_words(each));
            }
            if let Some(when) = &step.when {
                page.prose(deeper, Ink::Dim, &format!("when {}", when.text));
            }
            if !step.needs.is_empty() {
                let needs: Vec<String> = step.needs.iter().map(|n| n.value.clone()).collect();
                page.prose(deeper, Ink::Dim, &format!("after {}", human::and_list(&needs)));
            }
            if step.confirm.is_some() {
                page.prose(deeper, Ink::Dim, "asks before it runs");
            }
            let inner = format!("{number}.");
            match &step.body {
                Body::Block(block) => {
                    self.steps(page, &block.steps, &inner, indent + 2);
                    for (word, steps) in [("if it fails:", &block.rescue), ("in any case:", &block.always)] {
                        if !steps.is_empty() {
                            page.push(Line::indent(indent + 2).with(Ink::Dim, word));
                            self.steps(page, steps, "", indent + 4);
                        }
                    }
                }
                Body::Parallel(steps) => self.steps(page, steps, &inner, indent + 2),
                _ => {}
            }
        }
    }

    fn effect(&self, step: &Step) -> Effect {
        let declared = step.effect.as_ref().map(|e| e.value);
        let own = match &step.body {
            Body::Module(call) => return self.module_effect(call, declared),
            Body::Block(block) => self.worst(block.steps.iter().chain(&block.rescue).chain(&block.always)),
            Body::Parallel(steps) => self.worst(steps.iter()),
            // What another playbook does is told on its own page.
            Body::Play { .. } => Effect::Change,
            Body::Set(_) | Body::Ask(_) | Body::Manual(_) | Body::Note(_) | Body::Fail(_) | Body::Stop(_) | Body::Wait(_) => {
                Effect::Read
            }
        };
        own.max(declared.unwrap_or_default())
    }

    fn worst<'s>(&self, steps: impl Iterator<Item = &'s Step>) -> Effect {
        steps.map(|s| self.effect(s)).max().unwrap_or_default()
    }

    fn module_effect(&self, call: &ModuleCall, declared: Option<Effect>) -> Effect {
        let Some(entry) = self.registry.get(&call.name.value) else {
            return declared.unwrap_or(Effect::Change);
        };
        if entry.kind == Kind::Probe {
            return Effect::Read;
        }
        if entry.declared_effect {
            let looks = declared.is_none() && self.is_read_command(call);
            return if looks { Effect::Read } else { declared.unwrap_or(Effect::Change) };
        }
        // Arguments with templates may not decode before they are rendered.
        let own = entry.about(&call.args.skeleton().to_json()).map_or(Effect::Change, |a| a.effect);
        own.max(declared.unwrap_or_default())
    }

    fn is_read_command(&self, call: &ModuleCall) -> bool {
        let Some(argv) = call.args.get("argv") else {
            return false;
        };
        let ArgKind::List(items) = &argv.kind else {
            return false;
        };
        self.read_commands
            .iter()
            .any(|p| !p.is_empty() && items.len() >= p.len() && p.iter().zip(items).all(|(w, a)| a.as_literal_str() == Some(w)))
    }
}

fn label(step: &Step) -> String {
    match (&step.name, &step.id, &step.body) {
        (Some(name), _, _) => name.text.to_string(),
        (None, Some(id), _) => id.value.clone(),
        (None, None, Body::Play { name, .. }) => format!("play {}", name.value),
        (None, None, Body::Note(t) | Body::Manual(t) | Body::Fail(t) | Body::Stop(t)) => {
            t.text.lines().next().unwrap_or_default().to_owned()
        }
        (None, None, Body::Ask(ask)) => ask.question.text.to_string(),
        (None, None, body) => body.word().to_owned(),
    }
}

fn each_words(each: &Each) -> String {
    let over = match &each.over {
        Over::Expr(expr) => expr.text.to_string(),
        Over::Literal(arg) => arg_text(arg),
    };
    let order = match each.order {
        Order::Listed => "",
        Order::Reverse => ", backwards",
        Order::Dependencies => ", in the order of their needs",
        Order::ReverseDependencies => ", against the order of their needs",
    };
    format!("for each of {over}{order}")
}

/// A playbook as JSON: what it is, its parameters and the outline of its steps; with a line break at the end.
pub fn json(unit: &Unit) -> String {
    let playbook = &unit.playbook;
    let steps = |steps: &[runbook_core::model::Step]| -> Vec<serde_json::Value> {
        let one = |s: &runbook_core::model::Step| {
            serde_json::json!({
                "id": s.id.as_ref().map(|i| &i.value),
                "name": s.name.as_ref().map(|n| &*n.text),
                "body": s.body.word(),
                "when": s.when.as_ref().map(|w| &*w.text),
                "loop": s.each.is_some(),
                "confirm": s.confirm.is_some(),
            })
        };
        steps.iter().map(one).collect()
    };
    let contents = match &playbook.contents {
        runbook_core::model::Contents::Steps(list) | runbook_core::model::Contents::Checks(list) => steps(list),
        runbook_core::model::Contents::Triage(_) => Vec::new(),
    };
    let params: Vec<serde_json::Value> = playbook
        .params
        .iter()
        .map(|p| {
            serde_json::json!({
                "name": p.name.value,
                "type": p.ty.word(),
                "required": p.required,
                "default": p.default.as_ref().map(|d| d.skeleton().to_json()),
                "choices": p.choices.as_ref().map(|c| c.skeleton().to_json()),
                "help": p.help,
            })
        })
        .collect();
    let value = serde_json::json!({
        "name": playbook.full_name,
        "system": unit.system.name,
        "kind": kind(playbook),
        "title": playbook.title.value,
        "description": playbook.description,
        "source": playbook.source,
        "tags": playbook.tags,
        "params": params,
        "requires": steps(&playbook.requires),
        "steps": contents,
        "verify": steps(&playbook.verify),
    });
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// What kind of playbook it is, in a word.
pub(crate) fn kind(playbook: &runbook_core::model::Playbook) -> &'static str {
    match playbook.contents {
        runbook_core::model::Contents::Steps(_) => "procedure",
        runbook_core::model::Contents::Checks(_) => "checklist",
        runbook_core::model::Contents::Triage(_) => "triage",
    }
}
