//! Answers from a file: `--answers FILE`, `runbook answers NAME`, and the file to fill in where an answer is missing.

use crate::harness::Workspace;

fn project() -> Workspace {
    let workspace = Workspace::with(
        "ask",
        "\
playbook: Asks
params:
  zone: { type: choice, choices: [eu, us], required: true, ask: \"Which zone?\" }
steps:
  - { id: who, ask: { question: \"Who?\", choices: [a, b] } }
  - { id: count, ask: { question: \"How many?\", type: int } }
  - { id: look, manual: Look at it }
  - { id: go, file.write: { path: out.txt, content: \"{{ params.zone }} {{ steps.who.answer }} {{ steps.count.answer + 1 }}\" }, confirm: true }
  - { id: wipe, file.delete: out.txt, when: steps.count.answer > 3 }
",
    );
    workspace.write(
        "answers.yaml",
        "\
playbook: ask
answers:
  zone: eu
  who: a
  count: 3
  look: { answer: done, note: all quiet }
  go: yes
confirm:
  wipe: wipe
",
    );
    workspace
}

#[test]
fn a_file_answers_every_question_and_its_origin_is_recorded() {
    let workspace = project();
    let out = workspace.run(&["--json", "play", "ask", "--answers", "answers.yaml"]).expect(0);
    assert_eq!(workspace.read("out.txt"), "eu a 4");
    let replies = out.events_of("replied");
    assert_eq!(replies.len(), 4);
    assert!(replies.iter().all(|r| r["reply"]["origin"] == "file"), "{replies:#?}");
    assert_eq!(replies[2]["reply"]["note"], "all quiet");
    let report = workspace.run(&["runs", "show", "--json"]).expect(0);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["answers"][1]["value"], 3);
    assert_eq!(report["answers"][1]["origin"], "file");
    // What was not asked for is told, as of flags.
    assert_eq!(out.events_of("error")[0]["message"], "the answer to `wipe` was not asked for");
}

#[test]
fn flags_go_before_the_file_and_the_file_goes_before_yes() {
    let workspace = project();
    let play = |more: &[&str]| workspace.run(&[&["--json", "play", "ask", "--answers", "answers.yaml"], more].concat());
    play(&["--answer", "count=7", "--param", "zone=us", "--confirm", "wipe=wipe"]).expect(0);
    assert!(!workspace.path("out.txt").exists(), "more than three: it was wiped");
    let out = play(&["--answer", "who=b"]).expect(0);
    assert_eq!(out.events_of("replied")[0]["reply"]["origin"], "flag");
    assert_eq!(workspace.read("out.txt"), "eu b 4");
    play(&["--answer", "go=no"]).expect(6);
    let text = workspace.read("answers.yaml").replace("go: yes", "go: no");
    workspace.write("answers.yaml", &text);
    play(&["--yes"]).expect(6);
    workspace.write("answers.yaml", &text.replace("go: no", "go:").replace("wipe: wipe", "wipe:"));
    play(&["--yes"]).expect(0);
    play(&[]).expect(7);
    let out = play(&["--yes", "--answer", "count=7"]).expect(7);
    assert!(out.events_of("run_finished")[0]["message"].as_str().unwrap().contains("--confirm wipe=wipe"));
}

#[test]
fn a_file_that_does_not_fit_is_refused_before_anything_runs() {
    let workspace = project();
    workspace.write("answers.yaml", "answers:\n  who: c\n  cuont: 3\nconfirm:\n  wipe: wype\n");
    let out = workspace.run(&["play", "ask", "--param", "zone=eu", "--answers", "answers.yaml"]).expect(3);
    for wanted in [
        "error[E0606]: `who` takes one of a, b, found \"c\"",
        "answers.yaml:2:8",
        "error[E0605]: no question has the id `cuont`",
        "did you mean `count`?",
        "error[E0606]: `wipe` is confirmed by the word `wipe`, found `wype`",
        "playbooks/ask.yaml:5:33",
        "nothing was run",
    ] {
        assert!(out.stderr.contains(wanted), "{wanted}\n{}", out.stderr);
    }
    assert!(!workspace.path("state/runs").exists(), "no run began");
    let out = workspace.run(&["--json", "play", "ask", "--param", "zone=eu", "--answers", "answers.yaml"]).expect(3);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(json["errors"], 3);
    for (name, text, wanted) in [
        ("nowhere.yaml", None, "cannot read `nowhere.yaml`: it does not exist"),
        ("playbooks", None, "it is a folder"),
        ("other.yaml", Some("playbook: other\n"), "these answers are for `other`, not for `ask`"),
        ("bad.json", Some("{\"answers\": {\"who\": \"a\",}}"), "the JSON cannot be read: trailing comma"),
        ("empty.yaml", Some(""), "the file says nothing"),
    ] {
        if let Some(text) = text {
            workspace.write(name, text);
        }
        let out = workspace.run(&["play", "ask", "--param", "zone=eu", "--answers", name]).expect(3);
        assert!(out.stderr.contains(wanted), "{name}: {}", out.stderr);
    }
}

#[test]
fn a_missing_answer_shows_a_file_to_fill_in() {
    let workspace = project();
    let out = workspace.run(&["play", "ask", "--param", "zone=eu", "--answer", "who=a"]).expect(7);
    assert!(out.stdout.contains("--answer count=VALUE"), "{}", out.stdout);
    assert!(out.stderr.contains("runbook answers ask > answers.yaml"), "{}", out.stderr);
    assert!(out.stderr.contains("      # How many?\n      # a whole number\n      count:\n"), "{}", out.stderr);
    for given in ["zone:", "who:"] {
        assert!(!out.stderr.contains(given), "{given} is answered: {}", out.stderr);
    }
    for quiet in ["--quiet", "--json"] {
        let out = workspace.run(&[quiet, "play", "ask", "--param", "zone=eu"]).expect(7);
        assert!(out.stderr.is_empty(), "{quiet}: {}", out.stderr);
    }
    // The file is filled in, and the run goes on with it.
    let text = workspace.run(&["answers", "ask"]).expect(0).stdout;
    let filled = text
        .replace("  zone:", "  zone: us")
        .replace("  who:", "  who: b")
        .replace("  count:", "  count: 1")
        .replace("  look:", "  look: done")
        .replace("  go:", "  go: yes");
    workspace.write("mine.yaml", &filled);
    workspace.run(&["play", "ask", "--answers", "mine.yaml"]).expect(0);
    assert_eq!(workspace.read("out.txt"), "us b 2");
    // The command that is proposed can be pasted.
    workspace.write("half.yaml", &filled.replace("go: yes", "go:"));
    let out = workspace.run(&["play", "ask", "--answers", "half.yaml"]).expect(7);
    assert!(out.stdout.contains("runbook play ask --answers half.yaml --yes"), "{}", out.stdout);
    let out = workspace.run(&["answers", "asks"]).expect(3);
    assert!(out.stderr.contains("did you mean `ask`?"), "{}", out.stderr);
}

#[test]
fn a_secret_from_a_file_is_never_shown() {
    let workspace = Workspace::with(
        "s",
        "playbook: x\nsteps:\n  - { id: pw, ask: { question: \"Password?\", type: secret } }\n  - { shell: { script: \"echo $PW; exit 1\", env: { PW: \"{{ steps.pw.answer }}\" } } }\n",
    );
    workspace.write("a.json", "{\"answers\": {\"pw\": {\"answer\": \"hunter2hunter2\", \"note\": \"from the safe\"}}}");
    let out = workspace.run(&["-vv", "play", "s", "--answers", "a.json"]).expect(4);
    let journal = workspace.run(&["runs", "show", "--events"]).expect(0).stdout;
    let report = workspace.run(&["runs", "show", "--json"]).expect(0).stdout;
    for text in [&out.stdout, &out.stderr, &journal, &report] {
        assert!(!text.contains("hunter2hunter2"), "{text}");
    }
    assert!(report.contains("*** (pw)"), "{report}");
}

#[test]
fn a_tree_asks_for_no_answers_of_its_remedies() {
    let workspace = Workspace::with(
        "tree",
        "playbook: T\ntriage: { id: up, ask: Up?, yes: continue, no: { finding: down, remedy: { play: fix } } }\n",
    );
    workspace.write("playbooks/fix.yaml", "playbook: F\nsteps: [{ id: sure, manual: Sure }]\n");
    let file = workspace.run(&["answers", "tree"]).expect(0).stdout;
    assert!(file.starts_with("# Answers for `tree`, to be given with: runbook triage tree --answers FILE\n"), "{file}");
    assert!(!file.contains("sure") && !file.contains("not listed"), "{file}");
    workspace.write("a.yaml", &file.replace("  up:\n", "  up: yes\n"));
    let out = workspace.run(&["triage", "tree", "--answers", "a.yaml", "--no-input"]).expect(0);
    assert!(!out.stderr.contains("not asked for"), "{}", out.stderr);
}

#[test]
fn a_step_of_a_played_playbook_is_answered_by_its_path() {
    let workspace = Workspace::with("outer", "playbook: O\nsteps: [{ play: inner }]\n");
    workspace.write("playbooks/inner.yaml", "playbook: I\nsteps: [{ manual: Look at it }]\n");
    let file = workspace.run(&["answers", "outer"]).expect(0).stdout;
    let line = "  \"steps[1]>inner:steps[1]\":\n";
    assert!(file.contains(line) && !file.contains("not listed"), "{file}");
    workspace.write("a.yaml", &file.replace(line, "  \"steps[1]>inner:steps[1]\": done\n"));
    workspace.run(&["play", "outer", "--answers", "a.yaml", "--no-input"]).expect(0);
}

#[test]
fn questions_and_codes_are_data_too() {
    let workspace = project();
    let data = |args: &[&str]| -> serde_json::Value {
        let out = workspace.run(args).expect(0).stdout;
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}\n{out}"))
    };
    let asked = data(&["answers", "ask", "--json"]);
    assert_eq!(asked["playbook"], "ask");
    assert_eq!(asked["command"], "runbook play ask --answers FILE");
    assert_eq!(asked["not_listed"], 0);
    let ids: Vec<&str> = asked["questions"].as_array().unwrap().iter().map(|q| q["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["zone", "who", "count", "look", "go", "wipe"]);
    let zone = serde_json::json!({
        "id": "zone", "under": "answers", "question": "Which zone?", "takes": "one of eu, us", "note": null, "word": null,
    });
    assert_eq!(asked["questions"][0], zone);
    assert_eq!((&asked["questions"][5]["under"], &asked["questions"][5]["word"]), (&"confirm".into(), &"wipe".into()));
    let code = data(&["explain", "E0201", "--json"]);
    assert_eq!((&code["code"], &code["severity"]), (&"E0201".into(), &"error".into()));
    assert!(code["explanation"].as_str().unwrap().contains("not known") && code["example"]["wrong"].is_string(), "{code}");
    let all = data(&["explain", "--json"]);
    assert!(all["codes"].as_array().unwrap().contains(&code), "{all}");
    workspace.run(&["explain", "E9", "--json"]).expect(2);
}
