//! What network modules share: which hosts are this machine, and what a failed connection means.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use runbook_core::module::{Fault, Need, Resource, Touches};
use runbook_core::value::format_duration;

/// What a failed connection means: an answer of the other side, or our side could not look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The other side, or its absence, answered no.
    Answer(String),
    /// Our side could not look.
    Ours(String),
}

impl Failure {
    /// The fault, with the partial result of the probe if it is an answer.
    pub(crate) fn into_fault(self, partial: impl serde::Serialize) -> Fault {
        match self {
            Failure::Answer(message) => Fault::unmet_with(message, partial),
            Failure::Ours(message) => Fault::cannot_tell(message),
        }
    }

    /// What was seen.
    pub(crate) fn message(&self) -> &str {
        match self {
            Failure::Answer(m) | Failure::Ours(m) => m,
        }
    }
}

/// Whether a host name or address (IPv6 with or without brackets) is this machine, without asking a name server.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost"),
    }
}

/// The resource behind a host and port: `port:N` on this machine, `net:HOST:PORT` elsewhere.
pub(crate) fn resource(host: &str, port: u16) -> Resource {
    if is_loopback(host) { Resource::new("port", port) } else { Resource::new("net", format!("{host}:{port}")) }
}

/// What a probe of a host and port touches.
pub(crate) fn reads(host: &str, port: u16) -> Touches {
    Touches::reads([resource(host, port)]).needing(Need::Net { host: host.to_owned(), port })
}

/// What a change of something touches that is looked at so.
pub(crate) fn changing(looks: Touches, what: Resource) -> Touches {
    Touches { changes: vec![what], ..looks }
}

/// A host and port as they are written: an address of IPv6 stands in brackets.
pub(crate) fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The shorter of a module's own limit and the attempt's.
pub(crate) fn shorter(own: Duration, attempt: Option<Duration>) -> Duration {
    attempt.map_or(own, |a| a.min(own))
}

/// A measured time, rounded to what says something: `812us`, `3ms`, `1s204ms`.
pub(crate) fn rounded(measured: Duration) -> runbook_core::value::Duration {
    let unit = if measured < Duration::from_millis(1) { 1_000 } else { 1_000_000 };
    let nanos = u64::try_from(measured.as_nanos()).unwrap_or(u64::MAX) / unit * unit;
    Duration::from_nanos(nanos).into()
}

/// "timed out after 2s".
pub(crate) fn timed_out(limit: Duration) -> Failure {
    let limit = jiff::SignedDuration::try_from(limit).unwrap_or(jiff::SignedDuration::MAX);
    Failure::Answer(format!("timed out after {}", format_duration(limit)))
}

/// What an input or output error of a connection means.
pub(crate) fn of_io(error: &io::Error, host: &str) -> Failure {
    use io::ErrorKind as K;
    let answer = |m: &str| Failure::Answer(m.to_owned());
    match error.kind() {
        K::ConnectionRefused => answer("connection refused"),
        K::ConnectionReset => answer("connection reset"),
        K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof => answer("connection closed before an answer came"),
        K::TimedOut => answer("timed out"),
        K::HostUnreachable => answer("no route to host"),
        // A Unix socket that is not there has nobody listening.
        K::NotFound => answer("no such socket"),
        _ => of_text(&error.to_string(), host),
    }
}

/// `getaddrinfo`'s errors come as text only.
fn of_text(text: &str, host: &str) -> Failure {
    const NO_NAME: [&str; 4] =
        ["Name or service not known", "No address associated with hostname", "nodename nor servname", "Name does not resolve"];
    if NO_NAME.iter().any(|n| text.contains(n)) {
        return Failure::Answer(format!("there is no host named `{host}`"));
    }
    if let Some(reason) = text.strip_prefix("failed to lookup address information: ") {
        return Failure::Ours(format!("cannot look up the host name `{host}`: {reason}"));
    }
    Failure::Ours(format!("cannot connect to {host}: {text}"))
}

/// The innermost errors of a chain: the input or output error, if there is one, and the last text.
pub(crate) fn innermost<'e>(error: &'e (dyn Error + 'static)) -> (Option<&'e io::Error>, String) {
    let mut io = None;
    let mut text = error.to_string();
    let mut next: Option<&'e (dyn Error + 'static)> = Some(error);
    while let Some(e) = next {
        text = e.to_string();
        if let Some(found) = e.downcast_ref::<io::Error>() {
            io = Some(found);
        }
        next = e.source();
    }
    (io, text)
}

/// What a failed HTTP exchange means; `connecting` if no connection was made.
pub(crate) fn of_http(error: &(dyn Error + 'static), connecting: bool, host: &str) -> Failure {
    let (io, text) = innermost(error);
    if let Some(io) = io {
        return of_io(io, host);
    }
    if text.contains("connection closed before message completed") || text.contains("end of file before message length reached") {
        return Failure::Answer("connection closed before the answer was complete".to_owned());
    }
    if connecting {
        return Failure::Ours(format!("cannot connect to {host}: {text}"));
    }
    Failure::Answer(format!("the answer is not proper HTTP: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_without_asking() {
        for host in ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST", "api.localhost", "0.0.0.0"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["10.0.0.1", "example.org", "localhost.example.org", "notlocalhost", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn answers_and_our_own_trouble_differ() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(of_io(&refused, "h"), Failure::Answer("connection refused".into()));
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(matches!(of_io(&denied, "h"), Failure::Ours(_)));
        let gone = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(of_io(&gone, "h"), Failure::Answer("there is no host named `h`".into()));
        let later = io::Error::other("failed to lookup address information: Temporary failure in name resolution");
        assert!(matches!(of_io(&later, "h"), Failure::Ours(_)));
    }

    #[test]
    fn the_shorter_limit_counts() {
        let s = Duration::from_secs;
        assert_eq!(shorter(s(2), None), s(2));
        assert_eq!(shorter(s(2), Some(s(1))), s(1));
        assert_eq!(shorter(s(2), Some(s(5))), s(2));
    }
}
