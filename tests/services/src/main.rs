//! The stand-ins as a program of their own, for this crate's tests; operators reach them by `runbook stand-in`.

fn main() {
    std::process::exit(runbook_services::main_from(std::env::args().skip(1).collect()));
}
