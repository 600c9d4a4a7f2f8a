//! Steps that run programs: an argument vector where that says the same, else shell text.

use super::{Converter, Place, clean, for_a_tool, is_positional, worst};
use crate::starter::draft::{Around, Body, Param, Step};
use crate::starter::shell::{Shape, Simple, Unit, Use};
use crate::starter::{guess, yaml};

/// The longest comment that is taken for a name.
const MAX_NAME: usize = 100;

/// Words that only a shell knows.
const BUILTINS: &[&str] = &[
    ".",
    ":",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "compgen",
    "complete",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "times",
    "trap",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
];

/// The name of a step and the comments above it, from those of the source: the last line of the block right above it that says something
/// is the first of the block.
pub(super) fn naming(converter: &Converter, unit: &Unit) -> (Option<String>, Vec<String>) {
    let said: Vec<(bool, String)> =
        unit.comments.iter().map(|c| (c.is_empty(), if for_a_tool(c) { String::new() } else { clean(c) })).collect();
    let above = said.iter().rposition(|(blank, _)| *blank).map_or(0, |at| at + 1);
    let mut comments: Vec<String> = said[..above].iter().map(|(_, text)| text.clone()).filter(|t| !t.is_empty()).collect();
    let mut block = said[above..].iter().map(|(_, text)| text.clone()).filter(|t| !t.is_empty());
    let remark = unit.remark.as_ref().filter(|r| !for_a_tool(r)).map(|r| clean(r)).filter(|r| !r.is_empty());
    let fits = |text: &String| text.chars().count() <= MAX_NAME;
    let mut name = block.next();
    if let Some(long) = name.take_if(|n| !fits(n)) {
        comments.push(long);
    }
    comments.extend(block);
    match remark {
        Some(remark) if name.is_none() && fits(&remark) => name = Some(remark),
        Some(remark) => comments.push(remark),
        None => {}
    }
    let name = name.map(|n| n.trim_end_matches([':', ';']).trim().to_owned()).filter(|n| !n.is_empty());
    let comments = comments.iter().map(|c| converter.holes.shown(c)).collect();
    (name.map(|n| converter.human(&yaml::one_line(&n))), comments)
}

impl Converter {
    /// A simple command as an argument vector; `None` if only a shell can say it.
    pub(super) fn command(&mut self, place: &Place<'_>, simple: &Simple) -> Option<Step> {
        let unit = place.unit;
        let name = simple.name();
        if unit.background || !simple.redirects.is_empty() || simple.words.is_empty() || BUILTINS.contains(&name.as_str()) {
            return None;
        }
        let calls: Vec<String> = unit.commands.iter().map(Simple::name).collect();
        if !self.needed(&unit.uses, &calls).is_empty() {
            return None;
        }
        let argv: Vec<String> = simple.words.iter().map(|w| self.templated(w, false)).collect::<Option<_>>()?;
        // Words of several lines read better in shell text.
        if argv.first().is_none_or(String::is_empty) || argv.iter().any(|w| w.contains('\n')) {
            return None;
        }
        let mut around = Around { cwd: self.cwd.clone(), env: self.exports() };
        for assign in &simple.assigns {
            if assign.special {
                return None;
            }
            let value = self.templated(&assign.value, true)?;
            around.env.retain(|(name, _)| *name != assign.name);
            around.env.push((assign.name.clone(), value));
        }
        let (name, comments) = naming(self, unit);
        let effect = Some(guess::simple(simple));
        Some(Step { name, comments, effect, ..Step::new(Body::Command { argv, around }) })
    }

    fn exports(&self) -> Vec<(String, String)> {
        self.exported.iter().filter_map(|name| Some((name.clone(), self.bindings.get(name)?.text.clone()))).collect()
    }

    /// A unit as shell text, with everything in front of it that it needs.
    pub(super) fn shell_step(&mut self, place: &Place<'_>) -> Step {
        let unit = place.unit;
        let calls: Vec<String> = unit.commands.iter().map(Simple::name).collect();
        let own = matches!(&unit.shape, Shape::Function(_));
        let needed = if own { Vec::new() } else { self.needed(&unit.uses, &calls) };
        self.carried += needed.iter().map(|i| self.prelude_length(*i)).sum::<usize>();
        // Beyond the limit the result is thrown away.
        let needed = if self.carries_too_much() { Vec::new() } else { needed };
        let (before, more, left_before) = self.prelude_text(&needed);
        let literal = |at: usize| unit.documents.iter().any(|(r, quoted)| *quoted && r.contains(&(unit.span.start + at)));
        let (text, left) = self.holes.shell(place.raw(), literal);
        let uses: Vec<Use> = unit.uses.iter().cloned().chain(more).collect();
        let mut around = Around { cwd: self.cwd.clone(), env: Vec::new() };
        let mut marks = Vec::new();
        let arguments = self.arguments(&uses, &mut around, &mut marks);
        let script = format!("{arguments}{before}{text}");
        let set_here: Vec<&String> = needed.iter().flat_map(|_| unit.sets.iter()).collect();
        let mut seen: Vec<&str> = Vec::new();
        for used in uses.iter().filter(|u| u.op != "\u{0}") {
            let name = used.name.as_str();
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            if let Some(binding) = self.bindings.get(name) {
                around.env.push((name.to_owned(), binding.text.clone()));
            } else if self.lost.contains(name) && !set_here.iter().any(|s| *s == name) {
                marks.push(format!("`{name}` was set in an earlier step, which is a process of its own: it is not set here"));
            }
        }
        for (name, value) in self.exports() {
            if !around.env.iter().any(|(n, _)| *n == name) {
                around.env.push((name, value));
            }
        }
        let raw = format!("{}\n{}", self.prelude_raw(&needed), place.raw());
        for hole in self.holes.of(&raw) {
            let name = hole.param.to_uppercase();
            if script.contains(&format!("${{{name}}}")) && !around.env.iter().any(|(n, _)| *n == name) {
                around.env.push((name, format!("{{{{ params.{} }}}}", hole.param)));
            }
        }
        if left || left_before {
            marks.push("a value was left out of a here-document, where the shell works nothing out".to_owned());
        }
        let preludes = self.preludes(&needed);
        let bash = unit.bash || preludes.iter().any(|p| p.bash);
        let effect = worst(unit, &preludes, &|name| self.is_function(name));
        let simple = matches!(unit.shape, Shape::Simple(_)) && needed.is_empty();
        let interpreter = self.interpreter(bash, simple);
        let (name, comments) = naming(self, unit);
        let script = format!("{}\n", yaml::template(script.trim_end_matches('\n')));
        let script = if script.trim_end().contains('\n') { script } else { script.trim_end().to_owned() };
        let body = Body::Shell { script, interpreter, around };
        Step { name, comments, marks, effect: Some(effect), ..Step::new(body) }
    }

    /// The line that gives a step the arguments of the script, if it uses them.
    fn arguments(&mut self, uses: &[Use], around: &mut Around, marks: &mut Vec<String>) -> String {
        let wanted: Vec<&str> = uses.iter().filter(|u| is_positional(u)).map(|u| u.name.as_str()).collect();
        if wanted.is_empty() {
            return String::new();
        }
        let highest = wanted.iter().filter_map(|n| n.parse::<usize>().ok()).max().unwrap_or(0).min(9);
        if highest == 0 && self.positional.is_empty() {
            const ALL: &str = "ARGS";
            if !self.draft.params.iter().any(|p| p.help.as_deref() == Some("The arguments of the script")) {
                let name = self.free_member("args");
                let help = Some("The arguments of the script".to_owned());
                self.draft.params.push(Param { name, default: Some(String::new()), help, ..Param::default() });
            }
            let param = self.draft.params.iter().find(|p| p.help.as_deref() == Some("The arguments of the script"));
            let name = param.map(|p| p.name.clone()).unwrap_or_default();
            around.env.push((ALL.to_owned(), format!("{{{{ params.{name} }}}}")));
            marks.push("the arguments of the script are split at spaces".to_owned());
            return format!("set -- ${ALL}\n");
        }
        self.positional.resize(self.positional.len().max(highest), None);
        let mut words = String::new();
        for n in 1..=self.positional.len() {
            let text = match self.positional[n - 1].clone() {
                Some(text) => text,
                None => {
                    let name = self.free_member(&format!("arg{n}"));
                    let help = Some(format!("Argument {n} of the script"));
                    // An argument that may be missing says so itself; one that is missing by mistake could make `rm -r "$1"/*` of it.
                    let used = uses.iter().filter(|u| u.name == n.to_string());
                    let optional = used.into_iter().all(|u| u.op.trim_start_matches(':').starts_with(['-', '+', '=']));
                    let default = optional.then(String::new);
                    self.draft.params.push(Param { name: name.clone(), default, help, ..Param::default() });
                    let text = format!("{{{{ params.{name} }}}}");
                    self.positional[n - 1] = Some(text.clone());
                    text
                }
            };
            around.env.push((format!("ARG{n}"), text));
            words.push_str(&format!(" \"$ARG{n}\""));
        }
        format!("set --{words}\n")
    }

    /// What runs the text; empty for a plain `sh`.
    fn interpreter(&self, bash: bool, simple: bool) -> Vec<String> {
        let program = match &self.shell.program {
            Some(program) => program.as_str(),
            None if bash => "bash",
            None => "sh",
        };
        let pipefail = self.shell.pipefail && program != "sh";
        let mut flags = String::from("-");
        // One command alone is the last one anyway.
        if self.shell.stops && !(simple && program == "sh") {
            flags.push('e');
        }
        if self.shell.strict {
            flags.push('u');
        }
        let mut out = vec![program.to_owned()];
        if pipefail {
            flags.push('o');
            out.push(flags);
            out.push("pipefail".to_owned());
        } else if flags.len() > 1 {
            out.push(flags);
        }
        if out.len() == 1 && program == "sh" {
            return Vec::new();
        }
        out.push("-c".to_owned());
        out
    }

    /// What is to be reviewed about a construct as a whole.
    pub(super) fn cautions(&self, place: &Place<'_>) -> Vec<String> {
        let unit = place.unit;
        let mut marks = Vec::new();
        let names: Vec<String> = unit.commands.iter().map(Simple::name).collect();
        let has = |wanted: &[&str]| names.iter().any(|n| wanted.contains(&n.as_str()));
        if !unit.kept.is_empty() {
            let names = unit.kept.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
            marks.push(format!("kept in one step, because of {names}: no step sees what another one sets"));
        }
        let joined = !matches!(unit.shape, Shape::Simple(_));
        if joined && has(&["sleep"]) && place.raw().contains("done") {
            let url = unit.commands.iter().filter(|c| matches!(c.name().as_str(), "curl" | "wget")).flat_map(Simple::rough_words);
            let url = url.into_iter().find(|w| w.starts_with("http")).map(|u| self.holes.shown(&u));
            let like = url.map_or(String::new(), |u| format!(", such as `http: {u}`"));
            marks.push(format!("a loop that waits: a check with `retry: {{ for: 60s }}` waits too, and shows for what{like}"));
        }
        if unit.background {
            marks.push(
                "what it leaves in the background ends with the step: describe it as a service and use `service.start`"
                    .to_owned(),
            );
        }
        let ends = |c: &Simple| c.name() == "exit" && c.rough_words().get(1).is_none_or(|code| code == "0");
        if joined && unit.commands.iter().any(ends) {
            marks.push("its `exit` ends this step, and the playbook goes on".to_owned());
        }
        if joined && has(&["cd", "pushd"]) && !place.raw().starts_with('(') {
            marks.push("its `cd` holds for this step alone".to_owned());
        }
        if joined
            && unit
                .commands
                .iter()
                .any(|c| c.name() == "read" && c.rough_words().iter().any(|w| w.starts_with('-') && w.ends_with('p')))
        {
            marks.push("it asks at the terminal, and inside of a step nobody answers: use `ask:`".to_owned());
        }
        if matches!(unit.shape, Shape::Unread) {
            marks.push("this could not be read as shell text, and is kept as it was".to_owned());
        }
        marks
    }
}
