//! Words of an argument vector: how a line is split into them, how they are shown, which program they name.

use std::path::{Path, PathBuf};

use runbook_core::expr::shell_quote;
use runbook_core::module::Cx;
use rustix::fs::{Access, access};

use super::args::Text;

/// The texts of words.
pub(crate) fn texts(words: &[Text]) -> Vec<String> {
    words.iter().map(|w| w.0.clone()).collect()
}

/// A command as a person would type it.
pub(crate) fn shown(argv: &[String]) -> String {
    argv.iter().map(|w| shell_quote(w)).collect::<Vec<_>>().join(" ")
}

/// The file that a program's name means, found as the operating system finds it: by its path, or in the folders of `PATH`.
pub(crate) fn program(name: &str, folder: &Path, path: Option<&str>) -> Option<PathBuf> {
    let runs = |file: &PathBuf| file.is_file() && access(file, Access::EXEC_OK).is_ok();
    if name.contains('/') {
        return Some(folder.join(name)).filter(runs);
    }
    path?.split(':').map(|dir| folder.join(dir).join(name)).find(runs)
}

/// As [`program`], with the variables that a call adds to the environment.
pub(crate) fn program_for(argv: &[String], folder: &Path, env: &[(String, String)], cx: &Cx<'_>) -> Option<PathBuf> {
    let own = env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    program(argv.first()?, folder, own.or_else(|| cx.env("PATH")).as_deref())
}

/// Splits a line into words as a POSIX shell does, without expanding anything; `None` if a quote or backslash is left open.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            '\n' => {}
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => match chars.next()? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_does() {
        let split = |s| split(s).map(|w| w.join("|"));
        assert_eq!(split("a  b\tc\n"), Some("a|b|c".into()));
        assert_eq!(split(r#"a 'b c' "d \" e" f\ g"#), Some("a|b c|d \" e|f g".into()));
        assert_eq!(split(r#"a"b"'c' "" ''"#), Some("abc||".into()));
        assert_eq!(split(r#""\n" $HOME *"#), Some("\\n|$HOME|*".into()));
        assert_eq!(split(""), Some(String::new()));
        assert_eq!(split("'a"), None);
        assert_eq!(split("a\\"), None);
    }

    #[test]
    fn programs_are_found() {
        let path = std::env::var("PATH").ok();
        let found = |name: &str| program(name, Path::new("/"), path.as_deref());
        assert!(found("sh").is_some_and(|p| p.ends_with("sh")));
        assert_eq!(found("bin/sh"), Some("/bin/sh".into()));
        assert_eq!(found("no-such-program"), None);
        assert_eq!(found("/etc/passwd"), None);
        assert_eq!(program("sh", Path::new("/"), None), None);
    }

    #[test]
    fn what_is_shown_can_be_split_again() {
        let argv = ["a b", "", "it's", "plain", "x\"y"].map(str::to_owned).to_vec();
        assert_eq!(split(&shown(&argv)), Some(argv));
    }
}
