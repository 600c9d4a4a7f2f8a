use std::process::Command;

use runbook_servers::{Redis as Server, have};
use serde_json::json;

use super::*;
use crate::support::testing::{TestHost, args, eventually, free_port};

async fn ask(host: &TestHost, json: Json) -> Result<Out, Fault> {
    Redis::observe(&args(json), &host.cx()).await
}

fn fill(server: &Server, database: &str, pattern: &str, n: u32) {
    for i in 0..n {
        let key = pattern.replace('#', &i.to_string());
        assert_eq!(server.cli(&["-n", database, "SET", &key, "x"]).trim(), "OK");
    }
}

#[tokio::test]
async fn it_answers_with_what_it_holds() {
    let Some(server) = Server::start(&["--maxmemory", "100mb"]) else { return };
    let host = TestHost::new();
    fill(&server, "0", "session:#", 7);
    fill(&server, "3", "other #", 2);
    let mut base = json!({ "port": server.port, "password": Server::PASSWORD, "keys": "session:*" });
    let out = ask(&host, base.clone()).await.unwrap();
    assert!(out.ready && out.error.is_none() && out.denied.is_empty());
    assert_eq!((out.keys, out.dbsize, out.role.as_deref()), (Some(7), Some(7), Some("master")));
    assert_eq!(out.databases.iter().map(|d| (d.database, d.keys)).collect::<Vec<_>>(), [(0, 7), (3, 2)]);
    assert_eq!((out.memory_limit, out.memory_limit_from, out.unbounded), (Some(Size(100 << 20)), Some("maxmemory"), Some(false)));
    assert!(out.info["memory"]["used_memory"].as_i64().unwrap() > 0 && out.latency <= out.latency_max);
    assert!(out.last_save.is_some() && out.last_save_ok == Some(true) && out.saving == Some(false));
    base["database"] = json!(3);
    base["keys"] = json!("other *");
    base["command"] = json!(["GET", "other 1"]);
    let out = ask(&host, base).await.unwrap();
    assert_eq!((out.keys, out.dbsize, out.reply), (Some(2), Some(2), json!("x")));
    let url = format!("redis://:{}@127.0.0.1:{}/3", Server::PASSWORD, server.port);
    assert_eq!(ask(&host, json!({ "url": url })).await.unwrap().dbsize, Some(2));
}

#[tokio::test]
async fn t23_redis_cli_ends_well_whatever_is_answered() {
    let Some(server) = Server::start(&[]) else { return };
    let host = TestHost::new();
    // No password, a wrong one, and a command that does not exist: each time exit code 0.
    for (auth, words) in [(None, "PING"), (Some("wrong"), "PING"), (Some(Server::PASSWORD), "NO-SUCH-COMMAND")] {
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &server.port.to_string(), words]);
        if let Some(auth) = auth {
            cli.env("REDISCLI_AUTH", auth);
        }
        let done = cli.output().unwrap();
        assert!(done.status.success(), "{words}");
        assert!(!String::from_utf8_lossy(&done.stdout).starts_with("PONG"));
    }
    for (password, word) in [(json!(null), "NOAUTH"), (json!("wrong"), "WRONGPASS")] {
        let Fault::Unmet { message, result } =
            ask(&host, json!({ "port": server.port, "password": password })).await.unwrap_err()
        else {
            panic!()
        };
        assert!(message.starts_with(word), "{message}");
        assert_eq!((&result["ready"], &result["error"]), (&json!(false), &json!(message)));
        assert!(!message.contains("wrong"));
    }
}

#[tokio::test]
async fn t14_a_server_without_a_unit_is_up_all_the_same() {
    let Some(server) = Server::start(&[]) else { return };
    // Whoever started it did not ask systemd, which therefore knows nothing of it (or does not run at all).
    if have("systemctl") {
        let done = Command::new("systemctl").args(["is-active", "redis"]).output().unwrap();
        assert!(!done.status.success(), "this machine runs a unit of that name");
    }
    let out = ask(&TestHost::new(), json!({ "port": server.port, "password": Server::PASSWORD })).await.unwrap();
    assert!(out.ready);
}

#[tokio::test]
async fn t19_a_second_server_that_fails_ends_well() {
    let Some(server) = Server::start(&[]) else { return };
    let host = TestHost::new();
    let base = json!({ "port": server.port, "password": Server::PASSWORD });
    let before = ask(&host, base.clone()).await.unwrap();
    let log = host.file("second.log");
    let (port, dir) = (server.port.to_string(), host.root().display().to_string());
    let naive = ["--port", &port, "--bind", "127.0.0.1", "--dir", &dir, "--daemonize", "yes", "--logfile", log.to_str().unwrap()];
    assert!(Command::new("redis-server").args(naive).status().unwrap().success(), "it says that it started");
    let text = || std::fs::read_to_string(&log).ok().filter(|t| t.contains("Address already in use"));
    eventually("the second server gives up", text).await;
    let after = ask(&host, base).await.unwrap();
    assert_eq!((before.run_id, before.pid), (after.run_id, after.pid), "the first one answers still");
}

#[tokio::test]
async fn t70_without_maxmemory_the_share_is_that_of_the_machine() {
    let Some(server) = Server::start(&[]) else { return };
    // The naive ratio divides by nothing.
    let info = server.cli(&["INFO", "memory"]);
    assert!(info.lines().any(|l| l.trim() == "maxmemory:0"), "{info}");
    let out = ask(&TestHost::new(), json!({ "port": server.port, "password": Server::PASSWORD })).await.unwrap();
    assert_eq!((out.unbounded, out.memory_limit_from), (Some(true), Some("machine")));
    assert!(out.memory_percent.unwrap() < 50.0 && out.memory_limit.unwrap().0 > 1 << 20);
}

#[tokio::test]
async fn t40_fragmentation_of_an_idle_server_says_nothing() {
    let Some(server) = Server::start(&[]) else { return };
    let info = info::parse(&server.cli(&["INFO", "memory"]));
    let naive = info["memory"]["mem_fragmentation_ratio"].as_f64().unwrap();
    assert!(naive > 1.5, "an idle server looks fragmented: {naive}");
    let out = ask(&TestHost::new(), json!({ "port": server.port, "password": Server::PASSWORD })).await.unwrap();
    assert_eq!(out.fragmentation_ratio, None);
}

#[tokio::test]
async fn nobody_answers_or_somebody_else_does() {
    let host = TestHost::new();
    let fault = ask(&host, json!({ "port": free_port() })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "connection refused"), "{fault:?}");
    let fault = ask(&host, json!({ "unix_socket": "gone.sock" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "no such socket"), "{fault:?}");
    let web = crate::support::test_server::Server::start(|_| "HTTP/1.1 400 Bad\r\n\r\n".into());
    let fault = ask(&host, json!({ "port": web.port })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { .. }), "{fault:?}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let fault = ask(&host, json!({ "port": port, "timeout": "50ms" })).await.unwrap_err();
    assert_eq!(fault.message(), "timed out after 50ms");
}

#[tokio::test]
async fn a_unix_socket_and_a_user_with_few_rights() {
    let Some(server) = Server::start(&["--unixsocket", "redis.sock"]) else { return };
    let host = TestHost::new();
    server.cli(&["ACL", "SETUSER", "few", "on", ">few", "+ping"]);
    let socket = server.folder().join("redis.sock");
    let out = ask(&host, json!({ "unix_socket": socket, "user": "few", "password": "few" })).await.unwrap();
    assert!(out.ready && out.version.is_none());
    assert_eq!(out.denied, ["INFO", "DBSIZE"]);
    let fault = ask(&host, json!({ "unix_socket": socket, "user": "few", "password": "few", "keys": "*" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.starts_with("NOPERM")), "{fault:?}");
}

#[test]
fn only_looks_are_taken() {
    for (bad, word) in [
        (json!({ "command": ["SET", "a", "b"] }), "redis.command"),
        (json!({ "command": ["MONITOR"] }), "never ends"),
        (json!({ "command": ["KEYS", "*"] }), "redis.command"),
        (json!({ "url": "http://h" }), "redis://"),
    ] {
        let fault = Redis::check(&args(bad)).unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{fault:?}");
    }
    Redis::check(&args(json!({ "command": ["config", "get", "max*"] }))).unwrap();
}

#[tokio::test]
async fn tls_is_spoken_and_certificates_are_judged() {
    let host = TestHost::new();
    let Some(authority) = runbook_servers::Authority::make(host.root()) else { return };
    let own = authority.sign("redis", "IP:127.0.0.1", -1, 5);
    let (port, chain, key, ca) = (free_port(), own.chain.display(), own.key.display(), authority.pem().display().to_string());
    let words = [port.to_string(), chain.to_string(), key.to_string(), ca.clone()];
    let options = ["--tls-port", "--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file"];
    let mut more: Vec<&str> = options.iter().zip(&words).flat_map(|(o, w)| [*o, w.as_str()]).collect();
    more.extend(["--tls-auth-clients", "no"]);
    let Some(_server) = Server::start(&more) else { return };
    let url = format!("rediss://:{}@127.0.0.1:{port}", Server::PASSWORD);
    for trusted in [json!({ "ca_file": ca }), json!({ "insecure": true })] {
        let mut json = json!({ "url": url });
        json.as_object_mut().unwrap().extend(trusted.as_object().unwrap().clone());
        assert!(ask(&host, json).await.unwrap().ready, "{trusted}");
    }
    let fault = ask(&host, json!({ "url": url })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("certificate")), "{fault:?}");
    assert!(ask(&host, json!({ "port": port })).await.is_err());
}
