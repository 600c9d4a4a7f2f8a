//! `notify.slack`: sends a message to a Slack channel.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::support::http_client::put;
use crate::support::net;
use crate::support::notify::{post, quoted, reply, shown, ten_seconds, touches, url};
use crate::support::tls::Trust;

pub(crate) struct NotifySlack;

/// Sends a message to a Slack channel, through an incoming webhook.
///
/// Slack says `ok` if it took the message, and otherwise why not, such as `invalid_token` or `channel_is_archived`: then the step fails with that.
/// The URL is a secret and is never shown. Servers that speak the same, such as Mattermost, will do.
///
/// A dry run says what would be sent, and sends nothing. Twice is two messages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL of the incoming webhook; give a secret param.
    url: String,
    /// The text, in Slack's own markup. With `blocks` it is what notifications show. `&`, `<` and `>` in values from elsewhere are written
    /// as they are: `plain: true` keeps them from being markup.
    text: String,
    /// Slack's blocks, for a message of a form of its own. Default: none.
    #[serde(default)]
    blocks: Option<Vec<Json>>,
    /// Whether the text has no markup: then nobody is notified by what happens to look like `<!channel>`. Default: false.
    #[serde(default)]
    plain: bool,
    /// The longest time for the whole exchange. Default: `10s`; a shorter limit of the step wins.
    #[serde(default = "ten_seconds")]
    timeout: Duration,
}

/// What Slack said.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether Slack took the message.
    delivered: bool,
    /// The host that it was sent to.
    to: String,
    /// The status code.
    status: Option<u16>,
    /// What Slack said: `ok`, or why not.
    reply: String,
    /// The time of the whole exchange.
    elapsed: Duration,
}

impl Args {
    fn body(&self) -> Json {
        let text = match self.plain {
            true => self.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            false => self.text.clone(),
        };
        let mut body = json!({ "text": text });
        if self.plain {
            body["mrkdwn"] = json!(false);
        }
        if let Some(blocks) = &self.blocks {
            body["blocks"] = json!(blocks);
        }
        body
    }
}

impl Action for NotifySlack {
    const NAME: &'static str = "notify.slack";
    const VERDICT: &'static str = "delivered";
    const SAYS: &'static str = "Slack took it";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Tell the channel",
            yaml: "notify.slack:\n  url: '{{ params.slack_webhook }}'\n  text: ':rotating_light: *gateway* is down; the runbook has restarted it'\n",
            runs: false,
        },
        Example {
            title: "A text that comes from elsewhere",
            yaml: "notify.slack: { url: '{{ params.slack_webhook }}', text: '{{ steps.log.lines }}', plain: true }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let body = json!({ "text": args.or("text", "<text>") }).to_string();
        let url = args.word("url");
        ByHand::run(format!("curl -sS --max-time 10 -H 'content-type: application/json' --data-raw {} {url}", hand_word(&body)))
            .expect("`ok`, and nothing else")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        touches(&args.url)
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        url(&args.url)?;
        match args.text.trim().is_empty() {
            true => Err(Fault::invalid("text", "say what to send")),
            false => Ok(()),
        }
    }

    async fn plan(args: &Args, _: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        Ok(Forecast::would(format!("send a Slack message by {}", shown(&args.url)), quoted(&args.text)))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let mut headers = HeaderMap::new();
        put(&mut headers, CONTENT_TYPE.as_str(), "application/json", false)?;
        let to = (Method::POST, url(&args.url)?);
        let answer = post(cx, to, headers, args.body().to_string().into_bytes(), args.timeout, false, Trust::default()).await?;
        let reply = reply(&answer);
        let out = Out {
            delivered: answer.status == Some(200) && reply.eq_ignore_ascii_case("ok"),
            to: shown(&args.url),
            status: answer.status,
            reply,
            elapsed: net::rounded(answer.elapsed),
        };
        if !out.delivered {
            let status = out.status.unwrap_or_default();
            let said = if out.reply.is_empty() { "nothing".to_owned() } else { format!("`{}`", out.reply) };
            return Err(Fault::unmet_with(format!("Slack did not take the message: it answered {status} and said {said}"), out));
        }
        Ok(Done::changed(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::test_server::Server;
    use crate::support::testing::{TestHost, args, holds};

    async fn tell(json: Json) -> Result<Done<Out>, Fault> {
        NotifySlack::apply(&args(json), &TestHost::new().change()).await
    }

    #[tokio::test]
    async fn ok_is_the_only_good_answer() {
        let server = Server::start(|r| {
            let (_, body) = r.split_once("\r\n\r\n").unwrap_or_default();
            assert!(body == r#"{"text":"*hi* <!here>"}"# || body.contains("mrkdwn"), "{body}");
            Server::body("ok")
        });
        let done = tell(json!({ "url": server.url("/services/s3cret"), "text": "*hi* <!here>" })).await.unwrap();
        assert!(done.changed && holds(NotifySlack::VERDICT, &done.out));
        for (answer, word) in [
            ("HTTP/1.1 403 F\r\ncontent-length: 13\r\n\r\ninvalid_token", "answered 403 and said `invalid_token`"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nno_text", "answered 200 and said `no_text`"),
            ("HTTP/1.1 302 F\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", "answered 302 and said nothing"),
        ] {
            let server = Server::start(move |_| answer.to_owned());
            let fault = tell(json!({ "url": server.url("/services/s3cret"), "text": "t" })).await.unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{fault:?}");
            assert!(!format!("{fault:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_comes_from_elsewhere_notifies_nobody() {
        let plain = args::<Args>(json!({ "url": "http://h/", "text": "<!channel> a & b", "plain": true }));
        assert_eq!(plain.body()["text"], "&lt;!channel&gt; a &amp; b");
        let blocks = args::<Args>(json!({ "url": "http://h/", "text": "t", "blocks": [{ "type": "divider" }] }));
        assert_eq!(blocks.body()["blocks"][0]["type"], "divider");
    }

    #[tokio::test]
    async fn a_plan_sends_nothing() {
        let server = Server::start(Server::ok);
        let message = args::<Args>(json!({ "url": server.url("/services/s3cret"), "text": "down" }));
        let plan = NotifySlack::plan(&message, &TestHost::new().cx()).await.unwrap();
        assert_eq!(plan.because, "\"down\"");
        assert!(!plan.summary.contains("s3cret") && server.connections() == 0 && !NotifySlack::idempotent(&message));
        for bad in [json!({ "url": "x", "text": "t" }), json!({ "url": "http://h/", "text": "" })] {
            assert!(matches!(NotifySlack::check(&args(bad)), Err(Fault::Invalid { .. })));
        }
    }
}
