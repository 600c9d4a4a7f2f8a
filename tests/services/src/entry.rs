//! The two ways in: by a command line, and by options.

use std::sync::Arc;

use crate::config::Config;
use crate::options::Options;
use crate::service::Service;
use crate::state::State;
use crate::{args, console, fault, python, reload, server};

/// Plays the service that a command line names, and returns the exit code of the process.
///
/// `args` is what follows the program's name, with or without the subcommand `stand-in`. A wrong command line or an
/// unreadable fault file is explained on standard error and gives 2; help gives 0; otherwise see [`run`].
pub fn main_from(args: Vec<String>) -> i32 {
    match args::parse(&args) {
        Ok(Some(options)) => run(options),
        Ok(None) => {
            console::print(args::USAGE);
            0
        }
        Err(message) => {
            console::error_text(&format!("error: {message}\n{}", args::USAGE.trim_end()));
            2
        }
    }
}

/// Plays a service until it is stopped, and returns the exit code of the process.
///
/// Builds its own single-threaded tokio runtime, so it must not be called inside one. Installs handlers for SIGTERM and
/// SIGINT. Returns 0 after a graceful stop, 1 when the port is taken or a fault or a broken configuration made the start
/// fail, 2 when the fault file is not valid. A crash injected into the running service ends the process from within.
pub fn run(options: Options) -> i32 {
    if options.reload {
        return reload::run(&options);
    }
    let faults = match fault::read(&options.fault_file()) {
        Ok(faults) => faults,
        Err(message) => {
            console::error_text(&format!("error: {message}"));
            return 2;
        }
    };
    if let Some(crash) = &faults.faults.crash
        && crash.after_ms.is_none()
    {
        console::error_text(&python::at_import(&options, crash.at_import()));
        return crash.exit_code;
    }
    let config = match Config::read(&options) {
        Ok(config) => config,
        // Ollama does not read the stack's configuration.
        Err(_) if options.service == Service::Ollama => Config::default(),
        Err(exception) => {
            console::error_text(&python::at_import(&options, &exception));
            return 1;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            console::error(&error.to_string());
            return 1;
        }
    };
    let code = match State::new(options.clone(), config, faults) {
        Ok(state) => runtime.block_on(server::serve(Arc::new(state))),
        Err(exception) => {
            console::error_text(&python::at_import(&options, &exception));
            1
        }
    };
    // A database call that still waits for a lock must not hold up the end of the process.
    runtime.shutdown_background();
    code
}
