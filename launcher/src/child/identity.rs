//! From nobody to the container's root, with the parent known to be alive.

use std::os::fd::BorrowedFd;

use init::exit;
use init::stage::Stage;

use super::reporter::{At, Failure};
use crate::prepare::Prepared;
use crate::spawn::{Start, Task};
use crate::sys::{Errno, Result as SysResult, file, process, signal};

/// What needs no ids, and the wait at the gate until they are there. The parent listens only behind
/// it.
pub fn wait_at_gate<'s, 'a>(start: &'s Start<'a>) -> Result<&'s Task<'a>, Failure> {
    // At once, so that no Ctrl-C comes to us too.
    let left = leave_session();
    let made = match start.makes_network() {
        // It waits for other networks that come and go: not if the parent has died meanwhile.
        true => {
            watch_parent(start).and_then(|()| process::unshare_network().at(Stage::MakeNetwork))
        }
        false => Ok(()),
    };
    if !start.wait_at_gate().at(Stage::WaitGate)? {
        process::exit(exit::FAILED);
    }
    left.and(made)?;
    start.known().at(Stage::WaitGate)
}

/// Waits for the parent's next word. Go is a byte; the end of the stream is a parent that has
/// died.
pub fn wait_for_parent(channel: BorrowedFd<'_>) -> SysResult<()> {
    match file::read(channel, &mut [0])? {
        0 => process::exit(exit::FAILED),
        _ => Ok(()),
    }
}

/// The ids that the maps gave us. Groups first: they need the gid's privilege, which needs the
/// uid's.
pub fn become_root(prepared: &Prepared<'_>) -> Result<(), Failure> {
    if prepared.ids.can_set_groups {
        process::clear_groups().at(Stage::ClearGroups)?;
    }
    process::set_gid(0).at(Stage::SetGid)?;
    process::set_uid(0).at(Stage::SetUid)
}

/// What clone(2) could not make with the others.
pub fn unshare_time(is_lacking: bool) -> Result<(), Failure> {
    if is_lacking { process::unshare_time().at(Stage::UnshareTime) } else { Ok(()) }
}

/// A change of credentials clears the death signal, so it is asked for (again) after the last one. A
/// parent that died before that is seen by the gate, or by its end of the channel: getppid(2) would
/// not tell, it is 0 in a new pid namespace either way.
pub fn watch_parent(start: &Start<'_>) -> Result<(), Failure> {
    process::set_parent_death_signal(libc::SIGKILL).at(Stage::WatchParent)?;
    if start.is_abandoned().at(Stage::WatchParent)? {
        process::exit(exit::FAILED);
    }
    Ok(())
}

/// Out of the launcher's process group: what a terminal sends to that (Ctrl-C) comes by the
/// launcher, and would come twice. So it would if it has come since the clone. What else may have come is
/// the SIGTERM of a `--timeout`, which the launcher sends again when the command runs.
pub fn leave_session() -> Result<(), Failure> {
    process::start_session().at(Stage::LeaveSession)?;
    signal::drop_pending();
    Ok(())
}

/// The caller's session keyring comes through clone3 and execve, and whoever possesses it reads
/// the keys in it (session-keyring(7)).
pub fn leave_keyring() -> Result<(), Failure> {
    match process::join_new_keyring() {
        // No CONFIG_KEYS, or a seccomp filter of an outer container's, which the command is under
        // as well: nobody in here can use a key.
        Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        other => other.at(Stage::LeaveKeyring),
    }
}
