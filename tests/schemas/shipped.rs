//! Every file that is shipped or shown in the documentation is accepted by its schema, and the modules' examples are.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use runbook_lang::schema;
use serde_json::Value as Json;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A published schema, which must itself be one.
pub(super) fn published(kind: &str) -> Validator {
    let text = std::fs::read_to_string(root().join(format!("schemas/{kind}.schema.json"))).unwrap();
    let schema: Json = serde_json::from_str(&text).unwrap();
    jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|e| panic!("{kind}: {e}"));
    jsonschema::draft7::new(&schema).unwrap()
}

fn yaml_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            out.push(path);
        }
    }
}

#[test]
fn every_shipped_file_is_accepted() {
    let (playbook, system, test) = (published("playbook"), published("system"), published("test"));
    let mut files = Vec::new();
    yaml_files(&root().join("playbooks"), &mut files);
    assert!(files.len() >= 5);
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let validator = match name.as_str() {
            "system.yaml" => &system,
            name if name.ends_with(".test.yaml") => &test,
            _ => &playbook,
        };
        let instance = schema::instance(&std::fs::read(&path).unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&instance).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {}", path.display(), errors.join("\n"));
    }
}

#[test]
fn every_example_of_a_module_is_accepted() {
    let playbook = published("playbook");
    let mut count = 0;
    for entry in runbook_modules::builtins().iter() {
        for example in entry.examples.iter() {
            let indented = example.yaml.trim_end().replace('\n', "\n  ");
            let indented = indented.strip_prefix("- ").unwrap_or(&indented);
            let text = format!("playbook: A\nsteps:\n- {indented}\n").replace("{port}", "8000").replace("{tmp}", "/tmp/x");
            let instance = schema::instance(text.as_bytes()).unwrap_or_else(|| panic!("{}: {text}", entry.name));
            let errors: Vec<String> = playbook.iter_errors(&instance).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{}: {}\n{text}", entry.name, errors.join("\n"));
            count += 1;
        }
    }
    assert!(count > 20, "only {count} examples");
}
