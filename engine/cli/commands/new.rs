//! `runbook new NAME`: the first text of a new playbook.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use runbook_core::exit::Exit;
use runbook_lang::starter::{self, Kind, NewName};
use runbook_report::human::count;

use super::{complain, say};
use crate::args::New;
use crate::context::Context;

pub(crate) fn new(context: &Context, new: &New) -> Exit {
    let name = match NewName::parse(&new.name, new.system.as_deref()) {
        Ok(name) => name,
        Err(bad) => {
            complain(context, &bad.message, Some(&bad.help));
            return Exit::Usage;
        }
    };
    let folder = folder(context);
    let schema = |kind: &str, below: usize| schema(&folder, &name, kind, below);
    let (text, tests) = match &new.from_shell {
        Some(script) => match from_shell(context, script, &name, schema("playbook", 0).as_deref()) {
            Ok(text) => (text, None),
            Err(Refused { message, help, exit }) => {
                complain(context, &message, help.as_deref());
                return exit;
            }
        },
        None => {
            let kind = match (new.triage, new.checklist) {
                (true, _) => Kind::Triage,
                (_, true) => Kind::Checklist,
                _ => Kind::Procedure,
            };
            let tests = starter::starter_tests(kind, &name, schema("test", 1).as_deref());
            (starter::starter(kind, &name, schema("playbook", 0).as_deref()), Some(tests))
        }
    };
    if new.print {
        say(&text);
        return Exit::Ok;
    }
    match write(context, &folder, &name, &text, tests.as_deref()) {
        Ok(made) => {
            tell(context, &name, &made, new.triage);
            Exit::Ok
        }
        Err(Refused { message, help, exit }) => {
            complain(context, &message, help.as_deref());
            exit
        }
    }
}

/// The playbook of a script.
fn from_shell(context: &Context, script: &Path, name: &NewName, schema: Option<&str>) -> Result<String, Refused> {
    let source = script.display().to_string();
    let read = if source == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(starter::MAX_SOURCE as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        let path = context.cwd.join(script);
        // Asked before it is opened: opening a pipe would wait for its other end.
        match fs::metadata(&path) {
            Ok(about) if about.is_dir() => Err(std::io::Error::other("it is a folder")),
            Ok(about) if !about.is_file() => Err(std::io::Error::other("it is not a regular file")),
            Ok(_) => fs::File::open(&path).and_then(|file| {
                let mut bytes = Vec::new();
                file.take(starter::MAX_SOURCE as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
            }),
            Err(error) => Err(error),
        }
    };
    let bytes = read.map_err(|error| Refused {
        message: format!("{source} cannot be read: {}", cause(&error)),
        help: Some("give the path of a shell script or of a Markdown file".to_owned()),
        exit: Exit::Invalid,
    })?;
    let source = if source == "-" { "standard input" } else { &source };
    starter::from_shell(&bytes, name, source, schema).map_err(|no| Refused {
        message: no.message,
        help: Some(no.help),
        exit: Exit::Invalid,
    })
}

/// Why nothing was written.
struct Refused {
    message: String,
    help: Option<String>,
    exit: Exit,
}

/// What was made.
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

/// The playbooks folder, whether it is there or not.
fn folder(context: &Context) -> PathBuf {
    match &context.common.playbooks {
        Some(given) => context.cwd.join(given),
        None => context.playbooks().unwrap_or_else(|_| context.cwd.join("playbooks")),
    }
}

/// A schema that editors are pointed to, as a path from `below` folders below the playbook: the project's `schemas/KIND.schema.json`,
/// if it is there.
///
/// Nothing is written for it: a project that wants one says `runbook schema > schemas/playbook.schema.json` once.
fn schema(folder: &Path, name: &NewName, kind: &str, below: usize) -> Option<String> {
    let file = format!("schemas/{kind}.schema.json");
    let up = "../".repeat(1 + usize::from(name.system().is_some()) + below);
    folder.parent()?.join(&file).is_file().then(|| format!("{up}{file}"))
}

/// Writes a playbook that is not there yet, and its tests, unless there are some.
fn write(context: &Context, folder: &Path, name: &NewName, text: &str, tests: Option<&str>) -> Result<Made, Refused> {
    let mut made = Made { folders: Vec::new(), files: Vec::new() };
    let inside = name.system().map_or_else(|| folder.to_path_buf(), |system| folder.join(system));
    // The other ending names the same playbook.
    let taken = ["yaml", "yml"].map(|ending| inside.join(format!("{}.{ending}", name.name())));
    if let Some(there) = taken.iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(exists(context, there, name));
    }
    let [path, _] = taken;
    make_folder(context, folder, &mut made)?;
    make_folder(context, &inside, &mut made)?;
    match write_new(&path, text) {
        Ok(()) => made.files.push(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists(context, &path, name)),
        Err(error) => return Err(unwritten(context, &path, &error)),
    }
    if let Some(tests) = tests {
        let folder = inside.join("tests");
        let path = folder.join(format!("{}.test.yaml", name.name()));
        make_folder(context, &folder, &mut made)?;
        match write_new(&path, tests) {
            Ok(()) => made.files.push(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritten(context, &path, &error)),
        }
    }
    Ok(made)
}

fn make_folder(context: &Context, folder: &Path, made: &mut Made) -> Result<(), Refused> {
    match fs::create_dir(folder) {
        Ok(()) => made.folders.push(folder.to_path_buf()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) => {
            return Err(Refused {
                message: format!("the folder {} cannot be made: {}", shown(context, folder), cause(&error)),
                help: None,
                exit: Exit::Internal,
            });
        }
    }
    Ok(())
}

/// Writes a file that is not there yet; a link that leads nowhere is something, too.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn unwritten(context: &Context, path: &Path, error: &std::io::Error) -> Refused {
    Refused { message: format!("{} cannot be written: {}", shown(context, path), cause(error)), help: None, exit: Exit::Internal }
}

fn exists(context: &Context, path: &Path, name: &NewName) -> Refused {
    Refused {
        message: format!("{} is there already; nothing was written", shown(context, path)),
        help: Some(format!("choose another name, or look at it with `runbook show {}`", name.full_name())),
        exit: Exit::Usage,
    }
}

/// A path as people write it here.
fn shown(context: &Context, path: &Path) -> String {
    path.strip_prefix(&context.cwd).unwrap_or(path).display().to_string()
}

/// The system's words for an error, without its number.
fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Says what was made and what to type next.
fn tell(context: &Context, name: &NewName, made: &Made, tree: bool) {
    let shown = |path: &Path| shown(context, path);
    let full = name.full_name();
    // The flag is needed again; the variable says it for all commands.
    let flag = match (&context.common.playbooks, context.env.get("RUNBOOK_PLAYBOOKS")) {
        (Some(folder), env) if env.is_none_or(|e| Path::new(e) != folder) => format!(" --playbooks {}", folder.display()),
        _ => String::new(),
    };
    let tested = made.files.len() > 1;
    let next = [
        (format!("runbook check {full}{flag}"), "look for mistakes; nothing is run"),
        match tree {
            true => (format!("runbook triage {full}{flag}"), "walk it"),
            false => (format!("runbook play {full}{flag}"), "run it"),
        },
        match tested {
            true => (format!("runbook test {full}{flag}"), "run its tests; nothing real is touched"),
            false => (format!("runbook show {full}{flag}"), "see what it does"),
        },
    ];
    if context.common.json {
        let json = serde_json::json!({
            "playbook": full,
            "folders": made.folders.iter().map(|p| shown(p)).collect::<Vec<_>>(),
            "files": made.files.iter().map(|p| shown(p)).collect::<Vec<_>>(),
            "next": next.iter().map(|(command, _)| command).collect::<Vec<_>>(),
        });
        say(&json.to_string());
        return;
    }
    let mut out = String::new();
    for folder in &made.folders {
        out.push_str(&format!("made the folder {}/\n", shown(folder)));
    }
    for file in &made.files {
        let text = fs::read_to_string(file).unwrap_or_default();
        let marks = text.lines().filter(|l| l.contains("# review:")).count();
        let review = if marks > 0 { format!(", {marks} to review") } else { String::new() };
        out.push_str(&format!("wrote {} ({}{review})\n", shown(file), count(text.lines().count(), "line")));
    }
    if !context.common.quiet {
        out.push_str("next:\n");
        let widest = next.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
        for (command, what) in next {
            out.push_str(&format!("  {command:widest$}  {what}\n"));
        }
    }
    say(&runbook_report::sanitize(&out));
}
