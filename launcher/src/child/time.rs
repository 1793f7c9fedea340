//! A time namespace whose clocks begin elsewhere than the host's.

use std::os::fd::AsFd;

use init::stage::Stage;

use super::reporter::{At as _, Failure};
use crate::prepare::Prepared;
use crate::sys::file::{self, At};
use crate::sys::process;

/// Makes it, if one is wanted, and enters it. `/` is the host's still.
///
/// Not by clone3, after which the kernel takes no offsets any more (EACCES): a new one is at first
/// that of children, and takes them until somebody is in it. Entered here, and not by a fork or by
/// execve, which enters it from Linux 6.3 on only. The kernel lets the file be written by whoever
/// the process belongs to, so this comes before the change of ids, which makes it root's.
pub fn enter(prepared: &Prepared<'_>) -> Result<(), Failure> {
    let Some(offsets) = &prepared.clock_offsets else { return Ok(()) };
    let enter = || {
        process::unshare_time()?;
        let file = file::open(At::Cwd, c"/proc/self/timens_offsets", libc::O_WRONLY)?;
        file::write(file.as_fd(), offsets.as_bytes())?;
        let new = file::open(At::Cwd, c"/proc/self/ns/time_for_children", libc::O_RDONLY)?;
        process::enter_namespace(new.as_fd())
    };
    enter().at(Stage::SetUptime)
}
