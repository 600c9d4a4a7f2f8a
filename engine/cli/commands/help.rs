//! `runbook help [COMMAND|TOPIC]`.

use clap::CommandFactory;
use runbook_core::exit::Exit;

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

pub(crate) fn help(context: &Context, topic: Option<&str>) -> Exit {
    let mut root = Cli::command();
    let Some(topic) = topic else {
        say(&root.render_long_help().to_string());
        return Exit::Ok;
    };
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
