//! `systemd.restart`: stop and start a unit of systemd.

use crate::support::systemd::unit_action;

unit_action!(
    SystemdRestart, "systemd.restart", Restart, idempotent: false,
    examples: &[runbook_core::module::Example { title: "Restart a service", yaml: "systemd.restart: sofia-equity-service\n", runs: false }],
    /// Stops a unit of systemd and starts it again, and waits until the new one stays active.
    ///
    /// A unit that was inactive is started. If the file of the unit has changed since systemd read it, the plan says so:
    /// `systemd.daemon_reload` comes first then. What is exported in a terminal never reaches a service; it takes an environment file.
);
