//! The programs of PostgreSQL: run by argument vectors, with the password in their environment.

use std::time::Duration;

use runbook_core::module::{Exec, ExecOutput, Fault};
use serde_json::Value as Json;

use super::{Server, Ssl};
use crate::support::db_tls::Trust;

/// The words that say where the server is and who asks. No program may ask for a password: nobody would answer.
pub(crate) fn words(server: &Server) -> Vec<String> {
    let text = str::to_owned;
    vec![text("-h"), server.host.clone(), text("-p"), server.port.to_string(), text("-U"), server.user.clone(), text("-w")]
}

/// A program that speaks with a server, or with none.
pub(crate) fn exec(server: Option<&Server>, argv: Vec<String>, timeout: Option<Duration>) -> Exec {
    let mut env = vec![("LC_ALL".to_owned(), "C".to_owned())];
    if let Some(server) = server {
        let mut set = |name: &str, value: &str| env.push((name.to_owned(), value.to_owned()));
        if let Some(password) = &server.password {
            set("PGPASSWORD", password);
        }
        set("PGAPPNAME", "runbook");
        set("PGCONNECT_TIMEOUT", "10");
        match (server.ssl, &server.trust) {
            (Ssl::Disable, _) => set("PGSSLMODE", "disable"),
            (Ssl::Prefer, _) => set("PGSSLMODE", "prefer"),
            (Ssl::Require, Trust::Anyone) => set("PGSSLMODE", "require"),
            (Ssl::Require, Trust::File(path)) => {
                set("PGSSLMODE", "verify-full");
                set("PGSSLROOTCERT", &path.display().to_string());
            }
            (Ssl::Require, Trust::Platform) => {
                set("PGSSLMODE", "verify-full");
                set("PGSSLROOTCERT", "/etc/ssl/certs/ca-certificates.crt");
            }
        }
    }
    Exec { argv, env, timeout, max_output: Some(4 << 20), ..Exec::default() }
}

/// What a program's end means.
pub(crate) fn judged(program: &str, output: std::io::Result<ExecOutput>) -> Result<ExecOutput, Fault> {
    let output = match output {
        Ok(output) => output,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Fault::cannot_tell(format!(
                "`{program}` is not installed: install PostgreSQL's client programs (`postgresql-client`)"
            )));
        }
        Err(e) => return Err(Fault::cannot_tell(format!("`{program}` cannot be run: {e}"))),
    };
    if output.timed_out {
        return Err(Fault::TimedOut { message: format!("`{program}` took too long and was ended"), result: Json::Null });
    }
    if output.exit_code == Some(0) {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let error =
        lines.iter().find(|l| l.contains("error:") || l.contains("ERROR:")).or(lines.first()).copied().unwrap_or_default();
    if stderr.contains("version mismatch") {
        let versions = lines.iter().find(|l| l.contains("server version")).copied().unwrap_or_default();
        return Err(Fault::cannot_tell(format!(
            "`{program}` is older than the server ({versions}): install the client of the server's version"
        )));
    }
    let code = output.exit_code.map_or_else(|| "a signal".to_owned(), |c| format!("exit code {c}"));
    Err(Fault::unmet(format!("`{program}` ended with {code}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::postgres::Parts;

    #[test]
    fn the_password_is_in_no_word() {
        let server =
            Server::of(Parts { user: Some("u"), password: Some("hunter2"), sslmode: Some(Ssl::Require), ..Parts::default() })
                .unwrap();
        let exec = exec(Some(&server), words(&server), None);
        assert!(!exec.argv.join(" ").contains("hunter2") && exec.argv.contains(&"-w".to_owned()));
        assert!(exec.env.contains(&("PGPASSWORD".to_owned(), "hunter2".to_owned())));
        assert!(exec.env.contains(&("PGSSLMODE".to_owned(), "verify-full".to_owned())));
    }

    #[test]
    fn ends_are_judged() {
        let of = |code, stderr: &str| {
            judged("pg_dump", Ok(ExecOutput { exit_code: code, stderr: stderr.as_bytes().to_vec(), ..ExecOutput::default() }))
        };
        assert!(of(Some(0), "noise").is_ok());
        let fault = of(Some(1), "note\npg_dump: error: connection refused").unwrap_err();
        assert_eq!(fault.message(), "`pg_dump` ended with exit code 1: pg_dump: error: connection refused");
        let old = "pg_dump: error: server version: 16.0; pg_dump version: 15.1\npg_dump: error: aborting because of server version mismatch";
        assert!(matches!(of(Some(1), old).unwrap_err(), Fault::CannotTell { .. }));
        assert!(matches!(judged("x", Err(std::io::ErrorKind::NotFound.into())).unwrap_err(), Fault::CannotTell { .. }));
        let late = ExecOutput { timed_out: true, ..ExecOutput::default() };
        assert!(matches!(judged("x", Ok(late)).unwrap_err(), Fault::TimedOut { .. }));
    }
}
