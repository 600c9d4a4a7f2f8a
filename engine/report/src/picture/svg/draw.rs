//! Writing a scene down.

use std::fmt::Write;

use super::super::{Kind, Node, Picture};
use super::layout::Point;
use super::measure::Face;
use super::scene::{Line, Rect, Scene, Shape, Text};
use super::style;
use crate::sanitize::is_hidden;

pub(super) fn draw(picture: &Picture, scene: &Scene) -> String {
    let (w, h) = scene.size;
    let id = name(picture);
    let mut out = String::with_capacity(4096 + picture.nodes.len() * 600);
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" style=\"max-width:100%;height:auto\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" class=\"rb\">"
    );
    let _ = writeln!(out, "<title id=\"{id}-t\">{}</title>", escape(&format!("{}: {}", picture.name, picture.title)));
    let _ = writeln!(out, "<desc id=\"{id}-d\">{}</desc>", escape(&picture.about()));
    let _ = writeln!(out, "<style>\n{}</style>", style::sheet());
    let _ = writeln!(
        out,
        "<defs><marker id=\"{id}-a\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"rb-arrow\" d=\"M0 1L10 5L0 9z\"/></marker></defs>"
    );
    let _ = writeln!(out, "<rect class=\"rb-page\" width=\"{w}\" height=\"{h}\" rx=\"8\"/>");
    scene.heading.iter().for_each(|t| text(&mut out, t));
    for shape in scene.shapes.iter().filter(|s| is_group(picture, s)) {
        draw_shape(&mut out, picture, shape);
    }
    for line in &scene.lines {
        draw_line(&mut out, picture, line, &id);
    }
    for shape in scene.shapes.iter().filter(|s| !is_group(picture, s)) {
        draw_shape(&mut out, picture, shape);
    }
    for (_, texts) in scene.lines.iter().filter_map(|l| l.label.as_ref()) {
        texts.iter().for_each(|t| text(&mut out, t));
    }
    out.push_str("</svg>\n");
    out
}

fn is_group(picture: &Picture, shape: &Shape) -> bool {
    matches!(picture.nodes[shape.node].kind, Kind::Group(_))
}

/// A name for what is referred to, so that several pictures can stand in one page.
fn name(picture: &Picture) -> String {
    let texts = picture.nodes.iter().map(|n| n.id.as_str()).chain([picture.name.as_str()]);
    let hash =
        texts.flat_map(str::bytes).fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("rb{:08x}", hash as u32)
}

fn draw_shape(out: &mut String, picture: &Picture, Shape { node, rect, texts }: &Shape) {
    let node = &picture.nodes[*node];
    let _ = write!(out, "<g><title>{}</title>", escape(&tip(node)));
    let Rect { x, y, w, h } = *rect;
    let class = node.kind.class();
    let _ = match node.kind {
        Kind::Question => {
            // Slanted sides tell a question from a step without colour.
            let slant = 9.0_f64.min(h / 2.0);
            write!(
                out,
                "<path class=\"rb-box rb-{class}\" d=\"M{} {}H{}L{} {}L{} {}H{}L{} {}z\"/>",
                n(x + slant),
                n(y),
                n(x + w - slant),
                n(x + w),
                n(y + h / 2.0),
                n(x + w - slant),
                n(y + h),
                n(x + slant),
                n(x),
                n(y + h / 2.0)
            )
        }
        _ => {
            let round = match node.kind {
                Kind::Finding(_) | Kind::Stop | Kind::Fail => 16.0_f64.min(h / 2.0),
                Kind::Group(_) => 10.0,
                _ => 5.0,
            };
            write!(
                out,
                "<rect class=\"rb-box rb-{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
                n(x),
                n(y),
                n(w),
                n(h),
                n(round)
            )
        }
    };
    if matches!(node.kind, Kind::Play(_)) {
        // Two more lines at the sides: another playbook.
        let _ = write!(
            out,
            "<path class=\"rb-play rb-line\" d=\"M{} {}V{}M{} {}V{}\"/>",
            n(x + 5.0),
            n(y),
            n(y + h),
            n(x + w - 5.0),
            n(y),
            n(y + h)
        );
    }
    texts.iter().for_each(|t| text(out, t));
    out.push_str("</g>\n");
}

fn draw_line(out: &mut String, picture: &Picture, line: &Line, id: &str) {
    let edge = &picture.edges[line.edge];
    let broken = if edge.kind.is_broken() { " rb-broken" } else { "" };
    let path = if line.is_loop { loop_path(&line.points) } else { path(&line.points, line.label.as_ref().map(|l| l.0)) };
    let _ = writeln!(out, "<path class=\"rb-line{broken}\" marker-end=\"url(#{id}-a)\" d=\"{path}\"/>");
}

/// A line through points: straight where it runs down, an even curve where it runs to the side. It is not drawn where its answer is.
fn path(points: &[Point], label: Option<Rect>) -> String {
    let mut out = String::new();
    let Some(first) = points.first() else { return out };
    let _ = write!(out, "M{} {}", n(first.x), n(first.y));
    for pair in points.windows(2) {
        let [a, b] = pair else { continue };
        let covered = label.filter(|l| a.x == b.x && a.x > l.x && a.x < l.x + l.w && overlaps(a.y, b.y, *l));
        if let Some(label) = covered {
            let (near, far) = if a.y < b.y { (label.y, label.y + label.h) } else { (label.y + label.h, label.y) };
            let _ = write!(out, "V{}M{} {}V{}", n(near), n(b.x), n(far), n(b.y));
        } else if (a.x - b.x).abs() < 0.05 {
            let _ = write!(out, "V{}", n(b.y));
        } else {
            let middle = (b.y - a.y) * 0.5;
            let _ = write!(out, "C{} {} {} {} {} {}", n(a.x), n(a.y + middle), n(b.x), n(b.y - middle), n(b.x), n(b.y));
        }
    }
    out
}

fn overlaps(a: f64, b: f64, label: Rect) -> bool {
    a.min(b) < label.y + label.h && a.max(b) > label.y
}

fn loop_path(points: &[Point]) -> String {
    let [a, b] = points else { return String::new() };
    format!("M{} {}C{} {} {} {} {} {}", n(a.x), n(a.y), n(a.x + 26.0), n(a.y - 4.0), n(b.x + 26.0), n(b.y + 4.0), n(b.x), n(b.y))
}

fn text(out: &mut String, Text { at, face, text, .. }: &Text) {
    let class = match face {
        Face::Title => "title",
        Face::Label => "label",
        Face::Word => "word",
        Face::Code => "code",
        Face::Note => "note",
        Face::Answer => "answer",
    };
    let _ = write!(
        out,
        "<text class=\"rb-{class}\" x=\"{}\" y=\"{}\" font-size=\"{}\">{}</text>",
        n(at.x),
        n(at.y),
        n(face.size()),
        escape(text)
    );
}

/// All that is known of a node, however much of it there is room for in its box.
fn tip(node: &Node) -> String {
    let head = format!("{} {}", node.number, node.label);
    let all = [head.trim(), &node.word, &node.what];
    let lines = all.iter().copied().chain(node.notes.iter().map(String::as_str)).chain([node.place.as_str()]);
    lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A number with one decimal, if it has any.
fn n(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A text in XML. Characters that XML does not know, or that hide or move what is shown, are written out.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if is_hidden(c) => {
                let _ = write!(out, "{}", crate::sanitize::Shown(c.encode_utf8(&mut [0; 4])));
            }
            c => out.push(c),
        }
    }
    out
}
