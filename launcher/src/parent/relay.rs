//! The relay: copies bytes between the caller's terminal and the container's own.
//!
//! The caller's terminal is raw meanwhile, so that Ctrl-C, Ctrl-Z and the like reach the
//! container's line discipline, which turns them into signals inside. Its modes are restored while
//! the launcher is stopped and when this value is dropped, or by the [`Guard`] if the launcher is
//! killed.
//!
//! With `--tty` the caller may have pipes or files instead. Their bytes go to the terminal as if
//! typed. A terminal has no end of file, so their end is typed, too, as Ctrl-D.

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
    /// Set when standard input, a pipe or a file, has ended.
    end: Option<End>,
    /// None once the caller's terminal has hung up: closing it hangs up the container's.
    master: Option<OwnedFd>,
    /// The modes to restore, and the guard; None while the caller's terminal is not raw.
    callers_modes: Option<(Modes, Guard)>,
    /// Read from one side and not yet written to the other.
    to_container: Vec<u8>,
    to_caller: Vec<u8>,
}

/// Ctrl-D, typed again and again when nothing is left to read: a shell and the shell's command both
/// have to see it, and a program that changes the terminal's modes meanwhile would miss a single
/// one.
struct End {
    /// The container's side of its terminal, which tells whether anything is left to read.
    peer: OwnedFd,
    next: Instant,
    /// From `next` to the one after that.
    pause: Duration,
}

/// What a round of moving bytes comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Go on.
    Well,
    /// We are in the background, where a process that reads from a terminal is stopped by this
    /// signal (SIGTTIN), or one that writes after `stty tostop` (SIGTTOU). We block signals, so the
    /// kernel does not stop us: the caller has to.
    Stop(i32),
}

impl Relay {
    /// Makes the caller's terminal raw and begins to relay.
    pub fn start(master: OwnedFd) -> Result<Relay, Error> {
        let start = || -> SysResult<Relay> {
            let (stdin, stdout) = (file::borrow_inherited(0)?, file::borrow_inherited(1)?);
            let modes = terminal::modes(stdin);
            if let Ok(modes) = &modes {
                // The container's terminal begins with the modes of the caller's. In the background
                // those are what a shell's line editor has set: then it begins as a new one.
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

    /// Restores the modes of the caller's terminal: before the launcher stops, and at the end.
    pub fn suspend(&mut self) {
        if let Some((modes, _guard)) = self.callers_modes.take() {
            // A terminal that has hung up needs nothing restored.
            terminal::set_modes(self.stdin, &modes).ok();
        }
    }

    /// Makes the caller's terminal raw (again), if we are in its foreground.
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

    /// What to poll for: standard input, the master, standard output. The flow control is that
    /// nothing is read from one side while something is left to write to the other.
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
                // EIO: no process inside has the terminal open now. One may open it later, so the
                // relay ends only with the container.
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
            // A shell sends nothing when it brings a running job to the foreground, but input comes.
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

    /// Whether standard input is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How long to poll at most before [`Relay::serve`] is called: until Ctrl-D is typed again.
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

    /// Whether the container's terminal has been closed, as the caller's is gone.
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

    /// Writes out what the container has written before its end. No more than the terminal can
    /// hold: a process that has not ended yet could write on and on.
    pub fn drain(&mut self) -> Served {
        // The line discipline's buffer (4 KiB, N_TTY_BUF_SIZE), twice the 8 KiB in front of it
        // (drivers/tty/pty.c, pty_common_install), and what was read before.
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

    /// The caller's terminal is gone: closes the container's. The kernel then sends SIGHUP to the
    /// session inside, and reads find the end of the input.
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

/// Reads into an empty buffer. The end of the input is an error (a raw terminal is at its end only
/// when it has hung up).
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

/// Writes as much as the other side takes.
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
