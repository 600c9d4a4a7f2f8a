//! The session of a person who follows only the guide: a playbook is begun, written, checked, tested, run and looked at again, at a
//! terminal. Then mistakes are typed into it, one by one, and each is put right by what the message says and nothing else.

use regex::Regex;

use crate::harness::{Page, Part, Session, Shown};

/// The files of the guide.
fn files() -> Vec<(String, String)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/first-playbook.md");
    let parts = Page::read(&std::fs::read_to_string(page).unwrap()).parts;
    let file = |part| match part {
        Part::File { path, text } => Some((path, text)),
        _ => None,
    };
    parts.into_iter().filter_map(file).collect()
}

/// A person at work in the folder `my-site`.
struct Person {
    session: Session,
    port: String,
}

impl Person {
    fn new() -> Person {
        let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = (9200..9900).find(free).unwrap().to_string();
        let mut person = Person { session: Session::open(), port };
        person.types("mkdir my-site && cd my-site", 0);
        person
    }

    #[track_caller]
    fn types(&mut self, command: &str, code: i32) -> Shown {
        self.answers(command, &[], code)
    }

    #[track_caller]
    fn answers(&mut self, command: &str, answers: &[&str], code: i32) -> Shown {
        let shown = self.session.run(command, answers);
        assert_eq!(shown.code, code, "$ {command}\n{}", shown.text);
        shown
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.session.home().join("my-site").join(path)
    }

    fn reads(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    fn saves(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text.replace("8123", &self.port)).unwrap();
    }
}

#[test]
fn a_playbook_is_begun_written_checked_tested_run_and_seen_again() {
    let mut person = Person::new();
    let shown = person.types("runbook new site-up", 0);
    assert!(shown.text.contains("wrote playbooks/site-up.yaml"), "{}", shown.text);
    // What was written runs before anything is changed.
    person.types("runbook check", 0);
    person.types("runbook test", 0);
    person.types("runbook play site-up", 0);

    for (path, text) in files() {
        person.saves(&path, &text);
    }
    let shown = person.types("runbook check", 0);
    assert!(shown.text.ends_with("checked, no mistakes\n"), "{}", shown.text);
    let shown = person.types("runbook test", 0);
    assert!(shown.text.contains("4 passed"), "{}", shown.text);

    // A no starts nothing, and so does Enter.
    for no in ["no", ""] {
        let shown = person.answers("runbook play site-up", &[no], 6);
        assert!(shown.text.contains("yes or no [no]:"), "{}", shown.text);
    }
    // An answer that is none is asked for again.
    let shown = person.answers("runbook play site-up", &["perhaps", "yes", "done: it looks right"], 0);
    assert!(shown.text.contains("answer yes or no") && shown.text.contains("succeeded"), "{}", shown.text);
    let id = Regex::new(r"runs show (\S+)").unwrap().captures(&shown.text).unwrap()[1].to_owned();

    let shown = person.types("runbook runs show", 0);
    for line in ["Start the site", "The page says hello", "done by the operator: it look", &id] {
        assert!(shown.text.contains(line), "{line}: {}", shown.text);
    }
    let shown = person.types("runbook runs", 0);
    assert_eq!(shown.text.matches("site-up").count(), 4, "{}", shown.text);
    let shown = person.answers("runbook play site-up", &["yes"], 0);
    assert!(shown.text.contains("already running"), "{}", shown.text);
    person.types("runbook play site-down", 0);
    // A site that is down is found out.
    person.types("rm public/index.html", 0);
    let shown = person.types("runbook play site-up", 4);
    assert!(shown.text.contains("There is a page to show"), "{}", shown.text);
}

/// What is typed into a file of the guide.
struct Slip {
    what: &'static str,
    path: &'static str,
    right: &'static str,
    wrong: &'static str,
}

const PLAYBOOK: &str = "playbooks/site-up.yaml";
const TESTS: &str = "playbooks/tests/site-up.test.yaml";
const SYSTEM: &str = "playbooks/system.yaml";

const fn slip(what: &'static str, path: &'static str, right: &'static str, wrong: &'static str) -> Slip {
    Slip { what, path, right, wrong }
}

const SLIPS: &[Slip] = &[
    slip("a key with a slip", PLAYBOOK, "expect: size", "expct: size"),
    slip("a key with a slip in the tests", TESTS, "answers: { start: true, look", "anwsers: { start: true, look"),
    slip("a key with a slip in the system", SYSTEM, "pid_file:", "pidfile:"),
    slip("Ansible's word for an id", PLAYBOOK, "- id: start", "- register: start"),
    slip("another tool's word for a condition", PLAYBOOK, "when: steps.start.changed", "if: steps.start.changed"),
    slip("a module with a slip", PLAYBOOK, "service.start: site", "services.start: site"),
    slip("a module without its argument", PLAYBOOK, "service.start: site", "service.start:"),
    slip("a service with a slip", PLAYBOOK, "service.start: site", "service.start: sit"),
    slip("a parameter with a slip", PLAYBOOK, "http: \"{{ params.url }}\"", "http: \"{{ params.ulr }}\""),
    slip("a parameter without `params`", PLAYBOOK, "http: \"{{ params.url }}\"", "http: \"{{ url }}\""),
    slip("a step with a slip", PLAYBOOK, "steps.start.changed", "steps.strat.changed"),
    slip("a field with a slip", PLAYBOOK, "steps.start.changed", "steps.start.change"),
    slip("one `=`", PLAYBOOK, "status == 200", "status = 200"),
    slip("`&&`", PLAYBOOK, "- status == 200", "- status == 200 && elapsed < 2s"),
    slip("a number in quotes", PLAYBOOK, "status == 200", "status == \"200\""),
    slip("the word of another language", PLAYBOOK, "body is containing('Hello')", "body contains 'Hello'"),
    slip("a size without a unit", PLAYBOOK, "size > 0B", "size > 10"),
    slip("a duration without a unit", PLAYBOOK, "for: 10s }\n\n  - id: look", "for: 10 }\n\n  - id: look"),
    slip("a duration in words", PLAYBOOK, "for: 10s }\n\n  - id: look", "for: 10 seconds }\n\n  - id: look"),
    slip("a template without quotes", PLAYBOOK, "http: \"{{ params.url }}\"", "http: {{ params.url }}"),
    slip("text that begins with a template", PLAYBOOK, "note: \"{{ params.url }} is up\"", "note: {{ params.url }} is up"),
    slip("braces around an expression", PLAYBOOK, "when: steps.start.changed", "when: \"{{ steps.start.changed }}\""),
    slip("a colon in a text", PLAYBOOK, "name: Start the site", "name: Start: the site"),
    slip("no space after a colon", PLAYBOOK, "name: Start the site", "name:Start the site"),
    slip("a tab", PLAYBOOK, "    confirm: true", "\tconfirm: true"),
    slip("an indent that fits nothing", PLAYBOOK, "    confirm: true", "   confirm: true"),
    slip("an indent that is too deep", PLAYBOOK, "    confirm: true", "      confirm: true"),
    slip("an id that is given twice", PLAYBOOK, "- note: \"", "- id: page\n    note: \""),
    slip("yes for true", PLAYBOOK, "confirm: true", "confirm: yes"),
    slip("a type with a slip", PLAYBOOK, "type: url", "type: ulr"),
    slip("a playbook with a slip", TESTS, "play: site-up", "play: site-pu"),
    slip("a quote that is not closed", PLAYBOOK, "look right?\"", "look right?"),
];

/// A message of `runbook check`, as it stands on the screen.
struct Message {
    path: String,
    /// Counted from 0.
    line: usize,
    column: usize,
    marked: usize,
    help: String,
}

impl Message {
    /// The first mistake on the screen. A warning that follows from it may stand before it.
    fn read(text: &str) -> Message {
        let text = &text[text.find("error[").expect("a mistake")..];
        let place = Regex::new(r"--> (\S+):(\d+):(\d+)").unwrap().captures(text).expect("a place");
        let marked = Regex::new(r"(?m)^ *\| +(\^+)").unwrap().captures(text).expect("a mark")[1].len();
        // A long help line goes on below.
        let help = Regex::new(r"(?m)^ *= help: ((?s:.*?))\n\n").unwrap().captures(text).expect("a help line")[1].to_owned();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        Message {
            path: place[1].to_owned(),
            line: place[2].parse::<usize>().unwrap() - 1,
            column: place[3].parse::<usize>().unwrap() - 1,
            marked,
            help,
        }
    }

    /// The file as the help line says it should be. Nothing is known here of what was there before.
    fn applied(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = lines[self.line].clone();
        let marked = &line[self.column..self.column + self.marked.min(line.len() - self.column)];
        let indent = &line[..line.len() - line.trim_start().len()];
        let before = |line: &str| line.len() - line.trim_start().len();
        let says = |pattern: &str| Some(Regex::new(pattern).unwrap().captures(&self.help)?[1].to_owned());
        let instead = |with: &str| format!("{}{with}{}", &line[..self.column], &line[self.column + marked.len()..]);
        let key = Regex::new(r"^ *(- )?([\w.]+):").unwrap();

        let new = if let Some(word) = says(r"^did you mean `(.+?)`\?") {
            instead(&word)
        } else if let Some(word) = says(r"^here it is `([\w.]+):") {
            instead(&word)
        } else if self.help.contains("is not a comparison: write `==`") {
            line.replacen(" = ", " == ", 1)
        } else if self.help == "write `and` and `or` instead of `&&` and `||`" {
            line.replace("&&", "and").replace("||", "or")
        } else if let Some(bare) = says(r"^leave the (?:braces|quotes) out: `(.+)`$") {
            match line[self.column..].starts_with('"') {
                true => instead(&bare),
                false => line.replace(&format!("\"{bare}\""), &bare),
            }
        } else if let Some(unit) = says(r"^give the number a unit: `10(\w+)`") {
            Regex::new(r"(\d+)$").unwrap().replace(&line, format!("${{1}}{unit}")).into_owned()
        } else if let Some(text) = says(r"^give it a unit: `(.+?)`") {
            instead(&text)
        } else if let Some(text) = says("^write \"(.+?)\";") {
            line.replacen(&text, &format!("\"{text}\""), 1)
        } else if let Some(text) = says(r"^put the (?:whole )?value in quotes: (.+)$") {
            format!("{indent}{text}")
        } else if let Some(text) =
            says(r"^it is a parameter: write `(.+)`$").or_else(|| says(r"^write `(true|false)`, without quotes$"))
        {
            instead(&text)
        } else if let Some(text) = says(r"^write `([^`]+)`$") {
            match key.captures(&text) {
                // The whole line, an expression, or what is marked.
                Some(_) => format!("{indent}{text}"),
                None if text.contains(" is ") => format!("{indent}- {text}"),
                None => instead(&text),
            }
        } else if let Some(call) = says(r"^write `([\w.]+: )[A-Z]+`: the service, as it is called in the system$") {
            // A name is asked for, and the system names one.
            format!("{indent}{call}site")
        } else if let Some(spaces) = says(r"^indent with spaces; the line above has (\d+)$") {
            format!("{}{}", " ".repeat(spaces.parse().unwrap()), line.trim_start())
        } else if let Some(spaces) = says(r"^the lines above are indented by .*?(\d+)$") {
            format!("{}{}", " ".repeat(spaces.parse().unwrap()), line.trim_start())
        } else if self.help.starts_with("indent it like the key it belongs beside") {
            format!("{}{}", " ".repeat(before(&lines[self.line - 1])), line.trim_start())
        } else if let Some(id) = says(r"choose another one, such as `(.+)`$") {
            instead(&id)
        } else if let Some(quote) = says(r"^close it with `(.)` where the text ends$") {
            format!("{line}{quote}")
        } else {
            panic!("no fix is named: {}", self.help)
        };
        lines[self.line] = new;
        lines.iter().flat_map(|l| [l.as_str(), "\n"]).collect()
    }
}

#[test]
fn each_mistake_is_put_right_by_what_its_message_says() {
    let mut person = Person::new();
    for (path, text) in files() {
        person.saves(&path, &text);
    }
    person.types("runbook check", 0);
    let mut unlike = Vec::new();
    for slip in SLIPS {
        let right = person.reads(slip.path);
        assert!(right.contains(slip.right), "{}: `{}` is not in the guide", slip.what, slip.right);
        person.saves(slip.path, &right.replacen(slip.right, slip.wrong, 1));
        let shown = person.types("runbook check", 3);
        assert!(shown.text.contains("found 1 error") && shown.text.contains("nothing was run."), "{}: {}", slip.what, shown.text);
        // Nothing of a playbook with a mistake is run.
        let message = Message::read(&shown.text);
        assert_eq!(message.path, slip.path, "{}", shown.text);
        let fixed = message.applied(&person.reads(&message.path));
        person.saves(&message.path, &fixed);
        let shown = person.session.run("runbook check", &[]);
        if !shown.text.contains("checked, no mistakes") {
            unlike.push(format!("{} ({}):\n{}", slip.what, message.help, shown.text));
        }
        person.saves(slip.path, &right);
    }
    assert!(unlike.is_empty(), "{}", unlike.join("\n"));
    // The files are as they were, and the playbook passes its tests.
    person.types("runbook test", 0);
}

#[test]
fn a_playbook_with_a_mistake_is_not_run_and_its_tests_say_so() {
    let mut person = Person::new();
    for (path, text) in files() {
        person.saves(&path, &text);
    }
    let right = person.reads(PLAYBOOK);
    person.saves(PLAYBOOK, &right.replacen("expect: size", "expct: size", 1));
    for command in ["runbook play site-up", "runbook show site-up", "runbook test"] {
        let shown = person.types(command, 3);
        assert!(shown.text.contains("did you mean `expect`?"), "{command}: {}", shown.text);
    }
    let shown = person.types("runbook runs", 0);
    assert!(!shown.text.contains("site-up"), "{}", shown.text);
}
