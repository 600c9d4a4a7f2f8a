//! Modules of the user's own that behave, and ones that do not.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use runbook_core::module::{Effect, Entry, ExecOutput, Fault, HandArgs, Host, Kind, Resource};
use runbook_core::value::Value;
use serde_json::{Value as Json, json};

use super::contract::{Level, try_out};
use super::describe::{Runner, describe};
use super::folder::{Folders, ModuleFile};
use super::starter::{Lang, starter};
use crate::support::testing::{PATIENCE, TestHost};

/// Runs programs as the test host does.
fn runner() -> Runner {
    Arc::new(|exec| {
        std::thread::spawn(move || -> std::io::Result<ExecOutput> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(TestHost::new().run(exec))
        })
        .join()
        .expect("the runner does not fail")
    })
}

/// A module of a shell script: what it describes itself as, and what it does with a request.
fn module(host: &TestHost, name: &str, description: &Json, does: &str) -> PathBuf {
    let text = format!("#!/bin/sh\nif [ \"$1\" = --describe ]; then cat <<'JSON'\n{description}\nJSON\nexit; fi\n{does}\n");
    script(host, name, &text)
}

fn script(host: &TestHost, name: &str, text: &str) -> PathBuf {
    let path = host.write(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn probe() -> Json {
    json!({ "name": "queue", "kind": "probe", "description": "Looks at a queue.", "reads": ["net:{{ url }}"],
            "args": { "type": "object", "required": ["url"], "properties": { "url": { "type": "string" }, "n": { "type": "integer" } } },
            "result": { "type": "object", "properties": { "length": { "type": "integer" }, "age": { "type": "string", "format": "duration" } } } })
}

fn action() -> Json {
    json!({ "name": "queue.drain", "kind": "action", "description": "Drains a queue.",
            "args": { "type": "object", "properties": { "url": { "type": "string" } } },
            "result": { "type": "object", "properties": { "drained": { "type": "integer" } } } })
}

fn entry(host: &TestHost, does: &str) -> Entry {
    let path = module(host, "queue", &probe(), does);
    describe("queue", &path, &runner()).unwrap()
}

async fn look(host: &TestHost, does: &str) -> Result<Json, Fault> {
    entry(host, does).observe(json!({ "url": "u" }), &host.cx()).await.map(|r| r.result.to_record())
}

/// What is said of a module that could not look.
async fn breach(host: &TestHost, does: &str) -> String {
    match look(host, does).await {
        Err(Fault::CannotTell { message }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_probe_gets_its_request_and_gives_a_typed_result() {
    let host = TestHost::new();
    let out = look(&host, r#"cat > request; echo '{"progress": "half"}'; echo '{"result": {"length": 3, "age": "90s"}}'"#)
        .await
        .unwrap();
    assert_eq!(out, json!({ "length": 3, "age": { "$duration": "1m30s" } }));
    let request: Json = serde_json::from_slice(&std::fs::read(host.file("request")).unwrap()).unwrap();
    assert_eq!((&request["op"], &request["args"]["url"]), (&json!("observe"), &json!("u")));
    assert_eq!(request["context"]["root"], host.root().display().to_string());
    assert!(request["context"]["now"].as_str().is_some_and(|n| n.ends_with('Z')), "{request}");
    assert_eq!(host.told(), ["half"]);
}

#[tokio::test]
async fn what_it_answers_is_kept_apart() {
    let host = TestHost::new();
    let answer = |kind: &str| format!(r#"echo '{{"error": {{"kind": "{kind}", "message": "so", "result": {{"length": 0}}}}}}'"#);
    let fault = look(&host, &answer("unmet")).await.unwrap_err();
    let Fault::Unmet { message, result } = &fault else { panic!("{fault:?}") };
    assert_eq!((message.as_str(), result), ("so", &json!({ "length": 0, "age": null })));
    assert!(matches!(look(&host, &answer("cannot_tell")).await.unwrap_err(), Fault::CannotTell { .. }));
    assert!(matches!(look(&host, &answer("refused")).await.unwrap_err(), Fault::Refused { .. }));
    assert!(matches!(look(&host, &answer("timed_out")).await.unwrap_err(), Fault::TimedOut { .. }));
    assert!(matches!(look(&host, &answer("invalid")).await.unwrap_err(), Fault::Invalid { .. }));
}

#[tokio::test]
async fn arguments_are_held_to_the_description() {
    let host = TestHost::new();
    let entry = entry(&host, "touch began");
    for (bad, argument) in
        [(json!({ "url": 1 }), "url"), (json!({ "url": "u", "m": 1 }), "m"), (json!({ "url": "u", "n": "1" }), "n")]
    {
        let fault = entry.observe(bad, &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { argument: Some(a), .. } if a == argument), "{fault:?}");
    }
    assert!(matches!(entry.check(&json!({})).unwrap_err(), Fault::Invalid { .. }));
    assert!(!host.file("began").exists());
}

#[tokio::test]
async fn one_that_hangs_is_ended() {
    let host = TestHost::new();
    let mut said = probe();
    said["timeout"] = json!("200ms");
    let path = module(&host, "queue", &said, "sleep 1000 & echo $! > pid; wait");
    let entry = describe("queue", &path, &runner()).unwrap();
    let started = std::time::Instant::now();
    let fault = entry.observe(json!({ "url": "u" }), &host.cx()).await.unwrap_err();
    assert_eq!(fault, Fault::cannot_tell("`queue` did not end within its limit of 200ms and was ended"));
    // The step's own limit is what the author of the playbook wanted: then it is a time limit like any other.
    let mut cx = host.cx();
    cx.timeout = Some(Duration::from_millis(100));
    let fault = entry.observe(json!({ "url": "u" }), &cx).await.unwrap_err();
    assert!(matches!(&fault, Fault::TimedOut { message, .. } if message == "timed out after 100ms"), "{fault:?}");
    assert!(started.elapsed() < PATIENCE);
}

#[tokio::test]
async fn garbage_is_told() {
    let host = TestHost::new();
    assert!(breach(&host, "echo hello").await.contains("printed a line that is not of the protocol: `hello`"));
    assert!(breach(&host, "head -c 300 /dev/urandom").await.contains("not of the protocol"));
    assert!(breach(&host, "true").await.contains("ended without a result"));
    assert!(breach(&host, "echo '{\"result\": {}}'; echo more").await.contains("printed more after its result"));
    assert!(breach(&host, "echo oh no >&2; exit 3").await.contains("exit code 3 and no result, saying `oh no`"));
    assert!(breach(&host, "echo '{\"result\": {}}'; exit 1").await.contains("which says that it failed"));
}

#[tokio::test]
async fn a_flood_is_neither_kept_nor_taken_for_a_result() {
    let host = TestHost::new();
    // What is kept does not depend on how much comes.
    let told = breach(&host, "head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo '{\"result\": {\"length\": 1}}'").await;
    assert!(told.contains("printed more than 16 MiB"), "{told}");
    let told = breach(&host, "yes '{\"progress\": \"x\"}' | head -n 2000000; echo '{\"result\": {}}'").await;
    assert!(told.contains("printed more than 16 MiB"), "{told}");
}

#[tokio::test]
async fn a_death_by_a_signal_is_named() {
    let host = TestHost::new();
    assert!(breach(&host, "kill -KILL $$").await.contains("was ended by the signal KILL"));
}

#[tokio::test]
async fn lies_about_the_result_are_told() {
    let host = TestHost::new();
    for (result, word) in
        [(r#"{"length": "many"}"#, "`length`: expected a whole number"), (r#"{"size": 3}"#, "`size` is not in its description")]
    {
        let told = breach(&host, &format!("echo '{{\"result\": {result}}}'")).await;
        assert!(told.contains("not what its description says") && told.contains(word), "{told}");
    }
}

#[test]
fn one_that_cannot_be_asked_what_it_is_says_why() {
    let host = TestHost::new();
    let mut newer = probe();
    newer["protocol"] = json!(2);
    let mut other = probe();
    other["name"] = json!("quueue");
    for (file, text, word) in [
        ("exits", "#!/bin/sh\necho sorry >&2; exit 4\n", "exit code 4, saying `sorry`"),
        ("dies", "#!/bin/sh\nkill -KILL $$\n", "ended by the signal KILL"),
        ("silent", "#!/bin/sh\n", "printed nothing"),
        ("garbage", "#!/bin/sh\necho hello\n", "not JSON"),
        ("flood", "#!/bin/sh\nhead -c 5000000 /dev/zero\n", "more than 1 MiB"),
        ("binary", "#!/bin/sh\nprintf '\\377\\376'\n", "not UTF-8"),
        ("nowhere", "#!/no/such/interpreter\n", "the interpreter that its first line names"),
        ("newer", &format!("#!/bin/sh\necho '{newer}'\n"), "version 2 of the protocol"),
        ("renamed", &format!("#!/bin/sh\necho '{other}'\n"), "calls it `quueue`"),
    ] {
        let path = script(&host, file, text);
        // A file that another test's child still holds open for writing cannot be run yet.
        let mut error = String::new();
        for _ in 0..100 {
            error = describe(file, &path, &runner()).err().unwrap_or_default();
            if !error.contains("busy") {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(error.contains(word), "{file}: {error}");
    }
}

#[test]
fn one_that_hangs_when_it_is_asked_what_it_is_is_ended() {
    let host = TestHost::new();
    let path = script(&host, "hang", "#!/bin/sh\nkill -STOP $$\n");
    let error = super::describe::ask("hang", &path, &runner(), Duration::from_millis(300)).unwrap_err();
    assert!(error.contains("did not end within 300ms"), "{error}");
}

#[tokio::test]
async fn an_action_without_a_plan_is_only_named() {
    let host = TestHost::new();
    let path = module(&host, "queue.drain", &action(), "touch began; cat >/dev/null; echo '{\"result\": {\"drained\": 2}}'");
    let entry = describe("queue.drain", &path, &runner()).unwrap();
    let forecast = entry.plan(json!({ "url": "amqp://x" }), &host.cx()).await.unwrap();
    assert_eq!((forecast.would_change, forecast.summary.as_str()), (true, "run queue.drain with url: amqp://x"));
    assert!(!host.file("began").exists(), "a plan runs nothing");
    let about = entry.about(&json!({})).unwrap();
    assert_eq!(
        (about.effect, about.idempotent, &about.touches.changes[..]),
        (Effect::Change, false, &[Resource::new("host", "*")][..])
    );
    let reply = entry.apply(json!({}), &host.change()).await.unwrap();
    assert_eq!((reply.changed, reply.result.field("drained").as_int()), (true, Some(2)));
    assert!(entry.observe(json!({}), &host.cx()).await.is_err(), "an action does not look");
}

#[tokio::test]
async fn an_action_with_a_plan_says_what_it_would_do() {
    let host = TestHost::new();
    let mut said = action();
    (said["plan"], said["idempotent"], said["effect"]) = (json!(true), json!(true), json!("destroy"));
    said["changes"] = json!(["net:{{ url | default('here') }}"]);
    let does = r#"op=$(cat); case $op in
      *plan*) echo '{"result": {"would_change": true, "summary": "drain 3 messages", "because": "it holds 3", "from_to": [["length", "3", "0"]]}}' ;;
      *) echo '{"result": {"drained": 0}, "changed": false}' ;; esac"#;
    let path = module(&host, "queue.drain", &said, does);
    let entry = describe("queue.drain", &path, &runner()).unwrap();
    let forecast = entry.plan(json!({}), &host.cx()).await.unwrap();
    assert_eq!((forecast.summary.as_str(), forecast.from_to.len()), ("drain 3 messages", 1));
    let reply = entry.apply(json!({}), &host.change()).await.unwrap();
    assert!(!reply.changed);
    let about = entry.about(&json!({ "url": "q:1" })).unwrap();
    assert_eq!((about.effect, about.touches.changes), (Effect::Destroy, vec![Resource::new("net", "q:1")]));
    let path = module(&host, "queue.drain", &said, "echo '{\"result\": {\"would\": 1}}'");
    let entry = describe("queue.drain", &path, &runner()).unwrap();
    let fault = entry.plan(json!({}), &host.cx()).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("its plan is not right")), "{fault:?}");
}

#[test]
fn a_person_can_do_without_the_engine() {
    let host = TestHost::new();
    let entry = entry(&host, "true");
    let args = Value::map([("url", Value::str("it's"))]);
    let hand = entry.by_hand(&HandArgs::new(&args));
    assert_eq!(
        hand.lines,
        [format!(
            "printf '%s\\n' '{{\"op\":\"observe\",\"args\":{{\"url\":\"it'\"'\"'s\"}}}}' | {}",
            host.file("queue").display()
        )]
    );
}

#[tokio::test]
async fn what_a_new_module_begins_with_keeps_the_contract() {
    let host = TestHost::new();
    for (lang, interpreter) in [(Lang::Python, "python3"), (Lang::Bash, "jq"), (Lang::Node, "node")] {
        if !runbook_servers::have(interpreter) {
            continue;
        }
        for name in ["thing", "thing.make"] {
            let folder = format!("{lang:?}/{name}");
            let path = script(&host, &format!("{folder}/{name}.{}", lang.ending()), &starter(name, lang).unwrap());
            let file = ModuleFile { name: name.to_owned(), path, trouble: None };
            let findings = try_out(&file, &runner(), &host.cx(), None).await;
            assert!(findings.iter().all(|f| f.level == Level::Good), "{lang:?} {name}: {findings:#?}");
            assert!(
                findings.iter().any(|f| f.what.contains("gives `{\"entries\"") || f.what.contains("plans to write")),
                "{findings:#?}"
            );
        }
        // The action is what it says: it changes once, and then nothing.
        let found = Folders(vec![host.file(&format!("{lang:?}/thing.make"))]).registry(crate::builtins(), &runner());
        let entry = found.get("thing.make").unwrap();
        assert_eq!(entry.kind, Kind::Action);
        let args = json!({ "path": format!("{lang:?}.flag"), "text": "it's" });
        assert!(entry.plan(args.clone(), &host.cx()).await.unwrap().would_change);
        assert!(entry.apply(args.clone(), &host.change()).await.unwrap().changed);
        assert_eq!(std::fs::read_to_string(host.file(&format!("{lang:?}.flag"))).unwrap(), "it's\n");
        assert!(!entry.plan(args.clone(), &host.cx()).await.unwrap().would_change);
        assert!(!entry.apply(args, &host.change()).await.unwrap().changed);
    }
}

#[tokio::test]
async fn trying_out_finds_what_is_wrong() {
    let host = TestHost::new();
    let mut said = probe();
    said["examples"] = json!([
        { "title": "none of its", "yaml": "other: 1" },
        { "title": "bad", "yaml": "queue: { url: 5 }" },
        { "title": "runs", "yaml": "queue: { url: u }", "runs": true },
    ]);
    let path = module(&host, "queue", &said, "echo '{\"result\": {\"length\": \"x\"}}'");
    let file = ModuleFile { name: "queue".into(), path, trouble: None };
    let findings = try_out(&file, &runner(), &host.cx(), None).await;
    let bad: Vec<&str> = findings.iter().filter(|f| f.level == Level::Bad).map(|f| f.what.as_str()).collect();
    assert_eq!(bad.len(), 4, "{findings:#?}");
    assert!(bad[0].contains("it gives a result"), "{bad:?}");
    assert!(findings.iter().any(|f| f.level == Level::Warning && f.what.contains("`args.url`")), "{findings:#?}");
}

#[test]
fn modules_are_asked_when_they_are_named_and_never_take_the_place_of_one_that_is_built_in() {
    let host = TestHost::new();
    script(&host, "m/http", "#!/bin/sh\ntouch asked-http\n");
    let count = host.file("count");
    script(&host, "m/queue", &format!("#!/bin/sh\necho >> {}\necho '{}'\n", count.display(), probe()));
    script(&host, "m/broken", "#!/bin/sh\necho nothing good\n");
    let registry = Folders(vec![host.file("m")]).registry(crate::builtins(), &runner());
    assert!(!count.exists(), "nobody named it yet");
    assert!(registry.get("http").unwrap().source.is_none());
    assert!(registry.names().any(|n| n == "queue") && registry.get("nothing").is_none());
    assert_eq!(registry.get("queue").unwrap().source.as_deref(), Some(&*host.file("m/queue")));
    registry.get("queue").unwrap();
    assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 1, "once is enough");
    assert!(registry.get("broken").is_none() && registry.trouble("broken").unwrap().contains("not JSON"));
    assert!(registry.trouble("queue").is_none() && registry.trouble("http").is_none());
    assert!(registry.iter().any(|e| e.name == "queue") && !registry.iter().any(|e| e.name == "broken"));
}
