//! Blocks: a group with `rescue` and `always`.

use runbook_core::event::Outcome;
use runbook_core::model::Block;
use runbook_core::path::StepPath;
use runbook_core::value::Value;

use super::Interpreter;
use super::flow::{Failure, Flow, Pass};
use super::frame::Env;
use super::step::Walked;

impl Interpreter<'_> {
    /// Runs a block. A rescued block has succeeded.
    pub(crate) async fn block(&self, block: &Block, env: &Env, path: &StepPath) -> Pass {
        let inner = env.nested().below(path);
        let Walked { mut flow, mut touched } = self.steps(&block.steps, &inner, path, "block").await;
        let mut message = String::new();
        if let Flow::Fail(failure) = &flow
            && !block.rescue.is_empty()
        {
            message = format!("rescued: {}", failure.message);
            let rescued = self.rescue(&block.rescue, &inner, path, failure).await;
            touched |= rescued.touched;
            flow = rescued.flow;
        }
        if !block.always.is_empty() {
            let always = self.cleaning(async { self.steps(&block.always, &inner.nested(), path, "always").await }).await;
            touched |= always.touched;
            if flow.is_next() || (matches!(always.flow, Flow::Abort(_)) && !matches!(flow, Flow::Abort(_))) {
                flow = always.flow;
            }
        }
        self.group_pass(flow, touched, message)
    }

    /// Runs a rescue with `error` in scope.
    pub(crate) async fn rescue(
        &self,
        steps: &[runbook_core::model::Step],
        env: &Env,
        path: &StepPath,
        failure: &Failure,
    ) -> Walked {
        let inner = env.nested();
        inner.set(
            "error",
            Value::map([
                ("message", Value::str(&failure.message)),
                ("step", Value::str(&failure.step)),
                ("result", failure.result.clone()),
            ]),
        );
        self.steps(steps, &inner, path, "rescue").await
    }

    /// The pass of a group whose children led to `flow`.
    pub(crate) fn group_pass(&self, flow: Flow, changed: bool, message: String) -> Pass {
        let mut pass = Pass::ok(message);
        pass.changed = changed;
        pass.touched = changed;
        pass.outcome = match &flow {
            Flow::Next | Flow::Stop(_) if changed => Outcome::Changed,
            Flow::Next | Flow::Stop(_) => Outcome::Ok,
            Flow::Fail(failure) => {
                pass.message = format!("{}: {}", failure.step, failure.message);
                pass.result = failure.result.as_map().cloned().unwrap_or_default();
                pass.unsure = failure.unsure;
                Outcome::Failed
            }
            Flow::Abort(_) => Outcome::Failed,
        };
        pass.flow = flow;
        pass
    }
}
