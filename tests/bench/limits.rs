//! The physical limits: what the machine takes for the bare thing, without an engine around it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::project::Project;
use crate::timing::timed;

/// Spawns `true` and waits for it, so many times, as the standard library does it; returns milliseconds.
pub(crate) fn spawn_loop(count: usize) -> f64 {
    timed(|| {
        for _ in 0..count {
            let status = Command::new("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(status.success());
        }
    })
}

/// The same with two durable lines before and after each, as a journal written ahead needs them.
pub(crate) fn spawn_and_sync_loop(folder: &Path, count: usize) -> f64 {
    let mut file = fresh(folder);
    timed(|| {
        for _ in 0..count {
            file.write_all(LINE).unwrap();
            file.sync_data().unwrap();
            let status = Command::new("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(status.success());
            file.write_all(LINE).unwrap();
            file.sync_data().unwrap();
        }
    })
}

/// The C program that spawns in a loop, if there is a compiler.
pub(crate) fn c_spawn_loop(project: &Project) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/spawn_loop.c");
    let program = project.path("spawn_loop");
    let status = Command::new("cc").arg("-O2").arg("-o").arg(&program).arg(source).status().ok()?;
    status.success().then_some(program)
}

/// A line as long as a common record.
pub(crate) const LINE: &[u8] = &{
    let mut line = [b'x'; 384];
    line[383] = b'\n';
    line
};

/// Appends so many lines, one write each, each made durable or none; returns milliseconds.
pub(crate) fn write_loop(folder: &Path, count: usize, durable: bool) -> f64 {
    let mut file = fresh(folder);
    timed(|| {
        for _ in 0..count {
            file.write_all(LINE).unwrap();
            if durable {
                file.sync_data().unwrap();
            }
        }
    })
}

/// Writes a text's lines, one write each; returns milliseconds.
pub(crate) fn write_lines(folder: &Path, text: &str) -> f64 {
    let mut file = fresh(folder);
    timed(|| {
        for line in text.split_inclusive('\n') {
            file.write_all(line.as_bytes()).unwrap();
        }
    })
}

fn fresh(folder: &Path) -> File {
    let path = folder.join("limit");
    let _ = std::fs::remove_file(&path);
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}
