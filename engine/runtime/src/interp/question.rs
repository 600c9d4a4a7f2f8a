//! A question of a triage tree: what its checks answer, and what people answer.
//!
//! A check that held is yes, one that did not is no: refused, reset and timed out are answers. Unknown is only what our side could not do.

use runbook_core::event::{AnswerOrigin, Event, Outcome};
use runbook_core::model::{Answers, Auto, Body, NodeKind, Step, TreeQuestion};
use runbook_core::session::{Answered, Lead, Probed, Reading, Standing};
use runbook_core::value::{Value, equal};
use runbook_core::world::{Question, QuestionKind, Reply};

use super::Interpreter;
use super::flow::{Abort, Finished, Flow, Pass};
use super::frame::Env;
use super::session::{Session, Snapshot};
use super::triage::{Visit, Visited, Where};

/// The answers of a yes/no question.
const YES_NO: [&str; 3] = ["yes", "no", "unknown"];

/// What the checks of a question came to.
#[derive(Clone)]
pub(crate) struct Probe {
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

/// What asking came to.
enum Put {
    Taken(Taken),
    /// Back to the question before.
    Back,
    /// Look again, then ask again.
    Again,
}

impl Interpreter<'_> {
    pub(crate) async fn question(&self, visit: &Visit<'_>, question: &TreeQuestion, session: &mut Session, env: &Env) -> Visited {
        let before = Snapshot::of(env);
        let choices = match self.choices(question, env) {
            Ok(choices) => choices,
            Err(message) => {
                let pass = Pass::broken(message);
                return (Err(Flow::Fail(self.node_failure(visit, &pass))), pass);
            }
        };
        // What was just seen need not be looked at again because a person went back.
        let seen = session.fresh_probe(visit.at, self.world.now());
        let mut looks = 0;
        let mut probe = match seen {
            Some(probe) if session.was_gone_back_to(visit.at) => Some(probe),
            _ => match self.look(visit, question, &choices, session, looks, env).await {
                Ok(probe) => probe,
                Err((flow, pass)) => return (Err(flow), *pass),
            },
        };
        let taken = loop {
            match self.take(visit, question, &choices, probe.as_ref(), session, env).await {
                Ok(Put::Taken(taken)) => break taken,
                Ok(Put::Back) => return (Ok(Where::Back), Pass::skipped("went back to the question before")),
                Ok(Put::Again) => {
                    looks += 1;
                    probe = match self.look(visit, question, &choices, session, looks, env).await {
                        Ok(probe) => probe,
                        Err((flow, pass)) => return (Err(flow), *pass),
                    };
                }
                Err(pass) => {
                    let flow = match &pass.flow {
                        Flow::Next => Flow::Fail(self.node_failure(visit, &pass)),
                        other => other.clone(),
                    };
                    return (Err(flow), *pass);
                }
            }
        };
        let answer = taken.answer.to_string();
        let (name, branch) = question.branch(&answer);
        let probed = probe.as_ref().and_then(|p| p.answer.as_ref()).map(ToString::to_string);
        self.count(env, &taken, probed.as_ref().is_some_and(|p| *p != answer));
        let evidence = probe.as_ref().map(|p| p.evidence.clone()).unwrap_or_default();
        let mut pass = probe.map_or_else(|| Pass::ok(""), |p| p.pass);
        pass.message.clone_from(&evidence);
        pass.answer = taken.answer.clone();
        if let Some(note) = &taken.note {
            pass.note = Value::str(note);
        }
        let probe = probed.filter(|_| taken.origin != AnswerOrigin::Probed);
        let told = Answered {
            key: visit.node.key.clone(),
            question: visit.name.clone(),
            answer: answer.clone(),
            origin: taken.origin,
            probe: probe.clone(),
        };
        session.answered(visit.at, told, taken.answer, before);
        self.emit(Event::NodeAnswered {
            path: visit.path.clone(),
            playbook: env.frame.unit.playbook.full_name.clone(),
            key: visit.node.key.clone(),
            question: visit.name.clone(),
            answer,
            branch: name.as_str().to_owned(),
            origin: taken.origin,
            probe,
            evidence,
            note: taken.note,
            duration_ms: super::millis(self.world.now().duration_since(visit.began)),
        });
        (Ok(Where::To(visit.graph.target(visit.at, branch))), pass)
    }

    /// Looks, and keeps what was seen for a person who asks for it.
    async fn look(
        &self,
        visit: &Visit<'_>,
        question: &TreeQuestion,
        choices: &[Value],
        session: &mut Session,
        times: u32,
        env: &Env,
    ) -> Result<Option<Probe>, (Flow, Box<Pass>)> {
        let mut readings = Vec::new();
        let probe = self.probe(visit, question, choices, times, &mut readings, env).await?;
        if let Some(probe) = &probe {
            session.probed(visit.at, probe, self.world.now(), readings);
        }
        Ok(probe)
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
        times: u32,
        readings: &mut Vec<Reading>,
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
            let path = visit.path.child("check", i);
            // A further look has its number behind it, as a further visit has.
            let path = if times > 0 { path.attempt(times + 1) } else { path };
            let finished = self.step(check, &looking, path, Vec::new()).await;
            if let Flow::Abort(_) | Flow::Stop(_) = &finished.flow {
                return Err((finished.flow.clone(), Box::new(finished.pass)));
            }
            if self.world.is_attended() {
                readings.push(self.reading(check, &finished, &looking));
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

    /// One look of a check, for a person who asks what was seen.
    fn reading(&self, check: &Step, finished: &Finished, env: &Env) -> Reading {
        let pass = &finished.pass;
        let open = !check.sensitive;
        Reading {
            name: self.name_of(check, env),
            call: if open { self.rendered_lines(check, env) } else { Vec::new() },
            outcome: pass.outcome,
            message: if open { pass.message.clone() } else { "kept out by `sensitive`".to_owned() },
            result: if open { Value::from(pass.result.clone()) } else { Value::Null },
            at: finished.started_at,
            took_ms: super::millis(finished.duration),
        }
    }

    /// Takes an answer: the one given beforehand, else the checks', else a person's.
    async fn take(
        &self,
        visit: &Visit<'_>,
        question: &TreeQuestion,
        choices: &[Value],
        probe: Option<&Probe>,
        session: &mut Session,
        env: &Env,
    ) -> Result<Put, Box<Pass>> {
        let known = probe.and_then(|p| p.answer.clone());
        // After a remedy what was said beforehand is how it was: a check or a person says how it is. Where there is neither, it has to do.
        let has_check = !question.check.is_empty() || question.answer.is_some();
        let stale = session.round > 0 && (has_check || self.world.is_attended());
        let anew = stale || session.was_gone_back_to(visit.at);
        let earlier = session.earlier(visit.at);
        let suggestion = known.clone().filter(|_| question.auto != Auto::Never).or_else(|| earlier.clone());
        let mut put = Question {
            path: visit.path.clone(),
            id: visit.question.clone(),
            kind: QuestionKind::Node { choices: choices.to_vec(), suggestion, standing: Box::default() },
            text: visit.name.clone(),
            details: self.details(visit, probe, env),
            timeout: None,
            anew,
        };
        // What a person answered here before is not silently dropped for what the check says.
        let pauses = self.world.is_attended() && (self.step || earlier.is_some());
        let asks = question.auto != Auto::Always || pauses || session.was_gone_back_to(visit.at);
        let settled = known.is_some() && !asks;
        if !anew && let Some(reply) = self.world.given(&put, settled) {
            return self.understood(visit, choices, reply);
        }
        if let (Some(answer), true) = (known, settled) {
            return Ok(Put::Taken(Taken { answer, origin: AnswerOrigin::Probed, note: None }));
        }
        if self.world.is_attended()
            && let QuestionKind::Node { standing, .. } = &mut put.kind
        {
            **standing = self.told_so_far(visit, question, probe, session, env);
        }
        let reply = self.put(put).await;
        // Where nobody can be asked, the author has said where it leads if it cannot be told.
        let cannot_tell = probe.is_some_and(|p| p.answer.is_none());
        if let (Reply::NobodyThere { .. }, Answers::YesNo { unknown: Some(_), .. }, true) =
            (&reply, &question.answers, cannot_tell)
        {
            let taken = Taken { answer: Value::str("unknown"), origin: AnswerOrigin::Probed, note: None };
            return Ok(Put::Taken(taken));
        }
        if matches!(reply, Reply::Back) && !session.can_go_back() {
            return Ok(Put::Again);
        }
        self.understood(visit, choices, reply)
    }

    /// Where the walk stands, for the person who is asked.
    fn told_so_far(
        &self,
        visit: &Visit<'_>,
        question: &TreeQuestion,
        probe: Option<&Probe>,
        session: &Session,
        env: &Env,
    ) -> Standing {
        let path = session.path();
        let label = |to: Option<usize>| match to.map(|to| &visit.graph.nodes[to].node.kind) {
            None => "the end of the tree".to_owned(),
            Some(NodeKind::Leaf(leaf)) => format!("finding {}", leaf.finding.value),
            Some(NodeKind::Question(next)) => self.label(&next.ask, env, visit.began),
        };
        let edges = visit.graph.edges(visit.at).into_iter().filter_map(|e| Some((e.answer?, e.to)));
        Standing {
            playbook: env.frame.unit.playbook.full_name.clone(),
            key: visit.node.key.clone(),
            number: u32::try_from(path.len()).unwrap_or(u32::MAX).saturating_add(1),
            left: visit.graph.questions_after(visit.at),
            path,
            why: visit.node.why.as_ref().map(|why| self.label(why, env, visit.began)),
            leads: edges.map(|(answer, to)| Lead { answer: answer.as_str().to_owned(), to: label(to) }).collect(),
            probe: probe.map(|p| Probed { answer: p.answer.clone(), evidence: p.evidence.clone() }),
            readings: session.readings(visit.at),
            before: session.earlier(visit.at),
            can_go_back: session.can_go_back(),
            has_unknown: match &question.answers {
                Answers::YesNo { unknown, .. } => unknown.is_some(),
                Answers::Choices { default, .. } => default.is_some(),
            },
        }
    }

    /// What a person should know to answer: what the checks say, and why it is asked.
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

    fn understood(&self, visit: &Visit<'_>, choices: &[Value], reply: Reply) -> Result<Put, Box<Pass>> {
        let names = || choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match reply {
            // In a dry run nobody is asked, and where the answer leads is not known.
            Reply::Given { value: Value::Unknown(unknown), .. } => {
                let flow = Flow::Stop(format!("where it leads is not known: {}", unknown.reason));
                Err(Box::new(Pass { flow, ..Pass::undecided(unknown.reason.clone()) }))
            }
            Reply::Given { value, note, origin } => match choice(choices, &value).or_else(|| spoken(choices, &value)) {
                Some(answer) => Ok(Put::Taken(Taken { answer, origin: origin.into(), note })),
                None => Err(Box::new(Pass::broken(format!("the answer {value} is not one of {}", names())))),
            },
            Reply::Skipped { value } => {
                // A choice that is passed over takes the default.
                let answer = choice(choices, &value).unwrap_or(value);
                Ok(Put::Taken(Taken { answer, origin: AnswerOrigin::Skipped, note: None }))
            }
            Reply::Back => Ok(Put::Back),
            Reply::Again => Ok(Put::Again),
            Reply::NobodyThere { how } => {
                let message =
                    format!("an answer is needed and nobody is there to give it; give it with {how} (one of {})", names());
                let step = format!("`{}` ({:?}, one of {})", visit.question, visit.name, names());
                Err(Box::new(Pass::abort(Abort::NeedsInput { step, how }, message)))
            }
            other => Err(Box::new(self.unanswered(&visit.question, other))),
        }
    }

    fn count(&self, env: &Env, taken: &Taken, unlike: bool) {
        let mut conclusion = super::locked(&env.frame.conclusion);
        match taken.origin {
            AnswerOrigin::Probed => conclusion.probed += 1,
            AnswerOrigin::Skipped => {
                conclusion.answered += 1;
                conclusion.skipped += 1;
            }
            _ => {
                conclusion.answered += 1;
                conclusion.overridden += u32::from(unlike);
            }
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
