//! The schema says no where the checker says no about the structure of a file, at the same place, and never where the checker says yes.

use std::path::{Path, PathBuf};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::{SourceMap, Span};
use serde_json::Value as Json;

use super::{instance, playbook, system};
use crate::testing::{OTHER, SYSTEM, registry};
use crate::{MemoryLoader, Options, check_file};

/// The codes that are about what stands where: all that a schema can see.
const STRUCTURAL: &[Code] = &[
    Code::UnknownKey,
    Code::MissingKey,
    Code::WrongType,
    Code::NotAllowedHere,
    Code::NoBody,
    Code::TwoBodies,
    Code::UnknownModule,
    Code::BadArgument,
    Code::BadName,
    Code::WrongLanguage,
    Code::OneOf,
    Code::BadDuration,
    Code::BadSize,
    Code::BadTime,
    Code::BadUrl,
    Code::OutOfRange,
    Code::BadChoice,
];

/// What the schema does not see although its code is structural: the fixture, the start of the message, and why.
const UNSEEN: &[(&str, &str, &str)] = &[
    ("first", "`playbook` comes first", "the keys of a JSON object have no order"),
    ("b40-durations", "`timeout` must be longer than nothing", "a pattern does not count"),
    ("b40-durations", "`timeout` takes a duration such as `30s`, found `99999999h`", "a pattern does not count"),
    ("b84-places", "`net` needs `HOST:PORT`", "a pattern does not count"),
    ("b82-urls", "`url` of `http`: `", "a pattern does not count, and knows no addresses"),
    ("b82-urls", "`htp://` is no scheme", "a link may have any scheme, and what is a slip a pattern does not know"),
    ("b86-times", "`until` takes a time", "a pattern knows no calendar"),
    ("b36-choices", "`choices` is empty", "the key takes a list of values or a template"),
    ("b86-times", "`time` needs a time", "it is inside a template"),
    ("b87-sizes", "`size` needs a size", "it is inside a template"),
    ("system-places", "`htp://` is no scheme", "the URL of a service may be a template"),
    ("system-places", "the name of a unit", "the unit of a service may be a template"),
    ("system-places", "`10.0.0.0/33` is a range", "the host of a service may be a template"),
    ("b58-defaults", "`else` is none of the choices", "one list of the file is held against another"),
    ("b60-case-values", "`slwo` is none of the choices", "one list of the file is held against another"),
    ("b60-case-values", "`purple` is none of the choices", "one list of the file is held against another"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The diagnostics that point into a fixture.
fn check(stem: &str, bytes: &[u8]) -> (Vec<Diagnostic>, std::sync::Arc<SourceMap>) {
    let as_system = stem.starts_with("system-");
    let (system, playbook) =
        if as_system { (bytes, &b"playbook: A\nsteps:\n  - note: a\n"[..]) } else { (SYSTEM.as_bytes(), bytes) };
    let path = if as_system { "playbooks/demo/p.yaml".to_owned() } else { format!("playbooks/demo/{stem}.yaml") };
    let files: Vec<(String, Vec<u8>)> = vec![
        ("playbooks/demo/other.yaml".into(), OTHER.into()),
        ("playbooks/demo/system.yaml".into(), system.to_vec()),
        (path, playbook.to_vec()),
    ];
    let name = if as_system { "demo/p".to_owned() } else { format!("demo/{stem}") };
    let checked = check_file(&MemoryLoader::new(files), &name, &registry(), &Options::default());
    let errors = checked.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
    (errors, checked.sources)
}

/// The path of the deepest node that a place lies in, a key counting as its value; and whether it lies on the key.
fn path_of(node: &Node, at: u32, path: &mut Vec<String>) {
    let within = |span: Span| span.start <= at && at < span.end.max(span.start + 1);
    match &node.kind {
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                if within(key.span) || within(value.span) {
                    path.push(key.value.clone());
                    if !within(key.span) {
                        path_of(value, at, path);
                    }
                    return;
                }
            }
        }
        NodeKind::List(items) => {
            for (i, item) in items.iter().enumerate() {
                if within(item.span) {
                    path.push(i.to_string());
                    path_of(item, at, path);
                    return;
                }
            }
        }
        NodeKind::Scalar(_) => {}
    }
}

/// Whether one of the schema's errors is about the node at this path: at it, below it, or directly above it (a key too many or too few).
fn is_seen(path: &[String], errors: &[Vec<String>]) -> bool {
    errors.iter().any(|at| at.starts_with(path) || path.starts_with(at) && path.len() - at.len() <= 1)
}

/// The places of a schema's errors. Of several forms of which none fits, the errors of each count.
fn errors(validator: &Validator, instance: &Json) -> Vec<Vec<String>> {
    fn add(error: &ValidationError<'_>, out: &mut Vec<Vec<String>>) {
        if let ValidationErrorKind::AnyOf { context } = error.kind() {
            context.iter().flatten().for_each(|e| add(e, out));
        }
        let path = error.instance_path().to_string();
        out.push(path.split('/').skip(1).map(|p| p.replace("~1", "/").replace("~0", "~")).collect());
    }
    let mut out = Vec::new();
    validator.iter_errors(instance).for_each(|e| add(&e, &mut out));
    out
}

#[test]
fn every_bad_file_is_bad_for_the_schema_where_its_structure_is() {
    let validators = [playbook(&registry()), system(&registry())].map(|s| jsonschema::draft7::new(&s).expect("a schema"));
    let mut wrong = Vec::new();
    let mut used = vec![false; UNSEEN.len()];
    let (mut files, mut seen) = (0, 0);
    for entry in std::fs::read_dir(root().join("tests/bad")).expect("the bad files") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("a file");
        files += 1;
        // What is no YAML of ours has no data that could be held against a schema.
        let Some(json) = instance(&bytes) else { continue };
        let validator = &validators[usize::from(stem.starts_with("system-"))];
        let found = errors(validator, &json);
        let (diagnostics, sources) = check(&stem, &bytes);
        if diagnostics.is_empty() && !found.is_empty() {
            wrong.push(format!("{stem}: the schema rejects what the checker accepts: {found:?}"));
        }
        let Some((_, source)) = sources.iter().find(|(_, s)| s.text.as_bytes() == bytes) else { continue };
        let mut scratch = SourceMap::default();
        let id = scratch.add("again", &*source.text);
        let Some(tree) = crate::yaml::read(&source.text, id, &mut Diagnostics::default()).root else { continue };
        let path = |span: Span| {
            let mut at = Vec::new();
            path_of(&tree, span.start, &mut at);
            at
        };
        // Inside a key that is unknown here the schema sees nothing; the checker looks inside all the same.
        let unknown: Vec<Vec<String>> =
            diagnostics.iter().filter(|d| d.code == Code::UnknownKey).filter_map(|d| d.span).map(path).collect();
        for diagnostic in diagnostics.iter().filter(|d| STRUCTURAL.contains(&d.code)) {
            let Some(span) = diagnostic.span else { continue };
            let at = path(span);
            if unknown.iter().any(|key| at.len() > key.len() && at.starts_with(key)) {
                continue;
            }
            if is_seen(&at, &found) {
                seen += 1;
                continue;
            }
            let known = UNSEEN.iter().position(|(file, message, _)| *file == stem && diagnostic.message.starts_with(message));
            match known {
                Some(i) => used[i] = true,
                None => {
                    wrong.push(format!("{stem}: the schema does not see at {at:?}: {} {}", diagnostic.code, diagnostic.message))
                }
            }
        }
    }
    for (_, (file, message, _)) in used.iter().zip(UNSEEN).filter(|(used, _)| !**used) {
        wrong.push(format!("{file}: `{message}` is seen, or said no more: take it off the list"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files > 80 && seen > 150, "{files} files, {seen} mistakes");
}
