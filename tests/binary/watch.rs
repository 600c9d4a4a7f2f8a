//! `runbook check --watch`: each way in which editors save is noticed once the file is there. Nothing sleeps: each test does something
//! and waits for the line that must follow.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Workspace, send};

const GOOD: &str = "playbook: A\nsteps:\n  - note: x\n";
/// The last line of a round that found mistakes.
const MORE: &str = "more about a code";
const BAD: &str = "playbook: A\nsteps:\n  - nte: x\n";

/// The program, and the lines that it prints.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(workspace: &Workspace, args: &[&str]) -> Watching {
        let mut child = workspace.command(args).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (into, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).take_while(|line| into.send(line.clone()).is_ok()).count()
        });
        Watching { child, lines }
    }

    /// The lines up to the first one that holds a text.
    #[track_caller]
    fn until(&self, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) else { panic!("no `{text}` after {seen:#?}") };
            seen.push(line.clone());
            if line.contains(text) {
                return seen;
            }
        }
    }

    /// Ends it by a signal; what it still said, and its exit code.
    fn end(mut self, signal: Signal) -> (Vec<String>, i32) {
        send(self.child.id(), signal);
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (self.lines.iter().collect(), code)
    }
}

#[test]
fn every_way_of_saving_is_noticed() {
    let workspace = Workspace::with("a", GOOD);
    let watching = Watching::start(&workspace, &["check", "--watch"]);
    assert_eq!(watching.until("watching"), ["1 playbook checked, no mistakes", "watching playbooks; Ctrl-C ends it"]);

    // Written in place.
    workspace.write("playbooks/a.yaml", BAD);
    let said = watching.until(MORE);
    assert_eq!(said[0], "playbooks/a.yaml changed");
    assert!(said.iter().any(|l| l.contains("playbooks/a.yaml:3:5")), "{said:#?}");

    // Written beside and moved there, with the same size and a file of another kind on the way.
    workspace.write("playbooks/.a.yaml.swp", "x");
    workspace.write("playbooks/4913", "");
    std::fs::remove_file(workspace.path("playbooks/4913")).unwrap();
    workspace.write("playbooks/a.yaml~", GOOD);
    std::fs::rename(workspace.path("playbooks/a.yaml~"), workspace.path("playbooks/a.yaml")).unwrap();
    assert_eq!(watching.until("no mistakes"), ["playbooks/a.yaml changed", "1 playbook checked, no mistakes"]);

    // The old one moved away first, as vim does with backups.
    std::fs::rename(workspace.path("playbooks/a.yaml"), workspace.path("playbooks/a.yaml~")).unwrap();
    workspace.write("playbooks/a.yaml", BAD);
    watching.until(MORE);
    workspace.write("playbooks/a.yaml", GOOD);
    watching.until("no mistakes");

    // A folder that comes, with a file in it, and another file in it later.
    workspace.write("playbooks/s/b.yaml", GOOD);
    assert_eq!(watching.until("no mistakes"), ["playbooks/s/b.yaml is new", "2 playbooks checked, no mistakes"]);
    workspace.write("playbooks/s/c.yaml", BAD);
    watching.until(MORE);

    // Gone: a file, a folder, and the folder of all of them, which comes back.
    std::fs::remove_file(workspace.path("playbooks/s/c.yaml")).unwrap();
    assert_eq!(watching.until("no mistakes"), ["playbooks/s/c.yaml is gone", "2 playbooks checked, no mistakes"]);
    std::fs::remove_dir_all(workspace.path("playbooks/s")).unwrap();
    watching.until("1 playbook checked");
    std::fs::rename(workspace.path("playbooks"), workspace.path("away")).unwrap();
    assert!(watching.until(MORE).iter().any(|l| l.contains("cannot read `playbooks`")));
    std::fs::rename(workspace.path("away"), workspace.path("playbooks")).unwrap();
    watching.until("1 playbook checked");

    let (rest, code) = watching.end(Signal::INT);
    assert_eq!((rest, code), (Vec::new(), 130));
}

#[test]
fn named_files_are_watched_with_what_they_need() {
    let workspace = Workspace::with("a", "playbook: A\nsteps:\n  - note: \"{{ x }}\"\n");
    workspace.write("playbooks/system.yaml", "system: s\nvars: { x: 1 }\n");
    workspace.write("draft/d.yaml", GOOD);
    let watching = Watching::start(&workspace, &["check", "--watch", "a", "draft/d.yaml"]);
    watching.until("2 playbooks checked, no mistakes");
    workspace.write("playbooks/system.yaml", "system: s\nvars: { y: 1 }\n");
    assert!(watching.until(MORE).contains(&"playbooks/system.yaml changed".to_owned()));
    workspace.write("playbooks/system.yaml", "system: s\nvars: { x: 2 }\n");
    watching.until("no mistakes");
    std::fs::remove_file(workspace.path("draft/d.yaml")).unwrap();
    watching.until(MORE);
    workspace.write("draft/d.yaml", BAD);
    watching.until(MORE);
    assert_eq!(watching.end(Signal::TERM).1, 143);
}

#[test]
fn json_is_one_object_a_line_and_quiet_tells_of_mistakes() {
    let workspace = Workspace::with("a", GOOD);
    let watching = Watching::start(&workspace, &["check", "--watch", "--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(&watching.until("{")[0]).unwrap();
    assert_eq!(first["errors"], 0);
    workspace.write("playbooks/a.yaml", BAD);
    let second: serde_json::Value = serde_json::from_str(&watching.until("{")[0]).unwrap();
    assert_eq!(second["errors"], 1);
    assert_eq!(watching.end(Signal::INT).1, 130);

    let watching = Watching::start(&workspace, &["--quiet", "check", "--watch"]);
    assert!(watching.until(MORE)[0].contains("E0207"));
    workspace.write("playbooks/a.yaml", GOOD);
    assert_eq!(watching.until("no mistakes"), ["no mistakes any more"]);
    assert_eq!(watching.end(Signal::INT), (Vec::new(), 130));
}

#[test]
fn it_ends_when_nobody_reads() {
    let workspace = Workspace::with("a", GOOD);
    let mut child = workspace.command(&["check", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    output.read_line(&mut line).unwrap();
    drop(output);
    workspace.write("playbooks/a.yaml", BAD);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let workspace = Workspace::with("a", GOOD);
    assert!(workspace.run(&["check", "--watch", "--format", "sarif"]).expect(2).stderr.contains("human and json"));
    std::fs::remove_dir_all(workspace.path("playbooks")).unwrap();
    workspace.run(&["check", "--watch"]).expect(3);
}
