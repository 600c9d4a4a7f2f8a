//! The reloader: what `uvicorn --reload` adds, a parent that does not own the socket.

use std::net::TcpListener;
use std::process::Command;

use crate::options::Options;
use crate::{args, console};

/// Spawns the real server as a child in the same process group and stays, as the reloader stays, even after the child.
///
/// No signal is forwarded: who signals the parent alone leaves the child, and with it the port, behind (trap T04 of the
/// seed catalogue). Signalling the group ends both. Returns 1 when the port is taken or the child cannot be spawned.
pub(crate) fn run(options: &Options) -> i32 {
    let here = options.root.join("services").join(options.service.name());
    console::info(&format!("Will watch for changes in these directories: ['{}']", here.display()));
    // uvicorn binds in the parent, so that a port in use is reported once, before any child.
    if let Err(error) = TcpListener::bind((options.host.as_str(), options.port)) {
        console::error(&crate::server::bind_error(&error, options));
        return 1;
    }
    console::running(options);
    console::info(&format!("Started reloader process [{}] using StatReload", std::process::id()));
    let child = std::env::current_exe().and_then(|program| Command::new(program).args(args::of_child(options)).spawn());
    match child {
        Ok(mut child) => {
            let _ = child.wait();
            loop {
                // A reloader whose server died waits for a file to change; here none ever does.
                std::thread::park();
            }
        }
        Err(error) => {
            console::error(&error.to_string());
            1
        }
    }
}
