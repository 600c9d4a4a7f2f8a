//! The memory of a walk through a tree: what was asked, what stood before, and what a person took back.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use runbook_core::event::{AnswerOrigin, GradeWord};
use runbook_core::session::{Answered, Reading};
use runbook_core::value::{Map, Value};

use super::finding::Conclusion;
use super::frame::Env;
use super::locked;
use super::question::Probe;

/// What a check saw is taken again without looking, when a person goes back, as long as it is no older than this.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(30);

/// A walk from its first question to its end, with its ways back.
#[derive(Default)]
pub(crate) struct Session {
    /// How often each node was visited.
    visits: HashMap<usize, u32>,
    /// The questions that were answered, in order.
    history: Vec<Stop>,
    /// The node that a person went back to: it is asked, even if a check can answer.
    anew: Option<usize>,
    /// What people answered before they went back, or before a remedy: a suggestion, and not a fact.
    earlier: HashMap<usize, Value>,
    /// What the checks of each node said last.
    probes: HashMap<usize, Seen>,
    /// How many remedies were run.
    pub(crate) round: u32,
}

/// A question that was answered.
struct Stop {
    at: usize,
    told: Answered,
    /// The state before it was asked.
    before: Snapshot,
}

/// What a walk has come to at a place.
pub(crate) struct Snapshot {
    steps: Map,
    findings: Vec<Value>,
    conclusion: Conclusion,
    verdict: Option<GradeWord>,
}

struct Seen {
    probe: Probe,
    at: Timestamp,
    readings: Vec<Reading>,
}

impl Snapshot {
    pub(crate) fn of(env: &Env) -> Snapshot {
        Snapshot {
            steps: env.own_steps(),
            findings: locked(&env.frame.findings).clone(),
            conclusion: locked(&env.frame.conclusion).clone(),
            verdict: *locked(&env.frame.verdict),
        }
    }

    pub(crate) fn restore(self, env: &Env) {
        if let Some(steps) = &env.local.steps {
            *locked(steps) = self.steps;
        }
        *locked(&env.frame.findings) = self.findings;
        *locked(&env.frame.conclusion) = self.conclusion;
        *locked(&env.frame.verdict) = self.verdict;
    }
}

impl Session {
    /// Counts a visit and tells its number, from 1.
    pub(crate) fn visit(&mut self, at: usize) -> u32 {
        let times = self.visits.entry(at).or_default();
        *times += 1;
        *times
    }

    /// The questions that were answered, in order.
    pub(crate) fn path(&self) -> Vec<Answered> {
        self.history.iter().map(|s| s.told.clone()).collect()
    }

    pub(crate) fn can_go_back(&self) -> bool {
        !self.history.is_empty()
    }

    /// Keeps that a question was answered.
    pub(crate) fn answered(&mut self, at: usize, told: Answered, answer: Value, before: Snapshot) {
        self.anew.take_if(|anew| *anew == at);
        if told.origin != AnswerOrigin::Probed {
            self.earlier.insert(at, answer);
        }
        self.history.push(Stop { at, told, before });
    }

    /// Goes back to the question before: everything is as it was when it was asked, and a person is asked it. The node and its question.
    pub(crate) fn go_back(&mut self, env: &Env) -> Option<(usize, String)> {
        let stop = self.history.pop()?;
        stop.before.restore(env);
        self.anew = Some(stop.at);
        Some((stop.at, stop.told.question))
    }

    /// Whether an answer that somebody gave, and no check, stands at one of these nodes.
    pub(crate) fn rests_on_people(&self, nodes: &[usize]) -> Option<&Answered> {
        self.history.iter().filter(|s| nodes.contains(&s.at) && s.told.origin != AnswerOrigin::Probed).map(|s| &s.told).next()
    }

    /// Whether a person went back to this node.
    pub(crate) fn was_gone_back_to(&self, at: usize) -> bool {
        self.anew == Some(at)
    }

    /// What a person answered here before.
    pub(crate) fn earlier(&self, at: usize) -> Option<Value> {
        self.earlier.get(&at).cloned()
    }

    /// What the checks of a node said, if that is not too old; it is looked at again else.
    pub(crate) fn fresh_probe(&self, at: usize, now: Timestamp) -> Option<Probe> {
        let seen = self.probes.get(&at)?;
        (now.duration_since(seen.at) <= MAX_AGE).then(|| seen.probe.clone())
    }

    /// Keeps what the checks of a node said. What they said before is kept beside it.
    pub(crate) fn probed(&mut self, at: usize, probe: &Probe, now: Timestamp, readings: Vec<Reading>) {
        let mut all = self.probes.remove(&at).map(|s| s.readings).unwrap_or_default();
        all.extend(readings);
        self.probes.insert(at, Seen { probe: probe.clone(), at: now, readings: all });
    }

    /// Everything that was looked at for a node, the newest last.
    pub(crate) fn readings(&self, at: usize) -> Vec<Reading> {
        self.probes.get(&at).map(|s| s.readings.clone()).unwrap_or_default()
    }

    /// A remedy was run: the tree is asked from its root again, and nothing that was seen or answered before counts.
    pub(crate) fn begin_again(&mut self) {
        self.round += 1;
        self.history.clear();
        self.anew = None;
        self.probes.clear();
    }
}
