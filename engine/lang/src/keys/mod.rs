//! The one table of the language's keys: what decoding, the schema, "allowed here" and the reference pages are made of.

mod alias;
mod answers;
mod form;
mod playbook;
mod step;
mod system;
mod test;
mod triage;

pub use alias::{Alias, Where, all as aliases, argument_aliases, find as find_alias, find_argument};
pub use answers::{ANSWERS_FILE, GIVEN};
pub use form::{BOUND, ENV, Form, ID, LINE, MEMBER, NET, PLAYBOOK_NAME, RESOURCE, SIGNAL, TIME, VARIABLE};
pub use playbook::{LINK, LOCK, PARAM, PERMISSION, PLAYBOOK, SCHEDULE};
pub use step::{ASK, BLOCK, BODIES, CONFIRM, GRADE, RETRY, STEP, WAIT};
pub use system::{ESCALATION, SERVICE, STOP, SYSTEM, THRESHOLD};
pub use test::{ANSWER, CALL, EXPECT, INTERRUPT, LISTED, MATCH, RECORDED, RULE, TEST, TEST_FILE, TURN};
pub use triage::{GOTO, LEAF, QUESTION, REMEDY};

/// What is written as a key's value.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text as it is.
    Text,
    /// Text that may hold `{{ expression }}`.
    Template,
    /// A bare expression.
    Expr,
    /// A bare expression or a list of them.
    Exprs,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// A duration such as `30s`.
    Duration,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list of steps.
    Steps,
    /// A list of checks.
    Checks,
    /// One check or a list of them.
    Check,
    /// Text of a form.
    Form(&'static Form),
    /// A template that gives the value, in place of a value that is written out.
    Computed,
    /// Names with templates.
    Templates,
    /// Anything, with templates in it.
    Any,
    /// A map with keys of its own.
    Table(&'static Table),
    /// A list.
    ListOf(&'static Shape),
    /// A map from names.
    MapOf(&'static Shape),
    /// A map from names of a form.
    Named(&'static Form, &'static Shape),
    /// One of several forms.
    OneOf(&'static [Shape]),
    /// Nothing after the colon.
    Nothing,
    /// A text, a number or a boolean.
    Scalar,
    /// The name of a module.
    Module,
    /// A node of a triage tree or a list of them.
    Tree,
    /// Where an answer leads: a node, a list of nodes, `continue` or `{goto: ID}`.
    Branch,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// What is written as its value.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// Whether the value is written out: no template may stand for a boolean, number or duration.
    pub fixed: bool,
    /// The least and the greatest number.
    pub range: Option<(i64, i64)>,
    /// What it means, in one sentence.
    pub doc: &'static str,
}

/// The keys of one kind of map.
#[derive(Debug)]
pub struct Table {
    /// What the map is, as said to people: "a step".
    pub name: &'static str,
    /// Its keys, in the order in which they are explained.
    pub keys: &'static [Key],
}

impl Table {
    /// The key of this name.
    pub fn get(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|k| k.name)
    }
}

/// Every table, for looking up where a key belongs.
pub const TABLES: &[&Table] = &[
    &PLAYBOOK,
    &STEP,
    &BODIES,
    &BLOCK,
    &RETRY,
    &GRADE,
    &PARAM,
    &ASK,
    &WAIT,
    &CONFIRM,
    &LOCK,
    &SCHEDULE,
    &LINK,
    &SYSTEM,
    &SERVICE,
    &STOP,
    &THRESHOLD,
    &ESCALATION,
    &QUESTION,
    &LEAF,
    &REMEDY,
    &GOTO,
];

/// Every table of test files. They stand apart: a key of a test means nothing in a playbook, and the other way round.
pub const TEST_TABLES: &[&Table] =
    &[&TEST_FILE, &TEST, &ANSWER, &INTERRUPT, &RULE, &TURN, &EXPECT, &LISTED, &CALL, &MATCH, &RECORDED];

/// Every table of answers files.
pub const ANSWER_TABLES: &[&Table] = &[&ANSWERS_FILE, &GIVEN];

/// The tables of the kind of file that `table` belongs to which know this key.
pub fn tables_beside(table: &Table, name: &str) -> impl Iterator<Item = &'static Table> {
    let own = [TEST_TABLES, ANSWER_TABLES].into_iter().find(|all| all.iter().any(|t| t.name == table.name));
    let tables = own.unwrap_or(TABLES);
    tables.iter().copied().filter(move |t| t.get(name).is_some())
}

/// The tables that know this key.
pub fn tables_with(name: &str) -> impl Iterator<Item = &'static Table> {
    TABLES.iter().copied().filter(move |t| t.get(name).is_some())
}

impl Shape {
    /// What is needed, as said to people, with an example.
    pub fn wanted(&self) -> &'static str {
        match self {
            Shape::Text | Shape::Template => "text",
            Shape::Expr => "an expression such as `status == 200`",
            Shape::Exprs => "an expression such as `status == 200`, or a list of them",
            Shape::Bool => "`true` or `false`",
            Shape::Int => "a whole number such as `3`",
            Shape::Number => "a number such as `1.5`",
            Shape::Duration => "a duration such as `30s`",
            Shape::Word(_) => "a word",
            Shape::Texts => "a list such as `[a, b]`",
            Shape::Steps => "a list of steps, each beginning with `- `",
            Shape::Checks => "a list of checks, each beginning with `- `",
            Shape::Check => "a check or a list of checks",
            Shape::Templates | Shape::Named(_, Shape::Any) => "a map such as `{name: value}`",
            Shape::Form(form) => form.wanted,
            Shape::Computed => "a template such as `{{ list }}`",
            Shape::Nothing => "nothing",
            Shape::Scalar => "a text, a number or a boolean",
            Shape::Module => "the name of a module",
            Shape::Any => "a value",
            Shape::Table(_) | Shape::MapOf(_) | Shape::Named(..) => "a map",
            Shape::Tree => "a question such as `{ask: ...}`, or a list of them",
            Shape::Branch => "a node, a list of nodes, `continue` or `{goto: ID}`",
            Shape::ListOf(_) => "a list",
            Shape::OneOf(forms) => forms.first().map_or("a value", Shape::wanted),
        }
    }
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: false, fixed: false, range: None, doc }
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: true, fixed: false, range: None, doc }
}

impl Key {
    /// Its value is written out.
    const fn fixed(self) -> Key {
        Key { fixed: true, ..self }
    }

    /// Its number lies between these.
    const fn range(self, least: i64, greatest: i64) -> Key {
        Key { range: Some((least, greatest)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_documented_and_unique() {
        for table in TABLES.iter().chain(TEST_TABLES).chain(ANSWER_TABLES) {
            let mut seen = std::collections::HashSet::new();
            for key in table.keys {
                assert!(seen.insert(key.name), "{} twice in {}", key.name, table.name);
                assert!(key.doc.ends_with('.'), "{} of {}", key.name, table.name);
            }
        }
    }

    /// The tables of a place.
    fn tables(at: Where) -> Vec<&'static Table> {
        match at {
            Where::Step => return vec![&STEP, &BODIES],
            Where::Node => return vec![&QUESTION, &LEAF],
            Where::Test => return vec![&TEST, &TEST_FILE],
            Where::Rule => return vec![&RULE, &TURN],
            Where::Expect => return vec![&EXPECT],
            _ => {}
        }
        TABLES.iter().copied().filter(|t| Where::of(t) == Some(at)).collect()
    }

    #[test]
    fn an_alias_is_never_a_key_of_its_place_and_leads_to_one() {
        let mut seen = std::collections::HashSet::new();
        for alias in alias::all() {
            let tables = tables(alias.at);
            assert!(!tables.is_empty(), "{:?}", alias.at);
            for word in alias.words {
                assert!(tables.iter().all(|t| t.get(word).is_none()), "{word} is a key of {:?}", alias.at);
                let plain: String = word.to_lowercase().replace(['-', '_'], "");
                assert!(seen.insert((alias.at as u8, plain)), "{word} twice for {:?}", alias.at);
            }
            // A body may also be a module, which is not in these tables.
            let modules = ["shell", "command", "http", "file"];
            let known = |k: &str| tables.iter().chain([&&BLOCK]).any(|t| t.get(k).is_some()) || modules.contains(&k);
            assert!(alias.key.is_none_or(known), "{:?} leads to {:?}", alias.words, alias.key);
            assert!(!alias.help.ends_with('.') && !alias.help.is_empty(), "{:?}", alias.words);
            assert_eq!(alias.help.matches('`').count() % 2, 0, "{:?}: {}", alias.words, alias.help);
        }
    }
}
