//! Files of any size put through the rules on several threads, in memory that does not grow with them.

use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::{memchr, memmem, memrchr};
use runbook_core::module::Fault;

use super::rules::{Counts, Rules};
use crate::support::blocking::Stop;

/// What is worked on at a time.
const BLOCK: usize = 1 << 20;

/// Blocks that are worked on together.
const BATCH: usize = 4;

/// How far the rest of a line or of a private key is waited for.
const MOST: usize = 4 << 20;

/// Why a text was not put through.
pub(crate) enum StreamFault {
    /// Reading failed.
    Io(io::Error),
    /// It was to stop, or what takes the text could not.
    Fault(Fault),
    /// It is a text in a form that the rules do not see through.
    Utf16,
}

impl From<Fault> for StreamFault {
    fn from(fault: Fault) -> Self {
        StreamFault::Fault(fault)
    }
}

/// What came of a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) counts: Counts,
    pub(crate) read: u64,
}

/// Puts everything that a reader gives through the rules, and hands it on in order.
pub(crate) fn redact(
    mut reader: impl Read,
    rules: &Rules,
    stop: &Stop,
    sink: &mut (dyn FnMut(&[u8]) -> Result<(), Fault> + Send),
) -> Result<Done, StreamFault> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, 4);
    let mut done = Done::default();
    let mut cut = Cutter::default();
    let mut ready: Vec<Mutex<Vec<u8>>> = Vec::new();
    let mut spare: Vec<Vec<u8>> = Vec::new();
    let mut first = true;
    loop {
        stop.check()?;
        let mut batch: Vec<Vec<u8>> = Vec::new();
        while batch.len() < BATCH {
            let mut block = spare.pop().unwrap_or_default();
            if !cut.next(&mut reader, &mut block).map_err(StreamFault::Io)? {
                break;
            }
            if first && (block.starts_with(&[0xff, 0xfe]) || block.starts_with(&[0xfe, 0xff])) {
                return Err(StreamFault::Utf16);
            }
            first = false;
            done.read += block.len() as u64;
            batch.push(block);
        }
        if batch.is_empty() && ready.is_empty() {
            return Ok(done);
        }
        let outs: Vec<Mutex<Vec<u8>>> = batch.iter().map(|_| Mutex::new(Vec::new())).collect();
        let (next, counts) = (AtomicUsize::new(0), Mutex::new(Counts::default()));
        let work = || {
            let mut mine = Counts::default();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some((block, out)) = batch.iter().zip(&outs).nth(i) else { break };
                rules.apply(block, &mut lock(out), &mut mine);
            }
            lock(&counts).add(&mine);
        };
        // While others work on these blocks, those before are handed on.
        let handed = if threads == 1 || batch.len() < 2 && ready.is_empty() {
            let handed = hand_on(&ready, sink);
            work();
            handed
        } else {
            std::thread::scope(|scope| {
                for _ in 1..threads.min(batch.len() + 1) {
                    scope.spawn(work);
                }
                let handed = hand_on(&ready, sink);
                work();
                handed
            })
        };
        handed?;
        done.counts.add(&lock(&counts));
        spare.extend(batch);
        spare.truncate(BATCH);
        ready = outs;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn hand_on(ready: &[Mutex<Vec<u8>>], sink: &mut (dyn FnMut(&[u8]) -> Result<(), Fault> + Send)) -> Result<(), Fault> {
    ready.iter().try_for_each(|out| sink(&lock(out)))
}

/// Cuts a stream into blocks of whole lines, never inside a private key.
#[derive(Default)]
struct Cutter {
    rest: Vec<u8>,
    ended: bool,
    /// Whether a key was too long to be waited for, so that all up to its end goes.
    in_key: bool,
}

impl Cutter {
    /// The next block; false at the end.
    fn next(&mut self, reader: &mut impl Read, block: &mut Vec<u8>) -> io::Result<bool> {
        block.clear();
        block.append(&mut self.rest);
        loop {
            while !self.ended && block.len() < BLOCK {
                self.fill(reader, block)?;
            }
            if self.in_key {
                // Nothing of a key is handed on, however long it is.
                match memmem::find(block, b"-----END ") {
                    Some(at) => {
                        block.drain(..at);
                        self.in_key = false;
                    }
                    None if self.ended => {
                        block.clear();
                        return Ok(false);
                    }
                    None => {
                        block.drain(..block.len() - 9);
                        continue;
                    }
                }
            }
            break;
        }
        if self.ended {
            return Ok(!block.is_empty());
        }
        loop {
            let end = self.cut(block);
            match end {
                Some(end) => {
                    self.rest.extend_from_slice(&block[end..]);
                    block.truncate(end);
                    return Ok(true);
                }
                None if block.len() >= MOST => {
                    self.in_key = open_key(block).is_some();
                    return Ok(true);
                }
                None => {
                    self.fill(reader, block)?;
                    if self.ended {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Where the block can end.
    fn cut(&self, block: &[u8]) -> Option<usize> {
        let end = memrchr(b'\n', block)? + 1;
        match open_key(&block[..end]) {
            None => Some(end),
            Some(0) => None,
            Some(begin) => memrchr(b'\n', &block[..begin]).map(|i| i + 1),
        }
    }

    fn fill(&mut self, reader: &mut impl Read, block: &mut Vec<u8>) -> io::Result<()> {
        let had = block.len();
        block.resize(had + BLOCK / 4, 0);
        let n = loop {
            match reader.read(&mut block[had..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        block.truncate(had + *n.as_ref().unwrap_or(&0));
        self.ended = matches!(n, Ok(0));
        n.map(drop)
    }
}

/// Where a private key begins that does not end.
fn open_key(block: &[u8]) -> Option<usize> {
    let begin = memmem::rfind(block, b"-----BEGIN ")?;
    let line_end = memchr(b'\n', &block[begin..]).map_or(block.len(), |n| begin + n);
    let is_key = memmem::find(&block[begin..line_end], b"PRIVATE KEY").is_some();
    (is_key && memmem::find(&block[begin..], b"-----END ").is_none()).then_some(begin)
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rule;
    use super::*;
    use crate::support::blocking::blocking;

    /// Gives a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            self.1 = self.1 * 7 % 900_001 + 1;
            Ok(n)
        }
    }

    async fn through(text: Vec<u8>) -> (Vec<u8>, u64) {
        blocking(None, move |stop| {
            let on: Vec<Rule> = Rule::ALL.iter().map(|(r, ..)| *r).collect();
            let rules = Rules::new(&on, &[], Vec::new(), &[]).unwrap();
            let mut out = Vec::new();
            let done = redact(Drip(&text, 5), &rules, stop, &mut |part| {
                out.extend_from_slice(part);
                Ok(())
            });
            let Ok(done) = done else { panic!("it goes through") };
            Ok((out, done.counts.total()))
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn blocks_are_the_same_as_the_whole() {
        let mut text = Vec::new();
        let mut n = 0_u64;
        while text.len() < 9 * BLOCK {
            n += 1;
            let line = match n % 5 {
                0 => format!("{n} mail to user{n}@example.com about it\n"),
                1 if n % 1000 == 1 => {
                    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", "MIIE\n".repeat(400))
                }
                2 => "x".repeat((n * 7919 % 300) as usize) + " 123-45-6789\n",
                _ => format!("{n} nothing here {}\n", n * 31),
            };
            text.extend_from_slice(line.as_bytes());
        }
        let on: Vec<Rule> = Rule::ALL.iter().map(|(r, ..)| *r).collect();
        let rules = Rules::new(&on, &[], Vec::new(), &[]).unwrap();
        let (mut whole, mut counts) = (Vec::new(), Counts::default());
        rules.apply(&text, &mut whole, &mut counts);
        let (out, total) = through(text).await;
        assert!(out == whole && total == counts.total());
        assert!(memmem::find(&out, b"MIIE").is_none() && memmem::find(&out, b"@").is_none());
    }

    #[tokio::test]
    async fn long_lines_and_long_keys_keep_nothing_back() {
        let mut text = b"-----BEGIN PRIVATE KEY-----\n".to_vec();
        text.extend(b"MIIEabcdefgh\n".repeat(600_000));
        text.extend_from_slice(b"-----END PRIVATE KEY-----\nafter a@b.de\n");
        let (out, _) = through(text).await;
        let text = String::from_utf8(out).unwrap();
        assert!(
            !text.contains("MIIE") && text.ends_with("after [EMAIL_REDACTED]\n"),
            "{}",
            &text[text.len().saturating_sub(100)..]
        );
        let (out, _) = through(vec![b'x'; 9 << 20]).await;
        assert_eq!(out.len(), 9 << 20);
        assert!(through(Vec::new()).await.0.is_empty());
    }
}
