//! Coverage for people: a line a playbook, and what no test took.

use runbook_core::path::StepPath;
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
            let at = point.place.as_ref().map(|p| format!("{}:{}: ", p.file, p.line)).unwrap_or_default();
            page.labelled(9, "", 0, &format!("{at}{}: {}", point.label, point.what));
        }
    }
    page.push(Line::of(Ink::Bold, &format!("{:>5.1} %  of {} taken", percent(taken, points), count(points, "point"))));
}

/// The points that no test took. What lies inside a rescue, an undo or a question of a tree that was not taken follows from it.
pub(super) fn untaken(one: &PlaybookCoverage) -> Vec<&Point> {
    let missed = || one.points.iter().filter(|p| !p.taken);
    let mut inside: Vec<String> = Vec::new();
    let mut nodes: Vec<&str> = Vec::new();
    for point in missed() {
        let path = &point.key.path;
        let dot = if path.is_empty() { "" } else { "." };
        match point.key.kind {
            PointKind::Rescued => inside.push(format!("{path}{dot}rescue[")),
            PointKind::Undone => inside.push(format!("{path}{dot}undo[")),
            PointKind::Ran if is_node(path) => {
                inside.extend([format!("{path}.check["), format!("{path}.see[")]);
                nodes.push(path);
            }
            _ => {}
        }
    }
    let follows = |p: &Point| {
        let answer = matches!(p.key.kind, PointKind::Answer(_)) && nodes.contains(&p.key.path.as_str());
        answer || inside.iter().any(|l| p.key.path.starts_with(l.as_str()))
    };
    missed().filter(|p| !follows(p)).collect()
}

/// Whether a path is that of a tree's node, and not of a check in it.
fn is_node(path: &str) -> bool {
    serde_json::from_value::<StepPath>(serde_json::Value::from(path)).is_ok_and(|path| path.is_node())
}
