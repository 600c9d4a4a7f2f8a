//! A service as the system file describes it, rendered by the interpreter and handed over beside the arguments.

use std::path::PathBuf;

use indexmap::IndexMap;
use runbook_core::module::{Cx, Fault};
use runbook_core::value::Duration;
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::Value as Json;

use super::args::Text;
use super::signals::SignalName;
use super::words::{split, texts};

/// A service of the system.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) struct ServiceEntry {
    /// Its id.
    pub(crate) id: String,
    /// Who starts and stops it.
    pub(crate) manager: Manager,
    /// The program and its arguments; empty if there are none.
    pub(crate) argv: Vec<String>,
    /// The folder to run it in.
    pub(crate) cwd: Option<PathBuf>,
    /// Variables added to its environment.
    pub(crate) env: Vec<(String, String)>,
    /// The file that holds its process id.
    pub(crate) pid_file: Option<PathBuf>,
    /// The file its standard output goes to.
    pub(crate) stdout: Option<PathBuf>,
    /// The file its standard error goes to.
    pub(crate) stderr: Option<PathBuf>,
    /// The ports it listens on, the main one first.
    pub(crate) ports: Vec<u16>,
    /// Where it says how it is.
    pub(crate) health_url: Option<String>,
    /// What asks it to stop.
    pub(crate) stop_signal: SignalName,
    /// How long it may take to stop.
    pub(crate) grace: std::time::Duration,
    unit: Option<String>,
    /// Its place in Docker Compose.
    pub(crate) compose: ComposePlace,
}

/// A service's place in Docker Compose.
#[derive(Clone, Debug, Default)]
pub(crate) struct ComposePlace {
    service: Option<String>,
    /// The folder of the Compose file.
    pub(crate) project: Option<String>,
    /// The name of the Compose project.
    pub(crate) name: Option<String>,
}

/// `compose`: a service's name, or where it is.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected `compose` to be the name of a service, or `{service, project}`")]
enum RawCompose {
    Name(Text),
    Place { service: Option<Text>, project: Option<Text>, project_name: Option<Text> },
}

/// Who starts and stops a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Manager {
    /// The engine.
    #[default]
    Process,
    /// systemd.
    Systemd,
    /// Docker Compose.
    Compose,
    /// Nobody here.
    External,
}

impl Manager {
    /// The word in the system file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Manager::Process => "process",
            Manager::Systemd => "systemd",
            Manager::Compose => "compose",
            Manager::External => "external",
        }
    }
}

#[derive(Deserialize)]
struct Raw {
    id: String,
    manager: Option<Manager>,
    command: Option<CommandLine>,
    cwd: Option<PathBuf>,
    env: Option<IndexMap<String, Option<Text>>>,
    pid_file: Option<PathBuf>,
    stdout: Option<PathBuf>,
    stderr: Option<PathBuf>,
    port: Option<Port>,
    ports: Option<Vec<Port>>,
    health_url: Option<String>,
    stop: Option<Stop>,
    unit: Option<String>,
    compose: Option<RawCompose>,
    project: Option<Text>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected `command` to be a list of words or a line of text")]
enum CommandLine {
    List(Vec<Text>),
    Line(String),
}

/// A number, or a text that a template made of one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a port to be a number from 1 to 65535")]
enum Port {
    Number(std::num::NonZeroU16),
    Written(String),
}

#[derive(Deserialize)]
struct Stop {
    signal: Option<SignalName>,
    grace: Option<Duration>,
}

impl TryFrom<Port> for u16 {
    type Error = String;
    fn try_from(port: Port) -> Result<u16, String> {
        match port {
            Port::Number(n) => Ok(n.get()),
            Port::Written(t) => {
                t.parse::<std::num::NonZeroU16>().map(Into::into).map_err(|_| format!("`{t}` is not a port number"))
            }
        }
    }
}

impl TryFrom<Json> for ServiceEntry {
    type Error = String;
    fn try_from(json: Json) -> Result<ServiceEntry, String> {
        let id = json["id"].as_str().unwrap_or("?").to_owned();
        Raw::deserialize(json)
            .map_err(|e| e.to_string())
            .and_then(ServiceEntry::read)
            .map_err(|e| format!("the system's entry of `{id}`: {e}"))
    }
}

impl ServiceEntry {
    fn read(raw: Raw) -> Result<ServiceEntry, String> {
        let argv = match raw.command {
            Some(CommandLine::List(words)) => texts(&words),
            Some(CommandLine::Line(line)) => split(&line).ok_or("a quote in `command` is never closed")?,
            None => Vec::new(),
        };
        if argv.first().is_some_and(String::is_empty) {
            return Err("the program in `command` is empty".to_owned());
        }
        let mut ports = Vec::new();
        for port in raw.port.into_iter().chain(raw.ports.unwrap_or_default()) {
            let port = u16::try_from(port)?;
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        let env = raw.env.unwrap_or_default();
        if let Some(name) = env.keys().find(|n| n.is_empty() || n.contains(['=', '\0'])) {
            return Err(format!("`{name}` in `env` is not the name of a variable"));
        }
        let stop = raw.stop.unwrap_or(Stop { signal: None, grace: None });
        let compose = match raw.compose {
            None => ComposePlace::default(),
            Some(RawCompose::Name(name)) => ComposePlace { service: Some(name.0), ..ComposePlace::default() },
            Some(RawCompose::Place { service, project, project_name }) => {
                let [service, project, name] = [service, project, project_name].map(|t| t.map(|t| t.0));
                ComposePlace { service, project, name }
            }
        };
        let project = compose.project.clone().or(raw.project.map(|p| p.0));
        Ok(ServiceEntry {
            id: raw.id,
            manager: raw.manager.unwrap_or_default(),
            argv,
            cwd: raw.cwd,
            // A variable without a value is one that is not set here.
            env: env.into_iter().filter_map(|(k, v)| Some((k, v?.0))).collect(),
            pid_file: raw.pid_file,
            stdout: raw.stdout,
            stderr: raw.stderr,
            ports,
            health_url: raw.health_url,
            stop_signal: stop.signal.unwrap_or(SignalName(Signal::TERM)),
            grace: stop.grace.map_or(std::time::Duration::from_secs(10), Duration::to_std),
            unit: raw.unit,
            compose: ComposePlace { project, ..compose },
        })
    }

    /// The entry that the interpreter handed over.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn of<'a>(entry: Option<&'a ServiceEntry>, name: &str) -> Result<&'a ServiceEntry, Fault> {
        entry.ok_or_else(|| Fault::invalid("name", format!("no service of the name `{name}` in the system")))
    }

    /// Its unit, where systemd starts it.
    pub(crate) fn unit(&self) -> &str {
        self.unit.as_deref().unwrap_or(&self.id)
    }

    /// What it is called in its Compose file, where Docker Compose starts it.
    pub(crate) fn compose_service(&self) -> &str {
        self.compose.service.as_deref().unwrap_or(&self.id)
    }

    /// As [`ServiceEntry::of`], for what starts and stops.
    ///
    /// # Errors
    /// Also if the service is external or has no command.
    pub(crate) fn ours<'a>(entry: Option<&'a ServiceEntry>, name: &str) -> Result<&'a ServiceEntry, Fault> {
        let entry = ServiceEntry::of(entry, name)?;
        if entry.manager == Manager::External {
            return Err(Fault::invalid("name", format!("`{name}` is external: it is never started or stopped from here")));
        }
        Ok(entry)
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self, cx: &Cx<'_>) -> PathBuf {
        self.cwd.as_ref().map_or_else(|| cx.root.to_owned(), |cwd| cx.resolve(cwd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(json: Json) -> Result<ServiceEntry, String> {
        serde_json::from_value(json).map_err(|e| e.to_string())
    }

    #[test]
    fn entries_are_read() {
        let e = entry(json!({
            "id": "web", "command": ["python3", "-m", "http.server", 7000], "port": "7000", "ports": [7000, 7001],
            "stop": {"signal": "INT", "grace": "5s"}, "env": {"A": 1, "B": null}, "needs": ["db"], "vars": {"x": 1}, "cwd": null
        }))
        .unwrap();
        assert_eq!(e.argv, ["python3", "-m", "http.server", "7000"]);
        assert_eq!(e.ports, [7000, 7001]);
        assert_eq!((e.stop_signal.name(), e.grace.as_secs()), ("INT", 5));
        assert_eq!(e.env, [("A".to_owned(), "1".to_owned())]);
        let e = entry(json!({"id": "web", "command": "sh -c 'sleep 1'"})).unwrap();
        assert_eq!(e.argv, ["sh", "-c", "sleep 1"]);
        assert_eq!((e.stop_signal.name(), e.grace.as_secs(), e.manager), ("TERM", 10, Manager::Process));
    }

    #[test]
    fn bad_entries_name_the_service() {
        for (json, part) in [
            (json!({"id": "web", "command": "sh 'x"}), "never closed"),
            (json!({"id": "web", "port": 70000}), "number from 1 to 65535"),
            (json!({"id": "web", "port": "x"}), "not a port"),
            (json!({"id": "web", "stop": {"signal": "TREM"}}), "unknown signal"),
            (json!({"id": "web", "manager": "docker"}), "unknown variant"),
        ] {
            let message = entry(json).unwrap_err();
            assert!(message.contains("`web`") && message.contains(part), "{message}");
        }
    }

    #[test]
    fn who_may_be_started() {
        let of = |manager: &str| entry(json!({"id": "x", "manager": manager})).unwrap();
        assert!(ServiceEntry::ours(Some(&of("process")), "x").is_ok());
        assert!(ServiceEntry::ours(Some(&of("external")), "x").unwrap_err().message().contains("never started or stopped"));
        assert!(ServiceEntry::of(Some(&of("external")), "x").is_ok());
        assert_eq!(ServiceEntry::ours(Some(&of("systemd")), "x").unwrap().unit(), "x");
        let compose = entry(json!({"id": "x", "manager": "compose", "compose": {"service": "y"}, "project": "/srv"})).unwrap();
        assert_eq!((compose.compose_service(), compose.compose.project.as_deref()), ("y", Some("/srv")));
        let compose = entry(json!({"id": "x", "manager": "compose", "compose": "z"})).unwrap();
        assert_eq!((compose.compose_service(), compose.unit()), ("z", "x"));
        assert!(ServiceEntry::of(None, "x").unwrap_err().message().contains("no service of the name `x`"));
    }
}
