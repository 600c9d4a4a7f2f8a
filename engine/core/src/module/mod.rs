//! The contract of probes and actions, and the table they are registered in.

mod by_hand;
mod cx;
mod effect;
mod entry;
mod fault;
mod registry;
mod schema;

pub use by_hand::{ByHand, HandArgs, hand_line, hand_secret, hand_shown, hand_word, has_hand_secret};
pub use cx::{Change, Cx, Daemon, Exec, ExecOutput, ExitReason, Host, OnLine, Shared, Spawned, TellLine};
pub use effect::{Effect, Need, Resource, Touches};
pub use entry::{About, Done, Entry, Example, Forecast, Kind, LazySchema, Operations, Outside, Reply};
pub use fault::Fault;
pub use registry::Registry;
pub use schema::{SchemaError, validate};

use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A boxed future, the form in which futures cross the doors between crates.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A module that only looks. Its effect is `read`.
///
/// The doc comment of [`Probe::Args`] is the module's documentation, those of its fields the arguments'.
pub trait Probe: Send + Sync + 'static {
    /// The name: a noun.
    const NAME: &'static str;
    /// The argument that a scalar or list in place of a map stands for.
    const MAIN: Option<&'static str> = None;
    /// An expression over the result's fields: the verdict when the step has no `expect`.
    const VERDICT: &'static str;
    /// A template over the result's fields: what a good result says in one line, such as `{{ status }} in {{ elapsed }}`. May be empty.
    const SAYS: &'static str = "";
    /// Fields of the result that get a column in a checklist's scoreboard, such as `port`.
    const COLUMNS: &'static [&'static str] = &[];
    /// Examples, run by tests.
    const EXAMPLES: &'static [Example];
    /// The arguments: a struct that denies unknown fields.
    type Args: DeserializeOwned + JsonSchema + Send + Sync;
    /// The result.
    type Out: Serialize + JsonSchema + Send;

    /// What a person does in place of it, without this program.
    fn by_hand(_args: &HandArgs<'_>) -> ByHand {
        ByHand::default()
    }

    /// What it reads and what it needs to be allowed to do.
    fn touches(args: &Self::Args) -> Touches;

    /// Finds what no schema can say about the arguments: two that exclude each other, a header that cannot be sent. It looks at nothing
    /// but the arguments, so it is asked before anything runs.
    ///
    /// # Errors
    /// [`Fault::Invalid`].
    fn check(_args: &Self::Args) -> Result<(), Fault> {
        Ok(())
    }

    /// Looks.
    ///
    /// # Errors
    /// [`Fault::Unmet`] if it looked and there is no such thing to describe, [`Fault::CannotTell`] if our side could not look,
    /// [`Fault::Invalid`] for arguments that no schema can express.
    fn observe(args: &Self::Args, cx: &Cx<'_>) -> impl Future<Output = Result<Self::Out, Fault>> + Send;
}

/// A module that changes something.
pub trait Action: Send + Sync + 'static {
    /// The name: `noun.verb`.
    const NAME: &'static str;
    /// The argument that a scalar or list in place of a map stands for.
    const MAIN: Option<&'static str> = None;
    /// An expression over the result's fields: the verdict when the step has no `expect`.
    const VERDICT: &'static str = "true";
    /// A template over the result's fields: what a good result says in one line, such as `{{ status }} in {{ elapsed }}`. May be empty.
    const SAYS: &'static str = "";
    /// Fields of the result that get a column in a checklist's scoreboard, such as `port`.
    const COLUMNS: &'static [&'static str] = &[];
    /// Examples, run by tests.
    const EXAMPLES: &'static [Example];
    /// The arguments: a struct that denies unknown fields.
    type Args: DeserializeOwned + JsonSchema + Send + Sync;
    /// The result.
    type Out: Serialize + JsonSchema + Send;

    /// What a person does in place of it, without this program.
    fn by_hand(_args: &HandArgs<'_>) -> ByHand {
        ByHand::default()
    }

    /// How much it changes with these arguments.
    fn effect(args: &Self::Args) -> Effect;

    /// What it reads and changes and what it needs to be allowed to do.
    fn touches(args: &Self::Args) -> Touches;

    /// Whether running it twice is the same as once.
    fn idempotent(args: &Self::Args) -> bool;

    /// Finds what no schema can say about the arguments: two that exclude each other, a header that cannot be sent. It looks at nothing
    /// but the arguments, so it is asked before anything runs.
    ///
    /// # Errors
    /// [`Fault::Invalid`].
    fn check(_args: &Self::Args) -> Result<(), Fault> {
        Ok(())
    }

    /// Whether the effect is what the author declares (`command`, `shell`): only then may a declaration lower it to `read`.
    const DECLARED: bool = false;

    /// Runs with a declared effect of `read`. Only modules with [`Action::DECLARED`] have it.
    ///
    /// # Errors
    /// As [`Probe::observe`].
    fn observe(_args: &Self::Args, _cx: &Cx<'_>) -> impl Future<Output = Result<Self::Out, Fault>> + Send {
        async { Err(Fault::cannot_tell(format!("`{}` changes something and cannot be used to look", Self::NAME))) }
    }

    /// Looks what [`Action::apply`] would do now, and changes nothing.
    ///
    /// # Errors
    /// As [`Probe::observe`].
    fn plan(args: &Self::Args, cx: &Cx<'_>) -> impl Future<Output = Result<Forecast, Fault>> + Send;

    /// Does it.
    ///
    /// # Errors
    /// As [`Probe::observe`]; what was changed before the error stays changed.
    fn apply(args: &Self::Args, cx: &Change<'_>) -> impl Future<Output = Result<Done<Self::Out>, Fault>> + Send;
}
