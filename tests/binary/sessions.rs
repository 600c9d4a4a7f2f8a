//! Triage sessions in a real terminal: every key, back, override, another width, Ctrl-C, the end of input, resume, and remedies.

use serde_json::Value;

use crate::harness::{Terminal, Workspace, bare};

/// A tree over files: what the checks see is put there, and taken away, by the tests.
const TREE: &str = r#"playbook: Find out why the site is down
triage:
  - id: power
    ask: Is the power on?
    why: Without power nothing else matters.
    check: { file: power }
    no: { finding: no-power, severity: critical, say: Call the electrician. }
  - id: lamp
    ask: Which lamp is lit?
    choices: [green, yellow, red]
    cases:
      red: { finding: red-lamp, severity: warning }
    default: continue
  - id: site
    ask: Is the site there?
    check: { file: site }
    no:
      finding: site-gone
      severity: critical
      say: There is no site.
      see: [{ file: backup }]
      remedy: { play: bring-back, verify: [{ file: site }], cooldown: 10m }
"#;

const REMEDY: &str = "playbook: Bring the site back\nsteps:\n  - { id: copy, file.copy: { from: backup, to: site } }\n";

fn site() -> Workspace {
    let workspace = Workspace::with("site", TREE);
    workspace.write("playbooks/bring-back.yaml", REMEDY);
    for file in ["power", "backup"] {
        workspace.write(file, "x");
    }
    workspace
}

/// What the program says of a run, as one document.
fn document(workspace: &Workspace, run: &str) -> Value {
    serde_json::from_str(&workspace.run(&["runs", "show", run, "--json"]).expect(0).stdout).unwrap()
}

fn words(text: &str) -> String {
    bare(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The id of the run that a text tells how to go on with.
fn resumed_by(text: &str) -> String {
    // A long command is broken so that it can be pasted.
    let words = words(text).replace(" \\ ", " ");
    let found = regex::Regex::new(r"runbook triage --resume (\S+)").unwrap().captures(&words).expect(&words);
    found[1].to_owned()
}

#[test]
fn every_key_answers_or_tells() {
    let workspace = site();
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage site");
    terminal.wait_for("1  green");
    let mut at = terminal.wait_after(0, "  answer: ");
    let press = |terminal: &mut Terminal, at: &mut usize, key: &str, then: &str| -> String {
        let from = *at;
        terminal.type_in(key);
        *at = terminal.wait_after(from, then);
        words(&terminal.since(from))
    };
    let why = press(&mut terminal, &mut at, "w", "  answer: ");
    assert!(why.contains("Is the power on? yes (probed)") && why.contains("red → finding red-lamp"), "{why}");
    let evidence = press(&mut terminal, &mut at, "e", "  answer: ");
    assert!(evidence.contains("only a person can tell"), "{evidence}");
    let tree = press(&mut terminal, &mut at, "t", "  answer: ");
    assert!(tree.contains("* 1 Is the power on?") && tree.contains("> 3 Which lamp is lit?"), "{tree}");
    let help = press(&mut terminal, &mut at, "?", "  answer: ");
    for key in ["y n u", "w why", "r look again", "b back", "s skip", "o override", "q leave", "Ctrl-C stop"] {
        assert!(help.contains(key), "{key}: {help}");
    }
    let none = press(&mut terminal, &mut at, "x", "  answer: ");
    assert!(none.contains("answer with a number from 1 to 3"), "{none}");
    // An arrow and other keys that send several characters answer nothing.
    let from = at;
    terminal.type_in("\u{1b}[B\u{1b}OA");
    let enter = press(&mut terminal, &mut at, "\n", "  answer: ");
    assert!(enter.contains("there is no suggestion to take") && terminal.since(from).matches("press ?").count() == 1, "{enter}");
    let again = press(&mut terminal, &mut at, "r", "  answer: ");
    assert!(again.contains("nothing is looked at here"), "{again}");

    // Back over a question that a check answered: its evidence, and looking again after the power went.
    let back = press(&mut terminal, &mut at, "b", "  answer [yes]: ");
    assert!(back.contains("back to: Is the power on?") && back.contains("the check says yes"), "{back}");
    let first = press(&mut terminal, &mut at, "b", "  answer [yes]: ");
    assert!(first.contains("this is the first question"), "{first}");
    let evidence = press(&mut terminal, &mut at, "e", "  answer [yes]: ");
    assert!(evidence.contains("path: power") && evidence.contains("UTC") && evidence.contains("exists: true"), "{evidence}");
    std::fs::remove_file(workspace.path("power")).unwrap();
    press(&mut terminal, &mut at, "r", "  answer [no]: ");
    let evidence = press(&mut terminal, &mut at, "e", "  answer [no]: ");
    assert!(evidence.contains("exists: true") && evidence.contains("no such file"), "both readings are kept: {evidence}");
    // An override needs a reason.
    press(&mut terminal, &mut at, "o", "reason (nothing: back to the question): ");
    let without = press(&mut terminal, &mut at, "\n", "  answer [no]: ");
    assert!(without.contains("without a reason it stays as the check says"), "{without}");
    // Where the author did not write where it leads if nobody can tell, the person says which way.
    let which = press(&mut terminal, &mut at, "s", "as if (nothing: back to the question): ");
    assert!(which.contains("yes, no, unknown?"), "{which}");
    press(&mut terminal, &mut at, "\n", "  answer [no]: ");
    press(&mut terminal, &mut at, "y", "reason (nothing: back to the question): ");
    terminal.type_in("the meter runs\n");
    at = terminal.wait_after(at, "  answer: ");
    press(&mut terminal, &mut at, "s", "choose [dry run]: ");
    terminal.type_in("l");
    let (code, text) = terminal.end();
    let text = words(&text);
    assert_eq!(code, 0, "{text}");
    for line in [
        "Is the power on? yes answered the meter runs; overrides the check, which said no: ",
        "Which lamp is lit? unknown skipped",
        "found site-gone (critical)",
        "1 probed · 2 answered · 1 overridden · 1 skipped",
        "Is the power on? yes (against the check, which says no: the meter runs)",
        "next: runbook play bring-back",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let report = document(&workspace, "latest");
    let asked: Vec<String> = report["questions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|q| format!("{} {} {} {}", q["key"], q["answer"], q["origin"], q["note"]).replace('"', ""))
        .collect();
    assert_eq!(asked, ["power yes answered the meter runs", "lamp unknown skipped null", "site no probed null"]);
}

#[test]
fn a_session_that_was_left_is_gone_on_with() {
    let workspace = site();
    workspace.write("site", "x");
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage site --step");
    terminal.wait_for("  answer [yes]: ");
    terminal.type_in("o");
    terminal.wait_for("reason");
    terminal.type_in("the fuse is out\n");
    terminal.wait_for("  answer: ");
    terminal.type_in("q");
    let (code, text) = terminal.end();
    assert_eq!(code, 7, "{}", words(&text));
    let left = resumed_by(&text);
    assert!(workspace.read("stty-after").contains(" icanon") && !workspace.read("stty-after").contains("-echo "));

    // What the person said is kept with its reason; what the checks saw is looked at again.
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage --resume");
    terminal.wait_for("  answer: ");
    terminal.type_in("1");
    let (code, text) = terminal.end();
    let text = words(&text);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("no answered before the fuse is out; overrides the check, which said yes"), "{text}");
    assert!(text.contains("found no-power (critical)") && text.contains("Is the site there? yes probed"), "{text}");
    assert_eq!(document(&workspace, "latest")["run"]["resumes"], Value::from(left.clone()));

    // The same as an answers file, for those who have no terminal.
    let file = workspace.run(&["answers", &left]).expect(0).stdout;
    assert!(file.contains("power: { answer: \"no\", note: \"the fuse is out\" }"), "{file}");
    workspace.write("answers.yaml", &file);
    let output = workspace.run(&["triage", "site", "--answers", "answers.yaml", "--answer", "lamp=green"]).expect(0);
    assert!(output.stdout.contains("finding=no-power"), "{}", output.stdout);

    // A tree that was changed is not gone on with.
    workspace.write("playbooks/site.yaml", &TREE.replace("red-lamp", "red-light"));
    let output = workspace.run(&["triage", "--resume", &left]).expect(9);
    assert!(
        output.stderr.contains("was changed since the session") && output.stderr.contains("runbook answers"),
        "{}",
        output.stderr
    );
}

#[test]
fn the_end_of_input_and_control_c_leave_a_session_that_can_be_gone_on_with() {
    let workspace = site();
    for (keys, code) in [("\u{4}", 7), ("\u{3}", 130)] {
        let mut terminal = Terminal::open(&workspace, 80, &[], "triage site");
        terminal.wait_for("  answer: ");
        terminal.type_in(keys);
        let (ended, text) = terminal.end();
        assert_eq!(ended, code, "{}", words(&text));
        let run = resumed_by(&text);
        let set = workspace.read("stty-after");
        assert!(set.contains(" icanon") && set.contains(" echo "), "{set}");
        let output = workspace.run(&["triage", "--resume", &run, "--answer", "lamp=green"]).expect(0);
        assert!(output.stdout.contains("finding=site-gone"), "{}", output.stdout);
    }
    // Ctrl-C while a reason is typed.
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage site --step");
    terminal.wait_for("  answer [yes]: ");
    terminal.type_in("o");
    terminal.wait_for("reason");
    terminal.type_in("\u{3}");
    assert_eq!(terminal.end().0, 130);
}

#[test]
fn what_was_typed_before_it_was_asked_answers_nothing() {
    let workspace = site();
    workspace.write("playbooks/slow.yaml", "playbook: Wait\ntriage:\n  - { id: a, ask: A?, check: { effect: read, command: [sh, -c, \"while [ ! -e go ]; do sleep 0.02; done\"] }, no: { finding: early } }\n  - { id: b, ask: B?, yes: { finding: lost } }\n");
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage slow");
    terminal.wait_for("A?");
    terminal.type_in("yyyy");
    workspace.write("go", "");
    terminal.wait_for("  answer: ");
    terminal.type_in("n");
    let (code, text) = terminal.end();
    assert!(code == 0 && words(&text).contains("B? no answered"), "{}", words(&text));
}

#[test]
fn a_window_that_becomes_narrow_is_asked_in_again() {
    let workspace = site();
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage site");
    let at = terminal.wait_after(0, "  answer: ");
    terminal.resize(&workspace, 40);
    let from = at;
    let mut at = terminal.wait_after(at, "  answer: ");
    for key in ["w", "e", "t", "?"] {
        terminal.type_in(key);
        at = terminal.wait_after(at, "  answer: ");
    }
    for line in terminal.since(from).split(['\n', '\r']) {
        assert!(line.chars().count() <= 40, "{line:?}");
    }
    terminal.type_in("1");
    terminal.wait_after(at, "choose [dry run]: ");
    terminal.type_in("l");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn a_reader_of_the_screen_types_words() {
    let workspace = site();
    let moves = regex::Regex::new(r"\x1b\[[0-9;?]*[A-HJKSTfsu]").unwrap();
    for env in [&[("ACCESSIBLE", "1")][..], &[]] {
        let args = if env.is_empty() { "triage site --plain" } else { "triage site" };
        let mut terminal = Terminal::open(&workspace, 80, env, args);
        let at = terminal.wait_after(0, "  answer: ");
        terminal.type_in("why\n");
        let at = terminal.wait_after(at, "  answer: ");
        terminal.type_in("back\n");
        let at = terminal.wait_after(at, "  answer [yes]: ");
        terminal.type_in("yes\n");
        let at = terminal.wait_after(at, "  answer: ");
        terminal.type_in("yel\n");
        terminal.wait_after(at, "choose [dry run]: ");
        terminal.type_in("leave\n");
        let (code, text) = terminal.end();
        assert_eq!(code, 0, "{text}");
        assert!(!moves.is_match(&text), "nothing is redrawn: {text:?}");
        assert!(words(&text).contains("1 yes 2 no 3 don't know"), "{text}");
        assert!(bare(&text).contains("answer=yellow"), "{text}");
    }
}

#[test]
fn a_remedy_is_dry_run_by_enter_run_by_r_and_left_alone_for_its_cooldown() {
    let workspace = site();
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage site --answer lamp=green");
    let at = terminal.wait_after(0, "choose [dry run]: ");
    terminal.type_in("\n");
    let from = at;
    let at = terminal.wait_after(at, "choose [dry run]: ");
    assert!(words(&terminal.since(from)).contains("copy"), "{}", terminal.since(from));
    assert!(!workspace.path("site").exists(), "a dry run changes nothing");
    terminal.type_in("r");
    // What only a person can tell is asked again, with what was said before as the suggestion.
    terminal.wait_after(at, "  answer [green]: ");
    terminal.type_in("\n");
    terminal.wait_after(at, "site-gone is fixed");
    let (code, text) = terminal.end();
    let text = words(&text);
    assert_eq!(code, 0, "{text}");
    assert!(workspace.path("site").exists() && text.contains("Remedy: fixed: site-gone is fixed"), "{text}");

    // It is gone again: the remedy is not run twice within its cooldown, by nobody.
    std::fs::remove_file(workspace.path("site")).unwrap();
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage site --answer lamp=green");
    let at = terminal.wait_after(0, "choose [dry run]: ");
    terminal.type_in("r");
    terminal.wait_after(at, "choose [dry run]: ");
    terminal.type_in("l");
    let (code, text) = terminal.end();
    assert!(code == 0 && words(&text).contains("it cannot be run now: it was tried"), "{}", words(&text));
    let output = workspace.run(&["triage", "site", "--answer", "lamp=green", "--remedy", "run"]).expect(8);
    assert!(output.stdout.contains("held back") && !workspace.path("site").exists(), "{}", output.stdout);
    let output = workspace.run(&["triage", "site", "--answer", "lamp=green", "--remedy", "leave"]).expect(0);
    assert!(output.stdout.contains("finding=site-gone"), "{}", output.stdout);
}

#[test]
fn a_remedy_runs_without_a_terminal_only_when_that_was_said() {
    let workspace = site();
    let args = ["triage", "site", "--answer", "lamp=green", "--json"];
    let output = workspace.run(&args).expect(0);
    assert!(output.events_of("remedied").is_empty() && !workspace.path("site").exists());
    let output = workspace.run(&[&args[..], &["--remedy", "run"]].concat()).expect(0);
    let remedied = output.events_of("remedied");
    assert_eq!((remedied[0]["finding"].as_str(), remedied[0]["outcome"].as_str()), (Some("site-gone"), Some("fixed")));
    assert!(workspace.path("site").exists());
    assert_eq!(document(&workspace, "latest")["remedies"][0]["outcome"], "fixed");
}

#[test]
fn what_makes_no_sense_is_told_before_anything_runs() {
    let workspace = site();
    for (args, code, told) in [
        (&["triage"][..], 2, "NAME"),
        (&["triage", "--resume", "nothing-like-it"], 2, "there is no run `nothing-like-it`"),
        (&["triage", "--resume"], 2, "there is no session yet"),
        (&["triage", "site", "--resume"], 2, "cannot be used with"),
        (&["triage", "site", "--remedy", "perhaps"], 2, "dry-run, run, leave"),
        (&["play", "bring-back", "--remedy", "run"], 2, "--remedy is for triage trees"),
        (&["play", "bring-back", "--step"], 2, "--step is for triage trees"),
        (&["answers", "20260101-000000-abcdef"], 2, "there is no run"),
        (&["triage", "bring-back"], 3, "is a procedure, not a triage tree"),
    ] {
        let output = workspace.run(args);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, code, "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
    }
    // A procedure's run is no session.
    workspace.run(&["play", "bring-back"]).expect(0);
    let run = document(&workspace, "latest")["run"]["id"].as_str().unwrap().to_owned();
    let output = workspace.run(&["triage", "--resume", &run]).expect(2);
    assert!(output.stderr.contains("is not a session of a triage tree"), "{}", output.stderr);
    assert!(workspace.run(&["answers", &run]).expect(0).stdout.contains("# Nobody was asked."));
}

#[test]
fn a_remedy_that_waits_for_a_confirmation_may_be_run_as_soon_as_it_is_given() {
    let workspace = site();
    workspace.write("playbooks/bring-back.yaml", &REMEDY.replace("to: site }", "to: site }, confirm: true"));
    let args = ["triage", "site", "--answer", "lamp=green", "--remedy", "run"];
    workspace.run(&args).expect(7);
    workspace.run(&[&args[..], &["--answer", "copy=no"]].concat()).expect(6);
    assert!(!workspace.path("site").exists());
    workspace.run(&[&args[..], &["--yes"]].concat()).expect(0);
    assert!(workspace.path("site").exists());
    // Now it was tried.
    std::fs::remove_file(workspace.path("site")).unwrap();
    workspace.run(&[&args[..], &["--yes"]].concat()).expect(8);
}
