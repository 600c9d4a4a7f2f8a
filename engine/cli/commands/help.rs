//! `runbook help [COMMAND|TOPIC]`.

use clap::CommandFactory;
use runbook_core::exit::Exit;
use runbook_report::overview::{self, Group};

use super::{complain, say};
use crate::args::Cli;
use crate::context::Context;

const ENVIRONMENT: &str = "\
RUNBOOK_PLAYBOOKS   the folder of playbooks (as --playbooks)
RUNBOOK_LOG         the engine's own diagnostics on standard error, such as debug or runbook_runtime=trace
RUNBOOK_STATE       the folder for runs, locks and logs (as --state)
XDG_STATE_HOME      where the state folder lies by default: $XDG_STATE_HOME/runbook, else ~/.local/state/runbook
NO_COLOR            no colour, if set to anything
CLICOLOR_FORCE      colour also where the stream is no terminal
ACCESSIBLE          no redrawing, one line per event (as --plain)
GITHUB_ACTIONS      folds and annotations between the lines, where the output is no terminal
CI                  no animation and no questions
TERM=dumb           no colour and no animation
";

/// What to try first, with what it does.
const EXAMPLES: &[(&str, &str)] = &[
    ("runbook new first-try", "write a playbook that runs, to change it"),
    ("runbook check", "look for mistakes; nothing is run"),
    ("runbook play first-try", "run it"),
    ("runbook runs show", "see the latest run again"),
];

/// The commands in groups. A command that is in none comes last.
const GROUPS: &[(&str, &[&str])] = &[
    ("Run", &["play", "triage", "resume", "undo", "answers"]),
    ("Look", &["list", "show", "tree", "graph", "doc", "runs", "report", "history", "modules", "explain"]),
    ("Write", &["new", "check", "test", "fmt", "schema"]),
];

/// What the program is and what can be done with it, on one screen.
pub(crate) fn overview(context: &Context) -> Exit {
    let root = Cli::command();
    let mut left: Vec<(String, String)> = root
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| (c.get_name().to_owned(), c.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let mut groups: Vec<Group> = GROUPS
        .iter()
        .map(|(name, commands)| {
            let found = commands.iter().filter_map(|wanted| {
                let at = left.iter().position(|(name, _)| name == wanted)?;
                Some(left.remove(at))
            });
            Group { name, commands: found.collect() }
        })
        .collect();
    groups.push(Group { name: "More", commands: left });
    let more = [
        "runbook COMMAND --help tells all about a command; runbook --help all flags.",
        "runbook help exit-codes, environment, expressions.",
    ];
    say(&overview::overview("Run operators' procedures written as YAML playbooks.", EXAMPLES, &groups, &more, &context.out));
    Exit::Ok
}

pub(crate) fn help(context: &Context, topic: Option<&str>) -> Exit {
    let mut root = Cli::command();
    let Some(topic) = topic else { return overview(context) };
    match topic {
        "exit-codes" => say(&runbook_report::code_doc::exit_codes(&context.out)),
        "environment" => say(ENVIRONMENT),
        "expressions" => say(&runbook_report::code_doc::functions(&context.out)),
        name => {
            let Some(command) = root.find_subcommand_mut(name) else {
                let topics = ["exit-codes", "environment", "expressions"];
                let names: Vec<String> = root.get_subcommands().map(|c| c.get_name().to_owned()).collect();
                let near = runbook_core::suggest::nearest(name, names.iter().map(String::as_str).chain(topics));
                let help = near.map_or_else(
                    || "topics: exit-codes, environment, expressions".to_owned(),
                    |n| format!("did you mean `{n}`?"),
                );
                complain(context, &format!("there is no command or topic `{name}`"), Some(&help));
                return Exit::Usage;
            };
            say(&command.render_long_help().to_string());
        }
    }
    Exit::Ok
}
