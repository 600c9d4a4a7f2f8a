//! A checklist: a table to fill in, and how to look at each.

use runbook_core::model::{Step, StepSeverity};

use super::md::Md;
use super::{Doc, md};

/// A check of more items gets one row.
const MOST_ROWS: usize = 40;

impl Doc<'_> {
    pub(super) fn checklist(&self, md: &mut Md, checks: &[Step]) {
        md.heading(2, "", "Checks");
        md.block(
            "Look at every one of them, also when one is bad. The worst is the verdict: critical, then what could not be told, then \
             warning, then ok.",
        );
        let rows: Vec<Vec<String>> = checks
            .iter()
            .enumerate()
            .filter(|(_, check)| check.graded)
            .flat_map(|(i, check)| {
                let number = (i + 1).to_string();
                let good = md::bars(&self.good(check));
                // A row for each item, where they are known.
                let items = check.each.as_ref().and_then(|e| Some((e, self.known.items(e).filter(|i| i.len() <= MOST_ROWS)?)));
                let passes = match items {
                    Some((each, items)) => items.into_iter().map(|(_, item)| self.known.with(&each.bind, item)).collect(),
                    None => vec![self.known.in_pass(check)],
                };
                let row = |known| {
                    let title = format!("[{}](#{})", self.title(check, &known), self.at(&number));
                    vec![number.clone(), md::bars(&title), good.clone(), String::new(), "☐".to_owned()]
                };
                passes.into_iter().map(row).collect::<Vec<_>>()
            })
            .collect();
        md.table(&["", "Check", "Good", "Found", "Done"], &rows);
        self.steps(md, checks, "", 3, &self.known);
    }

    /// When a check is good, in a cell.
    fn good(&self, check: &Step) -> String {
        let known = self.known.in_pass(check);
        let mut all = Vec::new();
        let by_module = if check.grade.is_some() { String::new() } else { self.hand(check, &known).expect };
        let expected = self.expected(check, &known, &by_module);
        let severity = if check.severity == StepSeverity::Warning { " (else a warning)" } else { "" };
        if !expected.is_empty() {
            all.push(format!("{}{severity}", expected.join(" and ")));
        }
        if let Some(grade) = &check.grade {
            all.push(format!("{}: {}", md::code(&grade.value.text), self.limits(grade, &known)));
        }
        all.join("; ")
    }
}
