//! `questdb`: asks a QuestDB database.

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_line};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::support::http_args::Basic;
use crate::support::http_client::{host_and_port, parse_url};
use crate::support::net;
use crate::support::questdb::{Place, ask, here, only_looks};

pub(crate) struct Questdb;

/// Asks a QuestDB database over its REST interface.
///
/// The program `questdb` has no verbs to ask with: what is asked goes to port 9000 as a statement. Only statements that look are sent:
/// `SELECT`, `SHOW`, `EXPLAIN` and `WITH`; for others use `questdb.exec`. What the database says against a statement is an answer: the step
/// fails with its words. Without `expect` the step is ok if there is a row.
///
/// QuestDB's SQL has no `INTERVAL`: the last minute is `timestamp > dateadd('m', -1, now())`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The statement. Default: `SELECT 1`, which asks whether it answers.
    #[serde(default = "one")]
    sql: String,
    /// The server's REST interface. Default: `http://127.0.0.1:9000`.
    #[serde(default = "here")]
    #[schemars(url)]
    url: String,
    /// User and password, sent as `Authorization: Basic`. Default: none.
    #[serde(default)]
    basic: Option<Basic>,
    /// A token, sent as `Authorization: Bearer`; give a secret param. Default: none.
    #[serde(default)]
    bearer: Option<String>,
    /// The longest time for the whole exchange. Default: `2s` for this machine, `10s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
    /// The most rows to give. Default: 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    max_rows: u32,
}

fn one() -> String {
    "SELECT 1".to_owned()
}

fn hundred() -> u32 {
    100
}

/// What it answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The first column of the first row; null if there is no row.
    value: Json,
    /// The rows, each a map by the names of the columns.
    rows: Vec<serde_json::Map<String, Json>>,
    /// How many rows are given.
    count: u64,
}

impl Probe for Questdb {
    const NAME: &'static str = "questdb";
    const MAIN: Option<&'static str> = Some("sql");
    const VERDICT: &'static str = "count > 0";
    const SAYS: &'static str = "{{ count }} rows, the first value {{ value }}";
    const COLUMNS: &'static [&'static str] = &["value"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Ticks of the last minute",
            yaml: "questdb: \"SELECT count() FROM ticks WHERE timestamp > dateadd('m', -1, now())\"\nexpect: value > 0\n",
            runs: false,
        },
        Example { title: "Whether it answers", yaml: "questdb: {}\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let url = format!("{}/exec", args.or("url", "http://127.0.0.1:9000").trim_end_matches('/'));
        let query = format!("query={}", args.or("sql", "SELECT 1"));
        ByHand::run(hand_line(["curl", "-sS", "-G", &url, "--data-urlencode", &query]))
            .expect("JSON with a `dataset` of rows, and no `error`")
    }

    fn touches(args: &Args) -> Touches {
        host_and_port(&args.url).map(|(host, port)| net::reads(&host, port)).unwrap_or_default()
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if !only_looks(&args.sql) {
            let help = "`questdb` only looks: begin with SELECT, SHOW, EXPLAIN or WITH, or use `questdb.exec`";
            return Err(Fault::invalid("sql", help));
        }
        parse_url(&args.url).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Self::check(args)?;
        let place = Place { url: &args.url, basic: args.basic.as_ref(), bearer: args.bearer.as_deref(), timeout: args.timeout };
        let answered = ask(&place, &args.sql, args.max_rows, cx).await?;
        let named = |row: Vec<Json>| answered.columns.iter().cloned().zip(row).collect();
        let value = answered.rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
        let rows: Vec<_> = answered.rows.into_iter().map(named).collect();
        Ok(Out { value, count: rows.len() as u64, rows })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::test_server::Server;
    use crate::support::testing::{TestHost, args, free_port};

    /// A stand-in: QuestDB cannot be had here. It answers as the documentation of its REST interface says.
    fn server(answer: &'static str) -> Server {
        Server::start(move |_| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()))
    }

    async fn look(host: &TestHost, json: Json) -> Result<Out, Fault> {
        Questdb::observe(&args(json), &host.cx()).await
    }

    #[tokio::test]
    async fn rows_have_names() {
        let host = TestHost::new();
        let server = server(
            r#"{"query":"q","columns":[{"name":"n","type":"LONG"},{"name":"s","type":"SYMBOL"}],"dataset":[[5,"a"],[6,null]],"count":2}"#,
        );
        let out = look(&host, json!({ "sql": "select n, s from t", "url": server.url("") })).await.unwrap();
        assert_eq!((&out.value, out.count), (&json!(5), 2));
        assert_eq!(out.rows[1], *json!({ "n": 6, "s": null }).as_object().unwrap());
    }

    #[tokio::test]
    async fn the_statement_is_a_parameter() {
        let host = TestHost::new();
        let server = Server::start(|request| {
            let line = request.lines().next().unwrap_or_default().to_owned();
            Server::body(&json!({ "columns": [{ "name": "line" }], "dataset": [[line]] }).to_string())
        });
        let out = look(&host, json!({ "sql": "SELECT 'a&b' FROM t", "url": server.url("/db/") })).await.unwrap();
        assert_eq!(out.value, "GET /db/exec?query=SELECT+%27a%26b%27+FROM+t&limit=100 HTTP/1.1");
    }

    #[tokio::test]
    async fn t22_what_the_database_says_against_it_is_the_answer() {
        let host = TestHost::new();
        let bad = r#"{"query":"q","error":"unexpected token [MINUTE]","position":54}"#;
        let server = Server::start(move |_| format!("HTTP/1.1 400 Bad request\r\ncontent-length: {}\r\n\r\n{bad}", bad.len()));
        let fault = look(&host, json!({ "sql": "SELECT 1", "url": server.url("") })).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unmet { message, .. } if message == "unexpected token [MINUTE] (at position 54 of the statement)"),
            "{fault:?}"
        );
        let fault = look(&host, json!({ "url": format!("http://127.0.0.1:{}", free_port()) })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "connection refused"), "{fault:?}");
        let other = Server::start(|_| Server::body("<html>"));
        let fault = look(&host, json!({ "url": other.url("") })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no QuestDB")), "{fault:?}");
    }

    #[test]
    fn only_looks_are_sent() {
        for bad in
            ["DROP TABLE ticks", "", "/* select */ DROP TABLE t", "insert into t values (1)", "(select 1)", "vacuum table t"]
        {
            assert!(Questdb::check(&args(json!({ "sql": bad }))).is_err(), "{bad}");
        }
        for good in ["select 1", " SHOW TABLES", "with x as (select 1) select * from x", "EXPLAIN select 1"] {
            assert!(Questdb::check(&args(json!({ "sql": good }))).is_ok(), "{good}");
        }
    }
}
