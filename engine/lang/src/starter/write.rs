//! A draft as YAML, with its comments and marks.

use runbook_core::module::Effect;

use super::draft::{Around, Body, Draft, Param, Step};
use super::yaml;

/// What stands before everything that a person should look at.
const REVIEW: &str = "# review:";

/// The playbook's text.
pub(super) fn playbook(draft: &Draft, modeline: &str) -> String {
    let mut out = Writer { text: modeline.to_owned() };
    out.line(0, "# Nothing in this playbook was tried yet. Look at every line that says `review`, then take the mark away.");
    out.marks(0, &draft.marks);
    out.pair(0, "playbook", &draft.title);
    if let Some(source) = &draft.source {
        out.pair(0, "source", source);
    }
    if let Some(description) = &draft.description {
        out.pair(0, "description", description);
    }
    if !draft.params.is_empty() {
        out.line(0, "params:");
        draft.params.iter().for_each(|param| out.param(param));
    }
    if !draft.vars.is_empty() {
        out.line(0, "vars:");
        draft.vars.iter().for_each(|(name, value)| out.pair(2, name, value));
    }
    out.line(0, "steps:");
    out.steps(2, &draft.steps);
    out.comments(2, &draft.comments);
    out.text
}

struct Writer {
    text: String,
}

impl Writer {
    fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn pair(&mut self, indent: usize, key: &str, value: &str) {
        self.line(indent, &format!("{key}: {}", yaml::value(value, indent + 2)));
    }

    fn comments(&mut self, indent: usize, comments: &[String]) {
        for text in comments.iter().map(|c| yaml::comment(c)).filter(|c| !c.is_empty()) {
            // A comment of the source must not silence a warning here.
            let guard = if text.starts_with("runbook:") { "(" } else { "" };
            self.line(indent, &format!("# {guard}{text}"));
        }
    }

    fn marks(&mut self, indent: usize, marks: &[String]) {
        for mark in marks {
            self.line(indent, &format!("{REVIEW} {}", yaml::one_line(mark)));
        }
    }

    fn param(&mut self, param: &Param) {
        self.marks(2, param.mark.as_slice());
        let mut keys = Vec::new();
        if param.secret {
            keys.push("type: secret".to_owned());
        }
        match &param.default {
            Some(default) => keys.push(format!("default: {}", yaml::item(default))),
            None => keys.push("required: true".to_owned()),
        }
        if let Some(help) = &param.help {
            keys.push(format!("help: {}", yaml::item(help)));
        }
        if param.default.is_none() {
            keys.push(format!("ask: {}", yaml::item(&format!("{}?", param.name))));
        }
        self.map(2, &param.name, &keys);
    }

    /// A map on one line if it fits, else one key a line.
    fn map(&mut self, indent: usize, key: &str, pairs: &[String]) {
        let line = format!("{key}: {{ {} }}", pairs.join(", "));
        if indent + line.chars().count() <= yaml::WIDTH {
            self.line(indent, &line);
        } else {
            self.line(indent, &format!("{key}:"));
            pairs.iter().for_each(|pair| self.line(indent + 2, pair));
        }
    }

    fn steps(&mut self, indent: usize, steps: &[Step]) {
        for (i, step) in steps.iter().enumerate() {
            if i > 0 {
                self.text.push('\n');
            }
            self.step(indent, step);
        }
    }

    fn step(&mut self, indent: usize, step: &Step) {
        self.comments(indent, &step.comments);
        self.marks(indent, &step.marks);
        let from = self.text.len();
        let inner = indent + 2;
        if let Some(id) = &step.id {
            self.line(inner, &format!("id: {}", yaml::inline(id)));
        }
        if let Some(name) = &step.name {
            self.line(inner, &format!("name: {}", yaml::inline(name)));
        }
        let was = step.was.as_ref().map(|was| yaml::one_line(was)).filter(|was| !was.is_empty());
        let was = was.map(|was| format!(" # {was}")).unwrap_or_default();
        match &step.body {
            Body::Command { argv, around } => self.command(inner, argv, around),
            Body::Shell { script, interpreter, around } => self.shell(inner, script, interpreter, around),
            Body::Manual(text) => self.text_body(inner, "manual", text, &was),
            Body::Note(text) => self.text_body(inner, "note", text, &was),
            Body::Stop(text) => self.text_body(inner, "stop", text, &was),
            Body::Fail(text) => self.text_body(inner, "fail", text, &was),
            Body::Wait(duration) => self.line(inner, &format!("wait: {}{was}", yaml::inline(duration))),
            Body::Ask { question, secret } => {
                let kind = if *secret { ", type: secret" } else { "" };
                self.line(inner, &format!("ask: {{ question: {}{kind} }}{was}", yaml::word(question)));
            }
            Body::Set { name, value } => self.map(inner, "set", &[format!("{name}: {}", yaml::item(value))]),
            Body::Block(steps) => {
                self.line(inner, "block:");
                self.steps(inner + 2, steps);
            }
        }
        if let Some(effect) = step.effect {
            let word = Effect::ALL.iter().find(|(_, e)| *e == effect).map_or("change", |(word, _)| word);
            self.line(inner, &format!("effect: {word} {REVIEW} guessed effect"));
        }
        if step.sensitive {
            self.line(inner, "sensitive: true");
        }
        self.comments(inner, &step.after);
        // The first key stands behind the dash.
        self.text.replace_range(from..from + inner, &format!("{}- ", " ".repeat(indent)));
    }

    /// A body that is a text, with what the source said behind it, or above it if the text is a block.
    fn text_body(&mut self, indent: usize, key: &str, text: &str, was: &str) {
        let value = yaml::value(text, indent + 2);
        match value.split_once('\n') {
            Some((head, rest)) => self.line(indent, &format!("{key}: {head}{was}\n{rest}")),
            None => self.line(indent, &format!("{key}: {value}{was}")),
        }
    }

    fn command(&mut self, indent: usize, argv: &[String], around: &Around) {
        let words: Vec<String> = argv.iter().map(|w| yaml::word(w)).collect();
        if *around == Around::default() {
            self.list(indent, "command", &words);
            return;
        }
        self.line(indent, "command:");
        self.list(indent + 2, "argv", &words);
        self.around(indent + 2, around);
    }

    /// A list on one line if it fits, else one item a line.
    fn list(&mut self, indent: usize, key: &str, items: &[String]) {
        let line = format!("{key}: [{}]", items.join(", "));
        if indent + line.chars().count() <= yaml::WIDTH {
            self.line(indent, &line);
        } else {
            self.line(indent, &format!("{key}:"));
            items.iter().for_each(|item| self.line(indent + 2, &format!("- {item}")));
        }
    }

    fn shell(&mut self, indent: usize, script: &str, interpreter: &[String], around: &Around) {
        if *around == Around::default() && interpreter.is_empty() {
            self.pair(indent, "shell", script);
            return;
        }
        self.line(indent, "shell:");
        self.pair(indent + 2, "script", script);
        self.around(indent + 2, around);
        if !interpreter.is_empty() {
            let words: Vec<String> = interpreter.iter().map(|w| yaml::word(w)).collect();
            self.list(indent + 2, "interpreter", &words);
        }
    }

    fn around(&mut self, indent: usize, around: &Around) {
        if let Some(cwd) = &around.cwd {
            self.pair(indent, "cwd", cwd);
        }
        if !around.env.is_empty() {
            let pairs: Vec<String> =
                around.env.iter().map(|(name, value)| format!("{}: {}", yaml::inline(name), yaml::word(value))).collect();
            self.map(indent, "env", &pairs);
        }
    }
}
