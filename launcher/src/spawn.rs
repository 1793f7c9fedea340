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
        Order::Pivot => all_of_container(prepared),
        // The child makes a mount namespace, and clones the container with a copy of it.
        Order::Locked if prepared.has_between() && prepared.caller.proc.is_hosts => {
            namespaces::USER | namespaces::MNT
        }
        // Into a mount namespace of root's go the rootfs and what has to be in sight; the child then
        // copies it.
        Order::Locked => {
            mount::unshare_namespace().and_then(|()| mount::make_private()).map_err(|errno| {
                Error::at("UnshareMounts", "leave the host's mount namespace", errno)
            })?;
            match prepared.has_between() {
                true => namespaces::USER,
                false => namespaces::own(prepared.spec, prepared.ids.has_userns()),
            }
        }
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
/// child.
pub fn spawn_within(prepared: &Prepared<'_>) -> SysResult<(Forked, Lacks)> {
    // With CLONE_PARENT the exit signal is that of the caller.
    namespaces::clone_into(all_of_container(prepared) | CLONE_PARENT, 0)
}

/// The namespaces of a container, if they are made in one call.
pub fn all_of_container(prepared: &Prepared<'_>) -> u64 {
    namespaces::MNT | namespaces::own(prepared.spec, prepared.ids.has_userns())
}
