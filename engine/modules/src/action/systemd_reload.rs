//! `systemd.reload`: make a unit of systemd read its configuration again.

use crate::support::systemd::unit_action;

unit_action!(
    SystemdReload, "systemd.reload", Reload, idempotent: false,
    examples: &[runbook_core::module::Example { title: "Read a changed configuration", yaml: "systemd.reload: nginx\n", runs: false }],
    /// Makes the program of a unit read its configuration again, without an interruption.
    ///
    /// A unit that is not active, or that does not know how to reload, is refused. That the program has taken the new configuration, only
    /// itself can say: look at what it serves afterwards. To make systemd read unit files again is `systemd.daemon_reload`.
);
