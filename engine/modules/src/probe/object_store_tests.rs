//! Tests of `object_store` and its actions, against a real S3 API.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use runbook_core::module::{Action, Done, Effect, Forecast};
use runbook_servers::S3 as Server;
use serde_json::{Value as Json, json};

use super::*;
use crate::action::object_store_get::{self, ObjectStoreGet};
use crate::action::object_store_put::{self, ObjectStorePut};
use crate::action::object_store_sync::{self, ObjectStoreSync};
use crate::support::s3::S3;
use crate::support::s3::parts::Sending;
use crate::support::test_server::Server as Web;
use crate::support::testing::{TestHost, args, eventually, free_port, holds};

static SERVER: OnceLock<Option<Server>> = OnceLock::new();

/// The store with a fresh bucket; `None` where no server is to be had.
fn store(bucket: &str) -> Option<Json> {
    let server = SERVER.get_or_init(Server::start).as_ref()?;
    let out = Command::new("curl").args(["-sS", "-f", "-X", "PUT", &format!("{}/{bucket}", server.url())]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(json!({ "endpoint": server.url(), "access_key": "AKTEST", "secret_key": "s3cret-of-s3" }))
}

async fn ask(host: &TestHost, json: Json) -> Result<Out, Fault> {
    ObjectStore::observe(&args(json), &host.cx()).await
}

async fn put(host: &TestHost, json: Json) -> Result<Done<object_store_put::Out>, Fault> {
    ObjectStorePut::apply(&args(json), &host.change()).await
}

async fn get(host: &TestHost, json: Json) -> Result<Done<object_store_get::Out>, Fault> {
    ObjectStoreGet::apply(&args(json), &host.change()).await
}

async fn sync(host: &TestHost, json: Json) -> Result<Done<object_store_sync::Out>, Fault> {
    ObjectStoreSync::apply(&args(json), &host.change()).await
}

async fn plan_sync(host: &TestHost, json: &Json) -> Result<Forecast, Fault> {
    ObjectStoreSync::plan(&args(json.clone()), &host.cx()).await
}

fn as_json(out: &impl serde::Serialize) -> Json {
    serde_json::to_value(out).unwrap()
}

#[tokio::test]
async fn what_is_put_is_found_and_fetched() {
    let Some(store) = store("putget") else { return };
    let host = TestHost::new();
    host.write("a b.txt", "hello");
    let key = "backups/2026/a b+ü.txt";
    let file = json!({ "file": "a b.txt", "bucket": "putget", "key": key, "content_type": "text/plain", "store": store });
    let plan = ObjectStorePut::plan(&args(file.clone()), &host.cx()).await.unwrap();
    assert!(plan.would_change && plan.because == "it is not there", "{plan:?}");
    assert!(!ask(&host, json!({ "bucket": "putget", "store": store })).await.unwrap().found, "a plan puts nothing");
    let done = put(&host, file.clone()).await.unwrap();
    assert!(done.changed);
    assert!(!put(&host, file.clone()).await.unwrap().changed);
    assert!(!ObjectStorePut::plan(&args(file.clone()), &host.cx()).await.unwrap().would_change);

    let out = ask(&host, json!({ "bucket": "putget", "key": key, "store": store })).await.unwrap();
    assert_eq!((out.found, out.size, out.content_type.as_deref()), (true, Size(5), Some("text/plain")));
    assert_eq!(out.sha256.as_deref().unwrap(), as_json(&done.out)["sha256"]);
    let out = ask(&host, json!({ "bucket": "putget", "prefix": "backups/", "store": store })).await.unwrap();
    assert_eq!((out.count, out.newest.as_ref().unwrap().key.as_str()), (1, key));
    assert!(holds("found and newest.age < 1h", &out));

    let fetch = json!({ "bucket": "putget", "key": key, "to": "deep/copy.txt", "parents": true, "store": store });
    let done = get(&host, fetch.clone()).await.unwrap();
    assert!(done.changed && as_json(&done.out)["verified"] == true);
    assert_eq!(std::fs::read_to_string(host.file("deep/copy.txt")).unwrap(), "hello");
    assert!(!get(&host, fetch.clone()).await.unwrap().changed);
    host.write("deep/copy.txt", "other");
    let mut careful = fetch.clone();
    careful["overwrite"] = json!(false);
    assert!(matches!(get(&host, careful).await, Err(Fault::Unmet { .. })));
    assert!(as_json(&get(&host, fetch).await.unwrap().out)["replaced"] == true);

    host.write("a b.txt", "changed");
    let mut careful = file;
    careful["overwrite"] = json!(false);
    let fault = put(&host, careful).await.unwrap_err();
    assert!(fault.message().contains("exists and differs"), "{fault:?}");
}

/// The ids of uploads that were begun and neither put together nor taken back.
fn unfinished(store: &Json, bucket: &str) -> usize {
    let url = format!("{}/{bucket}?uploads", store["endpoint"].as_str().unwrap());
    let out = Command::new("curl").args(["-sS", "-f", &url]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).matches("<UploadId>").count()
}

#[tokio::test]
async fn a_large_file_goes_in_parts() {
    let Some(store) = store("parts") else { return };
    let host = TestHost::new();
    let bytes: Vec<u8> = (0..(12_u32 << 20) + 7).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    host.write("large", &bytes);
    let call = json!({ "file": "large", "bucket": "parts", "key": "a b/large+ü", "content_type": "application/x-test",
        "parts_above": "6MiB", "part_size": "5MiB", "store": store });
    let plan = ObjectStorePut::plan(&args(call.clone()), &host.cx()).await.unwrap();
    assert!(plan.summary.contains("3 parts of 5MiB"), "{plan:?}");
    let out = as_json(&put(&host, call.clone()).await.unwrap().out);
    assert_eq!((&out["parts"], &out["replaced"]), (&json!(3), &json!(false)));
    assert_eq!(unfinished(&store, "parts"), 0);
    let there = ask(&host, json!({ "bucket": "parts", "key": "a b/large+ü", "store": store })).await.unwrap();
    assert_eq!((there.size, there.content_type.as_deref()), (Size(bytes.len() as u64), Some("application/x-test")));
    assert_eq!(there.sha256.as_deref().unwrap(), out["sha256"]);
    let again = put(&host, call.clone()).await.unwrap();
    assert!(!again.changed && as_json(&again.out)["parts"].is_null());
    let fetch = json!({ "bucket": "parts", "key": "a b/large+ü", "to": "copy", "store": store });
    assert!(as_json(&get(&host, fetch).await.unwrap().out)["verified"] == true);
    assert!(std::fs::read(host.file("copy")).unwrap() == bytes);
    // A file that is as large as is said goes in one.
    host.write("small", &bytes[..6 << 20]);
    let mut small = call.clone();
    (small["file"], small["key"]) = (json!("small"), json!("small"));
    assert!(as_json(&put(&host, small).await.unwrap().out)["parts"].is_null());
    for (size, bad) in [("4MiB", true), ("6GiB", true), ("5GiB", false)] {
        let mut call = call.clone();
        call["part_size"] = json!(size);
        assert_eq!(ObjectStorePut::check(&args(call)).is_err(), bad, "{size}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_whole_is_taken_back() {
    let Some(store) = store("takenback") else { return };
    let host = TestHost::new();
    host.write("short", vec![1_u8; 6 << 20]);
    let open = S3::open(&host.cx(), &args(store.clone()), "takenback", None).unwrap();
    // As if it had become shorter while it was sent: the second part has too little.
    let from = host.file("short");
    let sending = Sending { key: "k", from: &from, size: 8 << 20, sha256: &"0".repeat(64), kind: "application/x-test" };
    let cx = host.cx();
    let fault = open.put_in_parts(&cx, &sending, 5 << 20).await.unwrap_err();
    assert!(fault.message().contains("part 2 was not taken") && fault.message().contains("were taken back"), "{fault:?}");
    assert_eq!(unfinished(&store, "takenback"), 0);
    assert!(!ask(&host, json!({ "bucket": "takenback", "store": store })).await.unwrap().found);
}

/// A store that takes what it is told to take, and what it was asked.
fn store_that(answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> (Web, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let web = Web::start(move |request| {
        let line = request.lines().next().unwrap_or_default().to_owned();
        let part = line.split_once("partNumber=").map(|(_, n)| n.chars().take_while(char::is_ascii_digit).collect::<String>());
        let (method, _) = line.split_once(' ').unwrap_or_default();
        let what = part.map_or_else(|| method.to_owned(), |n| format!("{method} {n}"));
        seen.lock().unwrap().push(what.clone());
        let ns = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
        answers(&what).unwrap_or_else(|| match method {
            "HEAD" => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "POST" if line.contains("uploads=") => Web::body(&format!(
                "<InitiateMultipartUploadResult {ns}><Bucket>b</Bucket><Key>k</Key><UploadId>id'1</UploadId></InitiateMultipartUploadResult>"
            )),
            "PUT" => "HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "DELETE" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            _ => Web::body("<Error><Code>InternalError</Code><Message>We are sorry</Message></Error>"),
        })
    });
    (web, asked)
}

#[tokio::test]
async fn a_part_is_tried_again_and_what_fails_in_the_end_is_told() {
    let host = TestHost::new();
    host.write("f", vec![1_u8; 11 << 20]);
    let busy = || "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n".to_owned();
    let call = |web: &Web| {
        let store = json!({ "endpoint": web.url(""), "access_key": "a", "secret_key": "hunter2" });
        json!({ "file": "f", "bucket": "bucket", "key": "k", "parts_above": "6MiB", "part_size": "5MiB", "store": store })
    };
    // The second part is taken at the second try; that 200 in the end is a failure is only in the body.
    let refusals = Arc::new(Mutex::new(1));
    let (web, asked) = store_that(move |what| {
        let mut left = refusals.lock().unwrap();
        (what == "PUT 2" && *left > 0).then(|| {
            *left -= 1;
            busy()
        })
    });
    let fault = put(&host, call(&web)).await.unwrap_err();
    assert!(fault.message().contains("InternalError: We are sorry; the parts that were sent were taken back"), "{fault:?}");
    let all = ["HEAD", "POST", "PUT 1", "PUT 2", "PUT 2", "PUT 3", "POST", "DELETE"];
    assert_eq!(*asked.lock().unwrap(), all);

    let (web, asked) = store_that(move |what| matches!(what, "PUT 1" | "DELETE").then(busy));
    let fault = put(&host, call(&web)).await.unwrap_err();
    assert!(fault.message().starts_with("part 1 was not taken, 4 times: the object store answered 503"), "{fault:?}");
    assert!(fault.message().contains("aws s3api abort-multipart-upload --bucket bucket --key k --upload-id"), "{fault:?}");
    assert_eq!(*asked.lock().unwrap(), ["HEAD", "POST", "PUT 1", "PUT 1", "PUT 1", "PUT 1", "DELETE"]);

    // What the store refuses for good is not asked again.
    let forbidden = || "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_owned();
    let (web, asked) = store_that(move |what| (what == "PUT 1").then(forbidden));
    let fault = put(&host, call(&web)).await.unwrap_err();
    assert!(fault.message().contains("answered 403"), "{fault:?}");
    assert_eq!(*asked.lock().unwrap(), ["HEAD", "POST", "PUT 1", "DELETE"]);
    let (web, _) = store_that(|what| (what == "POST").then(|| Web::body("<html>")));
    let fault = put(&host, call(&web)).await.unwrap_err();
    assert!(fault.message().contains("does not take files in parts"), "{fault:?}");
}

#[tokio::test]
async fn what_is_given_up_in_the_middle_is_taken_back() {
    let host = TestHost::new();
    host.write("f", vec![1_u8; 6 << 20]);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let (web, asked) = store_that(move |what| {
        if what == "PUT 1" {
            let _ = held.lock().unwrap().recv();
        }
        None
    });
    let store = json!({ "endpoint": web.url(""), "access_key": "a", "secret_key": "b" });
    let call = json!({ "file": "f", "bucket": "bucket", "key": "k", "parts_above": "5MiB", "part_size": "5MiB", "store": store.clone() });
    let was_asked = async |what: &str| eventually(what, || asked.lock().unwrap().iter().any(|a| a == what).then_some(())).await;
    tokio::select! {
        () = was_asked("PUT 1") => {}
        done = put(&host, call) => panic!("{:?}", done.map(|d| as_json(&d.out))),
    }
    was_asked("DELETE").await;
    asked.lock().unwrap().clear();
    // The limit of the step is kept, and a little of it is for taking back.
    let mut cx = host.cx();
    cx.timeout = Some(std::time::Duration::from_millis(500));
    let open = S3::open(&cx, &args(store), "bucket", None).unwrap();
    let sending = Sending { key: "k", from: &host.file("f"), size: 6 << 20, sha256: &"0".repeat(64), kind: "application/x-test" };
    let fault = open.put_in_parts(&cx, &sending, 5 << 20).await.unwrap_err();
    assert!(fault.message().contains("timed out after 450ms; the parts that were sent were taken back"), "{fault:?}");
    drop(release);
}

#[tokio::test]
async fn nothing_is_no_success() {
    let Some(store) = store("empty") else { return };
    let host = TestHost::new();
    let out = ask(&host, json!({ "bucket": "empty", "store": store })).await.unwrap();
    assert!(!out.found && !holds(ObjectStore::VERDICT, &out) && out.newest.is_none());
    assert!(!ask(&host, json!({ "bucket": "empty", "key": "gone", "store": store })).await.unwrap().found);
    let fault = ask(&host, json!({ "bucket": "no-such-bucket", "store": store })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "there is no bucket `no-such-bucket`"), "{fault:?}");
    let fault = get(&host, json!({ "bucket": "empty", "key": "gone", "to": "x", "store": store })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no object `gone`")), "{fault:?}");
    let fault = put(&host, json!({ "file": "gone", "bucket": "empty", "key": "k", "store": store })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no such file")), "{fault:?}");
}

#[tokio::test]
async fn lists_of_many_pages_are_whole() {
    let Some(store) = store("pages") else { return };
    let host = TestHost::new();
    for n in 0..12 {
        host.write(&format!("many/{n:02}"), "x");
    }
    let up = json!({ "direction": "up", "dir": "many", "bucket": "pages", "store": store });
    assert_eq!(as_json(&sync(&host, up).await.unwrap().out)["copied"], 12);
    let out = ask(&host, json!({ "bucket": "pages", "store": store, "show": 3 })).await.unwrap();
    assert_eq!((out.count, out.size, out.objects.len(), out.more), (12, Size(12), 3, false));
    let out = ask(&host, json!({ "bucket": "pages", "store": store, "max_objects": 10 })).await.unwrap();
    assert_eq!((out.count, out.more), (10, true));
}

/// A store in two pages, as it would be with more than a thousand objects.
#[tokio::test]
async fn pages_follow_each_other() {
    let page = |keys: &str, more: &str| {
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>{more}{keys}</ListBucketResult>"
        )
    };
    let key = |k: &str| {
        format!(
            "<Contents><Key>{k}</Key><LastModified>2026-02-15T01:00:00.000Z</LastModified><ETag>\"e\"</ETag><Size>7</Size></Contents>"
        )
    };
    let first = page(&key("a"), "<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>");
    let second = page(&key("b"), "<IsTruncated>false</IsTruncated>");
    let web = Web::start(move |r| {
        Web::body(if r.lines().next().unwrap_or_default().contains("continuation-token=t%2B%2F%3D") { &second } else { &first })
    });
    let store = json!({ "endpoint": web.url(""), "access_key": "a", "secret_key": "b" });
    let out = ask(&TestHost::new(), json!({ "bucket": "bucket", "store": store })).await.unwrap();
    let keys: Vec<&str> = out.objects.iter().map(|o| o.key.as_str()).collect();
    assert_eq!((out.count, keys, out.size), (2, vec!["b", "a"], Size(14)));
}

#[tokio::test]
async fn what_a_store_refuses_is_told_and_no_key_is() {
    let host = TestHost::new();
    let web = Web::start(|_| {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>Wrong key</Message></Error>";
        format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    let store = json!({ "endpoint": web.url(""), "access_key": "AKTEST", "secret_key": "hunter2" });
    let fault = ask(&host, json!({ "bucket": "bucket", "store": store })).await.unwrap_err();
    assert_eq!(fault.message(), "the object store answered 403: SignatureDoesNotMatch: Wrong key");
    let nobody =
        json!({ "endpoint": format!("http://127.0.0.1:{}", free_port()), "access_key": "AKTEST", "secret_key": "hunter2" });
    host.write("f", "x");
    for fault in [
        ask(&host, json!({ "bucket": "bucket", "store": nobody })).await.unwrap_err(),
        put(&host, json!({ "file": "f", "bucket": "bucket", "key": "k", "store": nobody })).await.unwrap_err(),
    ] {
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "connection refused"), "{fault:?}");
    }
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        host.set_env(name, None);
    }
    let fault = ask(&host, json!({ "bucket": "bucket", "store": { "endpoint": web.url("") } })).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("AWS_ACCESS_KEY_ID")), "{fault:?}");
}

#[tokio::test]
async fn folders_become_the_same_both_ways() {
    let Some(store) = store("syncboth") else { return };
    let host = TestHost::new();
    host.write("src/a", "1");
    host.write("src/deep/b", "22");
    std::os::unix::fs::symlink("a", host.file("src/link")).unwrap();
    let up = json!({ "direction": "up", "dir": "src", "bucket": "syncboth", "prefix": "day", "store": store });
    let plan = plan_sync(&host, &up).await.unwrap();
    assert!(plan.would_change && plan.summary.starts_with("copy 2 files (3B) from src into s3://syncboth/day/"), "{plan:?}");
    let out = as_json(&sync(&host, up.clone()).await.unwrap().out);
    assert_eq!((&out["copied"], &out["skipped"], &out["source_files"]), (&json!(2), &json!(1), &json!(2)));
    assert!(!sync(&host, up.clone()).await.unwrap().changed);
    assert!(!plan_sync(&host, &up).await.unwrap().would_change);

    let down =
        json!({ "direction": "down", "dir": "dst", "bucket": "syncboth", "prefix": "day/", "store": store, "at_least": 2 });
    let done = sync(&host, down.clone()).await.unwrap();
    assert!(done.changed && std::fs::read_to_string(host.file("dst/deep/b")).unwrap() == "22");
    assert!(!sync(&host, down.clone()).await.unwrap().changed);
    // Of a file that differs, only that one.
    host.write("dst/a", "longer");
    host.write("dst/extra", "x");
    let out = as_json(&sync(&host, down.clone()).await.unwrap().out);
    assert_eq!((&out["copied"], &out["unchanged"], &out["deleted"]), (&json!(1), &json!(1), &json!(0)));
    assert!(host.file("dst/extra").exists());
    let mut mirror = down.clone();
    mirror["delete"] = json!(true);
    assert_eq!(ObjectStoreSync::effect(&args(mirror.clone())), Effect::Destroy);
    assert_eq!(ObjectStoreSync::effect(&args(down.clone())), Effect::Change);
    let plan = plan_sync(&host, &mirror).await.unwrap();
    assert!(plan.summary.contains("delete 1 file there: `extra`"), "{plan:?}");
    assert!(host.file("dst/extra").exists());
    assert_eq!(as_json(&sync(&host, mirror).await.unwrap().out)["deleted"], 1);
    assert!(!host.file("dst/extra").exists());
    // The other way too.
    std::fs::remove_file(host.file("src/a")).unwrap();
    let mut mirror = up;
    mirror["delete"] = json!(true);
    sync(&host, mirror).await.unwrap();
    assert_eq!(ask(&host, json!({ "bucket": "syncboth", "store": store })).await.unwrap().count, 1);
    let mut fresh = down;
    (fresh["into_empty"], fresh["at_least"]) = (json!(true), json!(1));
    let fault = sync(&host, fresh).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("must be empty")), "{fault:?}");
}

#[tokio::test]
async fn no_key_and_no_link_leads_out_of_the_folder() {
    let host = TestHost::new();
    for bad in ["../evil", "a/../../evil", "a//b", "./a"] {
        let body = format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Contents><Key>{bad}</Key><Size>1</Size></Contents><IsTruncated>false</IsTruncated></ListBucketResult>"
        );
        let web = Web::start(move |_| Web::body(&body));
        let store = json!({ "endpoint": web.url(""), "access_key": "a", "secret_key": "b" });
        let fault =
            sync(&host, json!({ "direction": "down", "dir": "dst", "bucket": "bucket", "store": store })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("nothing was changed")), "{bad}: {fault:?}");
    }
    let Some(store) = store("linked") else { return };
    host.write("src/sub/a", "1");
    sync(&host, json!({ "direction": "up", "dir": "src", "bucket": "linked", "store": store })).await.unwrap();
    std::fs::create_dir_all(host.file("dst")).unwrap();
    std::fs::create_dir_all(host.file("elsewhere")).unwrap();
    std::os::unix::fs::symlink(host.file("elsewhere"), host.file("dst/sub")).unwrap();
    let fault = sync(&host, json!({ "direction": "down", "dir": "dst", "bucket": "linked", "store": store })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("leads out")), "{fault:?}");
    assert!(!host.file("elsewhere/a").exists());
}

/// `aws` without anything of the operator's.
fn aws(folder: &Path, endpoint: &str, words: &[&str]) -> Option<(bool, String)> {
    let mut command = Command::new("aws");
    command.args(["--endpoint-url", endpoint, "--region", "us-east-1"]).args(words).current_dir(folder).env("HOME", folder);
    let out = command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b").output().ok()?;
    // A stub that says it is not installed is none.
    if out.status.code() == Some(127) {
        return None;
    }
    Some((out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()))
}

#[tokio::test]
async fn t27_a_wrong_date_restores_nothing_and_is_no_success() {
    let Some(store) = store("restores") else { return };
    let host = TestHost::new();
    host.write("backup/db.sql", "data");
    let at = "20260215";
    sync(&host, json!({ "direction": "up", "dir": "backup", "bucket": "restores", "prefix": at, "store": store })).await.unwrap();
    host.write("naive/older.sql", "of an older restore");
    let endpoint = store["endpoint"].as_str().unwrap();
    if let Some((ok, said)) = aws(host.root(), endpoint, &["s3", "sync", "s3://restores/20260299/", "naive"]) {
        assert!(ok, "`aws s3 sync` of a wrong date ends well: {said}");
        assert!(!host.file("naive/db.sql").exists() && host.file("naive/older.sql").exists());
    }
    let wrong = json!({ "direction": "down", "dir": "restore", "bucket": "restores", "prefix": "20260299", "store": store });
    for fault in [plan_sync(&host, &wrong).await.unwrap_err(), sync(&host, wrong).await.unwrap_err()] {
        assert!(
            matches!(&fault, Fault::Unmet { message, .. } if message.contains("has 0 files and must have 1 at least")),
            "{fault:?}"
        );
    }
    assert!(!host.file("restore").exists());
    host.write("restore/older.sql", "of an older restore");
    let right =
        json!({ "direction": "down", "dir": "restore", "bucket": "restores", "prefix": at, "into_empty": true, "store": store });
    assert!(matches!(sync(&host, right.clone()).await, Err(Fault::Refused { .. })));
    std::fs::remove_file(host.file("restore/older.sql")).unwrap();
    assert_eq!(as_json(&sync(&host, right).await.unwrap().out)["copied"], 1);
}

#[test]
fn nonsense_is_invalid() {
    let keys = json!({ "access_key": "a", "secret_key": "b" });
    for bad in [
        json!({ "bucket": "B" }),
        json!({ "bucket": "a/b" }),
        json!({ "bucket": "bucket", "key": "k", "prefix": "p" }),
        json!({ "bucket": "bucket", "key": "/k" }),
        json!({ "bucket": "bucket", "store": { "access_key": "a" } }),
        json!({ "bucket": "bucket", "store": { "endpoint": "ftp://h" } }),
        json!({ "bucket": "bucket", "store": { "endpoint": "http://u:p@h" } }),
        json!({ "bucket": "bucket", "store": { "anonymous": true, "access_key": "a", "secret_key": "b" } }),
    ] {
        assert!(matches!(ObjectStore::check(&args(bad.clone())), Err(Fault::Invalid { .. })), "{bad}");
    }
    for bad in [
        json!({ "direction": "down", "bucket": "bucket", "dir": "d", "delete": true, "at_least": 0, "store": keys }),
        json!({ "direction": "down", "bucket": "bucket", "dir": "d", "prefix": "../a", "store": keys }),
    ] {
        assert!(matches!(ObjectStoreSync::check(&args(bad.clone())), Err(Fault::Invalid { .. })), "{bad}");
    }
}
