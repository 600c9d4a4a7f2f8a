//! `runbook modules [NAME]`, `modules new NAME`, `modules test [NAME]`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use runbook_core::exit::Exit;
use runbook_core::expr::shell_quote;
use runbook_core::module::{Change, Cx};
use runbook_modules::external::{self, Lang, ModuleFile, starter, try_out};
use runbook_report::modules_doc;
use runbook_report::modules_tried::{self, Found, Level, Tried};
use runbook_runtime::live::LiveHost;
use runbook_runtime::signals::Stop;

use super::{complain, say};
use crate::args::{ModuleLang, Modules, ModulesCommand};
use crate::context::Context;
use crate::registry::{folders, registry, runner};

pub(crate) fn modules(context: &Context, modules: &Modules) -> Exit {
    match (&modules.command, &modules.name) {
        (Some(ModulesCommand::New { name, lang, print }), _) => new(context, name, *lang, *print),
        (Some(ModulesCommand::Test { name, apply }), _) => test(context, name.as_deref(), *apply),
        (None, Some(name)) => show(context, name),
        (None, None) => list(context),
    }
}

fn list(context: &Context) -> Exit {
    let registry = registry(context);
    if context.common.json {
        say(&modules_doc::json(&registry));
    } else {
        say(&modules_doc::list(&registry, &context.out));
    }
    Exit::Ok
}

fn show(context: &Context, name: &str) -> Exit {
    let registry = registry(context);
    if let Some(trouble) = registry.trouble(name) {
        let help = format!("`runbook modules test {name}` tries it out");
        complain(context, &format!("the module `{name}` cannot be used: {trouble}"), Some(&help));
        return Exit::Invalid;
    }
    let Some(entry) = registry.get(name) else {
        return unknown(context, name, registry.names());
    };
    if context.common.json {
        say(&modules_doc::json(&registry.only(name)));
    } else {
        say(&modules_doc::page(entry, &context.out));
    }
    Exit::Ok
}

fn unknown<'a>(context: &Context, name: &str, names: impl Iterator<Item = &'a str>) -> Exit {
    let near = runbook_core::suggest::nearest(name, names);
    let help = near.map_or_else(|| "`runbook modules` lists them".to_owned(), |n| format!("did you mean `{n}`?"));
    complain(context, &format!("there is no module `{name}`"), Some(&help));
    Exit::Usage
}

fn new(context: &Context, name: &str, lang: ModuleLang, print: bool) -> Exit {
    let lang = match lang {
        ModuleLang::Python => Lang::Python,
        ModuleLang::Bash => Lang::Bash,
        ModuleLang::Node => Lang::Node,
    };
    let Some(text) = starter(name, lang) else {
        let help =
            "a probe is a noun such as `queue`, an action noun.verb such as `queue.drain`: lowercase letters, digits and `_`";
        complain(context, &format!("`{name}` cannot be the name of a module"), Some(help));
        return Exit::Usage;
    };
    if runbook_modules::builtins().get(name).is_some() {
        complain(context, &format!("there is a module `{name}` already, and it is built in"), Some("give yours another name"));
        return Exit::Usage;
    }
    if print {
        say(text.trim_end());
        return Exit::Ok;
    }
    let Ok(playbooks) = context.playbooks() else {
        complain(
            context,
            "there is no `playbooks` folder here or above",
            Some("make a folder `playbooks`, or name one with --playbooks DIR or RUNBOOK_PLAYBOOKS"),
        );
        return Exit::Invalid;
    };
    let taken = folders(context).files().into_iter().find(|file| file.name == name);
    if let Some(taken) = taken {
        let message = format!("there is a module `{name}` already: {}", taken.path.display());
        complain(context, &message, Some("give yours another name, or change that one"));
        return Exit::Usage;
    }
    let folder = playbooks.join("modules");
    let path = folder.join(format!("{name}.{}", lang.ending()));
    let written = std::fs::create_dir_all(&folder).and_then(|()| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&path)?;
        file.write_all(text.as_bytes())
    });
    if let Err(error) = written {
        complain(context, &format!("{} cannot be written: {error}", path.display()), None);
        return Exit::Internal;
    }
    if !context.common.quiet {
        let shown = path.strip_prefix(&context.cwd).unwrap_or(&path).display().to_string();
        say(&format!(
            "wrote {}\n\nnext:\n  $EDITOR {}           say what it does, takes and gives\n  runbook modules test {name}\n  runbook modules {name}",
            shown,
            shell_quote(&shown)
        ));
    }
    Exit::Ok
}

fn test(context: &Context, name: Option<&str>, apply: bool) -> Exit {
    let all = folders(context).files();
    let chosen: Vec<&ModuleFile> = all.iter().filter(|file| name.is_none_or(|n| n == file.name)).collect();
    if chosen.is_empty() {
        let Some(name) = name else {
            let help = "`runbook modules new NAME` writes one";
            complain(context, "there are no modules of your own here", Some(help));
            return Exit::Usage;
        };
        if runbook_modules::builtins().get(name).is_some() {
            complain(context, &format!("`{name}` is built in, and has tests of its own"), None);
            return Exit::Usage;
        }
        return unknown(context, name, all.iter().map(|file| file.name.as_str()));
    }
    let root = context.playbooks().ok().and_then(|p| p.parent().map(PathBuf::from)).unwrap_or_else(|| context.cwd.clone());
    let state = context.state().unwrap_or_else(|_| std::env::temp_dir());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(context, &format!("the engine cannot start: {error}"), None);
            return Exit::Internal;
        }
    };
    let host = LiveHost::new(Stop::default(), context.env_map(), |_, _| ());
    let tried: Vec<Tried> = chosen
        .into_iter()
        .map(|file| {
            let cx = || Cx::new(&host, "modules test", &root, &state);
            let change = apply.then(|| Change::permitted(cx()));
            let findings = runtime.block_on(try_out(file, &runner(), &cx(), change.as_ref()));
            Tried {
                name: file.name.clone(),
                path: file.path.display().to_string(),
                findings: findings.into_iter().map(found).collect(),
            }
        })
        .collect();
    let bad = tried.iter().any(Tried::is_bad);
    if context.common.json {
        say(&modules_tried::json(&tried));
    } else {
        say(&modules_tried::text(&tried, &context.out));
    }
    if bad { Exit::Failed } else { Exit::Ok }
}

fn found(finding: external::Finding) -> Found {
    let level = match finding.level {
        external::Level::Good => Level::Good,
        external::Level::Warning => Level::Warning,
        external::Level::Bad => Level::Bad,
    };
    Found { level, what: finding.what, help: finding.help }
}
