//! Calls of modules: their arguments, held against the module's schema.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{Arg, ArgKind, ModuleCall, PathPart};
use runbook_core::module::{Entry, Fault, SchemaError, validate};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::{Span, Spanned};
use runbook_core::value::Value;

use super::Reader;
use super::reader::inside;
use crate::keys::{self, STEP};

/// The module whose text is shell text, and the argument that holds it.
const SHELL: (&str, &str) = ("shell", "script");

impl Reader<'_> {
    /// A call as written under the module's name.
    pub(crate) fn call(&mut self, entry: &Entry, key: &Spanned<String>, node: &Node) -> ModuleCall {
        let before = self.out.len();
        let mut args = self.arguments(entry, key, node);
        if *entry.name == *SHELL.0 {
            self.shell_script(&mut args);
        }
        // A template that cannot be read has been reported; what follows from it is not worth a word.
        if self.out.len() == before || !matches!(args.kind, ArgKind::Value(_)) {
            self.validate(entry, key, node, &args);
        }
        if self.out.len() == before {
            self.together(entry, key, &args);
        }
        if !matches!(args.kind, ArgKind::Map(_)) {
            args.kind = ArgKind::Map(Vec::new());
        }
        ModuleCall { name: key.clone(), args }
    }

    /// The arguments as a map; a scalar or list stands for the main one.
    fn arguments(&mut self, entry: &Entry, key: &Spanned<String>, node: &Node) -> Arg {
        let empty = |span| Arg { span, kind: ArgKind::Map(Vec::new()) };
        match (&node.kind, &entry.main) {
            (NodeKind::Map(_), _) => self.arg(node),
            _ if node.is_null() => empty(key.span),
            (_, Some(main)) => {
                let main = Spanned::new(main.to_string(), node.span);
                Arg { span: node.span, kind: ArgKind::Map(vec![(main, self.arg(node))]) }
            }
            (_, None) => {
                let names: Vec<&str> = entry.args_schema["properties"]
                    .as_object()
                    .map(|p| p.keys().map(String::as_str).collect())
                    .unwrap_or_default();
                let help = if names.is_empty() {
                    format!("write `{}: {{}}`", entry.name)
                } else {
                    format!("its arguments are {}", super::fields::list(names))
                };
                self.out.push(
                    Diagnostic::error(
                        Code::BadArgument,
                        node.span,
                        format!("`{}` takes a map of arguments, found {}", entry.name, node.describe()),
                    )
                    .help(help),
                );
                Arg::literal(Value::unknown("arguments of the wrong kind"), node.span)
            }
        }
    }

    /// Marks shell text as such, so that every value in it is quoted.
    fn shell_script(&mut self, args: &mut Arg) {
        let ArgKind::Map(entries) = &mut args.kind else { return };
        let Some((_, script)) = entries.iter_mut().find(|(k, _)| k.value == SHELL.1) else { return };
        if let ArgKind::Template(template) = &script.kind {
            let template = template.clone();
            self.shell_text(&template);
            script.kind = ArgKind::Shell(template);
        }
    }

    fn validate(&mut self, entry: &Entry, key: &Spanned<String>, node: &Node, args: &Arg) {
        let is_pattern = |name: &str| entry.args_schema["properties"][name]["format"] == "regex";
        let patterns = match &args.kind {
            ArgKind::Map(given) => given.iter().filter(|(name, _)| is_pattern(&name.value)).count(),
            _ => 0,
        };
        if patterns > 0 && !self.patterns.take(patterns, key.span, self.out) {
            return;
        }
        for error in validate(&entry.args_schema, &args.skeleton()) {
            let mut span = place(args, &error, key.span);
            // Some bytes of a text are pointed at alone.
            if let Some(range) = &error.range
                && let Some(found) = written(node, &error.path, entry)
                && let Some(scalar) = found.as_scalar()
            {
                span = inside(found, &scalar.map, &(range.start as u32..range.end as u32));
            }
            let name = match error.path.last() {
                Some(PathPart::Key(name)) if error.at_key => Some(name.as_str()),
                _ => None,
            };
            let message = match (&error.path[..], error.at_key) {
                ([], _) => format!("`{}`: {}", entry.name, error.message),
                (_, true) => format!("{} of `{}`", error.message, entry.name),
                ([.., PathPart::Key(list), PathPart::Index(i)], false) => {
                    format!("item {} of `{list}` of `{}`: {}", i + 1, entry.name, error.message)
                }
                ([.., PathPart::Key(name)], false) => format!("`{name}` of `{}`: {}", entry.name, error.message),
                ([.., PathPart::Index(i)], false) => format!("item {} of `{}`: {}", i + 1, entry.name, error.message),
            };
            let mut help = error.help.clone().or_else(|| about(entry, &error.path));
            if let ([_], Some(name)) = (&error.path[..], name) {
                if let Some(alias) = keys::find_argument(&entry.name, name) {
                    help = Some(alias.to_owned());
                } else if STEP.get(name).is_some() {
                    help = Some(format!("`{name}` belongs to the step: write it beside `{}:`", entry.name));
                }
            }
            if let (Some(main), true, Code::MissingKey) = (&entry.main, node.is_null(), error.code) {
                let about =
                    help.as_deref().and_then(|h| h.split_once(": ")).map(|(_, what)| format!(": {what}")).unwrap_or_default();
                help = Some(format!("write `{}: {}`{about}", entry.name, main.to_uppercase()));
            }
            let help = help.unwrap_or_else(|| format!("`runbook modules {}` shows what it takes", entry.name));
            self.out.push(Diagnostic::error(error.code, span, message).help(help));
        }
    }

    /// Reports what no schema can say: arguments that exclude each other, a header that cannot be sent. Templates are left out; what is
    /// said about an argument that holds one, or that may be missing because of one, is not known yet.
    fn together(&mut self, entry: &Entry, key: &Spanned<String>, args: &Arg) {
        let ArgKind::Map(entries) = &args.kind else { return };
        let required = |name: &str| entry.args_schema["required"].as_array().is_some_and(|r| r.iter().any(|k| k == name));
        let mut known = serde_json::Map::new();
        let mut templates = false;
        for (name, arg) in entries {
            let value = arg.skeleton().reveal().ok();
            templates |= value.is_none();
            match value {
                Some(value) => drop(known.insert(name.value.clone(), value)),
                None if required(&name.value) => drop(known.insert(name.value.clone(), "x".into())),
                None => {}
            }
        }
        let Err(Fault::Invalid { message, argument }) = entry.check(&known.into()) else { return };
        let found = argument.as_deref().and_then(|a| args.get(a));
        if templates && !found.is_some_and(Arg::is_literal) {
            return;
        }
        let path: Vec<PathPart> = argument.iter().map(|a| PathPart::Key(a.clone())).collect();
        // What a module advises stands behind the cause.
        let advice = ["write ", "use ", "to ", "say ", "give "];
        let (message, help) = match message.rsplit_once("; ").filter(|(_, tail)| advice.iter().any(|a| tail.starts_with(a))) {
            Some((cause, advice)) => (cause.to_owned(), advice.to_owned()),
            None => {
                (message, about(entry, &path).unwrap_or_else(|| format!("`runbook modules {}` shows what it takes", entry.name)))
            }
        };
        let format = argument.as_deref().and_then(|a| entry.args_schema["properties"][a]["format"].as_str());
        let code = if format == Some("uri") { Code::BadUrl } else { Code::BadArgument };
        let message = match &argument {
            Some(argument) => format!("`{argument}` of `{}`: {message}", entry.name),
            None => format!("`{}`: {message}", entry.name),
        };
        let span = found.map_or(key.span, |arg| match &arg.kind {
            ArgKind::Map(entries) => entries.first().map_or(arg.span, |(k, _)| k.span),
            _ => arg.span,
        });
        self.out.push(Diagnostic::error(code, span, message).help(help));
    }
}

/// The node in which an argument is written.
fn written<'n>(node: &'n Node, path: &[PathPart], entry: &Entry) -> Option<&'n Node> {
    let mut path = path;
    if node.as_map().is_none() {
        let (first, rest) = path.split_first()?;
        if !matches!(first, PathPart::Key(k) if entry.main.as_deref() == Some(k)) {
            return None;
        }
        path = rest;
    }
    path.iter().try_fold(node, |at, part| match part {
        PathPart::Key(key) => at.get(key),
        PathPart::Index(i) => at.as_list()?.get(*i),
    })
}

/// What the module says about the argument at a path, for a help line.
fn about(entry: &Entry, path: &[PathPart]) -> Option<String> {
    let PathPart::Key(name) = path.first()? else { return None };
    let text = entry.args_schema["properties"][name.as_str()]["description"].as_str()?;
    // Headings of the documentation are of several lines; the first sentence is enough here.
    let text = text.split("\n\n").next()?.replace('\n', " ");
    let first = text.split(". ").next()?;
    Some(format!("`{name}`: {}", super::fields::lower_first(first)))
}

/// The place that a schema error is about; the module's key if it is about the arguments as a whole.
fn place(args: &Arg, error: &SchemaError, whole: Span) -> Span {
    let Some((last, parents)) = error.path.split_last() else { return whole };
    if error.at_key {
        let parent = args.find(parents);
        if let (ArgKind::Map(entries), PathPart::Key(key)) = (&parent.kind, last)
            && let Some((key, _)) = entries.iter().find(|(k, _)| k.value == *key)
        {
            return key.span;
        }
        return parent.span;
    }
    let found = args.find(&error.path);
    match &found.kind {
        // A map is pointed at where it begins.
        ArgKind::Map(entries) => entries.first().map_or(found.span, |(k, _)| k.span),
        _ => found.span,
    }
}
