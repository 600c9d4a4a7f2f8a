//! Large files, sent in parts that the store puts together at the end. If that fails, what was sent is taken back.

use std::path::Path;
use std::time::Duration as Std;

use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Body, Method, Response};
use runbook_core::module::{Cx, Fault, hand_word};
use runbook_core::value::format_size;
use rusty_s3::actions::{CreateMultipartUpload, S3Action};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::{NOTED, S3, SIGNED_FOR, refused, refused_with, said};
use crate::support::http_client::{put, streaming};
use crate::support::net;
use crate::support::paths::fault;

const MIB: u64 = 1 << 20;

/// What a store takes at the least in one part, the last one aside.
pub(crate) const SMALLEST: u64 = 5 * MIB;

/// What a store takes at the most in one part, and in one request.
pub(crate) const LARGEST: u64 = 5 << 30;

/// The most parts that a store takes.
const MOST: u64 = 10_000;

/// How often a part is sent that the store does not take.
const TRIES: u32 = 4;

/// What is read of the file at a time.
const PIECE: usize = 256 << 10;

/// When a file is sent in parts, and how large they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Files larger than this are.
    pub(crate) above: u64,
    /// Each part but the last has this size, or more if there would be too many of them.
    pub(crate) size: u64,
}

impl Default for Parts {
    fn default() -> Self {
        Parts { above: 100 * MIB, size: 16 * MIB }
    }
}

impl Parts {
    /// The size of the parts of a file and how many there are; `None` if it goes in one request.
    ///
    /// # Errors
    /// If it is larger than a store takes.
    pub(crate) fn of(self, size: u64) -> Result<Option<(u64, u64)>, Fault> {
        if size <= self.above.min(LARGEST) {
            return Ok(None);
        }
        let part = self.size.max(size.div_ceil(MOST).next_multiple_of(MIB));
        if part > LARGEST {
            return Err(Fault::refused(format!(
                "{} is more than {MOST} parts of 5 GiB, the most that a store takes",
                format_size(size)
            )));
        }
        Ok(Some((part, size.div_ceil(part))))
    }
}

/// What is sent.
pub(crate) struct Sending<'a> {
    pub(crate) key: &'a str,
    pub(crate) from: &'a Path,
    pub(crate) size: u64,
    pub(crate) sha256: &'a str,
    pub(crate) kind: &'a str,
}

/// Parts that a store holds and nobody sees. Unless they are put together they are taken back, also when nobody waits any more.
struct Begun<'a> {
    store: &'a S3,
    cx: &'a Cx<'a>,
    key: &'a str,
    id: String,
    open: bool,
}

/// Why a part was not taken, and whether it is worth another try.
struct Refused {
    fault: Fault,
    again: bool,
}

impl S3 {
    /// Puts a file there in parts of this size, with its SHA-256 noted.
    pub(crate) async fn put_in_parts(&self, cx: &Cx<'_>, sending: &Sending<'_>, part: u64) -> Result<(), Fault> {
        let mut begun = self.begin(cx, sending).await?;
        let began = Instant::now();
        // Taking back needs a little of the step's time too.
        let limit = cx.timeout.map_or(Std::from_secs(24 * 3600), |t| t - (t / 10).min(Std::from_secs(10)));
        let sent = match timeout_at(began + limit, begun.send(sending, part)).await {
            Ok(sent) => sent,
            Err(_) => Err(net::timed_out(limit).into_fault(())),
        };
        match sent {
            Ok(()) => {
                begun.open = false;
                Ok(())
            }
            Err(wrong) => Err(begun.take_back(wrong).await),
        }
    }

    async fn begin<'a>(&'a self, cx: &'a Cx<'a>, sending: &Sending<'a>) -> Result<Begun<'a>, Fault> {
        let mut action = self.bucket.create_multipart_upload(self.credentials.as_ref(), sending.key);
        action.headers_mut().insert(NOTED, sending.sha256.to_owned());
        let mut headers = HeaderMap::new();
        put(&mut headers, NOTED, sending.sha256, false)?;
        put(&mut headers, "content-type", sending.kind, false)?;
        let answer = self.ask(cx, Method::POST, action.sign(SIGNED_FOR), headers, Vec::new()).await?;
        if answer.status != Some(200) {
            return Err(refused(&answer, self.bucket.name()));
        }
        let text = String::from_utf8_lossy(&answer.body);
        let created = CreateMultipartUpload::parse_response(&text)
            .map_err(|e| Fault::unmet(format!("the store does not take files in parts: its answer cannot be read: {e}")))?;
        Ok(Begun { store: self, cx, key: sending.key, id: created.upload_id().to_owned(), open: true })
    }
}

impl Begun<'_> {
    /// Sends all parts and has them put together.
    async fn send(&self, sending: &Sending<'_>, part: u64) -> Result<(), Fault> {
        let count = sending.size.div_ceil(part);
        let mut etags = Vec::new();
        for number in 1..=u16::try_from(count).unwrap_or(u16::MAX) {
            self.cx.progress(&format!("part {number} of {count} of `{}`", self.key));
            let at = u64::from(number - 1) * part;
            etags.push(self.send_part(sending.from, number, at, part.min(sending.size - at)).await?);
        }
        let store = self.store;
        let etags = etags.iter().map(String::as_str);
        let action = store.bucket.complete_multipart_upload(store.credentials.as_ref(), self.key, &self.id, etags);
        let url = action.clone().sign(SIGNED_FOR);
        let request = streaming(self.cx.shared(), Method::POST, url, &store.trust).map_err(|f| f.into_fault(()))?;
        let response = store.within(self.cx, request.body(action.body()).send()).await?;
        if !response.status().is_success() {
            return Err(refused_with(response, store.bucket.name()).await);
        }
        // A store that needs minutes to put them together says 200 before it knows how that ends.
        let text = response.text().await.map_err(|e| super::failed(&e))?;
        // Stores do not agree on what the answer is called, but it is an error, or says what they call the whole.
        match text.contains("<ETag>") && !text.contains("<Error>") {
            true => Ok(()),
            false => Err(said(200, &text, store.bucket.name())),
        }
    }

    /// Sends one part until the store takes it, and gives what the store calls it.
    async fn send_part(&self, from: &Path, number: u16, at: u64, length: u64) -> Result<String, Fault> {
        let mut pause = Std::from_millis(250);
        for left in (0..TRIES).rev() {
            match self.try_part(from, number, at, length).await {
                Ok(etag) => return Ok(etag),
                Err(Refused { again: true, .. }) if left > 0 => {
                    self.cx.sleep(pause).await;
                    pause *= 2;
                }
                Err(Refused { fault, again }) => {
                    let tries = if again { format!(", {TRIES} times") } else { String::new() };
                    return Err(told(fault, |m| format!("part {number} was not taken{tries}: {m}")));
                }
            }
        }
        Err(Fault::unmet(format!("part {number} was not taken")))
    }

    async fn try_part(&self, from: &Path, number: u16, at: u64, length: u64) -> Result<String, Refused> {
        let end = |fault: Fault| Refused { fault, again: false };
        let store = self.store;
        let mut file = File::open(from).await.map_err(|e| end(fault(from, &e)))?;
        file.seek(std::io::SeekFrom::Start(at)).await.map_err(|e| end(fault(from, &e)))?;
        let url = store.bucket.upload_part(store.credentials.as_ref(), self.key, number, &self.id).sign(SIGNED_FOR);
        let request = streaming(self.cx.shared(), Method::PUT, url, &store.trust).map_err(|f| end(f.into_fault(())))?;
        let request = request.header(CONTENT_LENGTH, length).body(pieces(file, length));
        let response: Response = store.within(self.cx, request.send()).await.map_err(|fault| Refused { fault, again: true })?;
        let status = response.status();
        if !status.is_success() {
            let again = status.is_server_error() || status.as_u16() == 429;
            return Err(Refused { fault: refused_with(response, store.bucket.name()).await, again });
        }
        let etag = response.headers().get("etag").and_then(|e| e.to_str().ok()).map(str::to_owned);
        etag.ok_or_else(|| end(Fault::unmet("the store does not say what it calls the part (there is no `etag`)")))
    }

    /// Takes back what was sent, and says so.
    async fn take_back(mut self, wrong: Fault) -> Fault {
        self.open = false;
        let gone = match self.abort() {
            Some(request) => timeout(Std::from_secs(10), request.send()).await,
            None => return wrong,
        };
        let end = match gone {
            Ok(Ok(response)) if response.status().is_success() => "the parts that were sent were taken back".to_owned(),
            // It was put together, or was taken back by somebody else.
            Ok(Ok(response)) if response.status().as_u16() == 404 => "the store has no parts of it any more".to_owned(),
            _ => format!(
                "the parts that were sent could not be taken back and take room until that is done: `aws s3api abort-multipart-upload --bucket {} --key {} --upload-id {}`",
                self.store.bucket.name(),
                hand_word(self.key),
                hand_word(&self.id)
            ),
        };
        told(wrong, |m| format!("{m}; {end}"))
    }

    fn abort(&self) -> Option<reqwest::RequestBuilder> {
        let store = self.store;
        let url = store.bucket.abort_multipart_upload(store.credentials.as_ref(), self.key, &self.id).sign(SIGNED_FOR);
        streaming(self.cx.shared(), Method::DELETE, url, &store.trust).ok()
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        // The step was given up: nobody can be told, but the parts need not stay.
        if let (true, Some(request), Ok(handle)) = (self.open, self.abort(), tokio::runtime::Handle::try_current()) {
            handle.spawn(async move { timeout(Std::from_secs(10), request.send()).await });
        }
    }
}

/// A part of a file as it is read.
fn pieces(file: File, length: u64) -> Body {
    let read = |(mut file, left): (File, u64)| async move {
        if left == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
        let n = file.read(&mut piece).await?;
        if n == 0 {
            return Err(std::io::Error::other("the file became shorter while it was sent"));
        }
        piece.truncate(n);
        Ok(Some((piece, (file, left - n as u64))))
    };
    Body::wrap_stream(futures_util::stream::try_unfold((file, length), read))
}

/// The same fault with another message.
fn told(fault: Fault, tell: impl FnOnce(String) -> String) -> Fault {
    match fault {
        Fault::Unmet { message, result } => Fault::Unmet { message: tell(message), result },
        Fault::TimedOut { message, result } => Fault::TimedOut { message: tell(message), result },
        Fault::CannotTell { message } => Fault::CannotTell { message: tell(message) },
        Fault::Refused { message } => Fault::Refused { message: tell(message) },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_large_as_they_must_be() {
        let parts = Parts { above: 6 * MIB, size: SMALLEST };
        assert_eq!(parts.of(6 * MIB).unwrap(), None);
        assert_eq!(parts.of(6 * MIB + 1).unwrap(), Some((SMALLEST, 2)));
        assert_eq!(parts.of(SMALLEST * 10_000).unwrap(), Some((SMALLEST, 10_000)));
        let (part, count) = parts.of(SMALLEST * 10_000 + 1).unwrap().unwrap();
        assert!(part == 6 * MIB && count <= MOST, "{part} {count}");
        assert_eq!(parts.of(LARGEST * MOST).unwrap(), Some((LARGEST, MOST)));
        assert!(matches!(parts.of(LARGEST * MOST + 1), Err(Fault::Refused { .. })));
        // What one request does not take goes in parts, whatever was asked for.
        assert!(Parts { above: u64::MAX, size: SMALLEST }.of(LARGEST + 1).unwrap().is_some());
    }
}
