//! One unit of a script after the other: what each becomes.

use runbook_core::module::Effect;

use super::{Converter, Place, steps};
use crate::starter::draft::{Body, Step};
use crate::starter::guess;
use crate::starter::shell::{Assign, Part, Shape, Simple, Word};

/// Commands that do nothing but work out the values of variables.
pub(super) const PURE: &[&str] = &[
    "", ":", "[", "[[", "break", "continue", "declare", "echo", "exit", "export", "false", "getopts", "let", "local", "printf",
    "readonly", "return", "shift", "test", "true", "typeset", "unset",
];

/// Variables that every program sees, because a shell is started with them.
pub(super) const SEEN_BY_ALL: &[&str] = &[
    "PATH",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "HOME",
    "USER",
    "TMPDIR",
    "EDITOR",
    "PWD",
    "IFS",
];

/// The longest note that is taken over word by word.
const MAX_WAS: usize = 60;

impl Converter {
    pub(super) fn unit(&mut self, place: &Place<'_>) {
        if !place.unit.kept.is_empty() {
            return self.shell(place);
        }
        match &place.unit.shape {
            Shape::Function(name) => self.carry_function(place, name),
            Shape::Simple(simple) => self.simple(place, simple),
            Shape::Loop | Shape::Joined | Shape::Unread => self.construct(place),
        }
    }

    fn simple(&mut self, place: &Place<'_>, simple: &Simple) {
        let name = simple.name();
        let plain =
            simple.assigns.is_empty() && simple.redirects.is_empty() && !place.unit.background && !self.is_function(&name);
        if simple.words.is_empty() && simple.redirects.is_empty() {
            return self.assignments(place, &simple.assigns, false);
        }
        let done = plain
            && match name.as_str() {
                "export" | "readonly" | "declare" | "typeset" => self.declaration(place, simple),
                "set" => self.options(place, simple),
                "cd" => self.folder(place, simple),
                "sleep" => self.wait(place, simple),
                "exit" => self.exit(place, simple),
                "read" => self.asked(place, &simple.words),
                "source" | "." | "umask" | "ulimit" | "shopt" | "alias" | "pushd" | "popd" => {
                    self.carry_always(place);
                    true
                }
                "trap" => {
                    self.remember(place, Some("what is to be done in any case stands under `always:`"));
                    true
                }
                "shift" => {
                    self.remember(place, Some("the steps below see all arguments"));
                    true
                }
                "unset" => {
                    for word in &simple.words[1..] {
                        let name = word.rough();
                        self.bindings.remove(&name);
                        self.exported.retain(|e| *e != name);
                    }
                    self.remember(place, None);
                    true
                }
                _ => false,
            };
        if done || (name == "echo" || name == "printf") && self.note(place, simple) {
            return;
        }
        if name == "exec" && simple.words.len() == 1 {
            return self.remember(place, Some("a redirection for the whole script: each step keeps its own output"));
        }
        if guess::needs_a_person(simple) {
            return self.manual(place);
        }
        if let Some(step) = self.command(place, simple) {
            return self.push(step);
        }
        self.shell(place);
    }

    fn shell(&mut self, place: &Place<'_>) {
        let mut step = self.shell_step(place);
        step.marks.extend(self.cautions(place));
        let destroys = place.unit.commands.iter().find(|c| guess::simple(c) == Effect::Destroy);
        if let Some(command) = destroys.filter(|_| step.name.is_none()) {
            let words = command.rough_words().join(" ");
            step.id = Some(self.free_id(&words, "destroy"));
        }
        // What it sets does not reach the steps below.
        for name in &place.unit.sets {
            self.bindings.remove(name);
            self.exported.retain(|e| e != name);
            self.lost.insert(name.clone());
        }
        self.push(step);
    }

    /// Something that never ends by itself, or that a person does at a terminal.
    fn manual(&mut self, place: &Place<'_>) {
        let (name, comments) = steps::naming(self, place.unit);
        let text = format!("Run this in a terminal of your own: {}", self.human(place.raw()));
        self.push(Step { name, comments, ..Step::new(Body::Manual(text)) });
    }

    fn construct(&mut self, place: &Place<'_>) {
        let unit = place.unit;
        if let Some(folder) = self.goes_or_ends(place)
            && self.go(place, &folder)
        {
            return;
        }
        let writes = guess::unit(unit, &|name| self.is_function(name)) != Effect::Read;
        let pure = unit.commands.iter().all(|c| PURE.contains(&c.name().as_str()) || self.is_function(&c.name()));
        let wanted: Vec<String> = unit.sets.iter().filter(|n| (place.later)(n)).cloned().collect();
        if pure && !writes && !wanted.is_empty() && !matches!(unit.shape, Shape::Unread) {
            return self.carry_assignment(place, &wanted, true, false);
        }
        if matches!(unit.shape, Shape::Joined) && unit.commands.iter().any(guess::needs_a_person) && !place.raw().contains('\n') {
            return self.manual(place);
        }
        self.shell(place);
    }

    /// `NAME=value` alone on a line.
    fn assignments(&mut self, place: &Place<'_>, assigns: &[Assign], exported: bool) {
        let mut comments: Vec<String> = Vec::new();
        for comment in place.unit.comments.iter().filter(|c| !c.is_empty() && !super::for_a_tool(c)) {
            comments.push(self.holes.shown(&super::clean(comment)));
        }
        self.pending.extend(comments);
        let all = assigns.len();
        let mut carried = 0;
        let exported = exported || assigns.iter().any(|a| SEEN_BY_ALL.contains(&a.name.as_str()));
        for assign in assigns {
            carried += usize::from(self.assign(place, &assign.name, &assign.value, assign.special, exported));
        }
        if carried < all {
            let names: Vec<String> = assigns.iter().map(|a| a.name.clone()).collect();
            let own = place.unit.uses.iter().any(|u| names.contains(&u.name));
            self.carry_assignment(place, &names, own || assigns.iter().any(|a| a.special), exported);
        }
    }

    /// `export NAME=value`, `readonly NAME=value`, `export NAME`.
    fn declaration(&mut self, place: &Place<'_>, simple: &Simple) -> bool {
        let name = simple.name();
        let mut exported = name == "export";
        let mut assigns = Vec::new();
        for word in &simple.words[1..] {
            let Some(Part::Text { text, quoted: false }) = word.parts.first() else { return false };
            if text.starts_with('-') {
                exported |= text.contains('x');
                if text.contains(['a', 'A', 'i', 'n', 'f', 'p', 'F']) {
                    self.carry_assignment(place, &place.unit.sets.clone(), true, exported);
                    return true;
                }
                continue;
            }
            let Some((name, value)) = text.split_once('=') else {
                if exported && self.bindings.contains_key(text) && !self.exported.contains(text) {
                    self.exported.push(text.clone());
                }
                continue;
            };
            let mut parts = word.parts.clone();
            match value {
                "" => drop(parts.remove(0)),
                value => parts[0] = Part::Text { text: value.to_owned(), quoted: false },
            }
            let span = word.span.start + name.len() + 1..word.span.end;
            assigns.push(Assign {
                name: name.trim_end_matches('+').to_owned(),
                value: Word { parts, span },
                special: name.ends_with('+'),
            });
        }
        if assigns.is_empty() {
            self.remember(place, None);
        } else {
            self.assignments(place, &assigns, exported);
        }
        true
    }

    /// `set -euo pipefail`.
    fn options(&mut self, place: &Place<'_>, simple: &Simple) -> bool {
        let words = simple.rough_words();
        let mut rest = words[1..].iter();
        let mut known = true;
        while let Some(word) = rest.next() {
            let (on, flags) = match (word.strip_prefix('-'), word.strip_prefix('+')) {
                (Some(flags), _) if !flags.is_empty() && flags != "-" => (true, flags),
                (_, Some(flags)) if !flags.is_empty() => (false, flags),
                _ => {
                    known = false;
                    break;
                }
            };
            for flag in flags.chars() {
                let long = if flag == 'o' { rest.next().map(String::as_str) } else { None };
                match (flag, long) {
                    ('e', _) | (_, Some("errexit")) => self.shell.stops = on,
                    ('u', _) | (_, Some("nounset")) => self.shell.strict = on,
                    (_, Some("pipefail")) => self.shell.pipefail = on,
                    _ => {}
                }
            }
        }
        self.remember(place, if known { None } else { Some("the steps below do not see these arguments") });
        true
    }

    /// `cd FOLDER`: the folder of the steps that follow.
    fn folder(&mut self, place: &Place<'_>, simple: &Simple) -> bool {
        let words: Vec<&Word> =
            simple.words.iter().filter(|w| !matches!(w.literal().as_deref(), Some("--" | "-P" | "-L"))).collect();
        match words.as_slice() {
            [_, folder] => {
                let folder = (*folder).clone();
                self.go(place, &folder)
            }
            [_] => {
                self.forget_folders();
                self.cwd = None;
                self.carry_folder(place);
                true
            }
            _ => false,
        }
    }

    /// The folder of `cd FOLDER || exit`.
    fn goes_or_ends(&self, place: &Place<'_>) -> Option<Word> {
        let [go, end] = place.unit.commands.as_slice() else { return None };
        let rest = place.raw().strip_prefix("cd ")?;
        let only = go.name() == "cd" && go.words.len() == 2 && go.redirects.is_empty();
        let ends = matches!(end.name().as_str(), "exit" | "return");
        let one = rest.contains("||") && rest.matches('|').count() == 2 && !rest.contains(['&', ';', '{']);
        (only && ends && one).then(|| go.words[1].clone())
    }

    fn go(&mut self, place: &Place<'_>, folder: &Word) -> bool {
        let uses_place = place.unit.uses.iter().any(|u| u.name == "0" || u.name == "BASH_SOURCE");
        if uses_place {
            self.forget_folders();
            self.cwd = None;
            self.remember(place, Some("steps begin in the project's folder; give `cwd:` where they do not"));
            return true;
        }
        let absolute = |text: &str| text.starts_with('/') || text.starts_with("{{");
        match self.templated(folder, false) {
            Some(text) if text == "-" || text.is_empty() => {
                self.forget_folders();
                self.cwd = None;
                self.remember(place, Some("the folder before is not known here; give `cwd:`"));
                true
            }
            Some(text) if absolute(&text) || (!self.goes_to_folders()) => {
                self.forget_folders();
                let text = match &self.cwd {
                    Some(cwd) if !absolute(&text) => format!("{}/{text}", cwd.trim_end_matches('/')),
                    _ => text,
                };
                self.cwd = Some(text);
                self.remember(place, None);
                true
            }
            // Something such as `~`, or a folder below one such.
            _ => {
                if self.cwd.is_none()
                    || !matches!(folder.parts.first(), Some(Part::Text { .. }))
                    || folder.rough().starts_with('~')
                {
                    self.cwd = None;
                }
                if folder.rough().starts_with('~') {
                    self.forget_folders();
                }
                self.carry_folder(place);
                true
            }
        }
    }

    /// `sleep 5`.
    fn wait(&mut self, place: &Place<'_>, simple: &Simple) -> bool {
        let [_, word] = simple.words.as_slice() else { return false };
        let Some(duration) = word.literal().as_deref().and_then(duration) else { return false };
        let (name, comments) = steps::naming(self, place.unit);
        self.push(Step { name, comments, was: Some(place.raw().to_owned()), ..Step::new(Body::Wait(duration)) });
        true
    }

    /// `exit 1`.
    fn exit(&mut self, place: &Place<'_>, simple: &Simple) -> bool {
        let code = match simple.words.as_slice() {
            [_] => Some(0),
            [_, word] => word.literal().and_then(|w| w.parse::<u8>().ok()),
            _ => None,
        };
        let Some(code) = code else { return false };
        let (name, comments) = steps::naming(self, place.unit);
        let text = name.unwrap_or_else(|| format!("The script ends here with {code}"));
        let body = if code == 0 { Body::Stop(text) } else { Body::Fail(text) };
        self.push(Step { comments, was: Some(place.raw().to_owned()), ..Step::new(body) });
        true
    }

    /// `echo text`: a note.
    fn note(&mut self, place: &Place<'_>, simple: &Simple) -> bool {
        let elsewhere =
            simple.redirects.iter().any(|r| !(r.op == ">&" && matches!(r.target.literal().as_deref(), Some("1" | "2"))));
        if elsewhere || !simple.assigns.is_empty() || place.unit.background || self.is_function(&simple.name()) {
            return false;
        }
        let printf = simple.name() == "printf";
        let flags = simple.words[1..]
            .iter()
            .take_while(|w| !printf && matches!(w.literal().as_deref(), Some("-e" | "-n" | "-ne" | "-en" | "-E")))
            .count();
        let escapes = printf || simple.words[1..=flags].iter().any(|w| w.rough().contains('e'));
        let Some(words) = simple.words[1 + flags..].iter().map(|w| self.said(w)).collect::<Option<Vec<String>>>() else {
            return false;
        };
        if printf && (words.len() != 1 || words[0].contains('%')) {
            return false;
        }
        let text = words.join(" ");
        let text = if escapes { unescaped(&text) } else { text };
        let text = text.trim().to_owned();
        if text.is_empty() {
            self.pending.push(self.holes.shown(place.raw()));
            return true;
        }
        let (name, mut comments) = steps::naming(self, place.unit);
        comments.extend(name);
        let raw = self.holes.shown(place.raw());
        let was = if raw.chars().count() <= MAX_WAS && !raw.contains('\n') && text.contains("{{") { raw } else { simple.name() };
        self.push(Step { comments, was: Some(was), ..Step::new(Body::Note(text)) });
        true
    }

    /// A word of a note: colours are left out.
    fn said(&self, word: &Word) -> Option<String> {
        let mut out = String::new();
        for part in &word.parts {
            let alone = Word { parts: vec![part.clone()], span: word.span.clone() };
            let colour = match part {
                Part::Var { name, op, .. } if op.is_empty() => {
                    self.bindings.get(name).and_then(|b| b.literal.as_ref()).is_some_and(|text| is_colour(text))
                }
                _ => false,
            };
            if !colour {
                out.push_str(&self.templated(&alone, false)?);
            }
        }
        Some(out)
    }
}

/// Whether a text is an escape sequence for a colour.
fn is_colour(text: &str) -> bool {
    ["\\033[", "\\e[", "\\x1b[", "\\x1B[", "\u{1b}["].iter().any(|start| {
        text.strip_prefix(start)
            .is_some_and(|rest| rest.ends_with('m') && rest[..rest.len() - 1].chars().all(|c| c.is_ascii_digit() || c == ';'))
    })
}

/// A text with `\n` and `\t` taken for what they mean, and without colours.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let colour = ["\\033[", "\\e[", "\\x1b[", "\\x1B["].iter().find_map(|start| {
            let after = rest.strip_prefix(start)?;
            let end = after.find('m')?;
            after[..end].chars().all(|c| c.is_ascii_digit() || c == ';').then(|| start.len() + end + 1)
        });
        let (with, taken) = match (colour, rest.as_bytes().get(1)) {
            (Some(n), _) => ("", n),
            (_, Some(b'n')) => ("\n", 2),
            (_, Some(b't')) => ("\t", 2),
            (_, Some(b'\\')) => ("\\", 2),
            _ => ("\\", 1),
        };
        out.push_str(with);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}

/// What `sleep` is told, as a duration: `5`, `0.5`, `2m`.
fn duration(text: &str) -> Option<String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    let short = number.len() <= 6
        && number.chars().all(|c| c.is_ascii_digit() || c == '.')
        && number.starts_with(|c: char| c.is_ascii_digit());
    if !short {
        return None;
    }
    if let Ok(whole) = number.parse::<u32>() {
        return Some(format!("{whole}{unit}"));
    }
    let seconds: f64 = number.parse().ok()?;
    let scale = match unit {
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    let ms = (seconds * scale).round();
    (ms >= 1.0).then(|| format!("{ms:.0}ms"))
}
