//! The keys of test files.

use super::form::{BOUND, LINE, TIME};
use super::{Key, Shape, Table, key, required};

/// A list: exactly these, or a part of it.
macro_rules! listed {
    ($item:expr) => {
        Shape::OneOf(&[Shape::ListOf(&$item), Shape::Table(&LISTED)])
    };
}

/// The top of a file with several tests.
pub static TEST_FILE: Table = Table { name: "a test file", keys: TEST_FILE_KEYS };

static TEST_FILE_KEYS: &[Key] = &[
    required("tests", Shape::ListOf(&Shape::Table(&TEST)), "The tests. What stands beside them is shared by all of them."),
    key("play", Shape::Text, "The playbook of every test that names none."),
    key("with", Shape::MapOf(&Shape::Any), "Parameters for every test; a test's own go first, name by name."),
    key("profile", Shape::Text, "The system's profile of every test that names none."),
    key("env", Shape::MapOf(&Shape::Scalar), "Environment variables for every test; a test's own go first, name by name."),
    key("answers", Shape::MapOf(&ANSWERS), "Answers for every test; a test's own go first, id by id."),
    key("now", Shape::Form(&TIME), "When the virtual clock of every test starts that does not say it."),
    key("world", Shape::ListOf(&Shape::Table(&RULE)), "Rules for every test, looked at after a test's own."),
];

/// A test: the whole file, or an item of `tests`.
pub static TEST: Table = Table { name: "a test", keys: TEST_KEYS };

static TEST_KEYS: &[Key] = &[
    required("test", Shape::Form(&LINE), "What it shows, in one line; unique in the file."),
    key("play", Shape::Text, "The playbook: a name as after `play:` in a playbook of the folder above."),
    key("with", Shape::MapOf(&Shape::Any), "Its parameters. A variable of the system may be given too, as with `--param`."),
    key("profile", Shape::Text, "The system's profile."),
    key("env", Shape::MapOf(&Shape::Scalar), "Environment variables; others are not set."),
    key(
        "answers",
        Shape::MapOf(&ANSWERS),
        "What the operator answers, by question id: `yes`, `no`, the word to type, a value, `done`, `skip`, `failed`, `later`; a list \
         answers in turn, the last one repeats. A question without an answer ends the run with exit 7. An answer to a question of a \
         tree outweighs what its check says.",
    ),
    key(
        "now",
        Shape::Form(&TIME),
        "When the virtual clock starts, such as `2026-02-15T14:23:45Z`; `2026-01-05T10:00:00Z` if left out.",
    ),
    key(
        "interrupt",
        Shape::OneOf(&[Shape::Duration, Shape::Table(&INTERRUPT)]),
        "Asks the run to stop after so long, as Ctrl-C would: `5s` or `{after, by}`.",
    ),
    key(
        "world",
        Shape::ListOf(&Shape::Table(&RULE)),
        "What calls of modules come to. The first rule that fits answers; a call that none answers fails the test.",
    ),
    key("expect", Shape::Table(&EXPECT), "What must be so afterwards. Without `outcome` and `exit` the run must succeed."),
    key("recorded", Shape::Table(&RECORDED), "What `runbook test --bless` wrote down; `recorded: {}` asks it to begin."),
];

/// What is written as the answer to one question.
const ANSWERS: Shape = Shape::OneOf(&[Shape::Any, Shape::Table(&ANSWER), Shape::ListOf(&Shape::Any)]);

/// An answer with more to say about it.
pub static ANSWER: Table = Table { name: "an answer", keys: ANSWER_KEYS };

static ANSWER_KEYS: &[Key] = &[
    required("answer", Shape::Any, "The answer; a list is one answer here."),
    key("note", Shape::Text, "The operator's remark, or the reason of an override."),
    key("takes", Shape::Duration, "How long the operator takes; longer than the step's `timeout` is no answer."),
];

/// `interrupt`.
pub static INTERRUPT: Table = Table { name: "`interrupt`", keys: INTERRUPT_KEYS };

static INTERRUPT_KEYS: &[Key] = &[
    required("after", Shape::Duration, "After so long on the virtual clock."),
    key(
        "by",
        Shape::Word(&["interrupt", "terminate", "hangup", "time_limit"]),
        "What asks: Ctrl-C (if left out), SIGTERM, SIGHUP, or `--timeout`.",
    ),
];

/// An item of `world`.
pub static RULE: Table = Table { name: "a world rule", keys: RULE_KEYS };

static RULE_KEYS: &[Key] = &[
    key("module", Shape::Module, "The module that is called; of the step if `step` is given."),
    key("step", Shape::Text, "Only calls of this step or of one inside it: its id, `id@item` in a loop, or its path."),
    key(
        "with",
        Shape::OneOf(&[Shape::MapOf(&VALUE), Shape::Any]),
        "Only calls with these arguments; others may be anything. A scalar is the module's main argument.",
    ),
    key(
        "returns",
        Shape::MapOf(&Shape::Any),
        "The result's fields; the others are null. `error` in it is a failure with that message.",
    ),
    key("error", Shape::Text, "It looked, and the answer is no, with this message."),
    key("unknown", Shape::Text, "Our side could not look, with this message."),
    key("refused", Shape::Text, "It was not allowed or could not be begun, with this message."),
    key("times_out", Shape::Bool, "`true`: it takes longer than the step's `timeout`, or than `takes`, and is ended."),
    key("changed", Shape::Bool, "Whether it changed something; if left out, as the call's effect says."),
    key("takes", Shape::Duration, "How long it takes on the virtual clock; no time if left out."),
    key("sequence", Shape::ListOf(&Shape::Table(&TURN)), "What several calls come to in turn; the last one repeats."),
];

/// An item of `sequence`.
pub static TURN: Table = Table { name: "a turn of a sequence", keys: TURN_KEYS };

static TURN_KEYS: &[Key] = &[
    key("returns", Shape::MapOf(&Shape::Any), "The result's fields; the others are null."),
    key("error", Shape::Text, "It looked, and the answer is no, with this message."),
    key("unknown", Shape::Text, "Our side could not look, with this message."),
    key("refused", Shape::Text, "It was not allowed or could not be begun, with this message."),
    key("times_out", Shape::Bool, "`true`: it takes longer than the step's `timeout`, or than `takes`, and is ended."),
    key("changed", Shape::Bool, "Whether it changed something."),
    key("takes", Shape::Duration, "How long it takes on the virtual clock."),
];

/// `expect` of a test.
pub static EXPECT: Table = Table { name: "`expect` of a test", keys: EXPECT_KEYS };

static EXPECT_KEYS: &[Key] = &[
    key(
        "outcome",
        Shape::Word(&["succeeded", "stopped", "failed", "blocked", "declined", "needs_input", "parked", "interrupted"]),
        "How the run ends.",
    ),
    key("exit", Shape::Int, "The exit code.").range(0, 255),
    key(
        "message",
        Shape::OneOf(&[VALUE, Shape::ListOf(&VALUE)]),
        "Text that the run's last line holds, or a list of such texts.",
    ),
    key(
        "path",
        listed!(Shape::OneOf(&[Shape::Text, Shape::MapOf(&SAID)])),
        "The steps in the order in which they end, groups left out: `id`, `id@item` in a loop or the path, or `{id: outcome}`. Of a tree the questions and findings, and not their checks: `{id: answer}`, `{finding: ID}`.",
    ),
    key(
        "steps",
        Shape::MapOf(&Shape::OneOf(&[SAID, Shape::MapOf(&VALUE)])),
        "Results of steps by id: the outcome, or fields such as `{outcome: ok, status: 200}`; of a tree's question the answer.",
    ),
    key("calls", listed!(CALLS), "The calls of modules in order."),
    key("ran", listed!(CALLS), "The calls that change something, in order; `[]` is none."),
    key("asked", listed!(Shape::Text), "The ids of the questions that the operator is asked, in order."),
    key("skipped", listed!(Shape::Text), "The steps that are skipped, in order."),
    key("notes", listed!(VALUE), "The notes that are shown, in order; a text is held by the note."),
    key("vars", Shape::MapOf(&VALUE), "Variables at the end of the playbook."),
    key("outputs", Shape::MapOf(&VALUE), "The playbook's outputs."),
    key("verdict", Shape::Text, "The verdict of a checklist or a tree."),
    key(
        "checks",
        Shape::MapOf(&Shape::Word(&["ok", "off target", "warning", "unknown", "critical"])),
        "Rows of a checklist by step or by name, with their grades.",
    ),
    key("finding", Shape::Text, "The one finding of a tree."),
    key("findings", listed!(Shape::Text), "The findings of a tree in order; `[]` is none."),
    key("duration", Shape::Form(&BOUND), "How long the run takes on the virtual clock: `30s`, `<= 30s`, `> 5s`."),
    key(
        "that",
        Shape::Exprs,
        "Expressions that are true at the end, over `params`, variables, `steps.<id>`, `services`, `run`, `findings` and `outputs`.",
    ),
];

/// A list that is expected, in part.
pub static LISTED: Table = Table { name: "a list that is expected in part", keys: LISTED_KEYS };

static LISTED_KEYS: &[Key] = &[
    key("includes", Shape::ListOf(&Shape::Any), "These are there, in this order; others may stand between them."),
    key("excludes", Shape::ListOf(&Shape::Any), "None of these is there."),
];

/// An item of `calls` or `ran`.
pub static CALL: Table = Table { name: "a call that is expected", keys: CALL_KEYS };

static CALL_KEYS: &[Key] = &[
    required("module", Shape::Module, "The module that is called."),
    key("with", Shape::OneOf(&[Shape::MapOf(&VALUE), Shape::Any]), "Arguments that it has; others may be anything."),
    key("step", Shape::Text, "The step that calls it, or one around it."),
];

/// A value that is known in part.
pub static MATCH: Table = Table { name: "a match", keys: MATCH_KEYS };

static MATCH_KEYS: &[Key] = &[
    key("matches", Shape::Text, "A regular expression that is found in the text."),
    key("contains", Shape::Any, "A text that the text holds, or an item that the list holds."),
    key("starts_with", Shape::Any, "A text that the text begins with, or the items that the list begins with."),
];

/// `recorded`.
pub static RECORDED: Table = Table { name: "`recorded`", keys: RECORDED_KEYS };

static RECORDED_KEYS: &[Key] = &[
    key("outcome", Shape::Text, "How the run ended."),
    key("path", Shape::Texts, "Each step with its outcome, in the order in which they ended."),
    key("calls", Shape::Texts, "Each call with its arguments, in order."),
];

/// A value, or a match. A map's entries are values in turn; a call or result may have others.
const VALUE: Shape = Shape::OneOf(&[Shape::Any, Shape::Table(&MATCH)]);

/// A step's outcome.
/// An outcome, or the answer to a tree's question, where `yes` is a boolean to some tools.
const SAID: Shape = Shape::OneOf(&[Shape::Text, Shape::Bool]);

/// What is written for a call.
const CALLS: Shape = Shape::OneOf(&[Shape::Text, Shape::Table(&CALL)]);
