//! Steps in words: what lists, pictures and pages call them and say about them.

use runbook_core::model::{Arg, ArgKind, Body, Each, GradeLimits, Order, Over, Retry, RetryOn, Step, WaitBody};
use runbook_core::module::Registry;
use runbook_core::span::Spanned;
use runbook_core::value::Value;

use crate::human;
use crate::known::{Known, show, words};

/// What a step is called: its name, else its id, else what it does.
pub(crate) fn label(step: &Step, known: &Known<'_>) -> String {
    let first = |text: &str| text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default().to_owned();
    match (&step.name, &step.id, &step.body) {
        (Some(name), _, _) => known.text(name),
        (None, _, Body::Note(t) | Body::Manual(t) | Body::Fail(t) | Body::Stop(t)) => first(&known.text(t)),
        (None, _, Body::Ask(ask)) => known.text(&ask.question),
        (None, Some(id), _) => id.value.clone(),
        (None, None, Body::Play { name, .. }) => format!("play {}", name.value),
        (None, None, Body::Wait(wait)) => waited(wait, known),
        (None, None, Body::Set(entries)) => set(entries, known),
        (None, None, body) => body.word().to_owned(),
    }
}

/// What a step runs, in short: the module with its main argument, what is waited for, what is set.
pub(crate) fn what(step: &Step, known: &Known<'_>, registry: &Registry) -> String {
    match &step.body {
        Body::Module(call) => {
            let main = registry.get(&call.name.value).and_then(|e| e.main.clone());
            let argument = main.as_deref().and_then(|m| call.args.get(m)).or_else(|| first(&call.args));
            let argument = argument.map(|a| shown(known, a)).unwrap_or_default();
            format!("{} {}", call.name.value, one_line(&argument)).trim_end().to_owned()
        }
        Body::Play { name, with } => {
            let with: Vec<String> = with.iter().map(|(k, v)| format!("{}: {}", k.value, known.line(v))).collect();
            let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
            format!("play {}{with}", name.value)
        }
        Body::Set(entries) => set(entries, known),
        Body::Wait(wait) => waited(wait, known),
        Body::Block(_) | Body::Parallel(_) | Body::Ask(_) | Body::Manual(_) | Body::Note(_) | Body::Fail(_) | Body::Stop(_) => {
            String::new()
        }
    }
}

fn set(entries: &[(Spanned<String>, Arg)], known: &Known<'_>) -> String {
    let all: Vec<String> = entries.iter().map(|(k, v)| format!("{} = {}", k.value, known.line(v))).collect();
    format!("set {}", all.join(", "))
}

fn waited(wait: &WaitBody, known: &Known<'_>) -> String {
    match wait {
        WaitBody::For(arg) => format!("wait {}", known.line(arg)),
        WaitBody::Until(arg) => format!("wait until {}", known.line(arg)),
    }
}

/// The first argument, where none is the main one.
fn first(args: &Arg) -> Option<&Arg> {
    match &args.kind {
        ArgKind::Map(entries) => entries.first().map(|(_, a)| a),
        _ => None,
    }
}

/// An argument as it is typed: an argument vector with spaces between its words.
fn shown(known: &Known<'_>, arg: &Arg) -> String {
    match known.shown(arg) {
        Value::List(items) => items.iter().map(words).collect::<Vec<_>>().join(" "),
        other => words(&other),
    }
}

/// A text of several lines as its first that says something, with a sign that there are more.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("set -") && !l.starts_with('#'));
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} ...") } else { first.to_owned() }
}

/// The most items of a loop that are named.
const NAMED: usize = 8;

/// What a loop repeats over.
pub(crate) fn each(each: &Each, known: &Known<'_>) -> String {
    let over = match &each.over {
        Over::Expr(expr) => expr.text.split_whitespace().collect::<Vec<_>>().join(" "),
        Over::Literal(arg) => match known.shown(arg) {
            Value::List(items) if items.len() > NAMED => format!("{} items", items.len()),
            Value::Map(map) if map.len() > NAMED => format!("{} items", map.len()),
            Value::Map(map) => map.keys().cloned().collect::<Vec<_>>().join(", "),
            other => words(&other),
        },
    };
    let order = match each.order {
        Order::Listed => "",
        Order::Reverse => ", backwards",
        Order::Dependencies => ", each after those it needs",
        Order::ReverseDependencies => ", each after those that need it",
    };
    format!("for each of {over}{order}")
}

/// How a step is repeated until it succeeds.
pub(crate) fn retry(retry: &Retry, known: &Known<'_>) -> String {
    let mut parts = Vec::new();
    if let Some(attempts) = &retry.attempts {
        parts.push(format!("up to {} times", known.line(attempts)));
    }
    if let Some(within) = &retry.within {
        parts.push(format!("for up to {}", known.line(within)));
    }
    if let Some(every) = &retry.every {
        parts.push(format!("every {}", known.line(every)));
    }
    if let Some(successes) = &retry.successes {
        parts.push(format!("until it succeeded {} times in a row", known.line(successes)));
    }
    if !retry.on.is_empty() {
        let word = |on: &RetryOn| match on {
            RetryOn::Failed => "it failed",
            RetryOn::Timeout => "it timed out",
            RetryOn::Unknown => "it could not be told",
        };
        let kinds: Vec<String> = retry.on.iter().map(|o| word(o).to_owned()).collect();
        parts.push(format!("when {}", kinds.join(" or ")));
    }
    format!("tried again {}", parts.join(", "))
}

/// Steps by their names, or by what they run, for a line about them.
pub(crate) fn names(steps: &[Step], known: &Known<'_>, registry: &Registry) -> String {
    let one = |step: &Step| match (&step.name, &step.body) {
        (None, Body::Module(_)) => what(step, known, registry),
        _ => label(step, known),
    };
    human::and_list(&steps.iter().map(one).collect::<Vec<_>>())
}

/// The limits that a value is graded by: `target 70%, warning 80%`.
pub(crate) fn limits(limits: &GradeLimits, known: &Known<'_>) -> String {
    let (values, unit): (Vec<(&str, String)>, String) = match limits {
        GradeLimits::By(expr) => match known.eval_loosely(expr) {
            Some(Value::Map(map)) => {
                let values = LIMITS.iter().filter_map(|l| Some((*l, words(&show(map.get(*l)?))))).collect();
                (values, map.get("unit").map(words).unwrap_or_default())
            }
            _ => return expr.text.to_string(),
        },
        GradeLimits::Inline { target, warning, critical, unit } => {
            let args = [target, warning, critical];
            let values = LIMITS.iter().zip(args).filter_map(|(l, a)| Some((*l, known.line(a.as_ref()?)))).collect();
            (values, unit.clone().unwrap_or_default())
        }
    };
    let unit = if unit.is_empty() || unit == "%" { unit } else { format!(" {unit}") };
    let all: Vec<String> = values.into_iter().filter(|(_, v)| !v.is_empty()).map(|(l, v)| format!("{l} {v}{unit}")).collect();
    all.join(", ")
}

/// The limits of a grade, the best first.
const LIMITS: [&str; 3] = ["target", "warning", "critical"];
