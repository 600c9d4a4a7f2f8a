//! The lines a service writes on its own standard output and standard error, in uvicorn's (or Ollama's) words.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::options::Options;
use crate::service::Service;

/// Writes one line (or one block of lines) to standard error in a single write.
///
/// A closed pipe is ignored: a real service does not die of a reader that went away.
pub(crate) fn error_text(text: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Writes uvicorn's `INFO:` line to standard error.
pub(crate) fn info(message: &str) {
    error_text(&format!("INFO:     {message}"));
}

/// Writes uvicorn's `ERROR:` line to standard error.
pub(crate) fn error(message: &str) {
    error_text(&format!("ERROR:    {message}"));
}

/// Writes the lines that come before the application is ready.
pub(crate) fn starting(service: Service) {
    if service != Service::Ollama {
        info(&format!("Started server process [{}]", std::process::id()));
        info("Waiting for application startup.");
    }
}

/// Writes that the port is bound and the service answers.
pub(crate) fn running(options: &Options) {
    if options.service == Service::Ollama {
        let at = crate::clock::now();
        error_text(&format!(
            "time={at} level=INFO source=routes.go:1288 msg=\"Listening on {}:{} (version 0.5.7)\"",
            options.host, options.port
        ));
    } else if options.announce {
        info(&format!("Uvicorn running on http://{}:{} (Press CTRL+C to quit)", options.host, options.port));
    }
}

/// Writes the access line of one answered request to standard output.
pub(crate) fn access(service: Service, peer: SocketAddr, method: &str, target: &str, status: u16, took: Duration) {
    let line = if service == Service::Ollama {
        let at = jiff::Timestamp::now().strftime("%Y/%m/%d - %H:%M:%S");
        format!("[GIN] {at} | {status} | {:>13} | {:>15} | {method:<8} \"{target}\"\n", format!("{took:.4?}"), peer.ip())
    } else {
        let reason = hyper::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("");
        format!("INFO:     {peer} - \"{method} {target} HTTP/1.1\" {status} {reason}\n")
    };
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

/// Writes text that was asked for, such as the usage, to standard output.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
