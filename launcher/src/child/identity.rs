//! What the child is to the kernel: its session, its ids, its keyring, and the death signal that
//! ties it to the parent.

use std::os::fd::BorrowedFd;

use init::exit;
use init::stage::Stage;

use super::reporter::{At, Failure};
use crate::prepare::Prepared;
use crate::spawn::{Start, Task};
use crate::sys::{Errno, Result as SysResult, file, process, signal};

/// Leaves the session, makes the network namespace if that is the child's to make, and waits at the
/// gate. A failure is reported behind the gate, where the parent reads the channel.
pub fn wait_at_gate<'s, 'a>(start: &'s Start<'a>) -> Result<&'s Task<'a>, Failure> {
    // First, so that a Ctrl-C at the caller's terminal does not reach us, too.
    let left = leave_session();
    let made = match start.makes_network() {
        // It can wait long for other network namespaces that come and go (pernet_ops_rwsem). If the
        // parent dies meanwhile, we have to die, too.
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

/// Waits for the parent's next word. Go is a byte; the end of the stream means that the parent has
/// died.
pub fn wait_for_parent(channel: BorrowedFd<'_>) -> SysResult<()> {
    match file::read(channel, &mut [0])? {
        0 => process::exit(exit::FAILED),
        _ => Ok(()),
    }
}

/// Becomes the container's root: supplementary groups, gid, uid, in the usual order.
pub fn become_root(prepared: &Prepared<'_>) -> Result<(), Failure> {
    if prepared.ids.can_set_groups {
        process::clear_groups().at(Stage::ClearGroups)?;
    }
    process::set_gid(0).at(Stage::SetGid)?;
    process::set_uid(0).at(Stage::SetUid)
}

/// Unshares the time namespace that clone(2) could not make.
pub fn unshare_time(is_lacking: bool) -> Result<(), Failure> {
    if is_lacking { process::unshare_time().at(Stage::UnshareTime) } else { Ok(()) }
}

/// Asks for SIGKILL when the parent dies, and exits if it has died already. A change of credentials
/// clears the death signal, so this comes (again) after the last one. getppid(2) cannot tell
/// whether the parent is alive, as it is 0 in a new pid namespace either way; the gate or the
/// channel's hang-up does.
pub fn watch_parent(start: &Start<'_>) -> Result<(), Failure> {
    process::set_parent_death_signal(libc::SIGKILL).at(Stage::WatchParent)?;
    if start.is_abandoned().at(Stage::WatchParent)? {
        process::exit(exit::FAILED);
    }
    Ok(())
}

/// Leaves the launcher's session and process group: a signal that the terminal sends to the group
/// (Ctrl-C) is passed on by the launcher and would come twice. What has become pending since the
/// clone is dropped for the same reason; the SIGTERM of a `--timeout`, which may be among it, is
/// sent again when the command runs.
pub fn leave_session() -> Result<(), Failure> {
    process::start_session().at(Stage::LeaveSession)?;
    signal::drop_pending();
    Ok(())
}

/// Joins a new session keyring. The caller's would be inherited through clone3 and execve, and
/// whoever possesses it can read its keys (session-keyring(7)).
pub fn leave_keyring() -> Result<(), Failure> {
    match process::join_new_keyring() {
        // The kernel has no CONFIG_KEYS, or an outer seccomp filter refuses keyctl: to the command as
        // well, so it cannot use a key either.
        Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        other => other.at(Stage::LeaveKeyring),
    }
}
