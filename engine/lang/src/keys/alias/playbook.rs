//! Other tools' words for the keys at the top of a playbook.

use super::aliases;

aliases! {
    Playbook {
        "title" | "name" | "runbook" | "id" | "job_name" | "run-name" | "workflow_name" =>
            as "playbook", "here it is `playbook:`, one line that says what this does", "playbook: {}";
        "version" | "apiVersion" | "schema" | "schemaVersion" | "language_version" | "kind" => "here it is `language: 1`, and it may be left out";
        "desc" | "doc" | "docs" | "summary" | "readme" | "about" | "overview" => as "description", "here it is `description:`", "description: {}";
        "inputs" | "parameters" | "args" | "arguments" | "input" | "options" | "option" | "variables_prompt" =>
            as "params", "here it is `params:`, a map of typed inputs";
        "vars_prompt" => "here it is `params:`, with `ask:` for the question";
        "variables" | "set" | "locals" | "constants" | "facts" => as "vars", "here it is `vars:`; what several playbooks share belongs to `system.yaml`";
        "vars_files" | "include_vars" => "what several playbooks share belongs to `vars:` in `system.yaml`";
        "defaults" | "module_defaults" => "there are no defaults for steps: what several playbooks share belongs to `system.yaml`";
        "environment" | "secrets" | "dotenv" | "env_vars" | "required_env" => "here it is `env:`, a list of the variables it uses";
        "preconditions" | "prerequisites" | "prechecks" | "assumptions" | "pre_tasks" | "before" | "preflight" | "precondition" =>
            as "requires", "here it is `requires:`, a list of checks";
        "postconditions" | "postchecks" | "assertions" | "expect" | "validate" | "validation" | "success_criteria" =>
            as "verify", "here it is `verify:`, a list of checks";
        "post_tasks" | "finally" | "cleanup" | "after" | "defer" | "teardown" | "on_exit" => as "always", "here it is `always:`, a list of steps";
        "on_error" | "catch" | "errors" | "errorhandler" | "on_fail" => as "rescue", "here it is `rescue:`, a list of steps";
        "handlers" => "there are no handlers: write the step where it belongs, with `when: steps.<id>.changed`";
        "handlerOn" | "hooks" => "here it is `rescue:` for a failure and `always:` for whatever happened, each a list of steps";
        "rollback" | "undo" | "compensate" => "here it is `on_failure: undo`, with `undo:` at each step";
        "tasks" | "workflow" | "procedure" | "actions" | "sequence" | "mainSteps" | "commands" | "cmds" | "instructions" | "playbooks" | "run" =>
            as "steps", "here it is `steps:`, a list";
        "jobs" | "stages" | "plan" | "roles" | "dag" | "templates" | "stage" => "here it is `steps:`, a list; what may run at the same time stands in a `parallel`";
        "tree" | "diagnosis" | "diagnose" | "decision_tree" | "questions" | "flowchart" | "troubleshooting" => as "triage", "here it is `triage:`";
        "checklist" | "checklists" | "audit" | "probes" | "health_checks" | "monitors" => as "checks", "here it is `checks:`, a list of checks";
        "hosts" | "host" | "runs-on" | "target" | "targets" | "nodefilters" | "inventory" => "here it is `on:`, the default host; hosts are listed in `system.yaml`";
        "become" | "become_user" | "become_method" | "sudo" | "gather_facts" | "connection" | "remote_user" | "strategy" | "serial" | "collections" | "assumeRole"
            | "any_errors_fatal" | "max_fail_percentage" | "force_handlers" | "order" | "port" | "executor" | "loglevel" | "shell" | "silent" | "container" =>
            "there is no such thing here: a playbook says what each step does, and the user is given to the module";
        "cron" | "triggers" | "trigger" | "when" | "scheduled" | "crontab" => "here it is `schedule: { cron: \"...\" }`", "schedule: { cron: \"{}\" }";
        "interval" | "every" | "period" => "here it is `schedule: { every: 5m }`", "schedule: { every: {} }";
        "timeout" | "timeoutSec" | "maxDuration" | "timeout-minutes" | "activeDeadlineSeconds" | "deadline" =>
            "a step has `timeout:`, a run has `--timeout`; a playbook has `expected_duration:`";
        "duration" | "estimate" | "estimated_time" | "eta" | "sla" => as "expected_duration", "here it is `expected_duration:`", "expected_duration: {}";
        "retry" | "retries" | "retryPolicy" | "restart" => "a step has `retry:`; a playbook is repeated by a `play:` step with `retry:`";
        "labels" | "category" | "categories" | "group" | "keywords" => "here it is `tags:`, a list of words";
        "owner" | "owners" | "author" | "authors" | "maintainer" | "team" | "contact" => "people belong to `contacts:` in `system.yaml`; a document belongs to `source:`";
        "priority" | "level" | "sev" | "urgency" => as "severity", "here it is `severity:`", "severity: {}";
        "reference" | "references" | "see_also" | "url" | "urls" | "runbook_url" => "here it is `links: [{title: TEXT, url: URL}]`";
        "result" | "results" | "returns" | "output" | "exports" => as "outputs", "here it is `outputs:`, a map";
        "include" | "import" | "import_playbook" | "includes" | "extends" | "imports" | "dependencies" | "requires_playbooks" => "there is no inclusion: a step says `play: NAME`";
        "mutex" | "concurrency" | "locks" | "multipleExecutions" | "maxActiveRuns" | "queue" | "singleton" => "here it is `lock:`, which lets one run at a time through";
        "mailOn" | "errorMail" | "infoMail" | "smtp" | "notification" | "notifications" | "notify" | "alerts" => "messages are steps: send one in `rescue:` or `always:`, with `notify.email`, `notify.slack`, `notify.webhook` or `notify.desktop`";
        "logDir" | "logs" | "histRetentionDays" | "restartWaitSec" | "delaySec" | "maxCleanUpTimeSec" => "where runs are kept is said once for all: `--state DIR` or `RUNBOOK_STATE`";
        "services" | "service_defaults" | "thresholds" | "contacts" | "escalation" | "profiles" | "read_commands" | "redact" =>
            "it belongs to the system: write it in `system.yaml`";
    }
}
