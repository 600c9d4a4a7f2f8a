//! api-gateway: orchestrates the other services and keeps the logs, the dead-letter queue and the breakers.

mod action;
mod breakers;
mod core;
mod dead_letters;
mod deps;
mod journal;
mod replay;
mod routes;
mod sessions;
mod turn;

pub(crate) use core::Gateway;
pub(crate) use routes::answer;
pub(crate) use turn::reply_text;
