//! Other tools' words for the arguments of modules.

/// Modules (`*` stands for all), words, and what to write.
const ARGUMENTS: &[(&[&str], &[&str], &str)] = &[
    (
        &["command", "shell"],
        &["cmd", "_raw_params", "free_form", "run", "command"],
        "the text or list of words itself stands for `argv` (of `command`) or `script` (of `shell`)",
    ),
    (
        &["command", "shell"],
        &["chdir", "dir", "working_dir", "working-directory", "workingDir", "workdir", "path"],
        "here it is `cwd`",
    ),
    (&["command", "shell"], &["environment", "vars"], "here it is `env`"),
    (&["command", "shell"], &["input", "stdin_text"], "here it is `stdin`"),
    (&["command", "shell"], &["become", "become_user", "sudo", "run_as"], "here it is `user`"),
    (
        &["command"],
        &["args", "arguments", "command_args"],
        "the program and its arguments are one list: `argv: [PROGRAM, ARGUMENT, ...]`",
    ),
    (&["shell"], &["executable", "shell", "bash"], "here it is `interpreter`, a list such as `[bash, -c]`"),
    (&["command", "shell"], &["creates", "removes"], "here it is a check before the step, and `when:` with what it found"),
    (
        &["http", "http.request"],
        &["return_content", "body_format", "status_code", "expected_status", "expect_status"],
        "what the answer must be, `expect` of the step says: `expect: status == 200`",
    ),
    (
        &["http", "http.request"],
        &["validate_certs", "verify_ssl", "tls_verify", "skip_tls_verify"],
        "here it is `insecure: true`, to take any certificate",
    ),
    (
        &["http", "http.request"],
        &["user", "username", "password", "auth", "url_username", "url_password"],
        "here it is `basic: { user: NAME, password: SECRET }`",
    ),
    (
        &["http", "http.request"],
        &["token", "bearer_token", "api_key", "authorization"],
        "here it is `bearer`; another header is given by `headers`",
    ),
    (&["http"], &["body", "json", "data", "form", "payload"], "`http` only looks; what sends a body is `http.request`"),
    (&["http.request"], &["data", "payload", "content"], "here it is `json`, `form` or `body`"),
    (&["http", "http.request"], &["params", "args", "querystring"], "here it is `query`"),
    (
        &["http", "http.request"],
        &["redirects", "max_redirects", "allow_redirects", "follow"],
        "here it is `follow_redirects`, the most redirects to follow",
    ),
    (
        &["service"],
        &["state", "enabled", "status", "action"],
        "`service` only looks; use `service.start`, `service.stop` or `service.restart`",
    ),
    (
        &["service", "service.start", "service.stop", "service.restart"],
        &["service", "unit", "id", "services"],
        "here it is `name`",
    ),
    (&["file.copy", "file.move"], &["src", "source", "source_path"], "here it is `from`"),
    (&["file.copy", "file.move"], &["dest", "destination", "target", "path"], "here it is `to`"),
    (&["file.write"], &["dest", "file", "filename", "name"], "here it is `path`"),
    (&["file.write"], &["text", "data", "body", "block", "line"], "here it is `content`"),
    (
        &["file", "file.delete", "dir.create", "disk", "log", "config", "pid_file"],
        &["file", "dest", "src", "name", "filename", "directory", "dir", "mount"],
        "here it is `path`",
    ),
    (
        &["file"],
        &["state"],
        "`file` only looks: `expect: exists`; to change files use `file.write`, `file.delete` or `dir.create`",
    ),
    (&["file.copy", "file.write", "dir.create"], &["owner", "group", "chown"], "owners are changed by `command: [chown, ...]`"),
    (&["file.copy", "file.write", "dir.create"], &["permissions", "perms", "chmod"], "here it is `mode`"),
    (&["file.delete", "file.copy"], &["force", "recurse", "r"], "here it is `recursive: true`"),
    (&["log"], &["regex", "regexp", "grep", "match", "contains", "search", "search_regex"], "here it is `pattern`"),
    (&["log"], &["lines", "last", "n"], "here it is `tail`, the last so many lines"),
    (&["log"], &["window", "age", "from", "after"], "here it is `since`"),
    (&["port"], &["ports"], "here it is `port`, one number; several are looked at with `for_each`"),
    (&["port", "tcp"], &["ip", "hostname", "bind"], "here it is `host`"),
    (
        &["port", "tcp", "http"],
        &["delay", "sleep", "state", "connect_timeout"],
        "to wait for it, the step has `retry: { for: 30s }`",
    ),
    (&["process"], &["cmd", "command", "pattern", "regex", "args"], "here it is `cmdline`, a regular expression"),
    (&["process.signal"], &["sig", "kill"], "here it is `signal`"),
    (&["process.signal"], &["name", "cmdline", "process"], "here it is `pid`, with `expect_command` for what it must be"),
    (&["env"], &["name", "variables", "vars", "required"], "here it is `names`"),
    (&["config"], &["key", "jsonpath", "jq", "select", "field"], "here it is `query`, a JSONPath such as `$.a.b`"),
];

/// What is meant by another tool's word for an argument of a module.
pub fn find_argument(module: &str, word: &str) -> Option<&'static str> {
    ARGUMENTS
        .iter()
        .find(|(modules, words, _)| modules.contains(&module) && words.iter().any(|w| super::same(w, word)))
        .map(|(.., help)| *help)
}

/// Every such word: the module, the word, and what to write.
pub fn argument_aliases() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    ARGUMENTS
        .iter()
        .flat_map(|(modules, words, help)| modules.iter().flat_map(move |m| words.iter().map(move |w| (*m, *w, *help))))
}
