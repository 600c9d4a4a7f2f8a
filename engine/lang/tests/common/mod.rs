//! Modules for tests: enough of them to say everything that the language says, doing nothing.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::collections::BTreeMap;

use runbook_core::module::{Action, Change, Cx, Done, Effect, Example, Fault, Forecast, Probe, Registry, Touches};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! probe {
    ($ty:ident, $name:literal, $main:expr, $args:ty, $out:ty) => {
        pub struct $ty;
        impl Probe for $ty {
            const NAME: &'static str = $name;
            const MAIN: Option<&'static str> = $main;
            const VERDICT: &'static str = "true";
            const EXAMPLES: &'static [Example] = &[];
            type Args = $args;
            type Out = $out;
            fn touches(_: &Self::Args) -> Touches {
                Touches::default()
            }
            async fn observe(_: &Self::Args, _: &Cx<'_>) -> Result<Self::Out, Fault> {
                Err(Fault::cannot_tell("a test"))
            }
        }
    };
}

macro_rules! action {
    ($ty:ident, $name:literal, $main:expr, $args:ty, $out:ty, $effect:expr, $idempotent:expr, $declared:expr) => {
        pub struct $ty;
        impl Action for $ty {
            const NAME: &'static str = $name;
            const MAIN: Option<&'static str> = $main;
            const EXAMPLES: &'static [Example] = &[];
            const DECLARED: bool = $declared;
            type Args = $args;
            type Out = $out;
            fn effect(_: &Self::Args) -> Effect {
                $effect
            }
            fn touches(_: &Self::Args) -> Touches {
                Touches::default()
            }
            fn idempotent(_: &Self::Args) -> bool {
                $idempotent
            }
            async fn plan(_: &Self::Args, _: &Cx<'_>) -> Result<Forecast, Fault> {
                Ok(Forecast::nothing("a test"))
            }
            async fn apply(_: &Self::Args, _: &Change<'_>) -> Result<Done<Self::Out>, Fault> {
                Err(Fault::cannot_tell("a test"))
            }
        }
    };
}

/// Asks a URL.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpArgs {
    /// The URL.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Headers to send.
    pub headers: Option<BTreeMap<String, String>>,
    /// How long to wait for an answer.
    pub limit: Option<Duration>,
    /// Whether to follow redirects.
    pub follow: Option<bool>,
}

/// An answer.
#[derive(Serialize, JsonSchema)]
pub struct HttpOut {
    /// The status.
    pub status: Option<u16>,
    /// The body as JSON.
    pub json: Option<serde_json::Value>,
    /// The body.
    pub body: Option<String>,
    /// How long it took.
    pub latency: Option<Duration>,
    /// How large it was.
    pub size: Option<Size>,
    /// The certificate.
    pub tls: Option<Tls>,
}

/// A certificate.
#[derive(Serialize, JsonSchema)]
pub struct Tls {
    /// Who signed it.
    pub issuer: String,
}
probe!(Http, "http", Some("url"), HttpArgs, HttpOut);

/// Whether a port listens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortArgs {
    /// The port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// What was seen.
#[derive(Serialize, JsonSchema)]
pub struct PortOut {
    /// Whether something listens.
    pub listening: bool,
}
probe!(Port, "port", Some("port"), PortArgs, PortOut);

/// How much memory is used.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryArgs {}

/// What was seen.
#[derive(Serialize, JsonSchema)]
pub struct MemoryOut {
    /// The used part.
    pub used_percent: f64,
    /// Free bytes.
    pub free: Size,
}
probe!(Memory, "memory", None, MemoryArgs, MemoryOut);

/// A service by its name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceArgs {
    /// The service.
    pub name: String,
}

/// What is known of it.
#[derive(Serialize, JsonSchema)]
pub struct ServiceOut {
    /// Whether it runs.
    pub running: bool,
    /// Its process.
    pub pid: Option<u32>,
}
probe!(Service, "service", Some("name"), ServiceArgs, ServiceOut);
action!(ServiceStart, "service.start", Some("name"), ServiceArgs, ServiceOut, Effect::Change, true, false);
action!(ServiceStop, "service.stop", Some("name"), ServiceArgs, ServiceOut, Effect::Change, true, false);

/// Runs a program.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandArgs {
    /// The program and its arguments.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// The folder.
    pub cwd: Option<String>,
    /// Its environment.
    pub env: Option<BTreeMap<String, String>>,
}

/// What it printed.
#[derive(Serialize, JsonSchema)]
pub struct CommandOut {
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// Its complaints.
    pub stderr: String,
    /// The lines it printed.
    pub lines: Vec<String>,
    /// What it printed, as JSON.
    pub json: Option<serde_json::Value>,
}
action!(Command, "command", Some("argv"), CommandArgs, CommandOut, Effect::Change, false, true);

/// Runs shell text.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShellArgs {
    /// The text.
    #[schemars(length(min = 1))]
    pub script: String,
    /// Its environment.
    pub env: Option<BTreeMap<String, String>>,
    /// The program that runs it.
    pub interpreter: Option<String>,
}
action!(Shell, "shell", Some("script"), ShellArgs, CommandOut, Effect::Change, false, true);

/// Sends a request that changes something.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendArgs {
    /// Where to.
    pub url: String,
    /// How.
    pub method: Option<Method>,
}

/// A method.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Once more each time.
    Post,
    /// The same each time.
    Put,
}
action!(Send, "http.send", Some("url"), SendArgs, HttpOut, Effect::Change, false, false);

/// Removes a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveArgs {
    /// The file.
    pub path: String,
}

/// What was removed.
#[derive(Serialize, JsonSchema)]
pub struct RemoveOut {
    /// The file.
    pub path: String,
}
action!(Remove, "file.remove", Some("path"), RemoveArgs, RemoveOut, Effect::Destroy, true, false);

/// The modules of the tests.
pub fn registry() -> Registry {
    use runbook_core::module::Entry;
    Registry::new([
        Entry::probe::<Http>(),
        Entry::probe::<Port>(),
        Entry::probe::<Memory>(),
        Entry::probe::<Service>(),
        Entry::action::<ServiceStart>(),
        Entry::action::<ServiceStop>(),
        Entry::action::<Command>(),
        Entry::action::<Shell>(),
        Entry::action::<Send>(),
        Entry::action::<Remove>(),
    ])
}

/// The system that the playbooks of the tests belong to.
pub const SYSTEM: &str = include_str!("../../../../tests/bad/project/system.yaml");

/// A playbook that others play.
pub const OTHER: &str = include_str!("../../../../tests/bad/project/other.yaml");
