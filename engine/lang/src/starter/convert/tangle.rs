//! Which units have to stay together, because a variable changes between them in a way that only one process can follow.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;

use super::unit::{PURE, SEEN_BY_ALL};
use super::whole;
use crate::starter::shell::{Part, Shape, Simple, Unit};

/// How often ranges are widened before everything is kept together.
const MAX_ROUNDS: usize = 50;

/// Commands whose effect on the shell outlives the range that they stand in.
const STATE: &[&str] = &["cd", "set", "umask", "ulimit", "shopt", "alias", "source", ".", "pushd", "popd", "export"];

/// What a unit does to one variable.
#[derive(Clone, Copy, Debug, Default)]
struct Touch {
    /// Whether it uses the value from before.
    open: bool,
    /// Whether it gives it a value.
    sets: bool,
    /// Whether that value is known to the steps that follow: an assignment of its own, a question.
    soft: bool,
    /// Whether it may leave the value from before as it is.
    may: bool,
    /// Whether the value comes from outside of the script: an argument, a question.
    given: bool,
    /// Whether the value is worked out anew wherever it is used.
    late: bool,
    /// Whether it is a choice that comes out the same wherever it is made.
    choice: bool,
}

/// Joins what has to be one step.
pub(super) fn together(text: &str, units: Vec<Unit>) -> Vec<Unit> {
    let touches = touches(text, &units);
    let mut ranges: Vec<(RangeInclusive<usize>, BTreeSet<String>)> = Vec::new();
    for (name, events) in &touches {
        if !SEEN_BY_ALL.contains(&name.as_str()) {
            let found = tangled(events, &units, &touches);
            ranges.extend(found.into_iter().map(|range| (range, BTreeSet::from([name.clone()]))));
        }
    }
    let ranges = widened(ranges, &units, &touches);
    let mut out = Vec::new();
    let mut units: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
    let mut at = 0;
    for (range, names) in ranges {
        let (from, to) = range.into_inner();
        out.extend(units[at..from].iter_mut().filter_map(Option::take));
        let members: Vec<Unit> = units[from..=to].iter_mut().filter_map(Option::take).collect();
        let called: HashSet<String> =
            units[to + 1..].iter().flatten().chain(members.iter().filter(|u| is_function(u))).flat_map(calls).collect();
        // What comes from outside goes in front, as a parameter; the text keeps its line.
        out.extend(members.iter().filter(|u| takes_default(u)).map(bare));
        let after: Vec<Unit> = members
            .iter()
            .filter(|u| match &u.shape {
                Shape::Function(name) => called.contains(name),
                _ => to + 1 < units.len() && is_state(u),
            })
            .map(bare)
            .collect();
        let members = members.into_iter().map(|mut unit| {
            if is_function(&unit) {
                let local = local(&unit);
                unit.sets.retain(|name| !local.contains(name));
            }
            unit
        });
        if let Some(mut one) = whole(members) {
            one.kept = names.into_iter().collect();
            out.push(one);
        }
        out.extend(after);
        at = to + 1;
    }
    out.extend(units[at..].iter_mut().filter_map(Option::take));
    out
}

fn is_function(unit: &Unit) -> bool {
    matches!(unit.shape, Shape::Function(_))
}

fn calls(unit: &Unit) -> impl Iterator<Item = String> {
    unit.commands.iter().map(Simple::name)
}

/// A unit without its comments, which stand in the text that it is kept in.
fn bare(unit: &Unit) -> Unit {
    Unit { comments: Vec::new(), remark: None, ..unit.clone() }
}

/// Whether a unit changes what all later commands run in.
fn is_state(unit: &Unit) -> bool {
    let Shape::Simple(simple) = &unit.shape else { return false };
    let path = simple.words.is_empty() && simple.assigns.iter().any(|a| SEEN_BY_ALL.contains(&a.name.as_str()));
    path || STATE.contains(&simple.name().as_str())
}

/// `NAME=${NAME:-x}` alone on a line.
fn takes_default(unit: &Unit) -> bool {
    let Shape::Simple(simple) = &unit.shape else { return false };
    let [assign] = simple.assigns.as_slice() else { return false };
    simple.words.is_empty()
        && matches!(assign.value.parts.as_slice(), [Part::Var { name, op, .. }] if *name == assign.name && !op.is_empty())
}

/// The variables that a function keeps to itself.
fn local(unit: &Unit) -> HashSet<String> {
    let declares = unit.commands.iter().filter(|c| matches!(c.name().as_str(), "local" | "declare" | "typeset"));
    let words = declares.flat_map(|c| c.rough_words().into_iter().skip(1));
    words.map(|w| w.split(['=', '+']).next().unwrap_or_default().to_owned()).collect()
}

/// What a function sets for its callers, and what it uses of theirs.
fn functions(units: &[Unit]) -> HashMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> {
    let mut known: HashMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = HashMap::new();
    for unit in units {
        let Shape::Function(name) = &unit.shape else { continue };
        let local = local(unit);
        let entry = known.entry(name).or_default();
        entry.0.extend(unit.sets.iter().map(String::as_str).filter(|n| !local.contains(*n)));
        entry.1.extend(unit.open.iter().map(String::as_str));
    }
    // A function that calls another one does what that one does.
    for _ in 0..4 {
        for unit in units {
            let Shape::Function(name) = &unit.shape else { continue };
            for call in calls(unit).filter(|c| c != name) {
                let Some((sets, open)) = known.get(call.as_str()).cloned() else { continue };
                if let Some(entry) = known.get_mut(name.as_str()) {
                    entry.0.extend(sets);
                    entry.1.extend(open);
                }
            }
        }
    }
    known
}

/// Every variable that is set, with the units that touch it.
fn touches(text: &str, units: &[Unit]) -> BTreeMap<String, BTreeMap<usize, Touch>> {
    let functions = functions(units);
    let mut out: BTreeMap<String, BTreeMap<usize, Touch>> = BTreeMap::new();
    for (i, unit) in units.iter().enumerate().filter(|(_, u)| !is_function(u)) {
        let mut at = |name: &str, change: &dyn Fn(&mut Touch)| {
            change(out.entry(name.to_owned()).or_default().entry(i).or_default());
        };
        unit.open.iter().for_each(|name| at(name, &|t| t.open = true));
        let raw = &text[unit.span.clone()];
        for name in &unit.sets {
            match &unit.shape {
                Shape::Simple(simple) if !unit.background => match assigned(simple, name) {
                    Some(touch) => at(name, &|t| *t = Touch { open: t.open && !touch.given || touch.open, ..touch }),
                    None => at(name, &|t| t.open = true),
                },
                _ => {
                    let may = ["if ", "case ", "&&", "||"].iter().any(|w| raw.contains(w)) && !heads(unit, raw, name);
                    let choice = is_choice(unit, raw);
                    at(name, &|t| *t = Touch { sets: true, may, choice, soft: choice, late: choice, ..*t });
                }
            }
        }
        for call in calls(unit) {
            let Some((sets, open)) = functions.get(call.as_str()) else { continue };
            open.iter().filter(|n| !unit.sets.iter().any(|s| s == *n)).for_each(|n| at(n, &|t| t.open = true));
            sets.iter()
                .for_each(|n| at(n, &|t| *t = Touch { sets: true, soft: false, given: false, late: false, choice: false, ..*t }));
        }
    }
    out.retain(|_, events| events.values().any(|t| t.sets));
    out
}

/// Whether a unit does nothing but choose values by those of other variables.
fn is_choice(unit: &Unit, raw: &str) -> bool {
    let says = |c: &Simple| PURE.contains(&c.name().as_str()) && c.redirects.iter().all(|r| r.op == ">&");
    // `-f` and its kin look at the world, which may be another one when the next step begins.
    let words: Vec<&str> = raw.split_whitespace().collect();
    let looks = (0..words.len()).any(|i| {
        let one = words[i].strip_prefix('-').is_some_and(|f| f.len() == 1 && !f.contains(['n', 'z', 'v']));
        (one && (i == 0 || words[i - 1] != "echo")) || matches!(words[i], "-nt" | "-ot" | "-ef")
    });
    matches!(unit.shape, Shape::Joined) && !unit.background && !looks && unit.commands.iter().all(says)
}

/// How a simple command sets a variable; `None` if it names it without a value.
fn assigned(simple: &Simple, name: &str) -> Option<Touch> {
    let command = simple.name();
    let soft = Touch { sets: true, soft: true, ..Touch::default() };
    match command.as_str() {
        "read" if simple.redirects.is_empty() => Some(Touch { given: true, ..soft }),
        "unset" => Some(soft),
        "export" | "readonly" | "declare" | "typeset" => {
            let said = |w: &&crate::starter::shell::Word| {
                let rough = w.rough();
                rough.strip_prefix(name).is_some_and(|rest| rest.starts_with('=') || rest.starts_with("+="))
            };
            let Some(word) = simple.words[1..].iter().find(said) else {
                return matches!(command.as_str(), "declare" | "typeset").then_some(soft);
            };
            let adds = word.rough().starts_with(&format!("{name}+="));
            let own = word.parts.iter().filter(|p| matches!(p, Part::Var { name: n, .. } if n == name)).count();
            let rest = word.parts.len() > 2 || word.rough().len() > name.len() + 1;
            // Which of its parts use the variable is seen where the unit was read.
            Some(Touch { given: own == 1 && !rest, late: late(&word.parts), open: adds, soft: !adds, ..soft })
        }
        "" if !simple.assigns.is_empty() => {
            let of: Vec<_> = simple.assigns.iter().filter(|a| a.name == name).collect();
            let [assign] = of.as_slice() else { return Some(Touch { sets: true, ..Touch::default() }) };
            let given = matches!(assign.value.parts.as_slice(),
                [Part::Var { name: n, .. }] if n == name || n.starts_with(|c: char| c.is_ascii_digit()));
            Some(Touch { given, late: late(&assign.value.parts), ..soft })
        }
        _ => Some(Touch { sets: true, ..Touch::default() }),
    }
}

/// Whether only the shell can say what a value is.
fn late(parts: &[Part]) -> bool {
    let printed = parts.iter().any(|p| matches!(p, Part::Command { .. }));
    !printed && parts.iter().any(|p| matches!(p, Part::Other) || matches!(p, Part::Var { op, .. } if !op.is_empty()))
}

/// Whether a loop begins by giving the variable a value.
fn heads(unit: &Unit, raw: &str, name: &str) -> bool {
    let reads = |c: &Simple| c.name() == "read" && c.rough_words().iter().any(|w| w == name);
    [format!("for {name} "), format!("for {name};"), format!("for {name}\n")].iter().any(|head| raw.contains(head))
        || unit.commands.iter().any(reads)
}

/// The ranges in which a variable changes so that steps of their own would not see it.
fn tangled(
    events: &BTreeMap<usize, Touch>,
    units: &[Unit],
    touches: &BTreeMap<String, BTreeMap<usize, Touch>>,
) -> Vec<RangeInclusive<usize>> {
    let mut out = Vec::new();
    let mut web: Vec<(usize, Touch)> = Vec::new();
    let close = |web: &mut Vec<(usize, Touch)>| {
        let web = std::mem::take(web);
        let last = web.iter().rposition(|(_, t)| t.open)?;
        let to = web[last].0;
        // An assignment that uses its own variable is as hard to follow as one in a loop.
        let hard = web[..last].iter().any(|(_, t)| t.sets && (!t.soft || (t.open && !t.choice)))
            || web[..last].iter().any(|(i, t)| t.late && changes(&units[*i], *i..=to, touches));
        // A value from outside is handed to the step.
        let first = usize::from(web[0].1.given && last > 0);
        (hard && web[first].0 < to).then(|| web[first].0..=to)
    };
    for (i, touch) in events {
        if touch.sets && !touch.open && !(touch.may && web.iter().any(|(_, t)| !t.soft || t.late)) {
            out.extend(close(&mut web));
        }
        if touch.sets || !web.is_empty() {
            web.push((*i, *touch));
        }
    }
    out.extend(close(&mut web));
    out
}

/// Whether anything that a unit uses is set in the units behind it.
fn changes(unit: &Unit, range: RangeInclusive<usize>, touches: &BTreeMap<String, BTreeMap<usize, Touch>>) -> bool {
    let (from, to) = range.into_inner();
    let set = |name: &String| touches.get(name).is_some_and(|events| events.range(from + 1..=to).any(|(_, t)| t.sets));
    unit.open.iter().filter(|n| !unit.sets.contains(n)).any(set)
}

/// Ranges with everything that needs what is set inside of them, and none inside of another.
fn widened(
    mut ranges: Vec<(RangeInclusive<usize>, BTreeSet<String>)>,
    units: &[Unit],
    touches: &BTreeMap<String, BTreeMap<usize, Touch>>,
) -> Vec<(RangeInclusive<usize>, BTreeSet<String>)> {
    let mut by_unit: Vec<Vec<&str>> = vec![Vec::new(); units.len()];
    for (name, events) in touches {
        events.iter().filter(|(_, t)| t.sets).for_each(|(i, _)| by_unit[*i].push(name));
    }
    for round in 0.. {
        ranges.sort_by_key(|(range, _)| *range.start());
        let mut merged: Vec<(RangeInclusive<usize>, BTreeSet<String>)> = Vec::new();
        for (range, names) in std::mem::take(&mut ranges) {
            match merged.last_mut() {
                Some((last, all)) if range.start() <= last.end() => {
                    *last = *last.start()..=*last.end().max(range.end());
                    all.extend(names);
                }
                _ => merged.push((range, names)),
            }
        }
        ranges = merged;
        let before: Vec<usize> = ranges.iter().map(|(r, _)| *r.end()).collect();
        for (range, _) in &mut ranges {
            let (from, to) = (*range.start(), *range.end());
            let mut end = to;
            let (mut by_state, mut by_others) = (HashSet::new(), HashSet::new());
            for i in from..=to {
                for name in &by_unit[i] {
                    if is_state(&units[i]) {
                        by_state.insert(*name)
                    } else {
                        by_others.insert(*name)
                    };
                    // Up to where the value is seen.
                    for (at, touch) in touches[*name].range(to + 1..) {
                        if touch.open && !SEEN_BY_ALL.contains(name) {
                            end = end.max(*at);
                        }
                        if touch.sets && !touch.open && !touch.may {
                            break;
                        }
                    }
                }
            }
            let state = units[from..=to].iter().filter(|u| is_state(u));
            let needs = |u: &Unit| u.open.iter().chain(&u.sets).any(|n| by_others.contains(n.as_str()));
            if state.into_iter().any(needs) || round > MAX_ROUNDS {
                end = units.len() - 1;
            }
            *range = from..=end;
        }
        if ranges.iter().map(|(r, _)| *r.end()).eq(before) {
            break;
        }
    }
    ranges
}
