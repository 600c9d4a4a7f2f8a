//! Expressions and templates: minijinja's grammar with this language's own meaning.
//!
//! Pure, typed, three-valued and tainted: no function looks at the world, kinds do not mix, and unknown and secret pass through everything.

mod ast;
mod eval;
mod filters;
mod functions;
mod ops;
mod parse;
mod seen;
mod shell;
mod table;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

pub use ast::{Arguments, Compare, Expr, ExprKind, ExprNode, Operator};
pub use eval::EvalError;
pub use parse::SyntaxError;
pub use seen::Seen;
pub use shell::shell_quote;
pub use table::{Callable, CallableKind, FUNCTIONS, find as find_callable};
pub use template::{Part, Template};

use crate::value::Value;

/// The longest text that an expression may produce, in bytes.
pub const MAX_TEXT: usize = 10 * 1024 * 1024;

/// What is in scope for an expression.
pub trait Scope {
    /// The value of a name, or `None` if it is not defined.
    fn get(&self, name: &str) -> Option<Value>;

    /// The entry `key` of the map called `root`, without building the whole map.
    ///
    /// The outer `None` means: no shortcut, use [`Scope::get`].
    fn get_in(&self, _root: &str, _key: &str) -> Option<Option<Value>> {
        None
    }

    /// The world's time when the step began.
    fn now(&self) -> Timestamp;

    /// The names in scope, for suggestions.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A scope made of one map over another scope; the map comes first.
pub struct Overlay<'a> {
    /// The names that come first.
    pub first: &'a crate::value::Map,
    /// Where everything else is looked up.
    pub rest: &'a dyn Scope,
}

impl Scope for Overlay<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.first.get(name).cloned().or_else(|| self.rest.get(name))
    }
    fn get_in(&self, root: &str, key: &str) -> Option<Option<Value>> {
        if self.first.contains_key(root) { None } else { self.rest.get_in(root, key) }
    }
    fn now(&self) -> Timestamp {
        self.rest.now()
    }
    fn names(&self) -> Vec<String> {
        self.first.keys().cloned().chain(self.rest.names()).collect()
    }
}

/// A scope made of a map alone, for tests and for values that need nothing else.
pub struct MapScope {
    /// The names.
    pub map: Arc<crate::value::Map>,
    /// What `now()` gives.
    pub now: Timestamp,
}

impl Scope for MapScope {
    fn get(&self, name: &str) -> Option<Value> {
        self.map.get(name).cloned()
    }
    fn now(&self) -> Timestamp {
        self.now
    }
    fn names(&self) -> Vec<String> {
        self.map.keys().cloned().collect()
    }
}
