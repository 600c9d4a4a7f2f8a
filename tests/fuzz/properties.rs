//! What must hold for any bytes. Used by the fuzz targets, and by the tests on every fixture.
#![allow(dead_code, reason = "each target uses one of them")]

use std::sync::LazyLock;

use runbook_core::module::Registry;
use runbook_lang::{MemoryLoader, NotFormatted, Options};
use runbook_report::{ColorChoice, Facts, TermPolicy};

static REGISTRY: LazyLock<Registry> = LazyLock::new(runbook_modules::builtins);

const SYSTEM: &str = include_str!("../bad/project/system.yaml");
const OTHER: &str = include_str!("../bad/project/other.yaml");

/// Checks the bytes as a playbook, as a system and as a test file.
pub(crate) fn check(data: &[u8]) {
    let policy = TermPolicy::from_facts(&Facts {
        env: &std::collections::BTreeMap::new(),
        is_tty: false,
        stdin_tty: false,
        stderr_tty: false,
        width: Some(60),
        color: ColorChoice::Never,
        plain: false,
        no_input: true,
    });
    // The first byte says what it is, so that each kind is reached in its own way.
    let (kind, rest) = data.split_first().map_or((0, data), |(first, rest)| (first % 4, rest));
    let main: &[u8] = b"playbook: A\nsteps:\n  - note: x\n";
    let (path, text): (&str, &[u8]) = match kind {
        1 => ("playbooks/demo/system.yaml", rest),
        2 => ("playbooks/demo/tests/main.test.yaml", rest),
        _ => ("playbooks/demo/main.yaml", rest),
    };
    let mut files = vec![
        ("playbooks/demo/system.yaml", SYSTEM.as_bytes()),
        ("playbooks/demo/other.yaml", OTHER.as_bytes()),
        ("playbooks/demo/main.yaml", main),
    ];
    files.retain(|(p, _)| *p != path);
    files.push((path, text));
    let loader = MemoryLoader::new(files);
    let _ = runbook_lang::index(&loader);
    let checked = runbook_lang::check_all(&loader, &REGISTRY, &Options::default());
    for d in &checked.diagnostics {
        let span = d.span.expect("a mistake without a place");
        let source = checked.sources.get(span.source).expect("a place without a source");
        assert!(span.end as usize <= source.text.len(), "{}", d.message);
        assert!(source.text.is_char_boundary(span.start as usize) && source.text.is_char_boundary(span.end as usize));
        assert!(!d.message.is_empty() && !d.message.contains('\n'), "{:?}", d.message);
    }
    let _ = runbook_report::diagnostic::human(&checked.diagnostics, &checked.sources, &policy);
    let _ = runbook_report::diagnostic::json(&checked.diagnostics, &checked.sources);
    if let Ok(loaded) = runbook_lang::load(&loader, "demo/main", &REGISTRY, &Options::default()) {
        let given = runbook_core::inputs::Given::default();
        let known = runbook_report::Known::new(loaded.plan.root_unit(), &given);
        let shown = runbook_report::show::Shown { plan: &loaded.plan, registry: &REGISTRY, known };
        let _ = runbook_report::show::json(&shown);
        let _ = runbook_report::show::show(&shown, &policy);
    }
}

/// Formats the bytes.
pub(crate) fn fmt(data: &[u8]) {
    match runbook_lang::format("a.yaml", data) {
        Ok(new) => {
            let again = runbook_lang::format("a.yaml", new.as_bytes());
            assert!(again.as_ref().is_ok_and(|again| *again == new), "not the same the second time:\n{new}\n{again:?}");
        }
        Err(NotFormatted::Broken(failed)) => assert!(failed.diagnostics.iter().all(|d| d.span.is_some())),
        Err(NotFormatted::Unsafe(what)) => panic!("the formatter would have changed it: {what}"),
    }
}
