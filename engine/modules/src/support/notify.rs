//! What messages to people have in common: requests whose URL is a secret, and what came of them.

use std::time::Duration as Std;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use runbook_core::module::{Change, Fault, Need, Resource, Touches};
use runbook_core::value::Duration;

use super::http_client::{Answer, Call, host_and_port, parse_url, send};
use super::net::{self, Failure};
use super::tls::Trust;

/// The limit unless another is said.
pub(crate) fn ten_seconds() -> Duration {
    Std::from_secs(10).into()
}

/// What of a URL may be shown: incoming webhooks have their secret in the path.
pub(crate) fn shown(url: &str) -> String {
    match host_and_port(url) {
        Some((host, 80 | 443)) => host,
        Some((host, port)) => format!("{host}:{port}"),
        None => "an unknown host".to_owned(),
    }
}

/// Reads a URL; the message never repeats it.
pub(crate) fn url(text: &str) -> Result<Url, Fault> {
    parse_url(text).map_err(|_| Fault::invalid("url", "this is not a URL that starts with http:// or https://"))
}

/// What a message touches.
pub(crate) fn touches(url: &str) -> Touches {
    match host_and_port(url) {
        Some((host, port)) => Touches::changes([Resource::new("notify", shown(url))]).needing(Need::Net { host, port }),
        None => Touches::default(),
    }
}

/// A message for people in one line of a forecast.
pub(crate) fn quoted(text: &str) -> String {
    let first: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
    let cut = if first.len() < text.trim_end().len() { "..." } else { "" };
    format!("\"{first}{cut}\"")
}

/// The beginning of an answer, for people.
pub(crate) fn reply(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).trim().chars().take(1000).collect()
}

/// Posts a message.
pub(crate) async fn post(
    cx: &Change<'_>,
    (method, url): (Method, Url),
    headers: HeaderMap,
    body: Vec<u8>,
    timeout: Duration,
    repeatable: bool,
    trust: Trust,
) -> Result<Answer, Fault> {
    let call = Call {
        method,
        url,
        headers,
        body,
        timeout: net::shorter(timeout.to_std(), cx.timeout),
        // A message is for whom it was meant for.
        follow_redirects: 0,
        trust,
        unix_socket: None,
        resolve: None,
        max_body: 64 << 10,
        repeatable,
    };
    let (answer, result) = send(cx.shared(), call).await;
    match result {
        Ok(()) => Ok(answer),
        Err(Failure::Answer(why)) => {
            let never_arrived = answer.times.connect.is_none() && !answer.times.reused;
            let doubt = if never_arrived || repeatable { "" } else { "; the message may have been taken all the same" };
            Err(Fault::unmet(format!("{why}{doubt}")))
        }
        Err(Failure::Ours(why)) => Err(Fault::cannot_tell(why)),
    }
}
