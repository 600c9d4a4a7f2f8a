//! Other tools' words for the keys of triage trees.

use super::aliases;

aliases! {
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
}
