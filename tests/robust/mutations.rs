//! Ten thousand random edits of the shipped playbooks and of all fixtures: no panic, no mistake without its place, nothing is run, what
//! is accepted can be shown, and the formatter never changes what a file says.
//!
//!     RUNBOOK_SEED=7 RUNBOOK_EDITS=100000 cargo test --test suite mutations     # others, and more of them

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use runbook_core::module::Registry;
use runbook_lang::{MemoryLoader, NotFormatted, Options};
use runbook_report::{ColorChoice, Facts, TermPolicy};

/// How many edits there are.
const EDITS: usize = 10_000;
/// What the edits are drawn from. Each edit has a number of its own, so that one that fails can be made again.
const SEED: u64 = 20_260_215;

/// Random numbers (SplitMix64), the same ones each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A file to begin with, with the files beside it.
struct Original {
    path: String,
    text: String,
    beside: Vec<(String, String)>,
}

/// Scalars to put in the place of others, and pieces to put between.
const SCALARS: &[&str] = &[
    "",
    "null",
    "true",
    "no",
    "0",
    "-1",
    "1.5",
    "99999999999999999999",
    "\"\"",
    "''",
    "[]",
    "{}",
    "[[]]",
    "{ a: b }",
    "30s",
    "-1s",
    "1h30m",
    "10MB",
    "\"{{ x }}\"",
    "\"{{\"",
    "{{ x }}",
    "\"{{ steps.x.y }}\"",
    "\"{% raw %}\"",
    "status == 200",
    "1 = 2",
    "not not",
    "a | b(c=",
    "[a, b",
    "'open",
    "*x",
    "&x y",
    "!!str x",
    "|",
    ">",
    "service.start",
    "stack-start",
    "../x",
    "http://",
    "(",
    "$(x)",
    "2026-02-30T00:00:00Z",
    "* * * * *",
    "$..[",
    "\"\\u0000\"",
    "é",
    "\u{1F600}",
    "always",
    "[shell: x]",
    "goto: x",
];

/// The keys of the language, and some others.
const KEYS: &[&str] = &[
    "playbook",
    "steps",
    "checks",
    "triage",
    "params",
    "vars",
    "system",
    "services",
    "name",
    "id",
    "when",
    "for_each",
    "as",
    "order",
    "block",
    "parallel",
    "play",
    "with",
    "set",
    "ask",
    "manual",
    "note",
    "fail",
    "stop",
    "wait",
    "command",
    "shell",
    "http",
    "retry",
    "timeout",
    "expect",
    "grade",
    "undo",
    "rescue",
    "always",
    "verify",
    "needs",
    "every",
    "confirm",
    "effect",
    "touches",
    "save",
    "sensitive",
    "outputs",
    "lock",
    "permissions",
    "schedule",
    "env",
    "yes",
    "no",
    "cases",
    "choices",
    "finding",
    "remedy",
    "see",
    "test",
    "world",
    "cmd",
    "if",
    "loop",
    "register",
];

/// One edit of a text.
fn edit(text: &str, others: &[Original], random: &mut Random) -> Vec<u8> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = random.below(lines.len());
    let mut at = random.below(text.len() + 1);
    let bytes = text.as_bytes();
    let with = |replacement: &str| -> Vec<u8> {
        let mut all: Vec<&str> = lines.clone();
        all[line] = replacement;
        all.concat().into_bytes()
    };
    if lines.is_empty() {
        return b"x".to_vec();
    }
    let (head, value) = lines[line].split_once(':').unwrap_or((lines[line].trim_end_matches('\n'), "\n"));
    let _ = value;
    match random.below(13) {
        // A line is left out, doubled, moved, or indented otherwise.
        0 => with(""),
        1 => with(&lines[line].repeat(2)),
        2 => {
            let mut all = lines.clone();
            all.swap(line, random.below(lines.len()));
            all.concat().into_bytes()
        }
        3 => with(&format!("{}{}", " ".repeat(1 + random.below(4)), lines[line])),
        4 => with(lines[line].strip_prefix(&" ".repeat(1 + random.below(3))).unwrap_or(lines[line].trim_start())),
        // The text ends early.
        5 => bytes[..at].to_vec(),
        // A byte comes, goes, or becomes another.
        6 => [&bytes[..at], &[random.next() as u8], &bytes[at..]].concat(),
        7 => [&bytes[..at], &bytes[(at + 1).min(bytes.len())..]].concat(),
        8 => {
            at = at.min(bytes.len() - 1);
            let mut bytes = bytes.to_vec();
            bytes[at] = *random.pick(b":-[]{}'\"|>&*!#%@`,? \t\n\\0a$(=");
            bytes
        }
        // A value or a key becomes another.
        9 | 10 => with(&format!("{head}: {}\n", random.pick(SCALARS))),
        11 => {
            let indent = &lines[line][..lines[line].len() - lines[line].trim_start_matches([' ', '-']).len()];
            let rest = lines[line].split_once(':').map_or(" x\n", |(_, rest)| rest);
            with(&format!("{indent}{}:{rest}", random.pick(KEYS)))
        }
        // A few lines of another file.
        _ => {
            let other: Vec<&str> = random.pick(others).text.split_inclusive('\n').collect();
            let from = random.below(other.len());
            let piece = other[from..(from + 1 + random.below(6)).min(other.len())].concat();
            [lines[..line].concat(), piece, lines[line..].concat()].concat().into_bytes()
        }
    }
}

/// Every YAML file below a folder of the repository.
fn below(folder: &str) -> Vec<PathBuf> {
    let (mut todo, mut found) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)], Vec::new());
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A playbook each of whose steps would leave a file behind, if it were run.
fn canary(mark: &Path) -> String {
    let mark = mark.display();
    format!(
        "playbook: Leaves something behind\nvars: {{ where: \"{mark}\" }}\nsteps:\n  - command: [touch, \"{mark}/a\"]\n  - shell: touch {mark}/b\n  - file.write: {{ path: \"{mark}/c\", content: x }}\n  - dir.create: \"{{{{ where }}}}/d\"\n  - save: \"{mark}/e\"\n    http: http://127.0.0.1:9/\nalways:\n  - command: {{ argv: [touch, \"{mark}/f\"], effect: read }}\n"
    )
}

/// The files to begin with: what is shipped, with what it names beside it, and the fixtures, with a system that knows their names.
fn originals(mark: &Path) -> Vec<Original> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped: Vec<(String, String)> = below("playbooks")
        .iter()
        .map(|path| (path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), read(path).unwrap()))
        .collect();
    // Beside a playbook lie its system and those that it names: all of them, for each of ten thousand edits, would be a thousand times the work.
    let named = |text: &str, path: &str| {
        let stem = Path::new(path).file_name().unwrap().to_str().unwrap().trim_end_matches(".yaml").trim_end_matches(".test");
        stem == "system" || text.contains(stem)
    };
    let mut out: Vec<Original> = shipped
        .iter()
        .map(|(path, text)| {
            let beside = shipped.iter().filter(|(other, _)| other != path && named(text, other)).cloned().collect();
            Original { path: path.clone(), text: text.clone(), beside }
        })
        .collect();
    let project = |name: &str| read(&root.join("tests/bad/project").join(name)).unwrap();
    let beside = vec![
        ("playbooks/demo/system.yaml".to_owned(), project("system.yaml")),
        ("playbooks/demo/other.yaml".to_owned(), project("other.yaml")),
        ("playbooks/demo/main.yaml".to_owned(), "playbook: A\nsteps:\n  - note: x\n".to_owned()),
    ];
    for path in below("engine/lang/tests/good").into_iter().chain(below("tests/bad")) {
        // Some are no text at all.
        let Some(text) = read(&path).filter(|t| !t.is_empty()) else { continue };
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = match () {
            () if stem.ends_with(".test") => "playbooks/demo/tests/main.test.yaml",
            () if stem.starts_with("system") => "playbooks/demo/system.yaml",
            () => "playbooks/demo/main.yaml",
        };
        out.push(Original { path: file.to_owned(), text, beside: beside.clone() });
    }
    out.push(Original { path: "playbooks/demo/main.yaml".to_owned(), text: canary(mark), beside });
    out
}

/// Checks a text in the place of a file; whether it is accepted.
fn survives(original: &Original, text: &[u8], registry: &Registry, policy: &TermPolicy) -> bool {
    let files: Vec<(String, Vec<u8>)> = original
        .beside
        .iter()
        .filter(|(path, _)| *path != original.path)
        .map(|(path, text)| (path.clone(), text.clone().into_bytes()))
        .chain([(original.path.clone(), text.to_vec())])
        .collect();
    let loader = MemoryLoader::new(files);
    runbook_lang::index(&loader).unwrap();
    let checked = runbook_lang::check_all(&loader, registry, &Options::default());
    for d in &checked.diagnostics {
        let span = d.span.unwrap_or_else(|| panic!("`{}` has no place", d.message));
        let source = checked.sources.get(span.source).unwrap();
        assert!(span.end as usize <= source.text.len(), "`{}` lies outside", d.message);
        assert!(source.text.is_char_boundary(span.start as usize) && source.text.is_char_boundary(span.end as usize));
        let place = checked.sources.place(span).unwrap();
        assert!(place.line > 0 && place.column > 0 && !place.file.is_empty());
        assert!(!d.message.is_empty() && !d.message.contains('\n'), "{:?}", d.message);
    }
    let human = runbook_report::diagnostic::human(&checked.diagnostics, &checked.sources, policy);
    assert_eq!(human.is_empty(), checked.diagnostics.is_empty());
    let json = runbook_report::diagnostic::json(&checked.diagnostics, &checked.sources);
    let _: serde_json::Value = serde_json::from_str(&json).unwrap();

    // The formatter: what it can read it lays out, once and for all.
    match runbook_lang::format("a.yaml", text) {
        Ok(new) => assert_eq!(runbook_lang::format("a.yaml", new.as_bytes()).unwrap(), new, "not the same the second time"),
        Err(NotFormatted::Broken(failed)) => assert!(failed.diagnostics.iter().all(|d| d.span.is_some())),
        Err(NotFormatted::Unsafe(what)) => panic!("the formatter would have changed it: {what}"),
    }

    let name = original.path.strip_prefix("playbooks/").and_then(|p| p.strip_suffix(".yaml")).unwrap();
    let Ok(loaded) = runbook_lang::load(&loader, name, registry, &Options::default()) else { return false };
    let given = runbook_core::inputs::Given::default();
    let known = runbook_report::Known::new(loaded.plan.root_unit(), &given);
    let shown = runbook_report::show::Shown { plan: &loaded.plan, registry, known };
    let _: serde_json::Value = serde_json::from_str(&runbook_report::show::json(&shown)).unwrap();
    assert!(!runbook_report::show::show(&shown, policy).is_empty());
    true
}

#[test]
#[expect(clippy::print_stdout, reason = "a run that fails says its seed")]
fn ten_thousand_random_edits() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seed = number("RUNBOOK_SEED").unwrap_or(SEED);
    let edits = number("RUNBOOK_EDITS").map_or(EDITS, |n| n as usize);
    let only = number("RUNBOOK_EDIT").map(|n| n as usize);
    let mark = tempfile::tempdir().unwrap();
    let originals = originals(mark.path());
    let registry = runbook_modules::builtins();
    let policy = TermPolicy::from_facts(&Facts {
        env: &std::collections::BTreeMap::new(),
        is_tty: false,
        stdin_tty: false,
        stderr_tty: false,
        width: Some(80),
        color: ColorChoice::Never,
        plain: false,
        no_input: true,
    });
    println!("seed {seed}, {edits} edits of {} files", originals.len());
    let (next, accepted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            // As deep as the main thread: what overflows here overflows there.
            std::thread::Builder::new()
                .stack_size(8 << 20)
                .spawn_scoped(scope, || {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        if i >= edits {
                            return;
                        }
                        if only.is_some_and(|only| only != i) {
                            continue;
                        }
                        let mut random = Random(seed.wrapping_add((i as u64).wrapping_mul(0x2545_F491_4F6C_DD1D)));
                        let original = &originals[i % originals.len()];
                        let text = edit(&original.text, &originals, &mut random);
                        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            survives(original, &text, &registry, &policy)
                        }));
                        match outcome {
                            Ok(true) => drop(accepted.fetch_add(1, Ordering::Relaxed)),
                            Ok(false) => {}
                            Err(_) => panic!(
                                "edit {i} of {} (RUNBOOK_SEED={seed} RUNBOOK_EDIT={i}):\n{}",
                                original.path,
                                String::from_utf8_lossy(&text)
                            ),
                        }
                    }
                })
                .unwrap();
        }
    });
    let left: Vec<_> = std::fs::read_dir(mark.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "something was run: {left:?}");
    // Edits that are all refused, or none, would say little.
    let accepted = accepted.into_inner();
    if only.is_none() {
        assert!((edits / 50..edits * 4 / 5).contains(&accepted), "{accepted} of {edits} were accepted");
    }
}
