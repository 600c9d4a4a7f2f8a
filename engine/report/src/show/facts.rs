//! The facts of a playbook's head, and its parameters in words.

use runbook_core::model::{Arg, EnvName, Lock, Param, Permission, Schedule, Unit};
use runbook_core::span::SourceMap;
use runbook_core::value::format_duration;

use crate::human;
use crate::known::Known;

/// What is told of a playbook before its parameters: where it is and comes from, when it runs, what it may do.
pub(crate) fn facts(unit: &Unit, sources: &SourceMap) -> Vec<(&'static str, String)> {
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
    let env = |e: &EnvName| {
        if e.plain { e.name.value.clone() } else { format!("{} (secret)", e.name.value) }
    };
    add("environment", playbook.env.iter().map(env).collect::<Vec<_>>().join(", "));
    for link in &playbook.links {
        add("link", format!("{} {}", link.title, link.url));
    }
    out
}

/// A parameter in words: its type, and what values it may have.
pub(crate) fn param_words(param: &Param, known: &Known<'_>) -> String {
    let arg_text = |arg: &Arg| match known.line(arg) {
        text if text.is_empty() => "\"\"".to_owned(),
        text => text,
    };
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
