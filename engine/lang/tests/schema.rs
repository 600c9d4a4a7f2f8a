//! What the schemas of playbooks and systems accept and reject, beside what the checker says of the same files.

mod common;

use jsonschema::Validator;
use runbook_core::diagnostic::Severity;
use runbook_lang::{MemoryLoader, Options, check_file, schema};
use serde_json::Value as Json;

/// A text that is refused, with what is wrong with it.
type Bad = (&'static str, &'static str);

fn validator(schema: &Json) -> Validator {
    jsonschema::draft7::meta::validate(schema).unwrap_or_else(|e| panic!("the schema itself is wrong: {e}"));
    jsonschema::draft7::new(schema).expect("a schema")
}

/// The errors that the checker finds in a playbook of the test project, or in its system.
fn errors(text: &str, system: bool) -> Vec<String> {
    let mut files: Vec<(String, Vec<u8>)> = vec![("playbooks/demo/other.yaml".into(), common::OTHER.into())];
    let as_playbook = if system { "playbook: A\nsteps:\n  - note: a\n" } else { text };
    files.push(("playbooks/demo/system.yaml".into(), if system { text } else { common::SYSTEM }.into()));
    files.push(("playbooks/demo/p.yaml".into(), as_playbook.into()));
    let checked = check_file(&MemoryLoader::new(files), "demo/p", &common::registry(), &Options::default());
    checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).map(|d| format!("{} {}", d.code, d.message)).collect()
}

fn instance(text: &str) -> Json {
    schema::instance(text.as_bytes()).unwrap_or_else(|| panic!("cannot be read: {text}"))
}

/// Holds a schema and the checker to what they should accept and reject.
fn hold(schema: &Json, good: &[&str], bad: &[Bad], system: bool) {
    let validator = validator(schema);
    let mut wrong = Vec::new();
    for text in good {
        if let Err(e) = validator.validate(&instance(text)) {
            wrong.push(format!("the schema rejects at `{}`: {e}\n{text}", e.instance_path()));
        }
        let errors = errors(text, system);
        if !errors.is_empty() {
            wrong.push(format!("the checker rejects: {errors:?}\n{text}"));
        }
    }
    for (text, why) in bad {
        if validator.is_valid(&instance(text)) {
            wrong.push(format!("the schema accepts {why}:\n{text}"));
        }
        if errors(text, system).is_empty() {
            wrong.push(format!("the checker accepts {why}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A playbook with this step alone.
fn step(text: &str) -> &'static str {
    format!("playbook: A\nsteps:\n  - {text}\n").leak()
}

/// A playbook with these lines at its top and one step.
fn top(lines: &str) -> &'static str {
    format!("playbook: A\n{lines}\nsteps: [{{ note: a }}]\n").leak()
}

/// A playbook with this tree.
fn tree(text: &str) -> &'static str {
    format!("playbook: A\ntriage: {text}\n").leak()
}

#[test]
fn playbooks_that_are_accepted() {
    let good = [
        include_str!("good/everything.yaml"),
        include_str!("good/checklist.yaml"),
        include_str!("good/tree.yaml"),
        step("http: http://127.0.0.1:1/"),
        step("http: { url: \"{{ gateway }}/x\", limit: 1m30s, follow: true }"),
        step("http: { url: \"http://a/\", limit: \"{{ run.id }}\", follow: \"{{ true }}\", headers: null }"),
        step("memory:"),
        step("memory: {}"),
        step("port: 8000"),
        step("port: \"{{ 8000 }}\""),
        step("command: \"{{ ['a'] }}\""),
        step("{ note: a, timeout: \"{{ '5s' }}\", description: }").replace(", description: ", "").leak(),
        step("{ memory: , name: , tags: , when: , undo: , retry: , expect: true }").replace("undo: , ", "").leak(),
        step("{ set: { a: 1, b: [1, { c: 2 }], d: null } }"),
        step("{ wait: 1.5h }"),
        step("{ wait: { until: \"2026-02-15T14:23:45Z\" } }"),
        step("{ ask: { question: \"Which?\", type: choice, choices: [a, b] }, id: which }"),
        step("{ for_each: [1, 2], as: n, note: \"{{ n }}\", max_parallel: 2, order: reverse }"),
        step("{ file.remove: /tmp/a, confirm: { type: yes } }").replace("yes", "\"yes\"").leak(),
        step(
            "{ shell: echo, touches: [\"file:/etc/x\", \"{{ run.id }}\"], idempotent: true, retry: { attempts: 2, jitter: true } }",
        ),
        step("{ parallel: [{ note: a, id: a }, { note: b, needs: [a] }, { memory: , every: 5s }] }"),
        top("description:\nlanguage: 1\nexpected_duration: 5m\nlock: none\npermissions: [exec, write: /a, { net: \"*:80\" }]"),
        top(
            "lock: { name: a, wait: 10m }\nschedule: { every: 5m }\nenv: [HOME, PATH: plain]\nlinks: [{ title: a, url: \"http://a/\" }]",
        ),
        top("params: { a: { type: choice, choices: [x] }, b: { default: 5, type: int }, c: {} }").replace(", c: {}", "").leak(),
        tree("{ ask: \"Is it up?\", check: { port: 1 }, yes: { finding: up }, no: continue }"),
        tree("[{ ask: a, id: b, yes: [{ finding: c, severity: info, remedy: { play: other, with: { service: api } } }] }]"),
        tree("{ ask: a, choices: [x, y, z], cases: { x: { finding: a }, y: }, default: { finding: b, see: [{ memory: }] } }"),
    ];
    hold(&schema::playbook(&common::registry()), &good, &[], false);
}

#[test]
fn playbooks_that_are_rejected() {
    let bad: &[Bad] = &[
        ("steps: [{ note: a }]", "a playbook without a title"),
        ("playbook: A", "a playbook about nothing"),
        ("playbook: |\n  A\n  b\nsteps: [{ note: a }]", "a title of two lines"),
        ("playbook: A\nsteps: [{ note: a }]\nchecks: [{ memory: }]", "two contents"),
        ("playbook: A\nsteps: []", "no steps"),
        ("playbook: A\nsteps:", "steps that are nothing"),
        ("playbook: A\nsteps: { note: a }", "a step that is no list"),
        ("[a]", "a list at the top"),
        (top("descripton: a"), "an unknown key at the top"),
        (top("language: 2"), "a newer language"),
        (top("tags: a"), "a text for a list"),
        (top("severity: 2"), "a number for a text"),
        (top("description: \"  \""), "a blank text"),
        (top("on_failure: undoo"), "a word that is none of the choices"),
        (top("expected_duration: 5"), "a duration without a unit"),
        (top("expected_duration: 5m1h"), "a duration with its units in the wrong order"),
        (top("expected_duration: 5 m"), "a duration with a space"),
        (top("expected_duration: \"{{ a }}\""), "a template where none may stand"),
        (top("schedule: 5m"), "a schedule that is no map"),
        (top("schedule: {}"), "a schedule that says nothing"),
        (top("schedule: { every: 5m, cron: \"* * * * *\" }"), "two schedules"),
        (top("schedule: { every: 5m, timezone: UTC }"), "a zone beside an interval"),
        (top("lock: { wait: 5m }"), "a lock without a name"),
        (top("permissions: [exe]"), "an unknown permission"),
        (top("permissions: [net: x]"), "a permission to connect without a port"),
        (top("permissions: [wite: /a]"), "an unknown permission with a place"),
        (top("links: [{ title: a }]"), "a link that leads nowhere"),
        (top("env: [a-b]"), "no name of a variable"),
        (top("env: { A: yes }"), "a variable that is neither plain nor secret"),
        (top("params: { a: string }"), "a parameter that is no map"),
        (top("params: { a: { type: str } }"), "an unknown type"),
        (top("params: { a: { type: choice } }"), "a choice without choices"),
        (top("params: { a: { choices: x } }"), "choices that are no list"),
        (top("params: { a: { required: true, default: b } }"), "what is required and has a default"),
        (top("params: { a: { required: \"true\" } }"), "a text for a boolean"),
        (top("params: { A-b: { type: int } }"), "a name that cannot be used"),
        (top("vars: { steps: 1 }"), "a name that is the language's own"),
        (step("{}"), "an empty step"),
        (step("{ name: a }"), "a step that does nothing"),
        (step("a"), "a step that is a text"),
        (step("{ note: a, memory: }"), "two bodies"),
        (step("{ note: a, wen: true }"), "an unknown key"),
        (step("{ htp: a }"), "an unknown module"),
        (step("{ note: }"), "a body that says nothing"),
        (step("{ note: 5 }"), "a number for a text"),
        (step("{ id: Api, note: a }"), "an id that cannot be used"),
        (step("{ id: run, note: a }"), "an id that is the language's own"),
        (step("{ note: a, when: \"{{ true }}\" }"), "an expression in braces"),
        (step("{ note: a, when: [true] }"), "a list for an expression"),
        (step("{ memory: , expect: [] }"), "nothing that is expected"),
        (step("{ memory: , expect: { a: 1 } }"), "a map for expressions"),
        (step("{ memory: , timeout: soon }"), "a word for a duration"),
        (step("{ memory: , timeout: -5s }"), "a negative duration"),
        (step("{ memory: , retry: 3 }"), "a number for a retry"),
        (step("{ memory: , retry: {} }"), "a retry without an end"),
        (step("{ memory: , retry: { attempts: 0 } }"), "no attempts"),
        (step("{ memory: , retry: { attempts: 2, backoff: 0.5 } }"), "pauses that grow shorter"),
        (step("{ memory: , retry: { attempts: 2, on: [timout] } }"), "an unknown kind of failure"),
        (step("{ memory: , grade: { value: used_percent } }"), "a grade without limits"),
        (step("{ memory: , grade: { value: used_percent, by: thresholds.a, target: 5 } }"), "limits given twice"),
        (step("{ memory: , grade: { target: 5 } }"), "a grade of nothing"),
        (step("{ note: a, needs: [b] }"), "`needs` outside `parallel`"),
        (step("{ note: a, every: 5s }"), "`every` outside `parallel`"),
        (step("{ memory: , severity: warning }"), "`severity` outside a checklist"),
        (step("{ memory: , graded: false }"), "`graded` outside a checklist"),
        (step("{ note: a, rescue: [{ note: b }] }"), "`rescue` without `block`"),
        (step("{ note: a, with: { b: c } }"), "`with` without `play`"),
        (step("{ note: a, as: b }"), "`as` without a loop"),
        (step("{ note: a, order: reverse }"), "an order without a loop"),
        (step("{ for_each: , note: a }"), "a loop over nothing"),
        (step("{ for_each: [1], note: a, max_parallel: 0 }"), "nothing at the same time"),
        (step("{ for_each: [1], note: a, as: steps }"), "an item with a name of the language"),
        (step("{ memory: , confirm: true }"), "a confirmation beside a probe"),
        (step("{ note: a, confirm: true }"), "a confirmation beside a note"),
        (step("{ shell: a, confirm: each }"), "a confirmation of each without a loop"),
        (step("{ shell: a, confirm: maybe }"), "a confirmation that is none"),
        (step("{ memory: , undo: [{ note: a }] }"), "taking back a look"),
        (step("{ note: a, retry: { attempts: 2 } }"), "a retry of a note"),
        (step("{ shell: a, touches: [x] }"), "no resource"),
        (step("{ shell: a, idempotent: \"{{ true }}\" }"), "a template for what is written out"),
        (step("{ shell: a, effect: reed }"), "an unknown effect"),
        (step("{ set: a }"), "a text for variables"),
        (step("{ set: { a-b: 1 } }"), "a variable with a hyphen"),
        (step("{ ask: \"Why?\" }"), "a question that is a text"),
        (step("{ ask: { choices: [a] } }"), "a question that asks nothing"),
        (step("{ ask: { question: a, choices: b } }"), "choices that are a text"),
        (step("{ wait: 5 }"), "a wait without a unit"),
        (step("{ wait: { until: tomorrow } }"), "no time"),
        (step("{ play: { name: a } }"), "a map for a playbook's name"),
        (step("{ block: [] }"), "an empty block"),
        (step("{ block: [{ note: a, needs: [b] }] }"), "`needs` in a block"),
        (step("http: { limit: 5s }"), "a missing argument"),
        (step("http: { url: \"http://a/\", folow: true }"), "an unknown argument"),
        (step("http: { url: \"http://a/\", follow: 1 }"), "an argument of another kind"),
        (step("http: { url: \"http://a/\", limit: 5 }"), "an argument without a unit"),
        (step("http: { url: a }"), "no URL"),
        (step("http:"), "a missing main argument"),
        (step("port: 0"), "a number out of range"),
        (step("port: a"), "a text for a number"),
        (step("memory: 5"), "a value for what takes none"),
        (step("command: ls -l"), "a line of text for a list of words"),
        (step("command: []"), "an empty command"),
        (step("http.send: { url: \"http://a/\", method: PATCH }"), "an argument that is none of the words"),
        ("playbook: A\nchecks:\n  - service.stop: api\n", "a check that changes something"),
        ("playbook: A\nchecks:\n  - { memory: , severity: critcal }\n", "an unknown severity"),
        (top("requires: [{ service.start: api }]"), "a precondition that changes something"),
        (top("verify: { memory: }"), "one check for a list"),
        (tree("[]"), "an empty tree"),
        (tree("{ yes: { finding: a } }"), "a node that is neither a question nor a finding"),
        (tree("{ ask: a, finding: b }"), "a node that is both"),
        (tree("{ ask: a, yes: { finding: B c } }"), "a finding that cannot be used as a name"),
        (tree("{ ask: a, yes: contiue }"), "a branch that is no word"),
        (tree("{ ask: a, yes: { goto: } }"), "going to nothing"),
        (tree("{ ask: a, yes: { finding: b }, choices: [c] }"), "yes beside choices"),
        (tree("{ ask: a, cases: { b: { finding: c } } }"), "cases without choices"),
        (tree("{ ask: a, yes: { finding: b, remedy: { play: other, steps: [{ note: a }] } } }"), "two remedies"),
        (tree("{ ask: a, yes: { finding: b, remedy: {} } }"), "no remedy"),
        (tree("{ ask: a, yes: { finding: b, severity: bad } }"), "an unknown severity of a finding"),
        (tree("{ ask: a, yes: { finding: b, see: [{ service.stop: api }] } }"), "evidence that changes something"),
        (tree("{ ask: a, choices: [], default: { finding: b } }"), "nothing to choose from"),
        (tree("{ ask: a, auto: always, yes: { finding: b } }"), "`auto` without a check"),
    ];
    hold(&schema::playbook(&common::registry()), &[], bad, false);
}

#[test]
fn systems() {
    let good = [
        common::SYSTEM,
        "system: a\n",
        "system: a\nservices: { api: , web: { port: 80, needs: [api], enabled: \"{{ true }}\", manager: external } }\n",
        "system: a\nservice_defaults: { stop: { signal: SIGTERM, grace: 0s }, ready: { http: \"http://a/\" }, start_timeout: \"{{ '5s' }}\" }\n",
        "system: a\nprofiles: { staging: { vars: { a: 1 }, services: { api: { port: 81 } } } }\n",
        "system: a\nthresholds: { memory: { target: 70, warning: 80, unit: \"%\" }, age: { critical: 7d } }\n",
        "system: a\ncontacts: { on-call: { phone: 1 } }\nescalation: [{ contact: on-call, after: 0s, only: critical }]\n",
        "system: a\nread_commands: [[kubectl, get]]\nenv: { HOME: , TOKEN: secret }\n",
    ];
    let bad: &[Bad] = &[
        ("[a]", "a list"),
        ("description: a\n", "a system without a name"),
        ("system: a\nservces: {}\n", "an unknown key"),
        ("system: a\nservices: [a]\n", "a list of services"),
        ("system: a\nservices: { api: 8000 }\n", "a service that is a number"),
        ("system: a\nservices: { Api: {} }\n", "a service whose name cannot be used"),
        ("system: a\nservices: { api: { prot: 1 } }\n", "an unknown key of a service"),
        ("system: a\nservices: { api: { port: 99999 } }\n", "a port out of range"),
        ("system: a\nservices: { api: { ports: [a] } }\n", "a port that is a text"),
        ("system: a\nservices: { api: { manager: upstart } }\n", "an unknown manager"),
        ("system: a\nservices: { api: { enabled: 1 } }\n", "a number for a boolean"),
        ("system: a\nservices: { api: { start_timeout: 5 } }\n", "a duration without a unit"),
        ("system: a\nservices: { api: { stop: { signal: TREM } } }\n", "an unknown signal"),
        ("system: a\nservices: { api: { stop: { signal: 15 } } }\n", "a signal by its number"),
        ("system: a\nservices: { api: { stop: { grace: soon } } }\n", "a word for a duration"),
        ("system: a\nservices: { api: { ready: { service.start: api } } }\n", "a check that changes something"),
        ("system: a\nservices: { api: { needs: db } }\n", "a text for a list"),
        ("system: a\nthresholds: { a: 5 }\n", "a threshold that is a number"),
        ("system: a\nthresholds: { a: { warn: 5 } }\n", "an unknown limit"),
        ("system: a\nescalation: [{ after: 5m }]\n", "an escalation to nobody"),
        ("system: a\nescalation: [{ contact: a, after: soon }]\ncontacts: { a: b }\n", "a word for a duration"),
        ("system: a\nread_commands: [kubectl get]\n", "a text for words"),
        ("system: a\nread_commands: [[]]\n", "an empty prefix"),
        ("system: a\nprofiles: { a: { system: b } }\n", "a profile that changes the name"),
        ("system: a\nprofiles: { a: b }\n", "a profile that is a text"),
        ("system: a\nprofiles: { a: { vras: {} } }\n", "an unknown key of a profile"),
        ("system: a\ncontacts: [a]\n", "a list of contacts"),
        ("system: a\nvars: { item-1: 2 }\n", "a variable with a hyphen"),
        ("system: a\nlanguage: one\n", "a version that is a word"),
    ];
    hold(&schema::system(&common::registry()), &good, bad, true);
}

/// The errors that are found in a test file of the test project.
fn test_errors(text: &str) -> Vec<String> {
    let files: Vec<(String, Vec<u8>)> = vec![
        ("playbooks/demo/other.yaml".into(), common::OTHER.into()),
        ("playbooks/demo/system.yaml".into(), common::SYSTEM.into()),
        ("playbooks/demo/tests/a.test.yaml".into(), text.into()),
    ];
    let suite = runbook_lang::load_tests(&MemoryLoader::new(files), &[], &common::registry());
    suite.diagnostics.iter().filter(|d| d.severity == Severity::Error).map(|d| format!("{} {}", d.code, d.message)).collect()
}

#[test]
fn tests_of_playbooks() {
    let validator = validator(&schema::test(&common::registry()));
    let one = |lines: &str| -> String { format!("test: A\nplay: other\nwith: {{ service: api }}\n{lines}\n") };
    let rule = |rule: &str| one(&format!("world: [{{ {rule} }}]"));
    let mut wrong = Vec::new();
    for text in [
        one(""),
        "play: other\nwith: { service: api }\ntests:\n  - test: A\n  - { test: B, with: { service: db }, now: 2026-03-01T00:00:00Z }\n".into(),
        one("now: 2026-03-01T00:00:00Z\nprofile: staging\nenv: { DEMO_TOKEN: 5 }\ninterrupt: 5s"),
        one("interrupt: { after: 5s, by: terminate }\nrecorded:\nworld: []"),
        one("recorded: { outcome: succeeded, path: [look ok], calls: [] }"),
        rule("module: http, with: \"http://a/\", returns: { status: 200, error: gone }, takes: 3s, changed: false"),
        rule("module: http, with: { url: { contains: healthz } }, returns: "),
        rule("step: look, sequence: [{ error: refused }, { times_out: true, takes: 5s }, { returns: { status: 200 } }]"),
        rule("module: http, unknown: no permission"),
        one("expect: { outcome: failed, exit: 4, message: [a, { matches: b }], duration: \"<= 30s\", that: run.id == 'a' }"),
        one("expect: { path: [look, { look: failed }], steps: { look: ok }, calls: [http, { module: http, step: look }] }"),
        one("expect: { ran: [], asked: [], notes: { includes: [{ contains: a }], excludes: [b] }, outputs: { status: 200 } }"),
        one("expect: { steps: { look: { status: 200, json: { a: { starts_with: [1] } } } }, skipped: [] }"),
    ] {
        if let Err(e) = validator.validate(&instance(&text)) {
            wrong.push(format!("the schema rejects at `{}`: {e}\n{text}", e.instance_path()));
        }
        let errors = test_errors(&text);
        if !errors.is_empty() {
            wrong.push(format!("the checker rejects: {errors:?}\n{text}"));
        }
    }
    for (text, why) in [
        ("[a]".into(), "a list"),
        ("play: other\nwith: { service: api }\n".into(), "a test without a name"),
        ("test: A\nwith: { service: api }\n".into(), "a test of nothing"),
        ("test: |\n  A\n  b\nplay: other\nwith: { service: api }\n".into(), "a name of two lines"),
        ("play: other\ntests: []\n".into(), "no tests"),
        ("play: other\ntests: { test: A }\n".into(), "tests that are no list"),
        (
            "play: other\nwith: { service: api }\ntests: [{ test: A }]\nexpect: { exit: 4 }\n".into(),
            "an expectation that is shared",
        ),
        (one("given: { a: 1 }"), "an unknown key"),
        (one("now: tomorrow"), "no time"),
        (one("interrupt: 5"), "a number for a duration"),
        (one("interrupt: { by: terminate }"), "an interruption without a time"),
        (one("interrupt: { after: 5s, by: fire }"), "an unknown reason"),
        (one("env: { DEMO_TOKEN: [a] }"), "a list for a text"),
        (one("world: { module: http, returns: {} }"), "a rule that is no list"),
        (one("answers: [a]"), "answers that are no map"),
        (rule("module: htp, returns: {}"), "an unknown module"),
        (rule("returns: {}"), "a rule about nothing"),
        (rule("module: http"), "a rule that says nothing"),
        (rule("module: http, returns: {}, error: a"), "two answers"),
        (rule("module: http, sequence: []"), "an empty sequence"),
        (rule("module: http, sequence: [{ takes: 5s }]"), "a turn that says nothing"),
        (rule("module: http, sequence: [{ error: a }], takes: 5s"), "a time beside a sequence"),
        (rule("module: http, error: a, changed: true"), "a failure that changed something"),
        (rule("module: http, times_out: false"), "what does not time out"),
        (rule("module: http, error: 5"), "a number for a text"),
        (rule("module: http, returns: {}, takes: soon"), "a word for a duration"),
        (rule("module: http, returns: {}, delay: 5s"), "an unknown key of a rule"),
        (one("expect: { outcome: fine }"), "an unknown outcome"),
        (one("expect: { exit: 256 }"), "an exit code that there is not"),
        (one("expect: { steps: { look: [good] } }"), "a list for an outcome"),
        (one("expect: { path: look }"), "a text for a list"),
        (one("expect: { ran: { module: http } }"), "a call for a list"),
        (one("expect: { calls: [{ step: look }] }"), "a call of nothing"),
        (one("expect: { duration: soon }"), "a word for a duration"),
        (one("expect: { checks: { memory: good } }"), "an unknown grade"),
        (one("expect: { finding: a, findings: [a] }"), "findings said twice"),
        (one("expect: { that: \"{{ true }}\" }"), "an expression in braces"),
        (one("expect: { status: 200 }"), "an unknown key of what is expected"),
    ] {
        if validator.is_valid(&instance(&text)) {
            wrong.push(format!("the schema accepts {why}:\n{text}"));
        }
        if test_errors(&text).is_empty() {
            wrong.push(format!("the checker accepts {why}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything in a schema that is a schema, with its place.
fn walk<'a>(schema: &'a Json, at: &str, visit: &mut dyn FnMut(&str, &'a serde_json::Map<String, Json>)) {
    let Json::Object(map) = schema else { return };
    visit(at, map);
    for (key, value) in map {
        match (key.as_str(), value) {
            ("properties" | "definitions" | "dependencies", Json::Object(entries)) => {
                entries.iter().for_each(|(name, s)| walk(s, &format!("{at}/{key}/{name}"), visit));
            }
            ("items" | "additionalProperties" | "propertyNames" | "not" | "if" | "then", _) => {
                walk(value, &format!("{at}/{key}"), visit)
            }
            ("anyOf" | "oneOf" | "allOf", Json::Array(forms)) => {
                forms.iter().enumerate().for_each(|(i, s)| walk(s, &format!("{at}/{key}/{i}"), visit));
            }
            _ => {}
        }
    }
}

#[test]
fn every_key_is_explained_and_every_map_of_keys_is_closed() {
    let registry = common::registry();
    for (schema, least) in [
        (schema::playbook(&registry), 300),
        (schema::system(&registry), 200),
        (schema::test(&registry), 60),
        (schema::answers(), 6),
    ] {
        let mut keys = 0;
        let definitions = schema["definitions"].as_object().expect("definitions");
        let mut used: Vec<&str> = Vec::new();
        walk(&schema, "", &mut |at, map| {
            if let Some(target) = map.get("$ref").and_then(Json::as_str) {
                assert_eq!(map.len(), 1, "{at}: draft-07 ignores what stands beside a reference");
                let name = target.strip_prefix("#/definitions/").expect("a definition");
                assert!(definitions.contains_key(name), "{at}: {target}");
                used.push(name);
            }
            // Rules name keys that are explained where they are declared; they say nothing of types.
            if map.get("type") != Some(&Json::from("object")) {
                return;
            }
            // A choice marks forms without keys of their own by no properties at all.
            let properties = map.get("properties").and_then(Json::as_object).filter(|p| !p.is_empty());
            let Some(properties) = properties else { return };
            assert_eq!(map.get("additionalProperties"), Some(&Json::Bool(false)), "{at} is open");
            for (name, property) in properties {
                let target = property["$ref"].as_str().and_then(|t| t.strip_prefix("#/definitions/"));
                let said = target.map_or(property, |t| &definitions[t]);
                assert!(said["description"].as_str().is_some_and(|d| !d.trim().is_empty()), "{at}: `{name}` is not explained");
                keys += 1;
            }
        });
        assert!(keys >= least, "only {keys} keys");
        for name in definitions.keys() {
            assert!(used.contains(&name.as_str()), "the definition `{name}` is used by nothing");
        }
    }
}

#[test]
fn an_editor_can_tell_the_forms_of_a_choice_apart() {
    let registry = common::registry();
    for schema in [schema::playbook(&registry), schema::system(&registry), schema::test(&registry), schema::answers()] {
        let mut choices = 0;
        walk(&schema, "", &mut |at, map| {
            // Forms of rules have no type; they are no forms of a value.
            let forms = map.get("anyOf").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object);
            let values: Vec<_> = forms.filter(|f| f.contains_key("type") || f.contains_key("enum")).collect();
            let marks = ["title", "description", "properties"];
            let alike = values.iter().filter(|f| !marks.iter().any(|mark| f.contains_key(*mark))).count();
            assert!(alike <= 1, "{at}: {alike} forms look alike");
            choices += usize::from(values.len() > 1);
        });
        assert!(choices > 0, "no choices");
    }
}

#[test]
fn what_a_key_means_is_not_hidden_by_what_stands_under_it() {
    let registry = common::registry();
    for schema in [schema::playbook(&registry), schema::system(&registry), schema::test(&registry), schema::answers()] {
        for (name, definition) in schema["definitions"].as_object().expect("definitions") {
            if name.starts_with("module-") {
                assert_eq!(format!("module-{}", definition["title"].as_str().expect("a title")), *name);
            } else {
                assert!(
                    definition["description"].is_null(),
                    "an editor shows what `{name}` says in place of what the key above says"
                );
            }
        }
    }
    let title = |schema: &Json, name: &str| schema["definitions"][name]["title"].as_str().map(str::to_owned);
    let playbook = schema::playbook(&registry);
    assert_eq!(title(&playbook, "step").as_deref(), Some("step"));
    assert_eq!(title(&playbook, "row").as_deref(), Some("item of a checklist"));
    assert_eq!(title(&playbook, "retry").as_deref(), Some("retry"));
    assert_eq!(title(&schema::system(&registry), "escalation-step").as_deref(), Some("escalation step"));
}

#[test]
fn of_a_missing_body_an_editor_says_that_one_is_missing() {
    let schema = schema::playbook(&common::registry());
    for (place, starts) in
        [("step", "A step needs a body"), ("check", "A check needs a body"), ("row", "An item of a checklist needs")]
    {
        let forms = schema["definitions"][place]["oneOf"].as_array().expect("forms");
        // The first form is the one whose complaint is shown, and no step fits it.
        assert_eq!(forms[0]["type"], "string");
        assert!(forms[0]["errorMessage"].as_str().is_some_and(|m| m.starts_with(starts)), "{place}: {}", forms[0]);
        assert!(forms.len() > 10 && forms[1..].iter().all(|f| f["required"].is_array()));
    }
    assert_eq!(schema["definitions"]["retry"]["anyOf"][0]["errorMessage"], "`attempts` or `for` is needed.");
}

#[test]
fn every_module_is_a_key_of_a_step_with_its_arguments() {
    let registry = common::registry();
    let schema = schema::playbook(&registry);
    for entry in registry.iter() {
        let name = &*entry.name;
        assert_eq!(schema["definitions"]["step"]["properties"][name]["$ref"], format!("#/definitions/module-{name}"));
        let forms = schema["definitions"][format!("module-{name}")]["anyOf"].as_array().expect("forms");
        let map = forms.iter().find(|f| f["type"] == "object").expect("a map of arguments");
        for argument in entry.args_schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(map["properties"][argument]["description"].is_string(), "{argument} of {name}");
        }
    }
    let probes = |place: &str| schema["definitions"][place]["properties"].as_object().expect("properties").clone();
    assert!(probes("check").contains_key("http") && probes("check").contains_key("command"));
    assert!(!probes("check").contains_key("service.start"), "a check offers nothing that changes");
    assert!(probes("step-in-parallel").contains_key("needs") && !probes("step").contains_key("needs"));
    assert!(probes("row").contains_key("severity") && !probes("check").contains_key("severity"));
}

#[test]
fn what_an_editor_inserts_is_accepted() {
    let schema = schema::playbook(&common::registry());
    let validator = validator(&schema);
    let filled = |text: String| regex::Regex::new(r"\$\{\d+:([^}]*)\}").expect("a pattern").replace_all(&text, "$1").into_owned();
    let mut count = 0;
    for (place, key) in [("step", "steps"), ("check", "requires"), ("row", "checks"), ("node", "triage")] {
        for snippet in schema["definitions"][place]["defaultSnippets"].as_array().expect("snippets") {
            let body: Json = serde_json::from_str(&filled(snippet["body"].to_string())).expect("JSON");
            // An editor writes the texts of a body as they are, so that quotes in them are YAML's.
            let text = filled(snippet["body"].to_string())
                .replace("\"\\\"", "\"")
                .replace("\\\"\"", "\"")
                .replace("\"[1, 2]\"", "[1, 2]");
            let rest = if key == "requires" { "\nsteps: [{ note: a }]" } else { "" };
            let list = if key == "triage" { format!("{{ ask: Why?, no: {text} }}") } else { format!("[{text}]") };
            let playbook = format!("playbook: A\n{key}: {list}{rest}\n");
            let read = instance(&playbook);
            assert!(validator.is_valid(&read), "{}: {playbook}", snippet["label"]);
            let errors: Vec<String> = errors(&playbook, false).into_iter().filter(|e| !e.starts_with("E0405")).collect();
            assert!(errors.is_empty(), "{}: {errors:?}\n{playbook}", snippet["label"]);
            assert!(body.is_object() && snippet["description"].is_string());
            count += 1;
        }
    }
    assert!(count >= 15);
}
