//! Other tools' words for the keys of smaller maps: retries, parameters, questions, grades, schedules, systems and services.

use super::aliases;

aliases! {
    Retry {
        "count" | "times" | "max" | "limit" | "retries" | "max_attempts" | "maxRetries" | "tries" | "n" => as "attempts", "here it is `attempts:`", "attempts: {}";
        "delay" | "interval" | "wait" | "pause" | "initial_delay" | "sleep" | "period" => as "every", "here it is `every:`", "every: {}";
        "intervalSec" | "delaySec" | "intervalSeconds" | "delaySeconds" => "here it is `every:`, with a unit", "every: {}s";
        "until" | "expect" | "while" | "condition" | "success_when" => "what success is, `expect:` of the step says";
        "timeout" | "max_time" | "duration" | "deadline" | "within" | "total" | "maxDuration" | "max_elapsed" => as "for", "here it is `for:`; `timeout:` of the step is for one attempt", "for: {}";
        "multiplier" | "factor" | "exponential" | "backoff_rate" | "exponentialBase" | "rate" => as "backoff", "here it is `backoff:`, a number such as `2`", "backoff: {}";
        "max_interval" | "max_wait" | "cap" | "maxIntervalSec" | "max_backoff" => as "max_delay", "here it is `max_delay:`", "max_delay: {}";
        "random" | "randomize" => as "jitter", "here it is `jitter: true`";
        "consecutive" | "in_a_row" | "success_threshold" => as "successes", "here it is `successes:`", "successes: {}";
        "stop_when" | "abort_when" | "fail_when" | "give_up" | "not_on" => as "give_up_when", "here it is `give_up_when:`", "give_up_when: {bare}";
        "on_errors" | "retry_on" | "exitCodes" | "only" => "here it is `on: [failed, timeout, unknown]`";
    }
    Param {
        "name" | "id" | "key" => "the parameter's name is the key above it";
        "description" | "desc" | "doc" | "label" | "title" => as "help", "here it is `help:`", "help: {}";
        "prompt" | "question" | "message" => as "ask", "here it is `ask:`", "ask: {}";
        "enum" | "options" | "values" | "allowed" | "allowedValues" | "oneOf" | "select" => as "choices", "here it is `choices:`, a list";
        "regex" | "regexp" | "match" | "format" | "allowedPattern" | "validation" => as "pattern", "here it is `pattern:`, a regular expression", "pattern: {}";
        "value" | "defaultValue" | "initial" => as "default", "here it is `default:`", "default: {}";
        "mandatory" | "needed" | "must" => as "required", "here it is `required: true`";
        "optional" | "nullable" => "a parameter is optional unless it says `required: true`";
        "minimum" | "min_length" | "minChars" | "gte" | "minItems" => as "min", "here it is `min:`", "min: {}";
        "maximum" | "max_length" | "maxChars" | "lte" | "maxItems" => as "max", "here it is `max:`", "max: {}";
        "secret" | "sensitive" | "private" | "secure" | "password" | "no_log" | "hidden" => "here it is `type: secret`";
        "kind" | "datatype" | "dtype" | "valueType" => as "type", "here it is `type:`", "type: {}";
        "env" | "from_env" => "a value from the environment is `env.NAME`, with `env: [NAME]` at the top: `default: \"{{ env.NAME }}\"`";
    }
    Ask {
        "prompt" | "text" | "message" | "msg" | "title" | "ask" => as "question", "here it is `question:`", "question: {}";
        "options" | "enum" | "values" | "answers" | "items" | "select" => as "choices", "here it is `choices:`, a list";
        "timeout" | "id" | "name" | "when" => "it belongs to the step: write it beside `ask:`";
        "value" | "initial" => as "default", "here it is `default:`", "default: {}";
        "echo" | "private" | "secret" | "hidden" | "no_log" => "here it is `type: secret`";
        "required" | "optional" => "an answer without `default:` must be given: leave it out";
    }
    Grade {
        "metric" | "of" | "expr" | "expression" | "measure" | "field" => as "value", "here it is `value:`, a bare expression", "value: {bare}";
        "warn" | "warn_at" | "yellow" | "warning_threshold" => as "warning", "here it is `warning:`", "warning: {}";
        "crit" | "error" | "red" | "max" | "limit" | "critical_threshold" | "high" => as "critical", "here it is `critical:`", "critical: {}";
        "ok" | "goal" | "good" | "green" | "objective" | "slo" => as "target", "here it is `target:`", "target: {}";
        "threshold" | "thresholds" | "limits" | "using" => as "by", "here it is `by: thresholds.NAME`";
        "units" | "suffix" => as "unit", "here it is `unit:`", "unit: {}";
        "direction" | "comparison" | "order" | "higher_is_better" => "which direction is worse follows from the limits: leave it out";
    }
    Schedule {
        "interval" | "period" | "frequency" | "rate" => as "every", "here it is `every:`", "every: {}";
        "expression" | "crontab" | "expr" | "schedule" | "at" => as "cron", "here it is `cron:`, five fields", "cron: \"{}\"";
        "tz" | "zone" | "time_zone" | "location" => as "timezone", "here it is `timezone:`", "timezone: {}";
        "start" | "stop" | "start_date" | "end_date" | "enabled" => "a schedule says only how often: leave it out";
        "minute" | "hour" | "day" | "month" | "weekday" | "time" | "daily" | "hourly" | "weekly" => "here it is `cron:`, five fields: minute, hour, day of month, month, day of week";
    }
    System {
        "name" | "id" | "title" | "application" | "project" => as "system", "here it is `system:`", "system: {}";
        "variables" | "defaults" | "constants" | "all" | "group_vars" => as "vars", "here it is `vars:`";
        "environments" | "stages" | "overlays" | "env_overrides" => as "profiles", "here it is `profiles:`, named overlays of this file";
        "components" | "apps" | "processes" | "containers" | "units" => as "services", "here it is `services:`, a map by name";
        "limits" | "slo" | "slos" | "alerts" => as "thresholds", "here it is `thresholds:`, a map by name";
        "people" | "teams" | "owners" | "oncall" => as "contacts", "here it is `contacts:`, a map by name";
        "inventory" | "nodes" | "machines" | "servers" | "targets" => as "hosts", "here it is `hosts:`, a map by name";
        "readonly_commands" | "safe_commands" | "allowed_commands" => as "read_commands", "here it is `read_commands:`, a list of word lists";
        "secrets" | "environment" | "dotenv" => "here it is `env:`, a list of the variables it uses";
        "playbook" | "steps" | "checks" | "triage" | "params" | "requires" => "it belongs to a playbook; a system file holds what its playbooks share";
    }
    Service {
        "depends_on" | "depends" | "requires" | "after" | "wants" | "dependencies" | "links_to" => as "needs", "here it is `needs:`, a list", "needs: [{}]";
        "cmd" | "run" | "exec" | "start" | "argv" | "entrypoint" | "ExecStart" | "start_command" => as "command", "here it is `command:`, a list of words";
        "dir" | "working_dir" | "working_directory" | "root" | "chdir" | "path" => as "cwd", "here it is `cwd:`", "cwd: {}";
        "environment" | "env_vars" => as "env", "here it is `env:`, a map";
        "pidfile" | "pid" => as "pid_file", "here it is `pid_file:`", "pid_file: {}";
        "health" | "healthcheck" | "probe" | "check" | "livenessProbe" | "readinessProbe" | "readiness" =>
            "here it is `ready:`, a check, and `health_url:` for its URL";
        "healthz" | "health_endpoint" | "healthUrl" | "status_url" => as "health_url", "here it is `health_url:`", "health_url: {}";
        "listen" | "bind" | "expose" | "containerPort" => as "port", "here it is `port:`, a number", "port: {}";
        "log" | "logs" | "log_file" | "output" => as "stdout", "here it is `stdout:` and `stderr:`", "stdout: {}";
        "error_log" | "errors" => as "stderr", "here it is `stderr:`", "stderr: {}";
        "variables" | "params" | "config" => as "vars", "here it is `vars:`, a map";
        "disabled" => "here it is `enabled: false`";
        "optional" | "installed" | "exists_if" => "here it is `present:`, the check that says whether it is installed here at all";
        "image" | "container" | "build" | "volumes" | "networks" => "a container is named, not described: `manager: compose` with `compose: {service: NAME, project: DIR}`";
        "type" | "kind" | "supervisor" | "runtime" => as "manager", "here it is `manager: process`, `systemd`, `compose` or `external`", "manager: {}";
        "restart" | "restart_policy" | "replicas" | "autorestart" => "services are not watched from here: restart one with the playbook step `service.restart: NAME`";
        "stop_signal" | "kill_signal" => "here it is `stop: { signal: TERM }`", "stop: { signal: {} }";
        "stop_timeout" | "stop_grace_period" | "grace_period" | "TimeoutStopSec" | "grace" => "here it is `stop: { grace: 5s }`", "stop: { grace: {} }";
        "timeout" | "startup_timeout" | "TimeoutStartSec" | "start_period" => as "start_timeout", "here it is `start_timeout:`", "start_timeout: {}";
        "name" | "id" | "container_name" => "the service's name is the key above it";
        "desc" | "title" => as "description", "here it is `description:`", "description: {}";
        "address" | "hostname" | "ip" => as "host", "here it is `host:`", "host: {}";
        "systemd" | "service_unit" => as "unit", "here it is `unit:`, with `manager: systemd`", "unit: {}";
    }
    Threshold {
        "warn" | "yellow" => as "warning", "here it is `warning:`", "warning: {}";
        "crit" | "error" | "red" | "max" | "limit" => as "critical", "here it is `critical:`", "critical: {}";
        "ok" | "goal" | "good" | "green" | "objective" => as "target", "here it is `target:`", "target: {}";
        "units" => as "unit", "here it is `unit:`", "unit: {}";
    }
}
