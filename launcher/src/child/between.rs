//! The process between launcher and container, for an ordinary user on an initial ramfs.
//!
//! In: the container's ids, a user and a mount namespace and nothing else new. It attaches the
//! rootfs over `/` here, where it may, and clones the container proper into a further user
//! namespace, whose copy of the mounts is locked. That one is the launcher's own child
//! (CLONE_PARENT); this process maps its ids, tells the launcher of it, and is done.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};

use init::stage::Stage;

use super::identity;
use super::reporter::{At as _, Failure, Reporter};
use super::root;
use crate::prepare::Prepared;
use crate::spawn;
use crate::sys::file::{self, At};
use crate::sys::process::{self, Forked};
use crate::sys::{Errno, Result as SysResult, mount, socket};

/// Returns in the container proper; the process that called it does not come back.
pub fn become_container(
    prepared: &Prepared<'_>,
    channel: BorrowedFd<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<(), Failure> {
    mount::make_private().at(Stage::MakePrivate)?;
    root::take_mounts(prepared)?;
    reporter.done(Stage::CloneRoot);
    prepared.attach_root().at(prepared.attach_stage())?;
    mount::change_root_here().at(Stage::AttachRoot)?;
    reporter.done(Stage::AttachRoot);

    // A change of ids has made us undumpable, and a clone of such a process cannot be mapped.
    process::make_dumpable().at(Stage::CloneContainer)?;
    let (our_gate, its_gate) = socket::pair().at(Stage::CloneContainer)?;
    let (forked, lacks) = spawn::spawn_within(prepared).at(Stage::CloneContainer)?;
    match forked {
        Forked::Parent(pid) => {
            drop(its_gate);
            admit(prepared, pid, our_gate.as_fd()).at(Stage::MapContainer)?;
            reporter.hand_over(pid);
            process::exit(0)
        }
        Forked::Child => {
            drop(our_gate);
            identity::wait_for_maps(its_gate.as_fd())?;
            identity::become_root(prepared)?;
            identity::make_time(lacks.time)?;
            identity::watch_parent(channel)
        }
    }
}

/// As the parent does it for us: each id of ours becomes itself.
fn admit(prepared: &Prepared<'_>, pid: i32, gate: BorrowedFd<'_>) -> SysResult<()> {
    for (name, lines) in [("uid_map", &prepared.inner_uids), ("gid_map", &prepared.inner_gids)] {
        // On the stack: nothing is allocated here.
        let mut path = [0; 32];
        write!(&mut path[..], "{pid}/{name}\0").map_err(|_| Errno::ENAMETOOLONG)?;
        let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::ENAMETOOLONG)?;
        let file = file::open(At::Dir(prepared.caller.proc.dir()), path, libc::O_WRONLY)?;
        file::write(file.as_fd(), lines.as_bytes())?;
    }
    file::write(gate, b"g").map(drop)
}
