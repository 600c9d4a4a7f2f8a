//! A program in a pseudo-terminal of its own, as a person sees and feeds it.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{Workspace, wait_until};

/// A program in a pseudo-terminal of its own (`script` makes it), fed and watched from here.
pub(crate) struct Terminal {
    child: Child,
    input: std::process::ChildStdin,
    screen: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Terminal {
    /// Opens a program with these arguments in a terminal of this width.
    pub(crate) fn open(workspace: &Workspace, columns: u32, env: &[(&str, &str)], args: &str) -> Terminal {
        let program = env!("CARGO_BIN_EXE_runbook");
        // The terminal's name and how it is set are kept, so that it can be resized, and looked at when the program has ended.
        let line = format!("tty > tty; stty cols {columns} rows 40; {program} {args}; code=$?; stty -a > stty-after; exit $code");
        let plain = workspace.command(&[]);
        let mut command = Command::new("script");
        command.args(["-qefc", &line, "/dev/null"]).env_clear().current_dir(workspace.path(""));
        for (name, value) in plain.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
        for (name, value) in env {
            command.env(name, value);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let into = screen.clone();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = output.read(&mut buffer) {
                if n == 0 {
                    break;
                }
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        Terminal { child, input, screen, reader: Some(reader) }
    }

    /// Waits until this was written.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_after(0, text);
    }

    /// Waits until this was written once more since `from`, and tells how much was written by then, not counting escape sequences.
    #[track_caller]
    pub(crate) fn wait_after(&self, from: usize, text: &str) -> usize {
        let mut end = 0;
        let began = std::time::Instant::now();
        wait_until(|| {
            let over = self.reader.as_ref().is_none_or(std::thread::JoinHandle::is_finished);
            let screen = bare(&self.screen.lock().unwrap());
            // What cannot come any more is not waited for, and what is on the screen is told.
            let lost = over || began.elapsed() > std::time::Duration::from_secs(50);
            assert!(!lost || screen.get(from..).is_some_and(|s| s.contains(text)), "no {text:?} in:\n{screen}");
            let found = screen.get(from..).and_then(|s| s.find(text));
            end = found.map_or(0, |at| from + at + text.len());
            found.is_some()
        });
        end
    }

    /// What was written from a place on.
    pub(crate) fn since(&self, from: usize) -> String {
        bare(&self.screen.lock().unwrap()).get(from..).unwrap_or_default().to_owned()
    }

    /// Gives the terminal another width.
    pub(crate) fn resize(&self, workspace: &Workspace, columns: u32) {
        let tty = workspace.read("tty");
        let status = Command::new("stty").args(["-F", tty.trim(), "cols", &columns.to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Types.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// The exit code, and everything that was written.
    pub(crate) fn end(mut self) -> (i32, String) {
        let began = std::time::Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code().unwrap_or(-1);
            }
            if began.elapsed() > std::time::Duration::from_secs(30) {
                let _ = self.child.kill();
                panic!("it does not end:\n{}", bare(&self.screen.lock().unwrap()));
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let text = self.screen.lock().unwrap().clone();
        (code, text)
    }
}

/// The text without escape sequences, also without one that is not whole yet.
pub(crate) fn bare(text: &str) -> String {
    regex::Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\[?[0-9;?]*$")
        .unwrap()
        .replace_all(text, "")
        .into_owned()
}
