//! The terminal: bytes between the caller's and the container's own.
//!
//! The caller's terminal is raw meanwhile, so that Ctrl-C, Ctrl-Z and the rest reach the
//! container's line discipline, which turns them into signals inside. Its modes come back while
//! the launcher is stopped, and when this value is dropped; if it cannot be, [`Guard`] sees to it.
//!
//! By `--tty` there may be pipes or files in its place. Their bytes are typed as they are, and
//! their end is typed as well, as a person does it by Ctrl-D: a terminal has no other.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::guard::Guard;
use crate::error::Error;
use crate::sys::socket::{self, pollfd};
use crate::sys::terminal::{self, Modes};
use crate::sys::{Errno, Result as SysResult, file};

const CHUNK: usize = 4096;

/// A running relay.
pub struct Relay {
    stdin: BorrowedFd<'static>,
    stdout: BorrowedFd<'static>,
    /// Standard input is a terminal, not a pipe or a file.
    is_terminal: bool,
    /// Of a pipe or a file that has ended.
    end: Option<End>,
    /// None once the caller's terminal has hung up: closing it hangs up the container's.
    master: Option<OwnedFd>,
    /// What to give back, and who does if we cannot; None while the caller's terminal is not raw.
    callers_modes: Option<(Modes, Guard)>,
    /// Read from one side, not yet taken by the other.
    to_container: Vec<u8>,
    to_caller: Vec<u8>,
}

/// An end that is typed whenever nothing is left to read: a shell's command and the shell itself
/// both have to see it, and a program that changes the terminal's modes meanwhile would miss one.
struct End {
    /// The container's side of its terminal, which tells.
    peer: OwnedFd,
    next: Instant,
    /// Until the one after that.
    pause: Duration,
}

/// What a round of moving bytes comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Go on.
    Well,
    /// We are in the background, where this signal stops who reads from a terminal or, after `stty
    /// tostop`, writes to it. All are blocked: the kernel itself would let us.
    Stop(i32),
}

impl Relay {
    /// Takes the caller's terminal.
    pub fn start(master: OwnedFd) -> Result<Relay, Error> {
        let start = || -> SysResult<Relay> {
            let (stdin, stdout) = (file::borrow_inherited(0)?, file::borrow_inherited(1)?);
            let modes = terminal::modes(stdin);
            if let Ok(modes) = &modes {
                // The container's terminal begins as the caller's is now; in the background, where the
                // caller's is as a shell's line editor has it, as a new one.
                let new = || Ok(terminal::modes(master.as_fd())?.with_keys_of(modes));
                let modes = if terminal::is_foreground(stdin) { *modes } else { new()? };
                terminal::set_modes(master.as_fd(), &modes)?;
            }
            file::set_nonblocking(master.as_fd())?;
            let mut relay = Relay {
                stdin,
                stdout,
                is_terminal: modes.is_ok(),
                end: None,
                master: Some(master),
                callers_modes: None,
                to_container: Vec::new(),
                to_caller: Vec::new(),
            };
            relay.pass_size_on();
            relay.resume()?;
            Ok(relay)
        };
        start().map_err(|errno| Error::at("Relay", "set up the terminal", errno))
    }

    /// Gives the caller's terminal its modes back: before the launcher stops.
    pub fn suspend(&mut self) {
        if let Some((modes, _guard)) = self.callers_modes.take() {
            // A terminal that has hung up needs nothing restored.
            terminal::set_modes(self.stdin, &modes).ok();
        }
    }

    /// Makes the caller's terminal raw (again), if it is ours to change.
    pub fn resume(&mut self) -> SysResult<()> {
        let is_cooked = self.is_terminal && self.callers_modes.is_none();
        if is_cooked && terminal::is_foreground(self.stdin) {
            let modes = terminal::modes(self.stdin)?;
            let guard = Guard::start(&modes)?;
            terminal::set_modes(self.stdin, &modes.raw())?;
            self.callers_modes = Some((modes, guard));
            self.pass_size_on();
        }
        Ok(())
    }

    /// What to wait for: standard input, the master, standard output. A side that still has
    /// something to take is not asked for more: that is the flow control.
    pub fn interests(&self) -> [pollfd; 3] {
        let entry = |fd: i32, events: i16| {
            // poll(2) passes over a negative descriptor.
            pollfd { fd: if events == 0 { -1 } else { fd }, events, revents: 0 }
        };
        let when = |wanted: bool, event: i16| if wanted { event } else { 0 };
        let (master, open) = match &self.master {
            Some(master) => (master.as_raw_fd(), true),
            None => (-1, false),
        };
        let has_input = open && self.end.is_none();
        let wants_input = when(has_input && self.to_container.is_empty(), libc::POLLIN);
        let wants_output = when(open && self.to_caller.is_empty(), libc::POLLIN);
        let gives_input = when(open && !self.to_container.is_empty(), libc::POLLOUT);
        [
            entry(self.stdin.as_raw_fd(), wants_input),
            entry(master, wants_output | gives_input),
            entry(self.stdout.as_raw_fd(), when(!self.to_caller.is_empty(), libc::POLLOUT)),
        ]
    }

    /// Moves what can be moved, by what poll(2) said of [`Relay::interests`].
    pub fn serve(&mut self, ready: &[pollfd]) -> Served {
        let &[input, master, output] = ready else { return Served::Well };
        let served = match input.revents {
            0 => Served::Well,
            events => self.take_input(events),
        };
        self.type_end();
        if let Some(fd) = self.master.as_ref().map(AsFd::as_fd) {
            if master.revents & (libc::POLLIN | libc::POLLHUP) != 0 && self.to_caller.is_empty() {
                // EIO: nobody inside has the terminal open just now, which may yet change; only
                // the container's end is the end.
                fill(fd, &mut self.to_caller).ok();
            }
            if master.revents & libc::POLLOUT != 0 {
                empty(fd, &mut self.to_container).ok();
            }
        }
        if output.revents != 0 {
            if self.must_not_write() {
                return Served::Stop(libc::SIGTTOU);
            }
            if empty(self.stdout, &mut self.to_caller).is_err() {
                self.hang_up();
            }
        }
        served
    }

    fn take_input(&mut self, events: i16) -> Served {
        if self.is_terminal && events & libc::POLLIN != 0 {
            // A shell that brings a running job to the foreground does not say so: input tells.
            self.resume().ok();
            if self.callers_modes.is_none() {
                return Served::Stop(libc::SIGTTIN);
            }
        }
        if fill(self.stdin, &mut self.to_container).is_err() {
            match self.master.as_ref().filter(|_| !self.is_terminal).map(End::begin) {
                Some(Ok(end)) => self.end = Some(end),
                _ => self.hang_up(),
            }
        }
        Served::Well
    }

    /// Whether somebody types, at a terminal that is not the container's.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How long nothing may happen before [`Relay::serve`] is called.
    pub fn timeout(&self) -> Option<Duration> {
        let end = self.end.as_ref().filter(|_| self.master.is_some())?;
        Some(end.next.saturating_duration_since(Instant::now()))
    }

    fn must_not_write(&self) -> bool {
        let may_be = self.is_terminal && self.callers_modes.is_none();
        may_be
            && !terminal::is_foreground(self.stdout)
            && terminal::modes(self.stdout).is_ok_and(|modes| modes.stops_writers())
    }

    fn type_end(&mut self) {
        let (Some(end), Some(master)) = (&mut self.end, &self.master) else { return };
        let now = Instant::now();
        if now < end.next {
            return;
        }
        end.next = now + end.pause;
        end.pause = (end.pause * 2).min(End::LONGEST);
        if self.to_container.is_empty() && socket::is_readable(end.peer.as_fd()) == Ok(false) {
            let modes = terminal::modes(master.as_fd());
            self.to_container.extend(modes.map(|modes| modes.end_of_input()));
        }
    }

    /// Whether nobody sees any more what the container shows.
    pub fn has_hung_up(&self) -> bool {
        self.master.is_none()
    }

    /// The window was resized.
    pub fn pass_size_on(&self) {
        let size = terminal::size(self.stdin).or_else(|_| terminal::size(self.stdout));
        if let (Some(master), Ok(size)) = (&self.master, size) {
            terminal::set_size(master.as_fd(), &size).ok();
        }
    }

    /// Shows what the container has written; no more than its terminal can hold, as somebody in there may
    /// write on and on.
    pub fn drain(&mut self) -> Served {
        // What was read before, the line discipline's buffer (N_TTY_BUF_SIZE), and twice the 8 KiB that
        // wait for that (pty_common_install in drivers/tty/pty.c).
        let mut left = 32 * 1024;
        while let Some(master) = &self.master {
            while !self.to_caller.is_empty() {
                if self.must_not_write() {
                    return Served::Stop(libc::SIGTTOU);
                }
                if empty(self.stdout, &mut self.to_caller).is_err() {
                    return Served::Well;
                }
            }
            let is_there = left > 0 && fill(master.as_fd(), &mut self.to_caller).is_ok();
            if !is_there || self.to_caller.is_empty() {
                break;
            }
            left -= self.to_caller.len().min(left);
        }
        Served::Well
    }

    /// The caller's terminal is gone. The kernel tells the processes inside, as it would have
    /// outside: SIGHUP, and then the end of the input.
    pub fn hang_up(&mut self) {
        self.master = None;
        self.to_caller.clear();
        self.to_container.clear();
    }
}

impl End {
    const LONGEST: Duration = Duration::from_secs(1);

    fn begin(master: &OwnedFd) -> SysResult<End> {
        let peer = terminal::open_peer(master.as_fd())?;
        Ok(End { peer, next: Instant::now(), pause: Duration::from_millis(10) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.suspend();
    }
}

/// Reads into an empty buffer; the end is an error. A raw terminal is there only when it has hung
/// up.
fn fill(from: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> SysResult<()> {
    buffer.resize(CHUNK, 0);
    let count = file::read(from, buffer);
    buffer.truncate(*count.as_ref().unwrap_or(&0));
    match count {
        Ok(0) => Err(Errno::EIO),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
        other => other.map(drop),
    }
}

/// Writes what the other side takes.
fn empty(to: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> SysResult<()> {
    match file::write(to, buffer) {
        Ok(count) => {
            buffer.drain(..count);
            Ok(())
        }
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
