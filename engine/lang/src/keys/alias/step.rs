//! Other tools' words for the keys and bodies of steps: Ansible, GitHub Actions, Dagu, SSM, Rundeck, Taskfile, Argo, runn and common ones.

use super::aliases;

aliases! {
    Step {
        // Running programs.
        "cmd" | "run" | "exec" | "win_command" | "cmds" | "command_line" | "execute" | "runCommand" | "local_action" =>
            as "shell", "here it is `shell:` for a line of text, `command:` for a list of words", "shell: {}";
        "argv" | "executable" | "program" => as "command", "here it is `command:`, a list of words";
        "script" | "bash" | "sh" | "raw" | "win_shell" | "powershell" | "runShellScript" | "inline" =>
            as "shell", "here it is `shell:`", "shell: {}";
        "scriptfile" | "scripturl" | "scriptargs" => "here it is `command:` with the script's path as its first word";
        "args" | "arguments" | "inputs" | "with_args" | "parameters" => "arguments are written under the module's name, as a map";
        "params" => "the parameters of a playbook that is played are given by `with:`, beside `play:`";
        "executor" | "interpreter" | "container" | "image" | "workerSelector" | "plugin" | "shopt" =>
            "a step runs on the host itself: the program is given to `command:`, the shell to `shell: {interpreter: [...]}`";
        "env" => beside "env", "the environment is given to the module: `command: {argv: [...], env: {...}}`";
        "environment" | "dotenv" => "the environment is given to the module: `command: {argv: [...], env: {...}}`";
        "cwd" | "dir" | "chdir" | "workingDir" | "working-directory" | "folder" | "path" =>
            "the folder is given to the module: `command: {argv: [...], cwd: PATH}`";
        "stdin" | "input_text" => "standard input is given to the module: `command: {argv: [...], stdin: TEXT}`";
        "stdout" | "stderr" | "logs" | "log_output" | "save_output" => "here it is `save: FILE`, which keeps the result";
        "become" | "become_user" | "become_method" | "become_flags" | "become_exe" | "sudo" | "remote_user" | "as_user" | "run_as" =>
            "the user is given to the module: `command: {argv: [...], user: NAME}`";

        // Conditions and loops.
        "if" | "only_if" | "condition" | "conditions" | "precondition" | "preconditions" | "cond" | "whenever" =>
            as "when", "here it is `when:`, with a bare expression", "when: {bare}";
        "unless" | "not_if" | "skip_if" | "except_when" => "here it is `when:` with `not`", "when: not ({bare})";
        "loop" | "with_items" | "with_list" | "with_dict" | "with_sequence" | "with_fileglob" | "with_together" | "with_nested" | "foreach" | "items"
            | "each" | "withParam" | "with_subelements" | "for_items" | "iterate" =>
            as "for_each", "here it is `for_each:`, and the item is `item`", "for_each: {bare}";
        "matrix" | "strategy" => "here it is `for_each:`, with `max_parallel:` beside it";
        "for" => "to repeat over items it is `for_each:`; to repeat until something holds, `retry: { for: 30s }`";
        "while" | "do_until" => "here it is `retry:` with `expect:`: the step is repeated until what it expects holds";
        "loop_control" | "loop_var" | "iterator" | "index_var" | "var" => "here it is `as:`, the name of the item";
        "throttle" | "max-parallel" | "concurrency" | "serial" | "forks" | "workers" | "maxConcurrent" =>
            as "max_parallel", "here it is `max_parallel:`, beside `for_each:`", "max_parallel: {}";
        "run_once" => "a step without `for_each` runs once: leave it out";

        // Results and names.
        "register" | "store_as" | "result" | "publish" => as "id", "here it is `id:`; the result is then `steps.<id>`", "id: {}";
        "output" | "outputs" | "returns" | "export" => "here it is `id:`; the result is then `steps.<id>`";
        "title" | "label" | "display_name" | "prefix" => as "name", "here it is `name:`", "name: {}";
        "description" | "desc" | "summary" | "doc" | "comment" => "here it is `name:`, one line that people see; a remark is a comment (`# ...`)";
        "key" | "uuid" | "ref" | "step" => as "id", "here it is `id:`", "id: {}";
        "task" | "action" | "activity" | "operation" | "module" | "type" | "kind" | "uses_module" =>
            "the module's name is the key: `http: URL`, `service.restart: NAME`";

        // Order and groups.
        "depends" | "depends_on" | "dependencies" | "deps" | "after" | "requires" | "wait_for_steps" | "upstream" =>
            as "needs", "here it is `needs:`, inside a `parallel`", "needs: [{}]";
        "next" | "nextStep" | "goto" | "then" | "jump" | "on_success" => "here it is the next step: steps run in file order, only while all before them succeeded";
        "else" | "elif" | "otherwise" | "switch" | "case" | "cases" | "choice_step" | "branch" => "there is no such branch: write two steps, each with its own `when:`; decisions of people belong to a triage tree";
        "tasks" | "group" | "sequence" | "jobs" | "job" | "substeps" | "actions" | "stages" => as "block", "here it is `block:`, a list of steps";
        "steps" => as "block", "inside a step, a list of steps is `block:`";
        "concurrent" | "fork" | "async_steps" | "in_parallel" | "parallelism" => as "parallel", "here it is `parallel:`, a list of steps";
        "uses" | "include" | "include_tasks" | "import_tasks" | "import_playbook" | "include_role" | "import_role" | "roles" | "role" | "call"
            | "playbook" | "workflow" | "subworkflow" | "jobref" | "templateRef" | "runbook" | "run_playbook" =>
            "here it is `play: NAME`, with its parameters under `with:`";
        "defer" | "finally" | "ensure" | "cleanup" | "teardown" => as "always", "here it is `always:`, beside `block:`";
        "on_error" | "on_fail" | "on-failure" | "catch" | "except" | "errorhandler" | "recover" | "fallback" | "errors" =>
            as "rescue", "here it is `rescue:`, beside `block:`";
        "handlerOn" | "hooks" | "onExit" | "onCancel" => "here it is `rescue:` and `always:`, beside `block:` or at the top of the playbook";
        "rollback" | "revert" | "compensate" | "undo_steps" => as "undo", "here it is `undo:`, a list of steps";

        // Failing and repeating.
        "ignore_errors" | "ignore_error" | "allow_failure" | "ignore_unreachable" | "keepgoing" | "continueOnFail" | "ignore_failure" | "continue" | "best_effort" =>
            "here it is `continue_on_error: true`";
        "continue_on" => "here it is `continue_on_error: true`";
        "isCritical" | "isEnd" | "critical" | "fail_fast" | "any_errors_fatal" | "max_fail_percentage" | "error_on_fail" =>
            "a failed step ends the playbook, unless it says `continue_on_error: true`: leave it out";
        "failed_when" | "fail_when" | "fail_if" | "error_if" => "here it is `expect:`, which says what must hold", "expect: not ({bare})";
        "assert" | "that" | "expected" | "expectations" | "should" | "check_that" | "test" | "assertions" | "success_when" | "successCondition" =>
            as "expect", "here it is `expect:`, which says what must hold", "expect: {bare}";
        "exit_code" | "return_code" | "rc" | "status_code" | "expected_status" => "here it is `expect:`, such as `expect: exit_code == 0` or `expect: status == 200`";
        "changed_when" => "here it is `effect: read` for a command that only looks";
        "check_mode" | "diff" | "dry_run" | "noop" => "a dry run is asked for when the playbook is played: leave it out";
        "until" => "here it is `retry:` with `expect:`: the step is repeated until what it expects holds", "expect: {bare}";
        "retries" | "attempts" | "max_attempts" | "max_retries" | "tries" => "here it belongs to `retry:`", "retry: { attempts: {} }";
        "delay" | "retry_delay" | "interval" | "poll" | "retry_interval" | "delaySec" => "here it is `retry: { every: 5s }`; to sleep, `wait: 5s`";
        "repeat" | "repeatPolicy" | "retryPolicy" | "retryStrategy" | "loop_until" =>
            "here it is `retry: { attempts: N, every: 5s }`";
        "async" | "background" | "poll_interval" | "daemon" => "a step is waited for; what goes on beside others stands in a `parallel`, what stays is a service";
        "timeout-minutes" => "here it is `timeout:`, with a unit", "timeout: {}m";
        "timeoutSeconds" | "timeout_sec" | "activeDeadlineSeconds" | "timeout_s" => "here it is `timeout:`, with a unit", "timeout: {}s";
        "timeout_ms" | "timeoutMillis" => "here it is `timeout:`, with a unit", "timeout: {}ms";
        "deadline" | "max_time" | "max_duration" | "time_limit" | "limit" => as "timeout", "here it is `timeout:`, the limit of one attempt", "timeout: {}";

        // Waiting, people and text.
        "sleep" | "delay_for" | "wait_seconds" => "here it is `wait:`, with a unit", "wait: {}";
        "pause" => "to sleep it is `wait: 10s`; to wait for a person, `manual: TEXT` or `ask:`";
        "wait_for" | "wait_until" | "wait_for_connection" => "to wait for something, write a check with `retry: { for: 30s }`";
        "msg" | "message" | "debug" | "echo" | "print" | "log_message" | "say" | "info" | "display" | "printf" =>
            as "note", "here it is `note:`", "note: {}";
        "prompt" | "question" | "input" | "vars_prompt" | "read" | "choose" => "here it is `ask:`, a question of its own", "ask: { question: \"{}\" }";
        "approve" | "approval" | "confirmation" | "manual_approval" | "gate" => "here it is `confirm: true` at the step that needs it, or `ask:` for a question";
        "instruction" | "instructions" | "human" | "manual_step" | "todo" => as "manual", "here it is `manual:`, a step that a person does", "manual: {}";
        "exit" | "abort" | "error" | "die" | "throw" | "raise" | "panic" => as "fail", "here it is `fail: TEXT`, or `stop: TEXT` to end as succeeded", "fail: {}";
        "end" | "return" | "break" | "end_play" | "meta" | "succeed" | "done" => as "stop", "here it is `stop: TEXT`, which ends the playbook as succeeded", "stop: {}";
        "mail" | "mailOn" | "mailOnError" | "email" | "smtp" | "sendmail" => "here it is `notify.email: { to: ADDRESS, subject: TEXT, body: TEXT, ... }`";
        "slack" | "mattermost" => "here it is `notify.slack: { url: URL, text: TEXT }`";
        "webhook" | "teams" | "discord" => "here it is `notify.webhook: { url: URL, ... }`";
        "notify_send" | "toast" => "here it is `notify.desktop: TEXT`";
        "notification" | "notifications" | "alert" | "page" => "here it is `notify.email`, `notify.slack`, `notify.webhook` or `notify.desktop`, a step of its own";

        // Variables.
        "vars" | "variables" | "set_fact" | "let" | "assign" | "set_variable" | "include_vars" => as "set", "here it is `set:`, a step of its own";
        "setup" | "gather_facts" | "facts" => "nothing is gathered beforehand: look with a probe such as `memory`, `disk` or `process`";

        // Hosts, notifying, secrets.
        "hosts" | "delegate_to" | "runs-on" | "target" | "targets" | "node" | "nodefilters" | "platforms" => "here it is `on:`, the host of a step";
        "host" => beside "host", "here it is `on:`, the host of a step";
        "connection" | "delegate_facts" | "collections" | "module_defaults" | "debugger" => "there is no such thing here: leave it out";
        "notify" | "handlers" | "listen" => "there are no handlers: write the step where it belongs, with `when: steps.<id>.changed`";
        "no_log" | "secret" | "mask" | "silent" | "hide" | "hide_output" => "here it is `sensitive: true`";
        "creates" | "removes" | "status" | "sources" | "generates" => "here it is a check before the step, and `when:` with what it found";
        "concurrency_group" | "mutex" => "a lock is held by the whole playbook: `lock:` at its top";
        "check" | "verify_with" | "probe" => "a check is a step with a probe as its body, such as `http:` or `port:`";
        "read_only" | "idempotency" | "mutates" => "here it is `effect: read`, `change` or `destroy`, and `idempotent: true`";

        // Other tools' modules.
        "url" | "get" | "curl" | "uri" | "wget" | "http_get" | "request" | "http_check" => as "http", "here it is `http:`, the probe for a URL", "http: {}";
        "post" | "put" | "patch" | "delete" | "http_post" | "req" => "here it is `http.request: { method: POST, url: URL }`";
        "get_url" | "download" | "fetch" =>
            "what `http:` gets is in its result; to download a file, use `command: [curl, -fsSLo, FILE, URL]`, or `object_store.get` from a bucket";
        "browser" | "open" | "xdg_open" => "here it is `url.open: URL`", "url.open: {}";
        "stat" | "exists" | "file_exists" => as "file", "here it is `file:`, the probe for files", "file: {}";
        "checksum" | "sha256sum" | "md5sum" | "sha512sum" => "here it is `file: { path: PATH, hash: sha256 }`, and `expect: hash == TEXT`";
        "copy" | "cp" | "synchronize" | "rsync" => "here it is `file.copy: { from: PATH, to: PATH }`";
        "move" | "mv" | "rename" => "here it is `file.move: { from: PATH, to: PATH }`";
        "link" | "ln" | "symlink" => "here it is `file.link: { path: PATH, target: PATH }`";
        "rm" | "remove" | "unlink" | "delete_file" => "here it is `file.delete: PATH`";
        "mkdir" | "directory" | "create_dir" => "here it is `dir.create: PATH`", "dir.create: {}";
        "find" | "ls" | "glob" => "here it is `files: PATTERN`, the probe for many files; those that are old removes `file.prune`";
        "blockinfile" | "replace_text" | "write" | "write_file" | "content" => "here it is `file.write: { path: PATH, content: TEXT }`";
        "lineinfile" | "ini_file" | "sed" | "yq" | "yedit" =>
            "one setting changes `config.set: { path: FILE, set: { NAME: VALUE } }`, a whole file writes `file.write: { path: PATH, content: TEXT }`";
        "template" =>
            "a file is made from a template by `template.render: { template: FILE, to: PATH }`; another playbook is played by `play: NAME`";
        "slurp" | "cat" | "read_file" | "load" => "a file of settings is read with `config:`, a log with `log:`, its state with `file:`";
        "jq" | "jsonl_query" => "values of a JSON or YAML file reads `config: { path: FILE, query: JSONPATH }`, records of a JSON Lines file `jsonl:`";
        "grep" | "search" | "tail" | "logs_contain" => "here it is `log: { path: FILE, pattern: REGEX }`";
        "logrotate" => "here it is `log.rotate: PATH`";
        "unarchive" | "extract" | "untar" | "unzip" | "gunzip" => "here it is `archive.extract: { path: ARCHIVE, to: FOLDER }`";
        "tar" | "zip" | "compress" | "gzip" => "here it is `archive.create: { path: ARCHIVE, ... }`, and `archive.extract` to unpack one";
        "ping" | "tcp_check" | "connect" | "nc" | "telnet" => "here it is `tcp: HOST:PORT`, or `port: N` for this machine";
        "dig" | "nslookup" | "resolve" | "getent" => "here it is `dns: NAME`";
        "openssl" | "x509_certificate_info" | "get_certificate" | "ssl" | "certificate" => "here it is `tls: HOST:PORT`, the probe for certificates";
        "netstat" | "ss" | "lsof" | "listen_ports_facts" => "here it is `port: N` for who listens, or `sockets:` for what is connected";
        "systemd_service" | "systemctl" | "win_service" | "sysvinit" =>
            "a unit of systemd is looked at with `systemd:`, and `systemd.start`, `systemd.restart` and others act on it; for services of the system file it is `service:`, `service.start` and so on";
        "daemon_reload" => "here it is `systemd.daemon_reload: {}`";
        "restart" | "start" | "restart_service" | "start_service" => "here it is `service.restart: NAME` or `service.start: NAME`";
        "kill" | "signal" | "pkill" | "killall" => "here it is `process.signal: { pid: N, signal: TERM }`";
        "ps" | "pgrep" | "top" => "here it is `process:`, the probe for processes";
        "df" | "mount" | "mount_facts" => "here it is `disk:`, the probe for file systems; what mounts one is `command: [mount, ...]`";
        "free" => "here it is `memory:`, the probe for memory";
        "uptime" | "loadavg" | "hostname" | "uname" => "here it is `host:`, the probe for the machine, or `cpu:` for its load";
        "nvidia_smi" => "here it is `gpu:`, the probe for graphics processors";
        "docker_container" | "docker_container_info" | "docker_host_info" | "docker_login" | "podman_container" =>
            "containers are looked at with `docker:`; those of a Compose project start `compose.up`, `compose.restart` and others, and a single one `command: [docker, ...]`";
        "docker_compose" | "docker_compose_v2" | "compose_up" => "here it is `compose.up`, and `compose.down`, `compose.restart` and others; `compose:` only looks";
        "docker_compose_v2_exec" | "docker_container_exec" | "docker_exec" => "here it is `compose.exec: { service: NAME, argv: [...] }`";
        "docker_image" | "docker_build" | "docker_image_build" => "here it is `compose.build`, for the services of a Compose project";
        "git_clone" | "clone" => "a repository is looked at with `git:`, and `git.checkout` takes another state of it; to clone one, use `command: [git, clone, URL, FOLDER]`";
        "sql" | "query" | "database" => "here it is `postgres:` or `sqlite:` to look, and `postgres.exec` or `sqlite.exec` to change something";
        "postgresql_query" | "psql" | "postgresql" | "postgresql_script" =>
            "here it is `postgres: { query: SQL }` to look, and `postgres.exec: { statements: [SQL] }` to change something";
        "postgresql_info" | "postgresql_ping" | "pg_isready" => "here it is `postgres:`, the probe for PostgreSQL";
        "postgresql_db" | "pg_dump" | "pg_restore" => "here it is `postgres.dump` and `postgres.restore`; statements runs `postgres.exec`";
        "sqlite3" => "here it is `sqlite: { path: FILE, query: SQL }` to look, and `sqlite.exec: { path: FILE, statements: [SQL] }` to change something";
        "redis_cli" | "redis_info" | "redis_data" => "here it is `redis:` to look, and `redis.command: { argv: [WORD, ...] }` for any command";
        "s3" | "aws_s3" | "s3_object" | "s3_object_info" | "s3_sync" | "s3cmd" | "minio" | "gsutil" =>
            "here it is `object_store:` to look, and `object_store.get`, `object_store.put` and `object_store.sync` to move files";
        "aws" => "what is in S3 do `object_store:`, `object_store.get`, `object_store.put` and `object_store.sync`; for other services use `command: [aws, ...]`";
        "prometheus" | "promql" => "here it is `metrics: URL`, the probe for what a program measures of itself";
        "apt" | "yum" | "dnf" | "package" | "pip" | "npm" | "user" | "k8s" | "kubectl" | "helm" | "terraform" | "mysql" | "mysql_query" | "mongodb" | "reboot"
            | "cron" | "crontab" | "podman" | "ssh" =>
            "there is no module for it: use `command: [PROGRAM, ...]`, with `effect: read` if it only looks";
    }
}
