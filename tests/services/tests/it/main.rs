//! The stand-ins as their callers see them: real processes, real ports, real files.

mod faults;
mod gateway;
mod life;
mod memory;
mod reload;
mod stack;
mod support;
mod websocket;
