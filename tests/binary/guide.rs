//! The pages of the guide, followed word by word: every file is saved, every command is typed, and shows what the page says.
//!
//! `BLESS=1` writes what a command shows now into the page, where that differs in more than times and ids.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::stack;
use crate::harness::{Page, Part, Session, agrees, wait_until};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Ports of the pages, and free ones of the same width for a test, so that what runs on this machine is left alone.
struct Ports(Vec<(String, String)>);

impl Ports {
    /// Finds free ones `from` on; all move by the same distance, which is a multiple of 100.
    fn free(documented: &[u16], from: u16) -> Ports {
        let first = documented[0] / 100 * 100;
        let free = |base: &u16| documented.iter().all(|p| TcpListener::bind(("127.0.0.1", base + (p - first))).is_ok());
        let base = (from..9900).step_by(100).find(free).expect("free ports");
        Ports(documented.iter().map(|p| (p.to_string(), (base + (p - first)).to_string())).collect())
    }

    /// A text of the page, as it is for the test.
    fn moved(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (page, real)| whole_word(&text, page, real))
    }

    /// What was shown, as it would be on the page.
    fn documented(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (page, real)| whole_word(&text, real, page))
    }
}

impl Ports {
    fn wait_for_those_in(&self, command: &str) {
        for (_, real) in self.0.iter().filter(|(_, real)| command.contains(real)) {
            wait_until(|| TcpStream::connect(format!("127.0.0.1:{real}")).is_ok());
        }
    }
}

fn whole_word(text: &str, word: &str, with: &str) -> String {
    regex::Regex::new(&format!(r"\b{word}\b")).unwrap().replace_all(text, with).into_owned()
}

/// Follows a page in a folder of the session, and says how many blocks were left out.
fn follow(name: &str, session: &mut Session, folder: &str, ports: &Ports) -> usize {
    let file = root().join("docs/guide").join(name);
    let text = std::fs::read_to_string(&file).unwrap();
    let page = Page::read(&text);
    let mut count = 0;
    let mut other = Vec::new();
    let mut wrong = Vec::new();
    let mut left_out = 0;
    for part in &page.parts {
        match part {
            Part::NotRun => left_out += 1,
            Part::File { path, text } => {
                let path = session.home().join(folder).join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, ports.moved(text)).unwrap();
            }
            Part::Command(shell) => {
                let answers: Vec<&str> = shell.answers.iter().map(String::as_str).collect();
                let command = ports.moved(&shell.command);
                let now = session.run(&command, &answers);
                if command.ends_with('&') {
                    // A reader goes on when it listens; so does the test.
                    ports.wait_for_those_in(&command);
                }
                let now = ports.documented(&now.text).replace(&*session.home().to_string_lossy(), "/home/ann");
                if !agrees(&shell.shows, &now.lines().collect::<Vec<_>>()) {
                    wrong.push(format!("{name}:{}: $ {}\n{now}", shell.at, shell.command));
                    other.push((shell.clone(), now));
                }
                count += 1;
            }
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, page.blessed(&other)).unwrap();
        return left_out;
    }
    assert!(wrong.is_empty(), "the page says otherwise (BLESS=1 writes what is shown now):\n{}", wrong.join("\n"));
    assert!(count > 0, "{name} has no commands");
    left_out
}

#[test]
fn the_first_playbook_is_written_checked_tested_and_run_by_the_page() {
    let mut session = Session::open();
    let left_out = follow("first-playbook.md", &mut session, "my-site", &Ports::free(&[8123], 9000));
    assert_eq!(left_out, 0);
}

#[test]
fn the_first_steps_are_those_of_the_page() {
    let _one_stack_at_a_time = stack::PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut session = Session::open();
    let ports = Ports::free(&[7000, 7010, 7020, 7030, 7040, 7050, 7060, 7070], 9100);
    let playbooks = root().join("playbooks");
    let first = ports.moved("7000");
    // A stack beside the documented one.
    let prepare = format!(
        "mkdir runbook && cd runbook && cp -r '{}' . && sed -i 's/ports_from: 7000/ports_from: {first}/' playbooks/sonia/system.yaml",
        playbooks.display()
    );
    assert_eq!(session.run(&prepare, &[]).code, 0);
    let left_out = follow("first-steps.md", &mut session, "runbook", &ports);
    assert_eq!(left_out, 1, "nothing but the build is left out");
    // The playbook of the README asks the stack's gateway.
    assert_eq!(session.run("runbook play stack-start --quiet", &[]).code, 0);
    assert_eq!(follow("../../README.md", &mut session, "runbook", &ports), 0);
    assert_eq!(session.run("runbook play stack-stop --quiet", &[]).code, 0);
}

#[test]
fn the_commands_about_the_language_do_what_the_page_says() {
    let mut session = Session::open();
    assert_eq!(session.run("mkdir work && cd work", &[]).code, 0);
    let left_out = follow("writing-playbooks.md", &mut session, "work", &Ports(Vec::new()));
    assert_eq!(left_out, 0);
}
