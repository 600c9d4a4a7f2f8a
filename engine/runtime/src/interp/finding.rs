//! Leaves of a triage tree: findings with their evidence, what is proposed, and what the tree came to.

use std::cmp::Reverse;

use runbook_core::event::{Event, Evidence, GradeWord, Outcome, Proposal, Remedied};
use runbook_core::expr::shell_quote;
use runbook_core::model::{FindingSeverity, Leaf, Remedy, RemedyAction, Step};
use runbook_core::value::{Map, Value};

use super::flow::{Abort, Flow, Pass};
use super::frame::Env;
use super::triage::{Visit, Visited, Where};
use super::{Interpreter, locked};

/// A finding as it is remembered to the end of the walk.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) severity: FindingSeverity,
    /// The place of its leaf in the file.
    pub(crate) at: usize,
    /// Its remedy.
    pub(crate) remedy: Option<Proposal>,
}

/// What a tree came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conclusion {
    found: Vec<Found>,
    /// How many questions the checks answered.
    pub(crate) probed: u32,
    /// How many questions people answered.
    pub(crate) answered: u32,
    /// How many of all were answered with `unknown`.
    pub(crate) unknown: u32,
    /// How many of those that people answered say something else than their checks.
    pub(crate) overridden: u32,
    /// How many of those that people answered were passed over.
    pub(crate) skipped: u32,
    /// The last remedy that was run, with how it ended.
    pub(crate) remedied: Option<(Remedied, String)>,
}

impl Conclusion {
    /// Adds a finding; one that was made before keeps its place and the worse of both severities.
    fn add(&mut self, new: Found) {
        match self.found.iter_mut().find(|f| f.id == new.id) {
            Some(old) if new.severity > old.severity => *old = new,
            Some(_) => {}
            None => self.found.push(new),
        }
    }

    /// The findings, the worst first; of equal ones in file order.
    pub(crate) fn worst_first(&self) -> Vec<&Found> {
        let mut all: Vec<&Found> = self.found.iter().collect();
        all.sort_by_key(|f| (Reverse(f.severity), f.at));
        all
    }

    /// The worst severity as a verdict; without a finding it is unknown.
    pub(crate) fn verdict(&self) -> GradeWord {
        match self.found.iter().map(|f| f.severity).max() {
            None => GradeWord::Unknown,
            Some(FindingSeverity::Info) => GradeWord::Ok,
            Some(FindingSeverity::Warning) => GradeWord::Warning,
            Some(FindingSeverity::Critical) => GradeWord::Critical,
        }
    }

    /// Nothing was found or answered yet; what was done about it stays.
    pub(crate) fn forget(&mut self) {
        *self = Conclusion { remedied: self.remedied.take(), ..Conclusion::default() };
    }

    /// The finding whose remedy is proposed, one action for all: the worst that has one.
    pub(crate) fn proposed(&self) -> Option<(&Found, &Proposal)> {
        let runnable = |r: &Proposal| r.trouble.is_none() && (r.command.is_some() || !r.steps.is_empty());
        self.worst_first().into_iter().find_map(|f| Some((f, f.remedy.as_ref().filter(|r| runnable(r))?)))
    }

    /// What was found, in a line.
    pub(crate) fn words(&self) -> String {
        let all = self.worst_first();
        if all.is_empty() {
            return "found nothing: the tree ends here without a finding".to_owned();
        }
        let names: Vec<String> = all.iter().map(|f| format!("{} ({})", f.id, f.severity.word())).collect();
        format!("found {}", names.join(", "))
    }
}

impl Interpreter<'_> {
    pub(crate) async fn leaf(&self, visit: &Visit<'_>, leaf: &Leaf, env: &Env) -> Visited {
        {
            let mut findings = locked(&env.frame.findings);
            if !findings.iter().any(|f| f.as_str() == Some(&leaf.finding.value)) {
                findings.push(Value::str(&leaf.finding.value));
            }
        }
        let evidence = match self.evidence(&leaf.see, visit, env).await {
            Ok(evidence) => evidence,
            Err(pass) => return (Err(pass.flow.clone()), *pass),
        };
        let say = leaf.say.as_ref().map(|say| self.label(say, env, self.world.now()));
        let remedy = leaf.remedy.as_ref().map(|remedy| self.proposal(remedy, env));
        let verdict = {
            let mut conclusion = locked(&env.frame.conclusion);
            conclusion.add(Found {
                id: leaf.finding.value.clone(),
                severity: leaf.severity,
                at: visit.at,
                remedy: remedy.clone(),
            });
            conclusion.verdict()
        };
        *locked(&env.frame.verdict) = Some(verdict);
        let pass = Pass::ok(say.clone().unwrap_or_else(|| leaf.finding.value.clone()));
        self.emit(Event::Finding {
            path: visit.path.clone(),
            playbook: env.frame.unit.playbook.full_name.clone(),
            key: visit.node.key.clone(),
            finding: leaf.finding.value.clone(),
            severity: leaf.severity,
            say,
            evidence,
            remedy,
        });
        (Ok(Where::To(visit.graph.nodes[visit.at].next)), pass)
    }

    /// Looks at what a finding shows. Whatever it comes to, the walk goes on, unless the run stops.
    async fn evidence(&self, see: &[Step], visit: &Visit<'_>, env: &Env) -> Result<Vec<Evidence>, Box<Pass>> {
        let looking = self.looking(visit, env);
        let mut out = Vec::new();
        for (i, check) in see.iter().enumerate() {
            if self.stopping() {
                return Err(Box::new(Pass::abort(Abort::Stopped, "stopped")));
            }
            let finished = self.step(check, &looking, visit.path.child("see", i), Vec::new()).await;
            if let Flow::Abort(Abort::Stopped) = finished.flow {
                return Err(Box::new(finished.pass));
            }
            let outcome = match (&finished.flow, finished.pass.outcome) {
                (Flow::Abort(_), _) => Outcome::Unknown,
                (_, Outcome::Failed) if finished.pass.unsure => Outcome::Unknown,
                (_, outcome) => outcome,
            };
            let message = if check.sensitive { "kept out by `sensitive`".to_owned() } else { finished.pass.message.clone() };
            if outcome != Outcome::Skipped {
                out.push(Evidence { name: self.name_of(check, env), outcome, message });
            }
        }
        Ok(out)
    }

    /// A remedy as it is proposed: nothing of it runs.
    fn proposal(&self, remedy: &Remedy, env: &Env) -> Proposal {
        let mut out = Proposal { play: None, with: Value::Null, command: None, steps: Vec::new(), trouble: None };
        let (name, with) = match &remedy.action {
            RemedyAction::Play { name, with } => (name, with),
            RemedyAction::Steps(steps) => {
                out.steps = steps.iter().map(|s| self.name_of(s, env)).collect();
                return out;
            }
        };
        let from = &env.frame.unit.playbook.full_name;
        let Some(unit) = self.plan.resolve(from, &name.value) else {
            out.trouble = Some(format!("there is no playbook `{}`", name.value));
            return out;
        };
        out.play = Some(unit.playbook.full_name.clone());
        let mut given = Map::new();
        let mut words = vec!["runbook play".to_owned(), shell_quote(&unit.playbook.full_name)];
        for (key, arg) in with {
            match self.render(arg, env, self.world.now()) {
                Ok(value) => {
                    if let Some(unknown) = value.find_unknown() {
                        out.trouble = Some(format!("`{}` is not known: {}", key.value, unknown.reason));
                    }
                    if !value.is_null() {
                        words.push(format!("--param {}", shell_quote(&format!("{}={}", key.value, typed(&value)))));
                    }
                    given.insert(key.value.clone(), value);
                }
                Err(trouble) => out.trouble = Some(format!("`{}` cannot be told: {}", key.value, self.told(&trouble))),
            }
        }
        // What stands in the place of the system's variables in this run does so in the remedy: it must not mend another stack.
        for (name, value) in &self.overrides {
            let known = unit.system.vars.iter().any(|(n, _)| n.value == *name);
            if known && !given.contains_key(name) && value.all_secret_names().is_empty() {
                words.push(format!("--param {}", shell_quote(&format!("{name}={}", typed(value)))));
            }
        }
        if let Some(profile) = &unit.system.profile {
            words.push(format!("--profile {}", shell_quote(profile)));
        }
        out.with = Value::from(given);
        out.command = out.trouble.is_none().then(|| words.join(" "));
        out
    }

    /// Tells what the tree came to.
    pub(crate) fn conclude_tree(&self, env: &Env) {
        let conclusion = locked(&env.frame.conclusion).clone();
        let verdict = conclusion.verdict();
        *locked(&env.frame.verdict) = Some(verdict);
        self.emit(Event::Concluded {
            playbook: env.frame.unit.playbook.full_name.clone(),
            verdict,
            findings: conclusion.worst_first().into_iter().map(|f| f.id.clone()).collect(),
            probed: conclusion.probed,
            answered: conclusion.answered,
            unknown: conclusion.unknown,
            overridden: conclusion.overridden,
            skipped: conclusion.skipped,
        });
    }
}

/// A value as it is typed behind `--param NAME=`: lists and maps as JSON. A secret is masked, and has to be typed by who knows it.
fn typed(value: &Value) -> String {
    match value.bare() {
        Value::List(_) | Value::Map(_) => value.to_json().to_string(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, severity: FindingSeverity, at: usize) -> Found {
        let command = Some(format!("fix {id}"));
        let remedy = Proposal { play: None, with: Value::Null, command, steps: Vec::new(), trouble: None };
        Found { id: id.to_owned(), severity, at, remedy: (severity > FindingSeverity::Info).then_some(remedy) }
    }

    #[test]
    fn the_worst_comes_first_and_then_file_order() {
        use FindingSeverity::{Critical, Info, Warning};
        let mut conclusion = Conclusion::default();
        assert!(conclusion.verdict() == GradeWord::Unknown && conclusion.proposed().is_none());
        conclusion.add(found("fine", Info, 1));
        assert!(conclusion.verdict() == GradeWord::Ok && conclusion.proposed().is_none());
        for new in [found("b", Warning, 9), found("a", Warning, 5), found("c", Critical, 12), found("b", Info, 20)] {
            conclusion.add(new);
        }
        assert_eq!(conclusion.verdict(), GradeWord::Critical);
        assert_eq!(conclusion.words(), "found c (critical), a (warning), b (warning), fine (info)");
        assert_eq!(conclusion.proposed().map(|(f, _)| f.id.as_str()), Some("c"));
        // A remedy that is only steps is proposed too; one that cannot be told is not.
        let remedy = |command: Option<&str>, steps: &[&str], trouble: Option<&str>| Proposal {
            play: None,
            with: Value::Null,
            command: command.map(str::to_owned),
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            trouble: trouble.map(str::to_owned),
        };
        conclusion.add(Found { remedy: Some(remedy(None, &["look"], None)), ..found("d", Critical, 3) });
        assert_eq!(conclusion.proposed().map(|(f, _)| f.id.as_str()), Some("d"));
        conclusion.add(Found { remedy: Some(remedy(None, &["look"], Some("x"))), ..found("e", Critical, 2) });
        assert_eq!(conclusion.proposed().map(|(f, _)| f.id.as_str()), Some("d"));
    }
}
