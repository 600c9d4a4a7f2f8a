//! The keys of steps: the common ones, the bodies that are no modules, and their maps.

use super::form::{ID, PLAYBOOK_NAME, RESOURCE, TIME, VARIABLE};
use super::{Key, LINK, Shape, Table, key, required};

/// The common keys of a step.
pub static STEP: Table = Table { name: "a step", keys: STEP_KEYS };

static STEP_KEYS: &[Key] = &[
    key("id", Shape::Form(&ID), "Makes `steps.<id>` available; unique in the playbook."),
    key("name", Shape::Template, "What is shown to people."),
    key("tags", Shape::Texts, "Words for selecting."),
    key("links", Shape::ListOf(&Shape::Table(&LINK)), "Links for people."),
    key("when", Shape::Expr, "Run only if true; inside a loop, per item."),
    key(
        "for_each",
        Shape::OneOf(&[Shape::Expr, Shape::ListOf(&Shape::Any), Shape::MapOf(&Shape::Any)]),
        "Repeat over a list, a map or an expression.",
    ),
    key("as", Shape::Form(&VARIABLE), "The name of a loop's item; `item` if left out."),
    key("order", Shape::Word(&["listed", "reverse", "dependencies", "reverse_dependencies"]), "The order of a loop."),
    key("max_parallel", Shape::Int, "How many items at the same time: 1 for lists, unbounded for dependencies if left out.")
        .range(1, 256),
    key("needs", Shape::Texts, "In a `parallel`: the siblings that must have succeeded before."),
    key("every", Shape::Duration, "In a `parallel`: repeat until the siblings without `every` have ended."),
    key("expect", Shape::Exprs, "What must hold of the result; it replaces the module's default verdict."),
    key("severity", Shape::Word(&["critical", "warning"]), "In a checklist: what a failed expectation means."),
    key("grade", Shape::Table(&GRADE), "How a value is graded: ok, off target, warning or critical."),
    key("override", Shape::Word(&["ask"]), "`ask`: the operator may accept a failed check, with a reason."),
    key("retry", Shape::Table(&RETRY), "Repeat until the step succeeds."),
    key("timeout", Shape::Duration, "The limit for one attempt."),
    key("expected_duration", Shape::Duration, "Over it, the step is marked late."),
    key("continue_on_error", Shape::Bool, "Record a failure and go on."),
    key("undo", Shape::Steps, "Steps that take this one back."),
    key("verify", Shape::Checks, "Checks asked after an action, and by `resume` about a step in flight."),
    key(
        "confirm",
        Shape::OneOf(&[Shape::Bool, Shape::Word(&["each"]), Shape::Table(&CONFIRM)]),
        "Ask before running: `true`, `each` (per item of a loop) or `{type: WORD}`.",
    )
    .fixed(),
    key(
        "effect",
        Shape::Word(&["read", "change", "destroy"]),
        "The effect, where it cannot be known; never lowers a module's own.",
    ),
    key(
        "touches",
        Shape::ListOf(&Shape::Form(&RESOURCE)),
        "Resources that a command changes, such as `service:api` or `file:/etc/x`.",
    ),
    key("idempotent", Shape::Bool, "Whether running it twice is the same as once; the module's default if left out.").fixed(),
    key("save", Shape::Template, "Write the result to this file, redacted."),
    key("sensitive", Shape::Bool, "Keep the result out of every output and record.").fixed(),
    key("on", Shape::Template, "The host it runs on."),
    key("graded", Shape::Bool, "In a checklist: `false` marks preparation that gets no row.").fixed(),
];

/// The bodies that are no modules.
pub static BODIES: Table = Table { name: "a step", keys: BODY_KEYS };

static BODY_KEYS: &[Key] = &[
    key("block", Shape::Steps, "A group; `rescue` and `always` may stand beside it."),
    key("parallel", Shape::Steps, "Children that run at the same time; a child may say `needs` or `every`."),
    key("play", Shape::Form(&PLAYBOOK_NAME), "Run another playbook as one step; `with` gives its parameters."),
    key("set", Shape::Named(&VARIABLE, &Shape::Any), "Set variables, visible to the end of the enclosing block or loop item."),
    key("ask", Shape::Table(&ASK), "A typed question to the operator; the result is `answer`."),
    key("manual", Shape::Template, "A step that a person does: done, skip, failed or later."),
    key("note", Shape::Template, "Show text."),
    key("fail", Shape::Template, "Stop as failed."),
    key("stop", Shape::Template, "End this playbook as succeeded: `always` still runs, `verify` does not."),
    key("wait", Shape::OneOf(&[Shape::Duration, Shape::Table(&WAIT)]), "Sleep for a duration, or until a time."),
];

/// What may stand beside one body only.
pub static BLOCK: Table = Table { name: "a `block` or `play` step", keys: BLOCK_KEYS };

static BLOCK_KEYS: &[Key] = &[
    key("rescue", Shape::Steps, "Beside `block`: what to do when one of its steps failed; a rescued block has succeeded."),
    key("always", Shape::Steps, "Beside `block`: what to do whatever happened."),
    key("with", Shape::Templates, "Beside `play`: the playbook's parameters."),
];

/// `retry`.
pub static RETRY: Table = Table { name: "`retry`", keys: RETRY_KEYS };

static RETRY_KEYS: &[Key] = &[
    key("attempts", Shape::Int, "At most so many attempts.").range(1, 10_000),
    key("for", Shape::Duration, "Attempts begin until so much time has passed."),
    key("every", Shape::Duration, "The pause between attempts."),
    key("backoff", Shape::Number, "Each pause is the one before times this.").range(1, 100),
    key("max_delay", Shape::Duration, "The longest pause."),
    key("jitter", Shape::OneOf(&[Shape::Number, Shape::Bool]), "The part of the pause that is random, 0 to 1; `true` is 0.5.")
        .range(0, 1),
    key("successes", Shape::Int, "So many successes in a row are needed.").range(1, 10_000),
    key("give_up_when", Shape::Exprs, "Give up at once when one of these holds."),
    key(
        "on",
        Shape::ListOf(&Shape::Word(&["failed", "timeout", "unknown"])),
        "The kinds of failure that are retried; all if left out.",
    ),
];

/// `grade`.
pub static GRADE: Table = Table { name: "`grade`", keys: GRADE_KEYS };

static GRADE_KEYS: &[Key] = &[
    required("value", Shape::Expr, "The value that is graded."),
    key("by", Shape::Expr, "A threshold of the system, such as `thresholds.memory`."),
    key("target", Shape::Any, "Ok up to here."),
    key("warning", Shape::Any, "Warning beyond here."),
    key("critical", Shape::Any, "Critical beyond here."),
    key("unit", Shape::Text, "The unit shown."),
];

/// `ask`.
pub static ASK: Table = Table { name: "`ask`", keys: ASK_KEYS };

static ASK_KEYS: &[Key] = &[
    required("question", Shape::Template, "The question."),
    key(
        "type",
        Shape::Word(&[
            "string", "int", "float", "bool", "duration", "size", "time", "path", "url", "list", "map", "choice", "secret",
        ]),
        "The answer's type; `choice` with choices and `string` without if left out.",
    ),
    key(
        "choices",
        Shape::OneOf(&[Shape::ListOf(&Shape::Any), Shape::Computed]),
        "The answers to choose from: a list, or a template that gives one.",
    ),
    key("default", Shape::Any, "The answer when the operator just presses Enter."),
];

/// `wait`.
pub static WAIT: Table = Table { name: "`wait`", keys: WAIT_KEYS };

static WAIT_KEYS: &[Key] = &[required("until", Shape::Form(&TIME), "A time such as `2026-02-15T14:23:45Z`.")];

/// `confirm`.
pub static CONFIRM: Table = Table { name: "`confirm`", keys: CONFIRM_KEYS };

static CONFIRM_KEYS: &[Key] = &[required("type", Shape::Template, "The word that the operator has to type.")];
