//! `runbook graph`, alias `tree`: the shipped playbooks and a small shop, in every format.

use std::path::Path;
use std::process::{Command, Stdio};

use super::golden::golden;
use crate::harness::{Output, Workspace, finish};

/// The shipped playbooks, and the shop of `tests/pictures`.
pub(crate) fn project() -> Workspace {
    let workspace = Workspace::shipped();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/shop");
    for entry in std::fs::read_dir(shop).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        workspace.write(&format!("playbooks/shop/{name}"), &std::fs::read_to_string(&path).unwrap());
    }
    workspace
}

fn at_width(workspace: &Workspace, width: &str, args: &[&str]) -> Output {
    let mut command = workspace.command(args);
    command.env("COLUMNS", width);
    finish(command)
}

const NAMES: [&str; 7] =
    ["stack-start", "stack-stop", "stack-status", "service-restart", "shop/deploy", "shop/down", "shop/every-day"];

#[test]
fn outlines_are_as_they_were() {
    let workspace = project();
    for name in NAMES {
        let file = name.replace('/', "-");
        for width in ["80", "40"] {
            let out = at_width(&workspace, width, &["graph", name]);
            let most: usize = width.parse().unwrap();
            assert!(out.stdout.lines().all(|l| console_width(l) <= most), "{}", out.stdout);
            golden(&format!("graph/{file}-{width}"), &workspace, &out);
        }
    }
    let mut ascii = workspace.command(&["tree", "shop/down"]);
    ascii.env("LANG", "C");
    let out = finish(ascii);
    assert!(out.stdout.is_ascii(), "{}", out.stdout);
    golden("graph/shop-down-ascii", &workspace, &out);
}

/// Every character of these texts is one column wide.
fn console_width(line: &str) -> usize {
    line.chars().count()
}

#[test]
fn mermaid_dot_and_json_are_as_they_were() {
    let workspace = project();
    for name in ["stack-start", "shop/deploy", "shop/down"] {
        let file = name.replace('/', "-");
        for format in ["mermaid", "dot"] {
            golden(&format!("graph/{file}-{format}"), &workspace, &workspace.run(&["graph", name, "--format", format]));
        }
    }
    golden("graph/shop-down-json", &workspace, &workspace.run(&["graph", "shop/down", "--json"]));
}

#[test]
fn graphviz_reads_what_is_written_for_it() {
    let found = Command::new("dot").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return;
    }
    let workspace = project();
    for name in NAMES {
        let file = workspace.path("out.dot");
        workspace.run(&["graph", name, "-o", &file.to_string_lossy()]).expect(0);
        let mut dot = Command::new("dot");
        dot.args(["-Tplain"]).arg(&file);
        let out = finish(dot);
        assert_eq!((out.code, out.stderr.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn the_order_of_services_is_in_the_picture() {
    let workspace = Workspace::shipped();
    let out = workspace.run(&["graph", "stack-start", "--format", "json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    let needs: Vec<String> = json["edges"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["kind"] == "needs")
        .map(|e| format!("{}>{}", e["from"].as_str().unwrap(), e["to"].as_str().unwrap()))
        .collect();
    assert!(needs.contains(&"steps[5]@eva-os>steps[5]@memory-engine".to_owned()), "{needs:?}");
    assert!(needs.contains(&"steps[5]@pipecat>steps[5]@api-gateway".to_owned()), "{needs:?}");
    assert_eq!(needs.len(), 10);
    // Backwards, what is needed waits for what needs it.
    let out = workspace.run(&["graph", "stack-stop", "--format", "json"]).expect(0);
    assert!(out.stdout.contains("\"from\": \"steps[1]@api-gateway\",\n      \"to\": \"steps[1]@pipecat\""), "{}", out.stdout);
}

#[test]
fn an_svg_stands_alone() {
    let workspace = project();
    for name in NAMES {
        let file = workspace.path("out.svg");
        workspace.run(&["graph", name, "-o", &file.to_string_lossy()]).expect(0);
        let svg = workspace.read("out.svg");
        assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("<title") && svg.contains("<desc"), "{svg}");
        for foreign in ["<script", "href=", "url(http", "@import", "<foreignObject", "<image"] {
            assert!(!svg.contains(foreign), "{name}: {foreign}");
        }
        // The same playbook gives the same picture, so that it can be kept beside it.
        let again = workspace.run(&["tree", name, "--format", "svg"]).expect(0);
        assert_eq!(again.stdout, svg);
    }
    let down = workspace.run(&["graph", "shop/down", "-f", "svg"]).expect(0).stdout;
    for part in ["Does &lt;service&gt; answer?", "memory-full", "critical", "unknown", "remedy: play up"] {
        assert!(down.contains(part), "{part}");
    }
}

#[test]
fn the_file_says_the_format() {
    let workspace = project();
    for (file, begins) in [
        ("a.svg", "<svg"),
        ("a.mmd", "flowchart TD"),
        ("a.gv", "digraph"),
        ("a.dot", "digraph"),
        ("a.json", "{"),
        ("a.txt", "shop/up  procedure"),
    ] {
        let out = workspace.run(&["graph", "up", "-o", file]).expect(0);
        assert_eq!(out.stdout, "", "{file}");
        assert!(workspace.read(file).starts_with(begins), "{file}");
    }
    let out = workspace.run(&["graph", "up", "-o", "a.png"]).expect(2);
    assert!(out.stderr.contains(".png") && out.stderr.contains("--format"), "{}", out.stderr);
    workspace.run(&["graph", "up", "-o", "a.png", "-f", "svg"]).expect(0);
    let out = workspace.run(&["graph", "up", "-o", "no/such/folder/a.svg"]).expect(1);
    assert!(out.stderr.contains("no/such/folder/a.svg"), "{}", out.stderr);
    assert!(workspace.run(&["graph", "up", "-o", "-"]).expect(0).stdout.contains("shop/up"));
}

#[test]
fn parts_are_drawn() {
    let workspace = project();
    let out = workspace.run(&["graph", "shop/down", "--root", "port"]).expect(0);
    assert!(out.stdout.contains("5 Does anybody listen") && !out.stdout.contains("healthy"), "{}", out.stdout);
    assert!(out.stdout.contains("yes: 7 how, which is not in this part"), "{}", out.stdout);
    let by_number = workspace.run(&["graph", "shop/down", "--root", "5"]).expect(0);
    assert_eq!(by_number.stdout, out.stdout);
    let out = workspace.run(&["graph", "shop/deploy", "--depth", "2"]).expect(0);
    assert!(out.stdout.contains("2 Bring the new version out") && !out.stdout.contains("2.1"), "{}", out.stdout);
    assert!(out.stdout.contains("9 more below"), "{}", out.stdout);
    let out = workspace.run(&["graph", "shop/down", "--root", "prot"]).expect(2);
    assert!(out.stderr.contains("did you mean `port`?"), "{}", out.stderr);
    workspace.run(&["graph", "shop/down", "--depth", "0"]).expect(2);
}

#[test]
fn values_are_filled_in_where_they_are_known() {
    let workspace = project();
    let out = workspace.run(&["graph", "shop/down", "--param", "service=db"]).expect(0);
    assert!(out.stdout.contains("Does db answer?") && out.stdout.contains("http://127.0.0.1:9001/healthz"), "{}", out.stdout);
    let out = workspace.run(&["graph", "shop/deploy", "--param", "root=/opt/shop"]).expect(0);
    assert!(out.stdout.contains("/opt/shop/backup/<version>.sql"), "{}", out.stdout);
    let out = workspace.run(&["graph", "shop/down", "--param", "service=nope"]).expect(3);
    assert!(out.stderr.contains("`nope` is not one of db, cache, web"), "{}", out.stderr);
    // A secret is never looked at, nor is the environment.
    let mut command = workspace.command(&["graph", "shop/deploy", "--param", "token=hunter2", "-f", "json"]);
    command.env("SHOP_TOKEN", "hunter3");
    assert!(!finish(command).stdout.contains("hunter"), "a secret is shown");
    let out = workspace.run(&["graph", "stack-start", "--profile", "uvicorn", "--param", "root=/opt/sonia"]).expect(0);
    assert!(out.stdout.contains("dir.create /opt/sonia/<item>"), "{}", out.stdout);
}

#[test]
fn what_a_page_would_not_draw_is_said() {
    let workspace = Workspace::new();
    let steps: String = (0..600).map(|i| format!("  - {{ id: s{i}, note: x }}\n")).collect();
    workspace.write("playbooks/long.yaml", &format!("playbook: A long one\nsteps:\n{steps}"));
    let out = workspace.run(&["graph", "long", "-f", "mermaid"]).expect(0);
    assert!(out.stderr.contains("599 edges") && out.stderr.contains("--depth N or --root ID"), "{}", out.stderr);
    assert!(out.stdout.starts_with("flowchart TD"));
    assert_eq!(workspace.run(&["graph", "long", "-f", "mermaid", "--quiet"]).expect(0).stderr, "");
    let steps: String = (0..5_100).map(|i| format!("  - {{ id: s{i}, note: x }}\n")).collect();
    workspace.write("playbooks/longer.yaml", &format!("playbook: A longer one\nsteps:\n{steps}"));
    let out = workspace.run(&["graph", "longer", "-f", "svg"]).expect(3);
    assert!(out.stderr.contains("5100 nodes") && out.stderr.contains("--format dot"), "{}", out.stderr);
    workspace.run(&["graph", "longer", "-f", "dot"]).expect(0);
}

#[test]
fn a_broken_playbook_is_not_drawn() {
    let workspace = Workspace::with("bad", "playbook: Bad\nsteps:\n  - nonsense: 1\n");
    let out = workspace.run(&["graph", "bad", "-f", "svg"]).expect(3);
    assert!(out.stdout.is_empty() && out.stderr.contains("nonsense"), "{}", out.stderr);
    workspace.run(&["graph", "nothing"]).expect(3);
}

#[test]
fn show_tells_how_to_run_it_and_what_it_touches() {
    let workspace = project();
    for name in ["shop/deploy", "shop/down", "stack-start"] {
        golden(&format!("graph/show-{}", name.replace('/', "-")), &workspace, &workspace.run(&["show", name]));
    }
    let out = workspace.run(&["show", "shop/down", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(json["run"], "runbook triage shop/down --param service=SERVICE");
    assert_eq!(json["questions"].as_array().map(Vec::len), Some(6));
    assert_eq!(json["findings"][1]["id"], "triage[1].no[1].no");
    let out = workspace.run(&["show", "shop/deploy", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(json["effect"], "destroy");
    assert!(json["destroys"][0].as_str().unwrap().contains("/srv/shop/deploy.lock"), "{json}");
    assert_eq!(json["changes"]["services"][0], "web");
}
