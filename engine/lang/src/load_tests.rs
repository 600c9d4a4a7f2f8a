//! Loading whole projects from memory.

use runbook_core::expr::{Expr, MapScope};
use runbook_core::model::{ArgKind, Contents};
use runbook_core::value::Value;

use crate::testing::{OTHER, SYSTEM, registry};
use crate::{Failed, Loaded, MemoryLoader, Options, PlaybookKind, check_all, check_file, index, load};

fn project(files: &[(&str, &str)]) -> MemoryLoader {
    MemoryLoader::new(files.iter().map(|(p, t)| (format!("playbooks/{p}"), t.as_bytes().to_vec())))
}

fn demo(main: &str) -> MemoryLoader {
    project(&[("demo/main.yaml", main), ("demo/system.yaml", SYSTEM), ("demo/other.yaml", OTHER)])
}

fn loaded(loader: &MemoryLoader, name: &str) -> Loaded {
    load(loader, name, &registry(), &Options::default()).unwrap_or_else(|f| panic!("{:?}", said(&f)))
}

fn failed(loader: &MemoryLoader, name: &str) -> Vec<String> {
    said(&load(loader, name, &registry(), &Options::default()).expect_err("it must fail"))
}

fn said(failed: &Failed) -> Vec<String> {
    failed.diagnostics.iter().map(|d| format!("{} {}", d.code, d.message)).collect()
}

const NOTE: &str = "playbook: A\nsteps:\n  - note: a\n";

#[test]
fn a_plan_has_everything_that_is_played() {
    let loader = demo("playbook: A\nsteps:\n  - play: other\n    with: { service: api }\n");
    let plan = loaded(&loader, "main").plan;
    assert_eq!(plan.root, "demo/main");
    assert_eq!(plan.units.keys().collect::<Vec<_>>(), ["demo/main", "demo/other"]);
    assert_eq!(plan.resolve("demo/main", "other").expect("resolved").playbook.name, "other");
    assert_eq!(plan.root_unit().system.name, "demo");
    assert_eq!(plan.digest.len(), 64);
    let names: Vec<&str> = plan.sources.iter().map(|(_, s)| s.name.as_str()).collect();
    assert_eq!(names, ["playbooks/demo/main.yaml", "playbooks/demo/system.yaml", "playbooks/demo/other.yaml"]);
    assert_eq!(loaded(&loader, "demo/main").plan.digest, plan.digest);
    assert_eq!(loaded(&loader, "playbooks/demo/main.yaml").plan.root, "demo/main");
    let changed = demo("playbook: B\nsteps:\n  - play: other\n    with: { service: api }\n");
    assert_ne!(loaded(&changed, "main").plan.digest, plan.digest);
}

#[test]
fn names_are_looked_up_near_by_first() {
    let play = "playbook: A\nsteps:\n  - play: stop\n";
    let loader = project(&[("a/main.yaml", play), ("a/stop.yaml", NOTE), ("b/stop.yaml", NOTE), ("c/far.yaml", play)]);
    assert_eq!(loaded(&loader, "main").plan.units.keys().collect::<Vec<_>>(), ["a/main", "a/stop"]);
    assert_eq!(failed(&loader, "stop"), ["E0407 `stop` could be `a/stop` or `b/stop`"]);
    assert_eq!(failed(&loader, "far"), ["E0407 `stop` could be `a/stop` or `b/stop`"]);
    assert_eq!(failed(&loader, "man"), ["E0405 there is no playbook `man`"]);
    assert_eq!(failed(&project(&[]), "x"), ["E0405 there is no playbook `x`"]);
    assert_eq!(failed(&loader, "gone.yaml"), ["E0001 cannot read `gone.yaml`: it does not exist"]);
}

#[test]
fn playbooks_that_play_each_other_are_refused() {
    let loader = project(&[
        ("a.yaml", "playbook: A\nsteps:\n  - play: b\n"),
        ("b.yaml", "playbook: B\nsteps:\n  - block:\n      - play: c\n"),
        ("c.yaml", "playbook: C\nalways:\n  - play: a\nsteps:\n  - note: x\n"),
    ]);
    assert_eq!(failed(&loader, "a"), ["E0404 a cycle: a → b → c → a"]);
}

#[test]
fn the_mistakes_of_all_files_are_reported() {
    let bad = "playbook: A\nsteps:\n  - play: other\n    with: { service: api }\n  - note: \"{{ nme }}\"\n";
    let system = SYSTEM.replace("needs: [db]", "needs: [dbb]");
    let loader = project(&[
        ("demo/main.yaml", bad),
        ("demo/system.yaml", &system),
        ("demo/other.yaml", &OTHER.replace("steps.look", "steps.lok")),
    ]);
    let said = failed(&loader, "main");
    assert_eq!(
        said,
        ["E0401 `nme` is not defined here", "E0406 the system has no service `dbb`", "E0402 there is no step `lok`",]
    );
}

#[test]
fn a_broken_system_is_reported_once_and_nothing_after_it() {
    let loader = project(&[
        ("demo/main.yaml", "playbook: A\nsteps:\n  - note: \"{{ gateway }} {{ services.x.port }}\"\n"),
        ("demo/system.yaml", "system: [\n"),
    ]);
    let said = failed(&loader, "main");
    assert_eq!(said, ["E0101 the bracket `[` is never closed"]);
    let loader = project(&[("demo/main.yaml", "playbook: A\nsystem: nope\nsteps:\n  - note: a\n")]);
    assert_eq!(failed(&loader, "main"), ["E0001 cannot read `playbooks/nope/system.yaml`: it does not exist"]);
    let loader = project(&[
        ("x/main.yaml", "playbook: A\nsystem: demo\nsteps:\n  - note: \"{{ gateway }}\"\n"),
        ("demo/system.yaml", SYSTEM),
    ]);
    assert_eq!(loaded(&loader, "main").plan.root_unit().system.name, "demo");
}

#[test]
fn profiles_are_laid_over_the_system() {
    let loader = demo(NOTE);
    let options = Options { profile: Some("staging".into()) };
    let plan = load(&loader, "main", &registry(), &options).expect("loads").plan;
    let system = &plan.root_unit().system;
    assert_eq!(system.profile.as_deref(), Some("staging"));
    let gateway = system.vars.iter().find(|(n, _)| n.value == "gateway").expect("gateway");
    assert_eq!(gateway.1.as_literal_str(), Some("http://127.0.0.1:9000"));
    let port =
        |id: &str| system.services[id].fields.iter().find(|(k, _)| k.value == "port").map(|(_, a)| a.skeleton().to_string());
    assert_eq!((port("api"), port("db")), (Some("9001".into()), Some("5432".into())));
    assert_eq!(system.services.keys().collect::<Vec<_>>(), ["db", "cache", "api", "ollama"]);
    let options = Options { profile: Some("stagng".into()) };
    let failed = load(&loader, "main", &registry(), &options).expect_err("unknown");
    assert_eq!(said(&failed), ["E0604 there is no profile `stagng`"]);
}

#[test]
fn services_have_their_defaults_and_their_own() {
    let plan = loaded(&demo(NOTE), "main").plan;
    let system = &plan.root_unit().system;
    let api = &system.services["api"];
    let field = |key: &str| api.fields.iter().find(|(k, _)| k.value == key).map(|(_, a)| a);
    assert!(field("manager").is_some() && field("vars").is_some());
    assert_eq!(api.needs.iter().map(|n| n.value.as_str()).collect::<Vec<_>>(), ["db", "cache"]);
    assert_eq!(api.ready.len(), 1);
    assert!(api.present.is_empty());
    assert_eq!(system.services["ollama"].ready.len(), 1);
    let latency = &system.thresholds[1].1;
    assert!(matches!(latency.get("target").expect("target").kind, ArgKind::Value(Value::Duration(_))));
}

#[test]
fn short_forms_and_shell_text_are_decoded() {
    let plan = loaded(
        &demo("playbook: A\nsteps:\n  - http: http://a/\n  - shell: echo {{ root }}\n  - memory:\n  - command: [ls]\n"),
        "main",
    )
    .plan;
    let Contents::Steps(steps) = &plan.root_unit().playbook.contents else { panic!("steps") };
    let arg = |i: usize, key: &str| match &steps[i].body {
        runbook_core::model::Body::Module(call) => call.args.get(key).map(|a| a.kind.clone()),
        _ => None,
    };
    assert!(matches!(arg(0, "url"), Some(ArgKind::Value(Value::Str(_)))));
    assert!(matches!(arg(1, "script"), Some(ArgKind::Shell(_))));
    assert!(arg(2, "x").is_none());
    assert!(matches!(arg(3, "argv"), Some(ArgKind::List(_))));
}

#[test]
fn the_index_lists_broken_files_as_such() {
    let loader = project(&[
        ("demo/a.yaml", "playbook: Start\ntags: [x]\nparams: { p: { required: true } }\nsteps: []\n"),
        ("demo/b.yaml", "playbook: Look\nchecks: []\n"),
        ("demo/c.yaml", "playbook: [\n"),
        ("demo/d.yaml", "x: 1\n"),
        ("demo/system.yaml", "system: demo\n"),
    ]);
    let list = index(&loader).expect("a list");
    assert_eq!(list[0].title, "Start");
    assert_eq!(list[0].kind, Some(PlaybookKind::Procedure));
    assert_eq!(list[0].system.as_deref(), Some("demo"));
    assert_eq!(list[0].params, [("p".to_owned(), true)]);
    assert_eq!(list[1].kind.map(PlaybookKind::word), Some("checklist"));
    assert!(list[2].broken.as_deref().expect("broken").starts_with("line 1: the bracket"), "{:?}", list[2].broken);
    assert!(list[3].broken.is_some());
}

#[test]
fn checking_everything_reports_each_file_once() {
    let loader = demo("playbook: A\nsteps:\n  - play: other\n    with: { service: api }\n");
    let checked = check_all(&loader, &registry(), &Options::default());
    assert_eq!(checked.playbooks, ["demo/main", "demo/other"]);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
}

#[test]
fn a_warning_is_silenced_by_a_comment() {
    let text = "playbook: A\nsteps:\n  # runbook: allow W0102\n  - when: true\n    note: a\n  - when: false\n    note: b\n";
    let warnings = loaded(&project(&[("a.yaml", text)]), "a").warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code.as_str(), "W0102");
}

#[test]
fn long_expressions_cost_no_stack() {
    let forms = |n: usize| {
        [
            "1+".repeat(n) + "1",
            "a".to_owned() + &"|d".repeat(n),
            "a".to_owned() + &".b".repeat(n),
            "a and ".repeat(n) + "a",
            "a is d and ".repeat(n / 2) + "a",
            "a == ".repeat(n / 2) + "a",
            "a if a else ".repeat(n) + "a",
            "not ".repeat(n.min(90)) + "a",
            "(".repeat(n.min(90)) + "a" + &")".repeat(n.min(90)),
            "[".repeat(n.min(90)) + "a" + &"]".repeat(n.min(90)),
            "a[".repeat(n.min(90)) + "a" + &"]".repeat(n.min(90)),
        ]
    };
    for text in forms(118).into_iter().chain(forms(240)).chain(forms(1000)) {
        let bare = text;
        let text = format!("playbook: A\nvars: {{ a: 1 }}\nsteps:\n  - note: \"{{{{ {bare} }}}}\"\n");
        let _ = load(&project(&[("a.yaml", &text)]), "a", &registry(), &Options::default());
        if let Ok(expr) = Expr::parse_standalone(&bare) {
            let scope = MapScope {
                map: std::sync::Arc::new([("a".to_owned(), Value::Int(1))].into_iter().collect()),
                now: jiff::Timestamp::UNIX_EPOCH,
            };
            let _ = (expr.eval(&scope), expr.seen(&scope));
        }
    }
}

#[test]
fn a_tree_loads_what_its_remedies_propose_and_its_caller_knows_its_findings() {
    let tree = "playbook: T\ntriage:\n  ask: Up?\n  no: { finding: down, remedy: { play: fix } }\n";
    let fix = "playbook: F\nsteps:\n  - play: caller\n";
    let caller = |finding: &str| {
        format!("playbook: C\nsteps:\n  - id: t\n    play: tree\n  - note: Down\n    when: \"'{finding}' in steps.t.findings\"\n")
    };
    // The remedy leads back to the caller; it never runs by itself, so that is no cycle.
    let found = caller("down");
    let loader = project(&[("tree.yaml", tree), ("fix.yaml", fix), ("caller.yaml", &found)]);
    let units = loaded(&loader, "caller").plan.units;
    assert_eq!(units.keys().collect::<Vec<_>>(), ["caller", "tree", "fix"]);
    let other = caller("dwon");
    let loader = project(&[("tree.yaml", tree), ("fix.yaml", fix), ("caller.yaml", &other)]);
    let said = check_file(&loader, "caller", &registry(), &Options::default()).diagnostics;
    assert_eq!(said.iter().map(|d| d.code.as_str()).collect::<Vec<_>>(), ["E0409"]);
    assert_eq!(said[0].help.as_deref(), Some("did you mean `down`?"));
}

#[test]
fn large_trees_are_checked_in_little_time() {
    let mut list = String::from("playbook: A\ntriage:\n");
    let mut cases = String::from("playbook: A\ntriage:\n  ask: Which?\n  choices: [\"{{ 1 }}\"]\n  cases:\n");
    let mut gotos = String::from("playbook: A\ntriage:\n");
    for i in 0..4_000 {
        list.push_str(&format!("  - ask: Q\n    id: q{i}\n    when: \"'f{i}' not in findings\"\n    no: {{ finding: f{i} }}\n"));
        cases.push_str(&format!("    c{i}: {{ finding: f{i}, id: n{i} }}\n"));
        gotos.push_str(&format!(
            "  - ask: Q\n    id: q{i}\n    no: {{ goto: x{i} }}\n    yes: {{ goto: q{} }}\n",
            (i * 7) % 4_000
        ));
    }
    let began = std::time::Instant::now();
    for text in [list, cases, gotos] {
        let _ = load(&project(&[("a.yaml", &text)]), "a", &registry(), &Options::default());
    }
    // Quadratic work would take minutes here; the bound is wide, so that a busy machine passes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
