//! Going through large files fast: line-aligned blocks on several threads, in memory that does not grow with the file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr, memrchr};
use runbook_core::module::Fault;

use super::blocking::Stop;
use super::paths::fault;

/// What is read at a time: it stays in the processor's cache while it is looked through.
const CHUNK: u64 = 1 << 20;

/// The longest line that is looked at.
const LONGEST: usize = 16 << 20;

/// More threads than this only wait for the memory.
const MOST_WORKERS: usize = 4;

/// Takes the blocks of a file. Each thread has one of its own and gets the blocks in rising order, though not all of them.
pub(crate) trait Blocks: Send {
    /// Whole lines that begin at this offset; only the last one of a file may lack its end.
    fn block(&mut self, offset: u64, lines: &[u8]);

    /// A line that is too long to be looked at.
    fn too_long(&mut self, offset: u64);
}

/// How many threads are worth having for so many bytes.
pub(crate) fn workers(bytes: u64) -> usize {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    usize::try_from(bytes / (2 * CHUNK)).unwrap_or(usize::MAX).clamp(1, cpus.min(MOST_WORKERS))
}

/// Hands the lines between two offsets of a file to the workers; `start` is the beginning of a line.
pub(crate) fn blocks<W: Blocks>(
    file: &File,
    path: &Path,
    start: u64,
    end: u64,
    workers: &mut [W],
    stop: &Stop,
) -> Result<(), Fault> {
    let next = AtomicU64::new(0);
    let failed: Mutex<Option<Fault>> = Mutex::new(None);
    let fail = |f: Fault| {
        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(f);
        // Nobody begins another chunk.
        next.store(u64::MAX / 2, Ordering::Relaxed);
    };
    let run = |worker: &mut W| {
        let mut buffer = Vec::new();
        loop {
            let from = match start.checked_add(next.fetch_add(1, Ordering::Relaxed).saturating_mul(CHUNK)) {
                Some(from) if from < end => from,
                _ => return,
            };
            let done =
                stop.check().and_then(|()| chunk(file, start, from, end, &mut buffer, worker).map_err(|e| fault(path, &e)));
            if let Err(f) = done {
                return fail(f);
            }
        }
    };
    let (first, others) = match workers.split_first_mut() {
        Some(split) => split,
        None => return Ok(()),
    };
    std::thread::scope(|scope| {
        let run = &run;
        for worker in others {
            scope.spawn(move || run(worker));
        }
        run(first);
    });
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(f) => Err(f),
        None => Ok(()),
    }
}

/// Hands over the lines that begin in the chunk at `from`.
fn chunk<W: Blocks>(file: &File, start: u64, from: u64, end: u64, buffer: &mut Vec<u8>, worker: &mut W) -> io::Result<()> {
    let to = (from + CHUNK).min(end);
    // The byte before tells whether a line begins here.
    let at = if from == start { from } else { from - 1 };
    read_to(file, at, to, buffer)?;
    if buffer.is_empty() {
        return Ok(());
    }
    let skip = if from == start {
        0
    } else {
        match memchr(b'\n', buffer) {
            Some(i) => i + 1,
            None => return Ok(()),
        }
    };
    if skip == buffer.len() {
        return Ok(());
    }
    let mut upto = to;
    let mut looked = buffer.len();
    // The last line is finished, however far that goes.
    while buffer.last() != Some(&b'\n') && upto < end {
        let more = (upto + (CHUNK / 8)).min(end);
        let had = buffer.len();
        append(file, upto, more, buffer)?;
        if buffer.len() == had {
            break;
        }
        upto = at + buffer.len() as u64;
        if let Some(i) = memchr(b'\n', &buffer[looked..]) {
            buffer.truncate(looked + i + 1);
            break;
        }
        looked = buffer.len();
        let last = memrchr(b'\n', buffer).map_or(0, |i| i + 1);
        if buffer.len() - last > LONGEST {
            worker.too_long(at + last as u64);
            buffer.truncate(last.max(skip));
            break;
        }
    }
    if skip < buffer.len() {
        worker.block(at + skip as u64, &buffer[skip..]);
    }
    Ok(())
}

fn read_to(file: &File, from: u64, to: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    append(file, from, to, buffer)
}

fn append(file: &File, from: u64, to: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    let had = buffer.len();
    let want = usize::try_from(to - from).unwrap_or(usize::MAX);
    buffer.resize(had + want, 0);
    let mut got = 0;
    while got < want {
        match file.read_at(&mut buffer[had + got..], from + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    buffer.truncate(had + got);
    Ok(())
}

/// Hands the lines of a stream to one worker and gives the number of bytes.
pub(crate) fn stream<W: Blocks>(mut reader: impl Read, worker: &mut W, stop: &Stop) -> Result<u64, StreamError> {
    let mut buffer = vec![0; CHUNK as usize];
    let (mut held, mut offset, mut total) = (0, 0_u64, 0_u64);
    // Whether what comes is the rest of a line that is too long.
    let mut skipping = false;
    loop {
        stop.check().map_err(StreamError::Stopped)?;
        if held == buffer.len() {
            buffer.resize(held * 2, 0);
        }
        let room = buffer.len().min(held + CHUNK as usize);
        let n = match reader.read(&mut buffer[held..room]) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(StreamError::Io(e)),
        };
        if n == 0 {
            break;
        }
        total += n as u64;
        let mut begin = 0;
        if skipping {
            match memchr(b'\n', &buffer[held..held + n]) {
                Some(i) => {
                    begin = held + i + 1;
                    skipping = false;
                }
                None => {
                    offset += n as u64;
                    continue;
                }
            }
        }
        let filled = held + n;
        let whole = memrchr(b'\n', &buffer[begin..filled]).map_or(begin, |i| begin + i + 1);
        if whole > begin {
            worker.block(offset + begin as u64, &buffer[begin..whole]);
        }
        buffer.copy_within(whole..filled, 0);
        offset += whole as u64;
        held = filled - whole;
        if held > LONGEST {
            worker.too_long(offset);
            offset += held as u64;
            held = 0;
            skipping = true;
        }
    }
    if held > 0 && !skipping {
        worker.block(offset, &buffer[..held]);
    }
    Ok(total)
}

/// Why a stream was not read to its end.
pub(crate) enum StreamError {
    /// Reading failed.
    Io(io::Error),
    /// It was to stop.
    Stopped(Fault),
}

impl StreamError {
    /// The fault, about this file.
    pub(crate) fn at(self, path: &Path) -> Fault {
        match self {
            // What is broken inside a compressed file is something that was seen of it.
            StreamError::Io(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Fault::unmet(format!("{}: the compressed data is damaged: {e}", path.display()))
            }
            StreamError::Io(e) => fault(path, &e),
            StreamError::Stopped(f) => f,
        }
    }
}

/// Whether a file's name says that it is compressed.
pub(crate) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "gz" || e == "zst")
}

/// A compressed file, unpacked while it is read.
pub(crate) fn unpack(path: &Path, file: File) -> Result<Box<dyn Read + Send>, Fault> {
    if path.extension().is_some_and(|e| e == "zst") {
        #[cfg(feature = "zstd")]
        return zstd::Decoder::new(file).map(|d| Box::new(d) as Box<dyn Read + Send>).map_err(|e| fault(path, &e));
        #[cfg(not(feature = "zstd"))]
        return Err(Fault::cannot_tell(format!("{}: this build has no `zstd`", path.display())));
    }
    Ok(Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(1 << 17, file))))
}

/// The lines of a block with their offsets, without their ends.
pub(crate) fn lines(offset: u64, block: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = block.get(at..).filter(|r| !r.is_empty())?;
        let n = memchr(b'\n', rest);
        let line = &rest[..n.unwrap_or(rest.len())];
        let here = offset + at as u64;
        at += line.len() + 1;
        Some((here, line.strip_suffix(b"\r").unwrap_or(line)))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::support::blocking::blocking;
    use crate::support::testing::TestHost;

    #[derive(Default)]
    struct Gather(Vec<(u64, Vec<u8>)>, Vec<u64>);

    impl Blocks for Gather {
        fn block(&mut self, offset: u64, block: &[u8]) {
            self.0.extend(lines(offset, block).map(|(o, l)| (o, l.to_vec())));
        }
        fn too_long(&mut self, offset: u64) {
            self.1.push(offset);
        }
    }

    async fn both(text: Vec<u8>) -> (Vec<(u64, Vec<u8>)>, Vec<(u64, Vec<u8>)>, Vec<u64>) {
        let host = TestHost::new();
        let path = host.write("a", &text);
        blocking(None, move |stop| {
            let file = File::open(&path).unwrap();
            let mut workers: Vec<Gather> = (0..3).map(|_| Gather::default()).collect();
            blocks(&file, &path, 0, text.len() as u64, &mut workers, stop)?;
            let mut all: Vec<_> = workers.iter().flat_map(|w| w.0.clone()).collect();
            all.sort();
            let mut one = Gather::default();
            stream(&text[..], &mut one, stop).map_err(|e| e.at(&path))?;
            Ok((all, one.0, workers.into_iter().flat_map(|w| w.1).collect()))
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn every_line_comes_once_whatever_its_length() {
        let mut text = Vec::new();
        let mut expected = Vec::new();
        let mut n: u64 = 7;
        while text.len() < (5 << 20) {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = match n >> 60 {
                0 => 0,
                1 => (n >> 40) as usize % 300_000,
                _ => (n >> 40) as usize % 500,
            };
            expected.push((text.len() as u64, vec![b'x'; length]));
            text.extend(std::iter::repeat_n(b'x', length));
            text.push(b'\n');
        }
        expected.push((text.len() as u64, b"open".to_vec()));
        text.extend_from_slice(b"open");
        let (chunks, streamed, _) = both(text).await;
        assert!(chunks == expected && streamed == expected);
    }

    #[tokio::test]
    async fn lines_at_the_edges_of_chunks() {
        for shift in [-1_i64, 0, 1, 2] {
            let mut text = vec![b'a'; (CHUNK as i64 + shift) as usize - 1];
            text.extend_from_slice(b"\nsecond\n\nfourth");
            let (chunks, streamed, _) = both(text).await;
            assert_eq!(chunks.len(), 4);
            assert!(chunks == streamed && chunks[3].1 == b"fourth");
        }
        let (chunks, streamed, _) = both(Vec::new()).await;
        assert!(chunks.is_empty() && streamed.is_empty());
    }

    #[tokio::test]
    async fn a_line_too_long_is_passed_over() {
        let mut text = b"one\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', LONGEST + (3 << 20)));
        text.extend_from_slice(b"\nlast\n");
        let (chunks, streamed, long) = both(text).await;
        assert_eq!(long, [4]);
        assert!(chunks == streamed && chunks.len() == 2);
    }

    #[tokio::test]
    async fn compressed_files_are_unpacked_and_broken_ones_told() {
        let host = TestHost::new();
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"a\nb\n").unwrap();
        let packed = packer.finish().unwrap();
        let path = host.write("a.log.gz", &packed);
        let broken = host.write("b.log.gz", &packed[..packed.len() - 6]);
        blocking(None, move |stop| {
            let mut work = Gather::default();
            let ask = |p: &Path, w: &mut Gather| stream(unpack(p, File::open(p).unwrap()).unwrap(), w, stop).map_err(|e| e.at(p));
            assert_eq!(ask(&path, &mut work).unwrap(), 4);
            assert_eq!(work.0.len(), 2);
            let fault = ask(&broken, &mut work).unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("damaged")), "{fault:?}");
            Ok(())
        })
        .await
        .unwrap();
    }
}
