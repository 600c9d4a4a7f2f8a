//! Undo: taking back what was done, newest first.

use runbook_core::event::Event;
use runbook_core::model::Step;
use runbook_core::path::StepPath;

use super::frame::Env;
use super::{Interpreter, locked};

/// A step that began to change something, with the steps that take it back.
#[derive(Clone)]
pub(crate) struct UndoEntry {
    pub(crate) path: StepPath,
    pub(crate) name: String,
    /// Empty if the author gave none: then it is left as it is, and said so.
    pub(crate) steps: Vec<Step>,
    pub(crate) env: Option<Env>,
}

impl Interpreter<'_> {
    /// Runs the undo of every step of the frame that began to change something, newest first. Returns whether all of it worked.
    pub(crate) async fn undo_all(&self, env: &Env) -> bool {
        let entries: Vec<UndoEntry> = std::mem::take(&mut *locked(&env.frame.undo));
        let with_undo = entries.iter().filter(|e| !e.steps.is_empty()).count();
        if with_undo > 0 {
            self.emit(Event::Undoing { steps: with_undo as u32 });
        }
        let mut good = true;
        for entry in entries.into_iter().rev() {
            let Some(undo_env) = &entry.env else {
                locked(&self.left).push(entry.name);
                continue;
            };
            let inner = undo_env.nested().below(&entry.path);
            let walked = self.cleaning(async { self.steps(&entry.steps, &inner, &entry.path, "undo").await }).await;
            if walked.flow.is_next() {
                locked(&self.undone).push(entry.name);
            } else {
                good = false;
                locked(&self.left).push(entry.name);
            }
        }
        // The undo steps changed things themselves; that is not to be undone in turn.
        locked(&env.frame.undo).clear();
        good
    }

    /// Names what a run leaves changed.
    pub(crate) fn note_left(&self, env: &Env) {
        let names: Vec<String> = locked(&env.frame.undo).iter().map(|e| e.name.clone()).collect();
        locked(&self.left).extend(names);
    }
}
