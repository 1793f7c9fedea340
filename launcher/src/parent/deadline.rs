//! How long the command may run: until its `--timeout`, or until its terminal is gone. Then it is
//! asked to end, by SIGTERM or by the kernel's own SIGHUP, has some time to, and SIGKILL comes.

use std::time::{Duration, Instant};

use crate::spec::time::End;

/// What an exit code says of a command that had no more time, as for timeout(1).
pub const TIMED_OUT: u8 = 124;

/// When to do what.
#[derive(Clone, Copy)]
pub struct Deadline {
    next: Option<Instant>,
    notice: Duration,
    was_asked: bool,
    has_passed: bool,
}

impl Deadline {
    /// From now on.
    pub fn begin(end: End) -> Deadline {
        let millis = |millis: u32| Duration::from_millis(millis.into());
        Deadline {
            next: end.after_ms.map(|after| Instant::now() + millis(after)),
            notice: millis(end.notice_ms),
            was_asked: false,
            has_passed: false,
        }
    }

    /// How long there is nothing to do.
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

    /// The terminal is gone, of which the kernel has told the command.
    pub fn hung_up(&mut self) {
        if !self.was_asked {
            self.give_notice(Instant::now());
        }
    }

    fn give_notice(&mut self, now: Instant) {
        self.was_asked = true;
        self.next = Some(now + self.notice);
    }

    /// Whether the command ends because its time was over.
    pub fn has_passed(&self) -> bool {
        self.has_passed
    }
}
