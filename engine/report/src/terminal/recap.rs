//! The first lines of a run and the last ones.

use runbook_core::event::{Event, GradeWord, Input, Outcome, RunOutcome};
use runbook_core::value::Value;

use super::steps::{Steps, count_words};
use super::view::{Head, Layout};
use crate::human;
use crate::ink::{Ink, Line, wrap};
use crate::reporter::Level;
use crate::runs::short_id;

/// `▶ sonia/stack-start  run 7f3a  service=eva-os  6 steps`, and the title below.
pub(super) fn header(layout: &Layout, head: &Head, title: &str, inputs: &[Input], total: usize, out: &mut Vec<Line>) {
    let width = layout.policy.width;
    let mut line = Line::of(Ink::Accent, layout.glyphs.start).with(Ink::Plain, " ");
    if head.dry_run {
        line.push(Ink::Warn, "DRY RUN ");
    }
    line.push(Ink::Bold, &head.playbook);
    line.push(Ink::Dim, &format!("  run {}", short_id(&head.run)));
    let noun = match head {
        Head { checklist: true, .. } => "check",
        Head { triage: true, .. } => "question",
        _ => "step",
    };
    let steps = human::count(total, noun);
    // Inputs that fit are shown; the others are in `runs show`.
    for input in inputs.iter().filter(|i| i.origin != "default" && i.origin != "system") {
        let text = format!("  {}={}", input.name, crate::ink::clip(&input.value.to_string(), 24, layout.glyphs.ellipsis));
        if line.width() + console::measure_text_width(&text) + steps.len() + 2 <= width {
            line.push(Ink::Plain, &text);
        }
    }
    if line.width() + steps.len() + 2 <= width {
        line.push(Ink::Dim, &format!("  {steps}"));
    }
    out.push(line.fit(width, layout.glyphs.ellipsis));
    if !title.is_empty() && title != head.playbook {
        out.push(Line::indent(2).with(Ink::Dim, title).fit(width, layout.glyphs.ellipsis));
    }
    if head.dry_run {
        out.push(Line::indent(2).with(Ink::Warn, "nothing is changed; probes really run").fit(width, layout.glyphs.ellipsis));
    }
}

/// The lines after the last step.
pub(super) fn recap(
    layout: &Layout,
    level: Level,
    head: &Head,
    blocked: &[(String, String)],
    ticket: &[String],
    event: &Event,
    out: &mut Vec<Line>,
) {
    let Event::RunFinished {
        playbook,
        outcome,
        exit_code,
        message,
        counts,
        duration_ms,
        not_started,
        undone,
        left,
        critical_path,
        outputs,
        next,
        ..
    } = event
    else {
        return;
    };
    let width = layout.policy.width;
    let quiet = level == Level::Quiet;
    let good = matches!(outcome, RunOutcome::Succeeded | RunOutcome::Stopped);
    if !quiet {
        out.push(Line::of(Ink::Dim, &layout.glyphs.rule.repeat(width.min(80))));
    }
    let (mut glyph, mut ink, mut words) = outcome_words(layout, *outcome);
    // A checklist that was walked to its end is as good as its verdict.
    if let Some(verdict) = head.verdict.filter(|_| good) {
        (glyph, ink) = layout.glyphs.grade(verdict);
        words = if head.triage && verdict == GradeWord::Unknown { "inconclusive" } else { verdict.word() };
    }
    let mut line = Line::of(ink, glyph).with(Ink::Plain, " ");
    if head.dry_run {
        line.push(Ink::Warn, "DRY RUN ");
    }
    line.push(Ink::Bold, playbook);
    line.push(Ink::Plain, " ");
    line.push(ink, words);
    let mut how = format!("{} {}", if good { "in" } else { "after" }, human::duration(*duration_ms));
    if !good || *exit_code != 0 {
        how.push_str(&format!(", exit {exit_code}"));
    }
    let one = line.clone().with(Ink::Dim, &format!(" {how}"));
    if one.width() <= width {
        out.push(one);
    } else {
        out.push(line.fit(width, layout.glyphs.ellipsis));
        out.push(Line::indent(2).with(Ink::Dim, &how));
    }
    let mut say = |label: &str, ink: Ink, text: &str| {
        let room = width.saturating_sub(2);
        let text = if label.is_empty() { text.to_owned() } else { format!("{label} {text}") };
        for (i, l) in wrap(&text, room).iter().enumerate() {
            out.push(Line::indent(if i == 0 { 2 } else { 4 }).with(ink, l).fit(width, layout.glyphs.ellipsis));
        }
    };
    for (name, why) in blocked {
        say(layout.glyphs.outcome(Outcome::Failed).0, Ink::Plain, &format!("{name}: {why}"));
    }
    if !message.is_empty() && (!quiet || !good || head.triage) {
        say("", Ink::Plain, message);
    }
    if head.dry_run {
        say("", Ink::Warn, "nothing was changed");
    }
    if quiet {
        return;
    }
    if head.dry_run {
        commands(layout, 2, "next:", next, out);
        return;
    }
    let words: Vec<String> = count_words(counts).into_iter().map(|(_, w)| w).collect();
    if !words.is_empty() && head.verdict.is_none() {
        say("", Ink::Dim, &words.join(&format!(" {} ", layout.glyphs.dot)));
    }
    if let Some(facts) = &head.answered {
        let text = facts.words(&format!(" {} ", layout.glyphs.dot));
        if !text.is_empty() {
            say("", Ink::Dim, &text);
        }
    }
    if !not_started.is_empty() {
        say("not started:", Ink::Plain, &not_started.join(", "));
    }
    if !undone.is_empty() {
        say("undone:", Ink::Plain, &undone.join(", "));
    }
    if !left.is_empty() && (!good || level.is_verbose(1)) {
        say("left running or changed:", Ink::Warn, &left.join(", "));
    }
    if let Some(path) = critical_path.as_ref().filter(|p| p.steps.len() > 1) {
        let chain = path.steps.join(&format!(" {} ", layout.glyphs.arrow));
        say("slowest chain:", Ink::Dim, &format!("{chain}, {}", human::duration(path.duration_ms)));
    }
    if let Some(map) = outputs.as_map() {
        // A checklist's rows are on the board already; long values are in the record.
        let plain = |name: &str, value: &Value| !matches!(value, Value::List(_) | Value::Map(_)) && name != "verdict";
        for (name, value) in map.iter().filter(|(n, v)| plain(n, v)) {
            say("output", Ink::Plain, &format!("{name} = {}", human::value(value, None)));
        }
    }
    if !ticket.is_empty() {
        say("for a ticket:", Ink::Dim, "");
        for line in ticket {
            for (i, piece) in wrap(line, width.saturating_sub(6)).iter().enumerate() {
                out.push(Line::indent(if i == 0 { 4 } else { 6 }).with(Ink::Plain, piece));
            }
        }
    }
    commands(layout, 2, "next:", next, out);
}

/// Commands behind a label; a long one is broken so that it can still be pasted.
pub(super) fn commands(layout: &Layout, indent: usize, label: &str, commands: &[String], out: &mut Vec<Line>) {
    let column = indent + label.len() + 1;
    let room = layout.policy.width.saturating_sub(column + 4);
    for (i, command) in commands.iter().enumerate() {
        let pieces = pieces(command, room);
        let last = pieces.len().saturating_sub(1);
        for (n, piece) in pieces.iter().enumerate() {
            let mut line = Line::indent(indent);
            if i == 0 && n == 0 {
                line.push(Ink::Dim, label);
            }
            line.pad_to(if n == 0 { column } else { column + 2 });
            line.push(Ink::Bold, piece);
            if n < last {
                line.push(Ink::Plain, " \\");
            }
            out.push(line);
        }
    }
}

/// A command in pieces of at most this width, broken between its words: inside quotes a break would be part of the word.
fn pieces(command: &str, room: usize) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut quote: Option<char> = None;
    for c in command.chars() {
        match (c, quote) {
            (' ', None) => {
                words.push(String::new());
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let width = |text: &str| console::measure_text_width(&crate::sanitize::sanitize_line(text));
    let mut lines: Vec<String> = Vec::new();
    for word in words.into_iter().filter(|w| !w.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(&word) <= room => {
                line.push(' ');
                line.push_str(&word);
            }
            // A word that is wider than the terminal cannot be kept whole.
            _ if width(&word) > room => lines.extend(wrap(&word, room)),
            _ => lines.push(word),
        }
    }
    lines
}

/// What is said of a record that ends in the middle.
pub(super) fn cut_off(layout: &Layout, steps: &Steps, out: &mut Vec<Line>) {
    torn(layout, steps, "interrupted", "the record of this run ends here", out);
}

/// What is said of a run that was ended at once.
pub(super) fn killed(layout: &Layout, steps: &Steps, why: &str, out: &mut Vec<Line>) {
    torn(layout, steps, "killed", &format!("{why} came twice, nothing was cleaned up"), out);
}

fn torn(layout: &Layout, steps: &Steps, word: &str, why: &str, out: &mut Vec<Line>) {
    let width = layout.policy.width;
    out.push(Line::of(Ink::Dim, &layout.glyphs.rule.repeat(width.min(80))));
    out.push(Line::of(Ink::Warn, &format!("! {word}")).with(Ink::Plain, &format!(": {why}")).fit(width, layout.glyphs.ellipsis));
    let running: Vec<String> = steps.running().into_iter().map(|(_, s)| s.label.clone()).collect();
    if !running.is_empty() {
        let text = format!("was running: {}", running.join(", "));
        out.extend(wrap(&text, width.saturating_sub(4)).iter().map(|l| Line::indent(2).with(Ink::Plain, l)));
    }
}

fn outcome_words(layout: &Layout, outcome: RunOutcome) -> (&'static str, Ink, &'static str) {
    let glyphs = &layout.glyphs;
    let (ok, failed, skipped, unknown) = (
        glyphs.outcome(Outcome::Ok).0,
        glyphs.outcome(Outcome::Failed).0,
        glyphs.outcome(Outcome::Skipped).0,
        glyphs.outcome(Outcome::Unknown).0,
    );
    match outcome {
        RunOutcome::Succeeded => (ok, Ink::Good, "succeeded"),
        RunOutcome::Stopped => (ok, Ink::Good, "stopped as succeeded"),
        RunOutcome::Failed => (failed, Ink::Bad, "failed"),
        RunOutcome::Blocked => (failed, Ink::Bad, "blocked by a precondition"),
        RunOutcome::Declined => (skipped, Ink::Warn, "declined"),
        RunOutcome::NeedsInput => (unknown, Ink::Warn, "needs an answer"),
        RunOutcome::Parked => (skipped, Ink::Warn, "parked"),
        RunOutcome::Interrupted => ("!", Ink::Warn, "interrupted"),
    }
}

/// The word of a run's outcome.
pub(crate) fn outcome_word(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Stopped => "stopped",
        RunOutcome::Failed => "failed",
        RunOutcome::Blocked => "blocked",
        RunOutcome::Declined => "declined",
        RunOutcome::NeedsInput => "needs input",
        RunOutcome::Parked => "parked",
        RunOutcome::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn a_command_is_never_broken_inside_quotes() {
        let command = "runbook play start --param 'note=for it'\"'\"'s sake' --param a=b";
        assert_eq!(pieces(command, 40), ["runbook play start --param", "'note=for it'\"'\"'s sake' --param a=b"]);
        assert_eq!(pieces(command, 200), [command]);
        assert!(pieces(command, 12).iter().all(|p| p.chars().count() <= 12));
        assert!(pieces("", 10).is_empty());
    }
}
