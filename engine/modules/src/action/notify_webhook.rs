//! `notify.webhook`: sends a message to a URL.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use runbook_core::value::{Duration, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::support::by_hand;
use crate::support::http_args::{Basic, Pairs, headers};
use crate::support::http_client::put;
use crate::support::net;
use crate::support::notify::{post, quoted, reply, shown, ten_seconds, touches, url};
use crate::support::tls::Trust;

pub(crate) struct NotifyWebhook;

/// Sends a message as JSON to a URL.
///
/// It posts `{"message", "title", "severity", "source": "runbook", "time"}`, or what `json` says in place of that. The receiver must answer 200 to
/// 299, otherwise nobody may have been told, and the step fails. Of the URL only the host is shown, since the rest is often a secret.
///
/// A dry run says to whom and what, and sends nothing. Twice is two messages, unless an `idempotency_key` lets the receiver recognise the second.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL; give a secret param if there is a secret in it.
    url: String,
    /// The message. Give this, or `json`.
    #[serde(default)]
    message: Option<String>,
    /// A title for the message. Default: none.
    #[serde(default)]
    title: Option<String>,
    /// How bad it is, such as `critical`. Default: none.
    #[serde(default)]
    severity: Option<String>,
    /// The whole body, in place of `message`, `title` and `severity`.
    #[serde(default)]
    json: Json,
    /// Headers by name. Default: none but what the body needs.
    #[serde(default)]
    headers: Pairs,
    /// User and password, sent as `Authorization: Basic`. Default: none.
    #[serde(default)]
    basic: Option<Basic>,
    /// A token, sent as `Authorization: Bearer`; give a secret param. Default: none.
    #[serde(default)]
    bearer: Option<String>,
    /// Sent as the header `idempotency-key`, by which some receivers recognise a repeated message. Default: none.
    #[serde(default)]
    idempotency_key: Option<String>,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// The longest time for the whole exchange. Default: `10s`; a shorter limit of the step wins.
    #[serde(default = "ten_seconds")]
    timeout: Duration,
}

/// What the receiver said.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether the receiver took the message: it answered 200 to 299.
    delivered: bool,
    /// The host that it was sent to.
    to: String,
    /// The status code.
    status: Option<u16>,
    /// The beginning of what the receiver said, at most 1000 characters.
    reply: String,
    /// The time of the whole exchange.
    elapsed: Duration,
}

impl Args {
    fn request(&self) -> Result<HeaderMap, Fault> {
        let mut headers = headers(&self.headers, self.basic.as_ref(), self.bearer.as_deref())?;
        if !headers.contains_key(CONTENT_TYPE) {
            put(&mut headers, CONTENT_TYPE.as_str(), "application/json", false)?;
        }
        if let Some(key) = &self.idempotency_key {
            put(&mut headers, "idempotency-key", key, false)?;
        }
        Ok(headers)
    }

    fn body(&self, now: Option<jiff::Timestamp>) -> Json {
        if !self.json.is_null() {
            return self.json.clone();
        }
        json!({
            "message": self.message,
            "title": self.title,
            "severity": self.severity,
            "source": "runbook",
            "time": now.map(|t| t.to_string()),
        })
    }
}

impl Action for NotifyWebhook {
    const NAME: &'static str = "notify.webhook";
    const VERDICT: &'static str = "delivered";
    const SAYS: &'static str = "{{ to }} took it";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Tell the on-call service",
            yaml: "notify.webhook:\n  url: '{{ params.oncall_url }}'\n  title: gateway is down\n  message: The gateway did not come back after a restart.\n  severity: critical\n",
            runs: false,
        },
        Example {
            title: "A body of one's own",
            yaml: "notify.webhook:\n  url: https://events.example.org/v2/enqueue\n  bearer: '{{ params.token }}'\n  json: { event_action: trigger, dedup_key: gateway, payload: { summary: gateway is down, severity: critical } }\n  idempotency_key: gateway-down\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let own = args.get("json").is_none();
        let mut line = by_hand::curl(args, "POST", &args.seconds("timeout").unwrap_or_else(|| "10".to_owned()));
        if own {
            let fields = ["message", "title", "severity"]
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), Json::String(args.text(name)?))));
            let body = Json::Object(fields.collect()).to_string();
            line += &format!(" -H 'content-type: application/json' --data-raw {}", runbook_core::module::hand_word(&body));
        }
        ByHand::run(line).expect("a status from 200 to 299 in the first line")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        touches(&args.url)
    }

    fn idempotent(args: &Args) -> bool {
        args.idempotency_key.is_some()
    }

    fn check(args: &Args) -> Result<(), Fault> {
        url(&args.url)?;
        let words = args.message.is_some() || args.title.is_some() || args.severity.is_some();
        match (words, args.json.is_null()) {
            (true, false) => return Err(Fault::invalid("json", "give either `message` or `json`, not both")),
            (_, true) if args.message.as_ref().is_none_or(|m| m.trim().is_empty()) => {
                return Err(Fault::invalid("message", "say what to send"));
            }
            _ => {}
        }
        args.request().map(drop)
    }

    async fn plan(args: &Args, _: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let because = match &args.message {
            Some(message) => quoted(message),
            None => format!("a body of {}", format_size(args.body(None).to_string().len() as u64)),
        };
        Ok(Forecast::would(format!("send a message to {}", shown(&args.url)), because))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let body = args.body(Some(cx.now())).to_string().into_bytes();
        let trust = Trust::of(cx, false, args.ca_file.as_deref(), None, None);
        let (to, repeatable) = ((Method::POST, url(&args.url)?), Self::idempotent(args));
        let answer = post(cx, to, args.request()?, body, args.timeout, repeatable, trust).await?;
        Ok(Done::changed(Out {
            delivered: answer.status.is_some_and(|s| (200..300).contains(&s)),
            to: shown(&args.url),
            status: answer.status,
            reply: reply(&answer),
            elapsed: net::rounded(answer.elapsed),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::test_server::Server;
    use crate::support::testing::{TestHost, args, free_port, holds};

    async fn tell(json: Json) -> Result<Done<Out>, Fault> {
        NotifyWebhook::apply(&args(json), &TestHost::new().change()).await
    }

    #[tokio::test]
    async fn a_message_is_json() {
        let server = Server::start(Server::ok);
        let done = tell(
            json!({ "url": server.url("/s3cret"), "message": "it's \"down\"", "severity": "critical", "idempotency_key": "k" }),
        )
        .await
        .unwrap();
        assert!(done.changed && done.out.delivered && holds(NotifyWebhook::VERDICT, &done.out));
        let (head, body) = done.out.reply.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /s3cret ")
                && head.contains("content-type: application/json")
                && head.contains("idempotency-key: k")
        );
        let body: Json = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&body["message"], &body["severity"], &body["source"]),
            (&json!("it's \"down\""), &json!("critical"), &json!("runbook"))
        );
        assert_eq!(done.out.to, format!("127.0.0.1:{}", server.port));
        let done = tell(json!({ "url": server.url("/"), "json": { "a": 1 } })).await.unwrap();
        assert!(done.out.reply.ends_with("{\"a\":1}"));
    }

    #[tokio::test]
    async fn who_was_not_told_is_not_told() {
        let server = Server::start(|_| "HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nnope".into());
        let out = tell(json!({ "url": server.url("/"), "message": "m" })).await.unwrap().out;
        assert_eq!((out.delivered, out.status, out.reply.as_str()), (false, Some(500), "nope"));
        let server = Server::start(|_| String::new());
        let fault = tell(json!({ "url": server.url("/"), "message": "m" })).await.unwrap_err();
        assert!(fault.message().ends_with("may have been taken all the same"), "{fault:?}");
        let fault = tell(json!({ "url": format!("http://127.0.0.1:{}/s3cret", free_port()), "message": "m" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "connection refused"), "{fault:?}");
    }

    #[tokio::test]
    async fn a_plan_sends_nothing_and_shows_no_secret() {
        let server = Server::start(Server::ok);
        let message = args::<Args>(json!({ "url": server.url("/s3cret"), "message": "one\ntwo" }));
        let plan = NotifyWebhook::plan(&message, &TestHost::new().cx()).await.unwrap();
        assert_eq!((plan.would_change, plan.because.as_str()), (true, "\"one...\""));
        assert!(!plan.summary.contains("s3cret") && server.connections() == 0);
        assert!(!NotifyWebhook::idempotent(&message));
        assert!(!format!("{:?}", NotifyWebhook::touches(&message)).contains("s3cret"));
    }

    #[test]
    fn nonsense_is_invalid() {
        for bad in [
            json!({ "url": "http://h/" }),
            json!({ "url": "http://h/", "message": " " }),
            json!({ "url": "http://h/", "message": "m", "json": {} }),
            json!({ "url": "hooks.s3cret", "message": "m" }),
            json!({ "url": "http://h/", "message": "m", "headers": { "a": "b\nc" } }),
        ] {
            let fault = NotifyWebhook::check(&args(bad.clone())).unwrap_err();
            assert!(matches!(&fault, Fault::Invalid { message, .. } if !message.contains("s3cret")), "{bad}: {fault:?}");
        }
    }
}
