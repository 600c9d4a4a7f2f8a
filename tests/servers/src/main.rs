//! Starts the servers of the tests for a person to try things on: `cargo run -p runbook-servers -- redis nginx`. Ctrl-C ends them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]

use std::process::ExitCode;

use runbook_servers::{Nginx, Redis};

/// A server that was started: how to reach it, and what keeps it alive.
struct Running {
    how: String,
    _server: Box<dyn std::any::Any>,
}

fn start(name: &str) -> Option<Running> {
    let running = |how: String, server: Box<dyn std::any::Any>| Some(Running { how, _server: server });
    match name {
        "redis" => {
            let redis = Redis::start(&[])?;
            running(format!("redis://:{}@127.0.0.1:{}", Redis::PASSWORD, redis.port), Box::new(redis))
        }
        "nginx" => {
            let nginx = Nginx::start()?;
            let how = format!(
                "http://127.0.0.1:{}  https://127.0.0.1:{} (90 days), :{} (5 days), :{} (expired), :{} (another name); authority {}",
                nginx.http,
                nginx.good,
                nginx.soon,
                nginx.expired,
                nginx.other,
                nginx.ca.display()
            );
            running(how, Box::new(nginx))
        }
        _ => None,
    }
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        eprintln!("name the servers to start: redis, nginx");
        return ExitCode::from(2);
    }
    let mut running = Vec::new();
    for name in &names {
        let Some(server) = start(name) else {
            eprintln!("{name} is unknown, or its program is not installed (tests/run installs it)");
            return ExitCode::FAILURE;
        };
        println!("{name}: {}", server.how);
        running.push(server);
    }
    println!("Ctrl-C, or the end of standard input, ends them");
    // The guards of the servers outlive a Ctrl-C long enough to end them.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}
