//! Triage trees as they are read: the path that was taken, the findings, and what to do next.

use runbook_core::event::*;
use runbook_core::exit::Exit;
use runbook_core::model::FindingSeverity;
use runbook_core::value::Value;
use runbook_core::world::Reply;
use runbook_report::{GithubReporter, Level, PlainReporter, Reporter, TermPolicy, runs};

use crate::golden::{fits, golden};
use crate::script::{At, End, Script, end, path};
use crate::terminal::Sink;

struct Answered<'a> {
    key: &'a str,
    question: &'a str,
    answer: &'a str,
    origin: AnswerOrigin,
    probe: Option<&'a str>,
    evidence: &'a str,
    note: Option<&'a str>,
}

impl<'a> Answered<'a> {
    fn probed(key: &'a str, question: &'a str, answer: &'a str, evidence: &'a str) -> Self {
        Answered { key, question, answer, origin: AnswerOrigin::Probed, probe: None, evidence, note: None }
    }
}

impl Script {
    fn answered(&mut self, at: &str, parent: &str, a: &Answered<'_>) {
        let node = At(at, parent, a.question, "question", None, true);
        self.start(&node);
        let check = format!("{at}.check[1]");
        if !a.evidence.is_empty() {
            let held = if a.answer == "no" { Outcome::Failed } else { Outcome::Ok };
            self.step(&At(&check, at, "port 7000", "port", None, false), End { tolerated: true, ..end(held, 3.0, a.evidence) });
        }
        self.emit(Event::NodeAnswered {
            path: path(at),
            playbook: "sonia/service-health".into(),
            key: a.key.into(),
            question: a.question.into(),
            answer: a.answer.into(),
            branch: a.answer.into(),
            origin: a.origin,
            probe: a.probe.map(str::to_owned),
            evidence: a.evidence.into(),
            note: a.note.map(str::to_owned),
            duration_ms: 3.0,
        });
        let outcome = if a.answer == "unknown" { Outcome::Unknown } else { Outcome::Ok };
        self.end(&node, end(outcome, 3.0, a.answer));
    }

    fn found(&mut self, at: &str, parent: &str, finding: &str, severity: FindingSeverity, say: &str, remedy: Option<Proposal>) {
        let node = At(at, parent, finding, "leaf", None, true);
        self.start(&node);
        let seen = |name: &str, outcome, message: &str| Evidence { name: name.into(), outcome, message: message.into() };
        let evidence = match severity {
            FindingSeverity::Critical => vec![
                seen("The last lines of its log", Outcome::Ok, "3 lines"),
                seen("Who has the port", Outcome::Failed, "nothing listens on port 7000"),
            ],
            _ => Vec::new(),
        };
        self.emit(Event::Finding {
            path: path(at),
            playbook: "sonia/service-health".into(),
            key: finding.into(),
            finding: finding.into(),
            severity,
            say: (!say.is_empty()).then(|| say.to_owned()),
            evidence,
            remedy,
        });
        self.end(&node, end(Outcome::Ok, 1.0, say));
    }
}

fn play(command: &str) -> Option<Proposal> {
    Some(Proposal {
        play: Some("sonia/service-start".into()),
        with: Value::map([("service", Value::str("api-gateway"))]),
        command: Some(command.into()),
        steps: Vec::new(),
        trouble: None,
    })
}

const COMMAND: &str = "runbook play sonia/service-start --param service=api-gateway";

/// A walk in which everything happens that can.
fn tree() -> Script {
    let questions = [
        ("triage", "Does /healthz answer 200?"),
        ("triage.no[1]", "Is the port listening?"),
        ("triage.no[2]", "Has anybody changed the configuration or the environment of the service since yesterday?"),
    ];
    let mut s = Script::new("sonia/service-health", "Find out why a service is unhealthy", &questions, false, false);
    if let Event::RunStarted { triage, .. } = &mut s.records[0].event {
        *triage = true;
    }
    s.answered("triage", "", &Answered::probed("healthz", questions[0].1, "no", "connection refused"));
    let long = "nothing listens on port 7000 of any address of this machine, and nothing ever did since it was started";
    s.answered("triage.no[1]", "", &Answered::probed("listening", questions[1].1, "no", long));
    s.answered(
        "triage.no[2]",
        "",
        &Answered {
            origin: AnswerOrigin::Answered,
            note: Some("ana did, for the new key"),
            ..Answered::probed("changed", questions[2].1, "yes", "")
        },
    );
    s.answered(
        "triage.no[3]",
        "",
        &Answered {
            origin: AnswerOrigin::Flag,
            ..Answered::probed("triage.no[3]", "How does it fail?", "at once, with words", "")
        },
    );
    s.answered(
        "triage.no[4]",
        "",
        &Answered {
            origin: AnswerOrigin::Default,
            probe: Some("yes"),
            ..Answered::probed("disk", "Is there room?", "yes", "41 GiB free")
        },
    );
    s.answered(
        "triage.no[5]",
        "",
        &Answered {
            origin: AnswerOrigin::Answered,
            probe: Some("yes"),
            ..Answered::probed("log", "Is the log quiet?", "no", "0 errors")
        },
    );
    s.end(&At("triage.no[6]", "", "Is it a Monday?", "question", None, true), end(Outcome::Skipped, 0.0, "when: run.dry_run"));
    s.start(&At("triage.no[7]", "", "Does the tool answer?", "question", None, true));
    let nobody = Reply::NobodyThere { how: "--answer tool=VALUE".into() };
    s.emit(Event::Asked { path: path("triage.no[7]"), id: "tool".into(), text: "Does the tool answer?".into() });
    s.emit(Event::Replied { path: path("triage.no[7]"), id: "tool".into(), reply: nobody });
    s.answered("triage.no[7]", "", &Answered::probed("tool", "Does the tool answer?", "unknown", "program `tool` not found"));
    s.found("triage.no[8]", "", "looked-at", FindingSeverity::Info, "", None);
    s.found(
        "triage.no[9]",
        "",
        "not-started",
        FindingSeverity::Critical,
        "api-gateway does not run.\nIts log says why.",
        play(COMMAND),
    );
    let steps = Proposal {
        play: None,
        with: Value::Null,
        command: None,
        steps: vec!["Stop it".into(), "Start it".into()],
        trouble: None,
    };
    s.found("triage.no[10]", "", "slow", FindingSeverity::Warning, "It was slow before.", Some(steps));
    s.emit(Event::Concluded {
        playbook: "sonia/service-health".into(),
        verdict: GradeWord::Critical,
        findings: vec!["not-started".into(), "slow".into(), "looked-at".into()],
        probed: 3,
        answered: 4,
        unknown: 1,
        overridden: 0,
        skipped: 0,
    });
    s.finish(RunOutcome::Succeeded, Exit::Fault, "found not-started (critical), slow (warning), looked-at (info)", |e| {
        if let Event::RunFinished { next, counts, .. } = e {
            *next = vec![COMMAND.to_owned(), "runbook runs show 7f3a91c2".to_owned()];
            *counts = Counts::default();
        }
    });
    s
}

/// A tree that a procedure plays.
fn played() -> Script {
    let mut s = Script::new(
        "sonia/morning",
        "Look, and decide",
        &[("steps[1]", "Look at the gateway"), ("steps[2]", "Decide")],
        false,
        false,
    );
    let play_step = At("steps[1]", "", "Look at the gateway", "play", None, true);
    s.start(&play_step);
    let (inside, at) = ("steps[1]>sonia/service-health:", "steps[1]>sonia/service-health:triage");
    s.answered(at, inside, &Answered::probed("healthz", "Does /healthz answer 200?", "no", "connection refused"));
    s.found(&format!("{at}.no"), inside, "not-started", FindingSeverity::Critical, "It does not run.", play(COMMAND));
    s.emit(Event::Concluded {
        playbook: "sonia/service-health".into(),
        verdict: GradeWord::Critical,
        findings: vec!["not-started".into()],
        probed: 1,
        answered: 0,
        unknown: 0,
        overridden: 0,
        skipped: 0,
    });
    s.end(&play_step, end(Outcome::Ok, 12.0, "found not-started (critical)"));
    s.step(&At("steps[2]", "", "Decide", "command", None, false), end(Outcome::Ok, 2.0, "exit code 0"));
    s.finish(RunOutcome::Succeeded, Exit::Ok, "", |_| {});
    s
}

#[test]
fn trees_look_as_they_should() {
    for (name, script) in [("tree", tree()), ("tree-played", played())] {
        for width in [40, 80, 120] {
            let text = runs::show(&script.records, &TermPolicy::text(width, true), Level::Normal);
            fits(&text, width);
            golden(&format!("{name}-{width}.txt"), &text);
        }
    }
    let tree = tree();
    let show = |policy: TermPolicy, level| runs::show(&tree.records, &policy, level);
    golden("tree-80-ascii.txt", &show(TermPolicy::text(80, false), Level::Normal));
    golden("tree-quiet.txt", &show(TermPolicy::text(80, true), Level::Quiet));
    golden("tree-verbose.txt", &show(TermPolicy::text(80, true), Level::Verbose(1)));
}

#[test]
fn trees_are_told_line_by_line() {
    for (name, level) in [("tree-plain.txt", Level::Normal), ("tree-plain-quiet.txt", Level::Quiet)] {
        let sink = Sink::default();
        let mut reporter = PlainReporter::new(sink.clone(), TermPolicy::text(80, true), level);
        tree().records.iter().for_each(|r| reporter.record(r));
        reporter.finish();
        golden(name, &sink.text());
    }
}

#[test]
fn github_gets_the_faults_and_not_what_was_looked_at() {
    let sink = Sink::default();
    let mut reporter = GithubReporter::new(sink.clone());
    tree().records.iter().for_each(|r| reporter.record(r));
    reporter.finish();
    let text = sink.text();
    let annotations: Vec<&str> = text.lines().filter(|l| l.starts_with("::error") || l.starts_with("::warning")).collect();
    assert_eq!(
        annotations,
        [
            format!("::error title=not-started::api-gateway does not run. Its log says why.; remedy: {COMMAND}"),
            "::warning title=slow::It was slow before.; remedy: 2 steps: Stop it, Start it".to_owned(),
        ]
    );
}

#[test]
fn a_run_is_listed_with_its_verdict() {
    let mut script = tree();
    if let Some(Record { event: Event::RunFinished { outputs, .. }, .. }) = script.records.last_mut() {
        *outputs = Value::map([("verdict", Value::str("critical"))]);
    }
    let summary = runs::summarize(&script.records, false).expect("a run");
    assert_eq!((summary.verdict, summary.failed_step), (Some(GradeWord::Critical), None));
    let document = runbook_report::document::document(&script.records, false).expect("a report");
    assert_eq!((document.verdict, document.questions.len(), document.findings.len()), (Some(GradeWord::Critical), 7, 3));
    assert_eq!(document.findings[1].remedy.as_ref().and_then(|r| r.command.as_deref()), Some(COMMAND));
    let step = runs::show_step(&script.records, "not-started", &TermPolicy::text(80, true)).expect("the leaf");
    assert!(step.contains("found not-started (critical)") && !step.contains("slow"), "{step}");
}
