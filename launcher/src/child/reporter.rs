//! Reports of the child to the parent, on the channel.

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
    /// Which of the stage's objects (a device, a mount of the plan), where it has several.
    pub object: u16,
}

/// Adds the stage to the errno of a system call.
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

/// Sends reports to the parent. A failure to send is ignored: the parent is dead, and its death
/// kills us.
pub struct Reporter<'a> {
    channel: BorrowedFd<'a>,
    step_began: Option<Instant>,
}

impl<'a> Reporter<'a> {
    pub fn new(channel: BorrowedFd<'a>, steps: bool) -> Self {
        Reporter { channel, step_began: steps.then(Instant::now) }
    }

    /// With `--verbose`: this stage is done, and how long it took.
    pub fn done(&mut self, stage: Stage) {
        if let Some(began) = self.step_began {
            let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.send(Report::Done { stage, micros });
            self.step_began = Some(Instant::now());
        }
    }

    /// With `--verbose`: the kernel has refused a step that the container can do without.
    pub fn skipped(&self, stage: Stage, errno: Errno) {
        if self.step_began.is_some() {
            self.send(Report::Skipped { stage, errno: errno.into_raw() as u16 });
        }
    }

    /// Another process is the container from here on.
    pub fn hand_over(&self, pid: i32) {
        self.send(Report::HandedOver { pid: pid as u32 });
    }

    /// Our namespaces have changed. The caller then waits for the parent, which reads them.
    pub fn moved(&self) {
        self.send(Report::Moved);
    }

    /// `--explain`: every step went well, and the child exits.
    pub fn is_rehearsed(&self) {
        self.send(Report::Started);
    }

    /// A stage has failed, and the child exits.
    pub fn fail(&self, failure: Failure) {
        let errno = failure.errno.into_raw() as u16;
        self.send(Report::Failed { stage: failure.stage, errno, object: failure.object });
    }

    fn send(&self, report: Report) {
        file::write(self.channel, &report.to_bytes()).ok();
    }
}
