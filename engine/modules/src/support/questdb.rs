//! QuestDB's REST interface: `GET /exec?query=...`, as its documentation describes it.

use reqwest::Method;
use runbook_core::module::{Cx, Fault};
use runbook_core::value::Duration;
use serde_json::Value as Json;

use super::http_args::{Basic, headers};
use super::http_client::{Call, default_timeout, parse_url, send};
use super::net;
use super::tls::Trust;

/// Where the database is, and who asks.
pub(crate) struct Place<'a> {
    pub(crate) url: &'a str,
    pub(crate) basic: Option<&'a Basic>,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) timeout: Option<Duration>,
}

/// Where it is unless said otherwise.
pub(crate) fn here() -> String {
    "http://127.0.0.1:9000".to_owned()
}

/// The most bytes of an answer.
const MOST: u64 = 32 << 20;

/// Words that begin a statement which only looks.
const LOOKS: &[&str] = &["select", "show", "explain", "with"];

/// Whether a statement only looks, by its first word. One that begins with a comment or a bracket does not say.
pub(crate) fn only_looks(sql: &str) -> bool {
    let first: String = sql.trim_start().chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    LOOKS.contains(&first.to_ascii_lowercase().as_str())
}

/// What the database answered.
pub(crate) struct Answered {
    /// The names of the columns; none for a statement that gives no rows.
    pub(crate) columns: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<Vec<Json>>,
}

/// Sends one statement.
///
/// # Errors
/// Unmet with the database's words if it refuses the statement, or does not answer.
pub(crate) async fn ask(place: &Place<'_>, sql: &str, most_rows: u32, cx: &Cx<'_>) -> Result<Answered, Fault> {
    let mut url = parse_url(place.url)?;
    url.set_path(&format!("{}/exec", url.path().trim_end_matches('/')));
    url.query_pairs_mut().append_pair("query", sql).append_pair("limit", &most_rows.to_string());
    let own = place.timeout.map_or_else(|| default_timeout(&url, false), Duration::to_std);
    let call = Call {
        method: Method::GET,
        url,
        headers: headers(&std::collections::BTreeMap::new(), place.basic, place.bearer)?,
        body: Vec::new(),
        timeout: net::shorter(own, cx.timeout),
        follow_redirects: 0,
        trust: Trust::of(cx, false, None, None, None),
        unix_socket: None,
        resolve: None,
        max_body: MOST,
        // A statement that changes something must not be sent twice.
        repeatable: only_looks(sql),
    };
    let (answer, result) = send(cx.shared(), call).await;
    result.map_err(|failure| failure.into_fault(Json::Null))?;
    let status = answer.status.unwrap_or_default();
    if answer.truncated {
        return Err(Fault::unmet("the answer is longer than 32 MiB: ask for less"));
    }
    let json: Json = serde_json::from_slice(&answer.body)
        .map_err(|_| Fault::unmet(format!("the server answers {status} and no JSON: it is no QuestDB, or not its REST port")))?;
    if let Some(error) = json["error"].as_str() {
        let at = json["position"].as_u64().map(|p| format!(" (at position {p} of the statement)")).unwrap_or_default();
        return Err(Fault::unmet(format!("{error}{at}")));
    }
    if status != 200 {
        return Err(Fault::unmet(format!("the server answers {status}")));
    }
    let columns = json["columns"].as_array().into_iter().flatten();
    let columns = columns.map(|c| c["name"].as_str().unwrap_or_default().to_owned()).collect();
    let rows = json["dataset"].as_array().into_iter().flatten().map(|row| row.as_array().cloned().unwrap_or_default()).collect();
    Ok(Answered { columns, rows })
}
