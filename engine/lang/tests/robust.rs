//! No text, however broken, makes the checker panic, hang, or reject without a place.

mod common;

use std::sync::LazyLock;

use proptest::prelude::*;
use runbook_core::module::Registry;
use runbook_lang::{Checked, MemoryLoader, Options, check_file, index};

/// Files to begin edits with.
const GOOD: &[&str] =
    &[include_str!("good/everything.yaml"), include_str!("good/checklist.yaml"), include_str!("good/tree.yaml"), common::OTHER];

static REGISTRY: LazyLock<Registry> = LazyLock::new(common::registry);

fn check(main: &[u8], system: &[u8]) -> Checked {
    let files = [
        ("playbooks/demo/main.yaml", main.to_vec()),
        ("playbooks/demo/system.yaml", system.to_vec()),
        ("playbooks/demo/other.yaml", common::OTHER.as_bytes().to_vec()),
    ];
    let loader = MemoryLoader::new(files);
    let _ = index(&loader);
    let checked = check_file(&loader, "demo/main", &REGISTRY, &Options::default());
    for d in &checked.diagnostics {
        let span = d.span.unwrap_or_else(|| panic!("{} has no place", d.message));
        let source = checked.sources.get(span.source).expect("a source");
        assert!(span.end as usize <= source.text.len(), "{} lies outside", d.message);
        assert!(source.text.is_char_boundary(span.start as usize), "{} at {}", d.message, span.start);
        assert!(source.text.is_char_boundary(span.end as usize), "{} to {}", d.message, span.end);
        assert!(!d.message.is_empty() && !d.message.contains('\n'), "{:?}", d.message);
        for other in &d.others {
            assert!(checked.sources.get(other.span.source).is_some_and(|s| other.span.end as usize <= s.text.len()));
        }
    }
    checked
}

/// One edit of a text: delete, insert, replace, cut, swap lines, change an indent.
fn edit(text: &str, kind: u8, at: usize, with: &str) -> Vec<u8> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = at % lines.len().max(1);
    let bytes = text.as_bytes();
    let place = at % bytes.len().max(1);
    match kind {
        0 => {
            lines.remove(line);
        }
        1 => lines[line].insert(0, ' '),
        2 => {
            if lines[line].starts_with(' ') {
                lines[line].remove(0);
            }
        }
        3 => return [&bytes[..place], with.as_bytes(), &bytes[place..]].concat(),
        4 => return bytes[..place].to_vec(),
        5 => return [&bytes[..place], &bytes[(place + 1).min(bytes.len())..]].concat(),
        6 => {
            let other = (line + 1) % lines.len();
            lines.swap(line, other);
        }
        7 => {
            if let Some(colon) = lines[line].find(':') {
                let (head, tail) = lines[line].split_at(colon);
                lines[line] = format!("{head}{with}{tail}");
            }
        }
        8 => {
            if let Some(colon) = lines[line].find(": ") {
                lines[line] = format!("{}: {with}", &lines[line][..colon]);
            }
        }
        _ => lines.insert(line, with.to_owned()),
    }
    lines.join("\n").into_bytes()
}

fn pieces() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "{{",
            "}}",
            "{%",
            "[",
            "]",
            "{",
            "}",
            "'",
            "\"",
            "|",
            ">",
            "&a",
            "*a",
            "!x",
            "#",
            ":",
            "- ",
            "? ",
            "\t",
            "\\",
            "é",
            "\u{202e}",
            "\0",
            "---",
            "null",
            "[]",
            "{}",
            "5",
            "-1s",
            "true",
            "{{ x }}",
            "{{ steps.x.y }}",
            "{{ services[params.service]. }}",
            "not not",
            "a | b(c=",
            "<<",
            "99999999999999999999",
            "steps: [{block: []}]",
            "\u{1F600}",
            "$(",
            "<<EOF",
            "${{",
            "item.",
            "'{{ gateway }}'",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes, &bytes);
    }

    #[test]
    fn random_yaml(text in "([ \\-:\\[\\]{}'\"|>&*!#%a-c0-2\n\t]|steps|: |\n  - ){0,80}") {
        check(text.as_bytes(), text.as_bytes());
        check(format!("playbook: A\nsteps:\n  - {text}\n").as_bytes(), common::SYSTEM.as_bytes());
    }

    #[test]
    fn random_expressions(text in "([a-z]{1,3}|[0-9]{1,3}|[-+*/%~|.<>=!()\\[\\]{},:'\" ]| and | or | not | is | in | if | else |7d|steps|params){0,30}") {
        let text = text.replace('\'', "''");
        check(format!("playbook: A\nsteps:\n  - when: '{text}'\n    note: 'x {{{{ {text} }}}}'\n  - shell: '{text} {{{{ gateway }}}} {text}'\n").as_bytes(), common::SYSTEM.as_bytes());
    }

    #[test]
    fn random_edits(file in 0..GOOD.len(), edits in prop::collection::vec((0..10u8, any::<usize>(), pieces()), 1..4)) {
        let mut bytes = GOOD[file].as_bytes().to_vec();
        for (kind, at, with) in edits {
            if let Ok(text) = std::str::from_utf8(&bytes) && !text.is_empty() {
                bytes = edit(text, kind, at, &with);
            }
        }
        check(&bytes, common::SYSTEM.as_bytes());
    }

    #[test]
    fn random_edits_of_a_system(kind in 0..10u8, at in any::<usize>(), with in pieces()) {
        check(GOOD[0].as_bytes(), &edit(common::SYSTEM, kind, at, &with));
    }
}

#[test]
fn large_files_are_checked_in_time() {
    let mut text = String::from("playbook: A\nparams: { p: { type: string } }\nsteps:\n");
    for i in 0..10_000 {
        let id = if i % 2 == 0 { format!("id: s{i}\n    ") } else { String::new() };
        text.push_str(&format!(
            "  - {id}name: \"Step {i} {{{{ params.p }}}}\"\n    http: \"{{{{ gateway }}}}/x{i}\"\n    expect: [status == 200, json.ok]\n    retry: {{ for: 30s, every: 1s }}\n"
        ));
        if i % 2 == 1 {
            text.push_str(&format!("    when: steps.s{}.status == 200\n", i - 1));
        }
    }
    let loader = MemoryLoader::new([("playbooks/demo/main.yaml", text.as_str()), ("playbooks/demo/system.yaml", common::SYSTEM)]);
    let began = std::time::Instant::now();
    let checked = check_file(&loader, "main", &REGISTRY, &Options::default());
    let took = began.elapsed();
    assert!(checked.diagnostics.is_empty(), "{:?}", &checked.diagnostics[..3.min(checked.diagnostics.len())]);
    // Half a second with optimisation on an idle machine; many times that without.
    let limit = if cfg!(debug_assertions) { 60.0 } else { 2.0 };
    assert!(took.as_secs_f64() < limit, "{took:?}");

    let mut graph = String::from("playbook: A\nsteps:\n  - parallel:\n");
    for i in 0..5_000 {
        let (needs, uses) = if i == 0 { (4_999, 1) } else { (i - 1, 0) };
        graph.push_str(&format!("      - {{ id: s{i}, needs: [s{needs}], note: \"{{{{ steps.s{uses}.outcome }}}}\" }}\n"));
    }
    let checked = check(graph.as_bytes(), common::SYSTEM.as_bytes());
    assert_eq!(checked.diagnostics.len(), 1);
    assert_eq!(checked.diagnostics[0].code.as_str(), "E0404");
}
