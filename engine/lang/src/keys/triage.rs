//! The keys of triage trees.

use super::form::{ID, PLAYBOOK_NAME};
use super::{Key, LINK, Shape, Table, key, required};

/// A question.
pub static QUESTION: Table = Table { name: "a question", keys: QUESTION_KEYS };

static QUESTION_KEYS: &[Key] = &[
    required("ask", Shape::Template, "The question, as a person would ask it."),
    key(
        "id",
        Shape::Form(&ID),
        "The name: for `goto`, for `--answer`, and for `steps.<id>`, which is the check's result; unique in the playbook.",
    ),
    key("when", Shape::Expr, "Asked only if true; otherwise the walk goes on to what comes after it."),
    key("why", Shape::Template, "Why it is asked, and what the answers mean."),
    key("links", Shape::ListOf(&Shape::Table(&LINK)), "Links for people."),
    key(
        "check",
        Shape::Check,
        "What answers it without asking: held is yes, did not hold is no, and what could not be looked at is asked; of several, all must hold.",
    ),
    key("answer", Shape::Expr, "Beside `choices`: the value that is one of them, such as a field of the check's result."),
    key(
        "auto",
        Shape::Word(&["always", "suggest", "never"]),
        "Whether the check's answer is taken: `always` (if left out), `suggest` (a person is asked, Enter takes it) or `never` (a person is asked).",
    ),
    key(
        "yes",
        Shape::Branch,
        "Where yes leads: a node, a list of nodes, `continue` or `{goto: ID}`; left out, on to what comes after the question.",
    ),
    key("no", Shape::Branch, "Where no leads."),
    key("unknown", Shape::Branch, "Where it leads if nobody can tell."),
    key(
        "choices",
        Shape::OneOf(&[Shape::ListOf(&Shape::Any), Shape::Computed]),
        "In place of yes and no: the answers to choose from, a list.",
    ),
    key("cases", Shape::MapOf(&Shape::OneOf(&[Shape::Branch, Shape::Nothing])), "Beside `choices`: where each of them leads."),
    key("default", Shape::Branch, "Beside `cases`: where every other choice leads."),
];

/// A leaf.
pub static LEAF: Table = Table { name: "a leaf", keys: LEAF_KEYS };

static LEAF_KEYS: &[Key] = &[
    required(
        "finding",
        Shape::Form(&ID),
        "The stable id of what was found, such as `not-started`; in scope in `findings` from then on.",
    ),
    key("id", Shape::Form(&ID), "The name for `goto`; unique in the playbook."),
    key("when", Shape::Expr, "Found only if true; otherwise the walk goes on to what comes after it."),
    key("why", Shape::Template, "How the finding is known."),
    key("links", Shape::ListOf(&Shape::Table(&LINK)), "Links for people."),
    key(
        "severity",
        Shape::Word(&["info", "warning", "critical"]),
        "How bad it is; if left out, `warning` with a `remedy` and `info` without.",
    ),
    key("say", Shape::Template, "What is said about it."),
    key("see", Shape::Check, "Evidence: checks whose results are shown; none of them can fail the run."),
    key("remedy", Shape::Table(&REMEDY), "What to do about it; it is proposed and never runs by itself."),
];

/// `remedy`.
pub static REMEDY: Table = Table { name: "`remedy`", keys: REMEDY_KEYS };

static REMEDY_KEYS: &[Key] = &[
    key("play", Shape::Form(&PLAYBOOK_NAME), "The playbook that puts it right; `with` gives its parameters."),
    key("with", Shape::Templates, "Beside `play`: the playbook's parameters."),
    key("steps", Shape::Steps, "In place of `play`: the steps that put it right."),
    key("verify", Shape::Checks, "Checks that say whether it helped."),
    key("cooldown", Shape::Duration, "How long to leave it alone after it was tried."),
    key("limit", Shape::Int, "How often it may be tried.").range(1, 10_000),
];

/// `goto`.
pub static GOTO: Table = Table { name: "`goto`", keys: GOTO_KEYS };

static GOTO_KEYS: &[Key] = &[required("goto", Shape::Text, "The id of the node to go to; the walk does not come back.")];
