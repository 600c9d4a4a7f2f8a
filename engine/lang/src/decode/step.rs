//! Steps: one body and the common keys.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::Template;
use runbook_core::model::{Body, Step, StepSeverity};
use runbook_core::module::{Effect, Entry, Kind};
use runbook_core::node::Node;
use runbook_core::span::Spanned;
use runbook_core::suggest::nearest;

use super::fields::{fits, head, plain};
use super::names::Naming;
use super::{Fields, Reader};
use crate::keys::{self, BLOCK, BODIES, STEP, Where};

/// Where a step stands, as far as its keys depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ground {
    /// Directly inside a `parallel`.
    pub(crate) parallel: bool,
    /// Somewhere inside `checks`.
    pub(crate) checklist: bool,
}

impl Ground {
    /// The ground of a checklist.
    pub(crate) const CHECKLIST: Ground = Ground { parallel: false, checklist: true };

    /// The ground of what is inside a step.
    pub(crate) fn inside(self) -> Ground {
        Ground { parallel: false, ..self }
    }
}

const SEVERITIES: &[(&str, StepSeverity)] = &[("critical", StepSeverity::Critical), ("warning", StepSeverity::Warning)];

/// What the keys of a step say about its body.
struct Bodies<'n> {
    found: Vec<(&'n Spanned<String>, &'n Node)>,
    /// Keys that are neither a body nor common.
    unknown: Vec<(&'n Spanned<String>, &'n Node)>,
}

/// Whether a value may be a module's arguments: its short form, or a map of which it knows a key.
fn takes(entry: &Entry, value: &Node) -> bool {
    match value.as_map() {
        Some([]) => entry.args_schema["required"].as_array().is_none_or(Vec::is_empty),
        Some(map) => map.iter().any(|(key, _)| entry.args_schema["properties"].get(&key.value).is_some()),
        None => entry.main.is_some(),
    }
}

/// Whether a value has a form that this body takes.
fn reads_as(body: &str, value: &Node) -> bool {
    let (scalar, list, map) =
        (value.as_scalar().is_some() && !value.is_null(), value.as_list().is_some(), value.as_map().is_some());
    match body {
        "note" | "fail" | "stop" | "manual" | "play" => scalar,
        "shell" => scalar || map,
        "command" => list || map,
        "block" | "parallel" => list,
        "set" | "ask" => map,
        _ => scalar || map,
    }
}

impl Reader<'_> {
    /// A list of steps.
    pub(crate) fn steps(&mut self, node: &Node, key: &str, ground: Ground) -> Vec<Step> {
        let Some(items) = node.as_list() else {
            let mut diagnostic =
                Diagnostic::error(Code::WrongType, head(node), format!("`{key}` is a list of steps, found {}", node.describe()));
            diagnostic = match node.as_map() {
                Some(entries) if !entries.is_empty() => diagnostic.help("begin each step with `- `"),
                _ => diagnostic.help("write the steps below it, each beginning with `- `"),
            };
            self.out.push(diagnostic);
            return Vec::new();
        };
        if items.is_empty() {
            self.out.push(
                Diagnostic::error(Code::WrongType, node.span, format!("`{key}` has no steps")).help("it needs at least one"),
            );
        }
        items.iter().filter_map(|item| self.step(item, ground)).collect()
    }

    /// A list of checks, or one check alone.
    pub(crate) fn checks(&mut self, node: &Node, key: &str, ground: Ground) -> Vec<Step> {
        if node.as_map().is_some() && key != "requires" && key != "verify" && key != "checks" {
            return self.step(node, ground).into_iter().collect();
        }
        self.steps(node, key, ground)
    }

    /// One step.
    pub(crate) fn step(&mut self, node: &Node, ground: Ground) -> Option<Step> {
        let step = self.whole_step(node, ground);
        if step.is_none() {
            self.lose(node);
        }
        step
    }

    fn whole_step(&mut self, node: &Node, ground: Ground) -> Option<Step> {
        if !self.has_room_for_a_step(head(node)) {
            return None;
        }
        if node.as_map().is_none() {
            let help = match node.as_str() {
                Some(text) if self.registry.get(text).is_some() => format!("write `- {text}: {{}}`"),
                Some(text) if BODIES.get(text).is_some() => format!("give it a value: `- {text}: ...`"),
                Some(text) => format!("write `- note: {text:?}` to show it, or `- shell: ...` to run it"),
                None => "a step is a map such as `- http: http://127.0.0.1:8000/`".to_owned(),
            };
            let message = format!("a step is a map, found {}", if node.is_null() { "nothing" } else { node.describe() });
            self.out.push(Diagnostic::error(Code::WrongType, head(node), message).help(help));
            return None;
        }
        let mut fields = Fields::new(node);
        let bodies = self.bodies(&fields);
        let entry = bodies.found.first().and_then(|(k, _)| self.registry.get(&k.value).cloned());
        // A body that is written otherwise is read as what it is meant to be, so that the rest of the step is looked at too.
        let mut guess = None;
        for (key, value) in &bodies.unknown {
            let meant = self.unknown_step_key(key, value, entry.as_deref(), bodies.found.is_empty());
            let common = meant.as_deref().and_then(|m| STEP.get(m).or_else(|| BLOCK.get(m)));
            match (common, meant) {
                (Some(common), _) => fields.mean(key, common.name),
                (None, Some(body)) if guess.is_none() => {
                    let list = body == "shell" && value.as_list().is_some();
                    let body = if list { "command".to_owned() } else { body };
                    guess = Some((Spanned::new(body, key.span), *value));
                }
                _ => {}
            }
        }
        let guess = guess.filter(|(body, value)| bodies.found.is_empty() && reads_as(&body.value, value));
        let entry = entry.or_else(|| guess.as_ref().and_then(|(k, _)| self.registry.get(&k.value).cloned()));
        let body = match &guess {
            Some((key, value)) => Some((key, *value)),
            None => self.one_body(&fields, &bodies),
        };
        let Some((key, value)) = body else {
            // What stands beside the body is looked at all the same.
            self.common(&fields, ground);
            return None;
        };
        self.misplaced(&fields, &key.value, entry.as_deref(), ground);
        let body = match &entry {
            Some(entry) => Some(Body::Module(self.call(entry, key, value))),
            None => self.plain_body(key, value, &fields, ground),
        };
        let common = self.common(&fields, ground);
        Some(Step { body_span: key.span, body: body?, ..common })
    }

    /// Sorts a step's keys into bodies and unknown ones.
    fn bodies<'n>(&self, fields: &Fields<'n>) -> Bodies<'n> {
        let mut out = Bodies { found: Vec::new(), unknown: Vec::new() };
        for (key, value) in fields.entries {
            let name = key.value.as_str();
            if STEP.get(name).is_some() || BLOCK.get(name).is_some() {
                continue;
            }
            let habit = keys::find_alias(Where::Step, name).is_some_and(|a| a.module == Some(name))
                && self.registry.get(name).is_some_and(|entry| !takes(entry, value));
            let beside = habit
                && fields.entries.iter().any(|(k, _)| {
                    k.value != name
                        && (self.is_body(&k.value)
                            || keys::find_alias(Where::Step, &k.value).is_some_and(|a| a.key.is_some_and(|k| self.is_body(k))))
                });
            if self.is_body(name) && !beside {
                out.found.push((key, value));
            } else {
                out.unknown.push((key, value));
            }
        }
        out
    }

    fn is_body(&self, name: &str) -> bool {
        BODIES.get(name).is_some() || self.registry.get(name).is_some()
    }

    /// Reports a key of a step that is neither a body nor common, and gives the one that is meant.
    fn unknown_step_key(&mut self, key: &Spanned<String>, value: &Node, entry: Option<&Entry>, no_body: bool) -> Option<String> {
        if self.out.is_full() {
            self.out.push(Diagnostic::error(Code::UnknownKey, key.span, ""));
            return None;
        }
        let name = key.value.as_str();
        let unknown =
            |help: String| Diagnostic::error(Code::UnknownKey, key.span, format!("unknown key `{name}` in a step")).help(help);
        if let Some(entry) = entry
            && entry.args_schema["properties"].get(name).is_some()
        {
            let more = match &entry.main {
                Some(main) if main != name => format!(" (`{main}:` is what the short form stands for)"),
                _ => String::new(),
            };
            self.out.push(unknown(format!("it is an argument of `{}`: write it under `{}:`{more}", entry.name, entry.name)));
            return None;
        }
        // `services.start` is a slip in a name of ours; `ansible.builtin.service` is another tool's.
        let modules = self.registry.names().map(|n| n as &str).filter(|n| n.contains('.'));
        let near_module = nearest(name, modules).filter(|_| name.matches('.').count() == 1);
        if let Some(alias) = keys::find_alias(Where::Step, name).filter(|_| near_module.is_none()) {
            self.out.push(unknown(alias.say(plain(value))));
            let shape = alias.key.and_then(|k| STEP.get(k).or_else(|| BLOCK.get(k))).map(|k| &k.shape);
            return alias.key.filter(|_| shape.is_none_or(|shape| fits(shape, value))).map(str::to_owned);
        }
        if let Some(trouble) = self.registry.trouble(name) {
            self.out.push(
                Diagnostic::error(Code::BrokenModule, key.span, format!("the module `{name}` cannot be used: {trouble}")).help(
                    match self.registry.found().any(|n| n == name) {
                        true => format!("`runbook modules test {name}` tries it out"),
                        false => "use a build with it, or another module: `runbook modules` lists what there is".to_owned(),
                    },
                ),
            );
            return None;
        }
        let registry = self.registry;
        let near_common = nearest(name, STEP.names().chain(BLOCK.names()));
        let bodies: Vec<&str> = BODIES.keys.iter().map(|k| k.name).chain(registry.names().map(|n| n as &str)).collect();
        let near_body = nearest(name, bodies.iter().copied());
        let looks_like_module = name.contains('.') || (no_body && near_common.is_none());
        if looks_like_module {
            let elsewhere: Vec<&str> = keys::tables_with(name).map(|t| t.name).collect();
            let diagnostic = Diagnostic::error(Code::UnknownModule, key.span, format!("there is no module `{name}`"));
            self.out.push(match near_body {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if !elsewhere.is_empty() => {
                    Diagnostic::error(Code::NotAllowedHere, key.span, format!("`{name}` means nothing in a step"))
                        .help(format!("it belongs to {}", elsewhere.join(" or to ")))
                }
                None => diagnostic.help("`runbook modules` lists what there is"),
            });
            // The arguments of another module would be held against the wrong one.
            return near_body.filter(|body| BODIES.get(body).is_some()).map(str::to_owned);
        }
        let near = if no_body { near_body.or(near_common) } else { near_common.or(near_body) };
        let elsewhere: Vec<&str> = keys::tables_with(name).map(|t| t.name).collect();
        self.out.push(match near {
            _ if !elsewhere.is_empty() => {
                Diagnostic::error(Code::NotAllowedHere, key.span, format!("`{name}` means nothing in a step"))
                    .help(format!("it belongs to {}", elsewhere.join(" or to ")))
            }
            Some(near) => unknown(format!("did you mean `{near}`?")),
            None => unknown(format!("allowed here: {}, and one body", STEP.names().collect::<Vec<_>>().join(", "))),
        });
        let module = |name: &str| registry.get(name).is_some() && STEP.get(name).is_none();
        near.filter(|near| elsewhere.is_empty() && !module(near)).map(str::to_owned)
    }

    /// The one body; none or several are reported.
    fn one_body<'n>(&mut self, fields: &Fields<'n>, bodies: &Bodies<'n>) -> Option<(&'n Spanned<String>, &'n Node)> {
        match bodies.found.as_slice() {
            [one] => Some(*one),
            [] => {
                // An unknown key is most likely the misspelt body.
                let guessed = bodies.unknown.iter().any(|(k, _)| nearest(&k.value, STEP.names()).is_none());
                if !guessed {
                    let span = fields.head();
                    let message = if fields.entries.is_empty() { "an empty step" } else { "this step does nothing" };
                    self.out.push(
                        Diagnostic::error(Code::NoBody, span, message)
                            .help("give it one body: a module such as `http`, `command`, `shell`, `block`, `play`, `set`, `ask`, `note`, ..."),
                    );
                }
                None
            }
            [(first, _), (second, _), ..] => {
                self.out.push(
                    Diagnostic::error(
                        Code::TwoBodies,
                        second.span,
                        format!("a step with two bodies: `{}` and `{}`", first.value, second.value),
                    )
                    .also(first.span, "the first one")
                    .help(format!("begin a new step: `- {}: ...`", second.value)),
                );
                None
            }
        }
    }

    /// Reports keys that mean nothing beside this body or at this place.
    fn misplaced(&mut self, fields: &Fields<'_>, body: &str, entry: Option<&Entry>, ground: Ground) {
        let mut refuse = |key: &str, why: &str, help: &str| {
            if let Some((found, _)) = fields.exact(key) {
                let why = why.replace("{}", body);
                self.out.push(Diagnostic::error(Code::NotAllowedHere, found.span, format!("`{key}` {why}")).help(help));
            }
        };
        if !ground.parallel {
            let why = "means something only inside `parallel`";
            refuse("needs", why, "steps run in file order; write a graph as the children of a `parallel`");
            refuse("every", why, "steps run in file order; a pause between attempts is `retry: { every: ... }`");
        }
        if body != "block" {
            let why = "stands beside `block`, not beside `{}`";
            refuse("rescue", why, "put the step into a `block`");
            refuse("always", why, "put the step into a `block`");
        }
        if body != "play" {
            let help = match entry {
                Some(_) => "write the arguments under the module's name",
                None => "it gives the parameters of `play`",
            };
            refuse("with", "stands beside `play`, not beside `{}`", help);
        }
        if !ground.checklist {
            let why = "means something only in a checklist";
            refuse("severity", why, "leave it out; under `steps` a failed step is a failure");
            refuse("graded", why, "leave it out; under `steps` a failed step is a failure");
        }
        let looks = entry.is_some_and(|e| e.kind == Kind::Probe);
        let passive = matches!(body, "note" | "set" | "ask" | "manual" | "wait" | "fail" | "stop");
        if looks || passive {
            let why = "beside `{}`, which changes nothing";
            if body != "manual" {
                refuse("undo", why, "leave it out");
            }
            refuse("idempotent", why, "leave it out");
            refuse("touches", why, "leave it out");
            refuse("confirm", why, "leave it out; `ask:` is a question of its own");
        }
        if entry.is_none() && passive && body != "manual" && body != "ask" {
            for key in ["retry", "expect", "grade"] {
                refuse(key, "beside `{}`, which has no result to judge", "leave it out");
            }
        }
    }

    /// The common keys; the body is the caller's.
    fn common(&mut self, fields: &Fields<'_>, ground: Ground) -> Step {
        let id = fields.get("id").and_then(|n| self.text(n, "id")).filter(|id| self.name(id, Naming::Id));
        let each = self.each(fields);
        let effect = fields.get("effect").and_then(|n| self.word(n, "effect", Effect::ALL).map(|e| Spanned::new(e, n.span)));
        let override_ask = fields.get("override").and_then(|n| self.word(n, "override", &[("ask", true)]));
        let inner = ground.inside();
        let span = fields.node.span;
        Step {
            span,
            body_span: span,
            id,
            name: fields.get("name").and_then(|n| self.template(n, "name")),
            tags: self.texts(fields.get("tags"), "tags").into_iter().map(|t| t.value).collect(),
            links: self.links(fields.get("links")),
            when: fields.get("when").and_then(|n| self.expr(n, "when")),
            needs: self.needs(fields.get("needs")),
            every: self.duration_arg(fields.get("every"), "every"),
            expect: self.exprs(fields.get("expect"), "expect"),
            severity: fields.get("severity").and_then(|n| self.word(n, "severity", SEVERITIES)).unwrap_or_default(),
            grade: self.grade(fields.get("grade")),
            override_ask: override_ask.unwrap_or_default(),
            retry: self.retry(fields.get("retry")),
            timeout: self.duration_arg(fields.get("timeout"), "timeout"),
            expected_duration: self.duration_arg(fields.get("expected_duration"), "expected_duration"),
            continue_on_error: self.bool_arg(fields.get("continue_on_error"), "continue_on_error"),
            undo: fields.get("undo").map(|n| self.steps(n, "undo", Ground::default())).unwrap_or_default(),
            verify: fields.get("verify").map(|n| self.checks(n, "verify", inner)).unwrap_or_default(),
            confirm: self.confirm(fields.get("confirm"), each.is_some()),
            effect,
            touches: self.touches(fields.get("touches")),
            idempotent: fields.get("idempotent").and_then(|n| self.bool(n, "idempotent")),
            save: self.text_arg(fields.get("save"), "save"),
            sensitive: fields.get("sensitive").and_then(|n| self.bool(n, "sensitive")).unwrap_or_default(),
            on: self
                .host(fields.get("on"))
                .map(|t| runbook_core::model::Arg { span: t.span, kind: runbook_core::model::ArgKind::Template(t) }),
            graded: fields.get("graded").and_then(|n| self.bool(n, "graded")).unwrap_or(true),
            each,
            // Replaced by the caller.
            body: Body::Note(Template::literal("", span)),
        }
    }

    fn touches(&mut self, node: Option<&Node>) -> Option<runbook_core::model::Arg> {
        let node = node?;
        let Some(items) = node.as_list() else {
            self.wrong(node, "touches", "a list such as `[service:api-gateway, \"file:/etc/x\"]`");
            return None;
        };
        const KINDS: &[&str] = &["service", "port", "process", "file", "db", "host"];
        for item in items {
            let Some(text) = item.as_str().filter(|t| !t.starts_with("{{")) else { continue };
            let kind = text.split(':').next().unwrap_or("");
            if !text.contains(':') || !KINDS.contains(&kind) {
                let mut diagnostic = Diagnostic::error(Code::BadChoice, item.span, format!("{text:?} names no resource"));
                diagnostic = match nearest(kind, KINDS.iter().copied()) {
                    Some(near) if text.contains(':') => diagnostic.help(format!("did you mean `{near}:`?")),
                    _ => diagnostic.help(
                        "a resource is written `service:NAME`, `port:N`, `process:PID`, `file:PATH`, `db:PATH` or `host:*`",
                    ),
                };
                self.out.push(diagnostic);
            }
        }
        Some(self.arg(node))
    }

    /// A host; only this machine so far.
    pub(crate) fn host(&mut self, node: Option<&Node>) -> Option<Template> {
        let node = node?;
        let host = self.template(node, "on")?;
        if host.as_literal() == Some("localhost") {
            return None;
        }
        const EVENTS: &[&str] = &["push", "pull_request", "schedule", "workflow_dispatch", "release", "cron"];
        let diagnostic = match host.as_literal() {
            Some(event) if EVENTS.contains(&event) => {
                Diagnostic::error(Code::NotAllowedHere, node.span, format!("`on` names a host, and `{event}` is an event"))
                    .help("when a playbook runs by itself is said by `schedule: { every: 5m }`")
            }
            _ => Diagnostic::error(Code::NotYet, node.span, "other hosts are not supported yet")
                .help("leave `on` out, and run the playbook on the host itself"),
        };
        self.out.push(diagnostic);
        None
    }

    /// Reports ids that are used twice: of the nodes of a tree, of all these steps and of what is inside them.
    pub(crate) fn unique_ids<'s>(&mut self, nodes: Vec<&'s Spanned<String>>, lists: impl IntoIterator<Item = &'s [Step]>) {
        let what = if nodes.is_empty() { "one step" } else { "one node or step" };
        let mut all = nodes;
        for list in lists {
            crate::walk::each_step(list, &mut |step| all.extend(&step.id));
        }
        // Nodes and steps of a tree are written in turns.
        all.sort_by_key(|id| (id.span.source, id.span.start));
        // By the id without the difference between `-` and `_`, which nobody hears when it is read aloud.
        let mut seen: std::collections::HashMap<String, &'s Spanned<String>> = std::collections::HashMap::new();
        for id in all {
            let Some(first) = seen.insert(id.value.replace('-', "_"), id) else { continue };
            let (message, help) = if first.value == id.value {
                let free = (2..).map(|n| format!("{}-{n}", id.value)).find(|free| !seen.contains_key(&free.replace('-', "_")));
                let free = free.unwrap_or_default();
                let help = format!("an id names {what} of a playbook: choose another one, such as `{free}`");
                (format!("the id `{}` is used twice", id.value), help)
            } else {
                let message = format!("the ids `{}` and `{}` differ only in `-` and `_`", first.value, id.value);
                (message, "choose ids that are told apart when they are read aloud".to_owned())
            };
            self.out.push(Diagnostic::error(Code::DuplicateId, id.span, message).also(first.span, "first used here").help(help));
        }
    }
}
