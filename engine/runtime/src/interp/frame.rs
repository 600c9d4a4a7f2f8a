//! Frames and local scopes: what names mean at a place of the walk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use runbook_core::event::GradeWord;
use runbook_core::model::Unit;
use runbook_core::module::{Effect, Registry};
use runbook_core::path::StepPath;
use runbook_core::value::{Map, Value};

use super::finding::Conclusion;
use super::locked;
use super::undo::UndoEntry;

/// One playbook being walked.
pub(crate) struct Frame {
    pub(crate) unit: Unit,
    pub(crate) params: Map,
    /// The modules, for the fields of what was not reached.
    pub(crate) registry: Option<Registry>,
    /// The system's variables, then the playbook's.
    pub(crate) vars: Mutex<Map>,
    pub(crate) env: Map,
    pub(crate) run: Map,
    pub(crate) thresholds: Value,
    pub(crate) contacts: Value,
    pub(crate) escalation: Value,
    pub(crate) hosts: Value,
    /// The ids of the findings, in the order in which they were made.
    pub(crate) findings: Mutex<Vec<Value>>,
    /// What a tree came to.
    pub(crate) conclusion: Mutex<Conclusion>,
    /// The verdict of the checklist or tree, as soon as there is one.
    pub(crate) verdict: Mutex<Option<GradeWord>>,
    pub(crate) services: Mutex<HashMap<String, Value>>,
    pub(crate) undo: Mutex<Vec<UndoEntry>>,
    /// Rows of the scoreboard.
    pub(crate) rows: Mutex<Vec<Value>>,
    pub(crate) grades: Mutex<Vec<GradeWord>>,
    /// What the frame may do: every list must allow a need; none means everything.
    pub(crate) permissions: Vec<Vec<Allowed>>,
    /// How many playbooks played each other down to here.
    pub(crate) depth: u32,
}

/// A rendered permission.
#[derive(Clone, Debug)]
pub(crate) enum Allowed {
    Exec,
    Write(String),
    Net(String),
    Signal,
}

/// A scope inside a playbook: a block, a pass of a loop, a rescue.
#[derive(Default)]
pub(crate) struct Local {
    pub(crate) vars: Mutex<Map>,
    /// Results of steps; only scopes that are passes of a loop, or a frame's outermost, keep them.
    pub(crate) steps: Option<Mutex<Map>>,
    pub(crate) parent: Option<Arc<Local>>,
}

impl Local {
    /// The outermost scope of a frame.
    pub(crate) fn outermost() -> Arc<Local> {
        Arc::new(Local { steps: Some(Mutex::default()), ..Local::default() })
    }

    fn get(&self, name: &str) -> Option<Value> {
        if let Some(value) = locked(&self.vars).get(name) {
            return Some(value.clone());
        }
        self.parent.as_ref()?.get(name)
    }

    fn step(&self, id: &str) -> Option<Value> {
        if let Some(steps) = &self.steps
            && let Some(value) = locked(steps).get(id)
        {
            return Some(value.clone());
        }
        self.parent.as_ref()?.step(id)
    }

    fn all_steps(&self) -> Map {
        let mut map = self.parent.as_ref().map(|p| p.all_steps()).unwrap_or_default();
        if let Some(steps) = &self.steps {
            map.extend(locked(steps).iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        map
    }

    fn collect_vars(&self, into: &mut Map) {
        if let Some(parent) = &self.parent {
            parent.collect_vars(into);
        }
        into.extend(locked(&self.vars).iter().map(|(k, v)| (k.clone(), v.clone())));
    }
}

/// Where the walk is: the playbook, the local scope, and what is passed down to steps.
#[derive(Clone)]
pub(crate) struct Env {
    pub(crate) frame: Arc<Frame>,
    pub(crate) local: Arc<Local>,
    /// The step that this one belongs to.
    pub(crate) parent: StepPath,
    /// Whether rows of a scoreboard are made here.
    pub(crate) rows: bool,
    /// The most that steps may do here; checks may only look.
    pub(crate) limit: Effect,
}

impl Env {
    /// A scope below this one for `set`; results of steps go where they went before.
    pub(crate) fn nested(&self) -> Env {
        let local = Local { parent: Some(self.local.clone()), ..Local::default() };
        Env { local: Arc::new(local), ..self.clone() }
    }

    /// A scope below this one that keeps its own results of steps: a pass of a loop.
    pub(crate) fn pass(&self, name: &str, item: Value) -> Env {
        let vars: Map = [(name.to_owned(), item)].into_iter().collect();
        let local = Local { vars: Mutex::new(vars), steps: Some(Mutex::default()), parent: Some(self.local.clone()) };
        Env { local: Arc::new(local), ..self.clone() }
    }

    /// The same place with another parent step.
    pub(crate) fn below(&self, parent: &StepPath) -> Env {
        Env { parent: parent.clone(), ..self.clone() }
    }

    /// A copy that later `set`s and results do not reach: the scope of an undo.
    pub(crate) fn frozen(&self) -> Env {
        let mut vars = Map::new();
        self.local.collect_vars(&mut vars);
        let local = Local { vars: Mutex::new(vars), steps: Some(Mutex::new(self.local.all_steps())), parent: None };
        Env { local: Arc::new(local), ..self.clone() }
    }

    /// Sets a variable of the innermost scope.
    pub(crate) fn set(&self, name: &str, value: Value) {
        locked(&self.local.vars).insert(name.to_owned(), value);
    }

    /// Keeps the result of a step.
    pub(crate) fn keep(&self, id: &str, value: Value) {
        let mut local = &self.local;
        loop {
            if let Some(steps) = &local.steps {
                locked(steps).insert(id.to_owned(), value);
                return;
            }
            let Some(parent) = &local.parent else { return };
            local = parent;
        }
    }

    pub(crate) fn var(&self, name: &str) -> Option<Value> {
        self.local.get(name)
    }

    pub(crate) fn step(&self, id: &str) -> Option<Value> {
        self.local.step(id)
    }

    pub(crate) fn steps(&self) -> Map {
        self.local.all_steps()
    }

    /// The results that the steps of this pass left, by id.
    pub(crate) fn own_steps(&self) -> Map {
        self.local.steps.as_ref().map(|s| locked(s).clone()).unwrap_or_default()
    }
}

impl Frame {
    /// A frame in which nothing is defined yet.
    pub(crate) fn empty(unit: &Unit) -> Frame {
        Frame {
            unit: unit.clone(),
            params: Map::new(),
            registry: None,
            vars: Mutex::default(),
            env: Map::new(),
            run: Map::new(),
            thresholds: Value::Null,
            contacts: Value::Null,
            escalation: Value::Null,
            hosts: Value::Null,
            findings: Mutex::default(),
            conclusion: Mutex::default(),
            verdict: Mutex::default(),
            services: Mutex::default(),
            undo: Mutex::default(),
            rows: Mutex::default(),
            grades: Mutex::default(),
            permissions: Vec::new(),
            depth: 0,
        }
    }
}
