//! The typed model of playbooks and systems: what was written, decoded, with the place of everything.

mod arg;
mod param;
mod places;
mod playbook;
mod step;
mod system;
pub mod test;
mod triage;

pub use arg::{Arg, ArgKind, PathPart};
pub use param::{EnvName, Param, ParamType};
pub use places::{Placed, each_placed};
pub use playbook::{Contents, Link, Lock, Permission, Plan, Playbook, Schedule, Unit};
pub use step::{
    AskBody, Block, Body, Confirm, Each, ExpectMode, Grade, GradeLimits, ModuleCall, Order, Over, Retry, RetryOn, Step,
    StepSeverity, WaitBody,
};
pub use system::{Manager, Service, System};
pub use triage::{
    AnswerName, Answers, Auto, Branch, Edge, FindingSeverity, GraphNode, Leaf, NodeKind, Remedy, RemedyAction, TreeNode,
    TreeQuestion, Triage, TriageGraph,
};
