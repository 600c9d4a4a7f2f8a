use runbook_servers::Postgres as Server;
use serde_json::json;

use super::*;
use crate::support::testing::{TestHost, args, free_port};

async fn ask(host: &TestHost, server: &Server, more: Json) -> Result<Out, Fault> {
    let mut json = json!({ "port": server.port, "user": Server::USER, "password": Server::PASSWORD });
    json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Postgres::observe(&args(json), &host.cx()).await
}

#[tokio::test]
async fn it_is_ready_and_says_who_is_connected() {
    let Some(server) = Server::shared() else { return };
    let host = TestHost::new();
    let db = server.database();
    let out = ask(&host, server, json!({ "database": db })).await.unwrap();
    assert!(out.ready && out.error.is_none() && out.version_num.unwrap() > 90_000);
    assert_eq!((out.database.as_deref(), out.user.as_deref()), (Some(db.as_str()), Some("postgres")));
    assert!(out.activity.active >= 1 && out.activity.total >= 1 && out.connections_percent.unwrap() > 0.0);
    assert_eq!((out.max_connections, out.in_recovery, out.extensions), (Some(60), Some(false), vec!["plpgsql".to_owned()]));
    assert!(out.database_bytes.unwrap() > 1 << 20 && out.latency.is_some());
    let url = format!("postgres://app:app-password@127.0.0.1:{}/{db}", server.port);
    let out = Postgres::observe(&args(json!({ "url": url, "query": "SELECT current_user" })), &host.cx()).await.unwrap();
    assert_eq!(out.value, json!("app"));
    let out = ask(&host, server, json!({ "port": null, "host": server.socket(), "port": server.port })).await.unwrap();
    assert!(out.ready);
}

#[tokio::test]
async fn values_keep_their_kinds_and_are_bound() {
    let Some(server) = Server::shared() else { return };
    let host = TestHost::new();
    for (query, params, value) in [
        ("SELECT true", json!([]), json!(true)),
        ("SELECT 5::int2", json!([]), json!(5)),
        ("SELECT -1.50::numeric", json!([]), json!(-1.5)),
        ("SELECT 100000000::numeric", json!([]), json!(100_000_000)),
        ("SELECT 0.0001::numeric", json!([]), json!(0.0001)),
        ("SELECT 123456789012345678901234.5::numeric", json!([]), json!("123456789012345678901234.5")),
        ("SELECT 'x'::name", json!([]), json!("x")),
        ("SELECT '{\"a\": [1]}'::jsonb", json!([]), json!({ "a": [1] })),
        ("SELECT ARRAY['a', NULL]", json!([]), json!(["a", null])),
        ("SELECT interval '1 day 2 hours'", json!([]), json!({ "$duration": "1d2h" })),
        ("SELECT timestamptz '2026-02-15 14:23:45Z'", json!([]), json!({ "$time": "2026-02-15T14:23:45Z" })),
        ("SELECT timestamp '2026-02-15 14:23:45'", json!([]), json!("2026-02-15 14:23:45")),
        ("SELECT date '1999-12-31'", json!([]), json!("1999-12-31")),
        ("SELECT '\\x00ff'::bytea", json!([]), json!("00ff")),
        ("SELECT inet '10.0.0.0/8'", json!([]), json!("10.0.0.0/8")),
        ("SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", json!([]), json!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        ("SELECT NULL", json!([]), json!(null)),
        ("SELECT $1::int + 1", json!(["4"]), json!(5)),
        ("SELECT $1::text", json!(["it's; DROP"]), json!("it's; DROP")),
        ("SELECT now() - $1::interval < now()", json!(["1 hour"]), json!(true)),
        ("SELECT 'b' = ANY($1)", json!([["a", "b\"{}"]]), json!(false)),
        ("SELECT ($1::jsonb)->>'a'", json!([{ "a": "x" }]), json!("x")),
        ("SELECT $1::text IS NULL", json!([null]), json!(true)),
        ("SHOW server_encoding", json!([]), json!("UTF8")),
    ] {
        let out = ask(&host, server, json!({ "query": query, "params": params })).await;
        assert_eq!(out.unwrap_or_else(|f| panic!("{query}: {f:?}")).value, value, "{query}");
    }
    let out =
        ask(&host, server, json!({ "query": "SELECT n, 'x' AS x FROM generate_series(1, 9) n", "limit": 2 })).await.unwrap();
    assert_eq!((out.row_count, out.truncated, json!(out.rows[1])), (2, true, json!({ "n": 2, "x": "x" })));
    let fault = ask(&host, server, json!({ "query": "SELECT int4range(1, 2)" })).await.unwrap_err();
    assert!(fault.message().contains("::text"), "{fault:?}");
}

#[tokio::test]
async fn t58_a_server_that_is_ready_says_nothing_about_the_user() {
    let Some(server) = Server::shared() else { return };
    let host = TestHost::new();
    let mut naive = server.command("pg_isready");
    let done = naive.args(["-U", "nobody-of-that-name", "-d", "no-such-database"]).output().unwrap();
    assert!(done.status.success(), "pg_isready is content with a user that does not exist");
    for (more, code) in [
        (json!({ "user": "nobody-of-that-name" }), "28P01"),
        (json!({ "password": "wrong-password" }), "28P01"),
        (json!({ "database": "no-such-database" }), "3D000"),
    ] {
        let Fault::Unmet { message, result } = ask(&host, server, more).await.unwrap_err() else { panic!() };
        assert_eq!((&result["ready"], &result["sqlstate"]), (&json!(false), &json!(code)), "{message}");
        assert!(!message.contains("wrong-password"));
    }
    let fault = Postgres::observe(&args(json!({ "port": free_port() })), &host.cx()).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "connection refused"), "{fault:?}");
    let fault = Postgres::observe(&args(json!({ "host": "/nowhere" })), &host.cx()).await.unwrap_err();
    assert_eq!(fault.message(), "no such socket");
}

#[tokio::test]
async fn t23_psql_ends_well_after_errors() {
    use std::io::Write;
    let Some(server) = Server::shared() else { return };
    let mut psql = server.command("psql");
    psql.args(["-X", "-d", "postgres"]).stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = psql.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"SELECT * FROM no_such_table;\n").unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success() && String::from_utf8_lossy(&done.stderr).contains("does not exist"));
    let host = TestHost::new();
    let Fault::Unmet { message, result } =
        ask(&host, server, json!({ "query": "SELECT * FROM no_such_table" })).await.unwrap_err()
    else {
        panic!()
    };
    assert!(
        message.contains("does not exist") && result["sqlstate"] == json!("42P01") && result["ready"] == json!(true),
        "{message}"
    );
}

#[tokio::test]
async fn t66_columns_have_other_names_and_the_extension_may_be_missing() {
    let Some(server) = Server::shared() else { return };
    let host = TestHost::new();
    let db = server.database();
    let good = "SELECT count(mean_exec_time) FROM pg_stat_statements";
    let old = "SELECT count(mean_time) FROM pg_stat_statements";
    let both = json!({ "database": db, "query": good, "query_before": { "version": 13, "query": old } });
    let fault = ask(&host, server, both.clone()).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("the extension is missing")), "{fault:?}");
    server.value(&db, "CREATE EXTENSION pg_stat_statements");
    // What the page says fails on this version.
    let naive = server.psql(&db, old);
    assert!(String::from_utf8_lossy(&naive.stderr).contains("mean_time"), "{naive:?}");
    let out = ask(&host, server, both).await.unwrap();
    assert!(out.value.as_i64().is_some() && out.extensions.contains(&"pg_stat_statements".to_owned()));
}

#[tokio::test]
async fn t54_a_value_in_the_text_is_read_as_sql() {
    let Some(server) = Server::shared() else { return };
    let host = TestHost::new();
    let db = server.database();
    server.value(&db, "CREATE TABLE s AS SELECT n::text AS id FROM generate_series(1, 9) n");
    let hostile = "x' OR '1'='1";
    assert_eq!(server.value(&db, &format!("SELECT count(*) FROM s WHERE id = '{hostile}'")), "9");
    let bound = json!({ "database": db, "query": "SELECT count(*) FROM s WHERE id = $1", "params": [hostile] });
    assert_eq!(ask(&host, server, bound).await.unwrap().value, json!(0));
}

#[tokio::test]
async fn nothing_is_changed_and_long_queries_end() {
    let Some(server) = Server::shared() else { return };
    let host = TestHost::new();
    let db = server.database();
    server.value(&db, "CREATE TABLE t (a int)");
    for (query, word) in [
        ("DELETE FROM t", "postgres.exec"),
        ("SELECT pg_terminate_backend(1)", "postgres.terminate"),
        ("VACUUM", "postgres.exec"),
        ("", "postgres.exec"),
    ] {
        let fault = ask(&host, server, json!({ "query": query })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{query}: {fault:?}");
    }
    let writing = "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x";
    let fault = ask(&host, server, json!({ "database": db, "query": writing })).await.unwrap_err();
    assert!(fault.message().contains("read-only transaction"), "{fault:?}");
    assert_eq!(server.value(&db, "SELECT count(*) FROM t"), "0");
    let fault = ask(&host, server, json!({ "query": "SELECT pg_sleep(60)", "timeout": "2s" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.starts_with("timed out after 2s")), "{fault:?}");
    let fault = ask(&host, server, json!({ "query": "SELECT $1::int", "params": [] })).await.unwrap_err();
    assert!(fault.message().contains("1 places"), "{fault:?}");
    for bad in [
        json!({ "params": [1] }),
        json!({ "query_before": { "version": 13, "query": "SELECT 1" } }),
        json!({ "query": "SELECT 1", "params": { "a": 1 } }),
    ] {
        assert!(Postgres::check(&args(bad)).is_err());
    }
}

#[tokio::test]
async fn tls_is_spoken_and_certificates_are_judged() {
    let Some(server) = Server::shared().filter(|s| s.tls) else { return };
    let host = TestHost::new();
    let tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let ca = server.folder().join("server.crt");
    for (more, spoken) in [
        (json!({}), true),
        (json!({ "sslmode": "disable" }), false),
        (json!({ "sslmode": "require", "insecure": true }), true),
        (json!({ "sslmode": "require", "ca_file": ca }), true),
    ] {
        let mut json = json!({ "query": tls });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(ask(&host, server, json).await.unwrap_or_else(|f| panic!("{more}: {f:?}")).value, json!(spoken), "{more}");
    }
    let fault = ask(&host, server, json!({ "sslmode": "require" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("certificate")), "{fault:?}");
    let fault = ask(&host, server, json!({ "sslmode": "require", "ca_file": "gone.pem" })).await.unwrap_err();
    assert!(matches!(fault, Fault::CannotTell { .. }));
}
