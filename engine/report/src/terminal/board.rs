//! The scoreboard of a checklist.

use std::collections::HashMap;

use console::measure_text_width;
use indexmap::IndexMap;
use runbook_core::event::{GradeWord, Graded, Row};
use runbook_core::path::StepPath;
use runbook_core::value::Value;

use super::view::Layout;
use crate::human;
use crate::ink::{Ink, Line, wrap};
use crate::table::Table;

/// The rows as tables, with what is behind every row that is not well.
///
/// Rows that tell the same kind of thing stand in one table: services with their ports, values with their limits, and the rest.
pub(super) fn rows(layout: &Layout, rows: &[(StepPath, Row)], details: &HashMap<StepPath, Vec<Line>>, out: &mut Vec<Line>) {
    let mut shapes: IndexMap<Shape<'_>, Vec<&(StepPath, Row)>> = IndexMap::new();
    for row in rows {
        shapes.entry(Shape::of(&row.1)).or_default().push(row);
    }
    let grade = rows.iter().map(|(_, r)| 2 + r.grade.word().len()).max().unwrap_or(0);
    let name = rows.iter().map(|(_, r)| measure_text_width(&r.name)).max().unwrap_or(0);
    let tables: Vec<Option<Vec<Line>>> = shapes.iter().map(|(shape, rows)| table(layout, shape, rows, (grade, name))).collect();
    // Either all are tables or none is: a mixture would be restless.
    let fits = tables.iter().all(Option::is_some);
    for (i, ((_, rows), table)) in shapes.iter().zip(tables).enumerate() {
        if i > 0 && fits {
            out.push(Line::new());
        }
        let mut lines = table.filter(|_| fits).unwrap_or_default().into_iter();
        out.extend(lines.next());
        for (path, row) in rows {
            match lines.next() {
                Some(line) => out.push(line),
                None => out.extend(stacked(layout, row, grade)),
            }
            behind(layout, row, details.get(path), out);
        }
    }
}

/// What a row tells beside its grade.
#[derive(PartialEq, Eq, Hash)]
enum Shape<'a> {
    Columns(Vec<&'a str>),
    Graded,
    Plain,
}

impl<'a> Shape<'a> {
    fn of(row: &'a Row) -> Self {
        match row {
            _ if row.graded.is_some() => Shape::Graded,
            _ if row.columns.is_empty() => Shape::Plain,
            _ => Shape::Columns(row.columns.iter().map(|(k, _)| k.as_str()).collect()),
        }
    }
}

fn table(layout: &Layout, shape: &Shape<'_>, rows: &[&(StepPath, Row)], (grade, name): (usize, usize)) -> Option<Vec<Line>> {
    let mut heads = vec!["", "check"];
    match shape {
        Shape::Columns(columns) => heads.extend(columns.iter().copied()),
        Shape::Graded => heads.extend(["value", "target/warning/critical"]),
        Shape::Plain => heads.push("seen"),
    }
    let mut table = Table::new(&heads).at_least(0, grade).at_least(1, name);
    table = match shape {
        Shape::Columns(_) => table.flex(1),
        Shape::Graded => table.right(2).flex(1),
        Shape::Plain => table.flex(2),
    };
    for (_, row) in rows {
        let (glyph, ink) = layout.glyphs.grade(row.grade);
        let mut cells = vec![(ink, format!("{glyph} {}", row.grade.word())), (Ink::Plain, row.name.clone())];
        match (shape, &row.graded) {
            (Shape::Graded, Some(graded)) => {
                cells.push((ink, value_words(graded)));
                cells.push((Ink::Dim, limit_words(layout, graded)));
            }
            (Shape::Columns(_), _) => cells.extend(row.columns.iter().map(|(_, v)| (Ink::Plain, v.clone()))),
            _ => cells.push((Ink::Dim, if is_well(row) { row.detail.clone() } else { String::new() })),
        }
        table.row(cells);
    }
    table.lines(layout.policy.width, layout.glyphs.ellipsis)
}

fn is_well(row: &Row) -> bool {
    matches!(row.grade, GradeWord::Ok | GradeWord::OffTarget)
}

/// Why a row is not well.
fn behind(layout: &Layout, row: &Row, details: Option<&Vec<Line>>, out: &mut Vec<Line>) {
    if is_well(row) {
        return;
    }
    let column = layout.name_column(0);
    if !row.detail.is_empty() {
        let width = layout.policy.width.saturating_sub(column);
        out.extend(wrap(&row.detail, width).iter().map(|l| Line::indent(column).with(Ink::Plain, l)));
    }
    out.extend(details.into_iter().flatten().cloned());
}

/// A row on several lines, for a narrow terminal.
fn stacked(layout: &Layout, row: &Row, grade: usize) -> Vec<Line> {
    let width = layout.policy.width;
    let (glyph, ink) = layout.glyphs.grade(row.grade);
    let mut first = Line::indent(2).with(ink, &format!("{glyph} {}", row.grade.word()));
    first.pad_to(2 + grade + 2);
    first.push(Ink::Plain, &row.name);
    let mut out = vec![first.fit(width, layout.glyphs.ellipsis)];
    let mut facts: Vec<String> = Vec::new();
    if let Some(graded) = &row.graded {
        facts.push(format!("{} ({})", value_words(graded), limit_words(layout, graded)));
    }
    facts.extend(row.columns.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k} {v}")));
    if !facts.is_empty() {
        let text = facts.join(&format!(" {} ", layout.glyphs.dot));
        out.extend(wrap(&text, width.saturating_sub(4)).iter().map(|l| Line::indent(4).with(Ink::Dim, l)));
    }
    out
}

fn value_words(graded: &Graded) -> String {
    human::value(&graded.value, graded.unit.as_deref())
}

fn limit_words(layout: &Layout, graded: &Graded) -> String {
    let word = |v: &Value| {
        if v.is_null() { layout.glyphs.none.to_owned() } else { human::value(v, None).replace(' ', "") }
    };
    format!("{}/{}/{}", word(&graded.target), word(&graded.warning), word(&graded.critical))
}

/// `verdict: ✗ critical  9 ok · 1 warning · 1 critical`.
pub(super) fn verdict(layout: &Layout, verdict: GradeWord, counts: &[u32; 5], out: &mut Vec<Line>) {
    let grades = [GradeWord::Ok, GradeWord::OffTarget, GradeWord::Warning, GradeWord::Unknown, GradeWord::Critical];
    let (glyph, ink) = layout.glyphs.grade(verdict);
    let line = Line::indent(2).with(Ink::Plain, "verdict: ").with(ink, &format!("{glyph} {}", verdict.word()));
    let words: Vec<String> =
        grades.iter().zip(counts).filter(|(_, n)| **n > 0).map(|(g, n)| format!("{n} {}", g.word())).collect();
    let counts = words.join(&format!(" {} ", layout.glyphs.dot));
    let both = line.clone().with(Ink::Dim, &format!("   {counts}"));
    if both.width() <= layout.policy.width {
        out.push(both);
    } else {
        out.push(line);
        out.extend(wrap(&counts, layout.policy.width.saturating_sub(4)).iter().map(|l| Line::indent(4).with(Ink::Dim, l)));
    }
}
