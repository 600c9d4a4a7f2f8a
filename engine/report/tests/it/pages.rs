//! Reference pages, lists and outlines.

use std::sync::Arc;

use jiff::tz::TimeZone;
use runbook_core::code::Code;
use runbook_core::inputs::Given;
use runbook_core::model::*;
use runbook_core::module::*;
use runbook_core::span::{SourceId, SourceMap, Span, Spanned};
use runbook_core::value::Value;
use runbook_report::{Known, Level, TermPolicy, code_doc, list, modules_doc, runs, show};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::golden::{fits, golden};
use crate::script;

struct Http;

/// Asks a URL over HTTP and tells what came back.
///
/// Redirects are not followed unless `redirects` is given. A refused connection is an answer:
///
/// - the step has failed, not broken
/// - `error` says why
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct HttpArgs {
    /// How long to wait for the whole answer.
    #[serde(default = "five")]
    timeout: runbook_core::value::Duration,
    /// Where to ask.
    url: String,
    /// The method.
    #[serde(default)]
    method: Method,
    /// Headers by name; values may hold templates, such as `{{ env.TOKEN }}`.
    headers: Option<std::collections::BTreeMap<String, String>>,
    /// What must come back.
    body: Option<Body>,
}

fn five() -> runbook_core::value::Duration {
    runbook_core::value::Duration::from_millis(5_000)
}

#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
enum Method {
    /// Reads.
    #[default]
    Get,
    /// Reads the head only.
    Head,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Body {
    /// At most so many bytes are read.
    limit: Option<runbook_core::value::Size>,
}

#[derive(Serialize, JsonSchema)]
struct HttpOut {
    /// The status code.
    status: Option<u16>,
    /// The time to the last byte.
    elapsed: runbook_core::value::Duration,
}

impl Probe for Http {
    const NAME: &'static str = "http";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "status >= 200 and status < 400";
    const EXAMPLES: &'static [Example] = &[Example {
        title: "A health page answers.",
        yaml: "http: http://127.0.0.1:8000/health\nexpect:\n  - status == 200\n",
        runs: false,
    }];
    type Args = HttpArgs;
    type Out = HttpOut;
    fn touches(_: &HttpArgs) -> Touches {
        Touches::default()
    }
    async fn observe(_: &HttpArgs, _: &Cx<'_>) -> Result<HttpOut, Fault> {
        Err(Fault::cannot_tell("a test"))
    }
}

struct Start;

/// Starts a service of the system and waits until it is ready.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct StartArgs {
    /// The service.
    service: String,
}

#[derive(Serialize, JsonSchema)]
struct StartOut {
    /// Its process.
    pid: u32,
}

impl Action for Start {
    const NAME: &'static str = "service.start";
    const MAIN: Option<&'static str> = Some("service");
    const EXAMPLES: &'static [Example] = &[];
    type Args = StartArgs;
    type Out = StartOut;
    fn effect(_: &StartArgs) -> Effect {
        Effect::Change
    }
    fn touches(_: &StartArgs) -> Touches {
        Touches::default()
    }
    fn idempotent(_: &StartArgs) -> bool {
        true
    }
    async fn plan(_: &StartArgs, _: &Cx<'_>) -> Result<Forecast, Fault> {
        Err(Fault::cannot_tell("a test"))
    }
    async fn apply(_: &StartArgs, _: &Change<'_>) -> Result<Done<StartOut>, Fault> {
        Err(Fault::cannot_tell("a test"))
    }
}

fn registry() -> Registry {
    Registry::new([Entry::probe::<Http>(), Entry::action::<Start>()])
}

#[test]
fn modules_have_pages() {
    let registry = registry();
    for width in [40, 80] {
        let policy = TermPolicy::text(width, true);
        let page = modules_doc::page(registry.get("http").expect("registered"), &policy);
        fits(&page, width);
        golden(&format!("module-http-{width}.txt"), &page);
        fits(&modules_doc::list(&registry, &policy), width);
    }
    golden("modules.txt", &modules_doc::list(&registry, &TermPolicy::text(80, true)));
    golden("module-http.md", &modules_doc::page_markdown(registry.get("http").expect("registered")));
    golden("module-service.start.md", &modules_doc::page_markdown(registry.get("service.start").expect("registered")));
    golden("modules.md", &modules_doc::list_markdown(&registry));
    let json: serde_json::Value = serde_json::from_str(&modules_doc::json(&registry)).expect("JSON");
    assert_eq!(json[0]["name"], "http");
}

#[test]
fn codes_and_functions_have_pages() {
    for width in [40, 80] {
        let policy = TermPolicy::text(width, true);
        for code in Code::ALL {
            fits(&code_doc::explain(*code, &policy), width);
        }
        fits(&code_doc::exit_codes(&policy), width);
        fits(&code_doc::functions(&policy), width);
        fits(&code_doc::codes(&policy), width);
        golden(&format!("exit-codes-{width}.txt"), &code_doc::exit_codes(&policy));
    }
    golden("explain-W0105.txt", &code_doc::explain(Code::Unused, &TermPolicy::text(80, true)));
    golden("exit-codes.md", &code_doc::exit_codes_markdown());
    let functions = code_doc::functions_markdown();
    assert!(functions.contains("| `value \\| default([arg])` |"), "{functions}");
    assert!(functions.lines().filter(|l| l.starts_with("| `")).count() == runbook_core::expr::FUNCTIONS.len());
    assert!(code_doc::codes_markdown().contains("## E0201: an unknown key"));
}

fn step(id: &str, body: runbook_core::model::Body) -> Step {
    let span = Span::default();
    Step {
        span,
        body_span: span,
        id: Some(Spanned::new(id.into(), span)),
        name: None,
        tags: vec![],
        links: vec![],
        when: None,
        each: None,
        needs: vec![],
        every: None,
        expect: vec![],
        severity: StepSeverity::Critical,
        grade: None,
        override_ask: false,
        retry: None,
        timeout: None,
        expected_duration: None,
        continue_on_error: None,
        undo: vec![],
        verify: vec![],
        confirm: None,
        effect: None,
        touches: None,
        idempotent: None,
        save: None,
        sensitive: false,
        on: None,
        graded: true,
        body,
    }
}

fn call(name: &str) -> runbook_core::model::Body {
    let span = Span::default();
    let args =
        Arg { span, kind: ArgKind::Map(vec![(Spanned::new("service".into(), span), Arg::literal(Value::str("db"), span))]) };
    runbook_core::model::Body::Module(ModuleCall { name: Spanned::new(name.into(), span), args })
}

fn unit(system: &str, name: &str, title: &str, file: SourceId, contents: Contents) -> Unit {
    let span = Span::default();
    let literal = |v: Value| Some(Arg::literal(v, span));
    let param = |name: &str, ty, default: Option<Arg>, help: &str| Param {
        name: Spanned::new(name.into(), span),
        span,
        ty,
        required: default.is_none(),
        default,
        choices: None,
        min: None,
        max: None,
        pattern: None,
        help: Some(help.into()),
        ask: None,
    };
    let mut choice = param("service", ParamType::Choice, None, "The service to start; with its needs.");
    choice.choices =
        Some(Arg { span, kind: ArgKind::List(["db", "api"].iter().map(|s| Arg::literal(Value::str(s), span)).collect()) });
    let playbook = Playbook {
        name: name.into(),
        full_name: format!("{system}/{name}"),
        file,
        span,
        title: Spanned::new(title.into(), span),
        description: Some("Starts each service when those it needs are ready, so that nothing waits longer than it must.".into()),
        source: Some("Operations manual, section 4.2".into()),
        links: vec![],
        tags: vec!["daily".into()],
        severity: None,
        expected_duration: Some(jiff::SignedDuration::from_secs(95)),
        schedule: None,
        params: vec![
            choice,
            param(
                "wait",
                ParamType::Duration,
                literal(Value::Duration(jiff::SignedDuration::from_secs(30))),
                "How long to wait.",
            ),
        ],
        env: vec![EnvName { name: Spanned::new("TOKEN".into(), span), plain: false }],
        vars: vec![],
        requires: vec![step("disk-has-room", call("http"))],
        contents,
        verify: vec![],
        rescue: vec![],
        always: vec![],
        outputs: vec![],
        undo_on_failure: true,
        lock: Lock::System,
        permissions: None,
        on: None,
    };
    let system = System { name: system.into(), description: Some("The assistant on the gaming PC".into()), ..System::default() };
    Unit { playbook: Arc::new(playbook), system: Arc::new(system) }
}

fn units(sources: &mut SourceMap) -> Vec<Unit> {
    let file = sources.add("playbooks/sonia/stack-start.yaml", "playbook: x\n");
    let mut confirmed = step("stop-all-the-services-that-are-still-running-from-before-the-update", call("service.start"));
    confirmed.confirm = Some(Confirm::Yes);
    let block = runbook_core::model::Body::Block(runbook_core::model::Block {
        steps: vec![step("start-db", call("service.start")), step("look", call("http"))],
        rescue: vec![step("tell", call("http"))],
        always: vec![],
    });
    let steps = vec![step("prepare", call("http")), step("start", block), confirmed];
    vec![
        unit("sonia", "stack-start", "Start the whole stack in the order of its needs", file, Contents::Steps(steps)),
        unit("sonia", "every-five-minutes", "Look whether the stack is well", file, Contents::Checks(vec![])),
        unit("shop", "deploy", "Bring out a new version", file, Contents::Steps(vec![])),
    ]
}

#[test]
fn playbooks_are_listed_and_shown() {
    let mut sources = SourceMap::default();
    let units = units(&mut sources);
    let rows: Vec<list::Row> = units
        .iter()
        .map(|u| list::Row {
            system: u.system.name.clone(),
            name: u.playbook.name.clone(),
            full_name: u.playbook.full_name.clone(),
            kind: "procedure",
            title: u.playbook.title.value.clone(),
            ..list::Row::default()
        })
        .chain([list::Row { name: "broken-one".into(), broken: Some("unknown key `stpes`".into()), ..list::Row::default() }])
        .collect();
    let plan = Plan {
        root: units[0].playbook.full_name.clone(),
        units: units.iter().map(|u| (u.playbook.full_name.clone(), u.clone())).collect(),
        names: indexmap::IndexMap::new(),
        sources: Arc::new(sources),
        digest: String::new(),
    };
    let registry = registry();
    let known = Known::new(plan.root_unit(), &Given::default());
    let shown = show::Shown { plan: &plan, registry: &registry, known };
    for width in [40, 80] {
        let policy = TermPolicy::text(width, true);
        let text = list::list(&rows, &policy);
        fits(&text, width);
        golden(&format!("list-{width}.txt"), &text);
        let text = show::show(&shown, &policy);
        fits(&text, width);
        golden(&format!("show-{width}.txt"), &text);
    }
    let json: serde_json::Value = serde_json::from_str(&list::json(&rows)).expect("JSON");
    assert_eq!(json["playbooks"][2]["name"], "shop/deploy");
}

#[test]
fn runs_are_listed_and_shown() {
    let mut all: Vec<runs::RunSummary> = [script::stack_start(), script::failing(), script::checklist(), script::dry_run()]
        .iter()
        .filter_map(|s| runs::summarize(&s.records, false))
        .collect();
    let torn = script::failing();
    all.extend(runs::summarize(&torn.records[..8], false));
    all.extend(runs::summarize(&torn.records[..8], true));
    for (i, run) in all.iter_mut().enumerate() {
        run.run = format!("7f3{}a91c2", ["a", "b", "ab", "c", "d", "e"][i]);
    }
    for width in [40, 80, 120] {
        let text = runs::table(&all, &TermPolicy::text(width, true), &TimeZone::UTC);
        fits(&text, width);
        golden(&format!("runs-{width}.txt"), &text);
    }
    assert_eq!(runs::table(&[], &TermPolicy::text(80, true), &TimeZone::UTC), "no runs are recorded yet\n");
    let json: serde_json::Value = serde_json::from_str(&runs::json(&all)).expect("JSON");
    assert_eq!(json[1]["failed_step"], "wait-db");
    assert_eq!(json[4]["outcome"], "interrupted");

    golden("interrupted-80.txt", &runs::show(&torn.records[..8], &TermPolicy::text(80, true), Level::Normal));
    let text = runs::show_step(&torn.records, "wait-db", &TermPolicy::text(80, true)).expect("the step");
    golden("step-80.txt", &text);
    assert!(runs::show_step(&torn.records, "nothing", &TermPolicy::text(80, true)).is_none());
}
