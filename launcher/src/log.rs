//! What the launcher prints on stderr: errors, warnings, and the steps of `--verbose`.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::sys::socket::{self, pollfd};
use crate::sys::{Errno, Result as SysResult, file};

/// The lines of one start.
pub struct Log {
    /// With `--verbose`: when the previous step ended.
    step_began: Option<Instant>,
    /// The last warning: a start with a second child warns once.
    warned: String,
}

impl Log {
    pub fn new(verbose: bool) -> Log {
        Log { step_began: verbose.then(Instant::now), warned: String::new() }
    }

    pub fn is_verbose(&self) -> bool {
        self.step_began.is_some()
    }

    /// Ends a step of the parent's.
    pub fn step(&mut self, what: impl fmt::Display) {
        if let Some(began) = self.step_began {
            self.done(what, began.elapsed());
            self.step_began = Some(Instant::now());
        }
    }

    /// A step that was timed elsewhere: by the child, by init.
    pub fn done(&self, what: impl fmt::Display, took: Duration) {
        if self.step_began.is_some() {
            say(format_args!("{:>7} us  {what}", took.as_micros()));
        }
    }

    /// A decision that took no time worth telling.
    pub fn note(&self, what: impl fmt::Display) {
        if self.step_began.is_some() {
            say(format_args!("            {what}"));
        }
    }

    /// Something the user should know even if not asked.
    pub fn warn(&mut self, what: &str) {
        if self.warned != what {
            say(format_args!("warning: {what}"));
            what.clone_into(&mut self.warned);
        }
    }
}

/// Prints one line, in one write(2). A failure is ignored.
pub fn say(line: impl fmt::Display) {
    let line = format!("launcher: {}\n", one_line(&line.to_string()));
    tell(std::io::stderr().as_fd(), line.as_bytes()).ok();
}

/// Writes to a descriptor whose reader may have stopped (a full pipe, a terminal after Ctrl-S),
/// without blocking for ever: all signals are blocked, so SIGTERM would not end that. After a
/// second without a reader it is EAGAIN, and from then on at once.
pub fn tell(fd: BorrowedFd<'_>, bytes: &[u8]) -> SysResult<()> {
    const A_WHILE: Duration = Duration::from_secs(1);
    static READS: AtomicBool = AtomicBool::new(true);
    // If poll(2) says that a pipe is writable, so many bytes can be written without blocking
    // (pipe(7)).
    for part in bytes.chunks(libc::PIPE_BUF) {
        let mut entry = [pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
        let patience = if READS.load(Ordering::Relaxed) { A_WHILE } else { Duration::ZERO };
        // If poll(2) itself fails, try to write.
        let reads = socket::poll(&mut entry, Some(patience)) != Ok(0);
        READS.store(reads, Ordering::Relaxed);
        if !reads {
            return Err(Errno::EAGAIN);
        }
        file::write(fd, part)?;
    }
    Ok(())
}

/// Escapes control characters: a name with a newline would make two lines, and one with ESC would
/// control the terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(one_line("a\nb\u{1b}[31m\t\u{e4}"), "a\\nb\\u{1b}[31m\\t\u{e4}");
    }
}
