//! systemd, a real one in a world of its own.

use runbook_core::module::{Action, Fault, Probe};
use runbook_servers::Systemd as Server;
use serde_json::{Value as Json, json};

use super::systemd_daemon_reload::SystemdDaemonReload;
use super::systemd_disable::SystemdDisable;
use super::systemd_enable::SystemdEnable;
use super::systemd_reload::SystemdReload;
use super::systemd_restart::SystemdRestart;
use super::systemd_start::SystemdStart;
use super::systemd_stop::SystemdStop;
use crate::probe::systemd::Systemd;
use crate::support::testing::{TestHost, args, eventually};

const WEB: &str = "[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n[Install]\nWantedBy=default.target\n";

async fn apply<A: Action>(host: &TestHost, json: Json) -> Result<(Json, bool), Fault> {
    let done = A::apply(&args(json), &host.change()).await?;
    Ok((serde_json::to_value(done.out).unwrap(), done.changed))
}

async fn would<A: Action>(host: &TestHost, json: Json) -> Result<runbook_core::module::Forecast, Fault> {
    A::plan(&args(json), &host.cx()).await
}

async fn look(host: &TestHost, json: Json) -> Result<Json, Fault> {
    Systemd::observe(&args(json), &host.cx()).await.map(|out| serde_json::to_value(out).unwrap())
}

fn booted() -> Option<(Server, TestHost)> {
    let server = Server::start()?;
    let host = TestHost::new();
    host.set_env("PATH", Some(&server.path()));
    Some((server, host))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_from_start_to_stop() {
    let Some((server, host)) = booted() else { return };
    server.unit("web.service", WEB);
    let web = || json!({"unit": "web"});
    let out = look(&host, web()).await.unwrap();
    assert_eq!((&out["state"], &out["well"], &out["pid"]), (&json!("inactive"), &json!(false), &Json::Null));
    assert!(would::<SystemdStart>(&host, web()).await.unwrap().would_change);
    let (out, changed) = apply::<SystemdStart>(&host, web()).await.unwrap();
    assert!(changed && out["state"] == "active" && out["was"] == "inactive" && out["unit"] == "web.service", "{out}");
    let (again, changed) = apply::<SystemdStart>(&host, web()).await.unwrap();
    assert!(!changed && again["pid"] == out["pid"]);
    assert!(!would::<SystemdStart>(&host, web()).await.unwrap().would_change);
    assert_eq!(look(&host, web()).await.unwrap()["well"], true);

    let (new, _) = apply::<SystemdRestart>(&host, web()).await.unwrap();
    assert_ne!(new["pid"], out["pid"]);
    let (_, changed) = apply::<SystemdReload>(&host, web()).await.unwrap();
    assert!(changed);

    assert!(apply::<SystemdEnable>(&host, web()).await.unwrap().1);
    assert_eq!(look(&host, web()).await.unwrap()["enabled"], "enabled");
    assert!(!apply::<SystemdEnable>(&host, web()).await.unwrap().1);
    assert!(apply::<SystemdDisable>(&host, web()).await.unwrap().1);
    assert!(!would::<SystemdDisable>(&host, web()).await.unwrap().would_change);

    server.unit("web.service", &WEB.replace("1000", "2000"));
    assert!(would::<SystemdRestart>(&host, web()).await.unwrap().because.contains("`systemd.daemon_reload` first"));
    assert!(would::<SystemdDaemonReload>(&host, web()).await.unwrap().would_change);
    assert!(apply::<SystemdDaemonReload>(&host, web()).await.unwrap().1);
    assert!(!apply::<SystemdDaemonReload>(&host, web()).await.unwrap().1);

    assert!(would::<SystemdStop>(&host, web()).await.unwrap().would_change);
    let (out, changed) = apply::<SystemdStop>(&host, web()).await.unwrap();
    assert!(changed && out["pid"].is_null(), "{out}");
    assert!(!apply::<SystemdStop>(&host, web()).await.unwrap().1);
    let fault = apply::<SystemdReload>(&host, web()).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("only what is active")), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_seen_though_systemctl_says_zero() {
    let Some((server, host)) = booted() else { return };
    server.unit("bad.service", "[Service]\nExecStart=/bin/sh -c 'sleep 0.2; exit 3'\n");
    server.unit("job.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
    server.unit("plain.service", "[Service]\nExecStart=/bin/sleep 1000\n");
    assert!(server.systemctl(&["start", "bad"]).status.success(), "the naive command says that all went well");
    let failed = || String::from_utf8_lossy(&server.systemctl(&["is-active", "bad"]).stdout).contains("failed").then_some(());
    eventually("it has failed", failed).await;
    let fault = apply::<SystemdStart>(&host, json!({"unit": "bad"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("failed (exit code 3)")), "{fault:?}");
    assert_eq!(look(&host, json!({"unit": "bad"})).await.unwrap()["exit_code"], 3);
    assert!(apply::<SystemdStart>(&host, json!({"unit": "job"})).await.unwrap().1, "one that ends well is well");
    let fault = apply::<SystemdEnable>(&host, json!({"unit": "plain"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("[Install]")), "{fault:?}");
    let fault = apply::<SystemdStart>(&host, json!({"unit": "none"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("there is no unit `none.service`")), "{fault:?}");
    let out = look(&host, json!({"unit": "none"})).await.unwrap();
    assert_eq!((&out["installed"], &out["well"]), (&json!(false), &json!(false)));
    assert_eq!(look(&host, json!({"unit": "none", "absent": "ok"})).await.unwrap()["well"], true);
}

/// T14: where systemd does not run, `systemctl` fails, which the naive look takes for "down".
#[tokio::test]
async fn t14_a_machine_without_systemd_tells_nothing() {
    if !runbook_servers::have("systemctl") || std::fs::read_to_string("/proc/1/comm").unwrap().trim() == "systemd" {
        return;
    }
    let naive = std::process::Command::new("systemctl").args(["is-active", "--quiet", "redis-server"]).status().unwrap();
    assert!(!naive.success(), "`systemctl is-active redis-server || alert` alerts, whether Redis runs or not");
    let host = TestHost::new();
    let fault = look(&host, json!({"unit": "redis-server"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("not booted with systemd")), "{fault:?}");
    let fault = apply::<SystemdStart>(&host, json!({"unit": "redis-server"})).await.unwrap_err();
    assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
    host.set_env("PATH", Some("/nowhere"));
    let fault = look(&host, json!({"unit": "redis-server"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("not installed")), "{fault:?}");
    let fault = look(&host, json!({"unit": "a b"})).await.unwrap_err();
    assert!(matches!(fault, Fault::Invalid { .. }), "{fault:?}");
}

/// T15: the same service is a unit here and a background process there; the system's entry says once which.
#[tokio::test(flavor = "multi_thread")]
async fn t15_a_service_of_the_system_that_systemd_manages() {
    use super::service_restart::ServiceRestart;
    use super::service_start::ServiceStart;
    use super::service_stop::ServiceStop;
    let Some((server, host)) = booted() else { return };
    server.unit("sofia-equity.service", WEB);
    let of = |_: ()| json!({"name": "equity", "entry": {"id": "equity", "manager": "systemd", "unit": "sofia-equity"}});
    // What looks for it among processes of its own, by a pid file, never finds it.
    assert!(!host.file("pids/equity.pid").exists());
    let probe = async || {
        let out = crate::probe::service::Service::observe(&args(of(())), &host.cx()).await.unwrap();
        serde_json::to_value(out).unwrap()
    };
    assert_eq!(probe().await["state"], "stopped");
    let (out, changed) = apply::<ServiceStart>(&host, of(())).await.unwrap();
    assert!(changed && out["state"] == "running" && out["pid"].is_number(), "{out}");
    assert!(!apply::<ServiceStart>(&host, of(())).await.unwrap().1);
    assert_eq!((&probe().await["state"], &probe().await["manager"]), (&json!("running"), &json!("systemd")));
    let (new, _) = apply::<ServiceRestart>(&host, of(())).await.unwrap();
    assert!(new["pid"] != out["pid"] && new["stopped"] == true, "{new}");
    assert!(would::<ServiceStop>(&host, of(())).await.unwrap().would_change);
    assert!(apply::<ServiceStop>(&host, of(())).await.unwrap().1);
    assert!(!would::<ServiceStop>(&host, of(())).await.unwrap().would_change);
    assert_eq!(probe().await["state"], "stopped");
}
