//! What belongs together, on scripts that are easy to tear apart.

use super::*;

fn units(text: &str) -> Vec<String> {
    let (units, _) = script(text);
    units.iter().map(|u| text[u.span.clone()].to_owned()).collect()
}

fn shapes(text: &str) -> Vec<String> {
    let (units, _) = script(text);
    units
        .iter()
        .map(|u| match &u.shape {
            Shape::Simple(s) => s.words.iter().map(|w| w.literal().unwrap_or_else(|| "?".into())).collect::<Vec<_>>().join(" "),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn one_command_a_line() {
    assert_eq!(shapes("a b\nc  'd e' \"f g\" h\\ i\n\n# x\nj; k -l"), ["a b", "c d e f g h i", "j", "k -l"]);
    assert_eq!(shapes("a \\\n  b \\\n  c\nd"), ["a b c", "d"]);
    assert_eq!(shapes("a b#c '#d' # e\n"), ["a b#c #d"]);
    assert_eq!(shapes("a \"\" ''"), ["a  "]);
    assert_eq!(shapes("a $x ~ *.log {1,2} {} \\$y '$z'"), ["a ? ? ? ? {} $y $z"]);
    assert_eq!(shapes("a \"x\\\"y\\n\" $'p\\tq'"), ["a x\"y\\n p\tq"]);
}

#[test]
fn constructs_are_whole() {
    for text in [
        "if a; then\n  b\nelif c\nthen d\nelse\n  e\nfi",
        "for x in a b c; do\n  echo \"$x\"\ndone",
        "for x\ndo echo $x; done",
        "for ((i = 0; i < 3; i++)); do\n  echo $i\ndone",
        "while read -r line; do\n  echo \"$line\"\ndone < file",
        "until curl -f x; do sleep 1; done",
        "case $1 in\n  a|b) c ;;\n  (d) e;;\n  *)\n    f\n    ;;\nesac",
        "case x in a) b;; esac",
        "f() {\n  a\n}",
        "function f {\n  a\n}",
        "f () (\n  a\n)",
        "{ a; b; }",
        "(cd x && make)",
        "a && b ||\n  c",
        "a | b |\n  c",
        "a |\n# why\n  b",
        "! a",
        "time a b",
        "[[ -f x && ( y =~ ^(a|b)$ || z < q ) ]]",
        "[[ $x == *.log ]] && echo yes",
        "((x++))",
        "cat <<EOF\nif\n'\nEOF",
        "cat <<-'E' | sort\n\ta\n\tE",
        "cat <<A; cat <<B\na\nA\nb\nB",
        "x=$(\n  a\n  b\n)",
        "x=\"$(cat <<'EOF'\nit's )\nEOF\n)\"",
        "echo \"$(case x in a) b;; esac)\"",
        "echo `a \\`b\\``",
        "echo $((1 + (2 * 3))) ${x:-$(y \"}\")} ${#z}",
        "diff <(a) <(b)",
        "a=(\n  b # c\n  \"d e\"\n)",
        "a[1]=2",
        "echo 'a\nb' \"c\nd\"",
        "while :; do\n  if a; then break; fi\n  for x in 1 2; do echo; done\ndone &",
        "select x in a b; do echo $x; done",
        "exec 3>&1 4</dev/null 2>>x",
        "a 2>&1 >/dev/null &",
        "rm !(a|b)",
    ] {
        let found = units(&format!("first\n{text}\nlast\n"));
        assert_eq!(found.len(), 3, "{text}\n{found:#?}");
        assert_eq!(found[1].trim_end_matches(['\n', '&', ' ']), text.trim_end_matches([' ', '&']), "{found:#?}");
        assert_eq!(found[2], "last");
    }
}

#[test]
fn what_cannot_be_read_is_kept_whole() {
    for text in [
        "a\nfi\nb",
        "a 'b",
        "a\nif x; then\n",
        "a \"$(",
        "a )",
        "a\n;;\nb",
        "(a",
        "x=(",
        "${",
        "a << ",
        "a\nfoo (bar",
        "{ a;",
        "`",
    ] {
        let (units, _) = script(text);
        let last = units.last().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(last.shape, Shape::Unread, "{text}");
        assert_eq!(last.span.end, text.trim_end().len(), "{text}");
    }
}

#[test]
fn nothing_hostile_takes_long() {
    for piece in
        ["$(", "(", "{ ", "((", "$((", "${", "`", "<(", "if ", "case x in a) ", "[[ ", "\"$(", "<<E$[\t\t", "a=(", "$'", "f() "]
    {
        let text = piece.repeat(20_000);
        let began = std::time::Instant::now();
        let _ = script(&text);
        assert!(began.elapsed().as_secs() < 20, "{piece}");
    }
}

#[test]
fn comments_belong_to_what_follows() {
    let text = "#!/bin/sh\n# Title\n\n# one\n# two\na # why\n\n# three\n\nb\n# end\n";
    let (units, rest) = script(text);
    assert_eq!(units[0].comments, ["#!/bin/sh", "# Title", "", "# one", "# two"]);
    assert_eq!(units[0].remark.as_deref(), Some("# why"));
    assert_eq!(units[1].comments, ["# three", ""]);
    assert_eq!(units[1].remark, None);
    assert_eq!(rest, ["# end"]);
}

#[test]
fn uses_and_sets_are_known() {
    let text = "X=1 Y+=2\nread -r A B\nfor C in $D; do E=\"${F:-$G}\"; done\nf() { echo $1 $H; I=2; }\ncat <<EOF\n$J ${K}\nEOF\ncat <<'EOF'\n$L\nEOF\n((M += N))\nexport O P=3\n: ${Q:=4}\necho '$R' \\$S \"$1\" $@";
    let (units, _) = script(text);
    let sets: Vec<&str> = units.iter().flat_map(|u| u.sets.iter().map(String::as_str)).collect();
    assert_eq!(sets, ["X", "Y", "A", "B", "C", "E", "I", "M", "O", "P", "Q"]);
    let uses: Vec<&str> = units.iter().flat_map(|u| u.uses.iter().map(|x| x.name.as_str())).collect();
    assert_eq!(uses, ["D", "G", "F", "H", "J", "K", "M", "N", "Q", "1", "@"]);
}

#[test]
fn commands_are_found_at_any_depth() {
    let (units, _) = script("if a; then b \"$(c | d)\"; else (e; f `g`); fi > x && h");
    let names: Vec<String> = units[0].commands.iter().map(Simple::name).collect();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        assert!(names.iter().any(|n| n == name), "{name}: {names:?}");
    }
}

/// The words that bash makes of a text.
fn by_bash(text: &str) -> Option<Vec<String>> {
    let script = format!("set -f; set -- {text}\nprintf '%s\\0' \"$@\"");
    let out =
        std::process::Command::new("bash").args(["-c", &script]).env_clear().stderr(std::process::Stdio::null()).output().ok()?;
    let all = String::from_utf8(out.stdout).ok().filter(|_| out.status.success())?;
    Some(all.split_terminator('\0').map(str::to_owned).collect())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, cases: 128, ..Default::default() })]

    #[test]
    fn words_are_those_of_bash(pieces in proptest::collection::vec(proptest::sample::select(&["a", "b c", "'", "\"", "\\", " ", "\t", "\\\n", "$", "x=1", "'d e'", "\"f\\\"g\"", "#", "é", "-", "''", "=", "%", "!"]), 1..10)) {
        let text = pieces.concat();
        let (units, _) = script(&format!("x {text}"));
        // Only where this reads one command with words that are written out is there anything to compare.
        // A backslash at the end would continue the line that the test adds.
        if let [unit] = units.as_slice()
            && !text.ends_with('\\')
            && let Shape::Simple(simple) = &unit.shape
            && let Some(words) = simple.words.iter().map(Word::literal).collect::<Option<Vec<_>>>()
        {
            let expected = by_bash(&text);
            proptest::prop_assert_eq!(Some(words[1..].to_vec()), expected.map(|mut all| { if all == [""] && words.len() == 1 { all.clear(); } all }), "{:?}", text);
        }
    }
}
