//! The command line of a stand-in, in both directions.

use std::path::PathBuf;
use std::time::Duration;

use crate::options::Options;
use crate::service::Service;

/// The hidden subcommand of `runbook`, which the parser accepts as an optional first word.
pub(crate) const SUBCOMMAND: &str = "stand-in";

/// The usage text, one line a flag.
pub(crate) const USAGE: &str = "\
usage: runbook stand-in --service NAME [--host IP] [--port PORT] [--root DIR]
                        [--startup-delay MS] [--stop-delay MS] [--ignore-term] [--reload]
services: api-gateway model-router memory-engine pipecat openclaw eva-os vision-capture perception ollama
";

/// Parses the arguments after the program's name.
///
/// `Ok(None)` means that help was asked for. The error is one lower-case sentence for the operator.
pub(crate) fn parse(args: &[String]) -> Result<Option<Options>, String> {
    let args = match args.split_first() {
        Some((first, rest)) if first == SUBCOMMAND => rest,
        _ => args,
    };
    let (mut service, mut port) = (None, None);
    let mut options = Options::new(Service::ApiGateway, ".");
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (flag, inline) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        if let Some(switch) = switch(flag, &mut options) {
            if inline.is_some() {
                return Err(format!("flag `{switch}` takes no value"));
            }
            continue;
        }
        if matches!(flag, "--help" | "-h") {
            return Ok(None);
        }
        if !matches!(flag, "--service" | "--host" | "--port" | "--root" | "--startup-delay" | "--stop-delay") {
            return Err(format!("unknown argument `{arg}`"));
        }
        let value = match inline.or_else(|| rest.next().cloned()) {
            Some(value) => value,
            None => return Err(format!("flag `{flag}` needs a value")),
        };
        match flag {
            "--service" => {
                service = Some(Service::named(&value).ok_or_else(|| format!("unknown service `{value}`"))?);
            }
            "--host" => {
                // An IP literal only: a name may resolve to ::1 while the probes use 127.0.0.1.
                let ip: std::net::IpAddr = value.parse().map_err(|_| format!("`{value}` is not an IP address"))?;
                options.host = ip.to_string();
            }
            "--port" => match value.parse() {
                Ok(number) if number > 0 => port = Some(number),
                _ => return Err(format!("`{value}` is not a port number from 1 to 65535")),
            },
            "--root" => options.root = PathBuf::from(value),
            "--startup-delay" => options.startup_delay = milliseconds(flag, &value)?,
            _ => options.stop_delay = milliseconds(flag, &value)?,
        }
    }
    options.service = service.ok_or("flag `--service` is required")?;
    options.port = port.unwrap_or(options.service.port());
    Ok(Some(options))
}

/// Sets a flag without value and returns its name, or returns nothing when `flag` is no such flag.
fn switch(flag: &str, options: &mut Options) -> Option<&'static str> {
    match flag {
        "--ignore-term" => {
            options.ignore_term = true;
            Some("--ignore-term")
        }
        "--reload" => {
            options.reload = true;
            Some("--reload")
        }
        // Internal: the reloader has announced the server on its child's behalf.
        "--reloaded" => {
            options.announce = false;
            Some("--reloaded")
        }
        _ => None,
    }
}

fn milliseconds(flag: &str, value: &str) -> Result<Duration, String> {
    match value.parse() {
        Ok(number) => Ok(Duration::from_millis(number)),
        Err(_) => Err(format!("`{flag}` takes a whole number of milliseconds, not `{value}`")),
    }
}

/// The arguments by which a reloader starts its child.
pub(crate) fn of_child(options: &Options) -> Vec<std::ffi::OsString> {
    let mut args: Vec<std::ffi::OsString> = vec![
        SUBCOMMAND.into(),
        "--service".into(),
        options.service.name().into(),
        "--host".into(),
        options.host.clone().into(),
        "--port".into(),
        options.port.to_string().into(),
        "--root".into(),
        options.root.clone().into(),
        "--startup-delay".into(),
        options.startup_delay.as_millis().to_string().into(),
        "--stop-delay".into(),
        options.stop_delay.as_millis().to_string().into(),
        "--reloaded".into(),
    ];
    if options.ignore_term {
        args.push("--ignore-term".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn parses_every_flag() {
        let line = "stand-in --service eva-os --host 127.0.0.1 --port=7051 --root /x --startup-delay 300 --stop-delay 8000 --ignore-term --reload";
        let options = parse(&words(line)).expect("valid").expect("not help");
        assert_eq!(options.service, Service::EvaOs);
        assert_eq!(options.port, 7051);
        assert_eq!(options.root, PathBuf::from("/x"));
        assert_eq!(options.startup_delay, Duration::from_millis(300));
        assert_eq!(options.stop_delay, Duration::from_secs(8));
        assert!(options.ignore_term && options.reload && options.announce);
    }

    #[test]
    fn the_port_defaults_to_the_service_s() {
        let options = parse(&words("--service ollama")).expect("valid").expect("not help");
        assert_eq!(options.port, 11434);
    }

    #[test]
    fn a_child_does_not_reload_again() {
        let mut options = Options::new(Service::Pipecat, "/srv");
        options.reload = true;
        let args: Vec<String> = of_child(&options).into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let child = parse(&args).expect("valid").expect("not help");
        assert!(!child.reload && !child.announce);
        assert_eq!(child.port, 7030);
    }

    #[test]
    fn says_what_is_wrong() {
        for (line, message) in [
            ("", "flag `--service` is required"),
            ("--service nope", "unknown service `nope`"),
            ("--service eva-os --port x", "`x` is not a port number from 1 to 65535"),
            ("--service eva-os --port 0", "`0` is not a port number from 1 to 65535"),
            ("--service eva-os --host localhost", "`localhost` is not an IP address"),
            ("--service", "flag `--service` needs a value"),
            ("--service eva-os --startup-delay 300ms", "`--startup-delay` takes a whole number of milliseconds, not `300ms`"),
            ("--service eva-os --reload=yes", "flag `--reload` takes no value"),
            ("--service eva-os --wat", "unknown argument `--wat`"),
        ] {
            assert_eq!(parse(&words(line)).expect_err(line), message);
        }
    }
}
