//! Pictures of random playbooks: nothing overlaps, every text fits, and no text is read as syntax.

use proptest::prelude::*;
use proptest::sample::select;
use runbook_core::model::FindingSeverity;
use runbook_core::module::Effect;
use runbook_report::picture::svg::{Line, Rect, Scene, width};
use runbook_report::picture::{Edge, EdgeKind, Entry, Kind, Limb, Node, Picture};
use runbook_report::{TermPolicy, is_hidden};

use crate::golden::fits;

/// Labels that want to be read as something else, and labels that are hard to measure.
const NASTY: &[&str] = &[
    "",
    "Is it up?",
    "<script>alert(1)</script>",
    "\"]; end; n1[\"x",
    "a \" b ' c & d < e > f",
    "&lt;b&gt; &quot; #quot; #35;",
    "]]> --> <!-- ==> -.-> |x| {{x}} %% comment",
    "1. a list\n- another\n# heading",
    "\\ \\n \\N \\\" \\",
    "\u{1b}[31mred\u{7}\u{0}",
    "a\u{202e}gnp.exe\u{2066}b\u{2028}c\u{feff}",
    "\u{fffe}\u{ffff}",
    "日本語の長いラベルです。とても長いので折り返しが必要です。",
    "🚒🚑👩\u{200d}🚒🇩🇪 emoji",
    "עברית العربية",
    "http://127.0.0.1:7000/v1/a/very/long/path/that/goes/on/and/on?and=on&more=\"things\"",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(NASTY).prop_map(str::to_owned),
        1 => Just("x".repeat(500)),
        1 => Just("many words ".repeat(60)),
        2 => "\\PC{0,40}",
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    select(vec![
        Kind::Step,
        Kind::Change,
        Kind::Destroy,
        Kind::Person,
        Kind::Play(Effect::Change),
        Kind::Fail,
        Kind::Stop,
        Kind::Question,
        Kind::Finding(FindingSeverity::Critical),
    ])
}

/// A node as drawn from chance: what it is, its texts, and which of the nodes before it is its group.
type Draft = (Kind, String, String, Vec<String>, Option<prop::sample::Index>, bool);

fn node() -> impl Strategy<Value = Draft> {
    let notes = prop::collection::vec(text(), 0..3);
    (kind(), text(), text(), notes, prop::option::weighted(0.3, any::<prop::sample::Index>()), any::<bool>())
}

fn edge() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, String, EdgeKind)> {
    let kind = select(vec![EdgeKind::Next, EdgeKind::Needs, EdgeKind::Answer, EdgeKind::Goto, EdgeKind::Then]);
    let label = prop_oneof![2 => Just(String::new()), 1 => select(vec!["yes", "no"]).prop_map(str::to_owned), 1 => text()];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), label, kind)
}

fn picture(nodes: Vec<Draft>, edges: Vec<(prop::sample::Index, prop::sample::Index, String, EdgeKind)>) -> Picture {
    let count = nodes.len();
    let mut picture =
        Picture { name: "shop/<&\">".into(), title: "A \"title\" <b>".into(), kind: "procedure", ..Picture::default() };
    for (i, (kind, label, what, notes, group, stacked)) in nodes.into_iter().enumerate() {
        let group = group.filter(|_| i > 0).map(|g| g.index(i));
        if let Some(group) = group {
            picture.nodes[group].kind = Kind::Group(Effect::Change);
        }
        let node = Node {
            id: format!("node-{i}"),
            number: if i % 3 == 0 { String::new() } else { i.to_string() },
            kind,
            word: "change".into(),
            label,
            what,
            notes,
            group,
            stacked,
            place: "a.yaml:1".into(),
        };
        picture.nodes.push(node);
    }
    for (from, to, label, kind) in edges {
        picture.edges.push(Edge { from: from.index(count), to: to.index(count), label, kind });
    }
    picture.outline = outline(&picture, None);
    picture
}

fn outline(picture: &Picture, group: Option<usize>) -> Vec<Entry> {
    let inside = (0..picture.nodes.len()).filter(|i| picture.nodes[*i].group == group);
    inside
        .map(|node| {
            let entries = outline(picture, Some(node));
            let label = if node % 4 == 0 { "yes".to_owned() } else { String::new() };
            let limbs = if entries.is_empty() { Vec::new() } else { vec![Limb { label, entries }] };
            Entry::Node { node, limbs }
        })
        .chain((picture.nodes.len() > 3).then_some(Entry::See(2)))
        .chain([Entry::GoOn(None)])
        .collect()
}

fn pictures() -> impl Strategy<Value = Picture> {
    (prop::collection::vec(node(), 1..24), prop::collection::vec(edge(), 0..30)).prop_map(|(n, e)| picture(n, e))
}

/// A tree of questions, as triage makes them: each node hangs below an earlier one.
fn trees() -> impl Strategy<Value = Picture> {
    let node = (any::<prop::sample::Index>(), text(), select(vec!["yes", "no", "unknown"]));
    prop::collection::vec(node, 1..40).prop_map(|nodes| {
        let mut out = picture(vec![(Kind::Question, "Why?".into(), String::new(), vec![], None, false)], vec![]);
        for (i, (above, label, answer)) in nodes.into_iter().enumerate() {
            let at = i + 1;
            out.nodes.push(Node { id: format!("node-{at}"), kind: Kind::Question, label, ..Node::default() });
            out.edges.push(Edge { from: above.index(at), to: at, label: answer.to_owned(), kind: EdgeKind::Answer });
        }
        out
    })
}

const SLACK: f64 = 0.01;

fn overlap(a: Rect, b: Rect) -> bool {
    a.x + SLACK < b.x + b.w && b.x + SLACK < a.x + a.w && a.y + SLACK < b.y + b.h && b.y + SLACK < a.y + a.h
}

fn inside(inner: Rect, outer: Rect) -> bool {
    inner.x + SLACK >= outer.x
        && inner.y + SLACK >= outer.y
        && inner.x + inner.w <= outer.x + outer.w + SLACK
        && inner.y + inner.h <= outer.y + outer.h + SLACK
}

/// The groups around a node, itself first.
fn around(picture: &Picture, node: usize) -> Vec<usize> {
    let mut out = vec![node];
    while let Some(group) = picture.nodes[out[out.len() - 1]].group {
        out.push(group);
    }
    out
}

/// Every way in which a picture could not be read.
fn flaws(picture: &Picture, scene: &Scene) -> Vec<String> {
    let mut out = Vec::new();
    let page = Rect { x: 0.0, y: 0.0, w: scene.size.0, h: scene.size.1 };
    let mut rects = vec![Rect::default(); picture.nodes.len()];
    scene.shapes.iter().for_each(|s| rects[s.node] = s.rect);
    if scene.shapes.len() != picture.nodes.len() {
        out.push(format!("{} of {} nodes are drawn", scene.shapes.len(), picture.nodes.len()));
    }
    for (a, node) in picture.nodes.iter().enumerate() {
        let rect = rects[a];
        if !inside(rect, page) {
            out.push(format!("node {a} is not on the page"));
        }
        if let Some(group) = node.group
            && !inside(rect, rects[group])
        {
            out.push(format!("node {a} is not inside of its group {group}"));
        }
        for (b, other) in picture.nodes.iter().enumerate().skip(a + 1) {
            if other.group == node.group && overlap(rect, rects[b]) {
                out.push(format!("nodes {a} and {b} overlap"));
            }
        }
    }
    for shape in &scene.shapes {
        for text in &shape.texts {
            let line = Rect { x: text.at.x, y: text.at.y - 9.0, w: width(&text.text, text.face), h: 9.0 };
            if !inside(line, shape.rect) {
                out.push(format!("{:?} leaves the box of node {}", text.text, shape.node));
            }
            let hidden =
                (0..picture.nodes.len()).find(|n| picture.nodes[*n].group == Some(shape.node) && overlap(line, rects[*n]));
            if let Some(over) = hidden {
                out.push(format!("node {over} lies over the title of its group"));
            }
        }
    }
    for text in &scene.heading {
        let line = Rect { x: text.at.x, y: text.at.y - 9.0, w: text.width, h: 9.0 };
        if !inside(line, page) || scene.shapes.iter().any(|s| overlap(line, s.rect)) {
            out.push(format!("the heading {:?} is not free", text.text));
        }
    }
    for line in &scene.lines {
        out.extend(flaws_of_line(picture, line, &rects, page));
    }
    let labels: Vec<(usize, Rect)> = scene.lines.iter().filter_map(|l| Some((l.edge, l.label.as_ref()?.0))).collect();
    for (i, (edge, a)) in labels.iter().enumerate() {
        for (other, b) in &labels[i + 1..] {
            if overlap(*a, *b) {
                out.push(format!("the answers of edges {edge} and {other} overlap"));
            }
        }
    }
    out
}

fn flaws_of_line(picture: &Picture, line: &Line, rects: &[Rect], page: Rect) -> Vec<String> {
    let mut out = Vec::new();
    let edge = &picture.edges[line.edge];
    let mut flaw = |what: String| out.push(format!("edge {}: {what}", line.edge));
    let (from, to) = (around(picture, edge.from), around(picture, edge.to));
    let touches = |p: &runbook_report::picture::svg::Point, nodes: &[usize]| {
        nodes.iter().any(|n| {
            let r = rects[*n];
            let across = p.x >= r.x - SLACK && p.x <= r.x + r.w + SLACK && p.y >= r.y - SLACK && p.y <= r.y + r.h + SLACK;
            let side = |a: f64, b: f64| (a - b).abs() < 0.5;
            across && (side(p.y, r.y) || side(p.y, r.y + r.h) || side(p.x, r.x + r.w))
        })
    };
    let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else {
        flaw("it has no points".into());
        return out;
    };
    if !touches(first, &from) || !touches(last, &to) {
        flaw(format!("it does not run from box to box: {:?}", line.points));
    }
    for pair in line.points.windows(2) {
        let [a, b] = pair else { continue };
        let leg = Rect { x: a.x.min(b.x), y: a.y.min(b.y), w: (a.x - b.x).abs(), h: (a.y - b.y).abs() };
        if !inside(leg, page) {
            flaw("it leaves the page".into());
        }
        for (node, rect) in rects.iter().enumerate() {
            let is_around = from.contains(&node) || to.contains(&node);
            // A line may run through the groups that both ends stand in, and touches those it joins.
            if !is_around && !line.is_loop && crosses(leg, *rect) {
                flaw(format!("it runs through node {node}"));
            }
        }
    }
    if let Some((label, texts)) = &line.label {
        if !inside(*label, page) {
            flaw("its answer is not on the page".into());
        }
        for (node, rect) in rects.iter().enumerate() {
            let is_around = from.contains(&node) && to.contains(&node) && node != edge.from;
            if overlap(*label, *rect) && !is_around {
                flaw(format!("its answer lies on node {node}"));
            }
        }
        for text in texts {
            if text.at.x + SLACK < label.x || text.at.x + text.width > label.x + label.w + SLACK {
                flaw(format!("{:?} does not fit its place", text.text));
            }
        }
    }
    out
}

/// Whether a part of a line, thin as it may be, runs through a box.
fn crosses(leg: Rect, rect: Rect) -> bool {
    leg.x < rect.x + rect.w - SLACK
        && leg.x + leg.w > rect.x + SLACK
        && leg.y < rect.y + rect.h - SLACK
        && leg.y + leg.h > rect.y + SLACK
}

/// Whether a text is well-formed XML as far as it is used here: every element closed, every `&` an entity, nothing forbidden.
fn well_formed(xml: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        content(&rest[..at])?;
        let end = rest[at..].find('>').ok_or("an element is not closed")? + at;
        let tag = &rest[at + 1..end];
        let quotes = tag.matches('"').count();
        if !quotes.is_multiple_of(2) {
            return Err(format!("a quote in <{tag}> is not closed"));
        }
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match tag {
            _ if tag.starts_with('/') => {
                if open.pop() != Some(name) {
                    return Err(format!("</{name}> closes nothing"));
                }
            }
            _ if tag.ends_with('/') => {}
            _ => open.push(name),
        }
        rest = &rest[end + 1..];
    }
    if open.is_empty() { content(rest) } else { Err(format!("{open:?} are not closed")) }
}

fn content(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let known = ["&lt;", "&gt;", "&amp;", "&quot;", "&#39;"];
        if !known.iter().any(|k| text[at..].starts_with(k)) {
            return Err(format!("a bare & in {text:?}"));
        }
    }
    match text.chars().find(|c| is_hidden(*c) || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        Some(c) => Err(format!("{c:?} in {text:?}")),
        None => Ok(()),
    }
}

/// The statements of Mermaid that may be there, each with its labels in quotes.
fn mermaid_is_plain(text: &str) -> Result<(), String> {
    for line in text.lines() {
        let line = line.trim();
        // What is between two quotes must hold none, so that the parts outside are ours alone.
        let outside: String = line.split('"').step_by(2).collect();
        let inside: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let is_ours = ["flowchart TD", "accTitle: ", "accDescr: ", "end", "subgraph n", "classDef ", "class "]
            .iter()
            .any(|s| line.starts_with(s));
        let is_node = outside.starts_with('n') && outside[1..].starts_with(|c: char| c.is_ascii_digit());
        if !(is_ours || is_node) {
            return Err(format!("{line:?} is no statement of ours"));
        }
        if line.matches('"').count() % 2 != 0 || inside.iter().any(|t| t.contains('<') && t.replace("<br>", "").contains('<')) {
            return Err(format!("a label in {line:?} is not escaped"));
        }
    }
    Ok(())
}

/// The tokens of DOT: quoted texts end, and nothing of ours is missing outside of them.
fn dot_is_plain(text: &str) -> Result<(), String> {
    let mut chars = text.chars();
    let (mut depth, mut outside) = (0_i32, String::new());
    while let Some(c) = chars.next() {
        match c {
            '"' => loop {
                match chars.next() {
                    Some('\\') => {
                        chars.next();
                    }
                    Some('"') => break,
                    Some(c) if is_hidden(c) => return Err(format!("{c:?} in a label")),
                    Some(_) => {}
                    None => return Err("a quote is not closed".into()),
                }
            },
            '{' => depth += 1,
            '}' => depth -= 1,
            c => outside.push(c),
        }
    }
    let plain = outside.chars().all(|c| c.is_ascii_alphanumeric() || " \n=[];,_->#".contains(c));
    if depth == 0 && plain { Ok(()) } else { Err(format!("{outside:?}")) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_in_a_picture_overlaps(picture in pictures()) {
        let scene = picture.scene().expect("it is small");
        prop_assert_eq!(flaws(&picture, &scene), Vec::<String>::new());
    }

    #[test]
    fn trees_are_drawn_without_a_flaw(picture in trees()) {
        let scene = picture.scene().expect("it is small");
        prop_assert_eq!(flaws(&picture, &scene), Vec::<String>::new());
    }

    #[test]
    fn no_text_is_read_as_syntax(picture in pictures()) {
        let svg = picture.svg().expect("it is small");
        prop_assert_eq!(well_formed(&svg), Ok(()));
        prop_assert!(!svg.contains("<script") && !svg.contains("href"), "{}", svg);
        prop_assert_eq!(mermaid_is_plain(&picture.mermaid()), Ok(()));
        prop_assert_eq!(dot_is_plain(&picture.dot()), Ok(()));
        let json: serde_json::Value = serde_json::from_str(&picture.json()).expect("JSON");
        prop_assert_eq!(json["nodes"].as_array().map(Vec::len), Some(picture.nodes.len()));
        for width in [30, 40, 80] {
            for unicode in [true, false] {
                let text = picture.text(&TermPolicy::text(width, unicode));
                fits(&text, width);
                prop_assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
            }
        }
    }

    #[test]
    fn parts_are_whole_pictures(picture in pictures(), at in any::<prop::sample::Index>(), depth in 1_usize..4) {
        let id = picture.nodes[at.index(picture.nodes.len())].id.clone();
        let part = picture.clone().cut(Some(&id), Some(depth)).expect("the node is there");
        prop_assert_eq!(&part.nodes[0].id, &id);
        prop_assert!(part.edges.iter().all(|e| e.from < part.nodes.len() && e.to < part.nodes.len()));
        prop_assert!(part.nodes.iter().all(|n| n.group.is_none_or(|g| g < part.nodes.len())));
        let scene = part.scene().expect("it is small");
        prop_assert_eq!(flaws(&part, &scene), Vec::<String>::new());
    }
}

#[test]
fn a_flaw_is_found() {
    let node = |id: &str| Node { id: id.into(), label: id.into(), ..Node::default() };
    let picture = Picture {
        nodes: vec![node("a"), node("b")],
        edges: vec![Edge { from: 0, to: 1, label: "yes".into(), kind: EdgeKind::Answer }],
        ..Picture::default()
    };
    let mut scene = picture.scene().expect("it is small");
    assert_eq!(flaws(&picture, &scene), Vec::<String>::new());
    scene.shapes[1].rect.y = scene.shapes[0].rect.y;
    let found = flaws(&picture, &scene).join("; ");
    for part in ["overlap", "leaves the box", "does not run from box to box"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert!(well_formed("<a>&</a>").is_err() && well_formed("<a><b></a>").is_err());
}

#[test]
fn a_picture_has_light_and_dark_and_no_more_than_it_needs() {
    let picture = picture(vec![(Kind::Destroy, "Wipe".into(), "file.delete /".into(), vec![], None, false)], vec![]);
    let svg = picture.svg().expect("it is small");
    assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("@media print"), "{svg}");
    assert!(svg.contains("<title id=") && svg.contains("<desc id=") && svg.contains("role=\"img\""), "{svg}");
    assert!(!svg.contains("http://") || svg.matches("http://").count() == 1, "only the name space: {svg}");
    assert!(!svg.contains("@font-face") && !svg.contains("@import"), "{svg}");
}

#[test]
fn what_nobody_could_read_is_refused_in_time() {
    let node = |i: usize| Node { id: i.to_string(), label: "x".into(), ..Node::default() };
    let picture = Picture { nodes: (0..6_000).map(node).collect(), ..Picture::default() };
    assert!(picture.svg().is_err());
    // A long chain is fine; edges across all of it are not.
    let nodes: Vec<Node> = (0..1_500).map(node).collect();
    let next = |i: usize, to: usize| Edge { from: i, to, label: String::new(), kind: EdgeKind::Next };
    let chain: Vec<Edge> = (1..1_500).map(|i| next(i - 1, i)).collect();
    let across = chain.iter().cloned().chain((0..1_400).map(|i| next(i, 1_499)));
    let wide = Picture { nodes: nodes.clone(), edges: across.collect(), ..Picture::default() };
    assert!(wide.svg().is_err());
    assert!(Picture { nodes, edges: chain, ..Picture::default() }.svg().is_ok());
}

#[test]
fn the_outline_is_cut_where_it_would_leave_the_terminal() {
    let mut picture = Picture { name: "deep".into(), kind: "procedure", ..Picture::default() };
    for i in 0..60_usize {
        picture.nodes.push(Node { id: i.to_string(), label: format!("level {i}"), group: i.checked_sub(1), ..Node::default() });
        picture.nodes[i].kind = Kind::Group(Effect::Read);
    }
    picture.outline = outline(&picture, None);
    let text = picture.text(&TermPolicy::text(40, true));
    fits(&text, 40);
    assert!(text.contains("level 59"), "{text}");
    let id = picture.clone().cut(Some("levle"), None).expect_err("no such node");
    assert_eq!(id.nearest, None);
    let id = picture.cut(Some("5x"), None).expect_err("no such node");
    assert!(id.nearest.is_some());
}
