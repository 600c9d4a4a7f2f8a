//! Blocks of code in documents: which hold commands, and which lines of them are commands.

use super::guess;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Commands.
    Shell,
    /// Commands behind prompts, with what they print.
    Console,
    /// Anything else.
    Other,
}

/// Languages of blocks that hold commands.
const SHELLS: &[&str] = &["sh", "bash", "shell", "zsh", "ksh", "dash", "shellscript", "console-script"];

/// Languages of blocks that hold prompts and answers.
const CONSOLES: &[&str] = &["console", "shell-session", "sh-session", "shellsession", "terminal", "bash-session", "session"];

/// Comments behind which the output of a command is shown.
const OUTPUT: &[&str] = &[
    "expected",
    "output",
    "response",
    "result",
    "returns",
    "example output",
    "sample output",
    "should return",
    "should show",
    "should print",
    "should see",
];

/// What a block with this language and text holds.
pub(super) fn kind(language: &str, text: &str) -> Block {
    let prompts = text.lines().any(|l| prompt(l, false).is_some());
    match language {
        _ if SHELLS.contains(&language) && !prompts => Block::Shell,
        _ if SHELLS.contains(&language) => Block::Console,
        _ if CONSOLES.contains(&language) => Block::Console,
        "" if prompts => Block::Console,
        "" if commands_alone(text) => Block::Shell,
        _ => Block::Other,
    }
}

/// Whether a block without a language says nothing but commands that are known.
fn commands_alone(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).peekable();
    lines.peek().is_some() && lines.all(|line| guess::known(line.split_whitespace().find(|w| *w != "sudo").unwrap_or("")))
}

/// The command behind a prompt: `$ ls`, `user@host:~$ ls`. With `root`, also `# ls`.
fn prompt(line: &str, root: bool) -> Option<&str> {
    let line = line.trim_start();
    if let Some(command) = line.strip_prefix("$ ") {
        return Some(command);
    }
    if root && let Some(command) = line.strip_prefix("# ") {
        return Some(command);
    }
    let at = line.find(['$', '#', '%'])?;
    let (head, rest) = line.split_at(at);
    let shaped = head.contains('@') && head.chars().all(|c| c.is_alphanumeric() || "@.-_:~/[] ".contains(c)) && head.len() <= 60;
    rest.get(1..).and_then(|r| r.strip_prefix(' ')).filter(|_| shaped)
}

/// What stands before a line that a command prints: a comment to the shell.
pub(super) const PRINTED: &str = "#| ";

/// The longest output of a command that is kept, in lines.
const MAX_PRINTED: usize = 6;

/// The commands of a block; the lines that they print come as comments that begin with [`PRINTED`].
pub(super) fn commands(language: &str, text: &str) -> String {
    let lines = match kind(language, text) {
        Block::Console => console(text),
        _ => script(text),
    };
    let mut out = String::new();
    let mut printed = 0;
    for (command, line) in lines {
        printed = if command { 0 } else { printed + 1 };
        match (command, printed) {
            (true, _) => out.push_str(&line),
            (false, 1..=MAX_PRINTED) => out.push_str(&format!("{PRINTED}{line}")),
            (false, n) if n == MAX_PRINTED + 1 => out.push_str(&format!("{PRINTED}...")),
            _ => continue,
        }
        out.push('\n');
    }
    out
}

/// Lines behind prompts; the rest is output. With each line goes whether it is a command's.
fn console(text: &str) -> Vec<(bool, String)> {
    let dollars = text.lines().any(|l| prompt(l, false).is_some());
    let mut out = Vec::new();
    let (mut open, mut fresh) = (false, false);
    for line in text.lines() {
        let trimmed = line.trim_start();
        let after_command = std::mem::replace(&mut fresh, true);
        if open {
            // A continued command; some show a prompt of its own for it.
            let more = trimmed.strip_prefix("> ").unwrap_or(trimmed);
            out.push((true, more.to_owned()));
            open = continues(more);
        } else if let Some(command) = prompt(line, !dollars) {
            out.push((true, command.to_owned()));
            open = continues(command);
        } else if let Some(more) = trimmed.strip_prefix("> ").filter(|_| after_command) {
            out.push((true, more.to_owned()));
        } else if trimmed.is_empty() || (dollars && trimmed.starts_with('#')) {
            fresh = false;
            out.push((true, trimmed.to_owned()));
        } else {
            fresh = false;
            out.push((false, line.trim_end().to_owned()));
        }
    }
    out
}

/// Whether a line ends with a backslash that continues it.
fn continues(line: &str) -> bool {
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

/// A script whose author also pasted what it prints: behind a comment that says so, and objects in JSON.
fn script(text: &str) -> Vec<(bool, String)> {
    let mut out = Vec::new();
    let (mut output, mut json) = (false, false);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        let opens = opens_json(trimmed);
        let command = if trimmed.starts_with('#') {
            let comment = trimmed.trim_start_matches('#').trim().to_lowercase();
            let comment = comment.trim_end_matches(':');
            output = OUTPUT.iter().any(|word| comment.starts_with(word) || comment.ends_with(word));
            json = false;
            // The comment belongs to what is printed, if that follows it.
            let next = lines.peek().map(|l| l.trim()).unwrap_or("");
            let first = next.split_whitespace().next().unwrap_or("");
            !(output && !next.is_empty() && !next.starts_with('#') && !guess::known(first))
        } else if trimmed.is_empty() {
            output = false;
            true
        } else if json || opens || matches!(trimmed, "..." | "…" | "[...]") {
            json = (json || opens) && !matches!(trimmed, "}" | "]" | "}," | "],") && !(opens && trimmed.ends_with(['}', ']']));
            false
        } else {
            // What follows the comment may be the next command all the same.
            output &= !guess::known(trimmed.split_whitespace().next().unwrap_or(""));
            !output
        };
        let shown = if trimmed.starts_with('#') && !command { trimmed.trim_start_matches('#').trim() } else { line };
        out.push((command, if command { line } else { shown.trim_end() }.to_owned()));
    }
    out
}

/// Whether a line begins an object or a list in JSON, and not a group of commands.
fn opens_json(line: &str) -> bool {
    matches!(line, "[" | "[{")
        || line.starts_with("{\"")
        || line.starts_with("[{")
        || line.starts_with("{'")
        || line == "{"
        || line.starts_with("\"") && line.contains("\":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_commands_are_told_from_others() {
        for (language, text, found) in [
            ("bash", "ls\n", Block::Shell),
            ("sh", "$ ls\na b\n", Block::Console),
            ("console", "$ ls\n", Block::Console),
            ("console", "# ls\n", Block::Console),
            ("", "ann@web-1:~$ ls\nx\n", Block::Console),
            ("", "sudo systemctl restart x\n# why\ndocker ps\n", Block::Shell),
            ("", "Is it up?\n+-- yes\n", Block::Other),
            ("", "", Block::Other),
            ("json", "{}", Block::Other),
            ("powershell", "Get-Process", Block::Other),
        ] {
            assert_eq!(kind(language, text), found, "{language} {text}");
        }
    }

    #[test]
    fn output_is_no_command() {
        let text =
            commands("console", "$ ls -l \\\n> /tmp\ntotal 0\n$ for x in 1; do\n>   echo $x\n> done\n1\n# a comment\n$ df\n");
        assert_eq!(text, "ls -l \\\n/tmp\n#| total 0\nfor x in 1; do\n  echo $x\ndone\n#| 1\n# a comment\ndf\n");
        let text = commands("bash", "curl x\n\n# Expected response\n{\n  \"a\": 1\n}\n\n# Next\ncurl y\n");
        assert_eq!(text, "curl x\n\n#| Expected response\n#| {\n#|   \"a\": 1\n#| }\n\n# Next\ncurl y\n");
        let text = commands("bash", "ls\n# output:\nsome text\nls -l\n");
        assert_eq!(text, "ls\n#| output:\n#| some text\nls -l\n");
        let text = commands("bash", "f() {\n  ls\n}\nf\n");
        assert_eq!(text, "f() {\n  ls\n}\nf\n");
        let text = commands("console", &format!("$ seq 20\n{}", "1\n".repeat(20)));
        assert_eq!(text, format!("seq 20\n{}#| ...\n", "#| 1\n".repeat(6)));
    }
}
