//! The `runbook` program: arguments, context and commands. Wiring only.

mod args;
mod commands;
mod context;
mod operator;
mod output;
mod registry;
mod watch;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // The stand-in services take their own flags and build their own runtime.
    #[cfg(feature = "demo")]
    if std::env::args().nth(1).as_deref() == Some("stand-in") {
        let code = runbook_services::main_from(std::env::args().skip(1).collect());
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return commands::usage::report(&error),
    };
    ExitCode::from(commands::ended(commands::dispatch(cli)).code())
}
