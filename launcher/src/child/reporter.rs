//! The child's way back to the parent.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use init::report::Report;
use init::stage::Stage;

use crate::sys::{Errno, Result as SysResult, file};

/// A step that failed.
#[derive(Clone, Copy)]
pub struct Failure {
    pub stage: Stage,
    pub errno: Errno,
    /// Which of the stage's objects.
    pub object: u16,
}

/// Names the step in the errno of a system call.
pub trait At<T> {
    fn at(self, stage: Stage) -> Result<T, Failure>;
    fn at_object(self, stage: Stage, object: usize) -> Result<T, Failure>;
}

impl<T> At<T> for SysResult<T> {
    fn at(self, stage: Stage) -> Result<T, Failure> {
        self.at_object(stage, 0)
    }

    fn at_object(self, stage: Stage, object: usize) -> Result<T, Failure> {
        self.map_err(|errno| Failure { stage, errno, object: object as u16 })
    }
}

/// Sends records to the parent. A parent that is gone cannot be told; its death ends us anyway.
pub struct Reporter<'a> {
    channel: BorrowedFd<'a>,
    step_began: Option<Instant>,
}

impl<'a> Reporter<'a> {
    pub fn new(channel: BorrowedFd<'a>, steps: bool) -> Self {
        Reporter { channel, step_began: steps.then(Instant::now) }
    }

    /// Ends a step.
    pub fn done(&mut self, stage: Stage) {
        if let Some(began) = self.step_began {
            let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.send(Report::Done { stage, micros });
            self.step_began = Some(Instant::now());
        }
    }

    /// A step that the container can do without was refused.
    pub fn skipped(&self, stage: Stage, errno: Errno) {
        if self.step_began.is_some() {
            self.send(Report::Skipped { stage, errno: errno.into_raw() as u16 });
        }
    }

    /// Another process is the container from here on.
    pub fn hand_over(&self, pid: i32) {
        self.send(Report::HandedOver { pid: pid as u32 });
    }

    /// Our namespaces are others now; the parent answers.
    pub fn moved(&self) {
        self.send(Report::Moved);
    }

    /// Nothing was in the way, and nobody goes on.
    pub fn is_rehearsed(&self) {
        self.send(Report::Started);
    }

    /// The end of it.
    pub fn fail(&self, failure: Failure) {
        let errno = failure.errno.into_raw() as u16;
        self.send(Report::Failed { stage: failure.stage, errno, object: failure.object });
    }

    fn send(&self, report: Report) {
        file::write(self.channel, &report.to_bytes()).ok();
    }
}
