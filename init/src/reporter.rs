//! The way back to the launcher: records on the inherited socket, or nobody.

use init::args::Options;
use init::contract::Terms;
use init::report::Report;
use init::stage::Stage;
use init::word::Word;

use crate::{Failure, sys};

/// Sends records, and measures steps when asked to.
pub struct Reporter {
    socket: Option<i32>,
    /// When the step before ended; 0 when nobody wants to know.
    step_began: u64,
}

impl Reporter {
    /// Takes the socket that the launcher names.
    pub fn new(options: &Options<'_>) -> Self {
        let mut reporter = Reporter { socket: None, step_began: 0 };
        if let Some(contract) = &options.contract {
            let terms = &contract.terms;
            // The launcher executes us from a memfd: the kernel named us by its number.
            sys::set_name(Word::new(c"init")).ok();
            reporter.socket = Some(terms.report());
            if terms.want(Terms::STEPS) {
                reporter.step_began = sys::now_micros();
            }
        }
        reporter
    }

    /// Whether a launcher is there to turn records into text.
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// Sends a record. A launcher that is gone takes this container with it, so a failed write
    /// has nobody left to tell.
    #[inline(always)] // records are known where they are sent
    pub fn say(&self, report: Report) {
        self.send(report.to_bytes());
    }

    fn send(&self, record: [u8; init::report::SIZE]) {
        if let Some(fd) = self.socket {
            sys::write(fd, &record).ok();
        }
    }

    /// The command must not inherit the socket: with it, it could speak for us.
    pub fn keep_from_command(&self) -> Result<(), Failure> {
        let kept = self.socket.map_or(Ok(()), sys::close_on_exec);
        kept.map_err(|errno| Failure { stage: Stage::KeepChannel, errno })
    }

    /// Ends a step: names it in the failure, or reports how long it took.
    pub fn step(&mut self, stage: Stage, result: sys::Result<()>) -> Result<(), Failure> {
        result.map_err(|errno| Failure { stage, errno })?;
        if self.step_began != 0 {
            let now = sys::now_micros();
            self.say(Report::Done { stage, micros: (now - self.step_began) as u32 });
            self.step_began = now;
        }
        Ok(())
    }

    /// Closes every descriptor from 3 on but the socket: they were the command's.
    pub fn close_all_others(&self) {
        let mut first = 3;
        if let Some(fd) = self.socket {
            // Nothing, if it is 3.
            sys::close_range(first, fd as u32 - 1);
            first = fd as u32 + 1;
        }
        sys::close_range(first, u32::MAX);
    }
}
