//! Whatever can be read is laid out once and for all, and says the same.

use proptest::prelude::*;
use runbook_core::diagnostic::Diagnostics;
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::SourceMap;

use super::{NotFormatted, format, tree, write};

/// The files to begin edits with.
const GOOD: &[&str] = &[
    include_str!("../../../../playbooks/sonia/stack-start.yaml"),
    include_str!("../../../../playbooks/sonia/service-restart.yaml"),
    include_str!("../../../../playbooks/sonia/system.yaml"),
    include_str!("../../tests/good/everything.yaml"),
];

/// What a tree says: values with their kinds, keys in their order.
fn said(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar(s) => format!("{:?}{:?}", s.value, s.text),
        NodeKind::List(items) => format!("[{}]", items.iter().map(said).collect::<Vec<_>>().join(",")),
        NodeKind::Map(entries) => {
            format!("{{{}}}", entries.iter().map(|(k, v)| format!("{:?}:{}", k.value, said(v))).collect::<Vec<_>>().join(","))
        }
    }
}

/// What a text says; the comments; and before which value each comment stands.
fn meaning(text: &str) -> Option<(String, Vec<String>, Vec<usize>)> {
    let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
    let id = crate::text::accept("a.yaml", text.as_bytes(), &mut sources, &mut out)?;
    let text = sources.get(id)?.text.clone();
    let root = crate::yaml::read(&text, id, &mut out).root;
    if out.has_errors() {
        return None;
    }
    let (mut comments, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (event, span) in tree::events(&text).map(|e| e.expect("it was read")) {
        match event {
            granit_parser::Event::Comment(text, _) => {
                comments.push(write::said(&format!("#{text}")));
                places.push(span.byte_range().map_or(0, |r| r.start));
            }
            granit_parser::Event::Scalar(..) | granit_parser::Event::Alias(..) => {
                values.push(span.byte_range().map_or(0, |r| r.start));
            }
            _ => {}
        }
    }
    let places = places.iter().map(|at| values.iter().filter(|v| *v < at).count()).collect();
    Some((root.map_or_else(String::new, |r| said(&r)), comments, places))
}

/// Formats what can be read, and tries everything on what comes out.
fn holds(text: &str) -> bool {
    let Some(before) = meaning(text) else {
        match format("a.yaml", text.as_bytes()) {
            Err(NotFormatted::Broken(failed)) => assert!(!failed.diagnostics.is_empty(), "{text:?}"),
            other => panic!("{text:?} cannot be read and came to {other:?}"),
        }
        return false;
    };
    let new = format("a.yaml", text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}\n{text}\n{e:?}"));
    let after = meaning(&new).unwrap_or_else(|| panic!("{text:?} became {new:?}"));
    assert_eq!(before.0, after.0, "{text:?} became {new:?}");
    assert_eq!(before.1, after.1, "{text:?} became {new:?}");
    let again = format("a.yaml", new.as_bytes()).unwrap_or_else(|e| panic!("{new:?}: {e:?}"));
    assert_eq!(new, again, "not the same the second time, from {text:?}");
    assert!(!new.contains('\r') && (new.is_empty() || new.ends_with('\n')), "{text:?} became {new:?}");
    true
}

/// A value with the layout that a careless author gives it.
#[derive(Clone, Debug)]
enum Value {
    Plain(String),
    Lines(Vec<String>, char),
    Block(Vec<String>, char, char),
    Nothing,
    List(Vec<(Around, Value)>, Layout),
    Map(Vec<(Around, Value)>, Layout),
}

/// What stands around an entry.
#[derive(Clone, Debug)]
struct Around {
    blank: usize,
    before: Option<(usize, String)>,
    /// Between key or dash and value.
    between: Option<String>,
    beside: Option<(usize, String)>,
}

#[derive(Clone, Debug)]
struct Layout {
    flow: bool,
    indent: usize,
    /// Flow: each entry in a line of its own.
    broken: bool,
    spaces: usize,
}

fn comment() -> impl Strategy<Value = String> {
    "#[ #!]?[ -~é]{0,12}"
}

fn around() -> impl Strategy<Value = Around> {
    (
        0..3usize,
        prop::option::weighted(0.2, (0..4usize, comment())),
        prop::option::weighted(0.1, comment()),
        prop::option::weighted(0.2, (1..5usize, comment())),
    )
        .prop_map(|(blank, before, between, beside)| Around { blank, before, between, beside })
}

fn layout() -> impl Strategy<Value = Layout> {
    (prop::bool::weighted(0.3), 1..5usize, any::<bool>(), 0..3usize).prop_map(|(flow, indent, broken, spaces)| Layout {
        flow,
        indent,
        broken,
        spaces,
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec![
            "x", "no", "0755", "12:30", "1.5", "true", "null", "~", "a b", "it's", "\"q\"", "'s'", "\"{{ a }}\"", "'a''b'", "\"\\t\\\"\"",
            "a#b", "a:b", "-x", "?x", ":x", "é", "\"# no comment\"", "a, b", "a [b]", "\"a: b\"", "yes", "[x", "&",
        ])
        .prop_map(|s| Value::Plain(s.to_owned())),
        1 => "[a-z]{20,140}".prop_map(Value::Plain),
        1 => (prop::collection::vec("([a-z]{1,5}( |\\\\ )?){0,2}", 2..5), prop::sample::select(vec![' ', '\'', '"']))
            .prop_map(|(lines, quote)| Value::Lines(lines, quote)),
        1 => (prop::collection::vec(" {0,3}[a-z#:-]{0,5} {0,2}", 0..5), prop::sample::select(vec!['|', '>']), prop::sample::select(vec!['+', '-', ' ']))
            .prop_map(|(lines, style, chomp)| Value::Block(lines, style, chomp)),
        1 => Just(Value::Nothing),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            (prop::collection::vec((around(), inner.clone()), 0..5), layout())
                .prop_map(|(items, layout)| Value::List(items, layout)),
            (prop::collection::vec((around(), inner), 0..5), layout()).prop_map(|(items, layout)| Value::Map(items, layout)),
        ]
    })
}

/// Writes a value behind its dash or colon.
fn render(value: &Value, column: usize, out: &mut String, dash: bool) {
    match value {
        Value::Plain(text) => out.push_str(&format!(" {text}")),
        Value::Nothing => {}
        Value::Lines(lines, quote) => {
            let quote = if *quote == ' ' { String::new() } else { quote.to_string() };
            out.push_str(&format!(" {quote}x{}", lines.join(&format!("\n{}", " ".repeat(column + 1)))));
            out.push_str(&format!("y{quote}"));
        }
        Value::Block(lines, style, chomp) => {
            let chomp = if *chomp == ' ' { String::new() } else { chomp.to_string() };
            let deep = lines.first().is_some_and(|l| l.starts_with(' '));
            out.push_str(&format!(" {style}{}{chomp}", if deep { "3" } else { "" }));
            for line in lines {
                out.push_str(&format!("\n{}{line}", " ".repeat(column + 3)));
            }
        }
        Value::List(items, layout) if layout.flow || items.is_empty() => {
            out.push_str(" [");
            flow(items, layout, column, out, false);
            out.push(']');
        }
        Value::Map(entries, layout) if layout.flow || entries.is_empty() => {
            out.push_str(" {");
            flow(entries, layout, column, out, true);
            out.push('}');
        }
        Value::List(items, layout) => {
            let inner = column + if dash { layout.indent } else { layout.indent - 1 };
            entries(items, inner, out, "-", layout);
        }
        Value::Map(items, layout) => entries(items, column + layout.indent, out, "k", layout),
    }
}

fn flow(items: &[(Around, Value)], layout: &Layout, column: usize, out: &mut String, map: bool) {
    for (i, (around, value)) in items.iter().enumerate() {
        let line = |out: &mut String| out.push_str(&format!("\n{}", " ".repeat(column + layout.indent)));
        if layout.broken {
            line(out);
        }
        if let Some((_, text)) = &around.before {
            out.push(' ');
            out.push_str(text);
            line(out);
        }
        out.push_str(&" ".repeat(layout.spaces));
        if map {
            out.push_str(&format!("k{i}:"));
        }
        if let Some(text) = &around.between {
            out.push(' ');
            out.push_str(text);
            line(out);
        }
        match value {
            Value::List(inner, _) => {
                render(&Value::List(inner.clone(), Layout { flow: true, ..layout.clone() }), column, out, false)
            }
            Value::Map(inner, _) => {
                render(&Value::Map(inner.clone(), Layout { flow: true, ..layout.clone() }), column, out, false)
            }
            Value::Block(..) => out.push_str(" z"),
            Value::Nothing if !map => out.push_str(" z"),
            other => render(other, column + layout.indent, out, false),
        }
        out.push_str(&" ".repeat(layout.spaces));
        if i + 1 < items.len() {
            out.push(',');
        }
        if let Some((gap, text)) = &around.beside {
            out.push_str(&" ".repeat(*gap));
            out.push_str(text);
            line(out);
        }
    }
}

fn entries(items: &[(Around, Value)], column: usize, out: &mut String, mark: &str, layout: &Layout) {
    for (i, (around, value)) in items.iter().enumerate() {
        if let Some((indent, text)) = &around.before {
            out.push_str(&format!("\n{}{text}", " ".repeat(*indent + column.saturating_sub(2))));
        }
        out.push_str(&"\n".repeat(around.blank + 1));
        out.push_str(&" ".repeat(column));
        out.push_str(&if mark == "k" { format!("k{i}:") } else { mark.to_owned() });
        out.push_str(&" ".repeat(layout.spaces));
        if let Some(text) = &around.between {
            out.push_str(&format!(" {text}\n{}", " ".repeat(column + 1)));
        }
        render(value, column, out, mark == "-");
        if let Some((gap, text)) = &around.beside
            && !matches!(value, Value::Block(..))
            && !out.ends_with('\n')
        {
            out.push_str(&" ".repeat(*gap));
            out.push_str(text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_trees(items in prop::collection::vec((around(), value()), 1..5), layout in layout(), list in any::<bool>()) {
        let mut text = String::new();
        entries(&items, 0, &mut text, if list { "-" } else { "k" }, &layout);
        holds(&text);
    }

    #[test]
    fn scraps_of_yaml(text in "([ \\-:\\[\\]{}'\"|>&*#%a-c0-2\n\t,?]|: |\n  - |\n- |# c\n|[ab]: |&a |[*]a |[|>]\n  x\n|\n){0,40}") {
        holds(&text);
    }

    #[test]
    fn edited_playbooks(file in 0..GOOD.len(), edits in prop::collection::vec((0..6u8, any::<usize>(), "([ #:\\-\\[\\]{}'\"|>&*,?\n\t]|# c\n|\n\n|  ){1,4}"), 1..4)) {
        let mut text = GOOD[file].to_owned();
        for (kind, at, with) in edits {
            text = edited(&text, kind, at, &with);
        }
        holds(&text);
    }
}

/// One edit that leaves many files readable.
fn edited(text: &str, kind: u8, at: usize, with: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return with.to_owned();
    }
    let line = at % lines.len();
    let mut place = at % text.len().max(1);
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    match kind {
        0 => lines.insert(line, format!("{}# {with}", " ".repeat(at % 9)).replace('\n', " ")),
        1 => lines[line].push_str(&format!("{}#{with}", " ".repeat(1 + at % 3)).replace('\n', " ")),
        2 => return format!("{}{with}{}", &text[..place], &text[place..]),
        3 => lines.insert(line, String::new()),
        4 => {
            lines.remove(line);
        }
        _ => {
            // Everything below goes one to the right, which is what happens to a file that is pasted.
            for l in &mut lines[line..] {
                l.insert(0, ' ');
            }
        }
    }
    lines.join("\n")
}

/// The generator makes texts that can be read, or the properties would say little.
#[test]
fn most_of_what_is_generated_can_be_read() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = (prop::collection::vec((around(), value()), 1..5), layout());
    let readable = (0..200)
        .filter(|_| {
            let (items, layout) = strategy.new_tree(&mut runner).expect("a value").current();
            let mut text = String::new();
            entries(&items, 0, &mut text, "k", &layout);
            holds(&text)
        })
        .count();
    assert!(readable > 60, "{readable} of 200");
}
