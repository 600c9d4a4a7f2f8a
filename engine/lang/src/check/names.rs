//! Looking up names and the members of what they stand for.

use runbook_core::code::Code;
use runbook_core::model::{ArgKind, Body, Contents, Service, Step};
use runbook_core::suggest::nearest;

use super::expr::{Checker, Own};
use super::scope::{Known, Reach, What};
use super::ty::{Fixed, Kind, Missing, Ty, schema_member};
use crate::decode::ROOTS;
use crate::keys::SERVICE;

/// The fields that every step's result has.
pub(crate) const RESERVED: &[&str] =
    &["outcome", "changed", "error", "grade", "answer", "note", "attempts", "items", "started_at", "duration"];

/// A name or member that is not there.
pub(crate) struct Wrong {
    pub(crate) code: Code,
    pub(crate) missing: Missing,
    /// Another place that explains it.
    pub(crate) also: Option<(runbook_core::span::Span, String)>,
}

impl Wrong {
    pub(super) fn new(code: Code, missing: Missing) -> Wrong {
        Wrong { code, missing, also: None }
    }

    /// What nobody reads: as many mistakes of the file are listed as are.
    fn untold() -> Wrong {
        Wrong::undefined(String::new(), "")
    }

    pub(super) fn undefined(message: String, help: impl Into<String>) -> Wrong {
        Wrong::new(Code::UndefinedName, Missing { message, help: help.into() })
    }
}

pub(super) type Found<'a> = Result<Ty<'a>, Wrong>;

impl<'a> Checker<'a, '_> {
    /// A bare name.
    pub(crate) fn name(&self, name: &str, own: Option<&Own<'a>>) -> Found<'a> {
        if let Some(found) = own.and_then(|own| self.own(own, name)) {
            return Ok(found);
        }
        if let Some(ty) = self.scope.local(name) {
            return Ok(ty);
        }
        let found = match name {
            "params" if self.scope.playbook.is_some() => Some(Ty::Params),
            "steps" if self.scope.playbook.is_some() => Some(Ty::Steps),
            "services" => Some(Ty::Services),
            "thresholds" => Some(Ty::Thresholds),
            "contacts" => self.scope.system.contacts.as_ref().map_or(Some(Ty::Any), |c| Some(Ty::Written(c))),
            "escalation" | "findings" => Some(Ty::Kind(Kind::List)),
            "hosts" => self.scope.system.hosts.as_ref().map_or(Some(Ty::Any), |h| Some(Ty::Written(h))),
            "host" => Some(Ty::Any),
            "env" => Some(Ty::Env),
            "run" => Some(Ty::Fixed(Fixed::Run)),
            _ => None,
        };
        if let Some(ty) = found {
            return Ok(ty);
        }
        let open = own.is_some_and(|own| self.open_result(own.step));
        if open || self.lost.system || self.lost.names.contains(name) {
            return Ok(Ty::Any);
        }
        Err(self.undefined(name, own))
    }

    /// What to say about a name that is not in scope.
    fn undefined(&self, name: &str, own: Option<&Own<'a>>) -> Wrong {
        if self.out.is_full() {
            return Wrong::untold();
        }
        let message = format!("`{name}` is not defined here");
        let own_names = own.map(|own| self.own_names(own)).unwrap_or_default();
        let mut names: Vec<&str> = own_names.clone();
        names.extend(self.scope.local_names());
        names.extend(ROOTS);
        let special = match name {
            "error" => Some("`error` is in scope in `rescue`, and in `expect`"),
            "result" => Some("`result` is in scope in `expect`, `grade` and `give_up_when`; elsewhere it is `steps.<id>`"),
            "item" => Some("`item` is in scope beside `for_each` and inside the steps that it repeats"),
            "service" => Some("`service` is in scope in a service's entry; elsewhere it is `services.<id>`"),
            "vars" | "variables" => Some("variables are used by their bare names"),
            "params" | "steps" => Some("it belongs to a playbook, and a system file is shared by several"),
            "inputs" | "parameters" | "args" => Some("here it is `params.<name>`"),
            "loop" | "index" => Some("there is no loop counter; the item is `item`, or the name under `as:`"),
            "ansible_hostname" | "hostname" | "inventory_hostname" => Some("here it is `host`"),
            _ => None,
        };
        if let Some(help) = special {
            return Wrong::undefined(message, help);
        }
        let vars = self.scope.playbook.map(|p| p.vars.as_slice()).unwrap_or_default();
        if let Some((later, _)) = vars.iter().chain(&self.scope.system.vars).find(|(n, _)| n.value == name) {
            let mut wrong = Wrong::undefined(format!("the variable `{name}` comes later"), "a variable may use those before it");
            wrong.also = Some((later.span, "defined here".to_owned()));
            return wrong;
        }
        if let Some(set) = self.scope.set_somewhere(name) {
            let help = "a variable lasts from its `set` to the end of the block, loop item or `parallel` child around it";
            let mut wrong = Wrong::undefined(message, help);
            wrong.also = Some((set, "set here".to_owned()));
            return wrong;
        }
        if let Some(near) = nearest(name, names.iter().copied()) {
            return Wrong::undefined(message, format!("did you mean `{near}`?"));
        }
        let params = self.scope.playbook.map(|p| p.params.as_slice()).unwrap_or_default();
        if self.scope.param(name).is_some() {
            return Wrong::undefined(message, format!("it is a parameter: write `params.{name}`"));
        }
        if self.scope.ids.contains_key(name) {
            return Wrong::undefined(message, format!("it is a step: write `steps.{name}`"));
        }
        if self.scope.system.services.contains_key(name) {
            return Wrong::undefined(message, format!("it is a service: write `services.{name}`"));
        }
        if let Some(near) = nearest(name, params.iter().map(|p| p.name.value.as_str())) {
            return Wrong::undefined(message, format!("did you mean `params.{near}`?"));
        }
        let help = if own_names.is_empty() {
            "names come from `params`, `vars`, the system, `set`, and `steps.<id>` of earlier steps; text is put in quotes"
                .to_owned()
        } else {
            format!("the result has {}", own_names.join(", "))
        };
        Wrong::undefined(message, help)
    }

    /// A field of the step's own result, inside `expect` and its like.
    fn own(&self, own: &Own<'a>, name: &str) -> Option<Ty<'a>> {
        match name {
            "result" => {
                return Some(match self.entry(own.step) {
                    Some(entry) => Ty::Schema(&entry.result_schema),
                    None => Ty::Any,
                });
            }
            "changed" => return Some(Ty::Kind(Kind::Bool)),
            "attempts" => return Some(Ty::Kind(Kind::Number)),
            _ => {}
        }
        if let Some(entry) = self.entry(own.step)
            && let Some(schema) = entry.result_schema["properties"].get(name)
        {
            return Some(Ty::Schema(schema));
        }
        if name == "error" {
            return Some(Ty::Kind(Kind::Str));
        }
        self.other_fields(own.step, name)
    }

    fn own_names(&self, own: &Own<'a>) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.entry(own.step).map(|e| e.result_fields()).unwrap_or_default();
        names.extend(self.other_names(own.step));
        names.extend(["result", "error", "changed", "attempts"]);
        names
    }

    /// A field of a result that no module makes.
    pub(super) fn other_fields(&self, step: &'a Step, name: &str) -> Option<Ty<'a>> {
        self.other_names(step).contains(&name).then_some(Ty::Any)
    }

    /// Whether the fields of a result cannot be known.
    pub(super) fn open_result(&self, step: &Step) -> bool {
        match &step.body {
            Body::Play { name, .. } => self.played(&name.value).is_none(),
            Body::Module(call) => self.project.registry.get(&call.name.value).is_none_or(|e| open_schema(&e.result_schema)),
            _ => false,
        }
    }

    pub(super) fn other_names(&self, step: &'a Step) -> Vec<&'a str> {
        match &step.body {
            Body::Ask(_) => vec!["answer"],
            Body::Manual(_) => vec!["answer", "note"],
            Body::Play { name, .. } => match self.played(&name.value) {
                Some(playbook) => {
                    let mut names: Vec<&str> = playbook.outputs.iter().map(|(n, _)| n.value.as_str()).collect();
                    if !matches!(playbook.contents, Contents::Steps(_)) {
                        names.extend(["verdict", "findings", "checks"]);
                    }
                    names
                }
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// `inner.name` or `inner['name']`.
    pub(crate) fn member(&self, inner: Ty<'a>, name: &str) -> Found<'a> {
        match inner {
            Ty::Any => Ok(Ty::Any),
            Ty::Kind(Kind::Map | Kind::Null) => Ok(Ty::Any),
            Ty::Kind(Kind::List) => Err(Wrong::undefined(
                format!("a list has no `{name}`"),
                format!("take an item (`[0]`, `| first`), or all of them: `| map(attribute='{name}')`"),
            )),
            Ty::Kind(kind) => Err(Wrong::undefined(format!("{} has no `{name}`", kind.word()), "it is not a map; leave it out")),
            Ty::Schema(schema) => match schema_member(schema, name) {
                Ok(ty) => match Ty::Schema(schema).kind() {
                    Some(kind) if kind != Kind::Map => self.member(Ty::Kind(kind), name),
                    _ => Ok(ty),
                },
                Err(names) => {
                    Err(Wrong::new(Code::UndefinedName, Missing::among(format!("there is no field `{name}` here"), name, names)))
                }
            },
            Ty::Written(arg) => match &arg.kind {
                ArgKind::Map(entries) => match entries.iter().find(|(k, _)| k.value == name) {
                    Some((_, value)) => Ok(Ty::Written(value)),
                    None => Err(Wrong::new(
                        Code::UndefinedName,
                        Missing::among(format!("there is no `{name}` here"), name, entries.iter().map(|(k, _)| k.value.as_str())),
                    )),
                },
                _ => match inner.kind() {
                    Some(kind) if kind != Kind::Map => self.member(Ty::Kind(kind), name),
                    _ => Ok(Ty::Any),
                },
            },
            Ty::Fixed(fixed) if fixed.names().contains(&name) => Ok(fixed.member(name)),
            Ty::Fixed(fixed) => {
                let message = format!("`{}` has no `{name}`", fixed.name());
                Err(Wrong::new(Code::UndefinedName, Missing::among(message, name, fixed.names().iter().copied())))
            }
            Ty::Params => self.param(name),
            Ty::Env => self.env(name),
            Ty::Steps => self.step_result(name),
            Ty::Step(step) => self.step_field(step, name),
            Ty::Node(node) => self.node_field(node, name),
            Ty::Services | Ty::Service(_) if self.lost.system => Ok(Ty::Any),
            Ty::Services => self.service(name).map(|s| Ty::Service(Some(s))),
            Ty::Service(service) => self.service_field(service, name),
            Ty::Thresholds => self.threshold(name),
        }
    }

    fn param(&self, name: &str) -> Found<'a> {
        let params = self.scope.playbook.map(|p| p.params.as_slice()).unwrap_or_default();
        let visible = self.scope.params.unwrap_or(params.len());
        match self.scope.param(name) {
            Some((at, param)) if at < visible => Ok(Kind::of_param(param.ty).map_or(Ty::Any, Ty::Kind)),
            Some((_, param)) => {
                let mut wrong = Wrong::undefined(format!("`params.{name}` comes later"), "a parameter may use those before it");
                wrong.also = Some((param.name.span, "declared here".to_owned()));
                Err(wrong)
            }
            None if self.lost.names.contains(name) => Ok(Ty::Any),
            None if self.out.is_full() => Err(Wrong::untold()),
            None => {
                let names = params.iter().map(|p| p.name.value.as_str());
                let mut missing = Missing::among(format!("there is no parameter `{name}`"), name, names);
                if params.is_empty() {
                    missing.help = format!("declare it: `params: {{ {name}: {{ type: string }} }}`");
                }
                Err(Wrong::new(Code::UndefinedName, missing))
            }
        }
    }

    fn env(&self, name: &str) -> Found<'a> {
        if self.scope.env.contains_key(name) || self.lost.system {
            return Ok(Ty::Kind(Kind::Str));
        }
        if self.out.is_full() {
            return Err(Wrong::untold());
        }
        let declared = self.scope.playbook.map(|p| p.env.as_slice()).unwrap_or_default();
        let names = declared.iter().chain(&self.scope.system.env).map(|e| e.name.value.as_str());
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `env.{near}`?"),
            None => format!("declare it: `env: [{name}]`"),
        };
        Err(Wrong::undefined(format!("the environment variable `{name}` is not declared"), help))
    }

    fn step_result(&self, id: &str) -> Found<'a> {
        let known = self.scope.ids.get(id);
        let (code, message, help) = match (self.scope.reach(id), known) {
            (Reach::Ran, Some(known)) => {
                return Ok(match known.what {
                    What::Step(step) => Ty::Step(step),
                    What::Node(node) => Ty::Node(node),
                });
            }
            _ if self.lost.names.contains(id) => return Ok(Ty::Any),
            _ if self.out.is_full() => return Err(Wrong::untold()),
            (Reach::Unknown, _) | (_, None) => {
                let names = self.scope.ids.keys().copied();
                let mut missing = Missing::among(format!("there is no step `{id}`"), id, names);
                if self.scope.ids.is_empty() {
                    missing.help = format!("give the step an id: `id: {id}`");
                }
                if self.scope.findings.as_ref().is_some_and(|all| all.contains(id)) {
                    missing.help = format!("it is a finding: write `'{id}' in findings`");
                }
                return Err(Wrong::new(Code::UnknownStep, missing));
            }
            (Reach::Later, Some(Known { what: What::Node(_), .. })) => {
                (Code::NotRunYet, format!("`{id}` has not been visited yet"), "a node uses the results of nodes above it")
            }
            (Reach::Later, _) => {
                (Code::NotRunYet, format!("the step `{id}` has not run yet"), "a step uses the results of steps above it")
            }
            (Reach::Around, Some(Known { what: What::Node(_), .. })) => (
                Code::NotRunYet,
                format!("the question `{id}` has no result yet: it is being asked here"),
                "inside `expect` and `answer` the result's fields are used by their bare names",
            ),
            (Reach::Around, _) => (
                Code::NotRunYet,
                format!("the step `{id}` has no result yet: it is running here"),
                "inside `expect` the result's fields are used by their bare names",
            ),
            (Reach::Beside, _) => (
                Code::NotRunYet,
                format!("the step `{id}` runs at the same time"),
                "write `needs: [ID]` at this child of the `parallel`, so that it waits",
            ),
            (Reach::OtherBranch, _) => (
                Code::NotRunYet,
                format!("`{id}` lies in another branch: where this is walked, it never is"),
                "use what lies on the way here",
            ),
        };
        let help = help.replace("[ID]", &format!("[{id}]"));
        let mut wrong = Wrong::new(code, Missing { message, help });
        let word = if matches!(known, Some(Known { what: What::Node(_), .. })) { "the node" } else { "the step" };
        wrong.also = known.map(|k| (k.span, word.to_owned()));
        Err(wrong)
    }

    fn step_field(&self, step: &'a Step, name: &str) -> Found<'a> {
        let id = step.id.as_ref().map(|i| i.value.as_str()).unwrap_or_default();
        let inside = self.scope.inside.iter().any(|s| std::ptr::eq(*s, step));
        if self.scope.outside_its_loop(id) {
            if name == "items" {
                return Ok(Ty::Any);
            }
            return Err(Wrong::undefined(
                format!("`steps.{id}` runs in a loop, so outside it there is no one `{name}`"),
                format!("its results are in `items`: `steps.{id}.items | map(attribute='{name}')`"),
            ));
        }
        if name == "items" && step.each.is_none() {
            return Err(Wrong::undefined(format!("`steps.{id}` has no `items`"), "only a step with `for_each` has items"));
        }
        if let Some(kind) = reserved_kind(name) {
            return Ok(kind.map_or(Ty::Any, Ty::Kind));
        }
        let field = match self.entry(step) {
            Some(entry) => entry.result_schema["properties"].get(name).map(Ty::Schema),
            None => None,
        };
        let field = field.or_else(|| self.other_fields(step, name));
        match field {
            Some(_) if step.each.is_some() && !inside => Err(Wrong::undefined(
                format!("`steps.{id}` repeats, so it has no one `{name}`"),
                format!("its results are in `items`: `steps.{id}.items | map(attribute='{name}')`"),
            )),
            Some(ty) => Ok(ty),
            None if self.open_result(step) => Ok(Ty::Any),
            None => {
                let mut names: Vec<&str> = self.entry(step).map(|e| e.result_fields()).unwrap_or_default();
                names.extend(self.other_names(step));
                names.extend(RESERVED.iter().filter(|r| **r != "items" || step.each.is_some()));
                Err(Wrong::new(Code::UndefinedName, Missing::among(format!("`steps.{id}` has no field `{name}`"), name, names)))
            }
        }
    }

    /// A service by its id.
    pub(crate) fn service(&self, id: &str) -> Result<&'a Service, Wrong> {
        match self.scope.system.services.get(id) {
            Some(service) => Ok(service),
            None if self.out.is_full() => Err(Wrong::untold()),
            None => {
                let names = self.scope.system.services.keys().map(String::as_str);
                let mut missing = Missing::among(format!("the system has no service `{id}`"), id, names);
                if self.scope.system.services.is_empty() {
                    missing.help = "services are listed under `services:` in `system.yaml`".to_owned();
                }
                Err(Wrong::new(Code::UnknownService, missing))
            }
        }
    }

    fn service_field(&self, service: Option<&'a Service>, name: &str) -> Found<'a> {
        if name == "id" {
            return Ok(Ty::Kind(Kind::Str));
        }
        if name == "needs" {
            return Ok(Ty::Kind(Kind::List));
        }
        let written = |s: &'a Service| s.fields.iter().find(|(k, _)| k.value == name).map(|(_, v)| v);
        if let Some(service) = service {
            if let Some(arg) = written(service) {
                return Ok(Ty::Written(arg));
            }
            if SERVICE.get(name).is_some() {
                let message = format!("the service `{}` has no `{name}`", service.id);
                let mut wrong =
                    Wrong::undefined(message, "give it one in `system.yaml`, in its entry or under `service_defaults`");
                wrong.also = Some((service.span, "the service".to_owned()));
                return Err(wrong);
            }
        } else if SERVICE.get(name).is_some() {
            return Ok(Ty::Any);
        }
        let own = self.scope.system.services.values().flat_map(|s| &s.fields).map(|(k, _)| k.value.as_str());
        let mut names: Vec<&str> = SERVICE.names().chain(["id"]).collect();
        names.extend(own.filter(|n| SERVICE.get(n).is_none()));
        let in_vars = |s: &Service| s.fields.iter().any(|(k, v)| k.value == "vars" && v.get(name).is_some());
        if self.scope.system.services.values().any(in_vars) {
            return Err(Wrong::undefined(
                format!("a service has no field `{name}`"),
                format!("it is one of its variables: write `.vars.{name}`"),
            ));
        }
        Err(Wrong::new(Code::UndefinedName, Missing::among(format!("a service has no field `{name}`"), name, names)))
    }

    fn threshold(&self, name: &str) -> Found<'a> {
        let all = &self.scope.system.thresholds;
        match all.iter().find(|(n, _)| n.value == name) {
            Some((_, arg)) => Ok(Ty::Written(arg)),
            None if self.lost.system => Ok(Ty::Any),
            None => {
                let mut missing =
                    Missing::among(format!("there is no threshold `{name}`"), name, all.iter().map(|(n, _)| n.value.as_str()));
                if all.is_empty() {
                    missing.help = "thresholds are listed under `thresholds:` in `system.yaml`".to_owned();
                }
                Err(Wrong::new(Code::UndefinedName, missing))
            }
        }
    }
}

/// Whether a result may have fields that its schema does not name.
fn open_schema(schema: &serde_json::Value) -> bool {
    let more = &schema["additionalProperties"];
    !schema["properties"].is_object() || !(more.is_null() || *more == serde_json::Value::Bool(false))
}

/// The kind of a reserved field of a step's result; `None` if it is no reserved one.
pub(super) fn reserved_kind(name: &str) -> Option<Option<Kind>> {
    Some(match name {
        "outcome" | "grade" | "note" | "error" => Some(Kind::Str),
        "changed" => Some(Kind::Bool),
        "attempts" => Some(Kind::Number),
        "started_at" => Some(Kind::Time),
        "duration" => Some(Kind::Duration),
        "answer" | "items" => None,
        _ => return None,
    })
}
