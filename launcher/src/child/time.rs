//! `--uptime`: a time namespace whose monotonic and boot-time clocks differ from the host's.

use std::os::fd::AsFd;

use init::stage::Stage;

use super::reporter::{At as _, Failure};
use crate::prepare::Prepared;
use crate::sys::file::{self, At};
use crate::sys::process;

/// Makes the namespace, if one is wanted, sets its offsets and enters it. `/` is still the host's.
///
/// Offsets can be written only while no process is in the namespace (EACCES), so not after clone3
/// with CLONE_NEWTIME. unshare(2) makes one for the children to come; it is then entered by
/// setns(2), as execve does that only since Linux 6.3. Before the change of ids, which clears
/// dumpable: after that the files in /proc/self belong to the host's root.
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
