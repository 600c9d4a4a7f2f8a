//! Other tools' words, with the word that is meant here.

/// Where a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In a step.
    Step,
    /// At the top of a playbook.
    Playbook,
    /// Under `retry`.
    Retry,
    /// In a service's entry.
    Service,
    /// In a node of a triage tree.
    Node,
    /// In a test.
    Test,
    /// In a rule of a test's world.
    Rule,
    /// Under `expect` of a test.
    Expect,
}

/// A word of another tool.
#[derive(Debug)]
pub struct Alias {
    /// Where it is written.
    pub at: Where,
    /// The word.
    pub word: &'static str,
    /// What to write here, as a whole help line.
    pub help: &'static str,
}

/// What is meant by another tool's word.
pub fn find(at: Where, word: &str) -> Option<&'static Alias> {
    let word = word.strip_prefix("ansible.builtin.").unwrap_or(word);
    ALIASES.iter().find(|a| a.at == at && a.word == word)
}

macro_rules! aliases {
    ($( $at:ident { $( $( $word:literal )|+ => $help:literal; )* } )*) => {
        pub(super) const ALIASES: &[Alias] = &[ $( $( $( Alias { at: Where::$at, word: $word, help: $help }, )+ )* )* ];
    };
}

aliases! {
    Step {
        "cmd" | "run" | "exec" | "argv" | "win_command" | "executable" => "here it is `command:` (an argument vector) or `shell:` (text)";
        "script" | "bash" | "sh" | "raw" | "win_shell" | "powershell" => "here it is `shell:`";
        "if" | "only_if" | "condition" | "unless" | "precondition" | "preconditions" => "here it is `when:`, with a bare expression";
        "loop" | "with_items" | "with_list" | "with_dict" | "foreach" | "forEach" | "items" | "each" | "matrix" | "strategy" => "here it is `for_each:`, and the item is `item`";
        "loop_control" | "loop_var" => "here it is `as:`, the name of the item";
        "register" | "output" | "outputs" => "here it is `id:`; the result is then `steps.<id>`";
        "depends" | "depends_on" | "dependencies" | "after" | "requires" => "here it is `needs:`, inside a `parallel`";
        "become" | "become_user" | "sudo" => "the user is given to the module: `command: {argv: [...], user: NAME}`";
        "hosts" | "delegate_to" | "runs-on" | "host" => "here it is `on:`, the host of a step";
        "uses" | "include" | "include_tasks" | "import_tasks" | "import_playbook" | "include_role" | "import_role" | "roles" | "call" | "playbook" => "here it is `play: NAME`, with its parameters under `with:`";
        "until" => "here it is `retry:` with `expect:`: the step is repeated until what it expects holds";
        "retries" | "attempts" | "max_attempts" => "here it is `retry: { attempts: N }`";
        "delay" | "retry_delay" | "interval" => "here it is `retry: { every: 5s }`; to sleep, `wait: 5s`";
        "sleep" | "pause" | "wait_for" => "here it is `wait: 10s`; to wait for something, a check with `retry: { for: 30s }`";
        "ignore_errors" | "continue-on-error" | "continueOnError" | "allow_failure" | "continue_on" | "ignore_unreachable" => "here it is `continue_on_error: true`";
        "notify" | "handlers" => "there are no handlers: write the step where it belongs, with `when: steps.<id>.changed`";
        "timeout-minutes" | "timeout_minutes" | "timeoutSeconds" | "timeout_sec" | "async" => "here it is `timeout: 5m`, with a unit";
        "msg" | "message" | "debug" | "echo" | "print" | "log_message" => "here it is `note:`";
        "fail_when" | "failed_when" | "assert" | "that" | "expected" | "expectations" | "should" => "here it is `expect:`, which says what must hold";
        "changed_when" => "here it is `effect: read` for a command that only looks";
        "finally" | "ensure" | "post" => "here it is `always:`, beside `block:`";
        "on_error" | "on_fail" | "on-failure" | "catch" | "except" | "onFailure" | "handlerOn" => "here it is `rescue:`, beside `block:`";
        "tasks" | "group" | "sequence" | "jobs" => "here it is `block:`, a list of steps";
        "steps" | "actions" => "inside a step, a list of steps is `block:`";
        "concurrent" | "fork" | "async_steps" => "here it is `parallel:`, a list of steps";
        "vars" | "variables" | "set_fact" | "let" => "here it is `set:`, a step of its own";
        "env" | "environment" => "the environment is given to the module: `command: {argv: [...], env: {...}}`";
        "cwd" | "dir" | "chdir" | "workingDir" | "working-directory" | "working_dir" => "the folder is given to the module: `command: {argv: [...], cwd: PATH}`";
        "title" | "description" | "label" => "here it is `name:`";
        "prompt" | "question" | "input" => "here it is `ask: { question: ... }`";
        "approve" | "approval" | "confirmation" => "here it is `confirm:`, or `ask:` for a question";
        "rollback" | "revert" | "compensate" => "here it is `undo:`, a list of steps";
        "throttle" | "max-parallel" | "concurrency" | "serial" | "forks" => "here it is `max_parallel:`, beside `for_each:`";
        "no_log" | "secret" | "mask" => "here it is `sensitive: true`";
        "exit" | "abort" | "error" | "die" => "here it is `fail: TEXT`, or `stop: TEXT` to end as succeeded";
        "end" | "return" | "break" => "here it is `stop: TEXT`";
        "check" | "verify_with" | "probe" => "a check is a step with a probe as its body, such as `http:` or `port:`";
        "creates" | "removes" => "here it is a check before the step and `when:`";
        "url" | "get" | "curl" | "uri" | "wget" | "http_get" => "here it is `http:`, the probe for a URL";
        "on_success" => "here it is the next step: steps run only while all before them succeeded";
        "repeat" | "repeatPolicy" | "retryPolicy" | "retry_policy" => "here it is `retry: { attempts: N, every: 5s }`";
    }
    Playbook {
        "title" | "name" | "runbook" | "id" => "here it is `playbook:`, one line that says what this does";
        "version" | "apiVersion" | "schema" => "here it is `language: 1`, and it may be left out";
        "inputs" | "parameters" | "args" | "arguments" | "vars_prompt" | "input" => "here it is `params:`";
        "variables" | "vars_files" | "set" | "defaults" | "locals" => "here it is `vars:`; what several playbooks share belongs to `system.yaml`";
        "preconditions" | "prerequisites" | "prechecks" | "assumptions" | "pre_tasks" | "before" => "here it is `requires:`, a list of checks";
        "postconditions" | "postchecks" | "assertions" | "expect" => "here it is `verify:`, a list of checks";
        "post_tasks" | "finally" | "cleanup" | "after" => "here it is `always:`, a list of steps";
        "on_error" | "handlers" | "handlerOn" | "catch" => "here it is `rescue:`, a list of steps";
        "rollback" | "undo" => "here it is `on_failure: undo`, with `undo:` at each step";
        "tasks" | "jobs" | "workflow" | "procedure" | "actions" | "stages" | "plan" | "roles" => "here it is `steps:`";
        "tree" | "diagnosis" | "diagnose" | "decision_tree" | "questions" => "here it is `triage:`";
        "checklist" | "checklists" | "audit" => "here it is `checks:`";
        "hosts" | "host" | "runs-on" | "target" | "targets" => "here it is `on:`, the default host; hosts are listed in `system.yaml`";
        "become" | "become_user" | "sudo" | "gather_facts" | "connection" | "remote_user" | "strategy" => "there is no such thing here: a playbook says what each step does, and the user is given to the module";
        "environment" | "secrets" => "here it is `env:`, a list of the variables it uses";
        "cron" | "triggers" | "trigger" | "when" => "here it is `schedule: { cron: \"...\" }`";
        "timeout" | "timeoutSec" | "maxDuration" => "a step has `timeout:`; a playbook has `expected_duration:`";
        "desc" | "doc" | "docs" | "summary" => "here it is `description:`";
        "labels" | "category" | "categories" => "here it is `tags:`";
        "result" | "results" | "returns" | "output" => "here it is `outputs:`";
        "include" | "import" | "import_playbook" | "includes" | "extends" => "there is no inclusion: a step says `play: NAME`";
        "mutex" | "concurrency" | "locks" => "here it is `lock:`";
        "services" | "service_defaults" | "thresholds" | "contacts" | "escalation" | "profiles" | "read_commands" => "it belongs to the system: write it in `system.yaml`";
    }
    Retry {
        "count" | "times" | "max" | "limit" | "retries" | "max_attempts" => "here it is `attempts:`";
        "delay" | "interval" | "wait" | "pause" | "intervalSec" | "initial_delay" => "here it is `every:`";
        "until" | "expect" => "what success is, `expect:` of the step says";
        "timeout" | "max_time" | "duration" | "deadline" => "here it is `for:`; `timeout:` of the step is for one attempt";
        "multiplier" | "factor" | "exponential" => "here it is `backoff:`";
        "max_interval" | "max_wait" | "cap" => "here it is `max_delay:`";
    }
    Service {
        "depends_on" | "depends" | "requires" | "after" => "here it is `needs:`";
        "cmd" | "run" | "exec" | "start" | "argv" => "here it is `command:`, an argument vector";
        "dir" | "working_dir" | "working_directory" | "root" => "here it is `cwd:`";
        "environment" => "here it is `env:`";
        "pidfile" | "pid" => "here it is `pid_file:`";
        "health" | "healthcheck" | "health_check" | "probe" | "check" => "here it is `ready:`, a check, and `health_url:` for its URL";
        "listen" | "bind" => "here it is `port:`, a number";
        "log" | "logs" | "log_file" | "logfile" => "here it is `stdout:` and `stderr:`";
        "variables" => "here it is `vars:`";
        "disabled" => "here it is `enabled: false`";
    }
    Node {
        "question" | "prompt" | "q" | "title" | "name" | "label" => "here it is `ask:`, the question";
        "test" | "probe" | "command" | "cmd" | "script" | "run" | "condition" | "expr" | "checks" => "here it is `check:`, a check such as `{ port: 8000 }`";
        "if" | "only_if" => "here it is `when:`, with a bare expression";
        "true" | "then" | "on_yes" | "if_yes" | "success" | "pass" | "passed" => "here it is `yes:`";
        "false" | "on_no" | "if_no" | "failure" | "fail" | "failed" => "here it is `no:`";
        "skip" | "dont_know" | "maybe" | "unsure" => "here it is `unknown:`";
        "next" | "then_goto" | "jump" | "go" | "target" | "end" => "an answer says where it leads: `yes: { goto: ID }`, or `continue`";
        "result" | "diagnosis" | "conclusion" | "verdict" | "outcome" | "cause" | "answer_is" | "leaf" => "here it is `finding:`, a short stable id, with `say:` for the text";
        "fix" | "solution" | "remediation" | "action" | "actions" | "resolution" | "play" | "steps" => "here it is `remedy: { play: NAME }`, or `remedy: { steps: [...] }`";
        "message" | "description" | "text" | "advice" | "note" | "msg" => "here it is `say:`";
        "evidence" | "show" | "collect" | "gather" => "here it is `see:`, a list of checks";
        "options" | "values" | "enum" => "here it is `choices:`, a list";
        "branches" | "switch" | "answers" | "children" | "nodes" | "match" => "here it is `yes:` and `no:`, or `choices:` with `cases:`";
        "otherwise" | "else" | "other" => "here it is `no:`, or `default:` beside `cases:`";
        "reason" | "explain" | "help" | "because" | "hint" => "here it is `why:`";
        "level" | "priority" | "kind" => "here it is `severity:`: info, warning or critical";
        "automatic" | "manual" => "here it is `auto:`: always, suggest or never";
    }
    Test {
        "name" | "title" | "describe" | "desc" | "description" | "case" | "it" => "here it is `test:`, one line that says what it shows";
        "playbook" | "run" | "runbook" | "target" | "plays" => "here it is `play:`, the playbook's name";
        "params" | "parameters" | "inputs" | "args" | "given" | "input" => "here it is `with:`, the playbook's parameters";
        "mock" | "mocks" | "mocked" | "stub" | "stubs" | "fakes" | "fixtures" | "modules" | "responses" => "here it is `world:`, a list of rules such as `{ module: http, returns: { status: 200 } }`";
        "assert" | "asserts" | "assertions" | "expected" | "expectations" | "then" | "should" | "verify" => "here it is `expect:`";
        "environment" | "vars" => "here it is `env:`; parameters and variables of the system are `with:`";
        "clock" | "time" | "start" | "at" => "here it is `now:`, when the virtual clock starts";
        "answer" | "operator" | "stdin" | "prompts" => "here it is `answers:`, by question id";
        "interrupt_after" | "signal" | "stop" | "stop_after" | "kill" => "here it is `interrupt: 5s`, or `interrupt: { after: 5s, by: terminate }`";
        "snapshot" | "golden" | "cassette" => "here it is `recorded: {}`, which `runbook test --bless` fills";
        "skip" | "only" | "focus" => "a test always runs; `runbook test --filter TEXT` picks some";
    }
    Rule {
        "args" | "arguments" | "when" | "match" | "request" | "params" | "given" => "here it is `with:`, the arguments that the call must have";
        "return" | "result" | "response" | "respond" | "output" | "gives" | "then" | "value" => "here it is `returns: { field: value }`";
        "fails" | "fail" | "failure" | "unmet" | "message" | "throws" | "raises" => "here it is `error: TEXT`, or `unknown: TEXT` if our side could not look";
        "delay" | "after" | "duration" | "latency" | "sleep" | "elapsed" => "here it is `takes: 3s`";
        "timeout" | "timed_out" | "times_out_after" | "hangs" | "hang" => "here it is `times_out: true`";
        "cannot_tell" | "unreachable" => "here it is `unknown: TEXT`";
        "turns" | "in_turn" | "outcomes" | "returns_in_turn" | "then_returns" | "responses" => "here it is `sequence:`, a list of what the calls come to in turn";
        "id" | "path" | "at" | "task" => "here it is `step:`, the step's id or path";
        "probe" | "action" | "call" | "uses" | "type" => "here it is `module:`";
        "change" | "changes" => "here it is `changed: true`";
    }
    Expect {
        "status" | "result" | "succeeds" | "success" | "state" => "here it is `outcome: succeeded`, or another word; of one step it is `steps: { ID: ok }`";
        "exit_code" | "code" | "rc" | "exitcode" => "here it is `exit: 4`";
        "error" | "stderr" | "stdout" | "output" | "says" | "failure" => "here it is `message:`, text of the run's last line; of one step it is `steps: { ID: { error: TEXT } }`";
        "call" | "called" | "requests" | "invoked" => "here it is `calls:`, or `ran:` for those that change something";
        "changes" | "changed" | "actions" | "executed" | "effects" => "here it is `ran:`, the calls that change something";
        "questions" | "prompts" | "prompted" | "ask" => "here it is `asked:`, the ids of the questions";
        "order" | "trace" | "sequence" | "steps_ran" | "flow" => "here it is `path:`, the steps in order";
        "assert" | "asserts" | "expressions" | "expr" | "when" | "expect" | "true" => "here it is `that:`, expressions such as `steps.health.status == 200`";
        "variables" | "set" => "here it is `vars:`";
        "took" | "takes" | "time" | "elapsed" | "within" => "here it is `duration:`, such as `<= 30s`";
        "note" | "text" | "shown" => "here it is `notes:`";
        "skips" | "not_run" => "here it is `skipped:`";
        "rows" | "grades" | "scoreboard" => "here it is `checks: { ROW: ok }`";
    }
}
