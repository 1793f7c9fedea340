//! How long the command may run: until `--timeout` has passed, or its terminal has hung up. Then it
//! gets SIGTERM (or has got the kernel's SIGHUP), and after a notice SIGKILL.

use std::time::{Duration, Instant};

use crate::spec::time::End;

/// The exit code when `--timeout` has passed, as of timeout(1).
pub const TIMED_OUT: u8 = 124;

/// When to send the next signal.
#[derive(Clone, Copy)]
pub struct Deadline {
    next: Option<Instant>,
    /// Between the first signal and SIGKILL.
    notice: Duration,
    /// The command has been told to end.
    was_asked: bool,
    /// `--timeout` has passed.
    has_passed: bool,
}

impl Deadline {
    /// The time begins now.
    pub fn begin(end: End) -> Deadline {
        let millis = |millis: u32| Duration::from_millis(millis.into());
        Deadline {
            next: end.after_ms.map(|after| Instant::now() + millis(after)),
            notice: millis(end.notice_ms),
            was_asked: false,
            has_passed: false,
        }
    }

    /// The time until the next signal.
    pub fn left(&self) -> Option<Duration> {
        self.next.map(|next| next.saturating_duration_since(Instant::now()))
    }

    /// The signal that is due now.
    pub fn due(&mut self) -> Option<i32> {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        if self.was_asked {
            self.next = None;
            return Some(libc::SIGKILL);
        }
        self.has_passed = true;
        self.give_notice(now);
        Some(libc::SIGTERM)
    }

    /// The terminal has hung up, for which the kernel has sent the command SIGHUP.
    pub fn hung_up(&mut self) {
        if !self.was_asked {
            self.give_notice(Instant::now());
        }
    }

    fn give_notice(&mut self, now: Instant) {
        self.was_asked = true;
        self.next = Some(now + self.notice);
    }

    /// Whether `--timeout` has passed.
    pub fn has_passed(&self) -> bool {
        self.has_passed
    }
}
