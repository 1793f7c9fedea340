//! How a container has ended, as it is told on stderr, on `--status-fd` and by the exit code.

use init::exit::Ending;

use super::deadline::TIMED_OUT;
use super::usage::{Usage, show_size};
use super::{Cgroups, Status};
use crate::log::say;
use crate::spec::Spec;

/// The end of a command that has run.
pub struct Outcome {
    pub ending: Ending,
    /// `--timeout` ended it.
    pub timed_out: bool,
    /// Processes that the kernel killed for want of memory.
    pub oom_kills: u64,
    /// If it was asked for.
    pub usage: Option<Usage>,
}

impl Outcome {
    pub fn exit_code(&self) -> u8 {
        if self.timed_out { TIMED_OUT } else { self.ending.exit_code() }
    }

    /// Tells the person, and the program that asked to be told.
    pub fn tell(&self, spec: &Spec, cgroups: Option<&Cgroups<'_>>, status: &Status) {
        if self.oom_kills > 0 {
            let count = self.oom_kills;
            let processes = if count == 1 { "process" } else { "processes" };
            let limit =
                spec.resources.memory.map(|bytes| format!(" (--memory {})", show_size(bytes)));
            let limit = limit.unwrap_or_default();
            say(format_args!(
                "out of memory{limit}: the kernel killed {count} {processes} of the container"
            ));
        }
        if self.timed_out {
            say("the command's time is over (--timeout)");
        }
        if let Some(usage) = &self.usage {
            say(usage.show());
            if let Some(remark) = cgroups.and_then(Cgroups::remark) {
                say(format_args!("not all is known: {remark}"));
            }
            status.used(usage);
        }
        status.exited(self);
    }
}
