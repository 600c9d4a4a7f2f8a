//! Loops: over a list, a map or an expression, in one of four orders.

use std::collections::HashMap;

use indexmap::IndexMap;
use runbook_core::event::{Event, Outcome};
use runbook_core::model::{Confirm, Each, Order, Over, Step};
use runbook_core::module::Effect;
use runbook_core::path::StepPath;
use runbook_core::value::{Map, Value};

use super::Interpreter;
use super::body::group_outcome;
use super::flow::{Abort, Finished, Flow, Pass};
use super::frame::Env;
use super::graph::{Graph, Node};
use super::step::Begun;

/// An item of a loop with the key that names it in paths and results.
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) value: Value,
}

impl Interpreter<'_> {
    /// Runs a loop as a group of passes.
    pub(crate) async fn repeat(&self, step: &Step, each: &Each, env: &Env, path: &StepPath, begun: Begun) -> Finished {
        let started_at = self.world.now();
        let (items, keyed) = match self.items(each, env) {
            Ok(items) => items,
            Err(pass) => return self.finish_without_running(step, env, path, &begun, *pass),
        };
        let effect = self.static_effect(step, env);
        self.emit(Event::StepStarted {
            path: path.clone(),
            parent: env.parent.clone(),
            id: step.id.as_ref().map(|i| i.value.clone()),
            name: begun.name.clone(),
            body: step.body.word().to_owned(),
            effect,
            item: None,
            group: true,
            place: self.place(step.body_span),
        });
        let once = !matches!(step.confirm, Some(Confirm::Each));
        // Who confirms is told of the items that it is about; what a condition leaves out is not.
        let inner = env.below(path);
        let is_left_out = |item: &Item| {
            let Some(when) = &step.when else { return false };
            matches!(self.condition(when, &inner.pass(&each.bind, item.value.clone()), self.world.now()), Ok(false))
        };
        let confirms = once && (step.confirm.is_some() || effect == Effect::Destroy);
        let keys: Vec<String> = items.iter().filter(|item| confirms && !is_left_out(item)).map(|i| i.key.clone()).collect();
        let mut pass = None;
        if confirms && !keys.is_empty() {
            pass = self.confirm(step, env, path, effect, &keys).await;
        }
        let pass = match pass {
            Some(pass) => pass,
            None => self.passes(step, each, env, path, &items, keyed, once, effect).await,
        };
        self.conclude_loop(step, env, path, &begun, pass, started_at)
    }

    /// The items with their keys, and whether they came from a map.
    fn items(&self, each: &Each, env: &Env) -> Result<(Vec<Item>, bool), Box<Pass>> {
        let now = self.world.now();
        let value = match &each.over {
            Over::Expr(expr) => self.eval(expr, env, now),
            Over::Literal(arg) => self.render(arg, env, now),
        }
        .map_err(|t| Box::new(Pass::broken(self.told(&t))))?;
        let secrets = value.secret_names().to_vec();
        let mut items = Vec::new();
        let keyed = match value.bare() {
            Value::List(list) => {
                items.extend(list.iter().enumerate().map(|(i, v)| {
                    let id = v.field("id");
                    let key = match (id.as_str(), v.bare()) {
                        (Some(id), _) => id.to_owned(),
                        (None, Value::Str(s))
                            if s.len() <= 60 && !s.is_empty() && secrets.is_empty() && v.secret_names().is_empty() =>
                        {
                            s.to_string()
                        }
                        (None, Value::Int(n)) => n.to_string(),
                        _ => (i + 1).to_string(),
                    };
                    Item { key, value: v.clone().with_secrets(&secrets) }
                }));
                false
            }
            Value::Map(map) => {
                items.extend(map.iter().map(|(k, v)| {
                    let mut entry = match v.bare() {
                        Value::Map(inner) => (**inner).clone(),
                        other => Map::from_iter([("value".to_owned(), other.clone())]),
                    };
                    entry.insert("id".into(), Value::str(k));
                    Item { key: k.clone(), value: Value::from(entry).with_secrets(&secrets) }
                }));
                true
            }
            Value::Unknown(u) => {
                return Err(Box::new(Pass::undecided(format!("0 or more times: the items are not known: {}", u.reason))));
            }
            other => return Err(Box::new(Pass::broken(format!("`for_each` needs a list or a map, found {}", other.kind())))),
        };
        // A key names one pass; what would be ambiguous gets its number.
        let mut seen: HashMap<String, u32> = HashMap::new();
        for item in &mut items {
            let n = seen.entry(item.key.clone()).or_insert(0);
            *n += 1;
            if *n > 1 {
                item.key = format!("{}~{n}", item.key);
            }
        }
        Ok((items, keyed))
    }

    #[expect(clippy::too_many_arguments, reason = "a loop passes on where it stands")]
    async fn passes(
        &self,
        step: &Step,
        each: &Each,
        env: &Env,
        path: &StepPath,
        items: &[Item],
        keyed: bool,
        confirmed: bool,
        effect: Effect,
    ) -> Pass {
        let by_needs = matches!(each.order, Order::Dependencies | Order::ReverseDependencies);
        let most = match self.optional::<u32>(each.max_parallel.as_ref(), env, self.world.now()) {
            Ok(Some(n)) => n.max(1) as usize,
            Ok(None) if by_needs => usize::MAX,
            Ok(None) => 1,
            Err(trouble) => return Pass::broken(self.told(&trouble)),
        };
        let graph = match self.order(each.order, items) {
            Ok(graph) => graph,
            Err(message) => return Pass::failed(message),
        };
        let tolerant = match &step.continue_on_error {
            Some(arg) => self.typed::<bool>(arg, env, self.world.now()).unwrap_or(false),
            None => env.rows,
        };
        let inner = env.below(path);
        let envs: Vec<Env> = items.iter().map(|i| inner.pass(&each.bind, i.value.clone())).collect();
        let path_is_of_node = env.parent.is_node();
        let run = |i: usize, after: Vec<String>| {
            let (item, env) = (&items[i], &envs[i]);
            async move {
                let path = path.item(&item.key);
                let name = if step.name.is_some() { self.name_of(step, env) } else { item.key.clone() };
                let begun = Begun { name, item: Some(item.key.clone()), after };
                let mut finished = self.single(step, env, &path, begun, confirmed.then_some(effect)).await;
                if step.id.is_none() && !path_is_of_node {
                    // Nothing can ask for it, and a loop may have many.
                    finished.pass.result = Map::new();
                }
                finished
            }
        };
        let skip = |i: usize, reason: String| {
            let (item, env) = (&items[i], &envs[i]);
            let begun = Begun { name: item.key.clone(), item: Some(item.key.clone()), after: Vec::new() };
            self.finish_without_running(step, env, &path.item(&item.key), &begun, Pass::skipped(reason))
        };
        let waiting = |i: usize, waiting_for: Vec<String>| {
            self.emit(Event::StepWaiting {
                path: path.item(&items[i].key),
                parent: path.clone(),
                name: items[i].key.clone(),
                item: Some(items[i].key.clone()),
                waiting_for,
            });
        };
        let done = self.graph(&graph, most, tolerant, run, skip, waiting).await;
        self.gather(step, env, items, keyed, &envs, done)
    }

    /// The graph of an order: listed items wait for nothing, dependent ones for their needs.
    fn order(&self, order: Order, items: &[Item]) -> Result<Graph, String> {
        let index: HashMap<&str, usize> = items.iter().enumerate().map(|(i, item)| (item.key.as_str(), i)).collect();
        let mut nodes: Vec<Node> = items.iter().map(|i| Node { key: i.key.clone(), after: Vec::new() }).collect();
        let sequence: Vec<usize> = match order {
            Order::Listed | Order::Dependencies => (0..items.len()).collect(),
            Order::Reverse | Order::ReverseDependencies => (0..items.len()).rev().collect(),
        };
        if matches!(order, Order::Dependencies | Order::ReverseDependencies) {
            for (i, item) in items.iter().enumerate() {
                let needs = item.value.field("needs");
                for need in needs.as_list().unwrap_or_default() {
                    // An item that is not in the loop (filtered out, not installed) satisfies those that need it.
                    let Some(&needed) = need.as_str().and_then(|n| index.get(n)) else { continue };
                    if order == Order::Dependencies {
                        nodes[i].after.push(needed);
                    } else {
                        nodes[needed].after.push(i);
                    }
                }
            }
        }
        let graph = Graph::new(nodes, sequence)?;
        Ok(if order == Order::ReverseDependencies { graph.reversed() } else { graph })
    }

    /// The pass of a loop from the passes of its items.
    fn gather(&self, step: &Step, env: &Env, items: &[Item], keyed: bool, envs: &[Env], done: Vec<Option<Finished>>) -> Pass {
        let fields = self.result_fields(step);
        // Of a tree's question its node has the id.
        let is_asked_for = step.id.is_some() || env.parent.is_node();
        let mut values: Vec<(String, Value)> = Vec::new();
        // The results of the steps inside, by id; keys are unique, so gathering them is linear in the number of passes.
        let mut inner: IndexMap<String, Vec<(String, Value)>> = IndexMap::new();
        for (i, finished) in done.iter().enumerate() {
            let Some(finished) = finished else { continue };
            if is_asked_for {
                values.push((items[i].key.clone(), finished.value(&fields)));
            }
            for (id, value) in envs[i].own_steps() {
                if step.id.as_ref().is_some_and(|s| s.value == id) {
                    continue;
                }
                inner.entry(id).or_default().push((items[i].key.clone(), value));
            }
        }
        let shape = |entries: Vec<(String, Value)>| {
            if keyed { Value::map(entries) } else { Value::list(entries.into_iter().map(|(_, v)| v)) }
        };
        for (id, entries) in inner {
            env.keep(&id, Value::map([("items", shape(entries))]));
        }
        let finished = || done.iter().flatten();
        let mut pass = Pass::ok(String::new());
        pass.touched = finished().any(|f| f.pass.touched);
        pass.changed = finished().any(|f| f.pass.changed);
        let indexed = || done.iter().enumerate().filter_map(|(i, f)| Some((i, f.as_ref()?)));
        let stopper =
            indexed().find(|(_, f)| matches!(f.flow, Flow::Abort(_))).or_else(|| indexed().find(|(_, f)| !f.flow.is_next()));
        pass.outcome = group_outcome(finished().filter(|f| f.flow.is_next() == f.pass.outcome.is_good()).map(|f| f.pass.outcome));
        if let Some((at, stopper)) = stopper {
            pass.flow = stopper.flow.clone();
            if let Flow::Fail(failure) = &mut pass.flow {
                failure.message = of_item(&items[at].key, &failure.message);
            }
            if !matches!(pass.flow, Flow::Stop(_)) {
                pass.outcome = stopper.pass.outcome;
                pass.message = match stopper.flow {
                    Flow::Fail(_) => of_item(&items[at].key, &stopper.pass.message),
                    _ => stopper.pass.message.clone(),
                };
                pass.unsure = stopper.pass.unsure;
            }
        } else if self.stopping() && done.iter().any(Option::is_none) {
            // What was begun went well, and not all of it was begun.
            pass = Pass {
                items: pass.items,
                touched: pass.touched,
                changed: pass.changed,
                ..Pass::abort(Abort::Stopped, "stopped")
            };
        }
        // Without an id nothing can ask for them.
        pass.items = is_asked_for.then(|| shape(values));
        let total = items.len();
        let unreached: Vec<String> = items.iter().zip(&done).filter(|(_, d)| d.is_none()).map(|(i, _)| i.key.clone()).collect();
        super::locked(&self.counts).not_started += unreached.len() as u32;
        super::locked(&self.unreached).extend(unreached);
        if pass.outcome.is_good() {
            let count = |o: Outcome| finished().filter(|f| f.pass.outcome == o).count();
            let parts: Vec<String> = [Outcome::Changed, Outcome::Ok, Outcome::Skipped, Outcome::Failed, Outcome::Unknown]
                .into_iter()
                .map(|o| (count(o), o.word()))
                .filter(|(n, _)| *n > 0)
                .map(|(n, word)| format!("{n} {word}"))
                .collect();
            pass.message = match parts.as_slice() {
                _ if total == 0 => "nothing to do: the list is empty".to_owned(),
                [all] if !all.ends_with("skipped") => format!("{total} item{}", if total == 1 { "" } else { "s" }),
                _ => parts.join(", "),
            };
        }
        pass
    }

    /// The end of a loop: told as a group, its result kept under the step's id.
    fn conclude_loop(
        &self,
        step: &Step,
        env: &Env,
        path: &StepPath,
        begun: &Begun,
        pass: Pass,
        started_at: jiff::Timestamp,
    ) -> Finished {
        let duration = self.world.now().duration_since(started_at);
        // Failures of items were already weighed against `continue_on_error`; what is left decides.
        let flow = match (&pass.flow, pass.outcome.is_good()) {
            (Flow::Next, false) => Flow::Fail(self.failure(step, &begun.name, &pass)),
            (flow, _) => flow.clone(),
        };
        let finished = Finished { pass, attempts: 1, started_at, duration, flow };
        if let Some(id) = &step.id {
            env.keep(&id.value, finished.value(&self.result_fields(step)));
        }
        let pass = &finished.pass;
        self.emit(Event::StepFinished {
            path: path.clone(),
            parent: env.parent.clone(),
            id: step.id.as_ref().map(|i| i.value.clone()),
            name: begun.name.clone(),
            body: step.body.word().to_owned(),
            item: None,
            group: true,
            outcome: pass.outcome,
            message: pass.message.clone(),
            checks: Vec::new(),
            output: Vec::new(),
            graded: None,
            attempts: 1,
            duration_ms: super::millis(duration),
            began_ms: self.ms_since_start(started_at),
            late: false,
            tolerated: !pass.outcome.is_good() && (finished.flow.is_next() || path.is_observation()),
            after: begun.after.clone(),
            place: self.place(step.body_span),
        });
        finished
    }
}

/// A message with the item that it is about, unless it names it itself.
fn of_item(key: &str, message: &str) -> String {
    let named = message.split(|c: char| !(c.is_alphanumeric() || "-_./".contains(c))).any(|word| word == key);
    if named { message.to_owned() } else { format!("{key}: {message}") }
}

#[cfg(test)]
mod tests {
    use super::of_item;

    #[test]
    fn an_item_is_named_once() {
        assert_eq!(of_item("eva-os", "ended before it was ready"), "eva-os: ended before it was ready");
        assert_eq!(of_item("eva-os", "`eva-os` did not stop"), "`eva-os` did not stop");
        assert_eq!(of_item("a", "a word"), "a word");
    }
}
