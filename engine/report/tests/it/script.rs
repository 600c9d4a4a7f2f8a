//! Scripted runs: records as the interpreter would emit them.

use runbook_core::event::*;
use runbook_core::exit::Exit;
use runbook_core::expr::Seen;
use runbook_core::module::{Effect, Forecast, Touches};
use runbook_core::path::StepPath;
use runbook_core::rehearsal::{DryRow, DryVerdict};
use runbook_core::span::Place;
use runbook_core::value::Value;
use runbook_core::world::Answer;

pub(crate) struct Script {
    pub(crate) records: Vec<Record>,
    now_ms: i64,
    counts: Counts,
    playbook: String,
}

pub(crate) fn path(text: &str) -> StepPath {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).expect("a path is text")
}

fn place(line: u32) -> Option<Place> {
    Some(Place { file: "playbooks/sonia/stack-start.yaml".into(), line, column: 5 })
}

/// What a test says of a step's end.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) message: String,
    pub(crate) ms: f64,
    pub(crate) checks: Vec<CheckLine>,
    pub(crate) output: Vec<String>,
    pub(crate) attempts: u32,
    pub(crate) late: bool,
    pub(crate) tolerated: bool,
    pub(crate) after: Vec<String>,
}

pub(crate) fn end(outcome: Outcome, ms: f64, message: &str) -> End {
    End {
        outcome,
        message: message.into(),
        ms,
        checks: vec![],
        output: vec![],
        attempts: 1,
        late: false,
        tolerated: false,
        after: vec![],
    }
}

pub(crate) fn check(text: &str, held: Option<bool>, saw: &[(&str, &str)]) -> CheckLine {
    let saw = saw.iter().map(|(t, v)| Seen { text: (*t).into(), value: (*v).into() }).collect();
    CheckLine { text: text.into(), held, saw, error: None, unknown: false }
}

/// Where a step stands: path, parent, name, body, item, group.
#[derive(Clone)]
pub(crate) struct At<'a>(
    pub(crate) &'a str,
    pub(crate) &'a str,
    pub(crate) &'a str,
    pub(crate) &'a str,
    pub(crate) Option<&'a str>,
    pub(crate) bool,
);

impl Script {
    pub(crate) fn new(playbook: &str, title: &str, outline: &[(&str, &str)], checklist: bool, dry_run: bool) -> Self {
        let outline: Vec<Outline> = outline.iter().map(|(p, l)| Outline { path: path(p), label: (*l).into() }).collect();
        let mut s = Script { records: vec![], now_ms: 1_767_607_200_000, counts: Counts::default(), playbook: playbook.into() };
        let system = playbook.split('/').next().unwrap_or("").to_owned();
        s.emit(Event::RunStarted {
            format_version: FORMAT_VERSION.into(),
            run: "7f3a91c2".into(),
            playbook: playbook.into(),
            title: title.into(),
            system,
            digest: "d".repeat(64),
            operator: "ops".into(),
            host: "gaming-pc".into(),
            version: "0.1.0".into(),
            inputs: vec![
                Input { name: "target".into(), value: Value::str("staging"), origin: "flag".into() },
                Input {
                    name: "db_password".into(),
                    value: Value::str("hunter2").into_secret("db_password"),
                    origin: "env".into(),
                },
                Input { name: "replicas".into(), value: Value::Int(3), origin: "default".into() },
            ],
            dry_run,
            checklist,
            triage: false,
            resumes: None,
            profile: None,
            outline,
        });
        s
    }

    pub(crate) fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    pub(crate) fn emit(&mut self, event: Event) {
        let at = jiff::Timestamp::from_millisecond(self.now_ms).expect("a time");
        self.records.push(Record { seq: self.records.len() as u64 + 1, at, event });
    }

    pub(crate) fn start(&mut self, at: &At<'_>) {
        self.emit(Event::StepStarted {
            path: path(at.0),
            parent: path(at.1),
            id: None,
            name: at.2.into(),
            body: at.3.into(),
            effect: Effect::Read,
            item: at.4.map(str::to_owned),
            group: at.5,
            place: place(31),
        });
    }

    pub(crate) fn end(&mut self, at: &At<'_>, end: End) {
        self.counts.add(end.outcome);
        self.emit(Event::StepFinished {
            path: path(at.0),
            parent: path(at.1),
            id: (at.0 == "steps[2]").then(|| "start-db".to_owned()),
            name: at.2.into(),
            body: at.3.into(),
            item: at.4.map(str::to_owned),
            group: at.5,
            outcome: end.outcome,
            message: end.message,
            checks: end.checks,
            output: end.output,
            graded: None,
            attempts: end.attempts,
            duration_ms: end.ms,
            began_ms: 0.0,
            late: end.late,
            tolerated: end.tolerated,
            after: end.after,
            place: place(31),
        });
    }

    pub(crate) fn step(&mut self, at: &At<'_>, e: End) {
        self.start(at);
        self.wait(e.ms as i64);
        self.end(at, e);
    }

    pub(crate) fn planned(&mut self, at: &At<'_>, forecast: Forecast) {
        self.start(at);
        self.emit(Event::Returned {
            path: path(at.0),
            attempt: 1,
            module: at.3.into(),
            effect: Effect::Change,
            answer: Answer::Planned { forecast },
        });
        self.wait(15);
        self.end(at, end(Outcome::Unknown, 15.0, ""));
    }

    pub(crate) fn finish(&mut self, outcome: RunOutcome, exit: Exit, message: &str, change: impl FnOnce(&mut Event)) {
        let began = self.records[0].at;
        let now = jiff::Timestamp::from_millisecond(self.now_ms).expect("a time");
        let mut event = Event::RunFinished {
            run: "7f3a91c2".into(),
            playbook: self.playbook.clone(),
            outcome,
            exit,
            exit_code: exit.code(),
            message: message.into(),
            counts: self.counts,
            duration_ms: now.duration_since(began).as_secs_f64() * 1000.0,
            not_started: vec![],
            undone: vec![],
            left: vec![],
            critical_path: None,
            outputs: Value::Null,
            next: vec![],
        };
        change(&mut event);
        self.emit(event);
    }
}

const SERVICES: [(&str, &[&str], i64, &str); 8] = [
    ("agent-registry", &[], 410, "started on port 8001 (pid 4711)"),
    ("eva-os", &[], 620, "started on port 8002 (pid 4712)"),
    ("memory-engine", &["eva-os"], 930, "started on port 8003 (pid 4713)"),
    ("voice", &["eva-os"], 1010, "started on port 8004 (pid 4714)"),
    ("vision", &["eva-os"], 1020, "already running (pid 3120)"),
    ("tool-runner", &["agent-registry"], 1040, "started on port 8006 (pid 4716)"),
    ("knowledge-base-indexer", &["memory-engine"], 1190, "started on port 8007 (pid 4717)"),
    ("api-gateway", &["memory-engine", "agent-registry"], 1300, "started on port 7000 (pid 4718)"),
];

/// The start of eight services, as their needs allow.
pub(crate) fn stack_start() -> Script {
    let outline = [
        ("steps[1]", "Disk has room"),
        ("steps[2]", "Start the services"),
        ("steps[3]", "Tell the team"),
        ("steps[4]", "Gateway answers"),
    ];
    let mut s = Script::new("sonia/stack-start", "Start the Sonia stack in the order of its needs", &outline, false, false);
    s.step(&At("requires[1]", "", "No other stack on these ports", "port", None, false), end(Outcome::Ok, 4.0, "8 ports free"));
    s.step(&At("steps[1]", "", "Disk has room", "disk", None, false), end(Outcome::Ok, 12.0, "41 GiB free (need 10)"));
    let group = At("steps[2]", "", "Start the services", "block", None, true);
    s.start(&group);
    let base = s.now_ms;
    for (name, needs, _, _) in SERVICES {
        if !needs.is_empty() {
            s.emit(Event::StepWaiting {
                path: path(&format!("steps[2]@{name}")),
                parent: path("steps[2]"),
                name: "Start one service".into(),
                item: Some(name.into()),
                waiting_for: needs.iter().map(|n| (*n).to_owned()).collect(),
            });
        }
    }
    let mut todo: Vec<(i64, bool, usize)> = vec![];
    for (i, (_, needs, at, _)) in SERVICES.iter().enumerate() {
        let began =
            needs.iter().filter_map(|n| SERVICES.iter().find(|(m, ..)| m == n)).map(|(_, _, at, _)| *at).max().unwrap_or(0);
        todo.push((began, true, i));
        todo.push((*at, false, i));
    }
    todo.sort();
    for (at, starts, i) in todo {
        s.now_ms = base + at;
        let (name, needs, until, message) = SERVICES[i];
        let pass = format!("steps[2]@{name}");
        let item = At(&pass, "steps[2]", "Start one service", "block", Some(name), true);
        let (first, second) = (format!("{pass}.block[1]"), format!("{pass}.block[2]"));
        let start = At(&first, &pass, "Start the process", "service.start", None, false);
        let ready = At(&second, &pass, "Wait until ready", "http", None, false);
        if starts {
            s.start(&item);
            s.step(&start, end(if name == "vision" { Outcome::Ok } else { Outcome::Changed }, 3.0, message));
            s.start(&ready);
            s.emit(Event::AttemptFailed { path: path(&second), attempt: 1, message: "connection refused".into(), next_ms: 50.0 });
        } else {
            s.end(&ready, End { attempts: 3, ..end(Outcome::Ok, 300.0, "200 OK") });
            let outcome = if name == "vision" { Outcome::Ok } else { Outcome::Changed };
            let began =
                needs.iter().filter_map(|n| SERVICES.iter().find(|(m, ..)| m == n)).map(|(_, _, at, _)| *at).max().unwrap_or(0);
            let after = needs.iter().map(|n| (*n).to_owned()).collect();
            s.end(&item, End { after, late: name == "memory-engine", ..end(outcome, (until - began) as f64, message) });
        }
    }
    s.end(&group, end(Outcome::Changed, 1_300.0, ""));
    s.step(
        &At("steps[3]", "", "Tell the team", "command", None, false),
        end(Outcome::Skipped, 0.0, "`params.announce` was false"),
    );
    s.step(
        &At("steps[4]", "", "Gateway answers", "http", None, false),
        end(Outcome::Ok, 35.0, "200 OK, version 2.4.1, all eight services healthy as seen from outside"),
    );
    s.finish(RunOutcome::Succeeded, Exit::Ok, "", |e| {
        if let Event::RunFinished { critical_path, left, next, .. } = e {
            let steps = ["eva-os", "memory-engine", "api-gateway"].map(str::to_owned).to_vec();
            *critical_path = Some(CriticalPath { steps, duration_ms: 1_300.0 });
            *left = vec!["Start the services".into()];
            *next = vec!["runbook run sonia/service-health".into()];
        }
    });
    s
}

/// A run that fails in the middle.
pub(crate) fn failing() -> Script {
    let outline = [
        ("steps[1]", "check-disk"),
        ("steps[2]", "start-db"),
        ("steps[3]", "wait-db"),
        ("steps[4]", "start-api"),
        ("steps[5]", "open-traffic"),
        ("steps[6]", "notify"),
    ];
    let mut s = Script::new("sonia/stack-start", "Start the stack", &outline, false, false);
    s.step(&At("steps[1]", "", "check-disk", "disk", None, false), end(Outcome::Ok, 210.0, "41 GiB free (need 10)"));
    s.start(&At("steps[2]", "", "start-db", "service.start", None, false));
    s.emit(Event::Intent {
        path: path("steps[2]"),
        attempt: 1,
        module: "service.start".into(),
        args: Value::map([("service", Value::str("db")), ("password", Value::str("x").into_secret("db_password"))]),
        effect: Effect::Change,
        touches: Touches::default(),
        idempotent: true,
    });
    s.wait(3_100);
    s.end(&At("steps[2]", "", "start-db", "service.start", None, false), end(Outcome::Changed, 3_100.0, "db was down"));
    let wait = At("steps[3]", "", "wait-db", "http", None, false);
    s.start(&wait);
    for attempt in 1..5 {
        s.wait(3_000);
        s.emit(Event::AttemptFailed { path: path("steps[3]"), attempt, message: "connection refused".into(), next_ms: 3_000.0 });
    }
    s.wait(48_000);
    s.emit(Event::Note {
        path: path("steps[3]"),
        text: "The database usually needs 9 s; look at its log if this goes on.".into(),
    });
    let mut failed = end(Outcome::Failed, 60_000.0, "the health page of the database did not say what it should within 60s");
    failed.attempts = 12;
    failed.late = true;
    failed.checks = vec![
        check("status == 200", Some(false), &[("status", "503")]),
        check(
            "json.components | rejectattr('state', 'eq', 'ready') | list | count == 0",
            Some(false),
            &[("json.components | rejectattr('state', 'eq', 'ready') | list | count", "2")],
        ),
        check(
            "headers['content-type'] is startingwith 'application/json'",
            Some(true),
            &[("headers['content-type']", "\"application/json\"")],
        ),
        CheckLine {
            text: "json.lag < 5s".into(),
            held: None,
            saw: vec![],
            error: Some("`json.lag` is null, which cannot be compared by `<`".into()),
            unknown: false,
        },
    ];
    failed.output = vec![
        "psql: error: connection to server at \"127.0.0.1\", port 5432 failed: Connection refused".into(),
        "\tIs the server running on that host and accepting TCP/IP connections?".into(),
        "\u{1b}[31mFATAL\u{1b}[0m: \u{202e}gnp.exe".into(),
    ];
    s.end(&wait, failed);
    s.emit(Event::Undoing { steps: 1 });
    s.step(&At("steps[2].undo[1]", "", "stop-db", "service.stop", None, false), end(Outcome::Changed, 800.0, "db stopped"));
    s.finish(RunOutcome::Failed, Exit::Failed, "`wait-db` failed; what was done is undone", |e| {
        if let Event::RunFinished { not_started, undone, next, counts, .. } = e {
            counts.not_started = 3;
            *not_started = vec!["start-api".into(), "open-traffic".into(), "notify".into()];
            *undone = vec!["start-db".into()];
            *next = vec![
                "runbook run sonia/service-health --param service=db --param since=7f3a91c2".into(),
                "runbook resume 7f3a".into(),
            ];
        }
    });
    s
}

/// A start of several services of which one never gets ready.
pub(crate) fn stack_fails() -> Script {
    let outline = [("steps[1]", "Start the services"), ("steps[2]", "Gateway answers")];
    let mut s = Script::new("sonia/stack-start", "Start the Sonia stack in the order of its needs", &outline, false, false);
    let group = At("steps[1]", "", "Start the services", "block", None, true);
    s.start(&group);
    let pass = |n: &str| format!("steps[1]@{n}");
    let (eva, memory, gateway) = (pass("eva-os"), pass("memory-engine"), pass("api-gateway"));
    let items = [(&eva, "eva-os"), (&memory, "memory-engine"), (&gateway, "api-gateway")];
    let at = items.map(|(p, n)| At(p, "steps[1]", "Start one service", "block", Some(n), true));
    s.start(&at[0]);
    s.wait(600);
    s.end(&at[0], end(Outcome::Changed, 600.0, "started on port 8002 (pid 4712)"));
    s.start(&at[1]);
    let ready = format!("{memory}.block[2]");
    let ready = At(&ready, &memory, "Wait until ready", "http", None, false);
    s.start(&ready);
    s.wait(30_000);
    let mut failed = end(Outcome::Failed, 30_000.0, "503 Service Unavailable");
    failed.attempts = 61;
    failed.checks = vec![check("status == 200", Some(false), &[("status", "503")])];
    failed.output = vec!["2026-01-05 10:00:29 ERROR cannot open /var/lib/memory/index: No such file or directory".into()];
    s.end(&ready, failed);
    s.end(&at[1], end(Outcome::Failed, 30_100.0, "`Wait until ready` failed"));
    s.end(&at[2], end(Outcome::Skipped, 0.0, "memory-engine failed"));
    s.end(&group, end(Outcome::Failed, 30_700.0, "1 of 3 failed: memory-engine"));
    s.finish(RunOutcome::Failed, Exit::Failed, "`Start the services` failed", |e| {
        if let Event::RunFinished { not_started, left, next, .. } = e {
            *not_started = vec!["Gateway answers".into()];
            *left = vec!["eva-os".into(), "memory-engine".into()];
            *next = vec!["runbook resume 7f3a".into(), "runbook undo 7f3a".into()];
        }
    });
    s
}

fn row(name: &str, grade: GradeWord, detail: &str) -> Row {
    Row { name: name.into(), grade, graded: None, detail: detail.into(), columns: vec![] }
}

fn graded(name: &str, grade: GradeWord, value: Value, limits: [i64; 3], unit: &str) -> Row {
    let [target, warning, critical] = limits.map(Value::Int);
    let graded = Graded { grade, value, target, warning, critical, unit: Some(unit.into()) };
    Row { name: name.into(), grade, graded: Some(graded), detail: String::new(), columns: vec![] }
}

fn service(name: &str, grade: GradeWord, port: &str, pid: &str, uptime: &str, detail: &str) -> Row {
    let columns = [("port", port), ("pid", pid), ("uptime", uptime)].map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
    Row { name: name.into(), grade, graded: None, detail: detail.into(), columns }
}

/// A checklist with every grade.
pub(crate) fn checklist() -> Script {
    let rows = [
        service("api-gateway", GradeWord::Ok, "7000", "4718", "3d04h", "200 OK"),
        service("memory-engine", GradeWord::Critical, "8003", "", "", "connection refused at 127.0.0.1:8003"),
        graded("Memory usage", GradeWord::Warning, Value::Float(84.213), [70, 80, 90], "%"),
        graded("p95 response time", GradeWord::OffTarget, Value::Int(1_200), [1_000, 2_000, 5_000], "ms"),
        graded("Disk usage", GradeWord::Ok, Value::Float(41.0), [70, 80, 90], "%"),
        row("Backups are from today", GradeWord::Unknown, "the backup folder cannot be read: permission denied"),
        row("Certificates are valid for a while", GradeWord::Ok, "4 certificates, the next ends in 61 days"),
    ];
    let outline: Vec<(String, String)> =
        rows.iter().enumerate().map(|(i, r)| (format!("checks[{}]", i + 1), r.name.clone())).collect();
    let outline: Vec<(&str, &str)> = outline.iter().map(|(p, l)| (p.as_str(), l.as_str())).collect();
    let mut s = Script::new("sonia/every-five-minutes", "Look whether the stack is well", &outline, true, false);
    for (i, row) in rows.iter().enumerate() {
        let at = format!("checks[{}]", i + 1);
        let at = At(&at, "", &row.name, "http", None, false);
        s.start(&at);
        s.wait(20);
        s.emit(Event::Row { path: path(at.0), row: row.clone() });
        let mut e = match row.grade {
            GradeWord::Critical => end(Outcome::Failed, 20.0, &row.detail),
            GradeWord::Unknown => end(Outcome::Unknown, 20.0, &row.detail),
            _ => end(Outcome::Ok, 20.0, &row.detail),
        };
        if row.grade == GradeWord::Critical {
            e.checks = vec![check("status == 200", Some(false), &[("status", "null")])];
        }
        s.end(&at, e);
    }
    s.emit(Event::Verdict { playbook: "sonia/every-five-minutes".into(), verdict: GradeWord::Critical, counts: [3, 1, 1, 1, 1] });
    s.finish(RunOutcome::Succeeded, Exit::Ok, "", |e| {
        if let Event::RunFinished { next, .. } = e {
            *next = vec!["runbook run sonia/service-health --param service=memory-engine".into()];
        }
    });
    s
}

/// A dry run.
pub(crate) fn dry_run() -> Script {
    let outline = [("steps[1]", "Disk has room"), ("steps[2]", "Start the database"), ("steps[3]", "Start the gateway")];
    let mut s = Script::new("sonia/stack-start", "Start the stack", &outline, false, true);
    s.step(&At("steps[1]", "", "Disk has room", "disk", None, false), end(Outcome::Ok, 12.0, "41 GiB free (need 10)"));
    s.planned(
        &At("steps[2]", "", "Start the database", "service.start", None, false),
        Forecast::would("start `db` on port 5432", "connection refused"),
    );
    s.planned(
        &At("steps[3]", "", "Start the gateway", "service.start", None, false),
        Forecast::nothing("already running (pid 4711)"),
    );
    s.emit(Event::Rehearsed { path: StepPath::root(), name: "sonia/stack-start".into(), rows: dry_rows() });
    s.finish(RunOutcome::Succeeded, Exit::Ok, "", |_| ());
    s
}

/// A row of each verdict, with everything that a row may have.
fn dry_rows() -> Vec<DryRow> {
    let row = |n: u32, name: &str, effect: Effect, verdict: DryVerdict, what: &str, because: &str| DryRow {
        path: path(&format!("steps[{n}]")),
        name: name.into(),
        effect,
        verdict,
        possible: false,
        what: what.into(),
        because: because.into(),
        argv: Vec::new(),
        from_to: Vec::new(),
        diff: None,
    };
    let mut rows = vec![
        row(1, "Disk has room", Effect::Read, DryVerdict::Read, "", "41 GiB free (need 10)"),
        row(2, "Start the database", Effect::Change, DryVerdict::WouldRun, "start `db` on port 5432", "connection refused"),
        row(3, "Start the gateway", Effect::Change, DryVerdict::WouldSkip, "", "already running (pid 4711)"),
        row(
            4,
            "The database answers",
            Effect::Read,
            DryVerdict::Unknown,
            "",
            "it reads what `Start the database` would have changed",
        ),
        row(
            5,
            "Wipe the cache of the gateway",
            Effect::Destroy,
            DryVerdict::WouldAsk,
            "delete 3 files",
            "This destroys something.",
        ),
        row(6, "There is a licence", Effect::Read, DryVerdict::Blocked, "", "no such file or directory"),
    ];
    rows[1].argv = vec!["pg_ctl".into(), "start".into(), "-D".into(), "/var/lib/a folder".into()];
    rows[1].from_to = vec![("service:db".into(), "stopped".into(), "running".into())];
    rows[1].diff = Some("-old\n+new".into());
    rows[4].possible = true;
    rows
}
