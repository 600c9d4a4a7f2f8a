//! Services: rendering an entry, and what the walk adds to `service.*` modules: presence, readiness, early exits.

use jiff::{SignedDuration, Timestamp};
use runbook_core::event::Outcome;
use runbook_core::expr::Scope;
use runbook_core::model::{Retry, Service, Step};
use runbook_core::module::{About, Effect, Touches};
use runbook_core::path::StepPath;
use runbook_core::value::{Map, Value};
use runbook_core::world::{Answer, Call};

use super::Interpreter;
use super::flow::{Abort, Flow, Pass};
use super::frame::Env;
use super::scope::View;

/// How deep a field of an entry may refer to other fields.
const MAX_FIELD_DEPTH: u32 = 16;

/// The scope in which a service's entry is rendered: `service` is the entry itself, field by field.
pub(crate) struct ServiceScope<'a> {
    pub(crate) rest: &'a dyn Scope,
    pub(crate) service: &'a Service,
    pub(crate) depth: u32,
}

impl ServiceScope<'_> {
    /// The entry with all its fields.
    pub(crate) fn whole(&self) -> Value {
        let mut map = Map::new();
        map.insert("id".into(), Value::str(&self.service.id));
        map.insert("needs".into(), Value::list(self.service.needs.iter().map(|n| Value::str(&n.value))));
        for (name, _) in &self.service.fields {
            if let Some(value) = self.field(&name.value) {
                map.insert(name.value.clone(), value);
            }
        }
        Value::from(map)
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "id" => return Some(Value::str(&self.service.id)),
            "needs" => return Some(Value::list(self.service.needs.iter().map(|n| Value::str(&n.value)))),
            _ => {}
        }
        let (_, arg) = self.service.fields.iter().find(|(n, _)| n.value == name)?;
        if self.depth > MAX_FIELD_DEPTH {
            return Some(Value::unknown(format!("services.{}.{name} refers to itself", self.service.id)));
        }
        let inner = ServiceScope { rest: self.rest, service: self.service, depth: self.depth + 1 };
        Some(
            arg.render(&inner)
                .unwrap_or_else(|(error, _)| Value::unknown(format!("services.{}.{name}: {}", self.service.id, error.message))),
        )
    }
}

impl Scope for ServiceScope<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        if name == "service" { Some(self.whole()) } else { self.rest.get(name) }
    }
    fn get_in(&self, root: &str, key: &str) -> Option<Option<Value>> {
        if root == "service" { Some(self.field(key)) } else { self.rest.get_in(root, key) }
    }
    fn now(&self) -> Timestamp {
        self.rest.now()
    }
    fn names(&self) -> Vec<String> {
        let mut names = self.rest.names();
        names.push("service".into());
        names
    }
}

/// Modules that take a service's name and use its entry.
pub(crate) fn takes_service(module: &str) -> bool {
    module == "service" || module.starts_with("service.")
}

/// What the walk knows about the service that a call is for.
pub(crate) struct ForService<'a> {
    pub(crate) service: &'a Service,
    pub(crate) entry: Value,
}

impl Interpreter<'_> {
    /// The service that the arguments name, with its entry added to them.
    pub(crate) fn service_of<'e>(&self, env: &'e Env, args: &mut Map, now: Timestamp) -> Result<ForService<'e>, String> {
        let name = args.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let services = &env.frame.unit.system.services;
        let Some(service) = services.get(&name) else {
            let near = runbook_core::suggest::nearest(&name, services.keys().map(String::as_str));
            let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            return Err(format!("the system has no service `{name}`{hint}"));
        };
        let view = View { env, own: None, now };
        let mut entry = view.get_in("services", &name).flatten().unwrap_or_default();
        // Nobody here starts or stops an external service: what it inherits for that need not make sense.
        if entry.field("manager").as_str() == Some("external")
            && let Some(map) = entry.as_map()
        {
            entry = Value::from(
                map.iter().filter(|(_, v)| v.find_unknown().is_none()).map(|(k, v)| (k.clone(), v.clone())).collect::<Map>(),
            );
        }
        if let Some(unknown) = entry.find_unknown() {
            return Err(unknown.reason.clone());
        }
        args.insert("entry".into(), entry.clone());
        Ok(ForService { service, entry })
    }

    /// Why the service is not here to be started, stopped or looked at, if it is not.
    pub(crate) async fn absent(&self, of: &ForService<'_>, env: &Env, path: &StepPath) -> Option<String> {
        let enabled = of.entry.field("enabled");
        if !enabled.is_null() && enabled.truth() == Some(false) {
            return Some(format!("{} is not enabled", of.service.id));
        }
        let env = self.service_env(of, env);
        for (i, check) in of.service.present.iter().enumerate() {
            let pass = self.quiet_check(check, &env, &path.child("present", i)).await;
            if !pass.is_good() {
                return Some(format!("{} is not installed here ({})", of.service.id, pass.message));
            }
        }
        None
    }

    fn service_env(&self, of: &ForService<'_>, env: &Env) -> Env {
        let env = env.nested();
        env.set("service", of.entry.clone());
        Env { limit: Effect::Read, rows: false, ..env }
    }

    /// One look at a service's `ready` checks: `None` if it has none.
    pub(crate) async fn ready_now(&self, of: &ForService<'_>, env: &Env, path: &StepPath) -> Option<Pass> {
        let env = self.service_env(of, env);
        let mut last = None;
        for (i, check) in of.service.ready.iter().enumerate() {
            let pass = self.quiet_check(check, &env, &path.child("ready", i)).await;
            let good = pass.is_good();
            last = Some(pass);
            if !good {
                break;
            }
        }
        last
    }

    /// Waits until a started service is ready: polls from 0 ms, and gives up at once when its process has ended.
    pub(crate) async fn await_ready(
        &self,
        of: &ForService<'_>,
        env: &Env,
        path: &StepPath,
        call: &Call,
    ) -> Result<Option<SignedDuration>, Pass> {
        let began = self.world.now();
        let inner = self.service_env(of, env);
        for (i, check) in of.service.ready.iter().enumerate() {
            let path = path.child("ready", i);
            let mut attempt = 0;
            loop {
                attempt += 1;
                let pass = self.check_once(check, &inner, &path, attempt).await;
                if pass.is_good() {
                    break;
                }
                if matches!(pass.flow, Flow::Abort(_)) || self.stopping() {
                    return Err(Pass::abort(Abort::Stopped, "stopped while waiting for it to be ready"));
                }
                if let Some(ended) = self.ended(of, call, &path).await {
                    return Err(ended);
                }
                let elapsed = self.world.now().duration_since(began);
                let Some(pause) = self.ready_pause(check.retry.as_ref(), &inner, elapsed, attempt) else {
                    let mut failed = Pass::failed(format!(
                        "not ready after {}: {}",
                        runbook_core::value::format_duration(SignedDuration::from_millis(
                            (elapsed.as_millis() / 100 * 100) as i64
                        )),
                        pass.message
                    ));
                    failed.checks = pass.checks;
                    failed.touched = true;
                    return Err(failed);
                };
                self.emit(runbook_core::event::Event::StepProgress {
                    path: call.path.clone(),
                    text: format!("waiting to be ready, attempt {attempt}: {}", pass.message),
                });
                self.world.sleep(&path, pause).await;
            }
        }
        let took = self.world.now().duration_since(began);
        Ok((!of.service.ready.is_empty()).then_some(took))
    }

    /// The pause before the next look, or `None` when the time is up.
    fn ready_pause(&self, retry: Option<&Retry>, env: &Env, elapsed: SignedDuration, attempt: u32) -> Option<SignedDuration> {
        const DEFAULT: SignedDuration = SignedDuration::from_secs(60);
        let plan = retry.and_then(|r| self.retry_plan(r, env, true).ok());
        match plan {
            Some(plan) => plan.pause_after(attempt, elapsed, self.world.random()),
            None if elapsed >= DEFAULT => None,
            None => Some(super::attempt::polling_pause(elapsed)),
        }
    }

    /// Looks whether the service's process has ended before it was ready.
    async fn ended(&self, of: &ForService<'_>, call: &Call, path: &StepPath) -> Option<Pass> {
        let alive = |state: &Value| matches!(state.as_str(), Some("running") | None);
        // Asked between any two looks at readiness. Whether it runs is its pid's to tell; without ports in the entry the table of
        // listening ports is not read, which takes the kernel ten milliseconds in which nothing else is started.
        let result = self.standing(of, without_ports(&of.entry), call, path).await?;
        if alive(&result.field("state")) {
            return None;
        }
        // A port may prove a process to be the service where nothing else does, so the whole entry decides that it has ended.
        let result = self.standing(of, of.entry.clone(), call, path).await?;
        let state = result.field("state");
        if alive(&state) {
            return None;
        }
        let how = match (result.field("exit_code").as_int(), result.field("signal")) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) if !signal.is_null() => format!("signal {signal}"),
            _ => format!("it is {state}"),
        };
        let mut pass = Pass::failed(format!("ended before it was ready ({how})"));
        pass.output = result.field("log_tail").as_list().unwrap_or_default().iter().map(ToString::to_string).collect();
        pass.touched = true;
        Some(pass)
    }

    /// What the `service` probe sees of a service with this entry, readiness left aside; `None` if it cannot be told.
    async fn standing(&self, of: &ForService<'_>, entry: Value, call: &Call, path: &StepPath) -> Option<Value> {
        let args = Map::from_iter([
            ("name".to_owned(), Value::str(&of.service.id)),
            ("entry".to_owned(), entry),
            ("ready".to_owned(), Value::Bool(false)),
        ]);
        let look = Call {
            path: path.part("alive"),
            attempt: 1,
            module: "service".into(),
            args: Value::from(args),
            effect: Effect::Read,
            touches: Touches::default(),
            idempotent: true,
            timeout: None,
            host: call.host.clone(),
            read_commands: Vec::new(),
            sensitive: false,
        };
        match self.world.perform(look).await {
            Answer::Done { result, .. } => Some(result),
            _ => None,
        }
    }

    /// Adds what the walk knows to the result of a `service` probe.
    pub(crate) async fn add_readiness(&self, of: &ForService<'_>, env: &Env, path: &StepPath, result: &mut Map) {
        if result.get("state").and_then(Value::as_str) != Some("running") {
            return;
        }
        if let Some(pass) = self.ready_now(of, env, path).await {
            let ready = match pass.outcome {
                Outcome::Unknown => Value::Null,
                outcome => Value::Bool(outcome.is_good()),
            };
            result.insert("ready".into(), ready);
            result.insert("ready_detail".into(), Value::str(&pass.message));
        }
    }

    /// A check without events of its own: only its calls are recorded.
    pub(crate) async fn quiet_check(&self, step: &Step, env: &Env, path: &StepPath) -> Pass {
        self.check_once(step, env, path, 1).await
    }
}

/// A service's entry without its ports.
fn without_ports(entry: &Value) -> Value {
    let mut fields = entry.as_map().cloned().unwrap_or_default();
    fields.retain(|name, _| !matches!(name.as_str(), "port" | "ports"));
    Value::from(fields).with_secrets(entry.secret_names())
}

/// What a module says about a call, with a fallback for arguments that do not decode.
pub(crate) fn about_or_default(about: Result<About, runbook_core::module::Fault>) -> Result<About, String> {
    about.map_err(|fault| fault.message().to_owned())
}
