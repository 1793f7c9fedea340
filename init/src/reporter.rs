//! The way back to the launcher: records on the inherited socket, or nobody.

use init::args::Options;
use init::report::Report;
use init::stage::Stage;

use crate::{Failure, sys};

/// Sends records, and measures steps when asked to.
pub struct Reporter {
    socket: Option<i32>,
    /// When the step before ended; None when nobody wants to know.
    step_began: Option<u64>,
}

impl Reporter {
    /// Takes the socket that the options name. The command must not inherit it.
    pub fn new(options: &Options<'_>) -> Self {
        if options.report.is_some() {
            // The launcher executes us from a memfd: the kernel named us by its number.
            sys::set_name(c"init").ok();
        }
        let socket = options.report.filter(|&fd| sys::close_on_exec(fd).is_ok());
        let step_began = (options.steps && socket.is_some()).then(sys::now_micros);
        Reporter { socket, step_began }
    }

    /// Whether a launcher is there to turn records into text.
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// Sends a record. A launcher that is gone takes this container with it, so a failed write
    /// has nobody left to tell.
    pub fn say(&self, report: Report) {
        if let Some(fd) = self.socket {
            sys::write(fd, &report.to_bytes()).ok();
        }
    }

    /// Ends a step: names it in the failure, or reports how long it took.
    pub fn step(&mut self, stage: Stage, result: sys::Result<()>) -> Result<(), Failure> {
        result.map_err(|errno| Failure { stage, errno })?;
        if let Some(began) = self.step_began {
            let now = sys::now_micros();
            let micros = u32::try_from(now.saturating_sub(began)).unwrap_or(u32::MAX);
            self.say(Report::Done { stage, micros });
            self.step_began = Some(now);
        }
        Ok(())
    }

    /// Closes every descriptor from 3 on but the socket: they were the command's.
    pub fn close_all_others(&self) {
        let mut first = 3;
        if let Some(fd) = self.socket.and_then(|fd| u32::try_from(fd).ok()) {
            if fd > first {
                sys::close_range(first, fd - 1);
            }
            first = fd + 1;
        }
        sys::close_range(first, u32::MAX);
    }
}
