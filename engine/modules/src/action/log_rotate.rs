//! `log.rotate`: puts a log aside and begins a new one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_line, hand_word,
};
use runbook_core::value::{Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::process_signal::{self, ProcessSignal};
use crate::support::archive::write::free_place;
use crate::support::args::yes;
use crate::support::atomic::{Draft, sync_folder};
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::paths::{fault, parent, resolve, resource, tidy};
use crate::support::tree::many;

pub(crate) struct LogRotate;

/// Puts a log aside under a name with the time, and begins a new one.
///
/// By default the log is copied and then emptied, since most services keep it open: they go on writing into the same file. What is written between the last look
/// and the emptying is lost; to lose nothing, write `signal`, with which a service that has a handler for it opens its log anew. Then the log is renamed, the signal
/// sent, and nothing is ever copied while it is written.
///
/// The old log is `NAME.20260215T142345Z.gz` beside it, in UTC, and never takes the name of another. Of those the `keep` newest stay and the others are deleted, so that the
/// step asks before it runs; with `keep: null` none is. Nothing changes if the log is missing, empty, or smaller than `min_size`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The log; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// Only if it is at least so large. Default: any size but 0.
    #[serde(default)]
    min_size: Option<Size>,
    /// Whether to compress the old log. Default: true.
    #[serde(default = "yes")]
    gzip: bool,
    /// How many old logs stay, the newest; null for all. Default: 7.
    #[serde(default = "seven")]
    keep: Option<u32>,
    /// Rename the log and send this signal, as `process.signal` does: `{pid_file: run/nginx.pid, signal: USR1, expect_command: nginx}`. Default: none, and the
    /// log is copied and emptied.
    #[serde(default)]
    signal: Option<process_signal::Args>,
}

fn seven() -> Option<u32> {
    Some(7)
}

/// What was put aside.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The log, as an absolute path.
    path: String,
    /// Where the old log is; null if nothing was put aside.
    to: Option<String>,
    /// How large the old log was.
    size: Size,
    /// The old logs that were deleted.
    deleted: Vec<String>,
    /// Whether a signal was sent.
    signalled: bool,
}

struct Task {
    path: PathBuf,
    size: u64,
    /// Why there is nothing to do.
    idle: Option<String>,
    to: PathBuf,
    old: Vec<PathBuf>,
    gzip: bool,
}

/// The old logs of a log, the newest first.
fn old_logs(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = parent(path);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| fault(folder, &e))? {
        let entry = entry.map_err(|e| fault(folder, &e))?;
        let other = entry.file_name().to_string_lossy().into_owned();
        let stamp = other.strip_prefix(&name).and_then(|r| r.strip_prefix('.')).map(|r| r.strip_suffix(".gz").unwrap_or(r));
        if stamp.is_some_and(is_stamp) && entry.file_type().is_ok_and(|t| t.is_file()) {
            found.push(entry.path());
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Whether a text is `20260215T142345Z`, perhaps with a number.
fn is_stamp(text: &str) -> bool {
    let (stamp, number) = text.split_once('-').unwrap_or((text, "1"));
    let b = stamp.as_bytes();
    b.len() == 16
        && b[8] == b'T'
        && b[15] == b'Z'
        && b[..8].iter().chain(&b[9..15]).all(u8::is_ascii_digit)
        && !number.is_empty()
        && number.bytes().all(|d| d.is_ascii_digit())
}

impl Task {
    fn look(path: &Path, min_size: Option<Size>, gzip: bool, keep: Option<u32>, now: Timestamp) -> Result<Task, Fault> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ending = if gzip { ".gz" } else { "" };
        let mut task = Task { path: path.to_owned(), size: 0, idle: None, to: PathBuf::new(), old: Vec::new(), gzip };
        match crate::support::paths::look(path)? {
            None => task.idle = Some(format!("{} does not exist", path.display())),
            Some(meta) if !meta.is_file() => {
                return Err(Fault::refused(format!(
                    "{} is not a regular file; write the path of the log itself",
                    path.display()
                )));
            }
            Some(meta) => {
                task.size = meta.len();
                if meta.len() == 0 {
                    task.idle = Some(format!("{} is empty", path.display()));
                } else if min_size.is_some_and(|s| meta.len() < s.0) {
                    task.idle = Some(format!("{} has only {}", path.display(), format_size(meta.len())));
                }
            }
        }
        if task.idle.is_none() {
            let stamp = now.strftime("%Y%m%dT%H%M%SZ");
            task.to = free_place(parent(path), &format!("{name}.{stamp}"), ending);
            if let Some(keep) = keep {
                // The one that is made now counts.
                task.old = old_logs(path)?.into_iter().skip((keep as usize).saturating_sub(1)).collect();
            }
        }
        Ok(task)
    }

    /// Copies the log as far as it goes and empties it.
    fn copy_and_empty(&self, stop: &Stop) -> Result<u64, Fault> {
        let io = |e: std::io::Error| fault(&self.path, &e);
        let mut log = File::options().read(true).write(true).open(&self.path).map_err(io)?;
        let mut draft = Draft::new(&self.to)?;
        draft.take_after(&log.metadata().map_err(io)?)?;
        let copied = pack(&mut log, draft.file(), self.gzip, stop).map_err(|e| e.at(&self.path))?;
        draft.put_new()?;
        log.set_len(0).map_err(io)?;
        Ok(copied)
    }

    /// Compresses what was renamed.
    fn compress(&self, aside: &Path, stop: &Stop) -> Result<(), Fault> {
        let mut log = File::open(aside).map_err(|e| fault(aside, &e))?;
        let mut draft = Draft::new(&self.to)?;
        draft.take_after(&log.metadata().map_err(|e| fault(aside, &e))?)?;
        pack(&mut log, draft.file(), true, stop).map_err(|e| e.at(aside))?;
        draft.put_new()?;
        std::fs::remove_file(aside).map_err(|e| fault(aside, &e))
    }

    fn prune(&self) -> Result<Vec<String>, Fault> {
        let mut deleted = Vec::new();
        for old in &self.old {
            match std::fs::remove_file(old) {
                Ok(()) => deleted.push(old.display().to_string()),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(fault(old, &e)),
            }
        }
        sync_folder(parent(&self.path));
        Ok(deleted)
    }
}

fn pack(log: &mut File, out: &mut File, gzip: bool, stop: &Stop) -> Result<u64, crate::support::scan::StreamError> {
    use crate::support::scan::StreamError as E;
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    loop {
        stop.check().map_err(E::Stopped)?;
        let n = log.read(&mut buffer).map_err(E::Io)?;
        if n == 0 {
            break;
        }
        total += n as u64;
        if gzip {
            encoder.write_all(&buffer[..n]).map_err(E::Io)?;
            out.write_all(encoder.get_ref()).map_err(E::Io)?;
            encoder.get_mut().clear();
        } else {
            out.write_all(&buffer[..n]).map_err(E::Io)?;
        }
    }
    if gzip {
        let rest = encoder.finish().map_err(E::Io)?;
        out.write_all(&rest).map_err(E::Io)?;
    }
    Ok(total)
}

async fn task(args: &Args, cx: &Cx<'_>) -> Result<Task, Fault> {
    let path = resolve(cx, "path", &args.path)?;
    let (min_size, gzip, keep, now) = (args.min_size, args.gzip, args.keep, cx.now());
    blocking(cx.timeout, move |_| {
        // What a link points to is the log.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        Task::look(&path, min_size, gzip, keep, now)
    })
    .await
}

impl Action for LogRotate {
    const NAME: &'static str = "log.rotate";
    const MAIN: Option<&'static str> = Some("path");
    const SAYS: &'static str = "{{ 'put aside as ' ~ to if to else 'nothing to do' }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A log that is too large",
            yaml: "log.rotate: { path: logs/services/gateway.out.log, min_size: 100MB }\n",
            runs: false,
        },
        Example {
            title: "The log of nginx, without losing a line",
            yaml: "log.rotate:\n  path: /var/log/nginx/access.log\n  signal: { pid_file: /run/nginx.pid, signal: USR1, expect_command: nginx }\n  keep: 14\n",
            runs: false,
        },
        Example { title: "Nothing is there yet", yaml: "log.rotate: '{tmp}/api.log'\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let stamp = "\"$(date -u +%Y%m%dT%H%M%SZ)\"";
        let signal = args.inside("signal");
        let mut hand = match signal.text("signal") {
            Some(name) => {
                let pid = match (signal.text("pid"), signal.text("pid_file")) {
                    (Some(pid), _) => hand_word(&pid),
                    (_, Some(file)) => format!("\"$(cat {})\"", by_hand::path_word(&file)),
                    _ => "'<pid>'".to_owned(),
                };
                ByHand::run(format!("mv -n {path} {path}.{stamp}")).and(format!("kill -s {} {pid}", hand_word(&name)))
            }
            None => ByHand::run(format!("cp -p {path} {path}.{stamp} && truncate -s 0 {path}")),
        };
        if args.flag("gzip", true) {
            hand = hand.and(format!("gzip {path}.*Z"));
        }
        hand = hand.and(hand_line(["ls", "-l", "-t"]) + &format!(" {path}.*"));
        match args.text("keep") {
            Some(keep) => hand.note(format!("Only the newest {keep} of these stay.")),
            None => hand.note("Only the newest 7 of these stay."),
        }
    }

    fn effect(args: &Args) -> Effect {
        if args.keep.is_some() { Effect::Destroy } else { Effect::Change }
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::changes([resource(&args.path)]).needing(Need::Write(tidy(&args.path)));
        if args.signal.is_some() { touches.needing(Need::Signal) } else { touches }
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.keep == Some(0) {
            return Err(Fault::invalid(
                "keep",
                "the log that is put aside now would be deleted; to empty a log use `file.prune` with `truncate`",
            ));
        }
        args.signal.as_ref().map_or(Ok(()), ProcessSignal::check)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let task = task(args, cx).await?;
        if let Some(idle) = task.idle {
            return Ok(Forecast::nothing(idle));
        }
        let mut because = format!("it has {}", format_size(task.size));
        if let Some(signal) = &args.signal {
            because = format!("{because}; {}", ProcessSignal::plan(signal, cx).await?.summary);
        }
        if !task.old.is_empty() {
            because = format!("{because}; {} are deleted", many(task.old.len() as u64, "older log"));
        }
        Ok(Forecast::would(format!("put {} aside as {}", task.path.display(), task.to.display()), because))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let task = task(args, cx).await?;
        let mut out =
            Out { path: task.path.display().to_string(), to: None, size: Size(0), deleted: Vec::new(), signalled: false };
        if task.idle.is_some() {
            return Ok(Done::unchanged(out));
        }
        out.to = Some(task.to.display().to_string());
        let Some(signal) = &args.signal else {
            let (size, deleted) = blocking(cx.timeout, move |stop| Ok((task.copy_and_empty(stop)?, task.prune()?))).await?;
            (out.size, out.deleted) = (Size(size), deleted);
            return Ok(Done::changed(out));
        };
        // Whoever is to be signalled must be there before anything is moved.
        ProcessSignal::plan(signal, cx).await?;
        let aside = if task.gzip {
            free_place(parent(&task.path), &task.to.with_extension("").file_name().unwrap_or_default().to_string_lossy(), "")
        } else {
            task.to.clone()
        };
        let before = std::fs::metadata(&task.path).map_err(|e| fault(&task.path, &e))?;
        std::fs::rename(&task.path, &aside).map_err(|e| fault(&task.path, &e))?;
        if let Err(f) = ProcessSignal::apply(signal, cx).await {
            // The service still writes into it: it gets its name back, unless a new log was begun.
            if std::fs::symlink_metadata(&task.path).is_err() {
                let _ = std::fs::rename(&aside, &task.path);
            }
            return Err(f);
        }
        out.signalled = true;
        // It has opened its log anew when there is one.
        let began = std::time::Instant::now();
        let patience = cx.timeout.unwrap_or(std::time::Duration::from_secs(10)).min(std::time::Duration::from_secs(10));
        while std::fs::metadata(&task.path).is_ok_and(|m| m.ino() == before.ino())
            || std::fs::symlink_metadata(&task.path).is_err()
        {
            if began.elapsed() >= patience {
                return Err(Fault::unmet(format!(
                    "{} was renamed to {} and the signal sent, but no new log was begun; the service still writes into the old one",
                    task.path.display(),
                    aside.display()
                )));
            }
            cx.sleep(std::time::Duration::from_millis(20)).await;
        }
        let (size, deleted) = blocking(cx.timeout, move |stop| {
            let size = std::fs::metadata(&aside).map_err(|e| fault(&aside, &e))?.len();
            if task.gzip {
                task.compress(&aside, stop)?;
            }
            Ok((size, task.prune()?))
        })
        .await?;
        (out.size, out.deleted) = (Size(size), deleted);
        Ok(Done::changed(out))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args, eventually};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        let args: Args = args(json);
        LogRotate::check(&args)?;
        LogRotate::apply(&args, &host.change()).await
    }

    fn logs(host: &TestHost) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(host.root())
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|n| n.contains(".log"))
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_log_is_copied_and_emptied_and_old_ones_go() {
        let host = TestHost::new();
        for n in 1..=3 {
            host.write(&format!("api.log.2026021{n}T000000Z.gz"), "old");
        }
        host.write("api.log.notes", "kept");
        host.write("api.log", "one\ntwo\n");
        let mut open = File::options().append(true).open(host.file("api.log")).unwrap();
        let asked = json!({ "path": "api.log", "keep": 2, "gzip": false });
        let forecast = LogRotate::plan(&args(asked.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.because.contains("2 older logs") && logs(&host).len() == 5);
        let out = apply(&host, asked.clone()).await.unwrap().out;
        assert_eq!((out.size, out.deleted.len()), (Size(8), 2));
        assert_eq!(std::fs::read_to_string(out.to.unwrap()).unwrap(), "one\ntwo\n");
        // Who has it open goes on writing into it.
        open.write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(host.file("api.log")).unwrap(), "three\n");
        assert!(host.file("api.log.notes").exists() && host.file("api.log.20260213T000000Z.gz").exists());
        let two = apply(&host, json!({ "path": "api.log" })).await.unwrap().out;
        assert!(two.to.unwrap().ends_with(".gz"));
        assert!(!apply(&host, json!({ "path": "api.log" })).await.unwrap().changed, "it is empty");
        open.write_all(b"x\n").unwrap();
        assert!(!apply(&host, json!({ "path": "api.log", "min_size": "1KB" })).await.unwrap().changed);
    }

    #[tokio::test]
    async fn a_service_opens_its_log_anew() {
        let host = TestHost::new();
        let script = "trap 'exec >>api.log' USR1; exec >>api.log; echo begun; while :; do sleep 0.05; done";
        let mut child = std::process::Command::new("sh").args(["-c", script]).current_dir(host.root()).spawn().unwrap();
        host.write("pid", child.id().to_string());
        eventually("it writes", || std::fs::read(host.file("api.log")).ok().filter(|t| !t.is_empty())).await;
        let done = apply(
            &host,
            json!({ "path": "api.log", "signal": { "pid_file": "pid", "signal": "USR1", "expect_command": "api.log" } }),
        )
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        let out = done.unwrap().out;
        assert!(out.signalled && out.to.as_ref().unwrap().ends_with(".gz") && host.file("api.log").exists());
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(out.to.unwrap()).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "begun\n");
        // With nobody to signal nothing is moved.
        host.write("api.log", "x");
        let before = logs(&host);
        assert!(
            apply(
                &host,
                json!({ "path": "api.log", "signal": { "pid_file": "pid", "signal": "USR1", "expect_command": "api.log" } })
            )
            .await
            .is_err()
        );
        assert_eq!(logs(&host), before);
    }

    #[tokio::test]
    async fn what_is_no_log_stays() {
        let host = TestHost::new();
        host.write("d/x", "");
        assert!(matches!(apply(&host, json!({ "path": "d" })).await, Err(Fault::Refused { .. })));
        assert!(matches!(apply(&host, json!({ "path": "a", "keep": 0 })).await, Err(Fault::Invalid { .. })));
        assert!(!apply(&host, json!({ "path": "gone.log" })).await.unwrap().changed);
    }
}
