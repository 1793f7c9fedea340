//! Pseudo-terminals.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::check;

/// A new pty: its master, and the side that is a terminal.
pub fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the path ends with NUL; the descriptors are new and owned by nobody else.
    unsafe {
        let master = OwnedFd::from_raw_fd(check(libc::open(c"/dev/ptmx".as_ptr(), flags))?);
        check(libc::unlockpt(master.as_raw_fd()))?;
        let peer = libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER as _, flags);
        Ok((master, OwnedFd::from_raw_fd(check(peer)?)))
    }
}

/// Sets rows and columns.
pub fn set_size(fd: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one struct winsize.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

/// The modes, as four words of flags and the control characters.
pub fn modes(fd: BorrowedFd<'_>) -> io::Result<([libc::tcflag_t; 4], Vec<u8>)> {
    // SAFETY: a termios of zeros is a valid one, which the call fills in.
    let modes = unsafe {
        let mut modes: libc::termios = mem::zeroed();
        check(libc::tcgetattr(fd.as_raw_fd(), &raw mut modes))?;
        modes
    };
    let flags = [modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag];
    // The kernel knows 19 characters, musl has room for 32.
    Ok((flags, modes.c_cc[..19].to_vec()))
}

/// Whether typed characters are held until the end of a line: not so in raw mode.
pub fn is_canonical(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(modes(fd)?.0[3] & libc::ICANON != 0)
}

/// Waits until there is something to read.
pub fn wait_readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = timeout.as_millis().min(60_000) as i32;
    // SAFETY: there is one entry, which the kernel reads and writes.
    check(unsafe { libc::poll(&raw mut entry, 1, milliseconds) }).map(|count| count > 0)
}
