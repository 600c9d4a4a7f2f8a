//! Other tools' words for the keys of tests.

use super::aliases;

aliases! {
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
        "exit_code" | "code" | "rc" => "here it is `exit: 4`";
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
