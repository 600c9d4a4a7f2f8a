//! `runbook doc`: playbooks as Markdown runbooks that a person follows by hand.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::golden::golden;
use super::pictures;
use crate::harness::{Workspace, wait_until};

/// The shipped playbooks, the shop of `tests/pictures` and the plant of `tests/runbooks`.
fn project() -> Workspace {
    let workspace = pictures::project();
    let plant = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runbooks");
    for entry in std::fs::read_dir(plant).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        workspace.write(&format!("playbooks/plant/{name}"), &std::fs::read_to_string(&path).unwrap());
    }
    workspace.write("manual.md", "# Manual\n");
    workspace
}

/// The page of a playbook, without those of the playbooks that it plays.
fn page(workspace: &Workspace, args: &[&str]) -> String {
    let args: Vec<&str> = ["doc"].into_iter().chain(args.iter().copied()).collect();
    let out = workspace.run(&args).expect(0);
    assert_eq!(out.stderr, "");
    out.stdout
}

/// The blocks of code for a shell, in order. A fence ends with as many backticks as it began with.
fn shell_blocks(markdown: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        if ticks.len() < 3 {
            continue;
        }
        let body: Vec<&str> = lines.by_ref().take_while(|l| *l != ticks).collect();
        if &line[ticks.len()..] == "sh" {
            out.push(body.join("\n"));
        }
    }
    out
}

/// The text without blocks of code.
fn outside_of_code(markdown: &str) -> String {
    let mut fence = String::new();
    let mut out = String::new();
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        if fence.is_empty() && ticks.len() >= 3 {
            fence = ticks;
        } else if !fence.is_empty() {
            if line == fence {
                fence.clear();
            }
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    assert_eq!(fence, "", "a block of code is never closed");
    out
}

/// Where the links of a page lead.
fn links(markdown: &str) -> Vec<String> {
    let code = without_code_spans(&outside_of_code(markdown));
    regex::Regex::new(r"[^\\]\]\(([^)\s]+)\)").unwrap().captures_iter(&code).map(|c| c[1].to_owned()).collect()
}

fn is_shell(text: &str) -> bool {
    let mut sh = Command::new("sh");
    sh.arg("-n").stdin(Stdio::piped()).stderr(Stdio::null());
    let mut sh = sh.spawn().unwrap();
    sh.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    sh.wait().unwrap().success()
}

const NAMES: [&str; 11] = [
    "stack-start",
    "stack-stop",
    "stack-status",
    "service-restart",
    "shop/deploy",
    "shop/down",
    "shop/every-day",
    "shop/up",
    "plant/everything",
    "plant/choose",
    "plant/look",
];

#[test]
fn pages_are_as_they_were() {
    let workspace = project();
    for name in NAMES {
        golden(&format!("doc/{}", name.replace('/', "-")), &workspace, &workspace.run(&["doc", name]));
    }
}

#[test]
fn a_shell_can_read_every_command() {
    let workspace = project();
    for name in NAMES {
        let blocks = shell_blocks(&page(&workspace, &[name]));
        assert!(!blocks.is_empty(), "{name}");
        for block in blocks {
            // What is replaced by hand stands in quotes until then, so that a forgotten one is no redirection.
            assert!(is_shell(&block), "{name}: no shell reads this:\n{block}");
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let workspace = project();
    for name in NAMES {
        let text = page(&workspace, &[name]);
        for link in links(&text) {
            match link.strip_prefix('#') {
                Some(id) => assert!(text.contains(&format!("<a id=\"{id}\"></a>\n")), "{name}: {link}"),
                None if link.contains("://") => {}
                None => {
                    let file = link.split('#').next().unwrap();
                    assert!(workspace.path(file).exists(), "{name}: {link}");
                }
            }
        }
        let places: Vec<_> =
            text.lines().filter_map(|l| l.strip_prefix("<a id=\"")).filter_map(|l| l.strip_suffix("\"></a>")).collect();
        let unique: BTreeSet<_> = places.iter().collect();
        assert_eq!(unique.len(), places.len(), "{name}: {places:?}");
    }
}

#[test]
fn all_of_them_go_into_a_folder() {
    let workspace = project();
    let out = workspace.run(&["doc", "--all", "--output", "out/books"]).expect(0);
    let index = workspace.read("out/books/README.md");
    let pages = index.matches(".md)").count();
    assert!(pages > 12, "{index}");
    assert_eq!(out.stdout, format!("{pages} runbooks written to out/books, which begin at README.md\n"));
    for name in ["sonia/stack-start", "shop/down", "plant/second"] {
        assert!(index.contains(&format!("[{name}]({name}.md)")), "{index}");
    }
    // Every file and every place that a page leads to is there, also on another page.
    let mut seen = 0;
    let mut waiting = vec![PathBuf::from("out/books/README.md")];
    let mut done = BTreeSet::new();
    while let Some(file) = waiting.pop() {
        if !done.insert(file.clone()) {
            continue;
        }
        let text = workspace.read(&file.to_string_lossy());
        for link in links(&text).into_iter().filter(|l| !l.contains("://")) {
            let (to, place) = link.split_once('#').map_or((link.as_str(), None), |(t, p)| (t, Some(p)));
            let target = if to.is_empty() { file.clone() } else { file.parent().unwrap().join(to) };
            assert!(workspace.path(&target.to_string_lossy()).is_file(), "{}: {link}", file.display());
            if let (Some(place), "md") = (place, target.extension().unwrap().to_str().unwrap()) {
                let is_ours = target.starts_with("out/books") && !to.contains("manual");
                let there = workspace.read(&target.to_string_lossy()).contains(&format!("<a id=\"{place}\"></a>"));
                assert!(there || !is_ours, "{}: {link}", file.display());
            }
            if target.extension().is_some_and(|e| e == "md") && !to.starts_with("../..") {
                waiting.push(tidy(&target));
            }
            seen += 1;
        }
    }
    assert_eq!(done.len(), pages + 1, "{done:?}");
    assert!(seen > 60, "{seen}");
    let deploy = workspace.read("out/books/shop/deploy.md");
    assert!(deploy.contains("[Start what is down](up.md)"), "{deploy}");
    assert!(deploy.contains("[playbooks/shop/deploy.yaml](../../../playbooks/shop/deploy.yaml)"), "{deploy}");
    // Again it is the same, so that it can be kept beside the playbooks.
    workspace.run(&["doc", "--all", "--output", "out/books", "--quiet"]).expect(0);
    assert_eq!(workspace.read("out/books/shop/deploy.md"), deploy);
}

/// A path without `..` in it.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == ".." {
            out.pop();
        } else {
            out.push(part);
        }
    }
    out
}

#[test]
fn a_file_or_several_are_written() {
    let workspace = project();
    workspace.run(&["doc", "shop/up", "-o", "up.md"]).expect(0);
    assert!(workspace.read("up.md").contains("# Start what is down"));
    assert_eq!(page(&workspace, &["shop/up", "-o", "-"]), workspace.read("up.md"));
    // Two in one file, and what they play behind them.
    workspace.run(&["doc", "plant/look", "shop/deploy", "--output", "two.md"]).expect(0);
    let two = workspace.read("two.md");
    let at = |title: &str| two.find(title).unwrap_or_else(|| panic!("{title}"));
    assert!(at("# Look whether the plant is well") < at("# Bring out a new version"));
    assert!(at("# Bring out a new version") < at("# Start what is down"));
    // One in a folder: so is what it plays, since its links lead there.
    let out = workspace.run(&["doc", "shop/deploy", "--output", "books/"]).expect(0);
    assert!(out.stdout.starts_with("2 runbooks"), "{}", out.stdout);
    assert!(workspace.path("books/shop/up.md").is_file());
    let out = workspace.run(&["doc", "shop/up", "-o", "no/such/up.md"]).expect(1);
    assert!(out.stderr.contains("no/such/up.md"), "{}", out.stderr);
    workspace.write("file", "");
    let out = workspace.run(&["doc", "--all", "-o", "file/books"]).expect(1);
    assert!(out.stderr.contains("file/books"), "{}", out.stderr);
}

#[test]
fn values_are_filled_in_where_they_are_given() {
    let workspace = project();
    let text = page(&workspace, &["service-restart", "--param", "service=api-gateway", "--param", "root=/opt/sonia"]);
    assert!(text.contains("curl -sS -i --max-time 2 http://127.0.0.1:7000/healthz"), "{text}");
    assert!(!text.contains("<state folder>") && text.contains("/opt/sonia/state/pids/api-gateway.pid"), "{text}");
    let text = page(&workspace, &["stack-start", "--profile", "uvicorn", "--param", "root=/opt/sonia"]);
    assert!(text.contains("  python3 -m uvicorn main:app --host 127.0.0.1 --port 7050 \\\n"), "{text}");
    assert!(text.contains("Leave this out: it is only done if `stand_ins` is true, which is not so here."), "{text}");
    let out = workspace.run(&["doc", "service-restart", "--param", "service=nope"]).expect(3);
    assert!(out.stderr.contains("`nope` is not one of") && out.stdout.is_empty(), "{}", out.stderr);
}

#[test]
fn a_parameter_that_may_be_left_out_is_not_taken_as_absent() {
    let workspace = Workspace::with(
        "opt",
        "\
playbook: Clean up
params:
  tag: { type: string, help: Only this tag }
  since: { type: string, help: Only since then }
  dry: { type: bool, help: Only look }
steps:
  - when: params.tag is not none
    name: \"Delete the tag {{ params.tag }}\"
    command: [git, tag, -d, \"{{ params.tag }}\"]
  - when: params.tag == none
    command: [git, tag, -l]
  - when: params.dry
    command: [git, status]
  - name: Mark
    command: [touch, \"/tmp/{{ params.tag | default('all') }}.done\"]
  - shell: \"echo {{ params.since | default('') }}\"
",
    );
    let text = page(&workspace, &["opt"]);
    for line in [
        "| `<tag>` | string | leave it out: `all` is taken then | Only this tag |",
        "| `<since>` | string | leave it out | Only since then |",
        "### 1. Delete the tag \\<tag>\n\n**Only if** `<tag>` is given. Otherwise leave it out.\n\n```sh\ngit tag -d '<tag>'\n```",
        "**Only if** `<tag>` is not given. Otherwise leave it out.\n\n```sh\ngit tag -l\n```",
        "**Only if** `dry` is true. Otherwise leave it out.\n\n```sh\ngit status\n```",
        "touch '/tmp/<tag, or all>.done'",
        "echo '<since>'",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("not so here"), "{text}");
    for args in [&["show", "opt"][..], &["graph", "opt"], &["graph", "opt", "-f", "mermaid"]] {
        let out = workspace.run(args).expect(0).stdout;
        assert!(out.contains("Delete the tag <tag>") || out.contains("Delete the tag #lt;tag#gt;"), "{out}");
        assert!(out.contains("git tag -d") && !out.contains("/tmp/all.done"), "{out}");
    }
    // Given, it is filled in, and what hangs on it is settled.
    let text = page(&workspace, &["opt", "--param", "tag=v1"]);
    assert!(text.contains("git tag -d v1") && text.contains("touch /tmp/v1.done"), "{text}");
    assert!(text.contains("it is only done if `<tag>` is not given, which is not so here."), "{text}");
}

#[test]
fn the_limits_that_an_answer_hangs_on_are_filled_in() {
    let workspace = Workspace::with(
        "t",
        "\
playbook: How long is the queue?
triage:
  - ask: How long is it?
    check: { command: [mailq, --json], effect: read }
    answer: \"'empty' if json.count == 0 else 'short' if json.count < thresholds.q.warning else 'long'\"
    choices: [empty, short, long]
    cases: { empty: continue, short: continue, long: { finding: long } }
  - ask: How old is it?
    check: { command: [mailq, --age], effect: read }
    answer: \"'new' if not (json.age > thresholds.age.warning and json.n) else 'old'\"
    choices: [new, old]
    cases: { new: continue, old: { finding: old } }
  - ask: Which?
    check: { command: [mailq, --which], effect: read }
    answer: \"json.kinds[thresholds.q.warning]\"
    choices: [a, b]
    cases: { a: { finding: a }, b: { finding: b } }
",
    );
    workspace.write(
        "playbooks/system.yaml",
        "system: s\nthresholds:\n  q: { warning: 100, critical: 1000 }\n  age: { warning: 2h, critical: 1d }\n",
    );
    let text = page(&workspace, &["t"]);
    for line in [
        "The answer is `empty` if `json.count` is `0`; else `short` if `json.count` is less than `100`; otherwise `long`.",
        "The answer is `'new' if not (json.age > 2h and json.n) else 'old'`.",
        "The answer is `json.kinds[100]`.",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn no_secret_is_written() {
    let workspace = project();
    let mut command = workspace.command(&["doc", "plant/everything", "--param", "token=hunter2"]);
    command.env("PLANT_KEY", "hunter3").env("PLANT_ZONE", "hunter4");
    let out = crate::harness::finish(command).expect(0);
    assert!(!out.stdout.contains("hunter") && !out.stderr.contains("hunter"), "a secret is shown");
    assert!(out.stdout.contains("-H 'x-key: '\"$PLANT_KEY\""), "{}", out.stdout);
    assert!(out.stdout.contains("IFS= read -r token; stty echo; export token"), "{}", out.stdout);
}

#[test]
fn what_is_started_by_hand_is_known_to_the_program() {
    let workspace = Workspace::new();
    workspace.write(
        "playbooks/yard/system.yaml",
        "system: yard\nservices:\n  sleeper: { command: [sleep, \"600\"], cwd: work, pid_file: run/s.pid, stdout: log/s.out, stderr: log/s.err }\n",
    );
    for (name, step) in [("up", "service.start"), ("down", "service.stop")] {
        workspace.write(&format!("playbooks/yard/{name}.yaml"), &format!("playbook: One {name}\nsteps:\n  - {step}: sleeper\n"));
    }
    workspace.write("playbooks/yard/look.yaml", "playbook: Look\nsteps:\n  - service: sleeper\n");
    std::fs::create_dir(workspace.path("work")).unwrap();
    let type_all = |name: &str, wanted: &dyn Fn(&str) -> bool| {
        for block in shell_blocks(&page(&workspace, &[name])).iter().filter(|b| wanted(b)) {
            let mut sh = Command::new("sh");
            sh.args(["-c", block]).current_dir(workspace.path("")).stdin(Stdio::null()).stdout(Stdio::null());
            assert!(sh.status().unwrap().success(), "{block}");
        }
    };
    type_all("yard/up", &|b| b.starts_with("mkdir"));
    // Paths start at the project's folder, and the service in its own.
    wait_until(|| std::fs::read_to_string(workspace.path("run/s.pid")).is_ok_and(|t| t.ends_with('\n')));
    let pid = workspace.read("run/s.pid").trim().to_owned();
    let is_it = || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c == b"sleep\x00600\x00");
    wait_until(is_it);
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), workspace.path("work").canonicalize().unwrap());
    workspace.run(&["play", "yard/look"]).expect(0);
    type_all("yard/down", &|b| b.starts_with("kill -s TERM"));
    wait_until(|| !is_it());
    type_all("yard/down", &|b| b.starts_with("rm "));
    assert!(!workspace.path("run/s.pid").exists());
}

#[test]
fn wrong_names_are_told() {
    let workspace = project();
    let out = workspace.run(&["doc", "stack-strat"]).expect(3);
    assert!(out.stderr.contains("did you mean `stack-start`?") && out.stdout.is_empty(), "{}", out.stderr);
    // One wrong name of several: nothing is written by halves.
    let out = workspace.run(&["doc", "shop/up", "nothing", "-o", "both.md"]).expect(3);
    assert!(out.stderr.contains("nothing") && !workspace.path("both.md").exists(), "{}", out.stderr);
    for args in
        [vec!["doc"], vec!["doc", "--all", "shop/up"], vec!["doc", "--all", "--param", "a=b"], vec!["doc", "shop/up", "--nope"]]
    {
        workspace.run(&args).expect(2);
    }
    let empty = Workspace::new();
    let out = empty.run(&["doc", "--all"]).expect(3);
    assert!(out.stderr.contains("no playbooks yet"), "{}", out.stderr);
}

#[test]
fn a_broken_playbook_does_not_keep_the_others_from_being_written() {
    let workspace = Workspace::with("good", "playbook: Good\nsteps:\n  - note: fine\n");
    workspace.write("playbooks/bad.yaml", "playbook: Bad\nsteps:\n  - nonsense: 1\n");
    let out = workspace.run(&["doc", "--all", "-o", "books/"]).expect(3);
    assert!(out.stderr.contains("nonsense"), "{}", out.stderr);
    assert!(workspace.read("books/good.md").contains("# Good") && !workspace.path("books/bad.md").exists());
    workspace.run(&["doc", "bad"]).expect(3);
}

#[test]
fn pages_are_data_too() {
    let workspace = project();
    let out = workspace.run(&["doc", "shop/deploy", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    let names: Vec<_> = json.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["shop/deploy", "shop/up"]);
    assert!(json[0]["markdown"].as_str().unwrap().contains("# Bring out a new version of the shop"));
}

/// A text that is markup, a command or a way out wherever it is read as one.
const HOSTILE: &str =
    "x|y <script>alert(1)</script> `id` ``` [l](javascript:alert(1)) $(touch pwned) '\"; touch pwned; # \u{202e}end -->";

#[test]
fn hostile_texts_stay_texts() {
    let quoted = serde_json::to_string(HOSTILE).unwrap();
    let text = format!(
        "playbook: {quoted}\n\
         description: \"# big\\n```\\nopen {}\"\n\
         source: {quoted}\n\
         links: [{{ title: {quoted}, url: \"javascript:alert(1)\" }}]\n\
         params:\n  p: {{ type: string, default: {quoted}, help: {quoted} }}\n\
         vars: {{ v: {quoted} }}\n\
         steps:\n\
         \x20 - name: {quoted}\n    command: [echo, {quoted}, \"{{{{ v }}}}\"]\n\
         \x20 - name: second\n    for_each: [{quoted}]\n    file.write: {{ path: \"a/{{{{ item }}}}\", content: {} }}\n\
         \x20 - manual: {quoted}\n\
         \x20 - ask: {{ question: {quoted}, choices: [{quoted}, b] }}\n\
         \x20 - http: {{ url: \"http://127.0.0.1/\", headers: {{ a: {quoted} }} }}\n    expect: \"body == v\"\n\
         outputs:\n  o: {quoted}\n",
        HOSTILE.replace('\\', "\\\\").replace('"', "\\\""),
        serde_json::to_string(&format!("one\nEND\n{HOSTILE}\n```\n")).unwrap(),
    );
    // Characters that turn the direction of texts are refused in a file, unless they are written as escapes.
    let workspace = Workspace::with("bad", &text.replace('\u{202e}', "\\u202e"));
    let markdown = page(&workspace, &["bad"]);
    assert!(!markdown.contains(['\u{202e}', '\x1b']), "{markdown}");
    let outside = outside_of_code(&markdown);
    let plain = without_code_spans(&outside);
    let plain = plain.replace("\\<", "").replace("\\`", "");
    let markup: Vec<&str> = plain.lines().filter(|l| l.contains("<script") && !l.starts_with("<!--")).collect();
    assert!(markup.is_empty(), "{markup:?}");
    assert!(!links(&markdown).iter().any(|l| l.starts_with("javascript")), "{markdown}");
    assert_eq!(outside.lines().filter(|l| l.starts_with("# ")).count(), 1, "{outside}");
    // The comment at the top is closed where it should be.
    assert!(markdown.lines().next().unwrap().ends_with("; do not edit. -->"));
    // A table keeps its columns.
    for row in outside.lines().filter(|l| l.starts_with("| ")) {
        let bars = row.replace("\\|", "").matches('|').count();
        assert!([3, 5].contains(&bars), "{row}");
    }
    for block in shell_blocks(&markdown) {
        assert!(is_shell(&block), "no shell reads this:\n{block}");
    }
    // Run as they are, they print and write what was meant, and nothing else happens.
    let folder = workspace.path("run");
    std::fs::create_dir_all(folder.join("a")).unwrap();
    let echo = shell_blocks(&markdown).into_iter().find(|b| b.starts_with("echo ")).unwrap();
    let out = Command::new("sh").args(["-c", &echo]).current_dir(&folder).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("$(touch pwned) '\"; touch pwned; #"));
    assert!(!folder.join("pwned").exists());
}

/// A text without code between backticks.
fn without_code_spans(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(open) = rest.find('`') {
            let run = rest[open..].chars().take_while(|c| *c == '`').count();
            let is_escaped = rest[..open].ends_with('\\');
            let fence = "`".repeat(run);
            let inner = &rest[open + run..];
            let close = (!is_escaped).then(|| inner.find(&fence)).flatten();
            out.push_str(&rest[..open]);
            rest = match close {
                Some(close) => &inner[close + run..],
                None => inner,
            };
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}
