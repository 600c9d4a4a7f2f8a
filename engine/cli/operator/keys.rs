//! Single keys from the terminal, and the terminal given back as it was.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// How the terminal was before keys were read. The program may end at any moment, so that everybody can give it back.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// How often it is looked whether somebody still waits, and whether the window was resized.
const TURN: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What a key press is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Press {
    /// A character.
    Char(char),
    /// Enter.
    Enter,
    /// The end of input, or Ctrl-D.
    End,
    /// Something that stands for nothing here, such as an arrow.
    Other,
    /// The window has another width.
    Resized,
    /// Nobody waits any more.
    Over,
}

/// Reads single keys until it is dropped.
pub(crate) struct Keys {
    width: Option<u16>,
}

impl Keys {
    /// Has the terminal hand over each key at once, without showing it. What was typed before does not answer what is asked now. Ctrl-C
    /// still is a signal. `None` if standard input is no terminal that can do this.
    pub(crate) fn open() -> Option<Keys> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        BEFORE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(before);
        tcsetattr(&stdin, OptionalActions::Flush, &raw).ok()?;
        Some(Keys { width: width() })
    }

    /// The next key.
    pub(crate) fn next(&mut self, over: &AtomicBool) -> Press {
        loop {
            if over.load(Ordering::Relaxed) {
                return Press::Over;
            }
            if self.width != width() {
                self.width = width();
                return Press::Resized;
            }
            match self.ready(&TURN) {
                Ok(false) => {}
                Ok(true) => return self.read(),
                Err(_) => return Press::End,
            }
        }
    }

    fn ready(&self, wait: &Timespec) -> Result<bool, rustix::io::Errno> {
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut fds, Some(wait)) {
            Ok(n) => Ok(n > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read(&self) -> Press {
        let Some(first) = self.byte() else { return Press::End };
        match first {
            b'\r' | b'\n' => Press::Enter,
            4 => Press::End,
            0x1b => {
                // A key that sends several characters: none of them is an answer.
                let at_once = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
                while self.ready(&at_once).unwrap_or(false) {
                    match self.byte() {
                        Some(b'[' | b'O') | None => {}
                        Some(b) if (0x40..=0x7e).contains(&b) => break,
                        Some(_) => {}
                    }
                }
                Press::Other
            }
            b if b < 0x20 || b == 0x7f => Press::Other,
            b if b < 0x80 => Press::Char(char::from(b)),
            b => {
                let more = match b {
                    0xc0..=0xdf => 1,
                    0xe0..=0xef => 2,
                    0xf0..=0xf7 => 3,
                    _ => 0,
                };
                let mut bytes = vec![b];
                bytes.extend((0..more).map_while(|_| self.byte()));
                std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next()).map_or(Press::Other, Press::Char)
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        let mut buffer = [0; 1];
        // Not through the standard library's buffer: what it read ahead would be lost for those who read lines later.
        match rustix::io::read(std::io::stdin(), &mut buffer) {
            Ok(1) => Some(buffer[0]),
            _ => None,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was, if keys are being read.
pub(crate) fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
        let _ = std::io::stderr().flush();
    }
}

/// How wide the terminal is now.
pub(crate) fn width() -> Option<u16> {
    tcgetwinsize(std::io::stderr()).ok().map(|s| s.ws_col).filter(|w| *w > 0)
}
