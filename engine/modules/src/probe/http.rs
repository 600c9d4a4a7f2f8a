//! `http`: asks a web server.

use std::path::PathBuf;

use reqwest::Method;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::support::by_hand;
use crate::support::http_args::{Basic, HttpOut, Pairs, add_query, check_trust, default_max_body, headers, resolve};
use crate::support::http_client::{Call, default_timeout, host_and_port, parse_url, send};
use crate::support::net;
use crate::support::tls::Trust;

pub(crate) struct Http;

/// Asks a web server and shows its answer.
///
/// Any status is a result, with headers and body: a health check that answers 503 with a reason can be read. Without `expect` the step
/// is ok if the status is 200 to 399. A refused or reset connection, an unknown host name, a certificate that is not accepted and a
/// server that does not answer in time are answers too: the step fails with that message, and `error` holds it.
///
/// Whether a server is there and whether it is well are two things: `expect: reachable` is content with any answer, 404 and 503 included.
///
/// `timings` says where the time went. Of a server with TLS, `tls` has the certificate with its days left.
///
/// It only looks, so it only knows the methods that change nothing: GET, HEAD and OPTIONS. For others use `http.request`.
///
/// Redirects are not followed unless `follow_redirects` says how many; user and password are not sent on to another server. Proxies
/// from the environment are used, but never for this machine. Connections are kept for the next probe.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL, starting with `http://` or `https://`.
    #[schemars(url)]
    url: String,
    /// The method: `GET` (default), `HEAD` or `OPTIONS`.
    #[serde(default)]
    method: ReadMethod,
    /// Headers by name. Default: none but `user-agent`, `accept` and `host`.
    #[serde(default)]
    headers: Pairs,
    /// Parameters added to the URL, percent-encoded; null leaves one out. Default: none.
    #[serde(default)]
    query: Pairs,
    /// User and password, sent as `Authorization: Basic`. Default: none.
    #[serde(default)]
    basic: Option<Basic>,
    /// A token, sent as `Authorization: Bearer`; give a secret param. Default: none.
    #[serde(default)]
    bearer: Option<String>,
    /// The longest time for the whole exchange. Default: `2s` for this machine, `10s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
    /// The most redirects to follow. Default: 0, so that the redirect itself is the result.
    #[serde(default)]
    #[schemars(range(max = 20))]
    follow_redirects: u32,
    /// Whether to take any certificate. Default: false.
    #[serde(default)]
    insecure: bool,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// A file in PEM with the certificate to show to the server. Default: none.
    #[serde(default)]
    client_cert: Option<String>,
    /// A file in PEM with the key of `client_cert`. Default: the key is in `client_cert`.
    #[serde(default)]
    client_key: Option<String>,
    /// The address to connect to in place of what the URL's host name stands for, such as `10.0.0.5`; the name stays in the `host` header and
    /// in TLS. Default: the name is looked up.
    #[serde(default)]
    resolve: Option<String>,
    /// The path of a Unix socket to connect to in place of the URL's host and port. Default: none.
    #[serde(default)]
    unix_socket: Option<String>,
    /// The most bytes of the body to keep. Default: `1MiB`.
    #[serde(default = "default_max_body")]
    max_body: Size,
}

impl Args {
    fn trust(&self, cx: &Cx<'_>) -> Trust {
        Trust::of(cx, self.insecure, self.ca_file.as_deref(), self.client_cert.as_deref(), self.client_key.as_deref())
    }
}

/// A method that changes nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline, extend("x-help" = "`http` only looks; use `http.request` for methods that change something"))]
enum ReadMethod {
    #[default]
    Get,
    Head,
    Options,
}

impl Probe for Http {
    const NAME: &'static str = "http";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "status >= 200 and status < 400";
    const SAYS: &'static str = "{{ status }} in {{ elapsed }}";
    const COLUMNS: &'static [&'static str] = &["status", "elapsed"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A health check", yaml: "http: http://127.0.0.1:7000/healthz", runs: false },
        Example {
            title: "A degraded service answers 503 and says why",
            yaml: "http: http://127.0.0.1:8000/api/health\nexpect:\n  - status in [200, 503]\n  - json.status != 'unhealthy'\n",
            runs: false,
        },
        Example {
            title: "With a header, a limit and a retry",
            yaml: "http:\n  url: http://127.0.0.1:7000/v1/models\n  headers: { accept: application/json }\n  timeout: 500ms\nexpect:\n  - status == 200\n  - elapsed < 200ms\nretry: { for: 10s, every: 250ms }\n",
            runs: false,
        },
        Example {
            title: "Reachable, whatever it says to this path; and its certificate is good for a week or more",
            yaml: "http: https://api.groq.com/health\nexpect:\n  - reachable\n  - tls.days_left >= 7\n",
            runs: false,
        },
        Example {
            title: "A server of one's own authority, by its address",
            yaml: "http:\n  url: https://gateway.internal:7443/healthz\n  resolve: 10.0.0.5\n  ca_file: /etc/ssl/internal-ca.pem\nexpect:\n  - status == 200\n  - timings.first_byte < 200ms\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "http: http://127.0.0.1:{port}/",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = HttpOut;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let seconds = args.seconds("timeout").unwrap_or_else(|| by_hand::default_seconds(&args.or("url", "")).to_owned());
        let hand = ByHand::run(by_hand::curl(args, &args.or("method", "GET").to_uppercase(), &seconds));
        by_hand::about_query(hand, args).expect("a status from 200 to 399 in the first line")
    }

    fn touches(args: &Args) -> Touches {
        match (&args.unix_socket, host_and_port(&args.url)) {
            (Some(path), _) => Touches::reads([Resource::file(path)]),
            (None, Some((host, port))) => net::reads(&host, port),
            (None, None) => Touches::default(),
        }
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let url = parse_url(&args.url)?;
        resolve(&url, args.resolve.as_deref())?;
        check_trust(args.insecure, args.ca_file.as_deref(), args.client_cert.as_deref(), args.client_key.as_deref())?;
        headers(&args.headers, args.basic.as_ref(), args.bearer.as_deref()).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<HttpOut, Fault> {
        let mut url = parse_url(&args.url)?;
        let resolve = resolve(&url, args.resolve.as_deref())?;
        add_query(&mut url, &args.query);
        let own = args.timeout.map_or_else(|| default_timeout(&url, args.unix_socket.is_some()), Duration::to_std);
        let method = match args.method {
            ReadMethod::Get => Method::GET,
            ReadMethod::Head => Method::HEAD,
            ReadMethod::Options => Method::OPTIONS,
        };
        let call = Call {
            method,
            url,
            headers: headers(&args.headers, args.basic.as_ref(), args.bearer.as_deref())?,
            body: Vec::new(),
            timeout: net::shorter(own, cx.timeout),
            follow_redirects: args.follow_redirects,
            trust: args.trust(cx),
            resolve,
            unix_socket: args.unix_socket.as_ref().map(|p| -> PathBuf { cx.resolve(p) }),
            max_body: args.max_body.0,
            repeatable: true,
        };
        let (answer, result) = send(cx.shared(), call).await;
        match result {
            Ok(()) => Ok(HttpOut::of(answer, None, cx.now())),
            Err(failure) => {
                let out = HttpOut::of(answer, Some(failure.message().to_owned()), cx.now());
                Err(failure.into_fault(out))
            }
        }
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
