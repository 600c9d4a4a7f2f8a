//! The two WebSockets, `/ws/{id}` of pipecat and `/v1/stream/{id}` of api-gateway (RFC 6455).

mod frame;
mod session;
mod sha1;

pub(crate) use session::{accept, is_upgrade};
