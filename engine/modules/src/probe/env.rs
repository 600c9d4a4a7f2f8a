//! `env`: whether environment variables are set.

use std::collections::BTreeMap;
use std::path::Path;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_line};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{fault, resolve, resource};

pub(crate) struct Env;

/// Looks whether environment variables are set.
///
/// Without `expect` the step is ok if all of them are set and none is empty. Values are never shown, since most of what is asked for here is
/// a password or key; only their length is. With `file` the variables of a file such as `.env` are looked at in place of the environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The name of a variable, or several.
    names: OneOrMany,
    /// A file of lines `NAME=value` to look at instead of the environment; `export`, comments and quotes are understood. Default: none.
    #[serde(default)]
    file: Option<String>,
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
    /// Each name with what is known of it.
    vars: BTreeMap<String, Var>,
    /// The file that was read, as an absolute path; null if it was the environment.
    file: Option<String>,
}

/// A variable.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Var {
    /// Whether it is set.
    present: bool,
    /// The number of characters of its value; null if it is not set.
    length: Option<u64>,
    /// Its value; null unless `show` is set.
    value: Option<String>,
}

impl Probe for Env {
    const NAME: &'static str = "env";
    const MAIN: Option<&'static str> = Some("names");
    const VERDICT: &'static str = "missing | length == 0 and empty | length == 0";
    const SAYS: &'static str = "{{ present | join(', ') }} set";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A variable is set", yaml: "env: PATH\n", runs: true },
        Example { title: "Keys that a service needs", yaml: "env: [GROQ_API_KEY, JWT_SECRET]\n", runs: false },
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
        match args.text("file") {
            Some(file) => {
                let file = by_hand::path_word(&file);
                let line =
                    format!("for name in {names}; do grep -q -E \"^(export +)?$name=.\" {file} && echo \"$name is set\"; done");
                ByHand::run(line)
            }
            None => ByHand::run(format!("for name in {names}; do printenv \"$name\" | grep -q . && echo \"$name is set\"; done")),
        }
        .expect("each of them is said to be set")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads(args.file.as_deref().map(resource))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        match args.names.0.iter().find(|n| n.is_empty() || n.contains(['=', '\0'])) {
            Some(bad) => Err(Fault::invalid("names", format!("{bad:?} cannot be the name of a variable"))),
            None => Ok(()),
        }
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Env::check(args)?;
        let mut out = Out::default();
        let from_file = match &args.file {
            Some(file) => {
                let path = resolve(cx, "file", file)?;
                out.file = Some(path.display().to_string());
                Some(blocking(cx.timeout, move |_| read(&path)).await?)
            }
            None => None,
        };
        for name in &args.names.0 {
            let value = match &from_file {
                Some(file) => file.get(name).cloned(),
                None => cx.env(name),
            };
            let list = if value.is_some() { &mut out.present } else { &mut out.missing };
            if !list.contains(name) {
                list.push(name.clone());
            }
            if value.as_deref() == Some("") && !out.empty.contains(name) {
                out.empty.push(name.clone());
            }
            let var = Var {
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
}
