//! What the program is, on one screen: for whoever types its name and nothing else.

use crate::ink::{Ink, Line, wrap};
use crate::page::Page;
use crate::policy::TermPolicy;

/// Commands with what they do, under a heading.
#[derive(Clone, Debug)]
pub struct Group {
    /// The heading.
    pub name: &'static str,
    /// The commands in order.
    pub commands: Vec<(String, String)>,
}

/// One line, examples, the commands in groups, and where to read on.
pub fn overview(about: &str, examples: &[(&str, &str)], groups: &[Group], more: &[&str], policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    page.prose(0, Ink::Bold, about);
    page.heading("Try");
    let rows: Vec<(&str, &str)> = examples.to_vec();
    table(&mut page, &rows);
    for group in groups.iter().filter(|g| !g.commands.is_empty()) {
        page.heading(group.name);
        let rows: Vec<(&str, &str)> = group.commands.iter().map(|(name, what)| (name.as_str(), what.as_str())).collect();
        table(&mut page, &rows);
    }
    page.blank();
    more.iter().for_each(|line| page.prose_line(0, Ink::Dim, line));
    page.finish()
}

/// Names with what they mean beside them, or below them where there is no room.
fn table(page: &mut Page, rows: &[(&str, &str)]) {
    let column = 2 + rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let beside = page.width() >= column + 24;
    for (name, what) in rows {
        let mut line = Line::indent(2).with(Ink::Accent, name);
        if !beside {
            page.push(line);
            page.prose_line(4, Ink::Plain, what);
            continue;
        }
        for piece in wrap(what, page.width() - column) {
            line.pad_to(column);
            page.push(line.with(Ink::Plain, &piece));
            line = Line::new();
        }
    }
}
