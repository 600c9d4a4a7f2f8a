//! The live lines, drawn to a terminal made of a grid.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressDrawTarget, TermLike};
use runbook_report::{Level, Reporter, TermPolicy, TerminalReporter};

use crate::golden::fits;
use crate::script;

#[derive(Debug, Default)]
struct Grid {
    rows: Vec<String>,
    row: usize,
    column: usize,
}

/// As much of a terminal as the drawing uses. It never scrolls away what was written.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<Grid>>);

impl Screen {
    fn text(&self) -> String {
        let grid = self.0.lock().expect("lock");
        grid.rows.iter().map(|r| r.trim_end()).collect::<Vec<_>>().join("\n")
    }

    fn put(&self, text: &str) {
        let mut grid = self.0.lock().expect("lock");
        for c in console::strip_ansi_codes(text).chars() {
            if c == '\r' {
                grid.column = 0;
                continue;
            }
            // A terminal wraps when something is to be written after the last column.
            if c == '\n' || grid.column == 80 {
                grid.row += 1;
                grid.column = 0;
            }
            if c == '\n' {
                continue;
            }
            let (row, column) = (grid.row, grid.column);
            while grid.rows.len() <= row {
                grid.rows.push(String::new());
            }
            let mut line: Vec<char> = grid.rows[row].chars().collect();
            line.resize(line.len().max(column + 1), ' ');
            line[column] = c;
            grid.rows[row] = line.into_iter().collect();
            grid.column += 1;
        }
    }
}

impl io::Write for Screen {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.put(std::str::from_utf8(buf).expect("whole characters"));
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        80
    }
    fn height(&self) -> u16 {
        24
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let mut grid = self.0.lock().expect("lock");
        grid.row = grid.row.saturating_sub(n);
        Ok(())
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.lock().expect("lock").row += n;
        Ok(())
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.lock().expect("lock").column += n;
        Ok(())
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        let mut grid = self.0.lock().expect("lock");
        grid.column = grid.column.saturating_sub(n);
        Ok(())
    }
    fn write_line(&self, s: &str) -> io::Result<()> {
        self.put(s);
        self.put("\n");
        Ok(())
    }
    fn write_str(&self, s: &str) -> io::Result<()> {
        self.put(s);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        let mut grid = self.0.lock().expect("lock");
        let row = grid.row;
        grid.column = 0;
        if let Some(line) = grid.rows.get_mut(row) {
            line.clear();
        }
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn live(level: Level) -> (TerminalReporter, Screen) {
    let screen = Screen::default();
    let policy = TermPolicy { animate: true, terminal: true, ..TermPolicy::text(80, true) };
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    (TerminalReporter::live(target, screen.clone(), policy, level), screen)
}

#[test]
fn services_run_at_once() {
    let script = script::stack_start();
    let (mut reporter, screen) = live(Level::Normal);
    // Up to the moment when four services wait for their pages and two for others.
    let until = script.records.iter().position(|r| {
        format!("{:?}", r.event).contains("StepFinished") && format!("{:?}", r.event).contains("steps[2]@memory-engine")
    });
    for record in &script.records[..until.expect("memory-engine ends")] {
        reporter.record(record);
    }
    std::thread::sleep(Duration::from_millis(350));
    let text = screen.text();
    fits(&text, 80);
    assert!(text.contains("✓ Disk has room"), "{text}");
    assert!(text.contains("Start the services") && text.contains("2 done"), "{text}");
    assert!(text.contains("waiting for memory-engine"), "{text}");
    assert!(text.contains("attempt 2 · last: connection refused"), "{text}");
    for record in &script.records[until.expect("memory-engine ends")..] {
        reporter.record(record);
    }
    reporter.finish();
    let text = screen.text();
    assert!(!text.contains("waiting for"), "{text}");
    assert!(text.trim_end().ends_with("next: runbook run sonia/service-health"), "{text}");
}

#[test]
fn live_and_recorded_are_the_same() {
    for script in [script::stack_start(), script::failing(), script::checklist(), script::dry_run()] {
        let (mut reporter, screen) = live(Level::Normal);
        script.records.iter().for_each(|r| reporter.record(r));
        reporter.finish();
        let recorded = runbook_report::runs::show(&script.records, &TermPolicy::text(80, true), Level::Normal);
        assert_eq!(screen.text().trim_end(), recorded.trim_end());
    }
}

#[test]
fn nothing_is_drawn_while_suspended() {
    let script = script::failing();
    let (mut reporter, screen) = live(Level::Normal);
    script.records[..7].iter().for_each(|r| reporter.record(r));
    std::thread::sleep(Duration::from_millis(150));
    assert!(screen.text().contains("wait-db"));
    let suspender = reporter.suspender();
    suspender.suspend(|| {
        let before = screen.text();
        assert!(!before.contains("wait-db"), "{before}");
        // Reporting does not wait for the answer.
        script.records[7..].iter().for_each(|r| reporter.record(r));
        std::thread::sleep(Duration::from_millis(250));
        assert_eq!(screen.text(), before);
    });
    assert!(screen.text().contains("✗ wait-db"), "{}", screen.text());
    reporter.finish();
}

#[test]
fn at_most_eight_lines_live() {
    let (mut reporter, screen) = live(Level::Normal);
    let mut script = script::Script::new("a/b", "Many", &[("steps[1]", "Many at once")], false, false);
    script.start(&script::At("steps[1]", "", "Many at once", "parallel", None, true));
    for i in 0..30 {
        let path = format!("steps[1].parallel[{}]", i + 1);
        script.start(&script::At(&path, "steps[1]", &format!("child {i}"), "http", None, false));
    }
    script.records.iter().for_each(|r| reporter.record(r));
    std::thread::sleep(Duration::from_millis(250));
    let text = screen.text();
    assert!(text.contains("… and 24 more"), "{text}");
    assert_eq!(text.lines().filter(|l| !l.is_empty()).count(), 2 + 8, "{text}");
    reporter.finish();
}
