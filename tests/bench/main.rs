//! The benchmarks: the real program beside the physical limit, in the same run.
//!
//!     cargo bench                            # everything, one table
//!     cargo bench -- steps journal           # only these groups
//!     cargo bench -- --json FILE --strict    # keep every sample; exit 1 if a target is missed
//!
//! Machines are noisy, so nothing here is a test: each measurement is taken several times, in rounds that alternate with their
//! limit, and the medians are compared. What the figures mean is in `docs/design/performance.md`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot get what it needs should fail loudly")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what it is for")]

mod check;
mod commands;
mod data;
mod hostile;
mod http;
mod journal;
mod limits;
mod project;
mod stack;
mod startup;
mod steps;
mod table;
mod tests;
mod timing;

use std::process::ExitCode;

use crate::table::Table;

/// What was asked for.
pub(crate) struct Options {
    /// Groups to run; none means all.
    groups: Vec<String>,
    /// How many rounds each measurement has at least.
    pub(crate) rounds: usize,
    /// Where the samples go.
    json: Option<String>,
    /// Whether a missed target is an exit code.
    strict: bool,
}

type Group = fn(&Options, &mut Table);

const GROUPS: &[(&str, Group)] = &[
    ("startup", startup::run),
    ("steps", steps::run),
    ("commands", commands::run),
    ("stack", stack::run),
    ("check", check::run),
    ("hostile", hostile::run),
    ("http", http::run),
    ("journal", journal::run),
    ("tests", tests::run),
    ("data", data::run),
];

fn main() -> ExitCode {
    let mut options = Options { groups: Vec::new(), rounds: 7, json: None, strict: false };
    let mut asked = false;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Cargo's own word: without it this is `cargo test`, and no test depends on timing.
            "--bench" => asked = true,
            "--strict" => options.strict = true,
            "--json" => options.json = Some(args.next().expect("--json FILE")),
            "--rounds" => options.rounds = args.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).expect("--rounds N"),
            word if GROUPS.iter().any(|(name, _)| *name == word) => options.groups.push(word.to_owned()),
            other => {
                let names: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
                eprintln!("cargo bench -- [{}] [--rounds N] [--json FILE] [--strict]   (not {other})", names.join("|"));
                return ExitCode::from(2);
            }
        }
    }
    if !asked {
        println!("benchmarks are run by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let mut table = Table::begin();
    for (name, run) in GROUPS {
        if options.groups.is_empty() || options.groups.iter().any(|g| g == name) {
            eprintln!("measuring {name} …");
            run(&options, &mut table);
        }
    }
    print!("{table}");
    if let Some(path) = &options.json {
        std::fs::write(path, table.json()).unwrap();
    }
    ExitCode::from(u8::from(options.strict && table.missed()))
}
