//! From nobody to the container's root, with the parent known to be alive.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use init::exit;
use init::stage::Stage;

use super::reporter::{At, Failure};
use crate::prepare::Prepared;
use crate::sys::socket::pollfd;
use crate::sys::{Errno, Result as SysResult, descriptors, file, process, socket};

/// Waits at the gate until the id maps are written.
pub fn wait_for_maps(gate: BorrowedFd<'_>) -> Result<(), Failure> {
    wait_for_parent(gate).at(Stage::WaitGate)
}

/// The same, for what takes the place of the rootfs.
pub fn wait_for_rootfs(gate: BorrowedFd<'_>, rootfs: BorrowedFd<'_>) -> Result<(), Failure> {
    let wait = || loop {
        let fd = gate.as_raw_fd();
        socket::poll(&mut [pollfd { fd, events: libc::POLLIN, revents: 0 }], None)?;
        match socket::receive(gate, &mut [0]) {
            Err(Errno::EAGAIN) => {}
            Ok((1.., Some(new))) => return descriptors::replace(rootfs, new.as_fd()),
            Err(errno) => return Err(errno),
            Ok(_) => process::exit(exit::FAILED),
        }
    };
    wait().at(Stage::WaitGate)
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
pub fn make_time(is_lacking: bool) -> Result<(), Failure> {
    if is_lacking { process::unshare_time().at(Stage::UnshareTime) } else { Ok(()) }
}

/// A change of credentials clears the death signal, so it is asked for after the last one. A
/// parent that died before that is seen by its end of the channel: getppid(2) would not tell, it
/// is 0 in a new pid namespace either way.
pub fn watch_parent(channel: BorrowedFd<'_>) -> Result<(), Failure> {
    process::die_with_parent(libc::SIGKILL).at(Stage::WatchParent)?;
    if socket::is_hung_up(channel).at(Stage::WatchParent)? {
        process::exit(exit::FAILED);
    }
    Ok(())
}

/// Out of the launcher's process group: what a terminal sends to that (Ctrl-C) comes by the
/// launcher, and would come twice.
pub fn leave_session() -> Result<(), Failure> {
    process::start_session().at(Stage::LeaveSession)
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
