//! What a command does, guessed from its words. A guess is a proposal: whoever reviews the playbook decides.

mod person;
mod tables;

use runbook_core::module::Effect;

use super::shell::{self, Part, Redirect, Simple, Unit};
use tables::{DESTROY, DESTROY_AT, GLOBAL, LOOK, LOOK_AT, NOT_ONLY_LOOK, WRAPPERS};

pub(super) use person::needs_a_person;

/// Whether a program is one of those that are known here.
pub(super) fn known(name: &str) -> bool {
    let listed = |table: &[(&str, &[&str])]| table.iter().any(|(n, _)| *n == name);
    const OTHERS: &[&str] = &[
        "apt-get",
        "chmod",
        "chown",
        "cp",
        "docker-compose",
        "export",
        "gcloud",
        "kill",
        "ln",
        "make",
        "mkdir",
        "mv",
        "mysql",
        "psql",
        "python",
        "scp",
        "sed",
        "service",
        "source",
        "sqlite3",
        "ssh",
        "sudo",
        "touch",
        "uvicorn",
        "wget",
        "yarn",
    ];
    LOOK.contains(&name)
        || DESTROY.contains(&name)
        || OTHERS.contains(&name)
        || listed(LOOK_AT)
        || listed(DESTROY_AT)
        || name.starts_with("./")
}

/// The effect of everything in a unit; what the functions do that it calls, the caller knows.
pub(super) fn unit(unit: &Unit, is_function: &dyn Fn(&str) -> bool) -> Effect {
    let mut effect = Effect::Read;
    for command in &unit.commands {
        effect = effect.max(match is_function(&command.name()) {
            true => redirects(&command.redirects, &command.rough_words()),
            false => simple(command),
        });
    }
    if matches!(unit.shape, shell::Shape::Unread) || unit.background {
        effect = effect.max(Effect::Change);
    }
    effect
}

/// The effect of one command.
pub(super) fn simple(command: &Simple) -> Effect {
    let words = command.rough_words();
    let own = if words.is_empty() { Effect::Read } else { of_words(&words, 0) };
    own.max(redirects(&command.redirects, &words))
}

/// What redirections do: one that writes to a file changes it; one that only empties it destroys.
fn redirects(redirects: &[Redirect], words: &[String]) -> Effect {
    let mut effect = Effect::Read;
    for redirect in redirects.iter().filter(|r| r.op.contains('>')) {
        let target = redirect.target.rough();
        let written_out = redirect.target.parts.iter().all(|p| matches!(p, Part::Text { .. }));
        let harmless = written_out
            && (matches!(target.as_str(), "/dev/null" | "/dev/stderr" | "/dev/stdout" | "/dev/tty" | "-")
                || (redirect.op.ends_with('&') && target.chars().all(|c| c.is_ascii_digit())));
        if harmless {
            continue;
        }
        let device = target.starts_with("/dev/sd") || target.starts_with("/dev/nvme") || target.starts_with("/dev/vd");
        let empties = redirect.op == ">"
            && (words.is_empty()
                || matches!(words, [w] if w == ":" || w == "true")
                || matches!(words, [a, b] if a == "cat" && b == "/dev/null"));
        effect = effect.max(if device || empties { Effect::Destroy } else { Effect::Change });
    }
    effect
}

/// The effect of a command given by its words.
fn of_words(words: &[String], depth: usize) -> Effect {
    let Some(first) = words.first() else { return Effect::Read };
    // What is too deep to be followed is not known to be harmless.
    if depth > 8 {
        return Effect::Change;
    }
    let name = first.rsplit('/').next().unwrap_or(first);
    let args = &words[1..];
    if let Some(inner) = inside(name, args) {
        return inner.iter().map(|words| of_words(words, depth + 1)).max().unwrap_or_default();
    }
    if let Some((_, options)) = WRAPPERS.iter().find(|(n, _)| *n == name) {
        let rest = behind_options(args, options, name);
        return match rest.is_empty() {
            true => {
                if LOOK.contains(&name) {
                    Effect::Read
                } else {
                    Effect::Change
                }
            }
            false => of_words(rest, depth + 1),
        };
    }
    if matches!(args, [only] if matches!(only.as_str(), "--version" | "--help" | "-V" | "version" | "help") && name != "rm") {
        return Effect::Read;
    }
    // `docker compose` and `docker-compose` say the same.
    let (name, args) = match name {
        "docker" | "podman" if args.first().is_some_and(|a| a == "compose") => ("compose", &args[1..]),
        "docker-compose" | "podman-compose" => ("compose", args),
        "pg_ctl" | "pg_ctlcluster" if args.iter().any(|a| a == "status") => return Effect::Read,
        "service" | "rc-service" if args.last().is_some_and(|a| a == "status") => return Effect::Read,
        other => (other, args),
    };
    if let Some(effect) = special(name, args) {
        return effect;
    }
    if DESTROY.contains(&name) || name.starts_with("mkfs") || listed(DESTROY_AT, name, args) {
        return Effect::Destroy;
    }
    if name == "find"
        && let Some(at) = args.iter().position(|a| matches!(a.as_str(), "-exec" | "-execdir" | "-ok"))
    {
        return of_words(&args[at + 1..], depth + 1);
    }
    if NOT_ONLY_LOOK.iter().any(|(n, words)| {
        *n == name && args.iter().any(|a| words.iter().any(|w| a == w || a.strip_prefix(w).is_some_and(|r| r.starts_with('='))))
    }) {
        return Effect::Change;
    }
    if LOOK.contains(&name) || listed(LOOK_AT, name, args) {
        return Effect::Read;
    }
    Effect::Change
}

/// Programs whose arguments say what they do in ways of their own.
fn special(name: &str, args: &[String]) -> Option<Effect> {
    let has = |wanted: &[&str]| args.iter().any(|a| wanted.contains(&a.as_str()));
    let text = || args.join(" ");
    Some(match name {
        "curl" => curl(args),
        "wget" => match () {
            () if args.iter().any(|a| a.starts_with("--post") || a.starts_with("--method")) => Effect::Change,
            () if has(&["-O-", "-qO-", "--spider", "-nv-"]) || text().contains("O -") || text().contains("O /dev/null") => {
                Effect::Read
            }
            () => Effect::Change,
        },
        "http" | "https" => match args.iter().find(|a| a.chars().all(|c| c.is_ascii_uppercase())).map(String::as_str) {
            Some("DELETE") => Effect::Destroy,
            Some("POST" | "PUT" | "PATCH") => Effect::Change,
            _ => Effect::Read,
        },
        "psql" | "mysql" | "mariadb" | "sqlite3" | "clickhouse-client" | "cqlsh" => sql(&text()),
        "mongosh" | "mongo" => {
            let text = text();
            match () {
                () if ["drop(", "dropDatabase", "deleteMany", "deleteOne", "remove("].iter().any(|w| text.contains(w)) => {
                    Effect::Destroy
                }
                () if ["find(", "count", "stats(", "serverStatus", "rs.status", "db.version", "ping"]
                    .iter()
                    .any(|w| text.contains(w)) =>
                {
                    Effect::Read
                }
                () => Effect::Change,
            }
        }
        "aws" | "gcloud" | "az" | "doctl" | "oci" => {
            let verb = |starts: &[&str]| {
                args.iter().take(5).any(|a| starts.iter().any(|s| a == s.trim_end_matches('-') || a.starts_with(s)))
            };
            match () {
                () if has(&["rm", "rb"]) || verb(&["delete-", "terminate-", "destroy-", "purge-"]) => Effect::Destroy,
                () if verb(&["describe-", "list-", "get-", "show-", "ls-", "head-"]) => Effect::Read,
                () => Effect::Change,
            }
        }
        "sed" | "perl" => match args.iter().any(|a| {
            a == "--in-place"
                || a.starts_with("--in-place=")
                || (a.starts_with("-i") || (a.starts_with('-') && !a.starts_with("--") && a.contains('i') && name == "perl"))
        }) {
            true => Effect::Change,
            false if name == "sed" => Effect::Read,
            false => Effect::Change,
        },
        "gzip" | "gunzip" | "bzip2" | "xz" | "zstd" => {
            if has(&["-l", "-t", "-c", "-dc", "--list", "--test"]) {
                Effect::Read
            } else {
                Effect::Change
            }
        }
        "tar" => match args.first().map(String::as_str) {
            Some(flags) if !flags.starts_with("--") && flags.contains('t') && !flags.contains(['x', 'c', 'r', 'u']) => {
                Effect::Read
            }
            _ if has(&["--list"]) => Effect::Read,
            _ => Effect::Change,
        },
        "git"
            if matches!(args, [only] if matches!(only.as_str(), "branch" | "remote" | "tag" | "stash")) && args[0] != "stash" =>
        {
            Effect::Read
        }
        "mount" | "swapon" => {
            if args.is_empty() || has(&["-l", "--show"]) {
                Effect::Read
            } else {
                Effect::Change
            }
        }
        "hostname" => {
            if args.iter().all(|a| a.starts_with('-')) {
                Effect::Read
            } else {
                Effect::Change
            }
        }
        "awk" | "gawk" => {
            if text().contains("system(") {
                Effect::Change
            } else {
                Effect::Read
            }
        }
        "command" => {
            if has(&["-v", "-V"]) {
                Effect::Read
            } else {
                of_words(args, 4)
            }
        }
        "trap" | "." | "source" | "eval" => Effect::Change,
        "compose" if has(&["down"]) && has(&["-v", "--volumes"]) => Effect::Destroy,
        _ => return None,
    })
}

fn curl(args: &[String]) -> Effect {
    let mut effect = Effect::Read;
    let mut as_query = false;
    let mut sends = false;
    let mut words = args.iter();
    while let Some(arg) = words.next() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ if arg.starts_with("-X") && arg.len() > 2 => ("-X", Some(arg[2..].to_owned())),
            _ => (arg.as_str(), None),
        };
        match flag {
            "-X" | "--request" => {
                let method = value.or_else(|| words.next().cloned()).unwrap_or_default().to_uppercase();
                effect = effect.max(match method.as_str() {
                    "GET" | "HEAD" | "OPTIONS" => Effect::Read,
                    "DELETE" => Effect::Destroy,
                    _ => Effect::Change,
                });
            }
            "-G" | "--get" => as_query = true,
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-urlencode" | "-F" | "--form" | "-T" | "--upload-file"
            | "--json" => {
                sends = true;
                words.next();
            }
            "-o" | "--output" | "-D" | "--dump-header" => {
                let file = value.or_else(|| words.next().cloned()).unwrap_or_default();
                if file != "/dev/null" && file != "-" {
                    effect = effect.max(Effect::Change);
                }
            }
            "-H" | "--header" | "-u" | "--user" | "-w" | "--write-out" | "-A" | "-b" | "-m" | "--max-time"
            | "--connect-timeout" | "--retry" => {
                words.next();
            }
            short if short.starts_with('-') && !short.starts_with("--") && short.contains('O') => {
                effect = effect.max(Effect::Change)
            }
            "--remote-name" => effect = effect.max(Effect::Change),
            _ => {}
        }
    }
    if sends && !as_query { effect.max(Effect::Change) } else { effect }
}

/// What SQL on a command line does, by its verbs.
fn sql(text: &str) -> Effect {
    let lower = text.to_lowercase();
    let has = |word: &str| {
        lower.match_indices(word).any(|(at, _)| {
            let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            edge(lower[..at].chars().next_back()) && edge(lower[at + word.len()..].chars().next())
        })
    };
    match () {
        () if ["drop", "truncate", "delete"].iter().any(|w| has(w)) => Effect::Destroy,
        () if [
            "insert",
            "update",
            "alter",
            "create",
            "grant",
            "revoke",
            "vacuum",
            "reindex",
            "analyze",
            "call",
            "set",
            "pg_terminate_backend",
            "pg_cancel_backend",
            "kill",
            "replace",
            "optimize",
            "load",
            "copy",
        ]
        .iter()
        .any(|w| has(w)) =>
        {
            Effect::Change
        }
        () if ["select", "show", "explain", "describe", "pragma", "with"].iter().any(|w| has(w))
            || lower.contains("\\d")
            || lower.contains("\\l")
            || lower.contains(".tables")
            || lower.contains(".schema")
            || lower.contains("-l") =>
        {
            Effect::Read
        }
        () => Effect::Change,
    }
}

/// Whether a program is listed with the words behind it: its verbs first, its options anywhere.
fn listed(table: &[(&str, &[&str])], name: &str, args: &[String]) -> bool {
    let Some((_, entries)) = table.iter().find(|(n, _)| *n == name) else { return false };
    let global = GLOBAL.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, options)| *options);
    let mut verbs: Vec<&str> = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if global.contains(&word.as_str()) && verbs.is_empty() {
            words.next();
        } else if !word.starts_with('-') || word == "-" {
            verbs.push(word);
        }
    }
    let same = |a: &str, b: &str| a == b || (name == "redis-cli" && a.eq_ignore_ascii_case(b));
    entries.iter().any(|entry| {
        let mut at = 0;
        entry.split_ascii_whitespace().all(|word| {
            if word.starts_with('-') {
                return args.iter().any(|a| a == word || a.strip_prefix(word).is_some_and(|rest| rest.starts_with('=')));
            }
            let found = verbs.get(at).is_some_and(|verb| same(verb, word));
            at += 1;
            found
        })
    })
}

/// The command behind a wrapper's own words.
fn behind_options<'w>(args: &'w [String], with_value: &[&str], name: &str) -> &'w [String] {
    let mut i = 0;
    while i < args.len() {
        let arg = args[i].as_str();
        let assignment =
            arg.split_once('=').is_some_and(|(n, _)| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        if with_value.contains(&arg) {
            i += 2;
        } else if arg.starts_with('-') && arg.len() > 1 || assignment {
            i += 1;
        } else {
            break;
        }
    }
    // `timeout 5 cmd`, `chroot DIR cmd`, `flock FILE cmd`.
    if matches!(name, "timeout" | "chroot" | "flock") && i < args.len() {
        i += 1;
    }
    &args[i.min(args.len())..]
}

/// The commands that run inside of another: over ssh, in a container, in a shell of its own.
fn inside(name: &str, args: &[String]) -> Option<Vec<Vec<String>>> {
    let script = |text: &str| {
        let (units, _) = shell::script(text);
        units.iter().flat_map(|u| u.commands.iter().map(Simple::rough_words)).filter(|w| !w.is_empty()).collect::<Vec<_>>()
    };
    match name {
        "bash" | "sh" | "dash" | "zsh" | "ash" => {
            let at = args.iter().position(|a| a.starts_with('-') && !a.starts_with("--") && a.ends_with('c'))?;
            Some(script(args.get(at + 1)?))
        }
        "su" => {
            let at = args.iter().position(|a| a == "-c" || a == "--command")?;
            Some(script(args.get(at + 1)?))
        }
        "ssh" => {
            let rest = behind_options(args, &["-i", "-p", "-l", "-o", "-F", "-J", "-L", "-R", "-D", "-c", "-b", "-E"], "ssh");
            let remote = rest.get(1..).filter(|r| !r.is_empty())?;
            Some(script(&remote.join(" ")))
        }
        "docker" | "docker-compose" | "podman" | "kubectl" | "compose" => {
            let at = args.iter().take(4).position(|a| a == "exec")?;
            let rest = &args[at + 1..];
            let command = match rest.iter().position(|a| a == "--") {
                Some(dashes) => &rest[dashes + 1..],
                None => behind_options(
                    rest,
                    &["-u", "--user", "-w", "--workdir", "-e", "--env", "-n", "--namespace", "-c", "--container", "--index"],
                    "exec",
                )
                .get(1..)?,
            };
            (!command.is_empty()).then(|| vec![command.to_vec()])
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
