//! A question of a triage tree: what its checks answer, and what people answer.
//!
//! A check that held is yes, one that did not is no: refused, reset and timed out are answers. Unknown is only what our side could not do.

use runbook_core::event::{AnswerOrigin, Event, Outcome};
use runbook_core::model::{Answers, Auto, Body, Step, TreeQuestion};
use runbook_core::value::{Value, equal};
use runbook_core::world::{Question, QuestionKind, Reply};

use super::Interpreter;
use super::flow::{Abort, Finished, Flow, Pass};
use super::frame::Env;
use super::triage::{Visit, Visited};

/// The answers of a yes/no question.
const YES_NO: [&str; 3] = ["yes", "no", "unknown"];

/// What the checks of a question came to.
struct Probe {
    /// The answer; `None` if our side could not tell.
    answer: Option<Value>,
    /// What was seen, or what stood in the way, in one line.
    evidence: String,
    /// The pass that is kept as the node's result.
    pass: Pass,
}

/// An answer that was taken.
struct Taken {
    answer: Value,
    origin: AnswerOrigin,
    note: Option<String>,
}

impl Interpreter<'_> {
    pub(crate) async fn question(&self, visit: &Visit<'_>, question: &TreeQuestion, env: &Env) -> Visited {
        let choices = match self.choices(question, env) {
            Ok(choices) => choices,
            Err(message) => {
                let pass = Pass::broken(message);
                return (Err(Flow::Fail(self.node_failure(visit, &pass))), pass);
            }
        };
        let probe = match self.probe(visit, question, &choices, env).await {
            Ok(probe) => probe,
            Err((flow, pass)) => return (Err(flow), *pass),
        };
        let taken = match self.take(visit, question, &choices, probe.as_ref(), env).await {
            Ok(taken) => taken,
            Err(pass) => {
                let flow = match &pass.flow {
                    Flow::Next => Flow::Fail(self.node_failure(visit, &pass)),
                    other => other.clone(),
                };
                return (Err(flow), *pass);
            }
        };
        let answer = taken.answer.to_string();
        let (name, branch) = question.branch(&answer);
        self.count(env, &taken);
        let probed = probe.as_ref().and_then(|p| p.answer.as_ref()).map(ToString::to_string);
        let evidence = probe.as_ref().map(|p| p.evidence.clone()).unwrap_or_default();
        let mut pass = probe.map_or_else(|| Pass::ok(""), |p| p.pass);
        pass.message.clone_from(&evidence);
        pass.answer = taken.answer;
        if let Some(note) = &taken.note {
            pass.note = Value::str(note);
        }
        self.emit(Event::NodeAnswered {
            path: visit.path.clone(),
            playbook: env.frame.unit.playbook.full_name.clone(),
            key: visit.node.key.clone(),
            question: visit.name.clone(),
            answer,
            branch: name.as_str().to_owned(),
            origin: taken.origin,
            probe: probed.filter(|_| taken.origin != AnswerOrigin::Probed),
            evidence,
            note: taken.note,
            duration_ms: super::millis(self.world.now().duration_since(visit.began)),
        });
        (Ok(visit.graph.target(visit.at, branch)), pass)
    }

    /// The answers that there are.
    fn choices(&self, question: &TreeQuestion, env: &Env) -> Result<Vec<Value>, String> {
        let Answers::Choices { choices, .. } = &question.answers else {
            return Ok(YES_NO.into_iter().map(Value::str).collect());
        };
        let value = self.render(choices, env, self.world.now()).map_err(|t| self.told(&t))?;
        let list: Vec<Value> = match value.bare() {
            Value::List(items) => items.to_vec(),
            Value::Map(map) => map.keys().map(Value::str).collect(),
            other => return Err(format!("`choices` must be a list, found {}", other.kind())),
        };
        if list.is_empty() { Err("there is nothing to choose from: `choices` is empty".to_owned()) } else { Ok(list) }
    }

    /// What the checks answer; nothing if there are none.
    async fn probe(
        &self,
        visit: &Visit<'_>,
        question: &TreeQuestion,
        choices: &[Value],
        env: &Env,
    ) -> Result<Option<Probe>, (Flow, Box<Pass>)> {
        if question.check.is_empty() && question.answer.is_none() {
            return Ok(None);
        }
        let looking = self.looking(visit, env);
        let mut seen: Vec<String> = Vec::new();
        let mut doubt: Option<String> = None;
        let mut refuted: Option<String> = None;
        let mut unasked = 0;
        let mut kept = Pass::ok("");
        for (i, check) in question.check.iter().enumerate() {
            if self.stopping() {
                return Err((Flow::Abort(Abort::Stopped), Box::new(Pass::abort(Abort::Stopped, "stopped"))));
            }
            let finished = self.step(check, &looking, visit.path.child("check", i), Vec::new()).await;
            if let Flow::Abort(_) | Flow::Stop(_) = &finished.flow {
                return Err((finished.flow.clone(), Box::new(finished.pass)));
            }
            let said = self.said(check, &finished, question.check.len() > 1, env);
            match verdict(check, &finished) {
                Verdict::Held => seen.extend(Some(said).filter(|s| !s.is_empty())),
                Verdict::DidNotHold => refuted = Some(said),
                Verdict::CannotTell => _ = doubt.get_or_insert(said),
                Verdict::DoesNotApply => unasked += 1,
            }
            if question.check.len() == 1 {
                kept = finished.pass;
            }
            // All must hold, so that one that did not answers for all; a choice looks at what was seen, and not at whether it is well.
            if refuted.is_some() && question.answer.is_none() {
                break;
            }
        }
        kept.flow = Flow::Next;
        if unasked > 0 && unasked == question.check.len() {
            kept.outcome = Outcome::Skipped;
            return Ok(Some(Probe { answer: None, evidence: "no check applies here".to_owned(), pass: kept }));
        }
        if question.check.len() > 1 {
            kept.outcome = match (&refuted, &doubt) {
                (Some(_), _) => Outcome::Failed,
                (None, Some(_)) => Outcome::Unknown,
                (None, None) => Outcome::Ok,
            };
        }
        if question.answer.is_some() {
            let (answer, evidence) = match doubt {
                Some(doubt) => (None, doubt),
                None => self.chosen(question, choices, &kept, env, refuted.unwrap_or_else(|| seen.join("; "))),
            };
            return Ok(Some(Probe { answer, evidence, pass: kept }));
        }
        let (answer, evidence) = match (refuted, doubt) {
            (Some(no), _) => (Some("no"), no),
            (None, Some(doubt)) => (None, doubt),
            (None, None) => (Some("yes"), seen.join("; ")),
        };
        Ok(Some(Probe { answer: answer.map(Value::str), evidence, pass: kept }))
    }

    /// The choice that `answer` gives, with what was seen.
    fn chosen(
        &self,
        question: &TreeQuestion,
        choices: &[Value],
        pass: &Pass,
        env: &Env,
        seen: String,
    ) -> (Option<Value>, String) {
        let Some(expr) = &question.answer else { return (None, seen) };
        let own = match question.check.as_slice() {
            [only] if only.each.is_none() => Some(self.own(only, pass)),
            _ => None,
        };
        let value = match self.eval_with(expr, env, own.as_ref(), self.world.now()) {
            Ok(value) => value,
            Err(trouble) => return (None, format!("`answer` cannot be told: {}", self.told(&trouble))),
        };
        if let Some(unknown) = value.find_unknown() {
            return (None, format!("`answer` is not known: {}", unknown.reason));
        }
        if value.is_null() {
            return (None, format!("`{}` is null", expr.text));
        }
        match choice(choices, &value) {
            Some(found) => (Some(found), if seen.is_empty() { format!("{} is {value}", expr.text) } else { seen }),
            None => (None, format!("`{value}` is none of the choices")),
        }
    }

    /// What a check saw, in one line.
    fn said(&self, check: &Step, finished: &Finished, several: bool, env: &Env) -> String {
        if check.sensitive {
            return "kept out by `sensitive`".to_owned();
        }
        let pass = &finished.pass;
        match (several && !pass.outcome.is_good(), pass.message.is_empty()) {
            (true, false) => format!("{}: {}", self.name_of(check, env), pass.message),
            (true, true) => self.name_of(check, env),
            _ => pass.message.clone(),
        }
    }

    /// Takes an answer: the one given beforehand, else the checks', else a person's.
    async fn take(
        &self,
        visit: &Visit<'_>,
        question: &TreeQuestion,
        choices: &[Value],
        probe: Option<&Probe>,
        env: &Env,
    ) -> Result<Taken, Box<Pass>> {
        let known = probe.and_then(|p| p.answer.clone());
        let suggestion = known.clone().filter(|_| question.auto != Auto::Never);
        let put = Question {
            path: visit.path.clone(),
            id: visit.question.clone(),
            kind: QuestionKind::Ask { answer_type: "choice".to_owned(), choices: choices.to_vec(), default: suggestion },
            text: visit.name.clone(),
            details: self.details(visit, probe, env),
            timeout: None,
        };
        let settled = known.is_some() && question.auto == Auto::Always;
        if let Some(reply) = self.world.given(&put, settled) {
            return self.understood(visit, choices, reply);
        }
        if let (Some(answer), Auto::Always) = (known, question.auto) {
            return Ok(Taken { answer, origin: AnswerOrigin::Probed, note: None });
        }
        let reply = self.put(put).await;
        // Where nobody can be asked, the author has said where it leads if it cannot be told.
        let cannot_tell = probe.is_some_and(|p| p.answer.is_none());
        if let (Reply::NobodyThere { .. }, Answers::YesNo { unknown: Some(_), .. }, true) =
            (&reply, &question.answers, cannot_tell)
        {
            return Ok(Taken { answer: Value::str("unknown"), origin: AnswerOrigin::Probed, note: None });
        }
        self.understood(visit, choices, reply)
    }

    /// What a person should know to answer: why it is asked, and what the checks say.
    fn details(&self, visit: &Visit<'_>, probe: Option<&Probe>, env: &Env) -> Vec<String> {
        let mut out = Vec::new();
        match probe {
            Some(Probe { answer: Some(answer), evidence, .. }) => out.push(match evidence.as_str() {
                "" => format!("the check says {answer}"),
                _ => format!("the check says {answer}: {evidence}"),
            }),
            Some(Probe { answer: None, evidence, .. }) => out.push(format!("the check cannot tell: {evidence}")),
            None => {}
        }
        out.extend(visit.node.why.as_ref().map(|why| self.label(why, env, visit.began)));
        out.extend(visit.node.links.iter().map(|l| format!("{}: {}", l.title, l.url)));
        out
    }

    fn understood(&self, visit: &Visit<'_>, choices: &[Value], reply: Reply) -> Result<Taken, Box<Pass>> {
        let names = || choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match reply {
            Reply::Given { value, note, origin } => match choice(choices, &value).or_else(|| spoken(choices, &value)) {
                Some(answer) => Ok(Taken { answer, origin: origin.into(), note }),
                None => Err(Box::new(Pass::broken(format!("the answer {value} is not one of {}", names())))),
            },
            Reply::NobodyThere { how } => {
                let message =
                    format!("an answer is needed and nobody is there to give it; give it with {how} (one of {})", names());
                let step = format!("`{}` ({:?}, one of {})", visit.question, visit.name, names());
                Err(Box::new(Pass::abort(Abort::NeedsInput { step, how }, message)))
            }
            other => Err(Box::new(self.unanswered(&visit.question, other))),
        }
    }

    fn count(&self, env: &Env, taken: &Taken) {
        let mut conclusion = super::locked(&env.frame.conclusion);
        match taken.origin {
            AnswerOrigin::Probed => conclusion.probed += 1,
            _ => conclusion.answered += 1,
        }
        if taken.answer.as_str() == Some("unknown") {
            conclusion.unknown += 1;
        }
    }
}

/// What a finished check says.
enum Verdict {
    Held,
    DidNotHold,
    /// Our side could not look.
    CannotTell,
    /// Its `when` passed it over.
    DoesNotApply,
}

fn verdict(check: &Step, finished: &Finished) -> Verdict {
    let pass = &finished.pass;
    match pass.outcome {
        Outcome::Skipped => Verdict::DoesNotApply,
        Outcome::Ok | Outcome::Changed => Verdict::Held,
        Outcome::Unknown => Verdict::CannotTell,
        Outcome::Failed if pass.unsure || is_broken_program(check, pass) => Verdict::CannotTell,
        Outcome::Failed => Verdict::DidNotHold,
    }
}

/// Whether a program that is its own judge did not come to a judgement: 125 says so, 126 and 127 are a program that could not be run, and
/// no code at all is a signal. Where the author wrote `expect`, that decides.
fn is_broken_program(check: &Step, pass: &Pass) -> bool {
    let Body::Module(call) = &check.body else { return false };
    if !matches!(call.name.value.as_str(), "command" | "shell") || !check.expect.is_empty() || pass.timed_out {
        return false;
    }
    match pass.result.get("exit_code") {
        Some(Value::Int(125..=127)) => true,
        Some(Value::Null) => pass.result.get("signal").is_some_and(|s| !s.is_null()),
        _ => false,
    }
}

/// The choice that is this value, or written like it.
fn choice(choices: &[Value], value: &Value) -> Option<Value> {
    let text = value.to_string();
    choices.iter().find(|c| equal(c, value) == Ok(true) || c.to_string() == text).cloned()
}

/// The choice that is meant by a word that people and other programs say: `y`, `true`.
fn spoken(choices: &[Value], value: &Value) -> Option<Value> {
    let meant = match value.to_string().to_ascii_lowercase().as_str() {
        "y" | "true" => "yes",
        "n" | "false" => "no",
        "u" | "?" => "unknown",
        _ => return None,
    };
    let plain = choices.len() == YES_NO.len() && choices.iter().zip(YES_NO).all(|(c, w)| c.as_str() == Some(w));
    plain.then(|| Value::str(meant))
}
