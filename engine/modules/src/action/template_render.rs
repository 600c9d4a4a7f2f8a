//! `template.render`: writes a file from a template.

use std::path::PathBuf;
use std::sync::Arc;

use runbook_core::diff;
use runbook_core::expr::{MapScope, Template};
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use runbook_core::span::{SourceId, Span, TextMap};
use runbook_core::value::{Map, Size, format_size, from_json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::support::args::Mode;
use crate::support::atomic::{Draft, back_up};
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{check_parent, fault, look, make_parents, resolve, resource, tidy};

pub(crate) struct TemplateRender;

/// Writes a file from a template with values.
///
/// The template is a text with holes: `{{ expression }}` is replaced by its value, and everything else stays as it is. Expressions are those of playbooks, with all their
/// filters and functions, over the names in `vars` and nothing else. There are no loops, conditions or comments (`{% %}`, `{# #}`): a list is written with
/// `join`, a choice with `if … else` inside the braces. `{% raw %}…{% endraw %}` keeps braces as they are.
///
/// It is strict: a name that is not in `vars` is a mistake with its place, and nothing is written. The file is written whole or not at all. Nothing changes if it already
/// says so; a dry run shows the difference.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The template's file; relative paths start at the project root.
    #[schemars(length(min = 1))]
    template: String,
    /// The file to write.
    #[schemars(length(min = 1))]
    to: String,
    /// The values, by the names that the template uses. Default: none.
    #[serde(default)]
    vars: serde_json::Map<String, Json>,
    /// The permissions in octal, such as `"0644"`. Default: those of the existing file, or of any new file.
    #[serde(default)]
    mode: Option<Mode>,
    /// Whether to keep the old file next to it, as `NAME.20260215T142345Z.bak`. Default: false.
    #[serde(default)]
    backup: bool,
    /// Whether to create missing folders on the way. Default: false.
    #[serde(default)]
    parents: bool,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The file, as an absolute path.
    path: String,
    /// Whether it did not exist before.
    created: bool,
    /// Its size now.
    size: Size,
    /// Where the old file was kept; null if it was not.
    backup: Option<String>,
}

/// The largest template.
const LARGEST: u64 = 4 << 20;

struct Task {
    place: PathBuf,
    old: Option<(std::fs::Metadata, Vec<u8>)>,
    new: String,
    mode: Option<Mode>,
}

/// The template with its holes filled.
fn render(text: &str, vars: &serde_json::Map<String, Json>, now: jiff::Timestamp, name: &str) -> Result<String, Fault> {
    let place = |at: usize| {
        let before = text.get(..at.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{name}:{line}:{column}")
    };
    let whole = Span::new(SourceId::default(), 0, text.len());
    let template = Template::parse(text, whole, SourceId::default(), &Arc::new(TextMap::contiguous(0))).map_err(|e| {
        Fault::unmet(format!(
            "{}: {}{}",
            place(e.range.start as usize),
            e.message,
            e.help.map(|h| format!("; {h}")).unwrap_or_default()
        ))
    })?;
    let map: Map = vars.iter().map(|(k, v)| (k.clone(), from_json(v.clone()))).collect();
    let value = template.render(&MapScope { map: Arc::new(map), now }).map_err(|(e, span)| {
        let help = if e.undefined { "; give it in `vars`" } else { "" };
        Fault::unmet(format!("{}: {}{help}", place(span.start as usize), e.message))
    })?;
    Ok(match value.bare() {
        runbook_core::value::Value::Str(text) => text.to_string(),
        other => other.to_string(),
    })
}

async fn task(args: &Args, cx: &Cx<'_>) -> Result<Task, Fault> {
    let (template, to) = (resolve(cx, "template", &args.template)?, resolve(cx, "to", &args.to)?);
    let (vars, parents, mode, now) = (args.vars.clone(), args.parents, args.mode, cx.now());
    blocking(cx.timeout, move |_| {
        let size = std::fs::metadata(&template).map_err(|e| fault(&template, &e))?.len();
        if size > LARGEST {
            return Err(Fault::unmet(format!("{} is larger than 4 MiB", template.display())));
        }
        let text = std::fs::read(&template).map_err(|e| fault(&template, &e))?;
        let text = String::from_utf8(text).map_err(|_| Fault::unmet(format!("{} is not UTF-8", template.display())))?;
        let new = render(&text, &vars, now, &template.display().to_string())?;
        let place = match look(&to)? {
            Some(meta) if meta.is_symlink() => std::fs::canonicalize(&to).map_err(|e| fault(&to, &e))?,
            _ => to,
        };
        let old = match look(&place)? {
            None => {
                check_parent(&place, parents)?;
                None
            }
            Some(meta) if !meta.is_file() => return Err(Fault::unmet(format!("{} is not a regular file", place.display()))),
            Some(meta) => {
                let bytes = std::fs::read(&place).map_err(|e| fault(&place, &e))?;
                Some((meta, bytes))
            }
        };
        use std::os::unix::fs::MetadataExt;
        let mode = mode.filter(|m| old.as_ref().is_none_or(|(meta, _)| Mode::of(meta.mode()) != *m));
        Ok(Task { place, old, new, mode })
    })
    .await
}

impl Task {
    fn same(&self) -> bool {
        self.old.as_ref().is_some_and(|(_, bytes)| *bytes == self.new.as_bytes())
    }

    fn is_done(&self) -> bool {
        self.same() && self.mode.is_none()
    }
}

impl Action for TemplateRender {
    const NAME: &'static str = "template.render";
    const SAYS: &'static str = "{{ path }} ({{ size }})";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The configuration of a service from the inventory",
            yaml: "template.render:\n  template: templates/nginx.conf\n  to: /etc/nginx/conf.d/app.conf\n  vars: { port: 7000, names: [a.example.com, b.example.com] }\n  backup: true\n",
            runs: false,
        },
        Example {
            title: "A text without holes is a template too",
            yaml: "template.render: { template: /etc/hostname, to: '{tmp}/hostname', mode: '0600' }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (template, to) = (by_hand::path(args, "template"), by_hand::path(args, "to"));
        let mut hand = ByHand::default().and_if(by_hand::make_parents(args, "to")).and_if(by_hand::keep(args, "to"));
        hand = hand.and(format!("cp -T {template} {to}")).and(format!("${{EDITOR:-vi}} {to}"));
        for (name, value) in args.pairs("vars") {
            hand = hand.note(format!(
                "Where `{}` stands in double braces, write {}.",
                name.replace('\n', " "),
                hand_word(&value).replace('\n', " ")
            ));
        }
        hand.and_if(by_hand::mode(args, &to))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.to)]).and_reads(resource(&args.template)).needing(Need::Write(tidy(&args.to)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if tidy(&args.template) == tidy(&args.to) {
            return Err(Fault::invalid("to", "the template would be overwritten"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let task = task(args, cx).await?;
        let name = task.place.display().to_string();
        if task.is_done() {
            return Ok(Forecast::nothing(format!("{name} already says so")));
        }
        let because = match &task.old {
            None => "it does not exist",
            Some(_) if task.same() => "its mode differs",
            Some(_) => "its content differs",
        };
        let mut forecast = Forecast::would(format!("write {name} with {}", format_size(task.new.len() as u64)), because);
        let old = task.old.as_ref().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        forecast.diff = diff::unified(&name, old.as_deref(), &task.new);
        Ok(forecast)
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let task = task(args, cx).await?;
        let (backup, now) = (args.backup, cx.now());
        blocking(cx.timeout, move |stop| {
            stop.check()?;
            let mut out = Out {
                path: task.place.display().to_string(),
                created: task.old.is_none(),
                size: Size(task.new.len() as u64),
                backup: None,
            };
            if task.is_done() {
                return Ok(Done::unchanged(out));
            }
            make_parents(&task.place)?;
            let mut draft = Draft::new(&task.place)?;
            draft.write(task.new.as_bytes())?;
            if let Some((meta, _)) = &task.old {
                draft.take_after(meta)?;
                if backup && !task.same() {
                    out.backup = Some(back_up(&task.place, now)?.display().to_string());
                }
            }
            if let Some(mode) = task.mode {
                draft.set_mode(mode)?;
            }
            draft.put()?;
            Ok(Done::changed(out))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: Json) -> Result<Done<Out>, Fault> {
        let args: Args = args(json);
        TemplateRender::check(&args)?;
        TemplateRender::apply(&args, &host.change()).await
    }

    #[tokio::test]
    async fn holes_are_filled_and_the_rest_stays() {
        let host = TestHost::new();
        host.write(
            "t.conf",
            "# {port}\nlisten {{ port + 1 }};\nserver_name {{ names | join(' ') }};\n{% raw %}{{ kept }}{% endraw %}\n",
        );
        let asked = json!({ "template": "t.conf", "to": "out/a.conf", "vars": { "port": 7000, "names": ["a", "b"] }, "parents": true, "mode": "0600", "backup": true });
        let forecast = TemplateRender::plan(&args(asked.clone()), &host.cx()).await.unwrap();
        assert!(forecast.diff.unwrap().contains("+listen 7001;") && !host.file("out").exists());
        assert!(apply(&host, asked.clone()).await.unwrap().changed);
        let text = std::fs::read_to_string(host.file("out/a.conf")).unwrap();
        assert_eq!(text, "# {port}\nlisten 7001;\nserver_name a b;\n{{ kept }}\n");
        assert!(!apply(&host, asked.clone()).await.unwrap().changed);
        let mut other = asked;
        other["vars"]["port"] = json!(8000);
        let done = apply(&host, other).await.unwrap();
        assert_eq!(std::fs::read_to_string(done.out.backup.unwrap()).unwrap(), text);
    }

    #[tokio::test]
    async fn a_slip_writes_nothing_and_has_a_place() {
        let host = TestHost::new();
        for (text, place) in [
            ("a\n b {{ gone }}\n", ":2:"),
            ("x\n{{ port + 'a' }}", ":2:"),
            ("{{ port", ":1:"),
            ("{% if port %}x{% endif %}", ":1:"),
        ] {
            host.write("t", text);
            let fault = apply(&host, json!({ "template": "t", "to": "o", "vars": { "port": 1 } })).await.unwrap_err();
            assert!(
                matches!(&fault, Fault::Unmet { message, .. } if message.contains(&format!("t{place}"))),
                "{text}: {fault:?}"
            );
            assert!(!host.file("o").exists());
        }
        assert!(matches!(apply(&host, json!({ "template": "gone", "to": "o" })).await, Err(Fault::Unmet { .. })));
        assert!(matches!(apply(&host, json!({ "template": "t", "to": "./t" })).await, Err(Fault::Invalid { .. })));
        host.write("t", "x");
        host.write("d/x", "");
        assert!(matches!(apply(&host, json!({ "template": "t", "to": "d" })).await, Err(Fault::Unmet { .. })));
    }
}
