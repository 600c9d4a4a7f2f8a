//! Whether an answer fits its question, as far as that is known before it is asked.

use runbook_core::inputs;
use runbook_core::model::{Answers, Arg, ParamType};
use runbook_core::suggest::nearest;
use runbook_core::value::{Value, equal};

use super::question::{Question, What};

/// What is wrong with an answer, as the rest of a sentence that begins with the question's id.
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

fn wrong(message: impl Into<String>) -> Option<Wrong> {
    Some(Wrong { message: message.into(), help: None })
}

/// What is wrong with an answer; none if it may fit.
pub(super) fn answer(question: &Question<'_>, value: &Value) -> Option<Wrong> {
    match &question.what {
        What::Ask(ask) => typed(ask.ty, value, ask.choices.as_ref()),
        What::Param(param) => typed(param.ty, value, param.choices.as_ref()),
        What::Manual(_) => words(value, &["done", "skip", "failed", "later"]),
        What::Confirm(_) => match value {
            Value::Bool(_) => None,
            _ => words(value, &["yes", "no"]).filter(|_| !matches!(value.as_str(), Some("y" | "n" | "true" | "false"))),
        },
        What::Word(..) => {
            let id = question.answered_by().unwrap_or_default();
            Some(Wrong {
                message: "is confirmed by a word, which stands under `confirm`".to_owned(),
                help: Some(format!("write `confirm: {{ {id}: WORD }}`; `runbook answers` shows the word")),
            })
        }
        What::Maybe => None,
        What::Override(_) => match value.as_str().map(str::trim) {
            Some(reason) if !reason.is_empty() => None,
            _ => wrong(format!("takes a reason, found {}", shown(value))),
        },
        What::Node(node) => match &node.answers {
            Answers::YesNo { .. } => match value {
                Value::Bool(_) => None,
                _ => words(value, &["yes", "no", "unknown"]),
            },
            Answers::Choices { choices, .. } => among(value, Some(choices)),
        },
    }
}

/// What is wrong with an answer of a test. There the word that confirms stands among the answers, a wrong one may be what the test is
/// about, and an override may be declined.
pub(crate) fn in_test(question: &Question<'_>, value: &Value) -> Option<Wrong> {
    match &question.what {
        What::Word(..) | What::Override(_) => match value {
            Value::List(_) | Value::Map(_) => wrong(format!("takes a word, found {}", shown(value))),
            _ => None,
        },
        _ => answer(question, value),
    }
}

/// What is wrong with a word that confirms; none if it may be the one.
pub(super) fn word(question: &Question<'_>, word: &str) -> Option<Wrong> {
    let expected = match &question.what {
        What::Word(_, Some(template)) => template.as_literal().map(str::to_owned),
        What::Word(_, None) => question.answered_by(),
        What::Maybe | What::Confirm(_) => None,
        _ => return wrong("is no confirmation: its answer stands under `answers`"),
    };
    let expected = expected.filter(|e| e != word)?;
    // A step without an id is confirmed by its path, which in a played playbook begins with what plays it.
    if question.id.is_none() && word.ends_with(&format!(":{expected}")) {
        return None;
    }
    wrong(format!("is confirmed by the word `{expected}`, found `{word}`"))
}

/// A typed answer.
fn typed(ty: ParamType, value: &Value, choices: Option<&Arg>) -> Option<Wrong> {
    let read = match value {
        Value::Str(text) => inputs::from_text(ty, text),
        _ => inputs::typed(ty, value.clone()),
    };
    match read {
        Ok(value) => among(&value, choices),
        Err(error) => {
            let number = ty == ParamType::String && matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_));
            let help = number.then(|| format!("put it in quotes: \"{value}\""));
            Some(Wrong { message: format!("takes another kind of answer: {}", error.message), help: error.help.or(help) })
        }
    }
}

/// A value among choices that are written out.
fn among(value: &Value, choices: Option<&Arg>) -> Option<Wrong> {
    let choices = choices.filter(|c| c.is_literal())?.skeleton();
    let all = choices.as_list()?;
    if all.iter().any(|c| equal(c, value) == Ok(true)) {
        return None;
    }
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    Some(not_among(value, &names))
}

fn words(value: &Value, all: &[&str]) -> Option<Wrong> {
    if value.as_str().is_some_and(|v| all.contains(&v)) {
        return None;
    }
    let names: Vec<String> = all.iter().map(|w| (*w).to_owned()).collect();
    Some(not_among(value, &names))
}

fn not_among(value: &Value, names: &[String]) -> Wrong {
    let near = value.as_str().and_then(|v| nearest(v, names.iter().map(String::as_str)));
    Wrong {
        message: format!("takes one of {}, found {}", names.join(", "), shown(value)),
        help: near.map(|n| format!("did you mean `{n}`?")),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) if text.chars().count() <= 60 => format!("{:?}", &**text),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => format!("`{value}`"),
        other => other.kind().to_owned(),
    }
}
