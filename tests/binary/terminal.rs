//! A real terminal: the live view, prompts, Ctrl-C, at 80 and 40 columns.

use crate::harness::{Terminal, Workspace, bare, wait_until};

const TEXT: &str = "playbook: Ask before it writes\nsteps:\n  - { id: look, command: [\"true\"] }\n  - { id: who, ask: { question: \"Who is on call?\", type: choice, choices: [ana, ben] } }\n  - { id: go, file.write: { path: out.txt, content: \"{{ steps.who.answer }}\" }, confirm: true }\n  - { id: wipe, file.delete: out.txt }\n";

#[test]
fn questions_are_put_and_answered() {
    let workspace = Workspace::with("ask", TEXT);
    let mut terminal = Terminal::open(&workspace, 80, &[], "play ask");
    terminal.wait_for("Who is on call?");
    terminal.type_in("9\n");
    terminal.wait_for("answer with a number from 1 to 2");
    terminal.type_in("2\n");
    terminal.wait_for("yes or no");
    terminal.type_in("yes\n");
    terminal.wait_for("type `wipe`");
    assert_eq!(workspace.read("out.txt"), "ben");
    terminal.type_in("wipe\n");
    let (code, text) = terminal.end();
    assert_eq!(code, 0, "{}", bare(&text));
    assert!(!workspace.path("out.txt").exists());
    assert!(bare(&text).contains("succeeded"), "{}", bare(&text));
}

#[test]
fn a_tree_is_walked_with_a_person() {
    let workspace = Workspace::with(
        "light",
        "playbook: Ask about the light\ntriage:\n  - id: green\n    ask: Is the green light on?\n    why: It says that there is power.\n    no: { finding: no-power, severity: critical, say: Call the electrician. }\n  - id: there\n    ask: Is the folder there?\n    auto: suggest\n    check: { file: playbooks }\n    no: { finding: gone }\n",
    );
    let mut terminal = Terminal::open(&workspace, 80, &[], "triage light");
    terminal.wait_for("It says that there is power.");
    terminal.wait_for("  answer: ");
    terminal.type_in("x");
    terminal.wait_for("press y, n or u to answer");
    terminal.type_in("n");
    terminal.wait_for("  answer [yes]: ");
    terminal.type_in("\n");
    let (code, text) = terminal.end();
    let text = bare(&text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, 0, "{text}");
    for line in ["Is the green light on? no answered", "found no-power (critical)", "yes suggestion taken", "2 answered"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn enter_declines_and_the_end_of_input_is_no_answer() {
    let workspace = Workspace::with("ask", TEXT);
    let mut terminal = Terminal::open(&workspace, 80, &[], "play ask --answer who=ana");
    terminal.wait_for("yes or no");
    terminal.type_in("\n");
    assert_eq!(terminal.end().0, 6);
    let mut terminal = Terminal::open(&workspace, 80, &[], "play ask --answer who=ana");
    terminal.wait_for("yes or no");
    terminal.type_in("\u{4}");
    assert_eq!(terminal.end().0, 7);
    assert!(!workspace.path("out.txt").exists());
}

#[test]
fn control_c_at_a_question_and_in_a_step() {
    let workspace = Workspace::with("ask", TEXT);
    let mut terminal = Terminal::open(&workspace, 80, &[], "play ask");
    terminal.wait_for("Who is on call?");
    terminal.type_in("\u{3}");
    assert_eq!(terminal.end().0, 130);
    let workspace =
        Workspace::with("slow", "playbook: x\nsteps:\n  - { id: a, command: [sh, -c, \"echo x > started; sleep 300\"] }\n");
    let mut terminal = Terminal::open(&workspace, 80, &[], "play slow");
    wait_until(|| workspace.path("started").exists());
    terminal.type_in("\u{3}");
    let (code, text) = terminal.end();
    assert_eq!(code, 130, "{}", bare(&text));
}

#[test]
fn lines_fit_a_narrow_terminal() {
    let workspace = Workspace::with(
        "wide",
        "playbook: A playbook with a title that is a good deal longer than forty columns\nsteps:\n  - { name: \"A step with a name that is a good deal longer than forty columns\", command: [echo, hello] }\n  - { id: b, command: [sh, -c, \"echo a line of output that is a good deal longer than forty columns; exit 3\"] }\n",
    );
    for columns in [40, 80] {
        let terminal = Terminal::open(&workspace, columns, &[], "play wide");
        let (code, text) = terminal.end();
        assert_eq!(code, 4);
        for line in bare(&text).split(['\n', '\r']) {
            assert!(line.chars().count() <= columns as usize, "{columns} columns: {line:?}");
        }
        assert!(bare(&text).contains("exit_code == 0"), "{}", bare(&text));
    }
}

#[test]
fn nothing_needs_colour() {
    let workspace = Workspace::with("x", "playbook: x\nsteps:\n  - { id: a, command: [\"true\"] }\n");
    let (code, text) = Terminal::open(&workspace, 80, &[("NO_COLOR", "1")], "play x").end();
    assert_eq!(code, 0);
    assert!(!regex::Regex::new(r"\x1b\[[0-9;]*m").unwrap().is_match(&text), "{text:?}");
    let (_, text) = Terminal::open(&workspace, 80, &[("TERM", "dumb")], "play x").end();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let (_, text) = Terminal::open(&workspace, 80, &[("ACCESSIBLE", "1")], "play x").end();
    assert!(!text.contains('\u{1b}') && text.contains("step=a"), "{text:?}");
    let (_, text) = Terminal::open(&workspace, 80, &[("CI", "1")], "play x").end();
    assert!(bare(&text).contains("succeeded"), "{text:?}");
}

#[test]
fn several_steps_are_seen_at_once() {
    let workspace = Workspace::with(
        "many",
        "playbook: x\nsteps:\n  - for_each: [one, two, three]\n    max_parallel: 3\n    command: [sh, -c, \"echo x > started-$0; while [ ! -e go ]; do sleep 0.05; done\", \"{{ item }}\"]\n",
    );
    let terminal = Terminal::open(&workspace, 80, &[], "play many");
    wait_until(|| ["one", "two", "three"].iter().all(|n| workspace.path(&format!("started-{n}")).exists()));
    for name in ["one", "two", "three"] {
        terminal.wait_for(name);
    }
    workspace.write("go", "");
    let (code, text) = terminal.end();
    assert_eq!(code, 0, "{}", bare(&text));
}
