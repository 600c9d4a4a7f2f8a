//! A Redis server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::guard::{Guarded, free_port, fresh_folder, have, until};

/// A Redis server with a password.
#[derive(Debug)]
pub struct Redis {
    /// Its port on 127.0.0.1.
    pub port: u16,
    server: Guarded,
}

impl Redis {
    /// The password that it requires.
    pub const PASSWORD: &'static str = "s3cret-of-redis";

    /// Starts one; `more` are further words of its command line.
    pub fn start(more: &[&str]) -> Option<Redis> {
        Redis::start_on(free_port(), more)
    }

    /// Starts one on this port.
    pub fn start_on(port: u16, more: &[&str]) -> Option<Redis> {
        if !have("redis-server") {
            return None;
        }
        let folder = fresh_folder("redis");
        let text = |s: &str| s.to_owned();
        let mut argv = vec![text("redis-server"), text("--port"), port.to_string(), text("--bind"), text("127.0.0.1")];
        argv.extend(["--requirepass", Self::PASSWORD, "--dir"].map(text));
        argv.extend([folder.display().to_string(), text("--daemonize"), text("no")]);
        argv.extend(more.iter().copied().map(text));
        let redis = Redis { port, server: Guarded::start(&folder, "KILL", argv) };
        until("Redis answers", || redis.server.output(), || redis.answers());
        Some(redis)
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = [0; 8];
        stream.write_all(b"PING\r\n").is_ok() && stream.read(&mut answer).is_ok_and(|n| n > 0 && answer[0] == b'-')
    }

    /// What `redis-cli` prints for these words, logged in.
    pub fn cli(&self, words: &[&str]) -> String {
        let mut cli = std::process::Command::new("redis-cli");
        let done = cli.args(["-p", &self.port.to_string()]).args(words).env("REDISCLI_AUTH", Self::PASSWORD).output().unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }
}
