//! The one system call that no safe wrapper offers.
#![expect(unsafe_code, reason = "pidfd_send_signal has no safe wrapper that takes flags")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::process::Signal;

/// Sends a signal to the process group led by the process behind `pidfd`, without a race (Linux 6.9 and later; before, `EINVAL`).
pub(crate) fn signal_group(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    // SAFETY: the call takes a file descriptor that is open for the time of the borrow, two integers and a null pointer, which stands
    // for "as kill(2) does"; it reads and writes no memory of ours.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal.as_raw(),
            std::ptr::null::<libc::siginfo_t>(),
            libc::PIDFD_SIGNAL_PROCESS_GROUP,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
