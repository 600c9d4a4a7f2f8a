//! What is to become of a remedy.

use runbook_core::session::{RemedyChoice, RemedyOffer};

use super::{below, in_rows};
use crate::ink::{Ink, Line};
use crate::policy::TermPolicy;
use crate::runs::text;

/// The offer, as lines.
pub fn remedy(asked: &str, offer: &RemedyOffer, policy: &TermPolicy) -> String {
    let mut out = vec![Line::new()];
    super::indented(asked, 0, Ink::Bold, policy, &mut out);
    below(&offer.what, Ink::Plain, policy, &mut out);
    if let Some(reason) = &offer.held_back {
        below(&format!("it cannot be run now: {reason}"), Ink::Warn, policy, &mut out);
    }
    let item = |key: &str, word: &str| (key.to_owned(), word.to_owned());
    let mut keys = vec![item("d", "dry run (says what it would do)")];
    if offer.held_back.is_none() {
        keys.push(item("r", "run"));
    }
    keys.push(item("l", "leave"));
    if offer.can_go_back {
        keys.push(item("b", "back"));
    }
    keys.push(item("?", "keys"));
    in_rows(&keys, policy, &mut out);
    text(out, policy)
}

/// What the keys do at a remedy.
pub fn remedy_help(policy: &TermPolicy) -> String {
    let mut out = Vec::new();
    for line in [
        "d  say what it would do; nothing is changed (Enter does this too)",
        "r  run it, verify it, and ask the tree again; what loses something is confirmed first",
        "l  leave it; the command is shown at the end",
        "b  back to the last question of the tree",
    ] {
        below(line, Ink::Dim, policy, &mut out);
    }
    text(out, policy)
}

/// What a typed key or word means: a choice, or `None` for going back. Nothing typed is the dry run: Enter never starts a change.
///
/// # Errors
/// What can be typed instead.
pub fn understand_remedy(typed: &str, offer: &RemedyOffer) -> Result<Option<RemedyChoice>, String> {
    match typed.trim().to_ascii_lowercase().as_str() {
        "" | "d" | "dry" | "dry run" | "dry-run" => Ok(Some(RemedyChoice::DryRun)),
        "r" | "run" => match &offer.held_back {
            Some(reason) => Err(format!("it cannot be run now: {reason}")),
            None => Ok(Some(RemedyChoice::Run)),
        },
        "l" | "leave" | "q" | "quit" => Ok(Some(RemedyChoice::Leave)),
        "b" | "back" if offer.can_go_back => Ok(None),
        "b" | "back" => Err("there is no question to go back to".to_owned()),
        _ => Err("press d for the dry run, r to run it, l to leave it, or ? for the keys".to_owned()),
    }
}
