//! The reference pages of codes, exit codes and functions.

use runbook_core::code::Code;
use runbook_core::exit::Exit;
use runbook_core::expr::{Callable, CallableKind, FUNCTIONS};
use serde_json::json;

use crate::ink::{Ink, Line, wrap};
use crate::page::{Page, cell, code};
use crate::policy::TermPolicy;
use crate::sanitize::sanitize;

/// What `runbook explain CODE` prints.
pub fn explain(of: Code, policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    let kind = severity(of);
    page.title(&format!("{kind}[{of}]: {}", of.title()), "");
    page.blank();
    page.prose(2, Ink::Plain, of.explanation());
    if let Some(example) = of.example() {
        for (head, piece) in [("Wrong:", example.wrong), ("Right:", example.right)] {
            page.blank();
            page.push(Line::indent(2).with(Ink::Bold, head));
            for line in piece.lines() {
                page.push(Line::indent(4).with(Ink::Plain, &sanitize(line)));
            }
        }
    }
    if kind == "warning" {
        page.blank();
        page.prose(2, Ink::Dim, &format!("Where it is meant, `# runbook: allow {of}` on the line above silences it."));
    }
    page.finish()
}

/// A code as JSON, with a line break at the end.
pub fn explain_json(of: Code) -> String {
    format!("{:#}\n", code_json(of))
}

/// All codes as JSON, with a line break at the end.
pub fn codes_json() -> String {
    let all: Vec<serde_json::Value> = Code::ALL.iter().map(|of| code_json(*of)).collect();
    format!("{:#}\n", json!({ "codes": all }))
}

fn code_json(of: Code) -> serde_json::Value {
    json!({
        "code": of.as_str(),
        "severity": severity(of),
        "title": of.title(),
        "explanation": of.explanation(),
        "example": of.example().map(|e| json!({ "wrong": e.wrong, "right": e.right })),
    })
}

fn severity(of: Code) -> &'static str {
    if of.as_str().starts_with('W') { "warning" } else { "error" }
}

/// All codes with their titles.
pub fn codes(policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    for of in Code::ALL {
        page.push(Line::of(Ink::Bold, of.as_str()).with(Ink::Plain, "  ").with(Ink::Plain, of.title()));
    }
    page.finish()
}

/// All codes as Markdown.
pub fn codes_markdown() -> String {
    let mut out = String::from("# Codes of errors and warnings\n");
    for of in Code::ALL {
        out.push_str(&format!("\n## {of}: {}\n\n{}\n", of.title(), of.explanation()));
        if let Some(example) = of.example() {
            for (head, piece) in [("Wrong", example.wrong), ("Right", example.right)] {
                out.push_str(&format!("\n{head}:\n\n```yaml\n{piece}\n```\n"));
            }
        }
    }
    out
}

/// The exit codes on a terminal.
pub fn exit_codes(policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    page.title("Exit codes", "");
    let name = Exit::ALL.iter().map(|e| exit_name(*e).len()).max().unwrap_or(0);
    let column = 2 + 3 + 2 + name + 2;
    if page.width() < column + 30 {
        Exit::ALL.iter().for_each(|e| page.term(2, &e.code().to_string(), &exit_name(*e), e.meaning()));
        return page.finish();
    }
    for exit in Exit::ALL {
        for (i, text) in wrap(exit.meaning(), page.width() - column).iter().enumerate() {
            let mut line = Line::indent(2);
            if i == 0 {
                line.push(Ink::Bold, &format!("{:>3}  ", exit.code()));
                line.push(Ink::Plain, &exit_name(*exit));
            }
            line.pad_to(column);
            page.push(line.with(Ink::Plain, text));
        }
    }
    page.finish()
}

fn exit_name(exit: Exit) -> String {
    serde_json::to_value(exit).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The exit codes as Markdown.
pub fn exit_codes_markdown() -> String {
    let mut out = String::from("# Exit codes\n\n| code | name | meaning |\n|---:|---|---|\n");
    for exit in Exit::ALL {
        out.push_str(&format!("| {} | `{}` | {} |\n", exit.code(), exit_name(*exit), cell(exit.meaning())));
    }
    out
}

/// How a callable is written: `value | replace(a, b)`.
fn usage(callable: &Callable) -> String {
    let name = callable.name;
    let args = match (callable.min, callable.max) {
        (_, 0) => String::new(),
        (min, max) => {
            let must = (1..=min).map(|i| format!("arg{i}"));
            let may = (min + 1..=max).map(|i| format!("[arg{i}]"));
            let all: Vec<String> = must.chain(may).collect();
            // Names only help when there are several.
            if max == 1 { all.join("").replace("arg1", "arg") } else { all.join(", ") }
        }
    };
    let call = if args.is_empty() { name.to_owned() } else { format!("{name}({args})") };
    match callable.kind {
        CallableKind::Function => format!("{name}({args})"),
        CallableKind::Filter => format!("value | {call}"),
        CallableKind::Test => format!("value is {call}"),
    }
}

const KINDS: [(CallableKind, &str); 3] =
    [(CallableKind::Function, "Functions"), (CallableKind::Filter, "Filters"), (CallableKind::Test, "Tests")];

/// Functions, filters and tests as Markdown.
pub fn functions_markdown() -> String {
    let mut out = String::from("# Functions, filters and tests\n");
    for (kind, title) in KINDS {
        out.push_str(&format!("\n## {title}\n\n| written | meaning |\n|---|---|\n"));
        for callable in FUNCTIONS.iter().filter(|c| c.kind == kind) {
            out.push_str(&format!("| {} | {} |\n", code(&usage(callable)), cell(callable.doc)));
        }
    }
    out
}

/// Functions, filters and tests on a terminal.
pub fn functions(policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    for (i, (kind, title)) in KINDS.into_iter().enumerate() {
        if i > 0 {
            page.blank();
        }
        page.push(Line::of(Ink::Accent, title));
        for callable in FUNCTIONS.iter().filter(|c| c.kind == kind) {
            page.term(2, &usage(callable), "", callable.doc);
        }
    }
    page.finish()
}
