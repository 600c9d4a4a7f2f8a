//! One row of the matrix while it is made: what is injected, found, done about it, and what comes of it.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::stack::{Stack, digest, ended};
use crate::harness::Output;

/// A row of the table, with the times that are not in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) fault: String,
    pub(super) injected: String,
    pub(super) found: String,
    pub(super) remedy: String,
    pub(super) result: Vec<String>,
    pub(super) times: BTreeMap<String, Times>,
}

/// From the start of a look to its finding, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Within the run: engine and probes.
    pub(super) run: f64,
    /// The whole command, from its start to its end.
    pub(super) command: f64,
}

/// The stack and the row that is made with it.
pub(super) struct Case {
    pub(super) stack: Stack,
    pub(super) row: Row,
}

/// A tree that was walked.
pub(super) struct Walk {
    out: Output,
    findings: Vec<Value>,
    next: String,
}

impl Walk {
    /// The finding that an operator is led to: the one whose remedy is proposed, else the worst.
    fn leading(&self) -> &Value {
        let rank = |f: &Value| ["info", "warning", "critical"].iter().position(|s| f["severity"] == *s);
        let worst = self.findings.iter().rev().max_by_key(|f| rank(f));
        let proposed = self.findings.iter().find(|f| f["remedy"]["command"] == *self.next);
        proposed.or(worst).unwrap_or_else(|| panic!("nothing was found:\n{}", digest(&self.out)))
    }

    /// What was proposed, if anything.
    pub(super) fn remedy(&self) -> &Value {
        &self.leading()["remedy"]
    }

    /// What it said in words.
    pub(super) fn say(&self) -> &str {
        self.leading()["say"].as_str().unwrap()
    }
}

/// The last record of a run.
fn end(out: &Output) -> Value {
    out.events_of("run_finished").pop().unwrap_or_else(|| panic!("the run did not end:\n{}{}", out.stdout, out.stderr))
}

impl Case {
    pub(super) fn new(stack: Stack) -> Case {
        Case { stack, row: Row::default() }
    }

    /// Names the fault, and how it is injected.
    pub(super) fn fault(&mut self, fault: &str, injected: &str) {
        fault.clone_into(&mut self.row.fault);
        injected.clone_into(&mut self.row.injected);
    }

    /// Walks a tree as an operator without a terminal does. Nothing may be asked: every answer comes from a probe.
    #[track_caller]
    pub(super) fn walk(&mut self, tree: &str, params: &[&str]) -> Walk {
        let params = params.iter().flat_map(|p| ["--param", p]);
        let words: Vec<&str> = ["triage", tree, "--detailed-exitcode"].into_iter().chain(params).collect();
        let began = Instant::now();
        let out = self.stack.run(&words);
        let command = began.elapsed().as_secs_f64() * 1000.0;
        assert!(matches!(out.code, 0 | 12), "{tree} ended with {}:\n{}", out.code, digest(&out));
        assert!(out.events_of("asked").is_empty(), "{tree} asked something:\n{}", digest(&out));
        for answer in out.events_of("node_answered") {
            assert_eq!(answer["origin"], "probed", "{answer}");
        }
        let findings = out.events_of("finding");
        let next = end(&out)["next"][0].as_str().unwrap_or_default().to_owned();
        self.time(tree, &out, command);
        Walk { out, findings, next }
    }

    /// Only the first look at a fault counts.
    fn time(&mut self, looked: &str, out: &Output, command: f64) {
        let at = |event: &Value| event["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let events = out.events();
        let last = events.iter().rfind(|e| e["event"] == "finding").or(events.last()).unwrap();
        let run = at(last).duration_since(at(&events[0])).as_secs_f64() * 1000.0;
        self.row.times.entry(looked.to_owned()).or_insert(Times { run, command });
    }

    /// Walks a tree that has to lead to this finding, and writes it into the row.
    #[track_caller]
    pub(super) fn find(&mut self, tree: &str, params: &[&str], finding: &str) -> Walk {
        let walk = self.walk(tree, params);
        assert_eq!(walk.leading()["finding"], finding, "{}", digest(&walk.out));
        assert_eq!(walk.out.code, 12, "a fault was found");
        let say = self.stack.stable(walk.say());
        let before = std::mem::take(&mut self.row.found);
        let arrow = if before.is_empty() { String::new() } else { format!("{before} → ") };
        self.row.found = format!("{arrow}`{tree}`: **{finding}**. {say}");
        walk
    }

    /// What a playbook that is no tree says of the fault, by its failure.
    #[track_caller]
    pub(super) fn refuses(&mut self, playbook: &str, more: &[&str], says: &str) -> Output {
        let began = Instant::now();
        let out = self.stack.play(playbook, more, 4);
        let command = began.elapsed().as_secs_f64() * 1000.0;
        self.time(playbook, &out, command);
        // The step that failed first says why; the last line may speak of what was only seen afterwards.
        let failed = out.events_of("step_finished").into_iter().find(|e| e["outcome"] == "failed" && e["group"] == false);
        let message = failed.unwrap_or_else(|| end(&out))["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{message}\n{}", digest(&out));
        self.row.found = format!("`{playbook}` fails: {}", self.stack.stable(&message));
        out
    }

    /// The finding has no remedy that a program could run: it says what to do.
    #[track_caller]
    pub(super) fn told(&mut self, walk: &Walk, says: &str) {
        assert!(walk.leading()["remedy"]["command"].is_null(), "{}", digest(&walk.out));
        assert!(walk.say().contains(says), "{}", walk.say());
        "none: told in the finding".clone_into(&mut self.row.remedy);
    }

    /// Runs what was proposed, and finds its effect proved by the remedy's own `verify`.
    #[track_caller]
    pub(super) fn repair(&mut self, walk: &Walk, more: &[&str]) -> Output {
        let out = self.propose(walk, more, 0);
        let proofs: Vec<Value> = self.proofs(&out);
        assert!(!proofs.is_empty(), "nothing was verified:\n{}", digest(&out));
        assert!(proofs.iter().all(|p| p["outcome"] == "ok"), "{proofs:?}");
        self.row.result.push("repaired, `verify` holds".to_owned());
        out
    }

    fn proofs(&self, out: &Output) -> Vec<Value> {
        let of_verify = |e: &Value| {
            let path = e["path"].as_str().unwrap();
            (path.starts_with("verify") || path.contains(":verify")) && e["outcome"] != "skipped"
        };
        out.events_of("step_finished").into_iter().filter(of_verify).collect()
    }

    /// Runs what was proposed, as it was printed; it must end with this exit code.
    #[track_caller]
    pub(super) fn propose(&mut self, walk: &Walk, more: &[&str], code: i32) -> Output {
        let remedy = walk.remedy();
        assert!(!remedy.is_null(), "no remedy:\n{}", digest(&walk.out));
        // A remedy of single steps has no playbook of its own: the tree runs it.
        let line = remedy["command"].as_str().unwrap_or(&walk.next);
        assert_eq!(line, walk.next, "what comes next is the remedy of the finding that leads");
        assert!(remedy["command"].is_string() || line.contains("--remedy run"), "{line}");
        let shown = self.stack.stable_command(line);
        if !self.row.remedy.contains(&shown) {
            let before = std::mem::take(&mut self.row.remedy);
            self.row.remedy = if before.is_empty() { format!("`{shown}`") } else { format!("{before} → `{shown}`") };
        }
        ended(self.stack.paste(line, more), code)
    }

    /// What was proposed needs a person's word first, and says which.
    #[track_caller]
    pub(super) fn waits(&mut self, walk: &Walk, flag: &str) {
        let out = self.propose(walk, &[], 7);
        let message = end(&out)["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with(flag), "{message}");
        self.row.result.push(format!("waits for `{flag}`"));
    }

    /// What was proposed cannot repair it, and says so and why.
    #[track_caller]
    pub(super) fn fails(&mut self, walk: &Walk, more: &[&str], code: i32, says: &str) -> Output {
        let out = self.propose(walk, more, code);
        let message = end(&out)["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{message}");
        self.row.result.push(format!("not repaired: {}", self.stack.stable(&message)));
        out
    }

    /// A look at the same thing finds no fault any more.
    #[track_caller]
    pub(super) fn well(&mut self, tree: &str, params: &[&str], finding: &str) {
        let walk = self.walk(tree, params);
        let found: Vec<&str> = walk.findings.iter().map(|f| f["finding"].as_str().unwrap()).collect();
        assert_eq!((found.as_slice(), walk.out.code), ([finding].as_slice(), 0), "{}", digest(&walk.out));
        self.row.result.push(format!("`{tree}` then says {finding}"));
    }

    /// Something else that was done or seen, for the table.
    pub(super) fn note(&mut self, text: &str) {
        self.row.result.push(text.to_owned());
    }
}
