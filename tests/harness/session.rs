//! A person at a shell in a real terminal: commands are typed, questions are answered, the screen is read.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::processes::{kill, wait_until};
use super::screen::{Screen, WIDTH};

/// What the shell writes before each prompt, with the exit code in it; a terminal takes it for a title and shows nothing.
const READY: &str = "\u{1b}]9;";
/// What ends it.
const END: &str = "\u{7}$ ";

/// A shell in a home folder of its own. What it left running is ended when it is dropped.
pub(crate) struct Session {
    child: Child,
    input: ChildStdin,
    written: Arc<Mutex<Vec<u8>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    home: tempfile::TempDir,
}

/// What one command came to.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The exit code.
    pub(crate) code: i32,
    /// What stands on the screen, questions and their answers too.
    pub(crate) text: String,
}

impl Session {
    /// A shell 80 columns wide.
    ///
    /// The home folder's path is as long as `/home/ann`, so that lines break and are cut off where they are for Ann.
    pub(crate) fn open() -> Session {
        let home = tempfile::Builder::new().prefix("").rand_bytes(4).tempdir_in("/tmp").unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_runbook")).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let mut child = Command::new("script")
            .args(["-qefc", &format!("stty cols {WIDTH} rows 50; exec bash --noprofile --norc --noediting -i"), "/dev/null"])
            .env_clear()
            .envs([("TERM", "xterm-256color"), ("SHELL", "/bin/sh"), ("LANG", "C.UTF-8"), ("USER", "ann"), ("LOGNAME", "ann")])
            .env("PS1", format!("{READY}$?{END}"))
            .envs([("PS2", ""), ("HISTFILE", "")])
            .env("HOME", home.path())
            .env("PATH", path)
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let into = written.clone();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = output.read(&mut buffer) {
                if n == 0 {
                    break;
                }
                into.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        let session = Session { child, input, written, reader: Some(reader), home };
        wait_until(|| session.since(0).ends_with(END));
        session
    }

    /// The home folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Types a command, answers its questions, and waits for the next prompt.
    #[track_caller]
    pub(crate) fn run(&mut self, command: &str, answers: &[&str]) -> Shown {
        let start = self.written.lock().unwrap().len();
        let mut from = start;
        self.type_line(command, &mut from);
        let mut answers = answers.iter();
        loop {
            let mut over = false;
            wait_until(|| {
                let text = self.since(from);
                over = text.ends_with(END);
                over || (self.waits() && Screen::of(&text).last_line().is_some_and(|l| l.starts_with("  ") && l.ends_with(": ")))
            });
            if over {
                break;
            }
            let Some(answer) = answers.next() else {
                // A shell that waits for a question would wait for ever.
                let shown = Screen::of(&self.since(start)).text();
                panic!("`{command}` asks, and there is no answer left:\n{shown}");
            };
            self.type_line(answer, &mut from);
        }
        assert_eq!(answers.len(), 0, "`{command}` did not ask for all answers:\n{}", Screen::of(&self.since(start)).text());
        let all = self.since(start);
        let (text, code) = all.trim_end_matches(END).rsplit_once(READY).unwrap();
        let text = text.strip_prefix(&format!("{command}\r\n")).unwrap_or(text);
        Shown { code: code.parse().unwrap(), text: Screen::of(text).text() }
    }

    /// Types a line and waits until the terminal has shown it. What comes later is counted from there.
    fn type_line(&mut self, line: &str, from: &mut usize) {
        *from = self.written.lock().unwrap().len();
        self.input.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.input.flush().unwrap();
        let echo = format!("{line}\r\n");
        wait_until(|| self.since(*from).contains(&echo));
        *from += self.since(*from).find(&echo).unwrap() + echo.len();
    }

    /// Whether a program stands in front of the shell; only such a one asks.
    fn waits(&self) -> bool {
        !self.since(0).ends_with(END)
    }

    /// What was written since then.
    fn since(&self, from: usize) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()[from..]).into_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut files = Vec::new();
        find_pid_files(self.home.path(), &mut files);
        for pid in files.iter().filter_map(|f| std::fs::read_to_string(f).ok()?.trim().parse::<u32>().ok()) {
            kill(pid);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn find_pid_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find_pid_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "pid") {
            into.push(path);
        }
    }
}
