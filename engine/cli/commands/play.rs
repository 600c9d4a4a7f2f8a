//! `runbook play`: load, check, lock, journal, walk, report.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use clap::ValueEnum;
use jiff::Timestamp;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::event::Event;
use runbook_core::exit::Exit;
use runbook_core::model::{Contents, Plan};
use runbook_core::module::Registry;
use runbook_core::session::RemedyChoice;
use runbook_core::world::StopReason;
use runbook_report::picture::Picture;
use runbook_report::{Known, TermPolicy};
use runbook_runtime::dry::DryWorld;
use runbook_runtime::journal::{JournalWriter, new_run_id};
use runbook_runtime::live::{Answers, FileAnswers, LiveHost, LiveOptions, LiveWorld};
use runbook_runtime::lock::{Holder, Lock, LockError};
use runbook_runtime::redact::Redactor;
use runbook_runtime::signals::{Stop, listen};
use runbook_runtime::sink::Sink;
use runbook_runtime::{Inputs, LockWish};

use super::resumed::Resumed;
use super::{answers, complain, loader, tell_diagnostics};
use crate::args::{Play, RemedyArg, Triage};
use crate::context::Context;
use crate::operator::Prompt;
use crate::output::Output;

/// What is asked to be run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// `runbook play`: whatever the playbook is.
    Anything,
    /// `runbook triage`: a tree.
    Tree,
}

impl Want {
    /// The command as it is typed.
    fn command(self) -> &'static str {
        match self {
            Want::Anything => "runbook play",
            Want::Tree => "runbook triage",
        }
    }
}

/// What was typed: the arguments, and under which command.
struct Typed<'a> {
    play: &'a Play,
    want: Want,
    /// Where the hook that runs before the thread waits finds the sink.
    waiting: Arc<OnceLock<Weak<Sink>>>,
    /// The session that is gone on with.
    resumed: Option<Resumed>,
}

/// Says that there are warnings. Whoever runs a playbook is seldom the one who mends it, so they do not stand before the run at length.
fn mention(name: &str, warnings: &[Diagnostic]) {
    let codes: BTreeSet<&str> = warnings.iter().map(|w| w.code.as_str()).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let count = if warnings.len() == 1 { "1 warning".to_owned() } else { format!("{} warnings", warnings.len()) };
    let said = format!("warning: {count} in `{name}`: {}\n  help: runbook check {name}\n", codes.join(", "));
    let _ = std::io::stderr().lock().write_all(runbook_report::sanitize(&said).as_bytes());
}

/// Walks a triage tree, or goes on with a session.
pub(crate) fn triage(context: &Context, args: Triage) -> Exit {
    let Triage { name, resume, options } = args;
    match (name, resume) {
        (_, Some(run)) => match Resumed::read(context, &run) {
            Ok(resumed) => {
                let play = Play { name: resumed.tree.clone(), options: resumed.options(options) };
                go_on(context, play, Want::Tree, Some(resumed))
            }
            Err(exit) => exit,
        },
        (Some(name), None) => play(context, Play { name, options }, Want::Tree),
        (None, None) => Exit::Usage,
    }
}

pub(crate) fn play(context: &Context, play: Play, want: Want) -> Exit {
    go_on(context, play, want, None)
}

fn go_on(context: &Context, play: Play, want: Want, resumed: Option<Resumed>) -> Exit {
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    let registry = crate::registry::registry(context);
    let options = runbook_lang::Options { profile: play.options.profile.clone() };
    let loaded = match runbook_lang::load(&loader, &play.name, &registry, &options) {
        Ok(loaded) => loaded,
        Err(failed) => {
            tell_diagnostics(context, &failed.diagnostics, &failed.sources);
            return Exit::Invalid;
        }
    };
    if !loaded.warnings.is_empty() && !context.common.json && !context.common.quiet {
        mention(&play.name, &loaded.warnings);
    }
    let what = match &loaded.plan.root_unit().playbook.contents {
        Contents::Steps(_) => "a procedure",
        Contents::Checks(_) => "a checklist",
        Contents::Triage(_) => "a triage tree",
    };
    let of_trees = [(play.options.remedy.is_some(), "--remedy"), (play.options.step, "--step")];
    if let Some((_, flag)) = of_trees.iter().find(|(given, _)| *given && what != "a triage tree") {
        let help = format!("run it without it: `runbook play {}`", play.name);
        complain(context, &format!("{flag} is for triage trees, and `{}` is {what}; nothing was run", play.name), Some(&help));
        return Exit::Usage;
    }
    if want == Want::Tree && what != "a triage tree" {
        let command = invocation(context, &play, &loaded.plan, Want::Anything);
        complain(
            context,
            &format!("`{}` is {what}, not a triage tree; nothing was run", play.name),
            Some(&format!("run it with `{command}`; `runbook list` shows which playbooks are trees")),
        );
        return Exit::Invalid;
    }
    if let Some(resumed) = resumed.as_ref().filter(|r| r.digest != loaded.plan.digest) {
        complain(
            context,
            &format!("`{}` or what it needs was changed since the session {} was left; nothing was run", play.name, resumed.run),
            Some(&format!(
                "begin anew with `{}`; `runbook answers {} > answers.yaml` keeps what was answered, for --answers",
                invocation(context, &play, &loaded.plan, Want::Tree),
                resumed.run
            )),
        );
        return Exit::Refused;
    }
    let state = match context.state() {
        Ok(state) => state,
        Err(message) => {
            complain(context, &message, Some("name a folder with --state DIR"));
            return Exit::Invalid;
        }
    };
    let file = match answers::given(context, &loader, &loaded.plan, &registry) {
        Ok(file) => file,
        Err(exit) => return exit,
    };
    let root = loader.root().to_owned();
    // One thread walks; modules wait for the world on it. A second one would only cost wake-ups.
    // Whenever the thread is about to wait, what the sink kept back is written.
    let waiting: Arc<OnceLock<Weak<Sink>>> = Arc::default();
    let sink = waiting.clone();
    let before_waiting = move || {
        if let Some(sink) = sink.get().and_then(Weak::upgrade) {
            sink.flush();
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(before_waiting).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(context, &format!("the engine cannot start: {error}"), None);
            return Exit::Internal;
        }
    };
    let plan = Arc::new(loaded.plan);
    let answered: HashSet<String> = file.answers.keys().chain(file.confirms.keys()).cloned().collect();
    let typed = Typed { play: &play, want, waiting, resumed };
    let exit = runtime.block_on(go(context, typed, plan.clone(), &registry, &root, &state, file));
    runtime.shutdown_background();
    // Who sat there left on purpose, and was told how to come back.
    if exit == Exit::InputNeeded && !context.can_ask() {
        let answered = answered.into_iter().chain(play.options.param.iter().map(|(name, _)| name.clone())).collect();
        answers::tell_missing(context, &plan, &registry, &answered);
    }
    exit
}

/// The command as it was typed, so that it can be pasted with one flag more. Secret parameters are left out.
fn invocation(context: &Context, play: &Play, plan: &Plan, want: Want) -> String {
    let quote = runbook_core::expr::shell_quote;
    let mut words = vec![want.command().to_owned(), quote(&play.name)];
    let secret = |name: &str| {
        let params = &plan.root_unit().playbook.params;
        params.iter().any(|p| p.name.value == name && p.ty == runbook_core::model::ParamType::Secret)
    };
    for (flag, values) in
        [("--param", &play.options.param), ("--answer", &context.common.answer), ("--confirm", &context.common.confirm)]
    {
        for (name, value) in values.iter().filter(|(name, _)| flag != "--param" || !secret(name)) {
            words.push(format!("{flag} {}", quote(&format!("{name}={value}"))));
        }
    }
    if let Some(file) = &context.common.answers {
        words.push(format!("--answers {}", quote(&file.to_string_lossy())));
    }
    if let Some(profile) = &play.options.profile {
        words.push(format!("--profile {}", quote(profile)));
    }
    if let Some(remedy) = play.options.remedy.and_then(|r| r.to_possible_value()).filter(|_| want == Want::Tree) {
        words.push(format!("--remedy {}", remedy.get_name()));
    }
    if play.options.detailed_exitcode {
        words.push("--detailed-exitcode".to_owned());
    }
    if context.common.yes {
        words.push("--yes".to_owned());
    }
    words.join(" ")
}

/// The values of the environment variables that the plan's playbooks declare, and which of them are secret.
fn declared_env(context: &Context, plan: &Plan, redactor: &Redactor) -> HashMap<String, String> {
    let mut out = HashMap::new();
    for unit in plan.units.values() {
        for name in unit.system.env.iter().chain(&unit.playbook.env) {
            if let Some(value) = context.env.get(&name.name.value) {
                out.insert(name.name.value.clone(), value.clone());
                if !name.plain {
                    redactor.learn(&name.name.value, value);
                }
            }
        }
    }
    out
}

async fn go(
    context: &Context,
    Typed { play, want, waiting, resumed }: Typed<'_>,
    plan: Arc<Plan>,
    registry: &Registry,
    root: &Path,
    state: &Path,
    file: FileAnswers,
) -> Exit {
    let redactor = Redactor::default();
    let run = new_run_id(Timestamp::now());
    let given = Inputs {
        run: run.clone(),
        operator: context.operator(),
        host: context.host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        params: play.options.param.clone(),
        env: declared_env(context, &plan, &redactor),
        state: state.display().to_string(),
        invocation: invocation(context, play, &plan, want),
        detailed_exit: play.options.detailed_exitcode,
        resumes: resumed.as_ref().map(|r| r.run.clone()),
        step: play.options.step,
        profile: play.options.profile.clone(),
        root: root.to_owned(),
        program: std::env::current_exe().map(|p| p.display().to_string()).unwrap_or_else(|_| "runbook".to_owned()),
    };
    for param in &plan.root_unit().playbook.params {
        if param.ty == runbook_core::model::ParamType::Secret
            && let Some((_, value)) = play.options.param.iter().find(|(n, _)| *n == param.name.value)
        {
            redactor.learn(&param.name.value, value);
        }
    }
    let wish = match runbook_runtime::lock_wish(plan.clone(), registry, &given) {
        // What changes nothing locks nobody out.
        Ok(wish) => wish.filter(|_| !play.options.dry_run),
        Err(mistakes) => return invalid(context, &plan, &mistakes),
    };
    let held = wish.as_ref().map(|w| w.name.clone());
    let _lock = match wish {
        Some(wish) => match take_lock(context, play, &given, &plan, wish, state) {
            Ok(lock) => Some(lock),
            Err(exit) => return exit,
        },
        None => None,
    };
    let journal = match JournalWriter::create(&state.join("runs"), &run) {
        Ok(journal) => journal,
        Err(error) => {
            let help = "nothing was run; free space or give another folder with --state DIR";
            complain(context, &format!("the journal of the run cannot be written in {}: {error}", state.display()), Some(help));
            return Exit::Internal;
        }
    };
    let output = Output::new(context);
    let listener = output.clone();
    let sink = Arc::new(Sink::new(Some(journal), redactor, Box::new(move |record| listener.record(record))));
    if waiting.set(Arc::downgrade(&sink)).is_ok() {
        sink.gather();
    }
    let stop = Stop::default();
    let progress_sink = Arc::downgrade(&sink);
    let host = Arc::new(LiveHost::new(stop.clone(), context.env_map(), move |path, text| {
        if let (Some(sink), Ok(path)) = (progress_sink.upgrade(), serde_json::from_value(serde_json::Value::from(path))) {
            let _ = sink.record(Timestamp::now(), Event::StepProgress { path, text: text.to_owned() }, false);
        }
    }));
    watch(context, &stop, &host, &sink, play.options.timeout);
    let answers = Answers::new(
        context.common.yes,
        context.common.answer.iter().cloned().collect(),
        context.common.confirm.iter().cloned().collect(),
    )
    .with_file(file)
    .with_remedy(play.options.remedy.map(|r| match r {
        RemedyArg::DryRun => RemedyChoice::DryRun,
        RemedyArg::Run => RemedyChoice::Run,
        RemedyArg::Leave => RemedyChoice::Leave,
    }))
    .with_resumed(resumed.map(|r| r.answers).unwrap_or_default());
    let operator = context.can_ask().then(|| {
        let (plan, registry) = (plan.clone(), registry.clone());
        let draw = move |way: &[&str], here: &str, policy: &TermPolicy| {
            let given = runbook_core::inputs::Given::default();
            let picture = Picture::of(&plan, &registry, &Known::new(plan.root_unit(), &given));
            picture.text_with_way(policy, way, Some(here))
        };
        let (output, run) = (output.clone(), run.clone());
        Box::new(Prompt { output, run, policy: context.err, draw: Arc::new(draw) }) as Box<dyn runbook_runtime::live::Operator>
    });
    let world = LiveWorld::new(LiveOptions {
        registry: registry.clone(),
        host,
        sink: sink.clone(),
        stop,
        answers,
        operator,
        root: root.to_owned(),
        state: state.to_owned(),
        holder: holder(&given, &plan),
        lock_wait: play.options.lock_timeout.unwrap_or_default(),
        held,
    });
    let ticking = output.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ticking.tick(Timestamp::now());
        }
    });
    let result = if play.options.dry_run {
        runbook_runtime::run(plan.clone(), registry, &DryWorld::of_a_run(&world), given).await
    } else {
        runbook_runtime::run(plan.clone(), registry, &world, given).await
    };
    output.finish();
    for id in world.unused_answers() {
        complain(context, &format!("the answer to `{id}` was not asked for"), None);
    }
    match result {
        Ok(result) => {
            if let Some(lost) = sink.lost() {
                complain(context, &lost, Some("the run stopped before its next change; what was done is listed above"));
                return Exit::Internal;
            }
            result.exit
        }
        Err(mistakes) => {
            let _ = std::fs::remove_file(state.join("runs").join(format!("{run}.jsonl")));
            invalid(context, &plan, &mistakes)
        }
    }
}

fn invalid(context: &Context, plan: &Plan, mistakes: &[String]) -> Exit {
    let name = &plan.root_unit().playbook.name;
    for mistake in mistakes {
        complain(context, mistake, Some(&format!("`runbook show {name}` lists its parameters; nothing was run")));
    }
    Exit::Invalid
}

/// Who this run is to those who wait for its lock.
fn holder(given: &Inputs, plan: &Plan) -> Holder {
    Holder {
        run: given.run.clone(),
        playbook: plan.root.clone(),
        pid: std::process::id(),
        operator: given.operator.clone(),
        since: Timestamp::now(),
    }
}

fn take_lock(context: &Context, play: &Play, given: &Inputs, plan: &Plan, wish: LockWish, state: &Path) -> Result<Lock, Exit> {
    let wait = play.options.lock_timeout.or(wish.wait).unwrap_or(Duration::ZERO);
    Lock::take(&state.join("locks"), &wish.name, &holder(given, plan), wait).map_err(|error| {
        let (help, exit) = match &error {
            LockError::Held(held) => {
                let end =
                    held.as_ref().map(|h| format!(", or end it as by Ctrl-C with `kill -INT {}`", h.pid)).unwrap_or_default();
                (format!("wait for it to end{end}, or wait here with --lock-timeout 5m; nothing was changed"), Exit::Refused)
            }
            LockError::Io(_) => ("give a folder you may write with --state DIR".to_owned(), Exit::Internal),
        };
        complain(context, &error.words(&wish.name), Some(&help));
        exit
    })
}

/// Listens for signals and the time limit: the first stop is orderly, the second ends everything.
fn watch(context: &Context, stop: &Stop, host: &Arc<LiveHost>, sink: &Arc<Sink>, limit: Option<Duration>) {
    let (first_sink, first_host) = (sink.clone(), host.clone());
    let listening = listen(stop, move |reason, times| {
        if times == 1 {
            let waiting_for = first_host.running();
            let _ = first_sink.record(Timestamp::now(), Event::Stopping { reason, waiting_for }, false);
            return;
        }
        first_host.kill_all();
        crate::operator::keys::restore();
        let exit = match reason {
            StopReason::Terminate => Exit::Terminated,
            StopReason::Hangup => Exit::Hangup,
            _ => Exit::Interrupted,
        };
        let _ = first_sink.record(Timestamp::now(), Event::Killed { reason }, true);
        std::process::exit(i32::from(exit.code()));
    });
    if let Err(error) = listening {
        complain(context, &format!("signals cannot be handled: {error}"), None);
    }
    if let Some(limit) = limit {
        let (stop, sink, host) = (stop.clone(), sink.clone(), host.clone());
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            stop.ask(StopReason::TimeLimit);
            let event = Event::Stopping { reason: StopReason::TimeLimit, waiting_for: host.running() };
            let _ = sink.record(Timestamp::now(), event, false);
        });
    }
}
