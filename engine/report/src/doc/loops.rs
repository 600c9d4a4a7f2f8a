//! Steps that are repeated: for known items what is typed for each, otherwise what to do for each of them.

use indexmap::IndexSet;
use runbook_core::model::{Body, Each, Order, Over, Step};
use runbook_core::module::{ByHand, Effect};
use runbook_core::value::Value;

use super::md::Md;
use super::part::typed;
use super::{Doc, md};
use crate::human;
use crate::known::{Known, show, words};

/// So many items are told one by one if each takes one line, or several.
const MOST_SHORT: usize = 40;
const MOST_LONG: usize = 16;

struct Pass<'a> {
    key: String,
    known: Known<'a>,
    hand: ByHand,
}

impl Doc<'_> {
    /// Writes what is typed for each item; says no if the items are not known, or too many, or what is done is no call.
    pub(super) fn passes(&self, md: &mut Md, step: &Step, known: &Known<'_>) -> bool {
        let (Some(each), Body::Module(_)) = (&step.each, &step.body) else { return false };
        let Some(items) = known.items(each).filter(|i| i.len() <= MOST_SHORT) else { return false };
        let mut out = Vec::new();
        let mut left_out = Vec::new();
        for (key, item) in ordered(items, each.order) {
            let key = called(key, &item);
            let known = known.with(&each.bind, item);
            let runs = step.when.as_ref().and_then(|w| known.eval(w)).and_then(|v| v.truth());
            if runs == Some(false) {
                left_out.push(md::code(&key));
                continue;
            }
            out.push(Pass { hand: self.hand(step, &known), key, known });
        }
        let is_short =
            |hand: &ByHand| hand.lines.len() <= 2 && hand.lines.iter().all(|l| !l.starts_with("# ") && !l.contains('\n'));
        let short = out.iter().all(|p| is_short(&p.hand));
        if out.is_empty() || (!short && out.len() > MOST_LONG) {
            return false;
        }
        let names: Vec<String> = out.iter().map(|p| md::code(&p.key)).collect();
        md.block(&format!("For each of {}{}.", human::and_list(&names), self.order(step, each, known)));
        if !left_out.is_empty() {
            md.block(&format!("Not for {}.", human::and_list(&left_out)));
        }
        let is_common = |note: &&String| out.iter().all(|p| p.hand.notes.contains(note));
        let notes = out.iter().flat_map(|p| &p.hand.notes);
        let common: IndexSet<&String> = notes.filter(|n| short || is_common(n)).collect();
        if short {
            let all: Vec<String> = out.iter().flat_map(|p| p.hand.lines.clone()).collect();
            self.note_stand_ins(&all);
            md.sh(&all);
        } else {
            for pass in &out {
                md.block(&format!("**{}**", md::code(&pass.key)));
                self.note_stand_ins(&pass.hand.lines);
                typed(md, &pass.hand.lines);
                let own = pass.hand.notes.iter().filter(|n| !common.contains(n));
                own.for_each(|note| md.block(&md::line(note)));
            }
        }
        // What is to be known of all of them is told once.
        common.iter().for_each(|note| md.block(&md::line(note)));
        for flip in &self.flips {
            let lines = |hands: Vec<ByHand>| -> Vec<String> { hands.into_iter().flat_map(|h| h.lines).collect() };
            let base = lines(out.iter().map(|p| p.hand.clone()).collect());
            let other = lines(out.iter().map(|p| self.hand(step, &flip.known.with_locals_of(&p.known))).collect());
            self.difference(md, &flip.name, flip.to, &base, &other);
        }
        let by_module = out.first().map(|p| p.hand.expect.clone()).unwrap_or_default();
        self.expectations(md, step, &known.in_pass(step), &by_module);
        true
    }

    /// What to repeat, where the items are not told one by one.
    pub(super) fn repeat(&self, md: &mut Md, step: &Step, each: &Each, known: &Known<'_>) {
        let over = match (known.items(each), &each.over) {
            (Some(items), _) if items.len() <= MOST_SHORT => human::and_list(
                &ordered(items, each.order).into_iter().map(|(key, item)| md::code(&called(key, &item))).collect::<Vec<_>>(),
            ),
            (Some(items), _) => format!("these {}", human::count(items.len(), "item")),
            (None, Over::Expr(expr)) => format!("{}{}", md::code(&expr.text), self.speaks_of(expr)),
            (None, Over::Literal(arg)) => md::code(&known.line(arg)),
        };
        let stands = format!("below, {} stands for it", md::code(&format!("<{}>", each.bind)));
        md.block(&format!("**For each of** {over}{}: {stands}.", self.order(step, each, known)));
    }

    fn order(&self, step: &Step, each: &Each, known: &Known<'_>) -> String {
        let order = match each.order {
            Order::Listed if self.effects.of(step) == Effect::Read => "",
            Order::Listed => ", in this order",
            Order::Reverse => ", in this order (backwards)",
            Order::Dependencies => ", in this order: each comes after those it needs",
            Order::ReverseDependencies => ", in this order: each comes after those that need it",
        };
        match each.max_parallel.as_ref().map(|m| known.line(m)) {
            Some(most) if most != "1" => format!("; up to {} of them at the same time", md::line(&most)),
            _ => order.to_owned(),
        }
    }
}

/// What an item is called: one that is not known by what stands for it.
fn called(key: String, item: &Value) -> String {
    if item.is_unknown() { words(&show(item)) } else { key }
}

/// Items in the order in which they are done.
fn ordered(mut items: Vec<(String, Value)>, order: Order) -> Vec<(String, Value)> {
    match order {
        Order::Listed => return items,
        Order::Reverse => {
            items.reverse();
            return items;
        }
        Order::Dependencies | Order::ReverseDependencies => {}
    }
    let needs = |item: &Value| -> Vec<String> {
        item.field("needs").as_list().unwrap_or_default().iter().filter_map(|n| n.as_str().map(str::to_owned)).collect()
    };
    let all: Vec<(String, Vec<String>)> = items.iter().map(|(k, v)| (k.clone(), needs(v))).collect();
    let waits_for = |key: &str| -> Vec<&str> {
        if order == Order::Dependencies {
            let own = all.iter().find(|(k, _)| k == key);
            own.into_iter().flat_map(|(_, n)| n).map(String::as_str).filter(|n| all.iter().any(|(k, _)| k == n)).collect()
        } else {
            all.iter().filter(|(_, n)| n.iter().any(|n| n == key)).map(|(k, _)| k.as_str()).collect()
        }
    };
    let mut out: Vec<(String, Value)> = Vec::with_capacity(items.len());
    while !items.is_empty() {
        let free = items.iter().position(|(key, _)| waits_for(key).iter().all(|n| out.iter().any(|(k, _)| k == n)));
        // A cycle is refused before anything runs; here it is only written down as it is.
        out.push(items.remove(free.unwrap_or(0)));
    }
    out
}
