//! Coverage for people: a line a playbook, and what no test took.

use runbook_core::tested::{PlaybookCoverage, Point, PointKind, percent};

use crate::human::count;
use crate::ink::{Ink, Line};
use crate::page::Page;

/// Adds the coverage to a page; in short, only its line.
pub(super) fn add(page: &mut Page, all: &[PlaybookCoverage], short: bool) {
    let (mut taken, mut points) = (0, 0);
    for one in all {
        let (t, p) = one.counts();
        (taken, points) = (taken + t, points + p);
        if short {
            continue;
        }
        let part = percent(t, p);
        let ink = if t == p { Ink::Good } else { Ink::Warn };
        let tests = if one.tests == 0 { "no tests".to_owned() } else { count(one.tests, "test") };
        page.push(
            Line::of(ink, &format!("{part:>5.1} %  "))
                .with(Ink::Bold, &one.playbook)
                .with(Ink::Dim, &format!("  {t} of {p}, {tests}")),
        );
        if one.tests == 0 && t == 0 {
            continue;
        }
        for point in untaken(one) {
            let line = point.place.as_ref().map(|p| format!("line {}: ", p.line)).unwrap_or_default();
            page.labelled(9, "", 0, &format!("{line}{}: {}", point.label, point.what));
        }
    }
    page.push(Line::of(Ink::Bold, &format!("{:>5.1} %  of {} taken", percent(taken, points), count(points, "point"))));
}

/// The points that no test took. What lies inside a rescue or undo that was not taken follows from it.
pub(super) fn untaken(one: &PlaybookCoverage) -> Vec<&Point> {
    let lists: Vec<String> = one
        .points
        .iter()
        .filter(|p| !p.taken)
        .filter_map(|p| {
            let word = match p.key.kind {
                PointKind::Rescued => "rescue",
                PointKind::Undone => "undo",
                _ => return None,
            };
            let dot = if p.key.path.is_empty() { "" } else { "." };
            Some(format!("{}{dot}{word}[", p.key.path))
        })
        .collect();
    let inside = |p: &Point| lists.iter().any(|l| p.key.path.starts_with(l.as_str()));
    one.points.iter().filter(|p| !p.taken && !inside(p)).collect()
}
