//! `systemd.stop`: stop a unit of systemd.

use crate::support::systemd::unit_action;

unit_action!(
    SystemdStop, "systemd.stop", Stop, idempotent: true,
    examples: &[runbook_core::module::Example { title: "Stop it before its files are replaced", yaml: "systemd.stop: { unit: sofia-equity-service, wait_for: 30s }\n", runs: false }],
    /// Stops a unit of systemd, if it is active, and waits until nothing of it runs.
    ///
    /// Units that need it are stopped too: that is how systemd works. A unit that is inactive is ok and unchanged.
);
