//! systemd's units, as `systemctl` tells of them and changes them.

use std::collections::HashMap;
use std::time::Duration as Std;

use jiff::{SignedDuration, Timestamp};
use runbook_core::module::{Change, Cx, Done, Fault, Forecast, Need, Resource, Touches};
use runbook_core::value::{Duration, Size, Time, format_duration};
use schemars::JsonSchema;
use serde::Serialize;

use super::exec::Door;
use super::process::since_boot;
use super::tool::{Said, Tool};

/// What is asked about a unit.
const PROPERTIES: &str = "--property=Id,Description,LoadState,ActiveState,SubState,UnitFileState,MainPID,Result,ExecMainStatus,\
    ExecMainCode,NRestarts,MemoryCurrent,NeedDaemonReload,CanReload,Type,RemainAfterExit,FragmentPath,\
    ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic";

/// A unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Unit {
    /// The unit's full name, such as `nginx.service`.
    pub(crate) unit: String,
    /// What it says it is; null if it is not installed.
    pub(crate) description: Option<String>,
    /// Whether systemd knows it.
    pub(crate) installed: bool,
    /// `loaded`, `not-found`, `masked`, `bad-setting` or `error`.
    pub(crate) load_state: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating` or `reloading`.
    pub(crate) state: String,
    /// systemd's finer word for it, such as `running`, `exited`, `dead` or `auto-restart`.
    pub(crate) sub_state: String,
    /// Whether it is started at boot: `enabled`, `disabled`, `static`, `masked` and others; null if it has no file.
    pub(crate) enabled: Option<String>,
    /// Its main process; null if none runs.
    pub(crate) pid: Option<u32>,
    /// How it ended last: `success`, `exit-code`, `signal`, `oom-kill`, `timeout`, `start-limit-hit` and others.
    pub(crate) end: String,
    /// The exit code that its main process ended with; null if it runs, never did, or was ended by a signal.
    pub(crate) exit_code: Option<i64>,
    /// The number of the signal that ended its main process; null if none did.
    pub(crate) signal: Option<i64>,
    /// How often systemd has restarted it by itself.
    pub(crate) restart_count: u64,
    /// Since when it is active, or inactive; null if it was neither yet.
    pub(crate) since: Option<Time>,
    /// How long it has been active; null if it is not.
    pub(crate) uptime: Option<Duration>,
    /// The memory that all its processes use; null if systemd does not count it.
    pub(crate) memory: Option<Size>,
    /// Whether its file has changed since systemd read it, so that `systemd.daemon_reload` is needed.
    pub(crate) needs_reload: bool,
    /// The file that describes it; null if there is none.
    pub(crate) file: Option<String>,
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) can_reload: bool,
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) ends_by_itself: bool,
}

impl Unit {
    /// The unit in a few words: `failed (exit code 3)`.
    pub(crate) fn described(&self) -> String {
        if !self.installed {
            return "not installed".to_owned();
        }
        if self.load_state != "loaded" {
            return self.load_state.clone();
        }
        match (self.state.as_str(), self.exit_code, self.signal) {
            ("failed" | "activating", Some(code), _) if code != 0 => format!("{} (exit code {code})", self.state),
            ("failed" | "activating", _, Some(signal)) => {
                format!("{} (signal {})", self.state, super::signals::name_of(signal as i32))
            }
            ("failed", ..) => format!("failed ({})", self.end),
            (state, ..) => format!("{state} ({})", self.sub_state),
        }
    }

    fn read(text: &str, now: Timestamp, booted: Std) -> Option<Unit> {
        let map: HashMap<&str, &str> = text.lines().filter_map(|l| l.split_once('=')).collect();
        let get = |name: &str| map.get(name).copied().unwrap_or_default();
        let some = |name: &str| Some(get(name)).filter(|v| !v.is_empty()).map(str::to_owned);
        let number = |name: &str| get(name).parse::<u64>().ok().filter(|n| *n > 0 && *n < u64::MAX);
        let ago = |name: &str| Some(booted.saturating_sub(Std::from_micros(number(name)?)));
        let state = some("ActiveState")?;
        let active = matches!(state.as_str(), "active" | "reloading");
        let ago = if active { ago("ActiveEnterTimestampMonotonic") } else { ago("InactiveEnterTimestampMonotonic") };
        // 1 is an exit, 2 and 3 are signals; before the first end it is 0.
        let (code, status) = (get("ExecMainCode"), get("ExecMainStatus").parse::<i64>().ok());
        Some(Unit {
            unit: some("Id")?,
            description: some("Description").filter(|_| get("LoadState") != "not-found"),
            installed: get("LoadState") != "not-found",
            load_state: some("LoadState").unwrap_or_default(),
            sub_state: some("SubState").unwrap_or_default(),
            enabled: some("UnitFileState"),
            pid: number("MainPID").and_then(|p| u32::try_from(p).ok()),
            end: some("Result").unwrap_or_else(|| "success".to_owned()),
            exit_code: status.filter(|_| code == "1"),
            signal: status.filter(|_| matches!(code, "2" | "3")),
            restart_count: number("NRestarts").unwrap_or_default(),
            since: ago.and_then(|a| now.checked_sub(a).ok()).map(Time),
            uptime: ago.filter(|_| active).map(|a| Duration(SignedDuration::try_from(a).unwrap_or_default())),
            memory: number("MemoryCurrent").map(Size),
            needs_reload: get("NeedDaemonReload") == "yes",
            file: some("FragmentPath"),
            can_reload: get("CanReload") == "yes",
            ends_by_itself: get("Type") == "oneshot" && get("RemainAfterExit") != "yes",
            state,
        })
    }
}

/// `systemctl` for the system or for the user's own services.
fn systemctl(user: bool) -> Tool<'static> {
    let mut tool = Tool::new("systemctl", "this machine's services are managed by something else");
    if user {
        tool.first.push("--user".to_owned());
    }
    tool.first.extend(["--no-pager", "--no-ask-password"].map(str::to_owned));
    tool
}

/// An error if systemd could not be asked at all.
fn reached(said: &Said) -> Result<(), Fault> {
    let err = &said.err;
    if err.contains("System has not been booted with systemd") || err.contains("Host is down") {
        return Err(Fault::cannot_tell("this machine was not booted with systemd, so it knows nothing about its services"));
    }
    if err.contains("Failed to connect to bus") || err.contains("Failed to get D-Bus connection") {
        return Err(Fault::cannot_tell(format!("systemd cannot be asked: {}", said.why())));
    }
    if err.contains("Access denied") || err.contains("nteractive authentication required") || err.contains("Permission denied") {
        return Err(Fault::cannot_tell("systemd does not let this user do that; run as root or with `sudo`"));
    }
    Ok(())
}

/// Looks at a unit; one that is not installed is a unit with `installed` false.
///
/// # Errors
/// If systemd cannot be asked.
pub(crate) async fn look(unit: &str, user: bool, cx: &Cx<'_>) -> Result<Unit, Fault> {
    let said = systemctl(user).ask(&["show", PROPERTIES, "--", unit], cx).await?;
    reached(&said)?;
    Unit::read(&said.out, cx.now(), since_boot())
        .filter(|_| said.good())
        .ok_or_else(|| Fault::cannot_tell(format!("`systemctl show`: {}", said.why())))
}

/// What is done to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Started, unless it is active.
    Start,
    /// Stopped, unless it is inactive.
    Stop,
    /// Stopped and started.
    Restart,
    /// Told to read its configuration again.
    Reload,
    /// Started at every boot from now on.
    Enable,
    /// Not started at boot any more.
    Disable,
}

impl Verb {
    /// The word of `systemctl`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Restart => "restart",
            Verb::Reload => "reload",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
        }
    }

    /// Why nothing has to be done, if nothing has.
    fn needless(self, unit: &Unit) -> Option<String> {
        let enabled = unit.enabled.as_deref();
        let done = match self {
            Verb::Start => unit.state == "active",
            Verb::Stop => matches!(unit.state.as_str(), "inactive" | "failed") && unit.sub_state != "auto-restart",
            Verb::Enable => matches!(enabled, Some("enabled" | "alias")),
            Verb::Disable => enabled == Some("disabled"),
            Verb::Restart | Verb::Reload => false,
        };
        let now =
            if matches!(self, Verb::Enable | Verb::Disable) { enabled.unwrap_or_default().to_owned() } else { unit.described() };
        done.then(|| format!("it is {now}"))
    }

    /// Why it cannot be done, if it cannot.
    fn refusal(self, unit: &Unit) -> Option<String> {
        let name = &unit.unit;
        if !unit.installed {
            return Some(format!("there is no unit `{name}`; see `systemctl list-unit-files`"));
        }
        if unit.load_state == "masked" && self != Verb::Stop {
            return Some(format!("`{name}` is masked, so that nobody starts it; `systemctl unmask {name}` takes that back"));
        }
        if !matches!(unit.load_state.as_str(), "loaded" | "masked") {
            return Some(format!("the file of `{name}` cannot be used: {}", unit.load_state));
        }
        match self {
            Verb::Reload if unit.state != "active" => {
                Some(format!("`{name}` is {}; only what is active can reload", unit.described()))
            }
            Verb::Reload if !unit.can_reload => Some(format!("`{name}` cannot reload; use `systemd.restart`")),
            Verb::Enable | Verb::Disable
                if !matches!(unit.enabled.as_deref(), Some("enabled" | "disabled" | "alias" | "indirect" | "linked")) =>
            {
                let state = unit.enabled.as_deref().unwrap_or("without a file");
                Some(format!("`{name}` is {state}: its file does not say when it would be started (`[Install]`)"))
            }
            _ => None,
        }
    }

    fn to(self) -> &'static str {
        match self {
            Verb::Start | Verb::Restart => "active",
            Verb::Stop => "inactive",
            Verb::Reload => "active, with its configuration read again",
            Verb::Enable => "enabled",
            Verb::Disable => "disabled",
        }
    }
}

/// What was done to a unit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) unit: Unit,
    /// How it stood before: its state, or for enabling and disabling whether it was enabled.
    pub(crate) was: String,
    /// How long it took until it stood as it should.
    pub(crate) took: Duration,
}

fn was(verb: Verb, unit: &Unit) -> String {
    match verb {
        Verb::Enable | Verb::Disable => unit.enabled.clone().unwrap_or_default(),
        _ => unit.state.clone(),
    }
}

/// What would be done.
///
/// # Errors
/// What refuses it.
pub(crate) async fn plan(verb: Verb, name: &str, user: bool, cx: &Cx<'_>) -> Result<Forecast, Fault> {
    let unit = look(name, user, cx).await?;
    if let Some(why) = verb.refusal(&unit) {
        return Err(Fault::refused(why));
    }
    if let Some(why) = verb.needless(&unit) {
        return Ok(Forecast::nothing(why));
    }
    let mut argv = vec!["systemctl".to_owned()];
    argv.extend(user.then(|| "--user".to_owned()));
    argv.extend([verb.word().to_owned(), unit.unit.clone()]);
    let stale =
        if unit.needs_reload { "; its file has changed since systemd read it: `systemd.daemon_reload` first" } else { "" };
    let because = format!("it is {}{stale}", if was(verb, &unit) == unit.state { unit.described() } else { was(verb, &unit) });
    let from_to = vec![(format!("service:{}", unit.unit), was(verb, &unit), verb.to().to_owned())];
    Ok(Forecast { argv, from_to, ..Forecast::would(format!("{} `{}`", verb.word(), unit.unit), because) })
}

/// How long a unit that does not say when it is ready must stay active to be taken for one that stays.
const STEADY: Std = Std::from_secs(1);

/// The last lines that it wrote into the journal, joined; empty if the journal cannot be read.
async fn last_words(unit: &str, user: bool, cx: &Cx<'_>) -> String {
    let mut tool = Tool::new("journalctl", "");
    tool.limit = Std::from_secs(5);
    let of = if user { "--user-unit" } else { "--unit" };
    match tool.ask(&["--no-pager", "--quiet", "--output=cat", "--lines=3", of, unit], cx).await {
        Ok(said) if said.good() && !said.out.trim().is_empty() => {
            format!("; it wrote last: {}", said.out.trim().replace('\n', " | "))
        }
        _ => String::new(),
    }
}

/// Does it, waits until the unit stands as it should, and judges by its state.
///
/// # Errors
/// What refuses it; [`Fault::Unmet`] if it does not stand so.
pub(crate) async fn apply(
    verb: Verb,
    name: &str,
    user: bool,
    limit: Duration,
    change: &Change<'_>,
) -> Result<Done<Outcome>, Fault> {
    let before = look(name, user, change).await?;
    if let Some(why) = verb.refusal(&before) {
        return Err(Fault::refused(why));
    }
    let began = std::time::Instant::now();
    let was = was(verb, &before);
    if verb.needless(&before).is_some() {
        return Ok(Done::unchanged(Outcome { unit: before, was, took: Duration::from_millis(0) }));
    }
    let limit = change.timeout.map_or(limit.to_std(), |t| t.mul_f64(0.8).min(limit.to_std()));
    let mut args = vec![verb.word()];
    // It is waited for here, with a limit: a unit that never says that it is ready would hold `systemctl` for its own.
    if matches!(verb, Verb::Start | Verb::Stop | Verb::Restart | Verb::Reload) {
        args.push("--no-block");
    }
    args.extend(["--", &before.unit]);
    let said = systemctl(user).run(&args, Door::Change(change)).await?;
    reached(&said)?;
    if !said.good() {
        return Err(Fault::unmet(format!("`systemctl {} {}` failed: {}", verb.word(), before.unit, said.why())));
    }
    let mut steady_from: Option<std::time::Instant> = None;
    loop {
        let unit = look(&before.unit, user, change).await?;
        let took = Duration::from(began.elapsed());
        let done = match verb {
            Verb::Enable => matches!(unit.enabled.as_deref(), Some("enabled" | "alias")),
            Verb::Disable => !matches!(unit.enabled.as_deref(), Some("enabled" | "alias")),
            Verb::Stop => matches!(unit.state.as_str(), "inactive" | "failed"),
            // With `--no-block` the old one may still be what is seen.
            Verb::Restart if unit.ends_by_itself => ended_well(&unit) && began.elapsed() >= STEADY,
            Verb::Restart => unit.state == "active" && (unit.pid != before.pid || unit.pid.is_none()),
            Verb::Start => unit.state == "active" || (unit.ends_by_itself && ended_well(&unit) && began.elapsed() >= STEADY),
            Verb::Reload => unit.state == "active",
        };
        let must_stay = matches!(verb, Verb::Start | Verb::Restart | Verb::Reload) && !unit.ends_by_itself;
        if done {
            let from = *steady_from.get_or_insert_with(std::time::Instant::now);
            if !must_stay || from.elapsed() >= STEADY {
                return Ok(Done::changed(Outcome { unit, was, took }));
            }
        } else if steady_from.is_some() || unit.state == "failed" {
            let text = format!(
                "`{}` was started but is {} now{}",
                unit.unit,
                unit.described(),
                last_words(&unit.unit, user, change).await
            );
            return Err(Fault::unmet_with(text, Outcome { unit, was, took }));
        }
        if began.elapsed() >= limit {
            let limit = format_duration(SignedDuration::try_from(limit).unwrap_or_default());
            let text = format!("`{}` is still {} after {limit}", unit.unit, unit.described());
            return Err(Fault::unmet_with(text, Outcome { unit, was, took }));
        }
        change.progress(&format!("`{}` is {}", unit.unit, unit.described()));
        change.sleep(Std::from_millis(100)).await;
    }
}

fn ended_well(unit: &Unit) -> bool {
    unit.state == "inactive" && unit.end == "success"
}

/// Makes systemd read all unit files again.
///
/// # Errors
/// If it cannot be asked, or says no.
pub(crate) async fn daemon_reload(user: bool, change: &Change<'_>) -> Result<(), Fault> {
    let said = systemctl(user).run(&["daemon-reload"], Door::Change(change)).await?;
    reached(&said)?;
    if said.good() { Ok(()) } else { Err(Fault::unmet(format!("`systemctl daemon-reload` failed: {}", said.why()))) }
}

/// Whether systemd is there to be told anything.
///
/// # Errors
/// If it is not.
pub(crate) async fn there(user: bool, cx: &Cx<'_>) -> Result<(), Fault> {
    let said = systemctl(user).ask(&["show", "--property=Version"], cx).await?;
    reached(&said)
}

/// What is wrong with the name of a unit, if something is.
///
/// # Errors
/// [`Fault::Invalid`].
pub(crate) fn check_name(unit: &str) -> Result<(), Fault> {
    if unit.is_empty()
        || unit.starts_with('-')
        || unit.contains(['/', '*', '?', '['])
        || unit.chars().any(|c| c.is_whitespace() || c == '\0')
    {
        return Err(Fault::invalid("unit", format!("{unit:?} is not the name of one unit")));
    }
    Ok(())
}

/// What changing a unit touches.
pub(crate) fn touched(unit: &str) -> Touches {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    Touches::changes([Resource::new("service", name)]).needing(Need::Exec("systemctl".to_owned()))
}

/// An action that does one thing to a unit.
macro_rules! unit_action {
    ($name:ident, $text:literal, $verb:ident, idempotent: $idempotent:literal, examples: $examples:expr, $(#[$about:meta])*) => {
        pub(crate) struct $name;

        $(#[$about])*
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Args {
            /// The unit, such as `nginx` or `backup.timer`; without a suffix it is a service.
            #[schemars(length(min = 1))]
            unit: String,
            /// Whether it is one of the user's own units and not of the system's. Default: false.
            #[serde(default)]
            user: bool,
            /// How long it may take until it stands as it should; a shorter `timeout` of the step shortens it. Default: `60s`.
            #[serde(default)]
            wait_for: Option<runbook_core::value::Duration>,
        }

        impl runbook_core::module::Action for $name {
            const NAME: &'static str = $text;
            const MAIN: Option<&'static str> = Some("unit");
            const SAYS: &'static str = "{{ unit }} {{ state }}, was {{ was }}";
            const COLUMNS: &'static [&'static str] = &["state"];
            const EXAMPLES: &'static [runbook_core::module::Example] = $examples;
            type Args = Args;
            type Out = crate::support::systemd::Outcome;

            fn by_hand(args: &runbook_core::module::HandArgs<'_>) -> runbook_core::module::ByHand {
                crate::support::systemd::by_hand(args, crate::support::systemd::Verb::$verb)
            }

            fn effect(_: &Args) -> runbook_core::module::Effect {
                runbook_core::module::Effect::Change
            }

            fn touches(args: &Args) -> runbook_core::module::Touches {
                crate::support::systemd::touched(&args.unit)
            }

            fn idempotent(_: &Args) -> bool {
                $idempotent
            }

            fn check(args: &Args) -> Result<(), runbook_core::module::Fault> {
                crate::support::systemd::check_name(&args.unit)
            }

            async fn plan(
                args: &Args,
                cx: &runbook_core::module::Cx<'_>,
            ) -> Result<runbook_core::module::Forecast, runbook_core::module::Fault> {
                crate::support::systemd::check_name(&args.unit)?;
                crate::support::systemd::plan(crate::support::systemd::Verb::$verb, &args.unit, args.user, cx).await
            }

            async fn apply(
                args: &Args,
                cx: &runbook_core::module::Change<'_>,
            ) -> Result<runbook_core::module::Done<crate::support::systemd::Outcome>, runbook_core::module::Fault> {
                crate::support::systemd::check_name(&args.unit)?;
                let limit = args.wait_for.unwrap_or(runbook_core::value::Duration::from_millis(60_000));
                crate::support::systemd::apply(crate::support::systemd::Verb::$verb, &args.unit, args.user, limit, cx).await
            }
        }
    };
}
pub(crate) use unit_action;

/// What a person types for it.
pub(crate) fn by_hand(args: &runbook_core::module::HandArgs<'_>, verb: Verb) -> runbook_core::module::ByHand {
    let sudo = if args.flag("user", false) { "systemctl --user" } else { "sudo systemctl" };
    let unit = args.word("unit");
    let look = if matches!(verb, Verb::Enable | Verb::Disable) { "is-enabled" } else { "status --no-pager" };
    runbook_core::module::ByHand::run(format!("{sudo} {} -- {unit}", verb.word()))
        .and(format!("# It is {} now:", verb.to().split(',').next().unwrap_or_default()))
        .and(format!("systemctl {}{look} -- {unit}", if args.flag("user", false) { "--user " } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_is_read() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let text = "Id=web.service\nDescription=A = b\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=26\n\
            Result=success\nExecMainCode=0\nExecMainStatus=0\nNRestarts=2\nMemoryCurrent=262144\nCanReload=yes\n\
            ActiveEnterTimestampMonotonic=40000000\nUnitFileState=disabled\nNeedDaemonReload=yes\n";
        let unit = Unit::read(text, now, Std::from_secs(100)).unwrap();
        assert_eq!((unit.state.as_str(), unit.pid, unit.restart_count, unit.exit_code), ("active", Some(26), 2, None));
        assert_eq!((unit.uptime.unwrap().0.as_secs(), unit.memory), (60, Some(Size(262_144))));
        assert_eq!((unit.description.as_deref(), unit.needs_reload), (Some("A = b"), true));
        assert_eq!(unit.described(), "active (running)");
        let text = "Id=x.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nExecMainCode=1\nExecMainStatus=3\n\
            MemoryCurrent=18446744073709551615\nResult=exit-code\n";
        let unit = Unit::read(text, now, Std::from_secs(1)).unwrap();
        assert_eq!((unit.described().as_str(), unit.memory, unit.uptime), ("failed (exit code 3)", None, None));
        let text = "Id=x.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n";
        let unit = Unit::read(text, now, Std::from_secs(1)).unwrap();
        assert!(!unit.installed && unit.described() == "not installed");
        assert_eq!(Unit::read("", now, Std::ZERO), None);
    }

    #[test]
    fn names_are_of_one_unit() {
        for bad in ["", "-x", "a b", "a*", "/etc/x", "a\nb"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        check_name("backup@daily.timer").unwrap();
    }
}
