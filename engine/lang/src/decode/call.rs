//! Calls of modules: their arguments, held against the module's schema.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{Arg, ArgKind, ModuleCall, PathPart};
use runbook_core::module::{Entry, SchemaError, validate};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::{Span, Spanned};
use runbook_core::value::Value;

use super::Reader;
use crate::keys::STEP;

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
            self.validate(entry, key, &args);
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

    fn validate(&mut self, entry: &Entry, key: &Spanned<String>, args: &Arg) {
        for error in validate(&entry.args_schema, &args.skeleton()) {
            let span = place(args, &error, key.span);
            let name = match error.path.last() {
                Some(PathPart::Key(name)) if error.at_key => Some(name.as_str()),
                _ => None,
            };
            let message = match (&error.path[..], error.at_key) {
                ([], _) => format!("`{}`: {}", entry.name, error.message),
                (_, true) => format!("{} of `{}`", error.message, entry.name),
                ([.., last], false) => match last {
                    PathPart::Key(name) => format!("`{name}` of `{}`: {}", entry.name, error.message),
                    PathPart::Index(i) => format!("item {} of `{}`: {}", i + 1, entry.name, error.message),
                },
            };
            let mut help = error.help;
            if error.path.len() == 1
                && let Some(name) = name
                && STEP.get(name).is_some()
            {
                help = Some(format!("`{name}` belongs to the step: write it beside `{}:`", entry.name));
            }
            let mut diagnostic = Diagnostic::error(error.code, span, message);
            diagnostic.help = help;
            self.out.push(diagnostic);
        }
    }
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
