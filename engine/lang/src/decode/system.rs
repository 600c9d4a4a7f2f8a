//! System files.

use indexmap::IndexMap;
use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::forms;
use runbook_core::model::{Arg, ArgKind, Service, System};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::{SourceId, Spanned};
use runbook_core::suggest::nearest;
use runbook_core::value::{Value, parse_duration};

use super::names::Naming;
use super::step::Ground;
use super::{Fields, Reader};
use crate::keys::{ESCALATION, SERVICE, STOP, SYSTEM, Shape, THRESHOLD, Where};
use crate::overlay;

/// The keys of a service whose maps are laid over the defaults entry by entry.
const MERGED: &[&str] = &["vars", "env", "stop"];

/// The signals that a service may be stopped with.
const SIGNALS: &[&str] = &["TERM", "INT", "QUIT", "HUP", "KILL", "USR1", "USR2", "CONT", "STOP", "TSTP", "WINCH", "ABRT", "ALRM"];

/// Decodes a system file with the profile laid over it.
pub(crate) fn system(reader: &mut Reader<'_>, node: &Node, file: SourceId, profile: Option<&str>) -> Option<System> {
    if node.as_map().is_none() {
        let message = format!("a system file is a map, found {}", node.describe());
        reader.out.push(Diagnostic::error(Code::WrongType, node.span.at_start(), message).help("begin with `system: NAME`"));
        return None;
    }
    let profiles = reader.profiles(node);
    let laid;
    let node = match profile {
        None => node,
        Some(name) => match node.get("profiles").and_then(|p| p.get(name)) {
            Some(over) => {
                laid = overlay::lay(node, over);
                &laid
            }
            None => {
                let mut diagnostic =
                    Diagnostic::error(Code::UnknownProfile, node.span.at_start(), format!("there is no profile `{name}`"));
                if let Some((key, _)) = node.as_map().and_then(|m| m.iter().find(|(k, _)| k.value == "profiles")) {
                    diagnostic.span = Some(key.span);
                }
                diagnostic = match nearest(name, profiles.iter().map(String::as_str)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None if profiles.is_empty() => diagnostic.help("the system file has no `profiles`"),
                    None => diagnostic.help(format!("the profiles are {}", profiles.join(", "))),
                };
                reader.out.push(diagnostic);
                node
            }
        },
    };
    let fields = reader.fields(node, &SYSTEM, None)?;
    reader.language(&fields);
    let name = fields.get("system").and_then(|n| reader.text(n, "system"));
    let contacts = fields.get("contacts").filter(|n| reader.is_map(n, "contacts")).map(|n| reader.arg(n));
    let escalation = fields.get("escalation").and_then(|n| reader.escalation(n, contacts.as_ref()));
    Some(System {
        name: name.map(|n| n.value).unwrap_or_default(),
        description: reader.plain_text(fields.get("description"), "description"),
        file: Some(file),
        vars: reader.named_args(fields.get("vars"), "vars", Naming::Variable),
        env: reader.env(fields.get("env")),
        profiles,
        profile: profile.map(str::to_owned),
        thresholds: reader.thresholds(fields.get("thresholds")),
        contacts,
        escalation,
        redact: fields.get("redact").map(|n| reader.arg(n)),
        read_commands: reader.read_commands(fields.get("read_commands")),
        hosts: fields.get("hosts").filter(|n| reader.is_map(n, "hosts")).map(|n| reader.arg(n)),
        services: reader.services(&fields),
    })
}

impl Reader<'_> {
    fn is_map(&mut self, node: &Node, key: &str) -> bool {
        let map = node.as_map().is_some();
        if !map {
            self.wrong(node, key, "a map");
        }
        map
    }

    /// The names of the profiles; each overlay's keys are checked, chosen or not.
    fn profiles(&mut self, node: &Node) -> Vec<String> {
        let entries =
            self.entries(node.get("profiles").filter(|n| !n.is_null()), "profiles", "a map such as `{staging: {vars: {...}}}`");
        for (name, overlay) in entries {
            self.name(name, Naming::Id);
            let Some(keys) = overlay.as_map() else {
                self.wrong(overlay, &name.value, "a map of what differs");
                continue;
            };
            for (key, value) in keys {
                if matches!(key.value.as_str(), "system" | "profiles" | "language") {
                    self.out.push(
                        Diagnostic::error(Code::NotAllowedHere, key.span, format!("a profile cannot change `{}`", key.value))
                            .help("leave it out"),
                    );
                } else if SYSTEM.get(&key.value).is_none() {
                    self.unknown_key(key, value, &SYSTEM, None);
                }
            }
        }
        entries.iter().map(|(n, _)| n.value.clone()).collect()
    }

    fn thresholds(&mut self, node: Option<&Node>) -> Vec<(Spanned<String>, Arg)> {
        let mut out = Vec::new();
        for (name, node) in self.entries(node, "thresholds", "a map such as `{memory: {warning: 80, critical: 90}}`") {
            let good = self.name(name, Naming::Id);
            let Some(fields) = self.fields(node, &THRESHOLD, None) else { continue };
            let entries: Vec<(Spanned<String>, Arg)> = fields
                .entries
                .iter()
                .filter(|(k, _)| THRESHOLD.get(&k.value).is_some())
                .map(|(k, v)| (k.clone(), if k.value == "unit" { self.arg(v) } else { self.limit(v) }))
                .collect();
            let arg = Arg { span: node.span, kind: ArgKind::Map(entries) };
            self.limits_agree([arg.get("target"), arg.get("warning"), arg.get("critical")]);
            if good {
                out.push((name.clone(), arg));
            }
        }
        out
    }

    fn escalation(&mut self, node: &Node, contacts: Option<&Arg>) -> Option<Arg> {
        let Some(items) = node.as_list() else {
            self.wrong(node, "escalation", "a list such as `[{contact: on-call, after: 15m}]`");
            return None;
        };
        let known: Vec<&str> = match contacts.map(|c| &c.kind) {
            Some(ArgKind::Map(entries)) => entries.iter().map(|(k, _)| k.value.as_str()).collect(),
            _ => Vec::new(),
        };
        let mut steps = Vec::new();
        for item in items {
            let Some(fields) = self.fields(item, &ESCALATION, None) else { continue };
            if let Some(node) = fields.get("contact")
                && let Some(name) = node.as_str()
                && !name.contains("{{")
                && !known.contains(&name)
            {
                let diagnostic = Diagnostic::error(Code::UndefinedName, node.span, format!("there is no contact `{name}`"));
                self.out.push(match nearest(name, known.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("list it under `contacts:`"),
                });
            }
            let entries = fields
                .entries
                .iter()
                .filter_map(|(k, v)| {
                    let arg = if k.value == "after" { self.after(v)? } else { self.arg(v) };
                    Some((k.clone(), arg))
                })
                .collect();
            steps.push(Arg { span: item.span, kind: ArgKind::Map(entries) });
        }
        Some(Arg { span: node.span, kind: ArgKind::List(steps) })
    }

    /// How long after the start; nothing at all is fine.
    fn after(&mut self, node: &Node) -> Option<Arg> {
        if node.as_str().is_some_and(|t| t.contains("{{")) {
            return Some(self.arg(node));
        }
        self.duration(node, "after").map(|d| Arg::literal(Value::Duration(d), node.span))
    }

    fn read_commands(&mut self, node: Option<&Node>) -> Vec<Vec<String>> {
        let Some(node) = node else { return Vec::new() };
        let Some(items) = node.as_list() else {
            self.wrong(node, "read_commands", "a list such as `[[kubectl, get], [git, status]]`");
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            let Some(words) = item.as_list() else {
                let example = item
                    .as_str()
                    .map(|t| format!("a list of words such as `[{}]`", t.split_whitespace().collect::<Vec<_>>().join(", ")));
                self.wrong(item, "read_commands", example.as_deref().unwrap_or("a list of words such as `[kubectl, get]`"));
                continue;
            };
            if words.is_empty() {
                self.out.push(
                    Diagnostic::error(Code::WrongType, item.span, "an empty prefix would make every command a `read`")
                        .help("name the program"),
                );
                continue;
            }
            out.push(self.texts(Some(item), "read_commands").into_iter().map(|w| w.value).collect());
        }
        out
    }

    fn services(&mut self, fields: &Fields<'_>) -> IndexMap<String, Service> {
        let defaults = fields.get("service_defaults");
        if let Some(defaults) = defaults {
            self.service_fields(defaults, "service_defaults");
        }
        let mut out = IndexMap::new();
        for (id, node) in self.entries(fields.get("services"), "services", "a map such as `{api: {port: 8000}}`") {
            let good = self.name(id, Naming::Id);
            let empty = Node { span: id.span, kind: NodeKind::Map(Vec::new()) };
            let own = if node.is_null() { &empty } else { node };
            if own.as_map().is_none() {
                self.wrong(own, &id.value, "a map such as `{port: 8000}`");
                continue;
            }
            self.service_fields(own, &id.value);
            let merged = match defaults.filter(|d| d.as_map().is_some()) {
                Some(defaults) => overlay::entry(defaults, own, MERGED),
                None => own.clone(),
            };
            let service = self.service(id, &merged);
            if good {
                out.insert(id.value.clone(), service);
            }
        }
        out
    }

    /// Reports keys and literal values that a service cannot have.
    fn service_fields(&mut self, node: &Node, name: &str) {
        let Some(entries) = node.as_map() else {
            self.wrong(node, name, "a map");
            return;
        };
        for (key, value) in entries {
            let Some(known) = SERVICE.get(&key.value) else {
                self.unknown_key(key, value, &SERVICE, Some(Where::Service));
                continue;
            };
            if value.is_null() || value.as_str().is_some_and(|t| t.contains("{{")) {
                continue;
            }
            match known.shape {
                Shape::Word(words) => {
                    let pairs: Vec<(&str, ())> = words.iter().map(|w| (*w, ())).collect();
                    self.word(value, &key.value, &pairs);
                }
                Shape::Int => {
                    self.int_arg(Some(value), &key.value, 1, 65_535);
                }
                Shape::Bool => {
                    self.bool(value, &key.value);
                }
                Shape::Duration => {
                    self.duration(value, &key.value);
                }
                Shape::Text | Shape::Template => {
                    let Some(text) = self.text(value, &key.value) else { continue };
                    let wrong = match key.value.as_str() {
                        "url" | "health_url" => forms::url(&text.value).map(|w| (Code::BadUrl, w)),
                        "host" => forms::host(&text.value).map(|w| (Code::BadArgument, w)),
                        "unit" => forms::unit(&text.value).map(|w| (Code::BadArgument, w)),
                        _ => None,
                    };
                    if let Some((code, wrong)) = wrong {
                        self.wrong_form(code, value, wrong);
                    }
                }
                Shape::Texts => {
                    self.texts(Some(value), &key.value);
                }
                Shape::Templates => {
                    self.entries(Some(value), &key.value, "a map such as `{name: value}`");
                }
                Shape::Table(_) => self.stop(value),
                Shape::ListOf(Shape::Int) => match value.as_list() {
                    Some(items) => items.iter().for_each(|i| {
                        self.int_arg(Some(i), &key.value, 1, 65_535);
                    }),
                    None => self.wrong(value, &key.value, "a list such as `[8000, 8001]`"),
                },
                _ => {}
            }
        }
    }

    fn stop(&mut self, node: &Node) {
        let Some(fields) = self.fields(node, &STOP, None) else { return };
        if let Some(grace) = fields.get("grace")
            && grace.as_str().is_none_or(|t| !t.contains("{{") && parse_duration(t).is_none())
        {
            self.bad_duration(grace, "grace");
        }
        let Some(signal) = fields.get("signal") else { return };
        let Some(text) = signal.as_str() else {
            self.wrong(signal, "signal", "a name such as `TERM`");
            return;
        };
        if !text.contains("{{") {
            let upper = text.to_ascii_uppercase();
            let name = upper.strip_prefix("SIG").unwrap_or(&upper);
            if !SIGNALS.contains(&name) {
                let diagnostic = Diagnostic::error(Code::BadChoice, signal.span, format!("there is no signal `{text}`"));
                self.out.push(match nearest(name, SIGNALS.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("the signals are {}", SIGNALS.join(", "))),
                });
            }
        }
    }

    fn service(&mut self, id: &Spanned<String>, node: &Node) -> Service {
        let fields = Fields::new(node);
        let check =
            |reader: &mut Self, key: &str| fields.get(key).map(|n| reader.checks(n, key, Ground::default())).unwrap_or_default();
        let (ready, present) = (check(self, "ready"), check(self, "present"));
        let rest = fields.entries.iter().filter(|(k, _)| !matches!(k.value.as_str(), "needs" | "ready" | "present"));
        let fields_of = rest.map(|(k, v)| (k.clone(), self.arg(v))).collect();
        Service { id: id.value.clone(), span: id.span, needs: self.needs(fields.get("needs")), fields: fields_of, ready, present }
    }
}
