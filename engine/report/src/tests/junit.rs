//! Tests as JUnit XML, a suite a file.

use runbook_core::tested::{TestEnd, TestFailure, Tested};

use super::TestReport;

/// A text as XML: what it may not hold at all is left out, what means something there is written out.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            // XML 1.0 knows no other control characters, no surrogates and no non-characters.
            '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => out.push(c),
            _ => {}
        }
    }
    out
}

/// What does not hold, as text.
fn lines(failure: &TestFailure) -> String {
    let place = failure.place.as_ref().map(|p| format!("{}:{}:{}: ", p.file, p.line, p.column)).unwrap_or_default();
    let mut out = format!("{place}{} [{}]", failure.message, failure.code);
    for (word, list) in [("expected", &failure.expected), ("seen", &failure.seen)] {
        for line in list {
            out.push_str(&format!("\n  {word}: {line}"));
        }
    }
    for rule in &failure.paste {
        out.push_str(&format!("\n  - {{ {} }}", rule.join(", ")));
    }
    if let Some(help) = &failure.help {
        out.push_str(&format!("\n  help: {help}"));
    }
    out
}

fn case(test: &Tested, strict: bool, out: &mut String) {
    out.push_str(&format!(
        "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\"",
        xml(&test.name),
        xml(&test.playbook),
        xml(&test.place.file),
        test.place.line,
        test.took.as_secs_f64()
    ));
    let wrong: Vec<&TestFailure> = test.failures.iter().chain(test.warnings.iter().filter(|_| strict)).collect();
    if test.end == TestEnd::NotRun {
        out.push_str(">\n      <skipped message=\"another test failed first\"/>\n    </testcase>\n");
    } else if wrong.is_empty() {
        out.push_str("/>\n");
    } else {
        let text: Vec<String> = wrong.iter().map(|f| lines(f)).collect();
        out.push_str(&format!(
            ">\n      <failure message=\"{}\" type=\"{}\">{}</failure>\n    </testcase>\n",
            xml(&wrong[0].message),
            wrong[0].code,
            xml(&text.join("\n"))
        ));
    }
}

/// The report as JUnit XML.
pub fn junit(report: &TestReport) -> String {
    let failed = |tests: &[&Tested]| {
        tests.iter().filter(|t| t.end == TestEnd::Failed || (report.strict && !t.warnings.is_empty())).count()
    };
    let skipped = |tests: &[&Tested]| tests.iter().filter(|t| t.end == TestEnd::NotRun).count();
    let time = |tests: &[&Tested]| tests.iter().map(|t| t.took.as_secs_f64()).sum::<f64>();
    let all: Vec<&Tested> = report.tests.iter().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites name=\"runbook\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.6}\">\n",
        all.len(),
        failed(&all),
        skipped(&all),
        report.took.as_secs_f64()
    ));
    for (file, tests) in report.by_file() {
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.6}\">\n",
            xml(file),
            tests.len(),
            failed(&tests),
            skipped(&tests),
            time(&tests)
        ));
        tests.iter().for_each(|t| case(t, report.strict, &mut out));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_breaks_the_xml() {
        assert_eq!(xml("a<b>&\"c\"\n\t"), "a&lt;b&gt;&amp;&quot;c&quot;&#10;&#9;");
        assert_eq!(xml("\u{0}\u{1b}[31m\u{fffe}\u{ffff}x\u{85}é\u{1f600}\r"), "[31mx\u{85}é\u{1f600}");
        for c in '\0'..=char::MAX {
            let shown = xml(&c.to_string());
            assert!(
                shown.chars().all(|c| matches!(c, '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)),
                "{:#x}",
                c as u32
            );
        }
    }
}
