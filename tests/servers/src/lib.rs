//! Real servers for tests, from Debian's packages and PyPI: each on a port of its own on 127.0.0.1 and in a folder of its own.
//!
//! A server ends when its value is dropped, and also when the program that started it is killed: a guard waits at the other end of
//! a pipe, ends the server and removes its folder.
//!
//! `start()` gives `None` where the server's program is missing: the test ends there, and `tests/run` says which suites are skipped.
//! With `RUNBOOK_REQUIRE=all` a missing program is a failure.

#![allow(clippy::unwrap_used, reason = "it is for tests: what goes wrong here should fail there")]

mod certs;
mod docker;
mod guard;
mod nginx;
mod postgres;
mod python;
mod redis;
mod systemd;

pub use certs::{Authority, Certificate};
pub use docker::Docker;
pub use guard::{Guarded, free_port, fresh_folder, have, until};
pub use nginx::Nginx;
pub use postgres::Postgres;
pub use python::{Mail, S3, WebSocket};
pub use redis::Redis;
pub use systemd::Systemd;
