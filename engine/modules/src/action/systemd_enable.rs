//! `systemd.enable`: start a unit at every boot.

use crate::support::systemd::unit_action;

unit_action!(
    SystemdEnable, "systemd.enable", Enable, idempotent: true,
    examples: &[runbook_core::module::Example { title: "Start it at every boot from now on", yaml: "systemd.enable: sonia\n", runs: false }],
    /// Has systemd start a unit at every boot from now on.
    ///
    /// It is not started now; `systemd.start` does that. A unit whose file does not say when it would be started is refused.
);
