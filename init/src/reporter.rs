//! The way back to the launcher: records on the inherited socket, or nobody.

use init::contract::Terms;
use init::report::Report;
use init::stage::Stage;

use crate::{Failure, sys};

/// Sends a record. A launcher that is gone takes this container with it, so a failed write has
/// nobody left to tell.
#[inline(always)] // records are known where they are sent
pub fn say(terms: &Terms, report: Report) {
    send(terms, report.to_bytes());
}

#[cold]
#[inline(never)]
fn send(terms: &Terms, record: [u8; init::report::SIZE]) {
    sys::write(terms.report(), &record).ok();
}

/// Measures steps, if it is asked to.
pub struct Steps<'a> {
    terms: &'a Terms,
    /// When the step before ended; 0 when nobody wants to know.
    began: u64,
}

impl<'a> Steps<'a> {
    /// The first begins.
    pub fn new(terms: &'a Terms) -> Self {
        Steps { terms, began: if terms.want(Terms::STEPS) { sys::now_micros() } else { 0 } }
    }

    /// Ends a step: names it in the failure, or reports how long it took.
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
