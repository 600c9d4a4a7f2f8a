use std::io::Write;
use std::sync::{Arc, Mutex};

use runbook_report::{Level, Reporter, TermPolicy, TerminalReporter};

use crate::golden::{fits, golden};
use crate::script::{self, Script};

#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("lock").clone()).expect("UTF-8")
    }
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn policy(width: usize, unicode: bool, color: bool) -> TermPolicy {
    TermPolicy { color, terminal: true, ..TermPolicy::text(width, unicode) }
}

fn show(script: &Script, policy: TermPolicy, level: Level) -> String {
    let sink = Sink::default();
    let mut reporter = TerminalReporter::still(sink.clone(), policy, level);
    script.records.iter().for_each(|r| reporter.record(r));
    reporter.finish();
    sink.text()
}

#[test]
fn runs_look_as_they_should() {
    let scripts = [
        ("stack-start", script::stack_start()),
        ("failing", script::failing()),
        ("checklist", script::checklist()),
        ("dry-run", script::dry_run()),
        ("stack-fails", script::stack_fails()),
    ];
    for (name, script) in &scripts {
        for width in [40, 80, 120] {
            let text = show(script, policy(width, true, false), Level::Normal);
            fits(&text, width);
            golden(&format!("{name}-{width}.txt"), &text);
        }
        let ascii = show(script, policy(80, false, false), Level::Normal);
        fits(&ascii, 80);
        golden(&format!("{name}-80-ascii.txt"), &ascii);
        let color = show(script, policy(80, true, true), Level::Normal);
        fits(&color, 80);
        assert_eq!(console::strip_ansi_codes(&color), show(script, policy(80, true, false), Level::Normal));
        let quiet = show(script, policy(80, true, false), Level::Quiet);
        golden(&format!("{name}-quiet.txt"), &quiet);
        let verbose = show(script, policy(80, true, false), Level::Verbose(1));
        fits(&verbose, 80);
        golden(&format!("{name}-verbose.txt"), &verbose);
        for width in [30, 35, 59, 60, 61, 200] {
            fits(&show(script, policy(width, true, false), Level::Verbose(2)), width);
        }
    }
}
