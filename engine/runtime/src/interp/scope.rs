//! Names to values, at a place of the walk.

use jiff::{SignedDuration, Timestamp};
use runbook_core::expr::Scope;
use runbook_core::model::{Body, each_placed};
use runbook_core::value::Value;

use super::flow::{Finished, Flow, Pass};
use super::frame::{Env, Local};
use super::locked;
use super::own::Own;
use super::service::ServiceScope;

/// The scope of an expression: the step's own result first, then the local scopes, then the playbook's and the system's names.
pub(crate) struct View<'a> {
    pub(crate) env: &'a Env,
    pub(crate) own: Option<&'a Own<'a>>,
    pub(crate) now: Timestamp,
}

const ROOTS: &[&str] =
    &["params", "steps", "services", "thresholds", "contacts", "escalation", "run", "findings", "host", "env", "hosts"];

impl Scope for View<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.own.and_then(|own| own.get(name)) {
            return Some(value);
        }
        let frame = &self.env.frame;
        match name {
            "params" => return Some(Value::from(frame.params.clone())),
            "steps" => return Some(Value::from(self.env.steps())),
            "services" => {
                let ids: Vec<String> = frame.unit.system.services.keys().cloned().collect();
                return Some(Value::map(ids.into_iter().map(|id| {
                    let value = self.service(&id).unwrap_or_default();
                    (id, value)
                })));
            }
            "thresholds" => return Some(frame.thresholds.clone()),
            "contacts" => return Some(frame.contacts.clone()),
            "escalation" => return Some(frame.escalation.clone()),
            "hosts" => return Some(frame.hosts.clone()),
            "run" => {
                let mut run = frame.run.clone();
                run.insert("verdict".into(), locked(&frame.verdict).map_or(Value::Null, |v| Value::str(v.word())));
                return Some(Value::from(run));
            }
            "findings" => return Some(Value::from(locked(&frame.findings).clone())),
            "host" => return Some(Value::str("localhost")),
            "env" => return Some(Value::from(frame.env.clone())),
            _ => {}
        }
        self.env.var(name).or_else(|| locked(&frame.vars).get(name).cloned())
    }

    fn get_in(&self, root: &str, key: &str) -> Option<Option<Value>> {
        if self.own.is_some_and(|own| own.contains(root)) {
            return None;
        }
        let frame = &self.env.frame;
        match root {
            "params" => Some(frame.params.get(key).cloned()),
            "steps" => Some(self.env.step(key).or_else(|| self.not_reached(key))),
            "env" => Some(frame.env.get(key).cloned()),
            "services" => Some(self.service(key)),
            _ => None,
        }
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = ROOTS.iter().map(|s| (*s).to_owned()).collect();
        names.extend(locked(&self.env.frame.vars).keys().cloned());
        names.extend(locked(&self.env.local.vars).keys().cloned());
        names.extend(self.own.into_iter().flat_map(|own| own.names().map(str::to_owned)));
        names
    }
}

impl View<'_> {
    /// The result of a step that the playbook has and the walk has not reached: skipped, and every field null.
    fn not_reached(&self, id: &str) -> Option<Value> {
        let frame = &self.env.frame;
        let registry = frame.registry.as_ref()?;
        let mut found = None;
        each_placed(&frame.unit.playbook, &mut |placed| {
            if placed.step.id.as_ref().is_some_and(|i| i.value == id) {
                found.get_or_insert(placed.step);
            }
        });
        let fields = match &found?.body {
            Body::Module(call) => registry.get(&call.name.value).map(|e| e.result_fields()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let pass = Pass::skipped("not reached");
        let mut items = pass.items.clone();
        if found?.each.is_some() {
            items = Some(Value::list([]));
        }
        let pass = Pass { items, ..pass };
        Some(
            Finished { pass, attempts: 0, started_at: self.now, duration: SignedDuration::ZERO, flow: Flow::Next }.value(&fields),
        )
    }

    /// A service's entry with every field rendered; a field that cannot be is unknown, with the reason.
    fn service(&self, id: &str) -> Option<Value> {
        let frame = &self.env.frame;
        if let Some(value) = locked(&frame.services).get(id) {
            return Some(value.clone());
        }
        let service = frame.unit.system.services.get(id)?;
        // Rendered at the frame's level, so that it means the same wherever it is first used.
        let env = Env { local: Local::outermost(), ..self.env.clone() };
        let view = View { env: &env, own: None, now: self.now };
        let value = ServiceScope { rest: &view, service, depth: 0 }.whole();
        locked(&frame.services).insert(id.to_owned(), value.clone());
        Some(value)
    }
}
