//! What the launcher was started with, and changes for itself: the command gets it back as it was.

use crate::error::Error;
use crate::sys::process::{self, Limit};
use crate::sys::signal::{self, SignalSet};

/// The caller's settings.
pub struct Inherited {
    /// The signal mask.
    pub mask: SignalSet,
    /// The limit on open files.
    pub open_files: Limit,
}

impl Inherited {
    /// Notes them, and makes the launcher's own.
    pub fn replace() -> Result<Inherited, Error> {
        // From here on a signal waits for supervise, or in the child for init: none is lost.
        let mask = signal::set_mask(signal::ALL)
            .map_err(|errno| Error::at("BlockSignals", "block signals", errno))?;
        // A caller that ignores SIGCHLD would have the kernel reap our child unseen.
        signal::set_default(libc::SIGCHLD)
            .map_err(|errno| Error::at("BlockSignals", "reset SIGCHLD", errno))?;
        let open_files = raise_open_files()
            .map_err(|errno| Error::at("RaiseLimit", "raise the limit on open files", errno))?;
        Ok(Inherited { mask, open_files })
    }
}

/// A caller may leave us few descriptors: what we may have, we take for the set-up.
fn raise_open_files() -> crate::sys::Result<Limit> {
    /// Far more than a start opens.
    const ENOUGH: u64 = 256;
    let callers = process::limit_open_files(None)?;
    if callers.soft < ENOUGH && callers.soft < callers.hard {
        let raised = Limit { soft: callers.hard.min(ENOUGH), ..callers };
        process::limit_open_files(Some(&raised))?;
    }
    Ok(callers)
}
