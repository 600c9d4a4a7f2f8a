//! Exact texts, kept in `tests/golden`; `BLESS=1` rewrites them.

use std::path::Path;

/// Compares a text with the file of this name.
pub(crate) fn golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, text).expect("the golden file can be written");
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, expected, "{name} differs; look, then run with BLESS=1");
}

/// Asserts that no line is wider than this.
pub(crate) fn fits(text: &str, width: usize) {
    for line in text.lines() {
        let wide = console::measure_text_width(line);
        assert!(wide <= width, "{wide} > {width}: {line:?}");
    }
}
