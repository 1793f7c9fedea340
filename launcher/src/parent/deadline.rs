//! `--timeout`: how long the command may run. SIGTERM, some time to end, SIGKILL.

use std::time::{Duration, Instant};

use crate::spec::time::Timeout;

/// What an exit code says of a command that had no more time, as for timeout(1).
pub const TIMED_OUT: u8 = 124;

/// When to do what.
pub struct Deadline {
    next: Option<Instant>,
    grace: Duration,
    has_passed: bool,
}

impl Deadline {
    /// From now on.
    pub fn begin(timeout: Option<Timeout>) -> Deadline {
        let millis = |millis: u32| Duration::from_millis(millis.into());
        Deadline {
            next: timeout.map(|timeout| Instant::now() + millis(timeout.after_ms)),
            grace: timeout.map_or(Duration::ZERO, |timeout| millis(timeout.grace_ms)),
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
        if self.has_passed {
            self.next = None;
            return Some(libc::SIGKILL);
        }
        self.has_passed = true;
        self.next = Some(now + self.grace);
        Some(libc::SIGTERM)
    }

    /// Whether the command ends because of it.
    pub fn has_passed(&self) -> bool {
        self.has_passed
    }
}
