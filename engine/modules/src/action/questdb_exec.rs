//! `questdb.exec`: changes a QuestDB database.

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches, hand_line,
};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::http_args::Basic;
use crate::support::http_client::{host_and_port, parse_url};
use crate::support::net;
use crate::support::questdb::{Place, ask, here};

pub(crate) struct QuestdbExec;

/// Sends statements to a QuestDB database that change it, one after the other.
///
/// The program `questdb` has no verbs for this: a backup of the open-source edition is `CHECKPOINT CREATE`, a copy of its folder, and
/// `CHECKPOINT RELEASE`, which belongs under `always`, since a checkpoint that is never released keeps growing. The first statement that
/// the database refuses ends the step with its words; those before it stay done.
///
/// A statement that begins with `DROP` or `TRUNCATE`, or has `DROP PARTITION` or `DETACH PARTITION` in it, loses data: then the step asks
/// before it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The statements, in order.
    #[schemars(length(min = 1))]
    statements: Vec<String>,
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
    /// The longest time for each statement. Default: `2s` for this machine, `10s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

impl Args {
    fn place(&self) -> Place<'_> {
        Place { url: &self.url, basic: self.basic.as_ref(), bearer: self.bearer.as_deref(), timeout: self.timeout }
    }
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// How many statements were carried out.
    done: u64,
}

/// Whether a statement loses data.
fn loses(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().map(str::to_ascii_lowercase).collect();
    let pair = |a: &str, b: &str| words.windows(2).any(|w| w[0] == a && w[1].trim_end_matches(';') == b);
    matches!(words.first().map(String::as_str), Some("drop" | "truncate"))
        || pair("drop", "partition")
        || pair("detach", "partition")
}

impl Action for QuestdbExec {
    const NAME: &'static str = "questdb.exec";
    const MAIN: Option<&'static str> = Some("statements");
    const SAYS: &'static str = "{{ done }} statements";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Before a copy is made", yaml: "questdb.exec: [CHECKPOINT CREATE]\n", runs: false },
        Example {
            title: "Partitions of more than 30 days are lost, so that it asks first",
            yaml: "questdb.exec: [\"ALTER TABLE ticks DROP PARTITION WHERE timestamp < dateadd('d', -30, now())\"]\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let url = format!("{}/exec", args.or("url", "http://127.0.0.1:9000").trim_end_matches('/'));
        let hand = ByHand::default().note("Each answers with `\"ddl\":\"OK\"` or a `dataset`; at an `error` stop.");
        args.list("statements")
            .iter()
            .fold(hand, |hand, sql| hand.and(hand_line(["curl", "-sS", "-G", &url, "--data-urlencode", &format!("query={sql}")])))
    }

    fn effect(args: &Args) -> Effect {
        if args.statements.iter().any(|s| loses(s)) { Effect::Destroy } else { Effect::Change }
    }

    fn touches(args: &Args) -> Touches {
        let Some((host, port)) = host_and_port(&args.url) else { return Touches::default() };
        let database = Resource::new("db", args.url.trim_end_matches('/'));
        Touches::changes([database, net::resource(&host, port)]).needing(Need::Net { host, port })
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.statements.iter().any(|s| s.trim().is_empty()) {
            return Err(Fault::invalid("statements", "a statement is empty"));
        }
        parse_url(&args.url).map(drop)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        // That it answers is all that can be known beforehand.
        ask(&args.place(), "SELECT 1", 1, cx).await?;
        let what = args.statements.join("; ");
        Ok(Forecast::would(
            format!("send `{what}` to {}", args.url),
            "the database answers; what it would say to this only it knows",
        ))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let place = args.place();
        let mut out = Out { done: 0 };
        for sql in &args.statements {
            let asked = ask(&place, sql, 1, cx).await;
            asked.map_err(|fault| match fault {
                Fault::Unmet { message, .. } => Fault::unmet_with(format!("{message}: `{sql}`"), &out),
                other => other,
            })?;
            out.done += 1;
        }
        Ok(Done::changed(out))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::support::test_server::Server;
    use crate::support::testing::{TestHost, args};

    #[tokio::test]
    async fn the_first_refusal_ends_it() {
        let host = TestHost::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let of_server = seen.clone();
        let server = Server::start(move |request| {
            let line = request.lines().next().unwrap_or_default().to_owned();
            let bad = line.contains("NONSENSE");
            of_server.lock().unwrap().push(line);
            Server::body(if bad { r#"{"error":"no such thing","position":0}"# } else { r#"{"ddl":"OK"}"# })
        });
        let of = |statements: &[&str]| args::<Args>(json!({ "statements": statements, "url": server.url("") }));
        let forecast = QuestdbExec::plan(&of(&["CHECKPOINT CREATE"]), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.summary.contains("CHECKPOINT CREATE"), "{forecast:?}");
        assert!(seen.lock().unwrap().drain(..).all(|l| l.contains("query=SELECT+1&")), "a plan only asks whether it answers");
        let done = QuestdbExec::apply(&of(&["CHECKPOINT CREATE", "CHECKPOINT RELEASE"]), &host.change()).await.unwrap();
        assert_eq!((done.changed, done.out.done), (true, 2));
        seen.lock().unwrap().clear();
        let fault = QuestdbExec::apply(&of(&["VACUUM TABLE a", "NONSENSE", "VACUUM TABLE b"]), &host.change()).await.unwrap_err();
        let Fault::Unmet { message, result } = &fault else { panic!("{fault:?}") };
        assert!(message.contains("no such thing") && message.contains("`NONSENSE`"), "{message}");
        assert_eq!((result["done"].as_u64(), seen.lock().unwrap().len()), (Some(1), 2));
    }

    #[test]
    fn what_is_lost_is_asked_about() {
        let effect = |sql: &str| QuestdbExec::effect(&args(json!({ "statements": [sql] })));
        for sql in [
            "DROP TABLE t",
            "truncate table t",
            "ALTER TABLE t DROP PARTITION LIST '2024'",
            "alter table t detach partition list 'x'",
        ] {
            assert_eq!(effect(sql), Effect::Destroy, "{sql}");
        }
        for sql in ["CHECKPOINT CREATE", "VACUUM TABLE t", "ALTER TABLE t ATTACH PARTITION LIST 'x'"] {
            assert_eq!(effect(sql), Effect::Change, "{sql}");
        }
        assert!(QuestdbExec::check(&args(json!({ "statements": [" "] }))).is_err());
    }
}
