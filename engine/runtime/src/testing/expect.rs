//! Holding a run against what a test expects of it.

use jiff::SignedDuration;
use runbook_core::code::Code;
use runbook_core::event::{Outcome, RunOutcome};
use runbook_core::expr::{Expr, Overlay, Scope};
use runbook_core::model::test::{CallEntry, Checked, Listed, Matcher, PathEntry, PlayTest};
use runbook_core::module::Effect;
use runbook_core::span::{Span, Spanned};
use runbook_core::value::{Map, Value, format_duration};

use super::lists::{Difference, compare};
use super::trace::{CallDone, Done, StepDone, counted};
use crate::interp::RunResult;

/// What does not hold, before its place is worked out.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) code: Code,
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) expected: Vec<String>,
    pub(super) seen: Vec<String>,
    pub(super) help: Option<String>,
}

impl Wrong {
    fn new(span: Span, message: impl Into<String>, expected: Vec<String>, seen: Vec<String>) -> Wrong {
        Wrong { code: Code::NotExpected, span, message: message.into(), expected, seen, help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }
}

/// How a run ended.
pub(super) struct End<'a> {
    /// Its result; the reasons if it could not begin.
    pub(super) result: Result<&'a RunResult, &'a [String]>,
    pub(super) lasted: SignedDuration,
}

/// What the end of the playbook looks like, as far as the test asks.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The lines of `that` which do not hold.
    that: Vec<Wrong>,
    /// Results of steps by label.
    steps: Vec<Option<Value>>,
    /// Variables.
    vars: Vec<Option<Value>>,
    /// The findings.
    findings: Vec<String>,
}

/// Looks at the end of the playbook.
pub(super) fn look(test: &PlayTest, scope: &dyn Scope, result: &RunResult) -> Looked {
    let first = Map::from_iter([("outputs".to_owned(), result.outputs.clone())]);
    let scope = Overlay { first: &first, rest: scope };
    let expect = &test.expect;
    Looked {
        that: expect.that.iter().filter_map(|expr| untrue(expr, &scope)).collect(),
        steps: expect.steps.iter().map(|(label, _)| step_value(&label.value, &scope)).collect(),
        vars: expect.vars.iter().map(|v| scope.get(&v.name.value)).collect(),
        findings: findings(&scope.get("findings").unwrap_or_default()),
    }
}

/// The ids of findings.
fn findings(value: &Value) -> Vec<String> {
    let id = |finding: &Value| match finding.bare() {
        Value::Map(map) => map.get("finding").or_else(|| map.get("id")).cloned().unwrap_or_default().to_string(),
        other => other.to_string(),
    };
    value.as_list().unwrap_or_default().iter().map(id).collect()
}

/// `steps.<id>`, or of `id@item` the pass for that item, where loops keep their passes by key.
fn step_value(label: &str, scope: &dyn Scope) -> Option<Value> {
    let (id, item) = match label.split_once('@') {
        Some((id, item)) => (id, Some(item)),
        None => (label, None),
    };
    let whole = scope.get_in("steps", id).flatten()?;
    match item {
        None => Some(whole),
        Some(item) => Some(whole.field("items").field(item)).filter(|v| !v.is_null()),
    }
}

/// A line of `that` that does not hold.
fn untrue(expr: &Expr, scope: &dyn Scope) -> Option<Wrong> {
    let seen = match expr.eval(scope) {
        Ok(value) => match value.truth() {
            Some(true) => return None,
            Some(false) => Vec::new(),
            None => vec![format!("it is not known: {}", value.find_unknown().map(|u| u.reason.clone()).unwrap_or_default())],
        },
        Err(error) => vec![error.message],
    };
    let values = expr.seen(scope).into_iter().map(|s| format!("{} is {}", s.text, s.value));
    let seen = if seen.is_empty() { values.collect() } else { seen };
    let help = "the expression is evaluated at the end of the playbook; inside a loop's step, results are in `.items`";
    Some(Wrong::new(expr.span, "an expression of `that` is not true", vec![expr.text.to_string()], seen).help(help))
}

/// Everything that does not hold.
pub(super) fn wrongs(test: &PlayTest, end: &End<'_>, looked: Option<Looked>, done: &Done) -> Vec<Wrong> {
    let mut out = Vec::new();
    ending(test, end, done, &mut out);
    let expect = &test.expect;
    let path: Vec<StepDone> = done.path().cloned().collect();
    let named = |s: &StepDone| {
        let (label, word) = s.shown();
        format!("{}: {}", flow_text(label), flow_text(word))
    };
    list(&expect.path, "path", &path, &|e: &PathEntry, s: &StepDone| s.is(e), &named, &mut out);
    calls(&expect.calls, "calls", done.calls.iter(), &mut out);
    calls(&expect.ran, "ran", done.calls.iter().filter(|c| c.effect > Effect::Read), &mut out);
    let same = |e: &Text, s: &String| e.0 == *s;
    list(&texts(&expect.asked), "asked", &done.asked, &same, &|s| flow_text(s), &mut out);
    let skipped: Vec<StepDone> = done.steps.iter().filter(|s| s.outcome == Outcome::Skipped).cloned().collect();
    let is = |e: &Text, s: &StepDone| e.0 == s.label || e.0 == s.path;
    list(&texts(&expect.skipped), "skipped", &skipped, &is, &|s| flow_text(&s.label), &mut out);
    let notes = map_listed(&expect.notes, |m| Pattern(m.value.clone()));
    let fits = |e: &Pattern, s: &String| e.0.fits(&Value::str(s));
    list(&notes, "notes", &done.notes, &fits, &|s| flow_text(s), &mut out);
    let looked = looked.unwrap_or_default();
    list(&texts(&expect.findings), "findings", &looked.findings, &same, &|s| flow_text(s), &mut out);
    steps(test, &looked, done, &mut out);
    for (checked, found) in expect.vars.iter().zip(looked.vars.iter().map(Option::as_ref).chain(std::iter::repeat(None))) {
        value(
            checked,
            found,
            "the variable",
            match found {
                Some(_) => "it is looked at when the playbook has ended",
                None => "only variables that are set at the top of the playbook are there at its end",
            },
            &mut out,
        );
    }
    let outputs = end.result.ok().map(|r| &r.outputs);
    for checked in &expect.outputs {
        let found = outputs.and_then(Value::as_map).and_then(|m| m.get(&checked.name.value));
        let help = match found {
            Some(_) => "outputs are worked out when the playbook has ended; `runbook test -v` shows what it did",
            None => "a playbook has outputs only if it succeeds",
        };
        value(checked, found, "the output", help, &mut out);
    }
    verdict(test, end, done, &mut out);
    for (row, wanted) in &expect.checks {
        let found = done.rows.iter().find(|(label, name, _)| *label == row.value || *name == row.value);
        let seen = found.map_or_else(|| "no such row".to_owned(), |(.., grade)| grade.word().to_owned());
        if found.is_none_or(|(.., grade)| *grade != wanted.value) {
            let rows: Vec<String> =
                done.rows.iter().map(|(label, name, _)| if label.contains('[') { name.clone() } else { label.clone() }).collect();
            let help = format!("the rows are {}", if rows.is_empty() { "none".to_owned() } else { rows.join(", ") });
            let message = format!("the row `{}` is not graded as expected", row.value);
            out.push(Wrong::new(wanted.span, message, vec![wanted.value.word().to_owned()], vec![seen]).help(help));
        }
    }
    if let Some(bound) = &expect.duration
        && !bound.value.holds(end.lasted)
    {
        let seen = vec![format_duration(end.lasted)];
        out.push(
            Wrong::new(bound.span, "the run does not take as long as expected", vec![bound.value.to_string()], seen)
                .help("the virtual clock moves by `takes`, `wait`, and the pauses of retries"),
        );
    }
    out.extend(looked.that);
    out
}

/// How the run ended, and its last line.
fn ending(test: &PlayTest, end: &End<'_>, done: &Done, out: &mut Vec<Wrong>) {
    let expect = &test.expect;
    let refused = |mistakes: &[String]| format!("it was refused: {}", mistakes.join("; "));
    let (word, exit, message) = match end.result {
        Ok(result) => (result.outcome.word().to_owned(), result.exit.code(), result.message.clone()),
        Err(mistakes) => ("not begun".to_owned(), 3, refused(mistakes)),
    };
    let seen = |what: String| if message.is_empty() { vec![what] } else { vec![what, message.clone()] };
    let last = done.path().filter(|s| !s.outcome.is_good()).last();
    let why = match (end.result, last) {
        (Err(_), _) => "give the parameters under `with`".to_owned(),
        (Ok(result), _) if result.outcome == RunOutcome::Succeeded => "the run ended well".to_owned(),
        (Ok(_), Some(step)) => format!("the last step that did not succeed is `{}`: {}", step.label, step.message),
        (Ok(_), None) => "`runbook test -v` shows what the run did".to_owned(),
    };
    let right = |key: &str, seen: &str| match end.result {
        Ok(_) => format!("{why}; if this is right, write `{key}: {seen}`"),
        Err(_) => why.clone(),
    };
    if let Some(wanted) = &expect.outcome
        && end.result.ok().map(|r| r.outcome) != Some(wanted.value)
    {
        let (expected, help) = (vec![wanted.value.word().to_owned()], right("outcome", &word));
        out.push(Wrong::new(wanted.span, "the run does not end as expected", expected, seen(word.clone())).help(help));
    }
    if let Some(wanted) = &expect.exit
        && wanted.value != exit
    {
        let (expected, help) = (vec![wanted.value.to_string()], right("exit", &exit.to_string()));
        out.push(Wrong::new(wanted.span, "the exit code is not as expected", expected, seen(exit.to_string())).help(help));
    }
    let good = matches!(end.result, Ok(r) if matches!(r.outcome, RunOutcome::Succeeded | RunOutcome::Stopped));
    if expect.outcome.is_none() && expect.exit.is_none() && !good {
        let help = match end.result {
            Ok(_) => format!("{} under `expect`", right("outcome", &word)),
            Err(_) => format!("{why}; if this is right, write `exit: {exit}` under `expect`"),
        };
        out.push(Wrong::new(expect.span, "the run does not succeed", vec!["succeeded".to_owned()], seen(word)).help(help));
    }
    for wanted in &expect.message {
        if !wanted.value.fits(&Value::str(&message)) {
            out.push(
                Wrong::new(
                    wanted.span,
                    "the run's last line is not as expected",
                    vec![Pattern(wanted.value.clone()).to_string()],
                    vec![if message.is_empty() {
                        "nothing: a run that succeeds may end without a word".to_owned()
                    } else {
                        message.clone()
                    }],
                )
                .help("a text is a part of the line; `{ matches: REGEX }` is a pattern"),
            );
        }
    }
}

fn verdict(test: &PlayTest, end: &End<'_>, done: &Done, out: &mut Vec<Wrong>) {
    let Some(wanted) = &test.expect.verdict else { return };
    let found = done.verdict.clone().or_else(|| {
        let verdict = end.result.ok()?.outputs.field("verdict");
        verdict.as_str().map(str::to_owned)
    });
    if found.as_deref() != Some(&wanted.value) {
        let seen = vec![found.unwrap_or_else(|| "none".to_owned())];
        out.push(
            Wrong::new(wanted.span, "the verdict is not as expected", vec![wanted.value.clone()], seen)
                .help("the verdict is the worst grade of the rows; a procedure has none"),
        );
    }
}

/// Results of steps.
fn steps(test: &PlayTest, looked: &Looked, done: &Done, out: &mut Vec<Wrong>) {
    for (i, (label, fields)) in test.expect.steps.iter().enumerate() {
        let ended = done.steps.iter().rev().find(|s| named(label, s));
        let value = looked.steps.get(i).cloned().flatten();
        let Some(result) = value.or_else(|| ended.map(as_value)) else {
            let labels: Vec<String> = done.path().map(|s| s.label.clone()).collect();
            let help =
                format!("the steps that ended are {}", if labels.is_empty() { "none".to_owned() } else { labels.join(", ") });
            let message = format!("the step `{}` was not reached", label.value);
            let expected = fields.iter().map(|f| format!("{}: {}", f.name.value, f.value)).collect();
            out.push(Wrong::new(label.span, message, expected, vec!["it did not run".to_owned()]).help(help));
            continue;
        };
        for field in fields {
            let found = result.field(&field.name.value);
            if field.value.fits(&found) {
                continue;
            }
            let message = format!("`{}` of the step `{}` is not as expected", field.name.value, label.value);
            let wrong = Wrong::new(field.name.span, message, vec![field.value.to_string()], vec![shown(&found)]);
            let said = ended.map(|s| s.message.as_str()).filter(|m| !m.is_empty());
            out.push(match said {
                Some(said) => wrong.help(format!("the step said: {said}")),
                None => wrong.help("`runbook test -v` shows what the run did"),
            });
        }
    }
}

/// What is known of a step whose result cannot be seen at the end.
fn as_value(step: &StepDone) -> Value {
    let error = if step.outcome.is_good() { Value::Null } else { Value::str(&step.message) };
    let duration = SignedDuration::try_from_secs_f64(step.duration_ms / 1000.0).unwrap_or_default();
    Value::map([
        ("outcome", Value::str(step.outcome.word())),
        ("changed", Value::Bool(step.outcome == Outcome::Changed)),
        ("error", error),
        ("answer", step.answer.as_deref().map_or(Value::Null, Value::str)),
        ("attempts", Value::from(step.attempts)),
        ("duration", Value::Duration(duration)),
    ])
}

fn named(label: &Spanned<String>, step: &StepDone) -> bool {
    label.value == step.label || label.value == step.path
}

/// A named value.
fn value(checked: &Checked, found: Option<&Value>, what: &str, help: &str, out: &mut Vec<Wrong>) {
    if found.is_some_and(|v| checked.value.fits(v)) {
        return;
    }
    let seen = found.map_or_else(|| "it is not there".to_owned(), shown);
    let message = format!("{what} `{}` is not as expected", checked.name.value);
    out.push(Wrong::new(checked.name.span, message, vec![checked.value.to_string()], vec![seen]).help(help));
}

/// A value as a test would write it; secrets masked.
fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

/// Calls that are expected. Those that differ in an argument only are told so.
fn calls<'c>(listed: &Option<Listed<CallEntry>>, name: &str, seen: impl Iterator<Item = &'c CallDone>, out: &mut Vec<Wrong>) {
    let seen: Vec<Told<'_>> = seen.map(Told).collect();
    let before = out.len();
    list(listed, name, &seen, &|e: &CallEntry, c: &Told<'_>| c.0.is(e), &|c| c.0.module.clone(), out);
    let (Some(listed), Some(wrong)) = (listed, out.get_mut(before)) else { return };
    let wanted = listed.exactly.iter().flatten().chain(&listed.includes);
    let Some(entry) = wanted.into_iter().find(|e| !seen.iter().any(|c| c.0.is(e))) else { return };
    let Some(near) = seen.iter().find(|c| c.0.module == entry.module) else { return };
    let differ: Vec<String> = entry
        .with
        .iter()
        .filter(|(key, matcher)| !matcher.fits(&near.0.args.field(key)))
        .map(|(key, _)| format!("`{key}` was {}", shown(&near.0.args.field(key))))
        .collect();
    wrong.help = Some(match (differ.as_slice(), &entry.step) {
        ([], Some(step)) => format!("`{}` is called, but not by the step `{step}`", entry.module),
        ([], None) => return,
        (differ, _) => format!("`{}` is called, but {}", entry.module, differ.join(" and ")),
    });
}

/// A call as it is set against what was expected.
struct Told<'c>(&'c CallDone);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.module)?;
        let args: Vec<String> =
            self.0.args.as_map().into_iter().flatten().map(|(key, value)| format!("{key}: {}", shown(value))).collect();
        if args.is_empty() { Ok(()) } else { write!(f, " {{{}}}", args.join(", ")) }
    }
}

/// Up to so long a list is offered to be written as it was seen.
const MOST_OFFERED: usize = 100;

/// A list that is expected; `written` is how a test would write what was seen.
fn list<E: ToString, S: ToString>(
    listed: &Option<Listed<E>>,
    name: &str,
    seen: &[S],
    fits: &dyn Fn(&E, &S) -> bool,
    written: &dyn Fn(&S) -> String,
    out: &mut Vec<Wrong>,
) {
    let Some(listed) = listed else { return };
    let Some(difference) = compare(listed, seen, fits) else { return };
    let offered = format!("{name}: [{}]", seen.iter().map(written).collect::<Vec<_>>().join(", "));
    let nothing = |lines: Vec<String>| match lines.is_empty() {
        true => vec!["nothing".to_owned()],
        false => counted(lines.into_iter()),
    };
    let of_it = format!("for a part of it `{name}: {{ includes: [...] }}`");
    out.push(match difference {
        Difference::Exactly(expected, seen) => {
            let help = match (seen.is_empty(), offered.len() <= MOST_OFFERED) {
                (true, _) => format!("if this is right, write `{name}: []`"),
                (false, true) => format!("if this is right, write `{offered}`; {of_it}"),
                (false, false) => format!("write what is seen if it is right; {of_it}"),
            };
            Wrong::new(listed.span, format!("`{name}` is not as expected"), nothing(expected), nothing(seen)).help(help)
        }
        Difference::Lacks(what, seen) => {
            Wrong::new(listed.span, format!("`{name}` lacks something, or it comes too early"), vec![what], nothing(seen))
                .help("what is listed must come in this order; others may stand between")
        }
        Difference::Holds(what, seen) => {
            let expected = vec![format!("no {what}")];
            Wrong::new(listed.span, format!("`{name}` holds what it must not"), expected, nothing(seen))
                .help("`runbook test -v` shows the whole run; if it is right, take it out of `excludes`")
        }
    });
}

/// A text as it is written inside brackets.
fn flow_text(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_. @/>".contains(c))
        && !text.ends_with(' ');
    if plain { text.to_owned() } else { format!("{text:?}") }
}

/// An expected text.
struct Text(String);

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An expected pattern.
struct Pattern(Matcher);

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Matcher::Contains(Value::Str(part)) => write!(f, "a text that holds {part:?}"),
            Matcher::StartsWith(Value::Str(part)) => write!(f, "a text that begins with {part:?}"),
            Matcher::Matches(regex) => write!(f, "a text that matches {}", regex.as_str()),
            other => other.fmt(f),
        }
    }
}

fn texts(listed: &Option<Listed<Spanned<String>>>) -> Option<Listed<Text>> {
    map_listed(listed, |text| Text(text.value.clone()))
}

fn map_listed<T, U>(listed: &Option<Listed<T>>, f: impl Fn(&T) -> U) -> Option<Listed<U>> {
    let all = |items: &[T]| items.iter().map(&f).collect();
    listed.as_ref().map(|l| Listed {
        span: l.span,
        exactly: l.exactly.as_deref().map(all),
        includes: all(&l.includes),
        excludes: all(&l.excludes),
    })
}

impl std::fmt::Display for StepDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (label, word) = self.shown();
        write!(f, "{label}: {word}")
    }
}
