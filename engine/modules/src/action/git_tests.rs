//! What changes a git repository, with real ones.

use runbook_core::module::{Action, Fault};
use serde_json::{Value as Json, json};

use super::git_checkout::GitCheckout;
use super::git_commit::GitCommit;
use super::git_restore::GitRestore;
use crate::support::git::tests::{naive, repository};
use crate::support::testing::{TestHost, args};

async fn apply<A: Action>(host: &TestHost, json: Json) -> Result<(Json, bool), Fault> {
    let done = A::apply(&args(json), &host.change()).await?;
    Ok((serde_json::to_value(done.out).unwrap(), done.changed))
}

async fn would<A: Action>(host: &TestHost, json: Json) -> Result<runbook_core::module::Forecast, Fault> {
    A::plan(&args(json), &host.cx()).await
}

fn text(host: &TestHost, name: &str) -> String {
    std::fs::read_to_string(host.file(name)).unwrap()
}

#[tokio::test]
async fn t38_restoring_keeps_what_it_discards() {
    let host = TestHost::new();
    repository(&host);
    // The naive command: uncommitted work is gone, files that git does not know stay.
    host.write("a.txt", "hours of work\n");
    host.write("new.txt", "unknown\n");
    assert_eq!(naive(&host, &["restore", "--source=HEAD", "--", "."]).0, 0);
    assert_eq!((text(&host, "a.txt").as_str(), text(&host, "new.txt").as_str()), ("one\n", "unknown\n"));

    host.write("a.txt", "hours of work\n");
    naive(&host, &["add", "a.txt"]);
    host.write("a.txt", "hours of work\nand more\n");
    let saved = host.file("saved");
    let call = json!({"path": ".", "save_to": saved});
    let plan = would::<GitRestore>(&host, call.clone()).await.unwrap();
    assert!(plan.would_change && plan.because == "saved first: a.txt", "{plan:?}");
    assert!(plan.diff.unwrap().contains("-and more"));
    assert_eq!(text(&host, "a.txt"), "hours of work\nand more\n", "a plan changes nothing");
    assert!(!saved.exists());
    let (out, changed) = apply::<GitRestore>(&host, call.clone()).await.unwrap();
    assert!(changed && out["files"] == json!(["a.txt"]), "{out}");
    assert_eq!((text(&host, "a.txt").as_str(), text(&host, "new.txt").as_str()), ("one\n", "unknown\n"));
    // All of it can be had back.
    assert!(std::fs::read_to_string(out["saved_status"].as_str().unwrap()).unwrap().contains("a.txt"));
    assert_eq!(naive(&host, &["apply", out["saved_diff"].as_str().unwrap()]).0, 0);
    assert_eq!(text(&host, "a.txt"), "hours of work\nand more\n");
    naive(&host, &["restore", "a.txt"]);
    assert!(!apply::<GitRestore>(&host, call).await.unwrap().1, "nothing to do");
    assert!(!would::<GitRestore>(&host, json!({"path": "a.txt"})).await.unwrap().would_change);
}

#[tokio::test]
async fn t38_what_was_not_fetched_is_stale() {
    let origin = TestHost::new();
    repository(&origin);
    let host = TestHost::new();
    naive(&host, &["clone", "-q", &origin.root().display().to_string(), "."]);
    origin.write("a.txt", "two\n");
    naive(&origin, &["commit", "-q", "-a", "-m", "Second"]);
    // The naive command says that all went well, and has the old file.
    assert_eq!(naive(&host, &["restore", "--source=origin/main", "--", "a.txt"]).0, 0);
    assert_eq!(text(&host, "a.txt"), "one\n");
    let (_, changed) =
        apply::<GitRestore>(&host, json!({"path": "a.txt", "source": "origin/main", "fetch": true})).await.unwrap();
    assert!(changed && text(&host, "a.txt") == "two\n");
    let fault = apply::<GitRestore>(&host, json!({"path": "a.txt", "source": "v9"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("`v9` is no commit")), "{fault:?}");
    let fault = apply::<GitRestore>(&host, json!({"path": "none.txt"})).await;
    assert!(matches!(&fault, Ok((_, false))) || matches!(&fault, Err(Fault::Unmet { .. })), "{fault:?}");
    let fault = apply::<GitRestore>(&host, json!({"path": ":/"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Invalid { .. }), "{fault:?}");
}

#[tokio::test]
async fn t38_nothing_staged_and_no_branch() {
    let host = TestHost::new();
    repository(&host);
    assert_eq!(naive(&host, &["commit", "-m", "x"]).0, 1, "the naive command fails where there is nothing to do");
    let commit = |more: Json| {
        let mut call = json!({"message": "Second"});
        more.as_object().unwrap().iter().for_each(|(k, v)| call[k] = v.clone());
        call
    };
    assert!(!apply::<GitCommit>(&host, commit(json!({}))).await.unwrap().1);
    assert!(!would::<GitCommit>(&host, commit(json!({}))).await.unwrap().would_change);

    host.write("a.txt", "two\n");
    assert!(!apply::<GitCommit>(&host, commit(json!({}))).await.unwrap().1, "changed but not staged");
    let plan = would::<GitCommit>(&host, commit(json!({"add": "a.txt"}))).await.unwrap();
    assert!(plan.would_change && plan.diff.unwrap().contains("+two"));
    let (out, changed) = apply::<GitCommit>(&host, commit(json!({"add": "a.txt"}))).await.unwrap();
    assert!(changed && out["branch"] == "main" && out["files"] == json!(["a.txt"]), "{out}");
    assert_eq!(naive(&host, &["log", "-1", "--format=%s"]).1, "Second");
    assert!(!apply::<GitCommit>(&host, commit(json!({"add": "a.txt"}))).await.unwrap().1);

    let fault = apply::<GitCommit>(&host, commit(json!({"branch": "release"}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("and not `release`")), "{fault:?}");
    naive(&host, &["checkout", "-q", "--detach"]);
    host.write("a.txt", "three\n");
    naive(&host, &["add", "a.txt"]);
    let fault = apply::<GitCommit>(&host, commit(json!({}))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("no branch is checked out")), "{fault:?}");
    assert_eq!(naive(&host, &["commit", "-q", "-m", "lost"]).0, 0, "the naive command commits where no branch holds it");
}

#[tokio::test]
async fn only_what_is_clean_is_left() {
    let host = TestHost::new();
    repository(&host);
    naive(&host, &["tag", "v1"]);
    host.write("a.txt", "two\n");
    naive(&host, &["commit", "-q", "-a", "-m", "Second"]);
    host.write("a.txt", "not committed\n");
    let fault = apply::<GitCheckout>(&host, json!({"ref": "v1"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused { message } if message.contains("not committed: a.txt")), "{fault:?}");
    assert!(would::<GitCheckout>(&host, json!({"ref": "v1"})).await.is_err());
    naive(&host, &["restore", "a.txt"]);
    let plan = would::<GitCheckout>(&host, json!({"ref": "v1"})).await.unwrap();
    assert!(plan.would_change && plan.from_to[0].1.starts_with("main ("), "{plan:?}");
    let (out, changed) = apply::<GitCheckout>(&host, json!({"ref": "v1"})).await.unwrap();
    assert!(changed && out["detached"] == true && out["was_branch"] == "main" && text(&host, "a.txt") == "one\n", "{out}");
    assert!(!apply::<GitCheckout>(&host, json!({"ref": "v1"})).await.unwrap().1);
    let (back, changed) = apply::<GitCheckout>(&host, json!({"ref": "main"})).await.unwrap();
    assert!(changed && back["head"] == out["was_head"] && back["branch"] == "main", "{back}");
    for bad in ["v9", "-f"] {
        assert!(apply::<GitCheckout>(&host, json!({"ref": bad})).await.is_err(), "{bad}");
    }
    // A file that git does not know and that would be overwritten stops it.
    naive(&host, &["rm", "-q", "a.txt"]);
    naive(&host, &["commit", "-q", "-m", "Third"]);
    host.write("a.txt", "mine\n");
    let fault = apply::<GitCheckout>(&host, json!({"ref": "v1"})).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { .. }), "{fault:?}");
    assert_eq!(text(&host, "a.txt"), "mine\n");
}
