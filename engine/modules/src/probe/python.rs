//! `python`: what a Python has installed.

use std::collections::BTreeMap;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_line, hand_word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::args::OneOrMany;
use crate::support::by_hand::path_word;
use crate::support::paths::{resolve, resource};
use crate::support::tool::Tool;

pub(crate) struct Python;

/// Looks which version a Python is, and whether packages are there in the versions that are wanted.
///
/// Without `expect` the step is ok if it is new enough and nothing is missing, unsatisfied or cannot be found to import. Versions are read
/// from what is installed; no package is run.
///
/// The Python is started isolated: what the folder, the user's home or `PYTHONPATH` would add is not seen, and nothing is written. The
/// packages of a virtual environment are seen through its own `bin/python`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The program: a name, or a path such as `.venv/bin/python`; relative ones start at the project root. Default: `python3`.
    #[serde(default = "python3")]
    #[schemars(length(min = 1))]
    interpreter: String,
    /// The version that it must have at least, in quotes, such as `"3.11"`. Default: any.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+){0,2}$"))]
    at_least: Option<String>,
    /// Packages, as they are written in requirements: `fastapi`, `uvicorn>=0.20`. Default: none.
    #[serde(default)]
    packages: Option<OneOrMany>,
    /// Modules that it must be able to find, as they are imported: `uvicorn`, `google.protobuf`. Default: none.
    #[serde(default)]
    modules: Option<OneOrMany>,
    /// A requirements file that must be satisfied, with those that it includes. Default: none.
    #[serde(default)]
    requirements: Option<String>,
}

fn python3() -> String {
    "python3".to_owned()
}

/// What it has.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Out {
    /// Its version, such as `3.11.7`.
    version: String,
    /// The program itself.
    executable: String,
    /// The folder that its packages are below.
    prefix: String,
    /// Whether it belongs to a virtual environment.
    venv: bool,
    /// Whether it has at least the version of `at_least`; null if none was asked for.
    #[serde(default)]
    new_enough: Option<bool>,
    /// The packages that were asked for with the versions they have; null for what is missing.
    packages: BTreeMap<String, Option<String>>,
    /// The packages that are not installed.
    missing: Vec<String>,
    /// The packages that are installed in a version that does not do.
    unsatisfied: Vec<Unsatisfied>,
    /// The modules that it does not find.
    unimportable: Vec<String>,
    /// Requirements that could not be judged, such as a URL or a folder.
    unchecked: Vec<String>,
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    unreadable: Option<String>,
}

/// A package in the wrong version.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Unsatisfied {
    /// The package.
    name: String,
    /// The versions that would do, such as `>=0.20`.
    wanted: String,
    /// The version it has.
    found: String,
}

const LOOK: &str = include_str!("../support/python_look.py");

impl Probe for Python {
    const NAME: &'static str = "python";
    const MAIN: Option<&'static str> = Some("packages");
    const VERDICT: &'static str =
        "missing | length == 0 and unsatisfied | length == 0 and unimportable | length == 0 and new_enough != false";
    const SAYS: &'static str = "Python {{ version }}, {{ packages | length }} packages looked at";
    const COLUMNS: &'static [&'static str] = &["version"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "It is new enough", yaml: "python: { at_least: '3.5' }\n", runs: false },
        Example {
            title: "What a service is written for is installed in its own environment",
            yaml: "python: { interpreter: services/api-gateway/.venv/bin/python, requirements: services/api-gateway/requirements.lock }\n",
            runs: false,
        },
        Example { title: "Two packages, one in the right version", yaml: "python: [fastapi, 'uvicorn>=0.20']\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let python = path_word(&args.or("interpreter", "python3"));
        let name = |text: String| text.split(['<', '>', '=', '!', '~', '[', ';', ' ']).next().unwrap_or_default().to_owned();
        let packages: Vec<String> = args.list("packages").into_iter().map(name).filter(|n| !n.is_empty()).collect();
        let mut hand = ByHand::run(format!("{python} --version"));
        if !packages.is_empty() {
            hand = hand.and(format!("{python} -m pip show -- {}", hand_line(&packages)));
        }
        if let Some(file) = args.text("requirements") {
            hand = hand.and(format!("{python} -m pip install --dry-run -r {}", path_word(&file)));
        }
        for module in args.list("modules") {
            let script = "import importlib.util, sys; print(importlib.util.find_spec(sys.argv[1]))";
            hand = hand.and(format!("{python} -I -c {} {}", hand_word(script), hand_word(&module)));
        }
        hand.expect("the version that is wanted, each package found, and nothing that pip would install")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads(args.requirements.iter().map(|r| resource(r)))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let bad = |v: &String| v.split('.').count() > 3 || v.split('.').any(|p| p.is_empty() || p.parse::<u32>().is_err());
        match &args.at_least {
            Some(version) if bad(version) => Err(Fault::invalid("at_least", format!("`{version}` is no version such as `3.11`"))),
            _ => Ok(()),
        }
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Python::check(args)?;
        let requirements = args.requirements.as_ref().map(|r| resolve(cx, "requirements", r)).transpose()?;
        let asked = json!({
            "at_least": args.at_least,
            "packages": args.packages.clone().unwrap_or_default().0,
            "modules": args.modules.clone().unwrap_or_default().0,
            "requirements": requirements.map(|r| r.display().to_string()),
        });
        let python = match args.interpreter.contains('/') {
            true => resolve(cx, "interpreter", &args.interpreter)?.display().to_string(),
            false => args.interpreter.clone(),
        };
        let tool = Tool::new(&python, "say with `interpreter` where it is");
        let said = tool.ask(&["-I", "-B", "-c", LOOK, &asked.to_string()], cx).await?;
        let out: Out = serde_json::from_str(said.out.trim()).ok().filter(|_| said.good()).ok_or_else(|| {
            Fault::cannot_tell(format!("`{python}` did not answer as Python 3.8 or newer does: {}", said.why()))
        })?;
        match &out.unreadable {
            Some(why) => Err(Fault::unmet(format!("the requirements cannot be read: {why}"))),
            None => Ok(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn look(host: &TestHost, json: Json) -> Result<Out, Fault> {
        Python::observe(&args(json), &host.cx()).await
    }

    /// A virtual environment with two packages that were never built.
    fn environment(host: &TestHost) -> Option<String> {
        if !runbook_servers::have("python3") {
            return None;
        }
        let mut made = std::process::Command::new("python3");
        made.args(["-m", "venv", "--without-pip", "env"]).current_dir(host.root());
        let made = made.status().unwrap();
        assert!(made.success());
        let lib = std::fs::read_dir(host.file("env/lib")).unwrap().flatten().next().unwrap().path().join("site-packages");
        for (name, version) in [("alpha", "1.5.0"), ("beta", "2.0")] {
            let info = lib.join(format!("{name}-{version}.dist-info"));
            std::fs::create_dir_all(&info).unwrap();
            std::fs::write(info.join("METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")).unwrap();
        }
        std::fs::write(lib.join("alpha.py"), "open('ran', 'w')\n").unwrap();
        Some("env/bin/python".to_owned())
    }

    #[tokio::test]
    async fn packages_are_found_with_their_versions() {
        let host = TestHost::new();
        let Some(python) = environment(&host) else { return };
        let out = look(&host, json!({"interpreter": python, "packages": ["alpha", "beta==2.0"], "modules": ["alpha", "json"]}))
            .await
            .unwrap();
        assert_eq!(out.packages["alpha"].as_deref(), Some("1.5.0"));
        assert!(out.venv && out.missing.is_empty() && out.unsatisfied.is_empty() && out.unimportable.is_empty(), "{out:?}");
        assert!(!host.file("ran").exists(), "no package is run");
        let out = look(&host, json!({"interpreter": python, "packages": ["gamma", "beta==3.0"], "modules": "delta.sub"}))
            .await
            .unwrap();
        assert_eq!((out.missing, out.unimportable), (vec!["gamma".to_owned()], vec!["delta.sub".to_owned()]));
        assert_eq!(out.unsatisfied, [Unsatisfied { name: "beta".into(), wanted: "==3.0".into(), found: "2.0".into() }]);
    }

    #[tokio::test]
    async fn requirements_are_followed() {
        let host = TestHost::new();
        let Some(python) = environment(&host) else { return };
        host.write("req/base.txt", "beta==2.0\n-r more.txt\n");
        host.write(
            "req/more.txt",
            "# a comment\nalpha==1.4.0  # too old\n\nomega==1 \\\n  --hash=sha256:00\n-e ./here\n--no-index\n",
        );
        let out = look(&host, json!({"interpreter": python, "requirements": "req/base.txt"})).await.unwrap();
        assert_eq!((out.missing, out.unchecked), (vec!["omega".to_owned()], vec!["-e ./here".to_owned()]));
        assert_eq!((out.unsatisfied.len(), out.unsatisfied[0].name.as_str()), (1, "alpha"));
        let fault = look(&host, json!({"interpreter": python, "requirements": "none.txt"})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("none.txt")), "{fault:?}");
    }

    #[tokio::test]
    async fn versions_and_what_is_no_python() {
        let host = TestHost::new();
        if !runbook_servers::have("python3") {
            return;
        }
        for (wanted, good) in [("3", true), ("3.5", true), ("3.999", false)] {
            assert_eq!(look(&host, json!({"at_least": wanted})).await.unwrap().new_enough, Some(good), "{wanted}");
        }
        let fault = look(&host, json!({"at_least": "three"})).await.unwrap_err();
        assert!(matches!(fault, Fault::Invalid { .. }), "{fault:?}");
        for none in ["no-such-python", "true", "./none/python"] {
            let fault = look(&host, json!({"interpreter": none})).await.unwrap_err();
            assert!(matches!(fault, Fault::CannotTell { .. }), "{none}: {fault:?}");
        }
    }
}
