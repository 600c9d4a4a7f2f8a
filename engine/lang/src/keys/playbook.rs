//! The keys at the top of a playbook and of the maps that stand only there.

use super::form::{ENV, LINE, MEMBER, NET, VARIABLE};
use super::{Key, Shape, Table, key, required};

/// The top of a playbook.
pub static PLAYBOOK: Table = Table { name: "a playbook", keys: PLAYBOOK_KEYS };

static PLAYBOOK_KEYS: &[Key] = &[
    required("playbook", Shape::Form(&LINE), "One line: what this does, as a person would say it. It comes first."),
    key("language", Shape::Int, "The version of the language that the file is written for; 1 if left out.").fixed().range(1, 1),
    key("description", Shape::Text, "More about it, in Markdown."),
    key("source", Shape::Text, "The document and section that the procedure comes from."),
    key("links", Shape::ListOf(&Shape::Table(&LINK)), "Links for people."),
    key("tags", Shape::Texts, "Words for listing and selecting."),
    key("severity", Shape::Text, "For routing and reports, such as `sev2`."),
    key("expected_duration", Shape::Duration, "How long it usually takes; over it, the run is marked late.").fixed(),
    key(
        "system",
        Shape::Text,
        "The system it belongs to: a folder of `playbooks/` or a path; the `system.yaml` beside the playbook if left out.",
    ),
    key("schedule", Shape::Table(&SCHEDULE), "When it runs by itself."),
    key("params", Shape::Named(&MEMBER, &Shape::Table(&PARAM)), "Its typed inputs, in scope as `params.NAME`."),
    key("env", ENV_NAMES, "The environment variables it uses, in scope as `env.NAME`; secret unless written `NAME: plain`."),
    key(
        "vars",
        Shape::Named(&VARIABLE, &Shape::Any),
        "Variables, in order; each may use `params`, the system and those before it.",
    ),
    key("requires", Shape::Checks, "Preconditions: all are evaluated, and the run is refused if any fails."),
    key("steps", Shape::Steps, "A procedure: steps that run in file order."),
    key(
        "triage",
        Shape::Tree,
        "A triage tree: questions that lead to findings. One node, or a list of nodes that are visited in order.",
    ),
    key("checks", Shape::Checks, "A checklist: every check is evaluated and graded."),
    key("verify", Shape::Checks, "Postconditions: all are evaluated at the end, and the run fails if one does."),
    key("rescue", Shape::Steps, "What to do when the run failed."),
    key("always", Shape::Steps, "What to do whatever happened."),
    key("outputs", Shape::Named(&MEMBER, &Shape::Any), "Values handed to the caller."),
    key("on_failure", Shape::Word(&["stop", "undo"]), "Whether a failure undoes what was done; `stop` if left out."),
    key(
        "lock",
        Shape::OneOf(&[Shape::Template, Shape::Table(&LOCK)]),
        "The exclusive lock of a run that changes something: a name, `{name, wait}` or `none`; the system's name if left out.",
    ),
    key(
        "permissions",
        Shape::ListOf(&Shape::OneOf(&[Shape::Word(&["exec", "signal"]), Shape::Table(&PERMISSION)])),
        "What it may do: `[exec, write: PATH, net: HOST:PORT, signal]`; the engine refuses the rest.",
    ),
    key("on", Shape::Template, "The default host of its steps."),
];

/// The names of environment variables: a list in which one may be `NAME: plain`, or a map.
pub(super) const ENV_NAMES: Shape =
    Shape::OneOf(&[Shape::ListOf(&Shape::OneOf(&[Shape::Form(&ENV), Shape::Named(&ENV, &PLAIN)])), Shape::Named(&ENV, &PLAIN)]);

const PLAIN: Shape = Shape::OneOf(&[Shape::Word(&["plain", "secret"]), Shape::Nothing]);

/// An entry of `permissions` that says where. It is in no list of tables: its words mean other things elsewhere.
pub static PERMISSION: Table = Table { name: "a permission", keys: PERMISSION_KEYS };

static PERMISSION_KEYS: &[Key] = &[
    key("write", Shape::Template, "Write at this path or below it."),
    key("net", Shape::Form(&NET), "Connect to this `HOST:PORT`; `*` stands for any host or port."),
];

/// `params.NAME`.
pub static PARAM: Table = Table { name: "a parameter", keys: PARAM_KEYS };

static PARAM_KEYS: &[Key] = &[
    key(
        "type",
        Shape::Word(&[
            "string", "int", "float", "bool", "duration", "size", "time", "path", "url", "list", "map", "choice", "secret",
        ]),
        "Its type; `string` if left out.",
    ),
    key("default", Shape::Any, "The value when none is given."),
    key("required", Shape::Bool, "Whether a value must be given.").fixed(),
    key(
        "choices",
        Shape::OneOf(&[Shape::ListOf(&Shape::Any), Shape::Computed]),
        "The values it may have: a list, or a template that gives one.",
    ),
    key("min", Shape::Any, "The least value, or the least length of a text or list."),
    key("max", Shape::Any, "The greatest value, or the greatest length of a text or list."),
    key("pattern", Shape::Text, "A regular expression that the whole text must match."),
    key("help", Shape::Text, "What it is for."),
    key("ask", Shape::Text, "The question with which an operator is asked for it."),
];

/// `schedule`.
pub static SCHEDULE: Table = Table { name: "a schedule", keys: SCHEDULE_KEYS };

static SCHEDULE_KEYS: &[Key] = &[
    key("every", Shape::Duration, "The interval.").fixed(),
    key("cron", Shape::Text, "A cron expression of five fields, in UTC unless `timezone` is given."),
    key("timezone", Shape::Text, "The IANA zone of `cron`, such as `Europe/Berlin`."),
];

/// `lock`.
pub static LOCK: Table = Table { name: "a lock", keys: LOCK_KEYS };

static LOCK_KEYS: &[Key] = &[
    key("name", Shape::Template, "The lock's name."),
    key("wait", Shape::Duration, "How long to wait for it; refused at once if left out.").fixed(),
];

/// An entry of `links`.
pub static LINK: Table = Table { name: "a link", keys: LINK_KEYS };

static LINK_KEYS: &[Key] = &[required("title", Shape::Text, "What it leads to."), required("url", Shape::Text, "Where.")];
