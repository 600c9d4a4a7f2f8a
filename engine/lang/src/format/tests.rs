//! Before and after, for every rule of the layout.

use super::{NotFormatted, format};

fn formatted(text: &str) -> String {
    match format("a.yaml", text.as_bytes()) {
        Ok(new) => {
            let again = format("a.yaml", new.as_bytes()).unwrap_or_else(|e| panic!("{e:?}\n{new}"));
            assert_eq!(again, new, "not the same the second time, from {text:?}");
            new
        }
        Err(error) => panic!("{text:?}: {error:?}"),
    }
}

#[track_caller]
fn becomes(text: &str, wanted: &str) {
    assert_eq!(formatted(text), wanted, "from {text:?}");
}

#[track_caller]
fn stays(text: &str) {
    becomes(text, text);
}

#[test]
fn two_spaces_and_lists_under_their_keys() {
    becomes(
        "playbook:   A\nsteps:\n-   id:  a\n    note:\tx\n-\n      note: w\nvars:\n     a:\n         b: 1\n",
        "playbook: A\nsteps:\n  - id: a\n    note: x\n  - note: w\nvars:\n  a:\n    b: 1\n",
    );
    becomes("- - a\n  -   b\n- -\n    c\n", "- - a\n  - b\n- - c\n");
    becomes("a :  1\n\"b\"  : 2\n? c\n: 3\n? d\n", "a: 1\n\"b\": 2\nc: 3\nd:\n");
}

#[test]
fn brackets_stay_while_they_fit() {
    becomes("a: {b:  1,c: [ x,z ]}\n", "a: { b: 1, c: [x, z] }\n");
    becomes("a: {  }\nb: [ ]\nc: [{d: 1}, e: 2]\n", "a: {}\nb: []\nc: [{ d: 1 }, e: 2]\n");
    becomes("a: [\n  b,\n  c\n]\nd: {\n  e: 1,\n}\n", "a: [b, c]\nd: { e: 1 }\n");
    becomes("{a: , b, \"c\":1, d: }\n", "{ a: , b, \"c\": 1, d: }\n");
    becomes("[a: , {b}, ? c ]\n", "[a: , { b }, c: ]\n");
    becomes("a: &x b\nc:  &y [*x , {*x : 1},&z  d,*z]\n", "a: &x b\nc: &y [*x, { *x : 1 }, &z d, *z]\n");
}

#[test]
fn brackets_that_do_not_fit_are_opened() {
    let long = "x".repeat(100);
    becomes(
        &format!("a: {{ b: 1, c: \"{long}\", d: [1, 2, 3, 4], e: {{ f: 1 }} }}\n"),
        &format!("a:\n  b: 1\n  c: \"{long}\"\n  d: [1, 2, 3, 4]\n  e: {{ f: 1 }}\n"),
    );
    becomes(
        &format!("steps:\n  - {{ note: {long}, when: a, id: b, name: ccccccccccc }}\n  - [{long}, {{ a: {long} }}]\n"),
        &format!(
            "steps:\n  - note: {long}\n    when: a\n    id: b\n    name: ccccccccccc\n  - - {long}\n    - {{ a: {long} }}\n"
        ),
    );
    // Exactly 130 characters fit, 131 do not.
    let fits = format!("a: [{}, b]\n", "x".repeat(130 - "a: [, b]".len()));
    stays(&fits);
    becomes(&fits.replace("x,", "xx,"), &fits.replace("x,", "xx").replace(": [", ":\n  - ").replace(" b]", "\n  - b"));
    // Text is never broken.
    stays(&format!("a: {long}{long}\nb:\n  - \"{long} {long}\"\n"));
}

#[test]
fn a_silenced_warning_stays_silenced() {
    let long = "x".repeat(130);
    for text in [
        format!("a: {{ b: \"{long}\", c: 1 }} # runbook: allow W0101\n"),
        format!("# runbook: allow W0101\na: {{ b: \"{long}\", c: 1 }}\n"),
        "a: no # runbook: allow W0104\n".to_owned(),
    ] {
        stays(&text);
    }
    becomes("a: no #runbook: allow W0104\n", "a: \"no\" # runbook: allow W0104\n");
    becomes("# runbook: allow W0101\n\na: no\n", "# runbook: allow W0101\n\na: \"no\"\n");
}

#[test]
fn only_what_others_misread_is_quoted() {
    becomes(
        "a: no\nb: 0755\nc: 12:30\nd: [1_000, on]\ne: 'x'\nf: \"y\"\ng: none\nh: true\ni: 5\non: host\n",
        "a: \"no\"\nb: \"0755\"\nc: \"12:30\"\nd: [\"1_000\", \"on\"]\ne: 'x'\nf: \"y\"\ng: none\nh: true\ni: 5\non: host\n",
    );
}

#[test]
fn empty_lines_are_kept_as_one() {
    becomes("\n\na: 1\n\n\n\nb:\n\n  - x\n\n\n  - z\n\n\n\n", "a: 1\n\nb:\n  - x\n\n  - z\n");
    becomes("a: 1\n# c\n\n\n# d\nb: 2\n", "a: 1\n# c\n\n# d\nb: 2\n");
    becomes("a:\n\n  # c\n\n  b: 1\n", "a:\n  # c\n\n  b: 1\n");
}

#[test]
fn ends_of_lines_and_of_the_file() {
    becomes("a: 1  \r\nb: |\r\n  x \r\n  y\r\n", "a: 1\nb: |\n  x \n  y\n");
    becomes("a: 1", "a: 1\n");
    becomes("\u{feff}a: 1\n", "a: 1\n");
    becomes("", "");
    becomes("\n\n", "");
    becomes("#a\n\n\n#b", "# a\n\n# b\n");
}

#[test]
fn documents_keep_their_first_line() {
    becomes("---\na: 1\n...\n", "---\na: 1\n");
    becomes("# x\n--- # y\n\n# z\na: 1\n...\n# end\n", "# x\n--- # y\n# z\na: 1\n# end\n");
    becomes("--- |\n  x\n", "---\n|\n  x\n");
}

#[test]
fn comments_stay_where_they_belong() {
    stays("# before\na: 1 # beside\n# between\nb: 2\n\n# at the end\n");
    becomes("steps:\n- a\n# of the next key\nb: 1\n", "steps:\n  - a\n# of the next key\nb: 1\n");
    becomes("steps:\n    - a\n    # - of the list\nb: 1\n", "steps:\n  - a\n  # - of the list\nb: 1\n");
    becomes("a:\n    b:\n        c: 1\n        # c\n    # b\n# a\nd: 1\n", "a:\n  b:\n    c: 1\n    # c\n  # b\n# a\nd: 1\n");
    becomes("a: # x\n    b: 1\nc: # y\n  - d\n", "a: # x\n  b: 1\nc: # y\n  - d\n");
    becomes("- # x\n  a: 1\n-\n  # y\n  b: 1\n- # z\n    - c\n", "- # x\n  a: 1\n-\n  # y\n  b: 1\n- # z\n  - c\n");
    becomes("a:\n  # under a key without a value\n\nb:\n", "a:\n  # under a key without a value\n\nb:\n");
    becomes("a: # x\n  # y\n  text # z\n", "a: # x\n  # y\n  text # z\n");
    becomes("a:\n      # y\n   # x\n   - 1\n", "a:\n  # y\n  # x\n  - 1\n");
    becomes("a: | # x\n    t\n  # y\nb: 1\n", "a: | # x\n  t\n# y\nb: 1\n");
    becomes("a: &x # y\n   b: 1\n", "a: &x # y\n  b: 1\n");
    becomes("a: &x # y\n   b\n", "a: &x # y\n  b\n");
    becomes("? a # x\n# y\n: b # z\n", "a: # x\n  # y\n  b # z\n");
}

#[test]
fn comments_inside_brackets_open_them() {
    becomes("a: [ # x\n  b, # y\n  # z\n  c\n  # w\n] # v\nd: 1\n", "a: # x\n  - b # y\n  # z\n  - c\n  # w\n  # v\nd: 1\n");
    becomes("- { # x\n    a: 1, b: { c: 2 } }\n", "- # x\n  a: 1\n  b: { c: 2 }\n");
    becomes("- { a: 1, # x\n    b: 2 } # y\n", "- a: 1 # x\n  b: 2 # y\n");
    becomes("a: [ # x\n]\nb: { # y\n  # z\n}\n", "a: # x\n  []\nb: # y\n  # z\n  {}\n");
    becomes("[ # x\n  a ] # y\n", "# x\n- a # y\n");
    let long = "x".repeat(130);
    becomes(&format!("a: [b, {long}] # x\n"), &format!("a: # x\n  - b\n  - {long}\n"));
    becomes(&format!("- {{ b: 1, c: {long} }} # x\n"), &format!("- # x\n  b: 1\n  c: {long}\n"));
}

#[test]
fn comments_get_a_space_and_keep_their_column() {
    becomes("#a\n##b\n#!c\n#\n#   d\n#\te\na: 1 #f\n", "# a\n##b\n#!c\n#\n#   d\n#\te\na: 1 # f\n");
    becomes("#yaml-language-server: $schema=x\na: 1\n", "# yaml-language-server: $schema=x\na: 1\n");
    becomes(
        "a:    1       # x\nbbb:  [1,2]   # y\nc:  3     # alone\n",
        "a: 1          # x\nbbb: [1, 2]   # y\nc: 3     # alone\n",
    );
}

#[test]
fn text_keeps_its_lines() {
    becomes("a: b\n     c\n\n     d\n", "a: b\n  c\n\n  d\n");
    becomes("a:\n     b\n     c\n", "a:\n  b\n  c\n");
    becomes("a:\n     b\n", "a: b\n");
    becomes("a: \"b\\\n     c \\\n     \\ d\"\n", "a: \"b\\\n  c \\\n  \\ d\"\n");
    becomes("a: 'it''s\n\n\n    x'\n", "a: 'it''s\n\n\n  x'\n");
    becomes("a: [b\n  c, \"d\n\n  e\", 'f\n  g']\n", "a: [b c, \"d\\ne\", 'f g']\n");
    let long = "x".repeat(130);
    stays(&format!("a:\n  {long}\nb: {long}\n"));
}

#[test]
fn block_scalars_keep_their_bytes() {
    becomes("a: |\n      one\n        two \n\n\n      three\n\n\nb: 1\n", "a: |\n  one\n    two \n\n\n  three\n\nb: 1\n");
    becomes("a: |+\n    x\n\n\nb: >-\n    y\n   \n    z\n", "a: |+\n  x\n\n\nb: >-\n  y\n\n  z\n");
    becomes("a:\n  - |4\n        x\n      y\n", "a:\n  - |2\n      x\n    y\n");
    becomes("a: |1\n x\n", "a: |\n  x\n");
    becomes("a: |\nb: >+\n\n\nc: |-\n", "a: |\nb: >+\n\n\nc: |-\n");
    becomes("- |\n x\n- - >\n    y\n", "- |\n  x\n- - >\n    y\n");
}

#[test]
fn long_keys_are_asked_for() {
    let long = "x".repeat(1020);
    becomes(&format!("? {long}\n: 1\n"), &format!("? {long}\n: 1\n"));
    becomes("? |\n   a\n   b\n:   c: 1\n", "? |\n  a\n  b\n:\n  c: 1\n");
}

#[test]
fn what_cannot_be_read_is_refused() {
    for text in ["a: 'x\n", "a: 1\na: 2\n", "a: !x 1\n", "a: {{ x }}\n", "\u{202e}a: 1\n", "a: *x\n", "1: a\n", "\t---\n\ta\nb\n"]
    {
        let Err(NotFormatted::Broken(failed)) = format("a.yaml", text.as_bytes()) else { panic!("{text:?}") };
        assert!(failed.diagnostics.iter().all(|d| d.span.is_some()) && !failed.diagnostics.is_empty());
    }
}

#[test]
fn only_the_white_space_of_yaml_is_taken_away() {
    stays("a: b\u{3000} # c\n");
    stays("a: [b\u{3000}, c\u{a0}]\n");
}
