//! What the launcher has from its caller and what it changes of that for itself: read, and put aside
//! for the command, before the launcher opens any file of its own.

use std::os::fd::{AsFd, BorrowedFd};

use super::{Activation, Proc, contents};
use crate::error::Error;
use crate::spec::Spec;
use crate::spec::limits::{AS, FSIZE, NOFILE};
use crate::sys::process::{self, Limit};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{self, Errno, Result as SysResult, file};

/// The caller's settings.
pub struct Inherited {
    /// The signal mask.
    pub mask: SignalSet,
    pub environment: Vec<Vec<u8>>,
    /// What a service manager has passed to us for the command.
    pub activation: Activation,
    /// The descriptors that the command inherits; or the first number that is not open, and the
    /// errno.
    pub keep_fds: Result<Vec<BorrowedFd<'static>>, (i32, Errno)>,
    /// The limits that were too low for the set-up, each with its number.
    pub limits: Vec<(u32, Limit)>,
    /// What the files hold that the plan puts into the container, in its order.
    pub contents: Vec<Vec<u8>>,
}

/// Limits that a caller may have set low, and what a start needs of them. Far fewer files are open
/// at once; init is written to a memfd, and the pid file is one.
const NEEDED: [(u32, u64); 2] = [(NOFILE, 256), (FSIZE, libc::RLIM_INFINITY)];

/// With less the stack may not grow, which is told by SIGSEGV.
const MEMORY: u64 = 4 << 20;

impl Inherited {
    /// Notes the settings, and replaces them by the launcher's own; `mask` was the caller's.
    pub fn replace(spec: &Spec, mask: SignalSet) -> Result<Inherited, Error> {
        // First of all: a number that the caller left closed is soon that of a file of ours, such
        // as the host's /proc, which the command must not get.
        let environment = sys::environment();
        let activation = Activation::read(&environment, spec.share.net);
        let numbers = activation.descriptors.clone().chain(spec.keep_fds.iter().copied());
        let keep_fds = numbers
            .map(|number| file::borrow_inherited(number).map_err(|errno| (number, errno)))
            .collect();
        // A caller that ignores SIGCHLD would have the kernel reap our child unseen.
        signal::set_default(libc::SIGCHLD)
            .map_err(|errno| Error::at("BlockSignals", "reset SIGCHLD", errno))?;
        if process::prlimit(0, AS, None).is_ok_and(|limit| limit.soft < MEMORY) {
            let text = "the limit on memory is below 4 MiB";
            return Err(Error::refused("RaiseLimit", text).advise("raise it: ulimit -v"));
        }
        let limits = raise_limits().map_err(|errno| {
            Error::at("RaiseLimit", "raise the limits on files for the set-up", errno)
        })?;
        close_all_on_exec()?;
        let contents = contents::read(spec, mask)?;
        Ok(Inherited { mask, environment, activation, keep_fds, limits, contents })
    }
}

/// What we may have, we take for the set-up; the limits that were changed, as they were.
fn raise_limits() -> SysResult<Vec<(u32, Limit)>> {
    let mut limits = Vec::new();
    for (resource, enough) in NEEDED {
        let callers = process::prlimit(0, resource, None)?;
        if callers.soft < enough && callers.soft < callers.hard {
            let raised = Limit { soft: callers.hard.min(enough), ..callers };
            process::prlimit(0, resource, Some(&raised))?;
            limits.push((resource, callers));
        }
    }
    Ok(limits)
}

/// Nothing that the caller left open goes into the container, nor to newuidmap: execve closes it.
/// Our own descriptors are made close-on-exec one by one.
fn close_all_on_exec() -> Result<(), Error> {
    match file::close_on_exec_from(3) {
        // Before Linux 5.9, or 5.11 for the flag, or an outer container's seccomp.
        Err(Errno::ENOSYS | Errno::EINVAL | Errno::EPERM) => close_listed_on_exec(&Proc::open()?),
        other => other,
    }
    .map_err(|errno| {
        Error::at("CloseFds", "keep the caller's descriptors out of the container", errno)
    })
}

fn close_listed_on_exec(proc: &Proc) -> SysResult<()> {
    let listing = proc.open_file("self/fd", libc::O_RDONLY | libc::O_DIRECTORY)?;
    file::for_each_entry(listing.as_fd(), |name, _| {
        let number = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
        match number {
            Some(number) if number > 2 => file::set_close_on_exec(number, true),
            _ => Ok(()),
        }
    })
}
