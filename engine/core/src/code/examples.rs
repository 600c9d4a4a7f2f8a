//! What each code looks like in a playbook: written wrong, and put right.
//!
//! The wrong piece leads to this code and to no other, and about the right one nothing is said. A test checks each pair.

use super::Code;

/// A piece of a playbook, wrong and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeExample {
    /// What leads to the code.
    pub wrong: &'static str,
    /// The same, put right.
    pub right: &'static str,
}

macro_rules! examples {
    ($($name:ident: $wrong:literal => $right:literal;)*) => {
        /// The examples, in the order of the codes.
        const EXAMPLES: &[(Code, CodeExample)] = &[$((Code::$name, CodeExample { wrong: $wrong, right: $right })),*];
    };
}

impl Code {
    /// What it looks like in a playbook, for codes that a piece of one can show.
    ///
    /// A piece that begins with `- ` is a list of steps, one that begins with `test:` is a test; any other lies at the top of a playbook.
    pub fn example(self) -> Option<CodeExample> {
        EXAMPLES.iter().find(|(code, _)| *code == self).map(|(_, example)| *example)
    }
}

examples! {
    YamlSyntax: "- note: \"hello" => "- note: \"hello\"";
    DuplicateKey: "- http: http://127.0.0.1/\n  timeout: 5s\n  timeout: 9s" => "- http: http://127.0.0.1/\n  timeout: 9s";
    YamlFeature: "- note: {{ gateway }}" => "- note: \"{{ gateway }}\"";
    UnknownKey: "- http: http://127.0.0.1/\n  timout: 5s" => "- http: http://127.0.0.1/\n  timeout: 5s";
    MissingKey: "params:\n  day: { type: choice, ask: Which day? }\nsteps:\n  - note: \"{{ params.day }}\"" => "params:\n  day: { type: choice, ask: Which day?, choices: [mon, tue] }\nsteps:\n  - note: \"{{ params.day }}\"";
    WrongType: "- note: [hello, you]" => "- note: hello you";
    NotAllowedHere: "- note: hello\n  retry: { attempts: 3 }" => "- http: http://127.0.0.1/\n  retry: { attempts: 3 }";
    NoBody: "- name: Look at the disk" => "- name: Look at the disk\n  disk: /";
    TwoBodies: "- note: hello\n  http: http://127.0.0.1/" => "- note: hello\n- http: http://127.0.0.1/";
    UnknownModule: "- htpp: http://127.0.0.1/" => "- http: http://127.0.0.1/";
    BadArgument: "- http: { url: http://127.0.0.1/, metod: GET }" => "- http: { url: http://127.0.0.1/, headers: { Accept: text/plain } }";
    BadName: "- id: Look here\n  disk: /" => "- id: look-here\n  disk: /";
    DuplicateId: "- { id: room, disk: / }\n- { id: room, disk: /var }" => "- { id: room, disk: / }\n- { id: room-var, disk: /var }";
    NotACheck: "requires:\n  - service.start: api\nsteps:\n  - note: ready" => "requires:\n  - service: api\nsteps:\n  - note: ready";
    WrongLanguage: "language: 9\nsteps:\n  - note: hello" => "language: 1\nsteps:\n  - note: hello";
    OneOf: "steps:\n  - note: hello\nchecks:\n  - disk: /" => "checks:\n  - disk: /";
    Conflict: "schedule: { every: 5m, cron: \"* * * * *\" }" => "schedule: { every: 5m }";
    RetryRepeats: "- command: [pay, \"100\"]\n  retry: { attempts: 3 }" => "- command: [pay, \"100\"]\n  idempotent: true\n  retry: { attempts: 3 }";
    UnreachableNode: "triage:\n  - ask: Is it up?\n    yes: { goto: slow }\n    no: { goto: slow }\n    unknown: { goto: slow }\n  - finding: lost\n  - id: slow\n    finding: slow" => "triage:\n  - ask: Is it up?\n    yes: { goto: slow }\n    no: continue\n  - finding: lost\n  - id: slow\n    finding: slow";
    DeadEnd: "triage:\n  - ask: Is it up?\n  - finding: unclear" => "triage:\n  - ask: Is it up?\n    yes: { finding: up }\n  - finding: unclear";
    NoExit: "triage:\n  - id: a\n    ask: Is it a?\n    yes: { goto: b }\n    no: { goto: b }\n  - id: b\n    ask: Is it b?\n    yes: { goto: a }\n    no: { goto: a }" => "triage:\n  - id: a\n    ask: Is it a?\n    yes: { goto: b }\n    no: { goto: b }\n  - id: b\n    ask: Is it b?\n    yes: { finding: found }\n    no: { goto: a }";
    CasesMissing: "triage:\n  - ask: How does it answer?\n    choices: [slowly, wrongly]\n    cases:\n      slowly: { finding: slow }" => "triage:\n  - ask: How does it answer?\n    choices: [slowly, wrongly]\n    cases:\n      slowly: { finding: slow }\n      wrongly: { finding: wrong }";
    SecretDefault: "params:\n  token: { type: secret, default: Xk29vQ7m }\nsteps:\n  - command: { argv: [login], env: { TOKEN: \"{{ params.token }}\" } }" => "params:\n  token: { type: secret }\nsteps:\n  - command: { argv: [login], env: { TOKEN: \"{{ params.token }}\" } }";
    BadDuration: "- wait: 5 minuts" => "- wait: 5m";
    BadSize: "- note: \"{{ '10 gigs' | size }}\"" => "- note: \"{{ '10GB' | size }}\"";
    BadTime: "- note: \"{{ '2026-02-31T00:00:00Z' | time }}\"" => "- note: \"{{ '2026-02-28T00:00:00Z' | time }}\"";
    BadRegex: "- when: \"gateway is matching('a(')\"\n  note: hello" => "- when: \"gateway is matching('a[(]')\"\n  note: hello";
    BadJsonPath: "- config: { path: a.json, query: \".services[].port\" }" => "- config: { path: a.json, query: \"$.services[*].port\" }";
    BadUrl: "- http: 127.0.0.1:8080/healthz" => "- http: http://127.0.0.1:8080/healthz";
    OutOfRange: "- http: http://127.0.0.1/\n  retry: { attempts: 0 }" => "- http: http://127.0.0.1/\n  retry: { attempts: 3 }";
    BadChoice: "on_failure: undoo" => "on_failure: undo";
    BadSchedule: "schedule: { cron: \"61 * * * *\" }" => "schedule: { cron: \"59 * * * *\" }";
    UndefinedName: "- note: \"{{ gatway }}\"" => "- note: \"{{ gateway }}\"";
    UnknownStep: "- { id: room, disk: / }\n- note: \"{{ steps.rom.free }}\"" => "- { id: room, disk: / }\n- note: \"{{ steps.room.free }}\"";
    NotRunYet: "- note: \"{{ steps.room.free }}\"\n- { id: room, disk: / }" => "- { id: room, disk: / }\n- note: \"{{ steps.room.free }}\"";
    Cycle: "- parallel:\n    - { id: a, needs: [b], disk: / }\n    - { id: b, needs: [a], disk: /var }" => "- parallel:\n    - { id: a, disk: / }\n    - { id: b, needs: [a], disk: /var }";
    UnknownPlaybook: "- play: othr\n  with: { service: api }" => "- play: other\n  with: { service: api }";
    UnknownService: "- service.start: apj" => "- service.start: api";
    UnknownNode: "triage:\n  - id: up\n    ask: Is it up?\n    yes: { goto: hwo }\n    no: { finding: down }\n  - id: how\n    finding: slow" => "triage:\n  - id: up\n    ask: Is it up?\n    yes: { goto: how }\n    no: { finding: down }\n  - id: how\n    finding: slow";
    UnknownFinding: "triage:\n  - ask: Is it up?\n    yes: { finding: healthy }\nalways:\n  - when: \"'helthy' in findings\"\n    note: It is." => "triage:\n  - ask: Is it up?\n    yes: { finding: healthy }\nalways:\n  - when: \"'healthy' in findings\"\n    note: It is.";
    ExpressionSyntax: "- http: http://127.0.0.1/\n  expect: status = 200" => "- http: http://127.0.0.1/\n  expect: status == 200";
    UnknownFunction: "- note: \"{{ gateway | uper }}\"" => "- note: \"{{ gateway | upper }}\"";
    TemplateSyntax: "- note: \"{{ gateway }\"" => "- note: \"{{ gateway }}\"";
    ShellQuoting: "- shell: \"echo '{{ gateway }}'\"" => "- shell: \"echo {{ gateway }}\"";
    KindMismatch: "- http: http://127.0.0.1/\n  expect: status == '200'" => "- http: http://127.0.0.1/\n  expect: status == 200";
    UnknownParam: "- play: other\n  with: { service: api, cuont: 2 }" => "- play: other\n  with: { service: api, count: 2 }";
    MissingParam: "- play: other" => "- play: other\n  with: { service: api }";
    BadParam: "- play: other\n  with: { service: api, count: many }" => "- play: other\n  with: { service: api, count: 2 }";
    UnknownAnswer: "test: it asks\nplay: ask\nanswers: { shure: yes }" => "test: it asks\nplay: ask\nanswers: { sure: yes }";
    NotInResult: "test: it is up\nplay: look\nworld:\n  - { module: http, returns: { stauts: 200 } }" => "test: it is up\nplay: look\nworld:\n  - { module: http, returns: { status: 200 } }";
    RuleAnswersNothing: "test: it is up\nplay: look\nworld:\n  - { module: http }" => "test: it is up\nplay: look\nworld:\n  - { module: http, error: connection refused }";
    UnquotedShell: "- shell: \"ls {{ gateway | unquoted }}\"" => "- shell: \"ls {{ gateway }}\"";
    AlwaysTrue: "- when: \"gateway == 'a' or 'b'\"\n  note: hello" => "- when: \"gateway in ['a', 'b']\"\n  note: hello";
    RetryNotIdempotent: "- play: other\n  with: { service: api }\n  retry: { attempts: 3 }" => "- play: other\n  with: { service: api }\n  idempotent: true\n  retry: { attempts: 3 }";
    AmbiguousScalar: "vars: { answer: no }\nsteps:\n  - note: \"{{ answer }}\"" => "vars: { answer: \"no\" }\nsteps:\n  - note: \"{{ answer }}\"";
    Unused: "vars: { port: 7000 }\nsteps:\n  - note: hello" => "vars: { port: 7000 }\nsteps:\n  - note: \"It is {{ port }}.\"";
    MayNotRun: "- id: room\n  when: gateway is matching('local')\n  disk: /\n- note: \"{{ steps.room.free }} are free\"" => "- id: room\n  when: gateway is matching('local')\n  disk: /\n- when: steps.room.outcome == 'ok'\n  note: \"{{ steps.room.free }} are free\"";
    Unreachable: "- stop: enough\n- note: hello" => "- note: hello\n- stop: enough";
    SecretExposed: "env: [TOKEN]\nsteps:\n  - command: [login, \"{{ env.TOKEN }}\"]" => "env: [TOKEN]\nsteps:\n  - command: { argv: [login], env: { TOKEN: \"{{ env.TOKEN }}\" } }";
    SecretInText: "env: [TOKEN]\nsteps:\n  - note: \"It is {{ env.TOKEN }}\"" => "env: [TOKEN]\nsteps:\n  - note: \"{{ 'It is set' if env.TOKEN else 'It is missing' }}\"";
    SecretInClear: "vars: { db_password: Xk29vQ7m }\nsteps:\n  - command: { argv: [login], env: { PASSWORD: \"{{ db_password }}\" } }" => "env: [DB_PASSWORD]\nsteps:\n  - command: { argv: [login], env: { PASSWORD: \"{{ env.DB_PASSWORD }}\" } }";
    Shadowed: "vars: { port: 7000 }\nsteps:\n  - for_each: [80, 443]\n    as: port\n    port: \"{{ port }}\"\n  - port: \"{{ port }}\"" => "vars: { port: 7000 }\nsteps:\n  - for_each: [80, 443]\n    as: public\n    port: \"{{ public }}\"\n  - port: \"{{ port }}\"";
    LookAlike: "- http: http://\u{430}pple.com/" => "- http: http://apple.com/";
}
