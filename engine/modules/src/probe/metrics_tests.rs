//! Tests of `metrics`.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::support::test_server::Server;
use crate::support::testing::{TestHost, args, free_port, holds};

const TEXT: &str = r#"# HELP websocket_reconnects_total Reconnects.
# TYPE websocket_reconnects_total counter
websocket_reconnects_total{exchange="binance"} 7
websocket_reconnects_total{exchange="kraken"} 5
# TYPE stale_seconds gauge
stale_seconds{exchange="binance"} 0.5
stale_seconds{exchange="kraken"} 90
stale_seconds{exchange="dead"} +Inf
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 10
latency_seconds_bucket{le="0.5"} 20
latency_seconds_bucket{le="+Inf"} 20
latency_seconds_sum 4
latency_seconds_count 20
# TYPE gc summary
gc{quantile="0.5"} 0.01
gc{quantile="0.95"} 0.2
"#;

/// Answers with these texts one after the other, the last one again and again.
fn serve(texts: &[&str]) -> Server {
    let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
    let at = AtomicUsize::new(0);
    Server::start(move |_| Server::body(&texts[at.fetch_add(1, Ordering::SeqCst).min(texts.len() - 1)]))
}

async fn ask(json: serde_json::Value) -> Result<Out, Fault> {
    Metrics::observe(&args(json), &TestHost::new().cx()).await
}

#[tokio::test]
async fn sums_and_values_by_labels() {
    let server = serve(&[TEXT]);
    let url = server.url("/metrics");
    let out = ask(json!({ "url": url, "name": "websocket_reconnects_total" })).await.unwrap();
    assert_eq!(
        (out.count, out.sum, out.avg, out.min, out.max, out.value),
        (2, Some(12.0), Some(6.0), Some(5.0), Some(7.0), None)
    );
    assert_eq!((out.kind.as_deref(), out.help.as_deref(), out.rate), (Some("counter"), Some("Reconnects."), None));
    let out = ask(json!({ "url": url, "name": "stale_seconds", "labels": { "exchange": "kraken" } })).await.unwrap();
    assert_eq!((out.value, out.count), (Some(90.0), 1));
    let out = ask(json!({ "url": url, "name": "stale_seconds", "labels_match": { "exchange": "b.*|kraken" } })).await.unwrap();
    assert_eq!((out.count, out.sum), (2, Some(90.5)));
    // A pattern is for the whole value.
    let out = ask(json!({ "url": url, "name": "stale_seconds", "labels_match": { "exchange": "krak" }, "absent": "pass" })).await;
    assert!(!out.unwrap().found);
    let out = ask(json!({ "url": url })).await.unwrap();
    assert!(out.found && holds(Metrics::VERDICT, &out));
    assert_eq!((out.total, out.count), (12, 12));
}

#[tokio::test]
async fn numbers_that_are_none_are_null() {
    let server = serve(&[TEXT]);
    let out = ask(json!({ "url": server.url("/"), "name": "stale_seconds", "labels": { "exchange": "dead" } })).await.unwrap();
    assert_eq!((out.found, out.value, out.samples[0].value), (true, None, None));
}

#[tokio::test]
async fn growth_between_two_looks() {
    let later =
        TEXT.replace("\"binance\"} 7", "\"binance\"} 9").replace("\"kraken\"} 5", "\"kraken\"} 1").replace("dead", "other");
    let server = serve(&[TEXT, &later]);
    let out = ask(json!({ "url": server.url("/"), "name": "websocket_reconnects_total", "over": "20ms" })).await.unwrap();
    // Two more there, and one since the other was started anew.
    assert_eq!((out.increase, out.resets, out.delta), (Some(3.0), Some(1), Some(-2.0)));
    let (rate, over) = (out.rate.unwrap(), out.over.unwrap().to_std().as_secs_f64());
    assert!(over >= 0.02 && (rate * over - 3.0).abs() < 0.5, "{rate} {over}");
    let server = serve(&["a 1\n", "b 1\n"]);
    let out = ask(json!({ "url": server.url("/"), "name": "b", "over": "1ms" })).await.unwrap();
    assert_eq!((out.value, out.rate, out.increase), (Some(1.0), None, None));
}

#[tokio::test]
async fn quantiles_of_histograms_and_summaries() {
    let later =
        TEXT.replace("le=\"0.5\"} 20", "le=\"0.5\"} 30").replace("+Inf\"} 20", "+Inf\"} 30").replace("count 20", "count 30");
    let server = serve(&[TEXT, TEXT, &later]);
    let url = server.url("/");
    let out = ask(json!({ "url": url, "name": "latency_seconds", "quantile": 0.75 })).await.unwrap();
    let near = |got: Option<f64>, wanted: f64| assert!((got.unwrap() - wanted).abs() < 1e-9, "{got:?}");
    near(out.quantile, 0.3);
    assert_eq!((out.sum, out.kind.as_deref()), (Some(20.0), Some("histogram")));
    // Between two looks all were slow.
    let out = ask(json!({ "url": url, "name": "latency_seconds", "quantile": 0.5, "over": "1ms" })).await.unwrap();
    near(out.quantile, 0.3);
    assert_eq!(out.increase, Some(10.0));
    let out = ask(json!({ "url": url, "name": "gc", "quantile": 0.95 })).await.unwrap();
    assert_eq!(out.quantile, Some(0.2));
}

#[tokio::test]
async fn what_is_not_there_is_not_zero_unless_said() {
    let server = serve(&[TEXT]);
    let url = server.url("/");
    let fault = ask(json!({ "url": url, "name": "websocket_reconects_total" })).await.unwrap_err();
    assert_eq!(fault.message(), "there is no metric `websocket_reconects_total`; there is `websocket_reconnects_total`");
    assert!(matches!(&fault, Fault::Unmet { result, .. } if result["found"] == false && result["sum"].is_null()));
    let fault = ask(json!({ "url": url, "name": "stale_seconds", "labels": { "exchange": "x" } })).await.unwrap_err();
    assert_eq!(fault.message(), "no sample of `stale_seconds` has these labels");
    let out = ask(json!({ "url": url, "name": "x", "absent": "zero", "over": "1ms" })).await.unwrap();
    assert_eq!((out.found, out.value, out.sum, out.rate), (false, Some(0.0), Some(0.0), Some(0.0)));
    let out = ask(json!({ "url": url, "name": "x", "absent": "pass" })).await.unwrap();
    assert_eq!((out.found, out.value, out.sum), (false, None, None));
    let server = serve(&[""]);
    assert!(ask(json!({ "url": server.url("/") })).await.is_err());
}

#[tokio::test]
async fn no_numbers_is_no_answer() {
    let server = serve(&["<html>hello</html>"]);
    let fault = ask(json!({ "url": server.url("/") })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("line 1")), "{fault:?}");
    let server = Server::start(|_| "HTTP/1.1 500 Oops\r\ncontent-length: 3\r\n\r\na 1".into());
    let fault = ask(json!({ "url": server.url("/") })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("answered 500")), "{fault:?}");
    let fault = ask(json!({ "url": format!("http://127.0.0.1:{}/", free_port()) })).await.unwrap_err();
    assert_eq!(fault.message(), "connection refused");
    let server = serve(&[TEXT]);
    let fault = ask(json!({ "url": server.url("/"), "max_body": "10B" })).await.unwrap_err();
    assert!(matches!(fault, Fault::CannotTell { .. }));
}

#[tokio::test]
async fn a_file_will_do() {
    let host = TestHost::new();
    host.write("node.prom", TEXT);
    let out = Metrics::observe(&args(json!({ "file": "node.prom", "name": "gc" })), &host.cx()).await.unwrap();
    assert_eq!(out.count, 2);
    let fault = Metrics::observe(&args(json!({ "file": "gone.prom" })), &host.cx()).await.unwrap_err();
    assert!(matches!(fault, Fault::Unmet { .. }));
}

#[test]
fn nonsense_is_invalid() {
    for bad in [
        json!({}),
        json!({ "url": "http://h/", "file": "f" }),
        json!({ "url": "ftp://h/" }),
        json!({ "url": "http://h/", "name": "a", "quantile": 95 }),
        json!({ "url": "http://h/", "quantile": 0.5 }),
        json!({ "url": "http://h/", "labels_match": { "a": "(" } }),
    ] {
        assert!(matches!(Metrics::check(&args(bad.clone())), Err(Fault::Invalid { .. })), "{bad}");
    }
}
