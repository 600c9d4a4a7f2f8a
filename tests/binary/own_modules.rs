//! Modules of the user's own, in playbooks that the real program plays.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};

use runbook_servers::have;

use crate::harness::Workspace;

/// A server that gives one answer to each request, and what it was asked.
struct Answers {
    url: String,
    asked: Receiver<String>,
}

/// Answers as many requests as there are answers, each `STATUS BODY`.
fn answers(all: &[&str]) -> Answers {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = channel();
    let all: Vec<String> = all.iter().map(|a| (*a).to_owned()).collect();
    std::thread::spawn(move || {
        for answer in all {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut request = String::new();
            let mut buffer = [0; 4096];
            // Headers, and as much of a body as they announce.
            while let Ok(n) = stream.read(&mut buffer) {
                request.push_str(&String::from_utf8_lossy(&buffer[..n]));
                let whole = request.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let head = head.to_ascii_lowercase();
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0_usize);
                    body.len() >= length
                });
                if n == 0 || whole {
                    break;
                }
            }
            let (status, body) = answer.split_once(' ').unwrap();
            let extra = if status == "429" { "retry-after: 7\r\n" } else { "" };
            let head = format!("HTTP/1.1 {status} X\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
            let _ = tell.send(request);
        }
    });
    Answers { url, asked }
}

fn executable(workspace: &Workspace, name: &str, text: &str) {
    workspace.write(&format!("playbooks/modules/{name}"), text);
    let path = workspace.path(&format!("playbooks/modules/{name}"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A module in a shell: its description, and what it does.
fn described(name: &str, kind: &str, does: &str) -> String {
    format!(
        "#!/bin/sh\nif [ \"$1\" = --describe ]; then\ncat <<'JSON'\n{{\"name\": \"{name}\", \"kind\": \"{kind}\", \"description\": \"Tries.\", \
         \"args\": {{\"type\": \"object\", \"properties\": {{\"text\": {{\"type\": \"string\"}}}}}}, \
         \"result\": {{\"type\": \"object\", \"properties\": {{\"said\": {{\"type\": \"string\"}}}}}}}}\nJSON\nexit\nfi\n{does}\n"
    )
}

#[test]
fn a_new_module_works_at_once() {
    for (lang, program, ending) in [("python", "python3", "py"), ("bash", "jq", "sh"), ("node", "node", "js")] {
        if !have(program) {
            continue;
        }
        let workspace =
            Workspace::with("look", "playbook: Look\nsteps:\n  - room: .\n    expect: entries > 0\n  - room.make: flag\n");
        let out = workspace.run(&["modules", "new", "room", "--lang", lang]).expect(0);
        assert!(out.stdout.contains(&format!("wrote playbooks/modules/room.{ending}")), "{}", out.stdout);
        workspace.run(&["modules", "new", "room.make", "--lang", lang]).expect(0);
        let out = workspace.run(&["modules", "test"]).expect(0);
        assert!(out.stdout.contains("2 modules tried: all keep the contract"), "{}", out.stdout);
        workspace.run(&["check"]).expect(0);
        workspace.run(&["play", "look"]).expect(0);
        assert_eq!(workspace.read("flag"), "\n");
        let again = workspace.run(&["modules", "new", "room", "--lang", "node"]).expect(2);
        assert!(again.stderr.contains("there is a module `room` already"), "{}", again.stderr);
        let json: serde_json::Value =
            serde_json::from_str(&workspace.run(&["--json", "modules", "room"]).expect(0).stdout).unwrap();
        assert!(json[0]["source"].as_str().is_some_and(|s| s.ends_with(&format!("room.{ending}"))), "{json}");
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let workspace = Workspace::new();
    for (name, word) in [("Queue", "noun"), ("http", "built in"), ("a.b.c", "noun"), ("../x", "noun"), ("x-y", "noun")] {
        let out = workspace.run(&["modules", "new", name]).expect(2);
        assert!(out.stderr.contains(word), "{name}: {}", out.stderr);
    }
    assert!(!workspace.path("playbooks/modules").exists());
    workspace.run(&["modules", "test"]).expect(2);
    let out = workspace.run(&["modules", "test", "http"]).expect(2);
    assert!(out.stderr.contains("built in"), "{}", out.stderr);
}

#[test]
fn mistakes_are_told_before_anything_runs_and_with_their_place() {
    let workspace =
        Workspace::with("look", "playbook: Look\nsteps:\n  - note: began\n  - queue: { txet: hello }\n  - queue: 5\n");
    executable(&workspace, "queue", &described("queue", "probe", "echo '{\"result\": {\"said\": \"x\"}}'"));
    let out = workspace.run(&["play", "look"]).expect(3);
    assert!(out.stderr.contains("look.yaml:4:14") && out.stderr.contains("did you mean `text`?"), "{}", out.stderr);
    assert!(out.stderr.contains("look.yaml:5:12") && !out.stdout.contains("began"), "{}", out.stderr);
    // One that cannot be asked what it is.
    executable(&workspace, "queue", "#!/bin/sh\necho hello\n");
    let out = workspace.run(&["check"]).expect(3);
    assert!(out.stdout.contains("E0222") && out.stdout.contains("its description is not JSON"), "{}", out.stdout);
    assert!(out.stdout.contains("runbook modules test queue"), "{}", out.stdout);
    let out = workspace.run(&["modules", "test", "queue"]).expect(4);
    assert!(out.stdout.contains("its description is not"), "{}", out.stdout);
    let out = workspace.run(&["modules", "queue"]).expect(3);
    assert!(out.stderr.contains("cannot be used"), "{}", out.stderr);
    let out = workspace.run(&["modules"]).expect(0);
    assert!(out.stdout.contains("cannot be used"), "{}", out.stdout);
    // A slip in its name is told like a slip in the name of any module.
    workspace.write("playbooks/look.yaml", "playbook: Look\nsteps:\n  - quue: {}\n");
    let out = workspace.run(&["check"]).expect(3);
    assert!(out.stdout.contains("did you mean `queue`?"), "{}", out.stdout);
}

#[test]
fn one_that_only_looks_is_kept_from_changing_anything() {
    let playbook = "playbook: Look\nsteps:\n  - queue: {}\n";
    let workspace = Workspace::with("look", playbook);
    let does = "cat >/dev/null\nif echo x > kept 2>/dev/null; then s=wrote; else s=denied; fi\n\
                echo x > \"$TMPDIR/own\" || s=\"$s, and nowhere\"\nprintf '{\"result\": {\"said\": \"%s\"}}\\n' \"$s\"";
    executable(&workspace, "queue", &described("queue", "probe", does));
    workspace.write("kept", "as it was");
    let out = workspace.run(&["--json", "play", "look"]).expect(0);
    let said = out.stdout.clone();
    let landlock = std::fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|l| l.contains("landlock"))
        || said.contains("\"said\":\"denied\"");
    assert!(landlock || said.contains("\"said\":\"wrote\""), "{said}");
    if landlock {
        assert_eq!(workspace.read("kept"), "as it was");
    }
    // An action may.
    let does = "cat >/dev/null\necho x > kept\necho '{\"result\": {}}'";
    executable(&workspace, "queue.fill", &described("queue.fill", "action", does));
    workspace.write("playbooks/fill.yaml", "playbook: Fill\nsteps:\n  - queue.fill: {}\n");
    workspace.run(&["play", "fill", "--yes"]).expect(0);
    assert_eq!(workspace.read("kept"), "x\n");
}

#[test]
fn one_that_misbehaves_ends_the_step_and_nothing_else() {
    let workspace =
        Workspace::with("look", "playbook: Look\nsteps:\n  - { queue: {}, continue_on_error: true }\n  - note: went on\n");
    for (does, word) in [
        ("sleep 600 & sleep 600", "timed out after 300ms"),
        ("echo hello", "not of the protocol"),
        ("head -c 200000000 /dev/zero", "printed more than 16 MiB"),
        ("kill -KILL $$", "ended by the signal KILL"),
        ("echo '{\"result\": {\"said\": 5}}'", "not what its description says"),
        ("exec 1>&-; exit 7", "exit code 7"),
    ] {
        let limit = if does.starts_with("sleep") { "\n    timeout: 300ms" } else { "" };
        let text = format!("playbook: Look\nsteps:\n  - queue: {{}}\n    continue_on_error: true{limit}\n  - note: went on\n");
        workspace.write("playbooks/look.yaml", &text);
        executable(&workspace, "queue", &described("queue", "probe", does));
        let out = workspace.run(&["play", "look", "--plain"]);
        let all = format!("{}{}", out.stdout, out.stderr);
        assert!(all.contains(word) && all.contains("went on"), "{does}:\n{all}");
    }
}

#[test]
fn a_secret_handed_to_a_module_is_in_no_record() {
    let playbook =
        "playbook: Look\nparams:\n  key: { type: secret, required: true }\nsteps:\n  - queue: { text: \"{{ params.key }}\" }\n";
    let workspace = Workspace::with("look", playbook);
    let does = "request=$(cat); echo \"{\\\"progress\\\": \\\"$(echo $request | tr -d '\\\"')\\\"}\"; echo $request >&2\n\
                echo '{\"result\": {\"said\": \"hunter2-hunter2\"}}'";
    executable(&workspace, "queue", &described("queue", "probe", does));
    let out = workspace.run(&["play", "look", "--plain", "-v", "--param", "key=hunter2-hunter2"]).expect(0);
    let json = workspace.run(&["--json", "play", "look", "--param", "key=hunter2-hunter2"]).expect(0);
    let mut all = format!("{}{}{}", out.stdout, out.stderr, json.stdout);
    let mut waiting = vec![workspace.path("state")];
    while let Some(at) = waiting.pop() {
        if at.is_dir() {
            waiting.extend(std::fs::read_dir(at).unwrap().map(|e| e.unwrap().path()));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(at).unwrap()));
        }
    }
    assert!(all.contains("*** (key)") && !all.contains("hunter2"), "{all}");
}

#[test]
fn a_qdrant_collection_is_looked_at() {
    if !have("python3") {
        return;
    }
    let workspace = Workspace::shipped();
    let good = r#"200 {"result": {"status": "green", "points_count": 12, "segments_count": 2, "config": {"params": {"vectors": {"size": 384}}}}}"#;
    for (answer, code, word) in [
        (good, 0, "rose_memories is green with 12 points"),
        (r#"200 {"result": {"status": "yellow", "points_count": 1}}"#, 4, "no one size, and not 384"),
        (r#"200 {"result": {"status": "green", "config": {"params": {"vectors": {"size": 768}}}}}"#, 4, "the size 768, not 384"),
        (r#"404 {"status": {"error": "Not found"}}"#, 4, "there is no collection rose_memories"),
        ("401 no", 4, "does not accept the key"),
        ("200 <html>", 4, "HTTP 200 and no collection"),
    ] {
        let server = answers(&[answer]);
        let text = format!(
            "playbook: Look\nparams:\n  key: {{ type: secret, required: true }}\nsteps:\n  - qdrant_collection:\n      url: {}\n      \
             collection: rose_memories\n      api_key: \"{{{{ params.key }}}}\"\n      vector_size: 384\n",
            server.url
        );
        workspace.write("playbooks/look.yaml", &text);
        let out = workspace.run(&["play", "look", "--plain", "--param", "key=k3y-k3y-k3y"]);
        let all = format!("{}{}", out.stdout, out.stderr);
        assert!(out.code == code && all.contains(word), "{answer}: {}\n{all}", out.code);
        let request = server.asked.recv().unwrap();
        assert!(request.starts_with("GET /collections/rose_memories ") && request.contains("k3y-k3y-k3y"), "{request}");
    }
}

#[test]
fn an_api_key_is_tried() {
    if !have("jq") || !have("curl") {
        return;
    }
    let workspace = Workspace::shipped();
    for (provider, answer, code, word) in [
        ("groq", r#"200 {"data": []}"#, 0, "groq answers 200"),
        ("elevenlabs", r#"200 {"character_limit": 100, "character_count": 40}"#, 0, "elevenlabs answers 200"),
        ("groq", "401 {}", 4, "the key is not accepted (HTTP 401)"),
        ("groq", "429 {}", 4, "the quota is used up, again in 7s"),
        ("groq", "503 {}", 4, "the provider answers HTTP 503"),
    ] {
        let server = answers(&[answer]);
        let text = format!(
            "playbook: Look\nparams:\n  key: {{ type: secret, required: true }}\nsteps:\n  - api_key: {{ provider: {provider}, url: \"{}\", \
             key: \"{{{{ params.key }}}}\" }}\n",
            server.url
        );
        workspace.write("playbooks/look.yaml", &text);
        let out = workspace.run(&["play", "look", "--plain", "--param", "key=k3y-k3y-k3y"]);
        let all = format!("{}{}", out.stdout, out.stderr);
        assert!(out.code == code && all.contains(word), "{provider} {answer}: {}\n{all}", out.code);
        assert!(server.asked.recv().unwrap().contains("k3y-k3y-k3y"));
    }
}

#[test]
fn the_on_call_service_is_told() {
    if !have("node") {
        return;
    }
    let workspace = Workspace::shipped();
    for (answer, code, word) in [
        (r#"202 {"status": "success", "message": "Event processed"}"#, 0, "trigger of sonia/gateway taken"),
        (
            r#"400 {"status": "invalid event", "message": "Event object is invalid", "errors": ["no key"]}"#,
            4,
            "Event object is invalid; no key",
        ),
        ("200 hello", 4, "the service answers HTTP 200"),
    ] {
        let server = answers(&[answer]);
        let text = format!(
            "playbook: Tell\nparams:\n  key: {{ type: secret, required: true }}\nsteps:\n  - pager.notify:\n      summary: down\n      \
             key: sonia/gateway\n      severity: critical\n      routing_key: \"{{{{ params.key }}}}\"\n      url: {}\n",
            server.url
        );
        workspace.write("playbooks/tell.yaml", &text);
        let out = workspace.run(&["play", "tell", "--plain", "--param", "key=k3y-k3y-k3y"]);
        let all = format!("{}{}", out.stdout, out.stderr);
        assert!(out.code == code && all.contains(word), "{answer}: {}\n{all}", out.code);
        let request = server.asked.recv().unwrap();
        let body: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!((&body["event_action"], &body["dedup_key"]), (&"trigger".into(), &"sonia/gateway".into()));
        assert_eq!(body["payload"]["severity"], "critical");
    }
}
