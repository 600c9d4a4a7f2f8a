//! The keys of answers files.

use super::{Key, Shape, Table, key, required};

/// The top of an answers file.
pub static ANSWERS_FILE: Table = Table { name: "an answers file", keys: ANSWERS_FILE_KEYS };

static ANSWERS_FILE_KEYS: &[Key] = &[
    key("playbook", Shape::Text, "The playbook that the answers are for; for another one they are refused."),
    key("run", Shape::Text, "The run that the answers come from. For people: nothing depends on it."),
    key(
        "answers",
        Shape::MapOf(&Shape::OneOf(&[Shape::Any, Shape::Table(&GIVEN)])),
        "The answers by question id: of an `ask` the value, of a `manual` step `done`, `skip`, `failed` or `later`, of a confirmation \
         `yes` or `no`, of an override (`ID.override`) the reason. What is left empty is not answered.",
    ),
    key(
        "confirm",
        Shape::MapOf(&Shape::OneOf(&[Shape::Text, Shape::Nothing])),
        "The words to type before something is lost, by question id.",
    ),
];

/// An answer with a remark.
pub static GIVEN: Table = Table { name: "an answer with a note", keys: GIVEN_KEYS };

static GIVEN_KEYS: &[Key] =
    &[required("answer", Shape::Any, "The answer."), key("note", Shape::Text, "A remark, kept with the answer.")];
