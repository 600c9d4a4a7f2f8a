//! Mistakes on the command line itself.

use std::process::ExitCode;

use runbook_core::exit::Exit;

/// Shows clap's message (help and version too) and gives the exit code.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
    ExitCode::from(code.code())
}
