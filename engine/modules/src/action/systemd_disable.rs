//! `systemd.disable`: do not start a unit at boot any more.

use crate::support::systemd::unit_action;

unit_action!(
    SystemdDisable, "systemd.disable", Disable, idempotent: true,
    examples: &[runbook_core::module::Example { title: "Do not start it at boot any more", yaml: "systemd.disable: sonia\n", runs: false }],
    /// Has systemd not start a unit at boot any more.
    ///
    /// If it is active it stays so; `systemd.stop` stops it.
);
