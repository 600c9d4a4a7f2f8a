//! A playbook before it is written. Every text in it is a template already.

use runbook_core::module::Effect;

/// A playbook.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) title: String,
    pub(super) source: Option<String>,
    pub(super) description: Option<String>,
    /// What is to be reviewed about the whole.
    pub(super) marks: Vec<String>,
    pub(super) params: Vec<Param>,
    pub(super) vars: Vec<(String, String)>,
    pub(super) steps: Vec<Step>,
    /// Comments below the last step.
    pub(super) comments: Vec<String>,
}

/// A parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) secret: bool,
    pub(super) default: Option<String>,
    pub(super) help: Option<String>,
    pub(super) mark: Option<String>,
}

/// A step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Comments above it.
    pub(super) comments: Vec<String>,
    /// Comments below it: what it prints in the source.
    pub(super) after: Vec<String>,
    /// What is to be reviewed about it.
    pub(super) marks: Vec<String>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) body: Body,
    /// The effect that was guessed.
    pub(super) effect: Option<Effect>,
    pub(super) sensitive: bool,
    /// What was written in the source, where the step says it in other words.
    pub(super) was: Option<String>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Command { argv: Vec<String>, around: Around },
    Shell { script: String, interpreter: Vec<String>, around: Around },
    Manual(String),
    Note(String),
    Wait(String),
    Ask { question: String, secret: bool },
    Set { name: String, value: String },
    Stop(String),
    Fail(String),
    Block(Vec<Step>),
}

/// Where a program runs and what it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    pub(super) cwd: Option<String>,
    pub(super) env: Vec<(String, String)>,
}

impl Step {
    pub(super) fn new(body: Body) -> Step {
        Step {
            comments: Vec::new(),
            after: Vec::new(),
            marks: Vec::new(),
            id: None,
            name: None,
            body,
            effect: None,
            sensitive: false,
            was: None,
        }
    }
}
