//! A shell script as a playbook.

use super::convert::{Converter, clean};
use super::draft::{Body, Draft, Param, Step};
use super::holes::Holes;
use super::{NewName, write, yaml};

/// The program of a `#!` line.
fn program(text: &str) -> Option<&str> {
    let line = text.lines().next()?.strip_prefix("#!")?;
    let mut words = line.split_whitespace().filter(|w| !w.starts_with('-') && !w.contains('='));
    let first = words.next()?.rsplit('/').next()?;
    if first == "env" { words.next().map(|w| w.rsplit('/').next().unwrap_or(w)) } else { Some(first) }
}

/// The program that a script is written for, if that is no shell whose grammar this is.
pub(super) fn other_language(text: &str) -> Option<String> {
    let program = program(text)?;
    let shells = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"];
    (!shells.contains(&program)).then(|| program.to_owned())
}

/// The playbook.
pub(super) fn playbook(text: &str, name: &NewName, source: &str, modeline: &str) -> String {
    let mut holes = Holes::new(text);
    let text = holes.punch(text, false);
    converted(&text, &holes, name, source, modeline, false)
        .or_else(|| converted(&text, &holes, name, source, modeline, true))
        .unwrap_or_default()
}

/// The playbook; `None` if so much would have to be repeated in it that one step for all is better.
fn converted(text: &str, holes: &Holes, name: &NewName, source: &str, modeline: &str, in_one_step: bool) -> Option<String> {
    let mut converter = Converter::new(holes.clone());
    converter.in_one_step = in_one_step;
    converter.shell.program = program(text).filter(|p| !matches!(*p, "sh" | "dash" | "ash" | "busybox")).map(str::to_owned);
    let first = text.lines().next().unwrap_or_default();
    if first.starts_with("#!") {
        let mut flags = first.split_whitespace().skip(1).filter(|w| w.starts_with('-'));
        converter.shell.stops = flags.any(|w| w.contains('e'));
    }
    let (head, body) = header(text);
    let mut steps = converter.script(&body);
    if converter.carries_too_much() {
        return None;
    }
    let comments = converter.take_pending();
    converter.draft.comments = comments;
    if steps.is_empty() {
        steps.push(Step::new(Body::Note("The script has no commands".to_owned())));
    }
    let head: Vec<String> = head.iter().map(|line| converter.human(&yaml::one_line(line))).collect();
    let mut head = head.into_iter();
    let title = head.next().filter(|t| !t.is_empty() && t.chars().count() <= 120);
    converter.draft.title = title.unwrap_or_else(|| name.title());
    let more = head.collect::<Vec<_>>().join("\n");
    converter.draft.description = (!more.is_empty()).then_some(more);
    if !converter.shell.stops {
        converter.draft.marks.push(
            "the script went on when a command failed; here a failed step ends the run (`continue_on_error: true` goes on)"
                .to_owned(),
        );
    }
    Some(finish(converter, steps, source, modeline))
}

/// Puts what every conversion ends with around the steps.
pub(super) fn finish(mut converter: Converter, steps: Vec<Step>, source: &str, modeline: &str) -> String {
    if converter.uses_sudo() {
        converter
            .draft
            .marks
            .push("`sudo` cannot ask for a password here: allow these commands without one, or run as that user".to_owned());
    }
    let source = yaml::one_line(source);
    let mut draft =
        Draft { steps, source: (!source.is_empty()).then(|| yaml::template(&source)), ..std::mem::take(&mut converter.draft) };
    // The parameters for what was cut out, as far as anything uses them.
    let mut text = write::playbook(&draft, modeline);
    let mut params = Vec::new();
    for hole in converter.holes.all().iter().filter(|h| text.contains(&format!("params.{} ", h.param))) {
        let mark = match hole.secret {
            true => "the source held this secret in clear: change it where it is used",
            false => "a place that the source leaves to the reader",
        };
        let help = (!hole.secret).then(|| format!("In place of {}", hole.shown));
        params.push(Param { name: hole.param.clone(), secret: hole.secret, default: None, help, mark: Some(mark.to_owned()) });
    }
    if !params.is_empty() {
        draft.params.extend(params);
        text = write::playbook(&draft, modeline);
    }
    text
}

/// The comment at the head of a script, line by line, and the script without it.
fn header(text: &str) -> (Vec<String>, String) {
    let mut lines = text.lines().peekable();
    let shebang = lines.next_if(|l| l.starts_with("#!")).is_some();
    let mut head = Vec::new();
    let mut rest: Vec<&str> = Vec::new();
    if shebang {
        while lines.next_if(|l| l.trim().is_empty() || l.trim() == "#").is_some() {}
    }
    while let Some(line) = lines.next_if(|l| l.starts_with('#')) {
        rest.push(line);
        let text = clean(line);
        let tool = ["shellcheck ", "vim:", "-*-"].iter().any(|t| text.starts_with(t));
        if !text.is_empty() && !tool {
            head.push(text);
        }
    }
    // Without a `#!` line above it, what stands right above a command speaks of that command.
    if !shebang && lines.peek().is_some_and(|l| !l.trim().is_empty()) {
        return (Vec::new(), text.to_owned());
    }
    // A first line that is blank keeps the rest apart from what is gone.
    (head, lines.collect::<Vec<_>>().join("\n"))
}
