//! Sends reports to the launcher, on the inherited channel.

use init::contract::Terms;
use init::report::Report;
use init::stage::Stage;

use crate::{Failure, sys};

/// Sends a report. A failure is ignored: when the launcher dies, so does this container.
#[inline(always)] // what is sent is a constant there
pub fn say(terms: &Terms, report: Report) {
    send(terms, report.to_bytes());
}

#[cold]
#[inline(never)]
fn send(terms: &Terms, record: [u8; init::report::SIZE]) {
    sys::write(terms.report(), &record).ok();
}

/// Measures steps, for `--verbose`.
pub struct Steps<'a> {
    terms: &'a Terms,
    /// When the previous step ended, in microseconds; 0: do not measure.
    began: u64,
}

impl<'a> Steps<'a> {
    /// The first step begins.
    pub fn new(terms: &'a Terms) -> Self {
        Steps { terms, began: if terms.want(Terms::STEPS) { sys::now_micros() } else { 0 } }
    }

    /// Ends a step: adds its stage to a failure, or reports how long it took.
    #[cold]
    #[inline(never)]
    pub fn step(&mut self, stage: Stage, result: sys::Result<()>) -> Result<(), Failure> {
        result.map_err(|errno| Failure { stage, errno })?;
        if self.began != 0 {
            let now = sys::now_micros();
            say(self.terms, Report::Done { stage, micros: (now - self.began) as u32 });
            self.began = now;
        }
        Ok(())
    }
}
