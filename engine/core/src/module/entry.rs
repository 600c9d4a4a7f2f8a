//! A module of the table, with the types taken away.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::value::Value;

use super::{Action, BoxFuture, ByHand, Change, Cx, Effect, Fault, HandArgs, Probe, Touches};

/// Whether a module looks or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It looks.
    Probe,
    /// It changes.
    Action,
}

/// An example of a module's use.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// One step, in YAML. `{tmp}` is a fresh folder and `{port}` a free port when a test runs it.
    pub yaml: &'static str,
    /// Whether a test can run it on a bare machine; otherwise it is only checked.
    pub runs: bool,
}

/// What an action did.
#[derive(Clone, Debug)]
pub struct Done<T> {
    /// Whether anything changed.
    pub changed: bool,
    /// The result.
    pub out: T,
}

impl<T> Done<T> {
    /// Something changed.
    pub fn changed(out: T) -> Self {
        Done { changed: true, out }
    }

    /// Nothing had to be changed.
    pub fn unchanged(out: T) -> Self {
        Done { changed: false, out }
    }
}

/// What an action would do now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Whether it would change anything.
    pub would_change: bool,
    /// What it would do, as said to people: "start `api-gateway` on port 7000".
    pub summary: String,
    /// Why, or why not: "already running (pid 4711)".
    pub because: String,
    /// The argument vector it would run, if it would run one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// What would become what: `(what, from, to)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_to: Vec<(String, String, String)>,
    /// A unified diff, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl Forecast {
    /// It would do this.
    pub fn would(summary: impl Into<String>, because: impl Into<String>) -> Self {
        Forecast { would_change: true, summary: summary.into(), because: because.into(), ..Forecast::default() }
    }

    /// It would do nothing.
    pub fn nothing(because: impl Into<String>) -> Self {
        Forecast { because: because.into(), ..Forecast::default() }
    }
}

/// A module's result with its type taken away.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The fields.
    pub result: Value,
    /// Whether anything changed.
    pub changed: bool,
}

/// A schema that is made when it is first asked for: a run uses few modules of a long table.
pub type LazySchema = LazyLock<Json, Box<dyn FnOnce() -> Json + Send + Sync>>;

/// A module in the table.
pub struct Entry {
    /// The name.
    pub name: Cow<'static, str>,
    /// Probe or action.
    pub kind: Kind,
    /// The argument that a scalar or list stands for.
    pub main: Option<Cow<'static, str>>,
    /// Whether the effect is what the author declares.
    pub declared_effect: bool,
    /// The default verdict: an expression over the result.
    pub verdict: Cow<'static, str>,
    /// What a good result says in one line: a template over the result; may be empty.
    pub says: Cow<'static, str>,
    /// Fields of the result that get a column in a scoreboard.
    pub columns: Vec<Cow<'static, str>>,
    /// Examples.
    pub examples: Cow<'static, [Example]>,
    /// The JSON Schema of the arguments, closed.
    pub args_schema: LazySchema,
    /// The JSON Schema of the result.
    pub result_schema: LazySchema,
    /// The file that it is, if it is none of the program's own.
    pub source: Option<PathBuf>,
    ops: Box<dyn Operations>,
}

/// What a module can be asked for, with its types taken away.
pub trait Operations: Send + Sync {
    /// Finds what is wrong with arguments. See [`Probe::check`].
    ///
    /// # Errors
    /// [`Fault::Invalid`].
    fn check(&self, args: &Json) -> Result<(), Fault>;
    /// What it says about a call before it is made.
    ///
    /// # Errors
    /// [`Fault::Invalid`].
    fn about(&self, args: &Json) -> Result<About, Fault>;
    /// Looks.
    fn observe<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Reply, Fault>>;
    /// Looks what it would do.
    fn plan<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Forecast, Fault>>;
    /// Does it.
    fn apply<'a>(&'a self, args: Json, cx: &'a Change<'a>) -> BoxFuture<'a, Result<Reply, Fault>>;
    /// What a person does in place of it.
    fn by_hand(&self, args: &HandArgs<'_>) -> ByHand;
}

/// What is said of a module that is none of the program's own.
#[derive(Debug)]
pub struct Outside {
    /// The name.
    pub name: String,
    /// Probe or action.
    pub kind: Kind,
    /// The argument that a scalar or list stands for.
    pub main: Option<String>,
    /// The default verdict.
    pub verdict: String,
    /// What a good result says in one line.
    pub says: String,
    /// Fields of the result that get a column in a scoreboard.
    pub columns: Vec<String>,
    /// Examples: title, YAML, whether it can be run on a bare machine.
    pub examples: Vec<(String, String, bool)>,
    /// The JSON Schema of the arguments, closed.
    pub args_schema: Json,
    /// The JSON Schema of the result.
    pub result_schema: Json,
    /// The file that it is.
    pub source: PathBuf,
}

/// What a module says about a call before it is made.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The effect with these arguments.
    pub effect: Effect,
    /// What it touches.
    pub touches: Touches,
    /// Whether running it twice is the same as once.
    pub idempotent: bool,
}

struct ProbeOps<P>(std::marker::PhantomData<fn() -> P>);
struct ActionOps<A>(std::marker::PhantomData<fn() -> A>);

fn decode<T: serde::de::DeserializeOwned>(args: &Json) -> Result<T, Fault> {
    T::deserialize(args).map_err(|e| Fault::Invalid { message: e.to_string(), argument: None })
}

fn encode<T: Serialize>(out: T, changed: bool) -> Result<Reply, Fault> {
    let result =
        crate::value::to_value(&out).map_err(|e| Fault::cannot_tell(format!("the result cannot be written down: {e}")))?;
    Ok(Reply { result, changed })
}

impl<P: Probe> Operations for ProbeOps<P> {
    fn check(&self, args: &Json) -> Result<(), Fault> {
        P::check(&decode::<P::Args>(args)?)
    }
    fn about(&self, args: &Json) -> Result<About, Fault> {
        let args = decode::<P::Args>(args)?;
        Ok(About { effect: Effect::Read, touches: P::touches(&args), idempotent: true })
    }
    fn observe<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        Box::pin(async move {
            let args = decode::<P::Args>(&args)?;
            encode(P::observe(&args, cx).await?, false)
        })
    }
    fn plan<'a>(&'a self, _: Json, _: &'a Cx<'a>) -> BoxFuture<'a, Result<Forecast, Fault>> {
        Box::pin(async { Ok(Forecast::nothing("a probe only looks")) })
    }
    fn apply<'a>(&'a self, args: Json, cx: &'a Change<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        self.observe(args, cx)
    }
    fn by_hand(&self, args: &HandArgs<'_>) -> ByHand {
        P::by_hand(args)
    }
}

impl<A: Action> Operations for ActionOps<A> {
    fn check(&self, args: &Json) -> Result<(), Fault> {
        A::check(&decode::<A::Args>(args)?)
    }
    fn about(&self, args: &Json) -> Result<About, Fault> {
        let args = decode::<A::Args>(args)?;
        Ok(About { effect: A::effect(&args), touches: A::touches(&args), idempotent: A::idempotent(&args) })
    }
    fn observe<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        Box::pin(async move {
            let args = decode::<A::Args>(&args)?;
            encode(A::observe(&args, cx).await?, false)
        })
    }
    fn plan<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Forecast, Fault>> {
        Box::pin(async move {
            let args = decode::<A::Args>(&args)?;
            A::plan(&args, cx).await
        })
    }
    fn apply<'a>(&'a self, args: Json, cx: &'a Change<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        Box::pin(async move {
            let args = decode::<A::Args>(&args)?;
            let done = A::apply(&args, cx).await?;
            encode(done.out, done.changed)
        })
    }
    fn by_hand(&self, args: &HandArgs<'_>) -> ByHand {
        A::by_hand(args)
    }
}

fn schema_of<T: schemars::JsonSchema>() -> Json {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

fn lazy(make: impl FnOnce() -> Json + Send + Sync + 'static) -> LazySchema {
    LazyLock::new(Box::new(make))
}

impl Entry {
    /// The entry of a probe.
    pub fn probe<P: Probe>() -> Entry {
        Entry {
            name: P::NAME.into(),
            kind: Kind::Probe,
            main: P::MAIN.map(Cow::Borrowed),
            declared_effect: false,
            verdict: P::VERDICT.into(),
            says: P::SAYS.into(),
            columns: P::COLUMNS.iter().copied().map(Cow::Borrowed).collect(),
            examples: Cow::Borrowed(P::EXAMPLES),
            args_schema: lazy(schema_of::<P::Args>),
            result_schema: lazy(schema_of::<P::Out>),
            source: None,
            ops: Box::new(ProbeOps::<P>(std::marker::PhantomData)),
        }
    }

    /// The entry of an action.
    pub fn action<A: Action>() -> Entry {
        Entry {
            name: A::NAME.into(),
            kind: Kind::Action,
            main: A::MAIN.map(Cow::Borrowed),
            declared_effect: A::DECLARED,
            verdict: A::VERDICT.into(),
            says: A::SAYS.into(),
            columns: A::COLUMNS.iter().copied().map(Cow::Borrowed).collect(),
            examples: Cow::Borrowed(A::EXAMPLES),
            args_schema: lazy(schema_of::<A::Args>),
            result_schema: lazy(schema_of::<A::Out>),
            source: None,
            ops: Box::new(ActionOps::<A>(std::marker::PhantomData)),
        }
    }

    /// The entry of a module that is none of the program's own.
    pub fn outside(said: Outside, ops: Box<dyn Operations>) -> Entry {
        // A module is described once in the life of the program, so its examples may live as long.
        let keep = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let examples = said.examples.into_iter();
        let examples = examples.map(|(title, yaml, runs)| Example { title: keep(title), yaml: keep(yaml), runs }).collect();
        let (args_schema, result_schema) = (said.args_schema, said.result_schema);
        Entry {
            name: said.name.into(),
            kind: said.kind,
            main: said.main.map(Cow::Owned),
            declared_effect: false,
            verdict: said.verdict.into(),
            says: said.says.into(),
            columns: said.columns.into_iter().map(Cow::Owned).collect(),
            examples: Cow::Owned(examples),
            args_schema: lazy(move || args_schema),
            result_schema: lazy(move || result_schema),
            source: Some(said.source),
            ops,
        }
    }

    /// The documentation: the arguments' doc comment.
    pub fn doc(&self) -> &str {
        self.args_schema["description"].as_str().unwrap_or_default()
    }

    /// The first line of the documentation.
    pub fn summary(&self) -> &str {
        self.doc().lines().next().unwrap_or_default()
    }

    /// The names of the result's fields.
    pub fn result_fields(&self) -> Vec<&str> {
        self.result_schema["properties"].as_object().map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// Finds what no schema can say about the arguments.
    ///
    /// # Errors
    /// [`Fault::Invalid`], also if the arguments do not decode.
    pub fn check(&self, args: &Json) -> Result<(), Fault> {
        self.ops.check(args)
    }

    /// What a person does in place of a call.
    pub fn by_hand(&self, args: &HandArgs<'_>) -> ByHand {
        self.ops.by_hand(args)
    }

    /// Effect, resources and idempotence of a call.
    ///
    /// # Errors
    /// [`Fault::Invalid`] if the arguments do not decode.
    pub fn about(&self, args: &Json) -> Result<About, Fault> {
        self.ops.about(args)
    }

    /// Looks. An action whose effect is not declared refuses.
    pub fn observe<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        self.ops.observe(args, cx)
    }

    /// Looks what it would do.
    pub fn plan<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Forecast, Fault>> {
        self.ops.plan(args, cx)
    }

    /// Does it; a probe looks.
    pub fn apply<'a>(&'a self, args: Json, cx: &'a Change<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        self.ops.apply(args, cx)
    }
}
