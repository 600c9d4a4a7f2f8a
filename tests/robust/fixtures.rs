//! What the fuzz targets ask of any bytes holds for every fixture, and for what they once found.

use std::path::Path;

#[path = "../fuzz/properties.rs"]
mod properties;

/// Every YAML file below a folder of the repository, as bytes.
fn below(folder: &str) -> Vec<Vec<u8>> {
    let (mut todo, mut found) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)], Vec::new());
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match () {
                () if path.is_dir() => todo.push(path),
                () if path.extension().is_some_and(|e| e == "yaml") => found.push(std::fs::read(path).unwrap()),
                () => {}
            }
        }
    }
    found
}

#[test]
fn the_fuzz_targets_hold_on_every_fixture() {
    for folder in ["playbooks", "tests/bad", "engine/lang/tests", "tests/fuzz/found"] {
        for bytes in below(folder) {
            properties::fmt(&bytes);
            for kind in 0..3 {
                properties::check(&[&[kind], bytes.as_slice()].concat());
            }
        }
    }
}
