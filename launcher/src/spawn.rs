//! clone3, or clone: one process becomes two sides.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::error::Error;
use crate::namespaces::{self, Lacks};
use crate::parent::Cgroups;
use crate::prepare::{Order, Prepared};
use crate::sys::file::At;
use crate::sys::process::{Forked, Words};
use crate::sys::{Result as SysResult, file, mount, socket};

/// Which side we are on.
pub enum Side {
    /// The host's: the child's pid, and our end of the channel.
    Parent {
        pid: i32,
        channel: OwnedFd,
        lacks: Lacks,
    },
    Child(Child),
}

/// What the container's side begins with.
pub struct Child {
    /// Its end of the channel.
    pub channel: OwnedFd,
    /// What init is to be executed with.
    pub argv: Words,
    pub lacks: Lacks,
}

/// With it the parent of the new process is ours.
const CLONE_PARENT: u64 = 0x0000_8000;

/// Clones the child into its namespaces, and into its cgroups if it is to have some.
pub fn spawn(prepared: &Prepared<'_>, cgroups: Option<&Cgroups<'_>>) -> Result<Side, Error> {
    let (parent_end, child_end) = socket::pair()
        .map_err(|errno| Error::at("Channel", "create the channel to the child", errno))?;
    // Before the clone, so that the child allocates nothing.
    let argv = prepared.init_argv(child_end.as_raw_fd());
    // The child inherits the directory; we come back to where we were.
    let back = match prepared.rootfs.tree() {
        Some(_) => None,
        None => Some(step_into(prepared)?),
    };
    let flags = match prepared.order {
        Order::Pivot => namespaces::MNT | namespaces::own(prepared.spec, prepared.ids.has_userns()),
        // The rootfs is attached in a mount namespace of root's, which the child then copies.
        Order::Locked if prepared.caller.can_mount => {
            mount::unshare_namespace().and_then(|()| mount::make_private()).map_err(|errno| {
                Error::at("UnshareMounts", "leave the host's mount namespace", errno)
            })?;
            namespaces::own(prepared.spec, prepared.ids.has_userns())
        }
        // An ordinary user has no such namespace. The child makes one, and clones the container.
        Order::Locked => namespaces::USER | namespaces::MNT,
    };
    let cloned = match cgroups {
        None => namespaces::clone_into(flags, libc::SIGCHLD),
        Some(cgroups) => {
            let (place, is_all) = (cgroups.birthplace(), cgroups.are_one());
            namespaces::clone_with_cgroup(flags, libc::SIGCHLD, place, is_all)
        }
    };
    match cloned {
        // Each side closes the other's end: that is how it sees the other one die.
        Ok((Forked::Child, lacks)) => Ok(Side::Child(Child { channel: child_end, argv, lacks })),
        Ok((Forked::Parent(pid), lacks)) => {
            back.and_then(|back| file::enter_dir(back.as_fd()).ok());
            Ok(Side::Parent { pid, channel: parent_end, lacks })
        }
        Err(errno) => Err(Error::at("Clone", "create the container's namespaces", errno)
            .advise_maybe(namespaces::advice(errno, flags, &prepared.caller))),
    }
}

/// Changes into the rootfs; the directory before.
fn step_into(prepared: &Prepared<'_>) -> Result<OwnedFd, Error> {
    let step = || {
        let back = file::open(At::Cwd, c".", libc::O_PATH)?;
        file::enter_dir(prepared.rootfs.dir())?;
        Ok(back)
    };
    step().map_err(|errno| {
        let shown = prepared.spec.rootfs.to_string_lossy();
        Error::at("EnterRoot", format_args!("change into rootfs {shown}"), errno)
    })
}

/// clone3 once more, by a child that stands between: the container proper, as the launcher's own
/// child. Only for [`Order::Locked`] and an ordinary user.
pub fn spawn_within(prepared: &Prepared<'_>) -> SysResult<(Forked, Lacks)> {
    let own = namespaces::own(prepared.spec, prepared.ids.has_userns());
    // With CLONE_PARENT the exit signal is that of the caller.
    namespaces::clone_into(namespaces::MNT | own | CLONE_PARENT, 0)
}
