//! What the launcher was started with, and changes for itself: the command gets it back as it was.

use super::contents;
use crate::error::Error;
use crate::spec::Spec;
use crate::spec::limits::NOFILE;
use crate::sys::process::{self, Limit};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, Result as SysResult, file};

/// The caller's settings.
pub struct Inherited {
    /// The signal mask.
    pub mask: SignalSet,
    /// The limit on open files.
    pub open_files: Limit,
    /// What the files hold that the plan puts into the container, in its order.
    pub contents: Vec<Vec<u8>>,
}

impl Inherited {
    /// Notes them, and makes the launcher's own.
    pub fn replace(spec: &Spec) -> Result<Inherited, Error> {
        // From here on a signal waits for supervise, or in the child for init: none is lost.
        let mask = signal::set_mask(signal::ALL)
            .map_err(|errno| Error::at("BlockSignals", "block signals", errno))?;
        // A caller that ignores SIGCHLD would have the kernel reap our child unseen.
        signal::set_default(libc::SIGCHLD)
            .map_err(|errno| Error::at("BlockSignals", "reset SIGCHLD", errno))?;
        let open_files = raise_open_files()
            .map_err(|errno| Error::at("RaiseLimit", "raise the limit on open files", errno))?;
        close_all_on_exec().map_err(|errno| {
            Error::at("CloseFds", "keep the caller's descriptors out of the container", errno)
                .advise("before Linux 5.11 this needs the host's /proc")
        })?;
        Ok(Inherited { mask, open_files, contents: contents::read(spec)? })
    }
}

/// A caller may leave us few descriptors: what we may have, we take for the set-up.
fn raise_open_files() -> SysResult<Limit> {
    /// Far more than a start opens.
    const ENOUGH: u64 = 256;
    let callers = process::limit(0, NOFILE, None)?;
    if callers.soft < ENOUGH && callers.soft < callers.hard {
        let raised = Limit { soft: callers.hard.min(ENOUGH), ..callers };
        process::limit(0, NOFILE, Some(&raised))?;
    }
    Ok(callers)
}

/// Nothing that the caller left open goes into the container, nor to newuidmap: execve closes it.
/// Our own descriptors are made close-on-exec one by one.
fn close_all_on_exec() -> SysResult<()> {
    match file::close_on_exec_from(3) {
        // Before Linux 5.9, or 5.11 for the flag, or an outer container's seccomp.
        Err(Errno::ENOSYS | Errno::EINVAL | Errno::EPERM) => close_listed_on_exec(),
        other => other,
    }
}

fn close_listed_on_exec() -> SysResult<()> {
    let to_errno = |error: std::io::Error| Errno::new(error.raw_os_error().unwrap_or(libc::EIO));
    for entry in std::fs::read_dir("/proc/self/fd").map_err(to_errno)? {
        let name = entry.map_err(to_errno)?.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.parse().ok())
            && number > 2
        {
            file::set_close_on_exec(number, true)?;
        }
    }
    Ok(())
}
