//! The keys of system files.

use super::form::{ID, SIGNAL, VARIABLE};
use super::playbook::ENV_NAMES;
use super::{Key, Shape, Table, key, required};

/// The top of a system file.
pub static SYSTEM: Table = Table { name: "a system file", keys: SYSTEM_KEYS };

static SYSTEM_KEYS: &[Key] = &[
    required("system", Shape::Text, "The system's name."),
    key("language", Shape::Int, "The version of the language that the file is written for; 1 if left out.").fixed().range(1, 1),
    key("description", Shape::Text, "What the system is, in Markdown."),
    key(
        "vars",
        Shape::Named(&VARIABLE, &Shape::Any),
        "Variables, in order; each may use those before it. `--param` overrides them.",
    ),
    key("env", ENV_NAMES, "The environment variables it uses, in scope as `env.NAME`; secret unless written `NAME: plain`."),
    key("profiles", Shape::Named(&ID, &Shape::Any), "Named overlays of this file, chosen with `--profile`."),
    key("thresholds", Shape::Named(&ID, &Shape::Table(&THRESHOLD)), "Limits by name, for `grade: {by: thresholds.NAME}`."),
    key("contacts", Shape::MapOf(&Shape::Any), "People and teams by name."),
    key("escalation", Shape::ListOf(&Shape::Table(&ESCALATION)), "Whom to call, in order."),
    key("redact", Shape::Any, "Further redaction rules."),
    key(
        "read_commands",
        Shape::ListOf(&Shape::Texts),
        "Argument-vector prefixes whose effect is `read`, such as `[kubectl, get]`.",
    ),
    key("hosts", Shape::MapOf(&Shape::Any), "Hosts by name."),
    key("services", Shape::Named(&ID, &Shape::OneOf(&[Shape::Table(&SERVICE), Shape::Nothing])), "Services by id."),
    key("service_defaults", Shape::Table(&SERVICE), "What every service has unless its own entry says otherwise."),
];

/// An entry of `services`, and `service_defaults`.
pub static SERVICE: Table = Table { name: "a service", keys: SERVICE_KEYS };

static SERVICE_KEYS: &[Key] = &[
    key("description", Shape::Text, "What it does."),
    key("needs", Shape::Texts, "The services that must run before it."),
    key(
        "manager",
        Shape::Word(&["process", "systemd", "compose", "external"]),
        "Who starts and stops it; `process` if left out.",
    ),
    key("host", Shape::Template, "The address it listens on."),
    key("port", Shape::Int, "The port it listens on.").range(1, 65_535),
    key("ports", Shape::ListOf(&Shape::Int), "Further ports it listens on.").range(1, 65_535),
    key("command", Shape::Any, "The argument vector that starts it (`manager: process`)."),
    key("cwd", Shape::Template, "The folder it is started in."),
    key("env", Shape::Templates, "Environment variables it is started with."),
    key("user", Shape::Template, "The user it runs as."),
    key("pid_file", Shape::Template, "Where its process id is kept."),
    key("stdout", Shape::Template, "Where its standard output goes."),
    key("stderr", Shape::Template, "Where its standard error goes."),
    key("unit", Shape::Template, "Its unit (`manager: systemd`); the id if left out."),
    key("compose", Shape::Any, "Its place in Docker Compose: `{service, project}` (`manager: compose`)."),
    key("project", Shape::Template, "The folder of the compose file (`manager: compose`)."),
    key("url", Shape::Template, "Its base URL."),
    key("health_url", Shape::Template, "The URL that says whether it is healthy."),
    key("ready", Shape::Check, "The checks that say it is ready."),
    key("present", Shape::Check, "The checks that say it is installed here at all."),
    key("start_timeout", Shape::Duration, "How long it may take to start."),
    key("stop", Shape::Table(&STOP), "How it is stopped."),
    key("enabled", Shape::Bool, "Whether it takes part at all."),
    key("vars", Shape::Templates, "Further values of this service, in scope as `service.vars.NAME`."),
    key("tags", Shape::Texts, "Words for selecting."),
    key("links", Shape::Any, "Links for people."),
];

/// `stop` of a service.
pub static STOP: Table = Table { name: "`stop` of a service", keys: STOP_KEYS };

static STOP_KEYS: &[Key] = &[
    key("signal", Shape::Form(&SIGNAL), "The signal, such as `TERM`."),
    key("grace", Shape::Duration, "How long it may take before it is killed."),
];

/// An entry of `thresholds`.
pub static THRESHOLD: Table = Table { name: "a threshold", keys: THRESHOLD_KEYS };

static THRESHOLD_KEYS: &[Key] = &[
    key("target", Shape::Any, "Ok up to here."),
    key("warning", Shape::Any, "Warning beyond here."),
    key("critical", Shape::Any, "Critical beyond here."),
    key("unit", Shape::Text, "The unit shown."),
];

/// An entry of `escalation`.
pub static ESCALATION: Table = Table { name: "an escalation step", keys: ESCALATION_KEYS };

static ESCALATION_KEYS: &[Key] = &[
    required("contact", Shape::Template, "The contact's name."),
    key("after", Shape::Duration, "How long after the start of the incident."),
    key("only", Shape::Any, "The severities or findings that it is for."),
];
