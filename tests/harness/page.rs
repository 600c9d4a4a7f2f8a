//! A page of the guide, as somebody follows it: files to save and commands to type, with what they show.
//!
//! - A fence whose info string has a second word with a dot in it, such as `yaml playbooks/x.yaml`, is a file to save.
//! - A fence `yaml` that holds a playbook is the example of the moment: it is saved as `playbooks/example.yaml`.
//! - A fence `console` holds commands behind `$ ` and what they show. `[...]` stands for anything, in a line of its own for any lines.
//!   `console answers=yes,done` says what is typed at the questions of its commands; `console not-run` is left out by the tests.

use regex::Regex;

/// What stands for text that is left out.
const LEFT_OUT: &str = "[...]";

/// A page in lines, with what can be followed in it.
pub(crate) struct Page {
    lines: Vec<String>,
    /// In order.
    pub(crate) parts: Vec<Part>,
}

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Part {
    /// A file to save.
    File { path: String, text: String },
    /// A command to type.
    Command(Shell),
    /// A block of commands that is left out.
    NotRun,
}

/// A command with what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    /// What is typed.
    pub(crate) command: String,
    /// What is typed at its questions.
    pub(crate) answers: Vec<String>,
    /// The line of the page where what it shows begins.
    pub(crate) at: usize,
    /// What it shows.
    pub(crate) shows: Vec<String>,
}

impl Page {
    pub(crate) fn read(text: &str) -> Page {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut parts = Vec::new();
        let mut i = 0;
        while i < lines.len() {
            let Some(info) = lines[i].strip_prefix("```") else {
                i += 1;
                continue;
            };
            let start = i + 1;
            let end = (start..lines.len()).find(|j| lines[*j] == "```").expect("a block that is closed");
            let mut words = info.split_whitespace();
            match (words.next(), words.next()) {
                (Some("console"), Some("not-run")) => parts.push(Part::NotRun),
                (Some("console"), more) => commands(&lines[start..end], start, more, &mut parts),
                (_, Some(path)) if path.contains('.') => {
                    let text = lines[start..end].iter().flat_map(|l| [l.as_str(), "\n"]).collect();
                    parts.push(Part::File { path: path.to_owned(), text });
                }
                (Some("yaml"), None) if lines[start].starts_with("playbook:") => {
                    let text = lines[start..end].iter().flat_map(|l| [l.as_str(), "\n"]).collect();
                    parts.push(Part::File { path: "playbooks/example.yaml".to_owned(), text });
                }
                _ => {}
            }
            i = end + 1;
        }
        Page { lines, parts }
    }

    /// The page with what these commands show now.
    pub(crate) fn blessed(&self, shown: &[(Shell, String)]) -> String {
        let mut lines = self.lines.clone();
        for (shell, now) in shown.iter().rev() {
            lines.splice(shell.at..shell.at + shell.shows.len(), now.lines().map(str::to_owned));
        }
        lines.iter().flat_map(|l| [l.as_str(), "\n"]).collect()
    }
}

/// The commands of a block.
fn commands(lines: &[String], start: usize, more: Option<&str>, parts: &mut Vec<Part>) {
    let answers = more.and_then(|m| m.strip_prefix("answers=")).unwrap_or_default();
    let answers: Vec<String> = answers.split(',').filter(|a| !a.is_empty()).map(str::to_owned).collect();
    let mut found: Vec<Shell> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            found.push(Shell { command, answers: Vec::new(), at: start + i + 1, shows: Vec::new() });
        } else {
            found.last_mut().expect("a block of commands begins with one").shows.push(line.clone());
        }
    }
    // They are for the last command of the block.
    found.last_mut().expect("a block of commands holds one").answers = answers;
    parts.extend(found.into_iter().map(Part::Command));
}

/// Whether a command shows what the page says. Where nothing is left out, the lines may stand in another order: what runs side by side
/// ends when it ends.
pub(crate) fn agrees<S: AsRef<str>>(page: &[String], now: &[S]) -> bool {
    let sorted = |lines: &mut dyn Iterator<Item = &str>| {
        let mut lines: Vec<String> = lines.map(stable).filter(|l| !l.trim().is_empty()).collect();
        lines.sort();
        lines
    };
    if sorted(&mut page.iter().map(String::as_str)) == sorted(&mut now.iter().map(AsRef::as_ref)) {
        return true;
    }
    let pieces: Vec<String> = page.join("\n").split(LEFT_OUT).map(|p| regex::escape(stable(p).trim())).collect();
    let pattern = format!(r"\A\s*{}\s*\z", pieces.join(r"(?s:.*)"));
    let now: Vec<&str> = now.iter().map(AsRef::as_ref).collect();
    Regex::new(&pattern).unwrap().is_match(&stable(&now.join("\n")))
}

/// The text with what differs from run to run replaced: run ids, times, durations, process ids, rows of dashes. White space is one
/// blank, because numbers of another width break lines elsewhere.
fn stable(text: &str) -> String {
    let rules = [
        // A list shortens ids to what tells them apart.
        (r"\b20\d{6}-\d{1,6}(-[0-9a-f]+)?\b", "RUN"),
        (r"\brun [0-9a-f]{6}\b", "run RUN"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?( ?UTC|Z)?", "TIME"),
        (r"\b\d\d-\d\d \d\d:\d\d\b", "TIME"),
        (r"\b(\d+m)?\d+(\.\d+)? ?(ms|us|µs|s)\b", "DUR"),
        (r"\bpid[ =]+\d+\b", "pid PID"),
        (r"\bprocess \[\d+\]", "process [PID]"),
        (r"^\[1\][+-]? .*", "[1] JOB"),
        // The process id beside the port, in a table.
        (r"\b(\d{4})( +)\d+\b", "$1$2 PID"),
        (r"\d+(\.\d+)? % used", "N % used"),
        (r"(\s|\A)\d+(\.\d+)? (B|KiB|MiB|GiB)\b", " SIZE"),
        // Text that is cut off where a number beside it ends.
        (r"\S+…", "…"),
        (r"\s+", " "),
    ];
    let mut text = text.to_owned();
    for (pattern, with) in rules {
        text = Regex::new(&format!("(?m){pattern}")).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

#[test]
fn a_page_is_read() {
    let page = Page::read(
        "Text\n```yaml playbooks/a.yaml\nplaybook: a\n```\n```yaml\nno: file\n```\n```yaml\nplaybook: b\n```\n```console answers=yes,done\n$ one\nx\n$ two\n```\n```console not-run\n$ three\n```\n",
    );
    let [Part::File { path, text }, Part::File { path: example, .. }, Part::Command(one), Part::Command(two), Part::NotRun] =
        &page.parts[..]
    else {
        panic!("{:?}", page.parts)
    };
    assert_eq!((path.as_str(), text.as_str()), ("playbooks/a.yaml", "playbook: a\n"));
    assert_eq!(example, "playbooks/example.yaml");
    assert_eq!((one.command.as_str(), one.shows.join("|").as_str(), one.answers.len()), ("one", "x", 0));
    assert_eq!(two.answers, ["yes", "done"]);
    let new = page.blessed(&[(one.clone(), "y\nz\n".to_owned()), (two.clone(), "w\n".to_owned())]);
    assert!(new.contains("$ one\ny\nz\n$ two\nw\n```\n"), "{new}");
}

#[test]
fn what_differs_from_run_to_run_may_differ_and_nothing_else() {
    let page = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (says, shows, right) in [
        ("✓ x succeeded in 8ms", "✓ x succeeded in 1.2s", true),
        ("✓ x succeeded in 8ms", "✓ y succeeded in 8ms", false),
        ("a\n[...]\nz", "a\nb\nc\nz", true),
        ("a\n[...]\nz", "a\nz", true),
        ("a\n[...]\nz", "a\nb", false),
        ("a\n[...]\nz", "0\na\nz", false),
        ("pid 5 (/usr[...]) of", "pid 77777 (/usr/bin/python3) of", true),
        ("run 1820f0  1 check", "run 7820f1  1 check", true),
        ("run 1820f0  1 check", "run 7820f1  2 checks", false),
        ("next: runbook runs show 20261122-123403-089c10", "next: runbook runs show\n  20260101-000000-ffffff", true),
        ("", "something", false),
        ("something", "", false),
        ("exit 4", "exit 0", false),
        ("a 1ms\nb 1ms", "b 7ms\na 1ms", true),
        ("a 1ms\nb 1ms", "b 7ms\nb 1ms", false),
        ("changed: started, pid…", "changed: started, p…", true),
        ("ok model-router 7010 19454 yes 1s", "ok model-router 7010 5 yes 13s", true),
        ("ok model-router 7010 19454 yes 1s", "ok model-router 7020 19454 yes 1s", false),
    ] {
        assert_eq!(agrees(&page(says), &page(shows)), right, "{says:?} and {shows:?}");
    }
}
