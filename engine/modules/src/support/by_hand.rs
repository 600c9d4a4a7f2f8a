//! What the instructions of several modules have in common: paths, here-documents, programs, `curl`.

use runbook_core::module::{ByHand, HandArgs, hand_line, hand_shown, hand_word, has_hand_secret};
use runbook_core::value::Value;

/// A longer line is broken between its options.
const LONG: usize = 100;

/// A path as a word of a shell: `~/` is the home folder, and what begins with a hyphen is no option.
pub(crate) fn path_word(path: &str) -> String {
    match path.strip_prefix("~/") {
        Some("") => "~".to_owned(),
        Some(rest) => format!("~/{}", hand_word(rest)),
        None if path == "~" => path.to_owned(),
        None if path.starts_with('-') => hand_word(&format!("./{path}")),
        None => hand_word(path),
    }
}

/// A path whose `*`, `?` and `[ab]` stand for names.
pub(crate) fn glob_word(path: &str) -> String {
    const WILD: [char; 4] = ['*', '?', '[', ']'];
    let mut out = String::new();
    for piece in path.split_inclusive(WILD) {
        let plain = piece.trim_end_matches(WILD);
        match (out.is_empty(), plain.is_empty()) {
            (_, true) => {}
            (true, false) => out.push_str(&path_word(plain)),
            (false, false) => out.push_str(&hand_word(plain)),
        }
        out.push_str(&piece[plain.len()..]);
    }
    if out.is_empty() { path_word(path) } else { out }
}

/// The path in an argument as a word of a shell.
pub(crate) fn path(args: &HandArgs<'_>, name: &str) -> String {
    path_word(&args.or(name, &format!("<{name}>")))
}

/// The folder that a path lies in, as a word; none for a bare name or what lies in the root.
pub(crate) fn folder(path: &str) -> Option<String> {
    let (folder, _) = path.trim_end_matches('/').rsplit_once('/')?;
    (!folder.is_empty()).then(|| path_word(folder))
}

/// `mkdir -p` for the folder of a path, if `parents` asks for it.
pub(crate) fn make_parents(args: &HandArgs<'_>, name: &str) -> Option<String> {
    let folder = folder(&args.text(name)?).filter(|_| args.flag("parents", false))?;
    Some(format!("mkdir -p {folder}"))
}

/// A copy of a file that is about to be replaced, if `backup` asks for it.
pub(crate) fn keep(args: &HandArgs<'_>, name: &str) -> Option<String> {
    let path = path(args, name);
    let copy = format!("cp -p {path} {path}.\"$(date -u +%Y%m%dT%H%M%SZ)\".bak");
    args.flag("backup", false).then(|| format!("test ! -e {path} || {copy}"))
}

/// The permissions of a path, if an argument says them.
pub(crate) fn mode(args: &HandArgs<'_>, path: &str) -> Option<String> {
    args.text("mode").map(|mode| format!("chmod {} {path}", hand_word(&mode)))
}

/// A regular expression as an option and a word of `grep`: plain ones are extended, the others Perl's.
pub(crate) fn grep(pattern: &str) -> String {
    let plain = !pattern.contains("(?") && !pattern.contains('\\');
    // An escaped sign means the same in both.
    let escapes_signs = || {
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            if c == '\\' && chars.next().is_none_or(|c| c.is_ascii_alphanumeric()) {
                return false;
            }
        }
        !pattern.contains("(?")
    };
    let kind = if plain || escapes_signs() { 'E' } else { 'P' };
    format!("-{kind} -e {}", hand_word(pattern))
}

/// A command with a text on its standard input, as a here-document that no line of the text ends.
pub(crate) fn with_input(command: &str, text: &str) -> String {
    if has_hand_secret(text) || !(text.contains('\n') || text.is_empty()) {
        let print = format!("printf '%s' {}", hand_word(text));
        return match command.strip_prefix("cat ") {
            Some(to) => format!("{print} {to}"),
            None => format!("{print} | {command}"),
        };
    }
    let mut end = "END".to_owned();
    while text.lines().any(|l| l == end) {
        end.push('_');
    }
    let last = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{command} <<'{end}'\n{text}{last}{end}")
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Words that are run with variables, as a user.
pub(crate) fn prefixed(args: &HandArgs<'_>, words: &str) -> String {
    let env = args.pairs("env");
    let all_names = env.iter().all(|(name, _)| is_name(name));
    let env: String = env.iter().map(|(k, v)| format!("{}={} ", hand_word(k), hand_word(v))).collect();
    match args.text("user") {
        Some(user) if env.is_empty() => format!("sudo -u {} -- {words}", hand_word(&user)),
        Some(user) => format!("sudo -u {} -- env {env}{words}", hand_word(&user)),
        None if env.is_empty() || all_names => format!("{env}{words}"),
        None => format!("env {env}{words}"),
    }
}

/// A program as `command` runs it: in its folder, with its variables and input.
pub(crate) fn program(args: &HandArgs<'_>) -> String {
    let mut argv = args.list("argv");
    // A first word with `=` would be a variable.
    if argv.first().is_some_and(|first| first.contains('=')) {
        argv.insert(0, "env".to_owned());
    }
    let line = prefixed(args, &hand_line(&argv));
    placed(args, line)
}

/// A script as `shell` runs it.
pub(crate) fn script(args: &HandArgs<'_>) -> String {
    let script = args.or("script", "<script>");
    let interpreter = args.list("interpreter");
    let is_sh = matches!(interpreter.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), [] | ["sh" | "/bin/sh", "-c"]);
    if is_sh && args.text("user").is_none() {
        // In parentheses `set -e` and `exit` end the script and not the terminal.
        let exports: String =
            args.pairs("env").iter().filter(|(k, _)| is_name(k)).map(|(k, v)| format!("export {k}={}\n", hand_word(v))).collect();
        let folder = args.text("cwd").map(|cwd| format!("cd {} || exit\n", path_word(&cwd))).unwrap_or_default();
        let lines = hand_shown(script.trim_end_matches('\n'));
        let line = format!("(\n{folder}{exports}{lines}\n)");
        return match args.text("stdin") {
            Some(input) => with_input(&line, &input),
            None => line,
        };
    }
    let mut words = if interpreter.is_empty() { vec!["sh".to_owned(), "-c".to_owned()] } else { interpreter };
    words.push(script);
    let line = prefixed(args, &hand_line(&words));
    placed(args, line)
}

fn placed(args: &HandArgs<'_>, line: String) -> String {
    let line = match args.text("cwd") {
        Some(cwd) => format!("( cd {} && {line} )", path_word(&cwd)),
        None => line,
    };
    match args.text("stdin") {
        Some(input) => with_input(&line, &input),
        None => line,
    }
}

/// A request as `curl` makes it, with its limit in seconds.
pub(crate) fn curl(args: &HandArgs<'_>, method: &str, seconds: &str) -> String {
    let mut options = Vec::new();
    let mut add = |option: &str, value: &str| options.push(format!("{option} {}", hand_word(value)));
    if !matches!(method, "GET" | "HEAD") {
        add("-X", method);
    }
    for (name, value) in args.pairs("headers") {
        add("-H", &if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") });
    }
    if let Some(key) = args.text("idempotency_key") {
        add("-H", &format!("idempotency-key: {key}"));
    }
    if let Some(user) = args.inside("basic").text("user") {
        add("-u", &format!("{user}:{}", args.inside("basic").or("password", "")));
    }
    if let Some(token) = args.text("bearer") {
        add("-H", &format!("Authorization: Bearer {token}"));
    }
    for (name, value) in args.pairs("query") {
        add("--url-query", &format!("{name}={value}"));
    }
    if let Some(json) = args.text("json") {
        add("-H", "content-type: application/json");
        add("--data-raw", &json);
    }
    if let Some(body) = args.text("body") {
        add("--data-raw", &body);
    }
    for (name, value) in args.pairs("form") {
        add("--data-urlencode", &format!("{name}={value}"));
    }
    if let Some(Value::Map(parts)) = args.get("multipart") {
        for (name, part) in parts.iter() {
            let part = match part {
                Value::Null => continue,
                Value::Map(file) => {
                    let of = |key: &str| file.get(key).filter(|v| !v.is_null()).map(ToString::to_string);
                    let more = |key: &str, word: &str| of(key).map(|v| format!(";{word}={v}")).unwrap_or_default();
                    let path = of("file").unwrap_or_else(|| "<file>".to_owned());
                    format!("{name}=@{path}{}{}", more("content_type", "type"), more("filename", "filename"))
                }
                other => format!("{name}={other}"),
            };
            add(if part.contains("=@") { "-F" } else { "--form-string" }, &part);
        }
    }
    for (name, option) in [("ca_file", "--cacert"), ("client_cert", "--cert"), ("client_key", "--key")] {
        if let Some(file) = args.text(name) {
            add(option, &file);
        }
    }
    if let Some(address) = args.text("resolve") {
        add("--connect-to", &format!("::{address}:"));
    }
    if let Some(redirects) = args.text("follow_redirects").filter(|n| n != "0") {
        add("-L --max-redirs", &redirects);
    }
    if let Some(socket) = args.text("unix_socket") {
        options.push(format!("--unix-socket {}", path_word(&socket)));
    }
    if args.flag("insecure", false) {
        options.push("-k".to_owned());
    }
    options.push(args.word("url"));
    if args.asks("timings") {
        let each = "dns %{time_namelookup} connect %{time_connect} tls %{time_appconnect} first byte %{time_starttransfer} total %{time_total}";
        options.insert(0, format!("-w '\\n{each} s\\n'"));
    } else if args.asks("elapsed") {
        options.insert(0, "-w '\\nin %{time_total} s\\n'".to_owned());
    }
    let shown = if method == "HEAD" { "-I" } else { "-i" };
    broken(&format!("curl -sS {shown} --max-time {}", hand_word(seconds)), &options)
}

/// A command with its options, one a line if they are long.
fn broken(command: &str, options: &[String]) -> String {
    let long = command.len() + options.iter().map(|o| o.len() + 1).sum::<usize>() > LONG;
    let between = if long && options.len() > 1 { " \\\n  " } else { " " };
    options.iter().fold(command.to_owned(), |line, option| line + between + option)
}

/// The limit of a request to a URL that says none: short for this machine.
pub(crate) fn default_seconds(url: &str) -> &'static str {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let here = ["127.", "localhost", "[::1]"].iter().any(|h| host.starts_with(h));
    if here { "2" } else { "10" }
}

/// Notes for a query that old versions of `curl` cannot add.
pub(crate) fn about_query(hand: ByHand, args: &HandArgs<'_>) -> ByHand {
    if args.pairs("query").is_empty() {
        return hand;
    }
    hand.note("Before version 7.87, `curl` has no `--url-query`: then write these parameters at the end of the URL.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_words() {
        for (path, word) in [
            ("/a/b", "/a/b"),
            ("a b", "'a b'"),
            ("~/a b", "~/'a b'"),
            ("~", "~"),
            ("-rf", "./-rf"),
            ("$(id)", "'$(id)'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(path_word(path), word);
        }
        assert_eq!(folder("/a/b/c"), Some("/a/b".to_owned()));
        assert_eq!(folder("/a"), None);
        assert_eq!(folder("a"), None);
    }

    #[test]
    fn no_line_of_a_text_ends_its_document() {
        assert_eq!(with_input("cat", "a\nEND\n"), "cat <<'END_'\na\nEND\nEND_");
        assert_eq!(with_input("cat", "a\nb"), "cat <<'END'\na\nb\nEND");
        assert_eq!(with_input("cat", "it's"), "printf '%s' 'it'\"'\"'s' | cat");
        assert_eq!(with_input("cat >a", "b"), "printf '%s' b >a");
    }

    #[test]
    fn patterns_keep_their_meaning() {
        assert_eq!(grep("a|b"), "-E -e 'a|b'");
        assert_eq!(grep(r"a\.b"), r"-E -e 'a\.b'");
        assert_eq!(grep(r"\d+"), r"-P -e '\d+'");
        assert_eq!(grep("(?i)x"), "-P -e '(?i)x'");
    }
}
