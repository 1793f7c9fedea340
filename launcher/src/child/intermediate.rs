//! The intermediate process on an initial ramfs: for an ordinary user, and for root where the
//! rootfs is an overlay.
//!
//! In: the container's ids, in a new user and a new mount namespace. It attaches the rootfs over
//! `/` here and clones the container proper into a further user namespace, in whose copy of the
//! mount namespace every mount is locked. The container is the launcher's own child (CLONE_PARENT).
//! The intermediate process writes its id maps, reports its pid to the launcher, and exits.

use std::os::fd::AsFd;

use init::stage::Stage;

use super::identity;
use super::reporter::{At as _, Failure, Reporter};
use super::root;
use crate::prepare::Prepared;
use crate::spawn::{self, Start};
use crate::sys::process::{self, Forked};
use crate::sys::{Result as SysResult, file, mount, socket};

/// Returns in the container proper only: the intermediate process exits.
pub fn become_container(
    start: &Start<'_>,
    prepared: &Prepared<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<(), Failure> {
    let channel = start.child_end.as_fd();
    mount::make_private().at(Stage::MakePrivate)?;
    root::clone_mounts(prepared)?;
    reporter.done(Stage::CloneRoot);
    prepared.attach_root().at(prepared.attach_stage())?;
    mount::change_root_here().at(Stage::AttachRoot)?;
    reporter.done(Stage::AttachRoot);

    // The change of ids has cleared dumpable, which a clone inherits, and then its maps could not be
    // written.
    process::set_dumpable(true).at(Stage::CloneContainer)?;
    let (our_gate, its_gate) = socket::pair().at(Stage::CloneContainer)?;
    let (forked, lacks) = spawn::spawn_within(prepared.spec).at(Stage::CloneContainer)?;
    match forked {
        Forked::Parent(pid) => {
            drop(its_gate);
            map(prepared, pid).at(Stage::MapContainer)?;
            reporter.hand_over(pid);
            if prepared.spec.status_fd.is_some() {
                // The parent reads the container's namespaces now: once that has changed its ids,
                // it is not dumpable any more.
                identity::wait_for_parent(channel).at(Stage::MapContainer)?;
            }
            file::write(our_gate.as_fd(), b"g").at(Stage::MapContainer)?;
            process::exit(0)
        }
        Forked::Child => {
            drop(our_gate);
            identity::wait_for_parent(its_gate.as_fd()).at(Stage::WaitGate)?;
            // init has to lead the session to give it a controlling terminal.
            identity::leave_session()?;
            identity::become_root(prepared)?;
            identity::unshare_time(lacks.time)?;
            identity::watch_parent(start)
        }
    }
}

/// Writes the id maps, by which each of our ids is itself, as the parent wrote ours.
fn map(prepared: &Prepared<'_>, pid: i32) -> SysResult<()> {
    let proc = &prepared.ground.caller.proc;
    let number = proc.find(pid)?;
    for (name, lines) in [("uid_map", &prepared.inner_uids), ("gid_map", &prepared.inner_gids)] {
        let file = proc.open_named(format_args!("{number}/{name}"), libc::O_WRONLY)?;
        file::write(file.as_fd(), lines.as_bytes())?;
    }
    Ok(())
}
