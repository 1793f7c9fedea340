//! The terminal: bytes between the caller's and the container's own.
//!
//! The caller's terminal is raw meanwhile, so that Ctrl-C, Ctrl-Z and the rest reach the
//! container's line discipline, which turns them into signals inside. Its modes come back when
//! this value is dropped.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::sys::file;
use crate::sys::socket::pollfd;
use crate::sys::terminal::{self, Modes};
use crate::sys::{Errno, Result as SysResult};

const CHUNK: usize = 4096;

/// A running relay.
pub struct Relay {
    stdin: BorrowedFd<'static>,
    stdout: BorrowedFd<'static>,
    master: OwnedFd,
    callers_modes: Modes,
    /// Read from one side, not yet taken by the other.
    to_container: Vec<u8>,
    to_caller: Vec<u8>,
    input_open: bool,
    master_open: bool,
}

impl Relay {
    /// Takes the caller's terminal.
    pub fn start(master: OwnedFd) -> Result<Relay, Error> {
        let start = || -> SysResult<Relay> {
            let (stdin, stdout) = (file::borrow_inherited(0)?, file::borrow_inherited(1)?);
            let callers_modes = terminal::modes(stdin)?;
            // The container's terminal begins as the caller's is now.
            terminal::set_modes(master.as_fd(), &callers_modes)?;
            terminal::set_size(master.as_fd(), &terminal::size(stdin)?)?;
            file::set_nonblocking(master.as_fd())?;
            terminal::set_modes(stdin, &callers_modes.raw())?;
            Ok(Relay {
                stdin,
                stdout,
                master,
                callers_modes,
                to_container: Vec::new(),
                to_caller: Vec::new(),
                input_open: true,
                master_open: true,
            })
        };
        start().map_err(|errno| Error::at("Relay", "set up the terminal", errno))
    }

    /// What to wait for: standard input, the master, standard output. A side that still has
    /// something to take is not asked for more: that is the flow control.
    pub fn interests(&self) -> [pollfd; 3] {
        let entry = |fd: i32, events: i16| pollfd {
            fd: if events == 0 { -1 } else { fd },
            events,
            revents: 0,
        };
        let when = |wanted: bool, event: i16| if wanted { event } else { 0 };
        let read_input = self.input_open && self.to_container.is_empty();
        let read_master = self.master_open && self.to_caller.is_empty();
        let write_master = self.master_open && !self.to_container.is_empty();
        [
            entry(self.stdin.as_raw_fd(), when(read_input, libc::POLLIN)),
            entry(
                self.master.as_raw_fd(),
                when(read_master, libc::POLLIN) | when(write_master, libc::POLLOUT),
            ),
            entry(self.stdout.as_raw_fd(), when(!self.to_caller.is_empty(), libc::POLLOUT)),
        ]
    }

    /// Moves what can be moved, by what poll(2) said of [`Relay::interests`].
    pub fn serve(&mut self, ready: &[pollfd]) {
        let &[input, master, output] = ready else { return };
        if input.revents != 0 {
            self.input_open = fill(self.stdin, &mut self.to_container);
        }
        if master.revents & (libc::POLLIN | libc::POLLHUP) != 0 && self.to_caller.is_empty() {
            self.master_open = fill(self.master.as_fd(), &mut self.to_caller);
        }
        if master.revents & libc::POLLOUT != 0 {
            empty(self.master.as_fd(), &mut self.to_container);
        }
        if output.revents != 0 {
            empty(self.stdout, &mut self.to_caller);
        }
    }

    /// The window was resized.
    pub fn pass_size_on(&self) {
        if let Ok(size) = terminal::size(self.stdin) {
            terminal::set_size(self.master.as_fd(), &size).ok();
        }
    }

    /// After the end: what the container has still written.
    pub fn drain(&mut self) {
        loop {
            while !self.to_caller.is_empty() {
                if !empty(self.stdout, &mut self.to_caller) {
                    return;
                }
            }
            if !fill(self.master.as_fd(), &mut self.to_caller) || self.to_caller.is_empty() {
                return;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A terminal that has hung up needs nothing restored.
        terminal::set_modes(self.stdin, &self.callers_modes).ok();
    }
}

/// Reads into an empty buffer; false at the end. The master says EIO when nobody inside has the
/// terminal open, which may yet change, so only the loop's end ends it.
fn fill(from: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> bool {
    buffer.resize(CHUNK, 0);
    let count = file::read(from, buffer);
    buffer.truncate(*count.as_ref().unwrap_or(&0));
    !matches!(count, Ok(0) | Err(Errno::EIO))
}

/// Writes what the other side takes; false if it takes nothing any more.
fn empty(to: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> bool {
    match file::write(to, buffer) {
        Ok(count) => {
            buffer.drain(..count);
            true
        }
        Err(Errno::EAGAIN | Errno::EINTR) => true,
        Err(_) => {
            buffer.clear();
            false
        }
    }
}
