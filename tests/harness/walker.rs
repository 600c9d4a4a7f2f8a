//! Walking a playbook in the scripted world: nothing real, on a virtual clock.

use std::sync::Arc;

use runbook_core::event::{Event, Outcome};
use runbook_core::value::Value;
use runbook_core::world::{Answer, StopReason};
use runbook_lang::MemoryLoader;
use runbook_runtime::scripted::{Scripted, ScriptedWorld};
use runbook_runtime::{Inputs, RunResult};

/// A playbook with the world it is walked in.
#[derive(Default)]
pub(crate) struct Walk {
    files: Vec<(String, String)>,
    rules: Vec<Scripted>,
    answers: Vec<(String, String)>,
    params: Vec<(String, String)>,
    env: Vec<(String, String)>,
    stop: Option<(jiff::SignedDuration, StopReason)>,
    detailed_exit: bool,
}

/// What a walk left.
pub(crate) struct Walked {
    /// What the run came to.
    pub(crate) result: RunResult,
    /// The world, with its calls, questions and events.
    pub(crate) world: ScriptedWorld,
    /// How much virtual time passed.
    pub(crate) elapsed: jiff::SignedDuration,
}

impl Walk {
    /// A playbook called `test`.
    pub(crate) fn new(text: &str) -> Walk {
        Walk { files: vec![("playbooks/test.yaml".into(), text.into())], ..Walk::default() }
    }

    /// A playbook called `test` with these steps.
    pub(crate) fn steps(steps: &str) -> Walk {
        Walk::new(&format!("playbook: A test\nsteps:\n{steps}"))
    }

    /// Another file.
    pub(crate) fn file(mut self, name: &str, text: &str) -> Walk {
        self.files.push((format!("playbooks/{name}"), text.into()));
        self
    }

    /// What a module comes to.
    pub(crate) fn rule(mut self, rule: Scripted) -> Walk {
        self.rules.push(rule);
        self
    }

    /// An answer to a question.
    pub(crate) fn answer(mut self, id: &str, text: &str) -> Walk {
        self.answers.push((id.into(), text.into()));
        self
    }

    /// A parameter.
    pub(crate) fn param(mut self, name: &str, text: &str) -> Walk {
        self.params.push((name.into(), text.into()));
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, text: &str) -> Walk {
        self.env.push((name.into(), text.into()));
        self
    }

    /// Asks the run to stop after so long.
    pub(crate) fn stop_after(mut self, after: jiff::SignedDuration, reason: StopReason) -> Walk {
        self.stop = Some((after, reason));
        self
    }

    /// With `--detailed-exitcode`.
    pub(crate) fn detailed_exit(mut self) -> Walk {
        self.detailed_exit = true;
        self
    }

    /// Walks it; mistakes in the playbook or its parameters fail the test.
    #[track_caller]
    pub(crate) fn go(self) -> Walked {
        match self.attempt() {
            Ok(walked) => walked,
            Err(mistakes) => panic!("{}", mistakes.join("\n")),
        }
    }

    /// Walks it, or gives the mistakes that keep it from being walked.
    pub(crate) fn attempt(self) -> Result<Walked, Vec<String>> {
        let registry = runbook_modules::builtins();
        let loader = MemoryLoader::new(self.files);
        let loaded = runbook_lang::load(&loader, "test", &registry, &runbook_lang::Options::default()).map_err(|failed| {
            failed
                .diagnostics
                .iter()
                .map(|d| {
                    let place = d.span.and_then(|s| failed.sources.place(s));
                    let at = place.map(|p| format!("{}:{}:{} ", p.file, p.line, p.column)).unwrap_or_default();
                    format!("{at}{} {}", d.code, d.message)
                })
                .collect::<Vec<_>>()
        })?;
        let world = ScriptedWorld::new(self.rules, self.answers);
        let walk = async {
            let inputs = Inputs {
                run: "test-run".into(),
                operator: "tester".into(),
                host: "here".into(),
                version: "0".into(),
                params: self.params,
                env: self.env.into_iter().collect(),
                state: "/state".into(),
                program: "/bin/runbook".into(),
                root: "/project".into(),
                invocation: "runbook play test".into(),
                detailed_exit: self.detailed_exit,
                resumes: None,
                profile: None,
                step: false,
            };
            runbook_runtime::run(Arc::new(loaded.plan), &registry, &world, inputs).await
        };
        let result = world.run(walk, self.stop).expect("a walk comes to an end")?;
        let elapsed = world.elapsed();
        Ok(Walked { result, world, elapsed })
    }
}

impl Walked {
    /// Each finished step that is no group of passes: its label and its outcome, in the order they ended.
    pub(crate) fn steps(&self) -> Vec<String> {
        self.finished().into_iter().map(|(label, outcome, _)| format!("{label} {}", outcome.word())).collect()
    }

    /// Label, outcome and message of every finished step.
    pub(crate) fn finished(&self) -> Vec<(String, Outcome, String)> {
        let events = self.world.events.lock().unwrap();
        events
            .iter()
            .filter_map(|e| match e {
                Event::StepFinished { id, name, item, outcome, message, .. } => {
                    let label = match (id, item) {
                        (Some(id), Some(item)) => format!("{id}@{item}"),
                        (Some(id), None) => id.clone(),
                        (None, Some(item)) => format!("@{item}"),
                        (None, None) => name.clone(),
                    };
                    Some((label, *outcome, message.clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// The message of the step with this label.
    #[track_caller]
    pub(crate) fn message(&self, label: &str) -> String {
        let finished = self.finished();
        let found = finished.iter().rev().find(|(l, _, _)| l == label);
        found.unwrap_or_else(|| panic!("no step {label} in {finished:?}")).2.clone()
    }

    /// The texts of notes, in order.
    pub(crate) fn notes(&self) -> Vec<String> {
        let events = self.world.events.lock().unwrap();
        events.iter().filter_map(|e| if let Event::Note { text, .. } = e { Some(text.clone()) } else { None }).collect()
    }

    /// The answered questions of trees, in order: `key answer origin`.
    pub(crate) fn answers(&self) -> Vec<String> {
        let events = self.world.events.lock().unwrap();
        let word = |origin: &_| serde_json::to_value(origin).unwrap().as_str().unwrap().to_owned();
        let one = |e: &Event| match e {
            Event::NodeAnswered { key, answer, origin, .. } => Some(format!("{key} {answer} {}", word(origin))),
            _ => None,
        };
        events.iter().filter_map(one).collect()
    }

    /// The evidence of the answered question with this key.
    #[track_caller]
    pub(crate) fn evidence(&self, wanted: &str) -> String {
        let events = self.world.events.lock().unwrap();
        let found = events.iter().find_map(|e| match e {
            Event::NodeAnswered { key, evidence, .. } if key == wanted => Some(evidence.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("`{wanted}` was not answered"))
    }

    /// The findings of trees, in the order in which they were made.
    pub(crate) fn findings(&self) -> Vec<String> {
        let events = self.world.events.lock().unwrap();
        events.iter().filter_map(|e| if let Event::Finding { finding, .. } = e { Some(finding.clone()) } else { None }).collect()
    }

    /// The modules that were called, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.world.calls.lock().unwrap().iter().map(|c| c.module.clone()).collect()
    }

    /// The last event.
    pub(crate) fn end(&self) -> Event {
        self.world.events.lock().unwrap().last().unwrap().clone()
    }
}

/// A result with these fields.
pub(crate) fn done<K: Into<String>>(fields: impl IntoIterator<Item = (K, Value)>) -> Answer {
    Answer::Done { result: Value::map(fields), changed: false }
}

/// Looked, and the answer is no.
pub(crate) fn unmet(message: &str) -> Answer {
    Answer::Unmet { message: message.into(), result: Value::Null }
}

/// A module that fails each time.
pub(crate) fn fails(module: &str, message: &str) -> Scripted {
    Scripted::gives::<String>(module, []).in_turn([unmet(message)])
}

/// A module that changes something each time.
pub(crate) fn answer(module: &str, changed: bool) -> Scripted {
    Scripted::gives::<String>(module, []).in_turn([Answer::Done { result: Value::map::<String>([]), changed }])
}
