//! Stand-ins for the services of the SONIA stack, so that the shipped playbooks run on a bare machine.
//!
//! One program plays all eight SONIA services and, as a ninth, the Ollama they depend on. A process plays one of them:
//! it waits its start-up delay, binds its port, logs as uvicorn logs, answers the endpoints its seed documents name,
//! keeps real state (a SQLite database in WAL mode, JSON Lines logs, a dead-letter queue, circuit breakers) and calls its
//! neighbours over real HTTP. Faults are injected at run time over `/_fault`, or before the start by a file; [`Faults`]
//! lists them.
//!
//! What is invented, because the seeds do not say it, is kept small and is named where it is made: the bodies of most
//! answers beyond the envelope, the names of the 13 tools, five failures to open a breaker, and the internal endpoints
//! `POST /v1/memory/store` (memory-engine), `POST /v1/generate` (model-router), `GET /v1/tools` and `POST /v1/execute`
//! (openclaw) and `POST /v1/approve` (eva-os).
//!
//! Two differences from uvicorn 0.54 are deliberate: a graceful stop exits with 0 (uvicorn raises the signal again), and
//! a request that hangs by fault does not keep a stopping server alive.

mod args;
mod call;
mod client;
mod clock;
mod config;
mod console;
mod effect;
mod entry;
mod fault;
mod fault_api;
mod gateway;
mod memory;
mod options;
mod python;
mod redact;
mod reload;
mod reply;
mod route;
mod server;
mod service;
mod small;
mod state;
mod stop;
mod ws;

pub use entry::{main_from, run};
pub use fault::{BreakerOpen, Crash, DbLock, DlqGrowth, Faults, Latency, MemoryRows};
pub use options::Options;
pub use service::Service;
