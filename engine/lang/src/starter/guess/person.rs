//! Commands that need a person at a terminal.

use super::{behind_options, inside};
use crate::starter::shell::Simple;

/// Why a command never ends by itself, or needs a person at a terminal: what the person is to do with it.
pub(in crate::starter) fn needs_a_person(command: &Simple) -> bool {
    let words = command.rough_words();
    let words: &[String] = match words.first().map(String::as_str) {
        Some("sudo") => behind_options(&words[1..], &["-u", "-g"], "sudo"),
        _ => &words,
    };
    let Some(name) = words.first().map(|n| n.rsplit('/').next().unwrap_or(n).to_owned()) else { return false };
    let args = &words[1..];
    let short = |c: char| args.iter().any(|a| a.starts_with('-') && !a.starts_with("--") && a.contains(c));
    let has = |wanted: &[&str]| args.iter().any(|a| wanted.contains(&a.as_str()));
    let follows = short('f') || short('F') || has(&["--follow", "--follow=name"]);
    match name.as_str() {
        "vi" | "vim" | "nvim" | "nano" | "emacs" | "pico" | "ed" | "htop" | "btop" | "iotop" | "iftop" | "nethogs" | "less"
        | "more" | "man" | "watch" | "telnet" | "screen" | "visudo" | "ftp" | "sftp" | "mc" | "passwd" | "alsamixer"
        | "nmtui" | "k9s" | "lazydocker" | "select" => true,
        "top" => !short('b'),
        "crontab" => has(&["-e"]),
        "tail" | "journalctl" => follows,
        "docker" | "docker-compose" | "podman" | "kubectl" => {
            let verb = args.iter().find(|a| !a.starts_with('-') && *a != "compose").map(String::as_str);
            match verb {
                Some("logs") => follows,
                Some("exec" | "run") => {
                    let tty = has(&["-it", "-ti", "--tty"]) || (has(&["-i"]) && has(&["-t"]));
                    // With a command other than a shell it would end by itself.
                    tty && args.last().is_some_and(|last| {
                        matches!(
                            last.rsplit('/').next(),
                            Some("sh" | "bash" | "ash" | "zsh" | "psql" | "redis-cli" | "mysql" | "mongosh" | "python" | "rails")
                        )
                    })
                }
                Some("stats") => !has(&["--no-stream"]) && !args.is_empty(),
                Some("attach" | "edit" | "port-forward" | "events") => true,
                _ => false,
            }
        }
        "psql" => {
            !has(&["-l", "--list"])
                && !short('c')
                && !short('f')
                && command.redirects.is_empty()
                && !args.iter().any(|a| a.starts_with("--command") || a.starts_with("--file"))
                && !has(&["--version"])
        }
        "mysql" | "mariadb" => {
            !short('e')
                && command.redirects.is_empty()
                && !args.iter().any(|a| a.starts_with("--execute"))
                && !has(&["--version"])
        }
        "sqlite3" => args.iter().filter(|a| !a.starts_with('-')).count() < 2 && command.redirects.is_empty(),
        "redis-cli" => args.iter().any(|a| a.eq_ignore_ascii_case("monitor")) || args.is_empty(),
        "mongosh" | "mongo" | "python" | "python3" | "irb" | "node" | "ipython" => {
            args.is_empty() && command.redirects.is_empty()
        }
        "ssh" => inside("ssh", args).is_none() && command.redirects.is_empty() && !short('N') && !has(&["-V"]),
        _ => false,
    }
}
