use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::span::{SourceId, SourceMap, Span};
use runbook_report::TermPolicy;
use runbook_report::diagnostic::{compact, github, human, json, sarif};

use crate::golden::golden;

const TEXT: &str = "playbook: Start the stack
params:
  service: { type: choice }
steps:
  - id: start-db
    service.start: db
  - id: wait-db
    http: http://127.0.0.1:8000/health
    timout: 60s
    retry: { for: soon }
  - id: start-db
    name: \"tab\there \u{1b}[31m and \u{202e}text\"
    comand: [echo, \"日本語\", hi]
";

fn at(sources: &SourceMap, id: SourceId, text: &str, nth: usize) -> Span {
    let source = sources.get(id).expect("a source");
    let (start, _) = source.text.match_indices(text).nth(nth).expect("in the text");
    Span::new(id, start, start + text.len())
}

fn sample() -> (Vec<Diagnostic>, SourceMap) {
    let mut sources = SourceMap::default();
    let id = sources.add("playbooks/sonia/stack-start.yaml", TEXT);
    let s = &sources;
    let list = vec![
        Diagnostic::error(Code::UnknownKey, at(s, id, "timout", 0), "unknown key `timout`")
            .label("not a key of a step")
            .help("did you mean `timeout`?"),
        Diagnostic::error(Code::BadDuration, at(s, id, "soon", 0), "expected a duration such as `30s`, found \"soon\""),
        Diagnostic::error(Code::DuplicateId, at(s, id, "start-db", 1), "the id `start-db` is used twice")
            .label("used again here")
            .also(at(s, id, "start-db", 0), "first used here"),
        Diagnostic::error(Code::UnknownModule, at(s, id, "comand", 0), "unknown module `comand`").help("did you mean `command`?"),
        Diagnostic::warning(Code::Unused, at(s, id, "service", 0), "the parameter `service` is never used"),
        Diagnostic::without_place(Code::NotReadable, "`playbooks/x.yaml` cannot be read: \u{1b}]0;title\u{7}no such file"),
    ];
    (list, sources)
}

#[test]
fn diagnostics_look_as_they_should() {
    let (list, sources) = sample();
    let policy = TermPolicy::text(80, true);
    golden("diagnostics-80.txt", &human(&list, &sources, &policy));
    golden("diagnostics-40.txt", &human(&list, &sources, &TermPolicy::text(40, true)));
    let color = human(&list, &sources, &TermPolicy { color: true, ..policy });
    assert_eq!(console::strip_ansi_codes(&color), human(&list, &sources, &policy));
    golden("diagnostics-compact.txt", &compact(&list, &sources));
    golden("diagnostics.json", &json(&list, &sources));
    golden("diagnostics-github.txt", &github(&list, &sources));
    golden("diagnostics.sarif", &sarif(&list, &sources, "0.1.0"));
}

#[test]
fn many_are_capped() {
    let (list, sources) = sample();
    let many: Vec<Diagnostic> = std::iter::repeat_n(list[4].clone(), 30).chain(std::iter::repeat_n(list[0].clone(), 3)).collect();
    let text = human(&many, &sources, &TermPolicy::text(80, true));
    assert!(text.contains("and 13 more"), "{text}");
    assert!(text.contains("found 3 errors and 30 warnings in 1 file; nothing was run."), "{text}");
    assert_eq!(text.matches("error[E0201]").count(), 3);
    assert_eq!(human(&[], &sources, &TermPolicy::text(80, true)), "");
}

#[test]
fn large_files_are_quick() {
    let mut text = "a: 1\n".repeat(2_000_000);
    let at = text.len();
    text.push_str("timout: 5s\n");
    text.push_str(&"x".repeat(5_000_000));
    let mut sources = SourceMap::default();
    let id = sources.add("big.yaml", text);
    let far = Diagnostic::error(Code::UnknownKey, Span::new(id, at, at + 6), "unknown key")
        .also(Span::new(id, 0, 1), "compare this one")
        .also(Span::new(id, at + 4_000_000, at + 4_000_001), "and this");
    let text = human(&[far], &sources, &TermPolicy::text(80, true));
    assert!(text.contains("big.yaml:2000001:1") && text.contains("compare this one"), "{text}");
    assert!(text.len() < 8_000);
}

#[test]
fn spans_at_the_edges_are_shown() {
    let mut sources = SourceMap::default();
    let id = sources.add("a.yaml", "a: b\r\nc");
    for (start, end) in [(0, 0), (4, 4), (5, 6), (7, 7), (0, 7), (700, 900), (6, 7)] {
        let text =
            human(&[Diagnostic::error(Code::YamlSyntax, Span::new(id, start, end), "m")], &sources, &TermPolicy::text(80, false));
        assert!(text.contains("a.yaml:") && text.contains('^'), "{start}..{end}: {text}");
    }
}
