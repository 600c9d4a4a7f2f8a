//! What a playbook changes and destroys, by name, as far as it is known before it runs.

use indexmap::{IndexMap, IndexSet};
use runbook_core::model::{Body, Contents, NodeKind, RemedyAction, Step};
use runbook_core::module::{Effect, Resource};

use super::Shown;
use crate::known::Known;
use crate::step_words as words;

/// What is changed and destroyed.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Names by kind: services, ports, files.
    pub(crate) changes: IndexMap<String, Vec<String>>,
    /// A line for every step that destroys: what it is called, and what it runs.
    pub(crate) destroys: Vec<String>,
}

/// The most names of a kind that are listed.
const MOST_NAMES: usize = 12;
/// A loop over more items is told by one of them.
const MOST_ITEMS: usize = 50;

#[derive(Default)]
struct Collected {
    resources: IndexSet<Resource>,
    destroys: Vec<String>,
}

/// Several resources of a kind.
fn plural(kind: &str) -> String {
    match kind {
        "process" => "processes".to_owned(),
        "db" => "databases".to_owned(),
        "net" => "servers".to_owned(),
        "playbook" => "whatever these playbooks change".to_owned(),
        kind => format!("{kind}s"),
    }
}

impl Shown<'_> {
    /// What it changes and destroys.
    pub(crate) fn touched(&self) -> Touched {
        let playbook = &self.plan.root_unit().playbook;
        let mut found = Collected::default();
        match &playbook.contents {
            Contents::Steps(steps) | Contents::Checks(steps) => self.collect(steps, &self.known, &mut found),
            // A remedy is proposed, not made; but who plays one wants to know.
            Contents::Triage(tree) => {
                for node in tree.nodes() {
                    let NodeKind::Leaf(leaf) = &node.kind else { continue };
                    if let Some(RemedyAction::Steps(steps)) = leaf.remedy.as_ref().map(|r| &r.action) {
                        self.collect(steps, &self.known, &mut found);
                    }
                }
            }
        }
        self.collect(&playbook.rescue, &self.known, &mut found);
        self.collect(&playbook.always, &self.known, &mut found);
        let mut out = Touched { destroys: found.destroys, ..Touched::default() };
        for resource in &found.resources {
            let (kind, name) = resource.0.split_once(':').unwrap_or(("other", &resource.0));
            let (kind, name) = match (kind, name) {
                ("host", _) => ("this machine".to_owned(), "whatever its commands change".to_owned()),
                _ => (plural(kind), name.to_owned()),
            };
            let names = out.changes.entry(kind).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for names in out.changes.values_mut().filter(|n| n.len() > MOST_NAMES) {
            let more = names.len() - MOST_NAMES;
            names.truncate(MOST_NAMES);
            names.push(format!("and {more} more"));
        }
        out
    }

    fn collect(&self, steps: &[Step], known: &Known<'_>, found: &mut Collected) {
        let effects = self.effects();
        for step in steps {
            let effect = effects.of(step);
            if effect == Effect::Read {
                continue;
            }
            let inside = known.in_pass(step);
            match &step.body {
                Body::Module(call) => {
                    if effect == Effect::Destroy {
                        let (label, what) = (words::label(step, &inside), words::what(step, &inside, self.registry));
                        found.destroys.push(if label == what { what } else { format!("{label}: {what}") });
                    }
                    let declared = step.touches.as_ref();
                    let mut add = |known: &Known<'_>| match declared {
                        Some(arg) => {
                            let all = known.shown(arg);
                            let names = all.as_list().unwrap_or_default().iter();
                            found.resources.extend(names.filter_map(|n| n.as_str()).map(|n| Resource(n.to_owned())));
                        }
                        None => found.resources.extend(effects.touches(call, known).changes),
                    };
                    let items = step.each.as_ref().and_then(|each| known.items(each));
                    match (&step.each, items) {
                        (Some(each), Some(items)) if items.len() <= MOST_ITEMS => {
                            items.into_iter().for_each(|(_, item)| add(&known.with(&each.bind, item)));
                        }
                        _ => add(&inside),
                    }
                }
                Body::Block(block) => {
                    [&block.steps, &block.rescue, &block.always].into_iter().for_each(|l| self.collect(l, &inside, found));
                }
                Body::Parallel(children) => self.collect(children, &inside, found),
                Body::Play { name, .. } => {
                    let known = found.resources.insert(Resource(format!("playbook:{}", name.value)));
                    if known && effect == Effect::Destroy {
                        found.destroys.push(format!("whatever `{}` destroys", name.value));
                    }
                }
                _ => {}
            }
        }
    }
}
