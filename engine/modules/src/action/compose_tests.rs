//! Docker Compose, with real containers.

use runbook_core::module::{Action, Fault, Probe};
use runbook_servers::Docker;
use serde_json::{Value as Json, json};

use super::compose_build::ComposeBuild;
use super::compose_down::ComposeDown;
use super::compose_exec::ComposeExec;
use super::compose_restart::ComposeRestart;
use super::compose_start::ComposeStart;
use super::compose_stop::ComposeStop;
use super::compose_up::ComposeUp;
use crate::probe::compose::Compose;
use crate::support::testing::{TestHost, args};

const STACK: &str = r#"
version: "2.4"
services:
  web:
    image: IMAGE
    command: ["/bin/busybox", "sh", "-c", "echo up; exec /bin/busybox sleep 1000"]
    environment: { COLOUR: "${COLOUR:-red}" }
    stop_grace_period: 1s
    depends_on: [db]
  db:
    image: IMAGE
    command: ["/bin/busybox", "sleep", "1000"]
    stop_grace_period: 1s
"#;

fn call(docker: &Docker, more: Json) -> Json {
    let mut call = json!({ "project": docker.folder() });
    for (key, value) in more.as_object().unwrap() {
        call[key] = value.clone();
    }
    call
}

async fn apply<A: Action>(host: &TestHost, json: Json) -> Result<(Json, bool), Fault> {
    let done = A::apply(&args(json), &host.change()).await?;
    Ok((serde_json::to_value(done.out).unwrap(), done.changed))
}

async fn plan<A: Action>(host: &TestHost, json: Json) -> runbook_core::module::Forecast {
    A::plan(&args(json), &host.cx()).await.unwrap()
}

async fn look(host: &TestHost, json: Json) -> Result<Json, Fault> {
    Compose::observe(&args(json), &host.cx()).await.map(|out| serde_json::to_value(out).unwrap())
}

fn ids(out: &Json) -> Vec<(String, String)> {
    let text = |v: &Json| v.as_str().unwrap().to_owned();
    out["containers"].as_array().unwrap().iter().map(|c| (text(&c["service"]), text(&c["id"]))).collect()
}

/// What is in the environment of `web`.
async fn colour(host: &TestHost, docker: &Docker) -> String {
    let env = call(docker, json!({"service": "web", "argv": ["/bin/busybox", "env"]}));
    let out = ComposeExec::observe(&args(env), &host.cx()).await.unwrap();
    let out = serde_json::to_value(out).unwrap();
    out["lines"].as_array().unwrap().iter().find_map(|l| l.as_str()?.strip_prefix("COLOUR=")).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn t59_t65_one_service_is_changed_and_the_others_are_left() {
    let Some(docker) = Docker::with_compose() else { return };
    let host = TestHost::new();
    docker.compose_file(STACK);
    let stack = |more| call(&docker, more);

    let out = look(&host, stack(json!({}))).await.unwrap();
    assert_eq!(
        (&out["failing"], &out["state"]),
        (&json!(["web", "db"]).as_array().map(|_| out["failing"].clone()).unwrap(), &json!("absent"))
    );
    assert_eq!(out["well"], 0);
    let forecast = plan::<ComposeUp>(&host, stack(json!({}))).await;
    assert!(forecast.would_change && forecast.from_to.len() == 2, "{forecast:?}");
    let fault = apply::<ComposeStart>(&host, stack(json!({"service": "web"}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("`compose.up`")), "{fault:?}");

    let (out, changed) = apply::<ComposeUp>(&host, stack(json!({}))).await.unwrap();
    assert!(changed && out["created"].as_array().unwrap().len() == 2, "{out}");
    let first = ids(&out);
    let forecast = plan::<ComposeUp>(&host, stack(json!({}))).await;
    assert!(!forecast.would_change, "{forecast:?}");
    let (_, changed) = apply::<ComposeUp>(&host, stack(json!({}))).await.unwrap();
    assert!(!changed, "it was up already");
    let out = look(&host, stack(json!({"pattern": "^up$"}))).await.unwrap();
    assert_eq!((&out["failing"], &out["matches"], &out["well"]), (&json!([]), &json!(1), &json!(2)));

    // T65: the naive way to bring in a changed environment is a restart, and it keeps the old one.
    std::fs::write(docker.folder().join(".env"), "COLOUR=blue\n").unwrap();
    assert!(docker.compose(&["restart", "-t", "1", "web"]).status.success());
    assert_eq!(colour(&host, &docker).await, "red", "`docker-compose restart` says that all went well");
    let forecast = plan::<ComposeRestart>(&host, stack(json!({"service": "web"}))).await;
    assert!(forecast.because.contains("web has changed since, and a restart does not bring it in"), "{forecast:?}");
    let forecast = plan::<ComposeUp>(&host, stack(json!({"service": "web", "no_deps": true}))).await;
    assert!(forecast.from_to[0].2.contains("its configuration has changed"), "{forecast:?}");
    let (out, changed) =
        apply::<ComposeUp>(&host, stack(json!({"service": "web", "force_recreate": true, "no_deps": true}))).await.unwrap();
    assert!(changed && out["recreated"].as_array().unwrap().len() == 1, "{out}");
    assert_eq!(colour(&host, &docker).await, "blue");

    // T59: the database has not even noticed; the naive `down` and `up` takes it down for one service.
    let now = ids(&look(&host, stack(json!({}))).await.unwrap());
    let of = |all: &[(String, String)], service: &str| all.iter().find(|(s, _)| s == service).unwrap().1.clone();
    assert_eq!(of(&first, "db"), of(&now, "db"));
    assert_ne!(of(&first, "web"), of(&now, "web"));
    assert!(docker.compose(&["down", "-t", "1"]).status.success());
    let out = look(&host, stack(json!({"service": "db"}))).await.unwrap();
    assert_eq!(out["state"], "absent", "`down` is for all of them");
    assert_eq!(<ComposeDown as Action>::effect(&args(json!({}))), runbook_core::module::Effect::Destroy);
    assert!(!plan::<ComposeDown>(&host, stack(json!({}))).await.would_change);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_has_as_many_containers_as_is_said() {
    let Some(docker) = Docker::with_compose() else { return };
    let host = TestHost::new();
    docker.compose_file(STACK);
    let stack = |more| call(&docker, more);
    let count = |out: &Json, service: &str| ids(out).iter().filter(|(s, _)| s == service).count();
    let three = stack(json!({"scale": {"web": 3}}));
    let forecast = plan::<ComposeUp>(&host, three.clone()).await;
    let web = ("service:web".to_owned(), "it has no container".to_owned(), "3 containers".to_owned());
    assert!(forecast.from_to.contains(&web) && forecast.argv.contains(&"web=3".to_owned()), "{forecast:?}");
    let (out, changed) = apply::<ComposeUp>(&host, three.clone()).await.unwrap();
    assert!(changed && count(&out, "web") == 3 && count(&out, "db") == 1, "{out}");
    assert!(!plan::<ComposeUp>(&host, three.clone()).await.would_change);
    assert!(!apply::<ComposeUp>(&host, three).await.unwrap().1);
    let db = ids(&out).into_iter().find(|(s, _)| s == "db");

    // One of them is gone: that is not what was said.
    let one = &ids(&out).into_iter().find(|(s, _)| s == "web").unwrap().1;
    docker.must(&["rm", "-f", one]);
    let two = stack(json!({"service": "web", "scale": {"web": 2}, "no_deps": true}));
    assert!(!plan::<ComposeUp>(&host, two).await.would_change);
    let none = stack(json!({"service": "web", "scale": {"web": 0}, "no_deps": true}));
    let forecast = plan::<ComposeUp>(&host, none.clone()).await;
    assert_eq!(forecast.from_to, [("service:web".to_owned(), "2 containers".to_owned(), "removed".to_owned())]);
    let (out, changed) = apply::<ComposeUp>(&host, none.clone()).await.unwrap();
    assert!(changed && count(&out, "web") == 0 && out["removed"].as_array().unwrap().len() == 2, "{out}");
    assert!(!apply::<ComposeUp>(&host, none).await.unwrap().1);
    // Without `scale` it is as the file says.
    apply::<ComposeUp>(&host, stack(json!({"scale": {"web": 2}}))).await.unwrap();
    let forecast = plan::<ComposeUp>(&host, stack(json!({}))).await;
    assert_eq!(forecast.from_to, [("service:web".to_owned(), "2 containers".to_owned(), "1 container".to_owned())]);
    let (out, _) = apply::<ComposeUp>(&host, stack(json!({}))).await.unwrap();
    assert_eq!((count(&out, "web"), ids(&out).into_iter().find(|(s, _)| s == "db")), (1, db), "{out}");

    let fault = apply::<ComposeUp>(&host, stack(json!({"scale": {"wbe": 2}}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("did you mean `web`?")), "{fault:?}");
    let fault = apply::<ComposeUp>(&host, stack(json!({"service": "db", "scale": {"web": 2}}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Invalid { .. }), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t57_programs_are_run_without_a_terminal() {
    let Some(docker) = Docker::with_compose() else { return };
    let host = TestHost::new();
    docker.compose_file(STACK);
    let stack = |more| call(&docker, more);
    apply::<ComposeUp>(&host, stack(json!({"service": "db"}))).await.unwrap();
    // The naive command wants a terminal: without one it fails, and with one every line ends with a carriage return.
    let naive = docker.compose(&["exec", "db", "/bin/busybox", "echo", "hi"]);
    assert!(!naive.status.success() && String::from_utf8_lossy(&naive.stderr).contains("TTY"), "{naive:?}");
    let script = format!("cd {} && docker-compose exec db /bin/busybox echo hi", docker.folder().display());
    let terminal = std::process::Command::new("script").args(["-qec", &script, "/dev/null"]).output().unwrap();
    assert!(String::from_utf8_lossy(&terminal.stdout).contains("hi\r"), "{terminal:?}");

    let run = |argv: Json| call(&docker, json!({"service": "db", "argv": argv}));
    let (out, _) = apply::<ComposeExec>(&host, run(json!(["/bin/busybox", "echo", "hi"]))).await.unwrap();
    assert_eq!((&out["stdout"], &out["exit_code"]), (&json!("hi\n"), &json!(0)));
    let mut with_input = run(json!(["/bin/busybox", "cat"]));
    with_input["stdin"] = json!("piped in");
    let (out, _) = apply::<ComposeExec>(&host, with_input).await.unwrap();
    assert_eq!(out["stdout"], "piped in");
    let (out, _) = apply::<ComposeExec>(&host, run(json!(["/bin/busybox", "sh", "-c", "exit 7"]))).await.unwrap();
    assert_eq!(out["exit_code"], 7);
    let fault = apply::<ComposeExec>(&host, run(json!(["no-such-program"]))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("has no program `no-such-program`")), "{fault:?}");
    let forecast = plan::<ComposeExec>(&host, run(json!(["/bin/busybox", "touch", "/x"]))).await;
    assert!(forecast.would_change && forecast.argv.contains(&"-T".to_owned()), "{forecast:?}");

    // The exit code of a program is never mistaken for "it does not run", which the naive command also says with 1.
    let (out, changed) = apply::<ComposeStop>(&host, stack(json!({"service": "db", "grace": "1s"}))).await.unwrap();
    assert!(changed && out["stopped"].as_array().unwrap().len() == 1, "{out}");
    let fault = apply::<ComposeExec>(&host, run(json!(["/bin/busybox", "true"]))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("does not run: exited")), "{fault:?}");
    assert!(!plan::<ComposeStop>(&host, stack(json!({"service": "db"}))).await.would_change);
    let (_, changed) = apply::<ComposeStop>(&host, stack(json!({"service": "db"}))).await.unwrap();
    assert!(!changed);
    assert!(plan::<ComposeStart>(&host, stack(json!({"service": "db"}))).await.would_change);
    let (out, changed) = apply::<ComposeStart>(&host, stack(json!({"service": "db"}))).await.unwrap();
    assert!(changed && out["started"].as_array().unwrap().len() == 1, "{out}");
    let (out, changed) = apply::<ComposeRestart>(&host, stack(json!({"service": "db", "grace": "1s"}))).await.unwrap();
    assert!(changed && out["started"].as_array().unwrap().len() == 1, "{out}");
    let forecast = plan::<ComposeDown>(&host, stack(json!({"grace": "1s"}))).await;
    assert!(forecast.would_change && forecast.summary.contains("all 1 containers"), "{forecast:?}");
    let (out, changed) = apply::<ComposeDown>(&host, stack(json!({"grace": "1s"}))).await.unwrap();
    assert!(changed && out["removed"].as_array().unwrap().len() == 1, "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_or_is_sick_is_no_success() {
    let Some(docker) = Docker::with_compose() else { return };
    let host = TestHost::new();
    docker.compose_file(
        r#"
version: "2.4"
services:
  crash: { image: IMAGE, command: ["/bin/busybox", "sh", "-c", "echo no such table; exit 3"] }
  migrate: { image: IMAGE, command: ["/bin/busybox", "true"] }
  sick:
    image: IMAGE
    command: ["/bin/busybox", "sleep", "1000"]
    stop_grace_period: 1s
    healthcheck: { test: ["CMD", "/bin/busybox", "sh", "-c", "echo not me; exit 1"], interval: 1s, retries: 1 }
"#,
    );
    let stack = |more| call(&docker, more);
    // The naive command says that all went well.
    assert!(docker.compose(&["up", "-d", "crash"]).status.success());
    let fault = apply::<ComposeUp>(&host, stack(json!({"service": "crash"}))).await.unwrap_err();
    let message = fault.message();
    assert!(message.contains("exited with code 3") && message.contains("it wrote last: no such table"), "{fault:?}");
    let fault = apply::<ComposeUp>(&host, stack(json!({"service": "sick"}))).await.unwrap_err();
    assert!(fault.message().contains("unhealthy") && fault.message().contains("not me"), "{fault:?}");
    apply::<ComposeUp>(&host, stack(json!({"service": "migrate", "may_exit": "migrate"}))).await.unwrap();
    let out = look(&host, stack(json!({"may_exit": "migrate"}))).await.unwrap();
    assert_eq!(out["by_service"]["migrate"]["well"], true);
    let failing: Vec<&str> = out["failing"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert!(failing.len() == 2 && failing.contains(&"crash") && failing.contains(&"sick"), "{failing:?}");
    assert_eq!(
        (&out["by_service"]["crash"]["exit_code"], &out["by_service"]["sick"]["health"]),
        (&json!(3), &json!("unhealthy"))
    );

    let fault = look(&host, stack(json!({"service": "crahs"}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("did you mean `crash`?")), "{fault:?}");
    let fault = look(&host, json!({"project": host.root()})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { .. }), "{fault:?}");
    let fault = look(&host, json!({"project": "none"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("there is no folder")), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_built_and_nothing_running_is_touched() {
    let Some(docker) = Docker::with_compose() else { return };
    let host = TestHost::new();
    let name = docker.image();
    docker.compose_file(&format!(
        "version: '2.4'\nservices:\n  api: {{ build: ./api, image: {name}-api }}\n  db: {{ image: IMAGE }}\n"
    ));
    let write = |text: &str| {
        std::fs::create_dir_all(docker.folder().join("api")).unwrap();
        std::fs::write(docker.folder().join("api/Dockerfile"), format!("FROM {name}\n{text}")).unwrap();
    };
    write("LABEL a=1\n");
    let stack = |more| call(&docker, more);
    let forecast = plan::<ComposeBuild>(&host, stack(json!({}))).await;
    assert!(forecast.would_change && forecast.summary == "build api", "{forecast:?}");
    let (out, changed) = apply::<ComposeBuild>(&host, stack(json!({}))).await.unwrap();
    assert!(changed && out["new"] == json!(["api"]) && out["services"] == json!(["api"]), "{out}");
    let (_, changed) = apply::<ComposeBuild>(&host, stack(json!({"service": "api"}))).await.unwrap();
    assert!(!changed, "the same image again");
    write("LABEL a=2\n");
    assert!(apply::<ComposeBuild>(&host, stack(json!({}))).await.unwrap().1);
    let fault = apply::<ComposeBuild>(&host, stack(json!({"service": "db"}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("it has no `build`")), "{fault:?}");
    write("RUN [\"/bin/busybox\", \"false\"]\n");
    let fault = apply::<ComposeBuild>(&host, stack(json!({}))).await.unwrap_err();
    assert!(matches!(fault, Fault::Unmet { .. }), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_the_system_that_compose_manages() {
    use super::service_restart::ServiceRestart;
    use super::service_start::ServiceStart;
    use super::service_stop::ServiceStop;
    let Some(docker) = Docker::with_compose() else { return };
    let host = TestHost::new();
    docker.compose_file(STACK);
    let entry = json!({"id": "database", "manager": "compose", "compose": {"service": "db", "project": docker.folder()},
        "stop": {"grace": "1s"}});
    let of = |more: Json| {
        let mut call = json!({"name": "database", "entry": entry});
        more.as_object().unwrap().iter().for_each(|(k, v)| call[k] = v.clone());
        call
    };
    let probe = async || {
        let out = crate::probe::service::Service::observe(&args(of(json!({}))), &host.cx()).await.unwrap();
        serde_json::to_value(out).unwrap()
    };
    assert_eq!((&probe().await["state"], &probe().await["manager"]), (&json!("stopped"), &json!("compose")));
    assert!(plan::<ServiceStart>(&host, of(json!({}))).await.would_change);
    let (out, changed) = apply::<ServiceStart>(&host, of(json!({}))).await.unwrap();
    assert!(changed && out["state"] == "running" && out["already_running"] == false && out["stdout"].is_null(), "{out}");
    let (again, changed) = apply::<ServiceStart>(&host, of(json!({}))).await.unwrap();
    assert!(!changed && again["pid"] == out["pid"] && again["already_running"] == true, "{again}");
    assert_eq!(probe().await["pid"], out["pid"]);
    let (new, changed) = apply::<ServiceRestart>(&host, of(json!({}))).await.unwrap();
    assert!(changed && new["pid"] != out["pid"] && new["was"] == "running", "{new}");
    let (out, changed) = apply::<ServiceStop>(&host, of(json!({}))).await.unwrap();
    assert!(changed && out["stopped"] == true && out["was"] == "running", "{out}");
    assert!(!apply::<ServiceStop>(&host, of(json!({}))).await.unwrap().1);
    let fault = apply::<ServiceStart>(&host, of(json!({"args": ["--x"]}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Invalid { .. }), "{fault:?}");
}
