//! Scripts made by chance: the playbook of each checks clean, keeps every command, and holds no secret.

use proptest::prelude::*;

use super::converted;

/// A word that stands nowhere else, numbered.
fn marked(n: usize) -> String {
    format!("tool{n}x")
}

/// A command line that calls the marked command, in many shapes.
fn line() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "§ a b",
        "§ 'a b' \"c $V\" \\$d",
        "§ {{.ID}} '{% x %}' {#y}",
        "§ | sort > out.txt",
        "§ && echo ok || exit 1",
        "if §; then\n  echo yes\nelse\n  rm -f x\nfi",
        "for i in 1 2; do\n  § \"$i\"\ndone",
        "while ! §; do\n  sleep 1\ndone",
        "case \"$1\" in\n  a) § ;;\n  *) true ;;\nesac",
        "cat <<EOF\n$(§) $V\nEOF",
        "cat <<'EOF' | §\nit's {{ here }}\nEOF",
        "V=$(§ --version)",
        "V=\"x-$(§)-y\"",
        "export W=\"$(§)\"",
        "f() {\n  § \"$1\"\n}\nf one",
        "§ &\necho $! > pid\nwait",
        "§\nif [ $? -ne 0 ]; then echo bad; fi",
        "(cd /tmp && §)",
        "cd \"$V\" && §",
        "sudo -u nobody § --flag",
        "A=1 B=\"$V\" §",
        "§ --token secretvalue123 --x",
        "PASSWORD=secretvalue123 §",
        "curl -H 'Authorization: Bearer secretvalue123' https://u:secretvalue123@h/ | §",
        "# A comment: with 'quotes' and {{ braces }}\n§ # trailing: [x]",
        "§ \"$@\" $# ${2:-two}",
        "arr=(a b)\n§ \"${arr[@]}\"",
        "[[ -n $V ]] && §",
        "§ <<< \"$V\"",
        "trap '§' EXIT",
        "source ./§.sh",
        "read -p 'Which? ' Q\n§ \"$Q\"",
        "N=${N:-5}\n§ $N",
        "set -euo pipefail\n§",
        "exec > /tmp/log 2>&1\n§",
        "§ é 日本 \u{1b}[0m \u{202e}x",
        "{ §; } 2>/dev/null",
        "time §",
        "! §",
        "§ () { :; }",
        "eval \"§ $V\"",
        "kubectl delete pod \"$(§)\"",
        "x=1\n((x++))\n§ $x",
        "cd ~/x\n§",
        "PATH=\"$PATH:/opt\"\n§",
        "until curl -fs http://127.0.0.1:1/; do §; sleep 1; done",
        "ssh host '§ \"a b\"'",
        "sleep 0.25\n§\nexit 0",
    ])
    .prop_map(str::to_owned)
}

fn script() -> impl Strategy<Value = String> {
    (any::<bool>(), prop::collection::vec(line(), 0..8)).prop_map(|(bash, lines)| {
        let mut out = String::from(if bash { "#!/bin/bash\n" } else { "" });
        for (n, line) in lines.iter().enumerate() {
            out.push_str(&line.replace('§', &marked(n)));
            out.push('\n');
        }
        out
    })
}

/// The marked commands of a text.
fn marks(text: &str) -> Vec<String> {
    (0..16).map(marked).filter(|m| text.contains(m.as_str())).collect()
}

fn holds(source: &str, text: &str) {
    let (playbook, said) = converted(source, text);
    let errors: Vec<&String> = said.iter().filter(|s| s.contains("(Error)")).collect();
    assert!(errors.is_empty(), "{errors:#?}\n--- source\n{text}\n--- playbook\n{playbook}");
    for mark in marks(text) {
        assert!(playbook.contains(&mark), "{mark} is missing\n--- source\n{text}\n--- playbook\n{playbook}");
    }
    assert!(!playbook.contains("secretvalue123"), "{text}\n---\n{playbook}");
}

/// Pieces that a shell takes for syntax.
const PIECES: &[&str] = &[
    "if ",
    "then ",
    "fi\n",
    "for x in ",
    "; do ",
    "done\n",
    "case x in ",
    "esac",
    ";;",
    "(",
    ")",
    "{ ",
    "}",
    "[[ ",
    "]]",
    "((",
    "))",
    "<<EOF\n",
    "EOF\n",
    "<<-'E'\n",
    "'",
    "\"",
    "`",
    "$(",
    "${",
    "$((",
    "$x",
    "$1",
    "\\",
    "\n",
    " ",
    "&&",
    "||",
    "|",
    "&",
    ">",
    ">>",
    "<",
    "# ",
    "x=",
    "x+=(",
    "export ",
    "rm -rf ",
    "ls ",
    "{{",
    "}}",
    "{%",
    "\t",
    "\r\n",
    "é",
    "\u{202e}",
    "~/",
    "*",
    "function f ",
    "f() ",
    "cd ",
    "exit 1\n",
    "sleep 5\n",
    "echo ",
    "read ",
    "set -e\n",
    "PASSWORD=",
    "$?",
    "$!",
    "wait\n",
    "a",
    "b",
    "---",
    "- ",
    ": ",
    "\0",
    "```\n",
    "```bash\n",
    "1. ",
    "## ",
    "<pod>",
    "$ ",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn scripts_are_kept_whole(text in script()) {
        holds("x.sh", &text);
    }

    #[test]
    fn documents_are_kept_whole(texts in prop::collection::vec((line(), any::<bool>()), 0..5)) {
        let mut out = String::from("# A title: with a colon\n\nSome *text* {{ here }}.\n");
        for (n, (line, heading)) in texts.iter().enumerate() {
            if *heading {
                out.push_str(&format!("\n## Part {n}: \"x\"\n\n- a list\n\nLike this:\n"));
            }
            out.push_str(&format!("\n```bash\n{}\n```\n", line.replace('§', &marked(n))));
        }
        holds("x.md", &out);
    }

    #[test]
    fn what_is_no_script_becomes_a_playbook_too(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        for source in ["x.sh", "x.md", "x"] {
            if !text.starts_with("#!") {
                holds(source, &text);
            }
        }
    }

    #[test]
    fn any_text_becomes_a_playbook(text in "\\PC{0,80}") {
        holds("x.sh", &text);
        holds("x.md", &format!("```sh\n{text}\n```\n{text}\n"));
    }
}

#[test]
fn what_is_called_often_does_not_grow_without_bound() {
    let body = "  echo some words that make it long\n".repeat(1_000);
    for source in ["x.sh", "x.md"] {
        let text = format!("big() {{\n{body}}}\n{}last_command\n", "big\n".repeat(2_000));
        let text = if source == "x.md" { format!("```sh\n{text}```\n") } else { text };
        let (playbook, said) = converted(source, &text);
        assert_eq!(said, [""; 0]);
        assert!(playbook.len() < 2 * text.len() && playbook.contains("last_command"), "{} bytes", playbook.len());
    }
}

#[test]
fn hostile_sources_are_converted_in_time() {
    for piece in [
        "$(",
        "(",
        "{ ",
        "((",
        "`",
        "if true; then ",
        "f() { ",
        "x=$(",
        "PASSWORD=abcdef123 ",
        "a <<E\n",
        "echo '{{' \n",
        "- ",
        "> ",
        "1. ",
        "```\n",
        "[",
        "<a> ",
        "x=1\n",
        "f() { f; }\nf\n",
    ] {
        for source in ["x.sh", "x.md"] {
            let text = piece.repeat(64 * 1024 / piece.len());
            let began = std::time::Instant::now();
            let name = runbook_lang::starter::NewName::parse("x", None).unwrap();
            let out = runbook_lang::starter::from_shell(text.as_bytes(), &name, source, None).unwrap();
            // A second with optimisation; the tests are built without.
            assert!(began.elapsed().as_secs() < 30, "{piece:?} in {source}: {:?}", began.elapsed());
            assert!(out.len() < 8 * 1024 * 1024, "{piece:?} in {source}: {} bytes", out.len());
        }
    }
}
