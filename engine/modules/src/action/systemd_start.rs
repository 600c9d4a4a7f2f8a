//! `systemd.start`: start a unit of systemd.

use crate::support::systemd::unit_action;

unit_action!(
    SystemdStart, "systemd.start", Start, idempotent: true,
    examples: &[runbook_core::module::Example { title: "Start the database", yaml: "systemd.start: postgresql\n", runs: false }],
    /// Starts a unit of systemd, unless it is active, and waits until it stays active.
    ///
    /// `systemctl start` ends with 0 for a service that ends a moment later, so the unit is watched for a second, and what counts is its
    /// state; if it fails, the message has its exit code and what it wrote last. A unit of type `oneshot` is well if it ends well.
);
