//! `env`: whether environment variables are set.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches, hand_line, hand_word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::docker;
use crate::support::paths::{fault, reason, resolve, resource};
use crate::support::process;
use crate::support::service_files::{PidFile, read_pid_file};

pub(crate) struct Env;

/// Looks whether environment variables are set: of the engine, a process, a container or a file.
///
/// Without `expect` the step is ok if all of them are set, none is empty, and those of `format` fit. Values are never shown, since most
/// of what is asked for here is a password or key; only their length is.
///
/// What the terminal has in its environment says nothing about a service: it has what it was started with. Give `pid` or `pid_file` for a
/// process (it is the environment it began with, which only its user and root may read), `container` for a container (what it
/// was created with), or `file` for a file such as `.env` that a service reads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The name of a variable, or several.
    names: OneOrMany,
    /// The id of the process whose environment is looked at. Default: none.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pid: Option<u32>,
    /// The file that holds the id of that process; relative ones start at the project root. Default: none.
    #[serde(default)]
    pid_file: Option<String>,
    /// The name or id of the container whose environment is looked at. Default: none.
    #[serde(default)]
    container: Option<String>,
    /// A file of lines `NAME=value` to look at instead of the environment; `export`, comments and quotes are understood. Default: none.
    #[serde(default)]
    file: Option<String>,
    /// Names with a regular expression that the value must hold, such as `{GROQ_API_KEY: '^gsk_'}`. Default: none.
    #[serde(default)]
    format: BTreeMap<String, String>,
    /// Whether to give the values too. They are then in the result, the journal and the reports. Default: false.
    #[serde(default)]
    show: bool,
}

/// What is set.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The names that are set, also those that are empty.
    present: Vec<String>,
    /// The names that are not set.
    missing: Vec<String>,
    /// The names that are set to nothing.
    empty: Vec<String>,
    /// The names whose value does not fit its `format`.
    unfit: Vec<String>,
    /// Each name with what is known of it.
    vars: BTreeMap<String, Var>,
    /// Whose environment it is: `engine`, `process`, `container` or `file`.
    source: String,
    /// The process, if it is one's; else null.
    pid: Option<u32>,
    /// The file that was read, as an absolute path; null if it was none.
    file: Option<String>,
}

/// A variable.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Var {
    /// Whether it is set.
    present: bool,
    /// The number of characters of its value; null if it is not set.
    length: Option<u64>,
    /// Whether its value fits its `format`; null if it has none or is not set.
    fits: Option<bool>,
    /// Its value; null unless `show` is set.
    value: Option<String>,
}

impl Args {
    /// The process that is meant, if one is.
    fn process(&self, cx: &Cx<'_>) -> Result<Option<u32>, Fault> {
        let Some(file) = &self.pid_file else { return Ok(self.pid) };
        let path = resolve(cx, "pid_file", file)?;
        match read_pid_file(&path) {
            Ok(PidFile::Number(pid)) => Ok(Some(pid)),
            Ok(PidFile::Absent) => Err(Fault::unmet(format!("there is no pid file `{}`", path.display()))),
            Ok(PidFile::Garbage) => Err(Fault::unmet(format!("`{}` holds no process id", path.display()))),
            Err(e) => Err(fault(&path, &e)),
        }
    }

    fn formats(&self) -> Result<BTreeMap<&str, Regex>, Fault> {
        let bad = |(name, text): (&String, &String)| Some((name.clone(), Regex::new(text).err()?));
        if let Some((name, error)) = self.format.iter().find_map(bad) {
            return Err(Fault::invalid("format", format!("`{name}`: {error}")));
        }
        Ok(self.format.iter().filter_map(|(name, text)| Some((name.as_str(), Regex::new(text).ok()?))).collect())
    }
}

/// The environment that a process began with.
fn of_process(pid: u32) -> Result<BTreeMap<String, String>, Fault> {
    let look = process::look(pid).map_err(|e| Fault::cannot_tell(format!("pid {pid} cannot be looked at: {e}")))?;
    if look.is_none_or(|l| l.ended()) {
        return Err(Fault::unmet(format!("pid {pid} is not running")));
    }
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).map_err(|e| {
        Fault::cannot_tell(format!("the environment of pid {pid} may not be read ({}); run as its user or as root", reason(&e)))
    })?;
    let pairs = bytes.split(|b| *b == 0).filter_map(|pair| {
        let text = String::from_utf8_lossy(pair);
        text.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()))
    });
    Ok(pairs.collect())
}

/// The environment that a container was created with.
async fn of_container(name: &str, cx: &Cx<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let said = docker::ask(&["container", "inspect", "--format", "{{json .Config.Env}}", "--", name], cx).await?;
    if !said.good() {
        return Err(match said.err.contains("o such container") {
            true => Fault::unmet(format!("there is no container `{name}`")),
            false => Fault::cannot_tell(format!("`docker inspect`: {}", said.why())),
        });
    }
    let all: Option<Vec<String>> = serde_json::from_str(said.out.trim())
        .map_err(|_| Fault::cannot_tell("`docker inspect` said something that cannot be read"))?;
    Ok(all.unwrap_or_default().iter().filter_map(|p| p.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
}

impl Probe for Env {
    const NAME: &'static str = "env";
    const MAIN: Option<&'static str> = Some("names");
    const VERDICT: &'static str = "missing | length == 0 and empty | length == 0 and unfit | default([]) | length == 0";
    const SAYS: &'static str = "{{ present | join(', ') }} set";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A variable is set", yaml: "env: PATH\n", runs: true },
        Example { title: "Keys that a service needs", yaml: "env: [GROQ_API_KEY, JWT_SECRET]\n", runs: false },
        Example {
            title: "In the process of the service, and in the form that such keys have",
            yaml: "env: { names: GROQ_API_KEY, pid_file: state/pids/rose.pid, format: { GROQ_API_KEY: '^gsk_[A-Za-z0-9]{20,}$' } }\n",
            runs: false,
        },
        Example {
            title: "In the container",
            yaml: "env: { names: [JWT_SECRET, POSTGRES_PASSWORD], container: gateway-api }\n",
            runs: false,
        },
        Example {
            title: "In the file that the service reads",
            yaml: "env: { names: [DATABASE_URL, REDIS_URL], file: .env }\nexpect:\n  - missing == []\n  - vars.DATABASE_URL.length > 10\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let names = hand_line(args.list("names"));
        let file = args.text("file").map(|file| by_hand::path_word(&file));
        let pid = args
            .text("pid_file")
            .map(|f| format!("\"$(cat {})\"", by_hand::path_word(&f)))
            .or_else(|| args.text("pid").map(|p| hand_word(&p)));
        let source = match (file, pid, args.text("container")) {
            (Some(file), ..) => Some(format!("cat {file}")),
            (_, Some(pid), _) => Some(format!("tr '\\0' '\\n' < /proc/{pid}/environ")),
            (_, _, Some(name)) => Some(format!(
                "docker inspect --format '{{{{range .Config.Env}}}}{{{{println .}}}}{{{{end}}}}' -- {}",
                hand_word(&name)
            )),
            _ => None,
        };
        match source {
            Some(source) => {
                let test = "grep -q -E \"^(export +)?$name=.\" && echo \"$name is set\"";
                ByHand::run(format!("for name in {names}; do {source} | {test}; done"))
            }
            None => ByHand::run(format!("for name in {names}; do printenv \"$name\" | grep -q . && echo \"$name is set\"; done")),
        }
        .expect("each of them is said to be set")
    }

    fn touches(args: &Args) -> Touches {
        let mut reads: Vec<Resource> = args.file.iter().chain(&args.pid_file).map(|f| resource(f)).collect();
        reads.extend(args.pid.map(|pid| Resource::new("process", pid)));
        reads.extend(args.container.as_ref().map(|name| Resource::new("container", name)));
        Touches::reads(reads)
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if let Some(bad) = args.names.0.iter().find(|n| n.is_empty() || n.contains(['=', '\0'])) {
            return Err(Fault::invalid("names", format!("{bad:?} cannot be the name of a variable")));
        }
        let sources = [args.pid.is_some(), args.pid_file.is_some(), args.container.is_some(), args.file.is_some()];
        if sources.iter().filter(|s| **s).count() > 1 {
            return Err(Fault::invalid("names", "give only one of `pid`, `pid_file`, `container` and `file`"));
        }
        if let Some(other) = args.format.keys().find(|n| !args.names.0.contains(n)) {
            return Err(Fault::invalid("format", format!("`{other}` is not among `names`")));
        }
        args.formats().map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Env::check(args)?;
        let formats = args.formats()?;
        let mut out = Out { source: "engine".to_owned(), ..Out::default() };
        let found = match (&args.file, args.process(cx)?, &args.container) {
            (Some(file), ..) => {
                let path = resolve(cx, "file", file)?;
                (out.source, out.file) = ("file".to_owned(), Some(path.display().to_string()));
                Some(blocking(cx.timeout, move |_| read(&path)).await?)
            }
            (None, Some(pid), _) => {
                (out.source, out.pid) = ("process".to_owned(), Some(pid));
                Some(of_process(pid)?)
            }
            (None, None, Some(name)) => {
                out.source = "container".to_owned();
                Some(of_container(name, cx).await?)
            }
            (None, None, None) => None,
        };
        for name in &args.names.0 {
            let value = match &found {
                Some(found) => found.get(name).cloned(),
                None => cx.env(name),
            };
            let list = if value.is_some() { &mut out.present } else { &mut out.missing };
            if !list.contains(name) {
                list.push(name.clone());
            }
            if value.as_deref() == Some("") && !out.empty.contains(name) {
                out.empty.push(name.clone());
            }
            let fits = formats.get(name.as_str()).zip(value.as_deref()).map(|(regex, value)| regex.is_match(value));
            if fits == Some(false) && !out.unfit.contains(name) {
                out.unfit.push(name.clone());
            }
            let var = Var {
                fits,
                present: value.is_some(),
                length: value.as_ref().map(|v| v.chars().count() as u64),
                value: value.filter(|_| args.show),
            };
            out.vars.insert(name.clone(), var);
        }
        Ok(out)
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, String>, Fault> {
    let bytes = std::fs::read(path).map_err(|e| fault(path, &e))?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

/// The variables of a file such as `.env`; the last of a name counts, as in a shell.
fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            if line.starts_with('#') {
                return None;
            }
            let (name, value) = line.split_once('=')?;
            Some((name.trim().to_owned(), unquote(value.trim())))
        })
        .collect()
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inside, rest)) = value.strip_prefix(quote).and_then(|v| v.split_once(quote))
            && (rest.trim().is_empty() || rest.trim_start().starts_with('#'))
        {
            return inside.to_owned();
        }
    }
    // A comment needs a space before it: `#` may be part of a password.
    value.split_once(" #").map_or(value, |(v, _)| v).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    #[tokio::test]
    async fn values_are_not_shown() {
        let host = TestHost::new();
        host.set_env("A_KEY", Some("hünter2"));
        host.set_env("B_KEY", Some(""));
        host.set_env("C_KEY", None);
        let out = Env::observe(&args(json!({ "names": ["A_KEY", "B_KEY", "C_KEY"] })), &host.cx()).await.unwrap();
        assert_eq!(
            (&out.present, &out.missing, &out.empty),
            (&vec!["A_KEY".to_owned(), "B_KEY".into()], &vec!["C_KEY".into()], &vec!["B_KEY".into()])
        );
        assert_eq!(out.vars["A_KEY"].length, Some(7));
        assert!(!serde_json::to_string(&out).unwrap().contains("hünter2"));
        let out = Env::observe(&args(json!({ "names": "A_KEY", "show": true })), &host.cx()).await.unwrap();
        assert_eq!(out.vars["A_KEY"].value.as_deref(), Some("hünter2"));
    }

    #[tokio::test]
    async fn a_file_in_place_of_the_environment() {
        let host = TestHost::new();
        host.set_env("ONLY_ENV", Some("x"));
        host.write(".env", "# c\nexport A=1\nB = \"two # words\" # c\nC='x'\nD=pass#word # c\nE=\n#F=1\nnonsense\nA=2\n");
        let json = json!({ "names": ["A", "B", "C", "D", "E", "F", "ONLY_ENV"], "file": ".env", "show": true });
        let out = Env::observe(&args(json), &host.cx()).await.unwrap();
        let value = |n: &str| out.vars[n].value.clone();
        assert_eq!((value("A"), value("B"), value("C")), (Some("2".into()), Some("two # words".into()), Some("x".into())));
        assert_eq!(value("D"), Some("pass#word".into()));
        assert_eq!(
            (out.empty.as_slice(), out.missing.as_slice()),
            (&["E".to_owned()][..], &["F".to_owned(), "ONLY_ENV".into()][..])
        );
    }

    #[tokio::test]
    async fn what_cannot_be_asked() {
        let host = TestHost::new();
        let fault = Env::observe(&args(json!({ "names": "A", "file": "gone" })), &host.cx()).await.unwrap_err();
        assert!(matches!(fault, Fault::Unmet { .. }), "{fault:?}");
        for bad in ["", "A=B"] {
            let fault = Env::observe(&args(json!({ "names": bad })), &host.cx()).await.unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{fault:?}");
        }
    }

    /// T42, T43: the naive command prints the secret, and it is that of the operator's terminal.
    #[tokio::test]
    async fn t42_t43_the_environment_of_the_process_is_told_without_its_values() {
        use crate::support::testing::settled;
        use runbook_core::module::Daemon;
        let host = TestHost::new();
        let secret = "gsk_0123456789abcdef0123";
        let started = Daemon {
            argv: ["sleep", "2042"].map(str::to_owned).to_vec(),
            env: vec![("RB_T42_KEY".to_owned(), secret.to_owned()), ("RB_T42_EMPTY".to_owned(), String::new())],
            cwd: Some(host.root().to_owned()),
            ..Daemon::default()
        };
        let pid = host.change().spawn(started).unwrap().pid;
        settled(pid).await;
        // What is typed in a terminal knows nothing of the service; and where it does, it prints all of it.
        let naive = std::process::Command::new("sh").args(["-c", "env | grep RB_T42_KEY"]).output().unwrap();
        assert!(!naive.status.success());
        let naive =
            std::process::Command::new("sh").args(["-c", "env | grep RB_T42_KEY"]).env("RB_T42_KEY", secret).output().unwrap();
        assert!(String::from_utf8_lossy(&naive.stdout).contains(secret));

        host.write("x.pid", format!("{pid}\n"));
        let names = ["RB_T42_KEY", "RB_T42_EMPTY", "RB_T42_NONE"];
        for whose in [json!({ "pid": pid }), json!({ "pid_file": "x.pid" })] {
            let mut call = json!({ "names": names, "format": { "RB_T42_KEY": "^gsk_[a-z0-9]{20}$" } });
            whose.as_object().unwrap().iter().for_each(|(k, v)| call[k] = v.clone());
            let out = serde_json::to_value(Env::observe(&args(call), &host.cx()).await.unwrap()).unwrap();
            assert_eq!((&out["present"], &out["missing"]), (&json!(["RB_T42_KEY", "RB_T42_EMPTY"]), &json!(["RB_T42_NONE"])));
            assert_eq!((&out["source"], &out["vars"]["RB_T42_KEY"]["length"]), (&json!("process"), &json!(24)));
            assert_eq!((&out["vars"]["RB_T42_KEY"]["fits"], &out["unfit"]), (&json!(true), &json!([])));
            assert!(!out.to_string().contains(&secret[..6]), "{out}");
        }
        let call = json!({ "names": "RB_T42_KEY", "pid": pid, "format": { "RB_T42_KEY": "^sk-" } });
        let out = Env::observe(&args(call), &host.cx()).await.unwrap();
        assert_eq!(out.unfit, ["RB_T42_KEY"]);
        let out = Env::observe(&args(json!({ "names": "RB_T42_KEY" })), &host.cx()).await.unwrap();
        assert_eq!((out.missing, out.source.as_str()), (vec!["RB_T42_KEY".to_owned()], "engine"), "the engine's own has none");
        for bad in [
            json!({ "names": "A", "pid": pid, "file": ".env" }),
            json!({ "names": "A", "format": { "B": "x" } }),
            json!({ "names": "A", "format": { "A": "(" } }),
        ] {
            let fault = Env::observe(&args(bad), &host.cx()).await.unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{fault:?}");
        }
        for gone in [json!({ "names": "A", "pid_file": "none.pid" }), json!({ "names": "A", "pid": 4_194_000 })] {
            let fault = Env::observe(&args(gone), &host.cx()).await.unwrap_err();
            assert!(matches!(fault, Fault::Unmet { .. }), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn t43_the_environment_of_a_container() {
        let Some(docker) = runbook_servers::Docker::start() else { return };
        let host = TestHost::new();
        let name = docker.container("env", &["-e", "RB_KEY=secret-of-it"], "exec /bin/busybox sleep 1000");
        let out = Env::observe(&args(json!({ "names": ["RB_KEY", "RB_NONE"], "container": name })), &host.cx()).await.unwrap();
        assert_eq!((out.present.as_slice(), out.missing.as_slice()), (&["RB_KEY".to_owned()][..], &["RB_NONE".to_owned()][..]));
        assert_eq!((out.source.as_str(), out.vars["RB_KEY"].length), ("container", Some(12)));
        assert!(!serde_json::to_string(&out).unwrap().contains("secret-of-it"));
        let fault = Env::observe(&args(json!({ "names": "A", "container": "runbook-test-none" })), &host.cx()).await.unwrap_err();
        assert!(matches!(fault, Fault::Unmet { .. }), "{fault:?}");
    }
}
