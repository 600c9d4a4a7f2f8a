//! Reading lines one by one, in memory that does not grow with the file or with its longest line.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;

use memchr::{memchr, memrchr_iter};
use runbook_core::module::Fault;

use super::blocking::Stop;
use super::paths::fault;

/// The most bytes of a line that are looked at; the rest of it is passed over.
pub(crate) const LONGEST: usize = 64 << 10;

/// Lines are counted before it is asked whether to go on.
const CHECK_EVERY: u64 = 4096;

/// A line of a file.
pub(crate) struct Line<'a> {
    /// Where it begins, in bytes from the start of the file.
    pub(crate) offset: u64,
    /// Its text without its end, at most [`LONGEST`] bytes.
    pub(crate) text: &'a [u8],
}

/// Why there is no next line.
pub(crate) enum NoLine {
    /// Reading failed.
    Io(io::Error),
    /// It was to stop.
    Stopped(Fault),
}

impl NoLine {
    /// The fault, about this file.
    pub(crate) fn at(self, path: &Path) -> Fault {
        match self {
            NoLine::Io(e) => fault(path, &e),
            NoLine::Stopped(fault) => fault,
        }
    }
}

/// The lines of a reader.
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    offset: u64,
    whole: u64,
    count: u64,
}

impl<R: BufRead> Lines<R> {
    /// The lines of a reader that stands at this offset of its file.
    pub(crate) fn new(reader: R, offset: u64) -> Self {
        Lines { reader, buffer: Vec::new(), offset, whole: offset, count: 0 }
    }

    /// The next line.
    pub(crate) fn next(&mut self, stop: &Stop) -> Result<Option<Line<'_>>, NoLine> {
        if self.count.is_multiple_of(CHECK_EVERY) {
            stop.check().map_err(NoLine::Stopped)?;
        }
        self.buffer.clear();
        let offset = self.offset;
        let mut ended = false;
        while !ended {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(NoLine::Io(e)),
            };
            if chunk.is_empty() {
                break;
            }
            let end = memchr(b'\n', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = LONGEST - self.buffer.len();
            self.buffer.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            ended = end.is_some();
            self.reader.consume(used);
            self.offset += used as u64;
        }
        if self.offset == offset {
            return Ok(None);
        }
        self.count += 1;
        if ended {
            self.whole = self.offset;
        }
        let text = self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer);
        Ok(Some(Line { offset, text }))
    }

    /// Where the last whole line that was read ends.
    pub(crate) fn whole(&self) -> u64 {
        self.whole
    }
}

/// Where the last `n` lines before `end` begin, read from behind.
pub(crate) fn tail_offset(file: &mut File, start: u64, end: u64, n: u64) -> io::Result<u64> {
    const PIECE: u64 = 64 << 10;
    if n == 0 {
        return Ok(end);
    }
    let mut buffer = vec![0; PIECE as usize];
    let mut left = n;
    let mut at = end;
    while at > start {
        let size = PIECE.min(at - start);
        at -= size;
        file.seek(SeekFrom::Start(at))?;
        let piece = &mut buffer[..size as usize];
        file.read_exact(piece)?;
        for found in memrchr_iter(b'\n', piece) {
            let after = at + found as u64 + 1;
            // The end of the last line is no beginning of another.
            if after == end {
                continue;
            }
            left -= 1;
            if left == 0 {
                return Ok(after);
            }
        }
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::blocking::blocking;
    use crate::support::testing::TestHost;

    /// Each line with where it begins and how far whole lines go after it.
    async fn lines(text: &'static [u8], capacity: usize) -> Vec<(u64, Vec<u8>, u64)> {
        blocking(None, move |stop| {
            let mut lines = Lines::new(io::BufReader::with_capacity(capacity, text), 0);
            let mut all = Vec::new();
            while let Some(line) = lines.next(stop).map_err(|e| e.at(Path::new("x")))? {
                all.push((line.offset, line.text.to_vec(), 0));
                if let Some(last) = all.last_mut() {
                    last.2 = lines.whole();
                }
            }
            Ok(all)
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn lines_know_where_they_begin() {
        for capacity in [1, 2, 3, 1000] {
            let all = lines(b"one\r\n\nthree\nopen", capacity).await;
            let expected: Vec<(u64, Vec<u8>, u64)> =
                vec![(0, b"one".into(), 5), (5, b"".into(), 6), (6, b"three".into(), 12), (12, b"open".into(), 12)];
            assert_eq!(all, expected);
        }
        assert!(lines(b"", 10).await.is_empty());
    }

    #[tokio::test]
    async fn endless_lines_do_not_fill_the_memory() {
        static LONG: [u8; 200_000] = [b'x'; 200_000];
        let all = lines(&LONG, 4096).await;
        assert_eq!((all.len(), all[0].1.len()), (1, LONGEST));
    }

    #[test]
    fn tails_are_found_from_behind() {
        let host = TestHost::new();
        let path = host.write("a", "1\n2\n3\n4\n");
        let mut file = File::open(&path).unwrap();
        let mut at = |n| tail_offset(&mut file, 0, 8, n).unwrap();
        assert_eq!((at(0), at(1), at(3), at(4), at(9)), (8, 6, 2, 0, 0));
        let path = host.write("b", "1\n2\nopen");
        let mut file = File::open(&path).unwrap();
        assert_eq!(tail_offset(&mut file, 0, 8, 1).unwrap(), 4);
        assert_eq!(tail_offset(&mut file, 2, 8, 9).unwrap(), 2);
        let many: String = (0..50_000).map(|i| format!("line {i}\n")).collect();
        let path = host.write("c", &many);
        let mut file = File::open(&path).unwrap();
        let at = tail_offset(&mut file, 0, many.len() as u64, 20_000).unwrap();
        assert!(many[at as usize..].starts_with("line 30000\n"));
    }
}
