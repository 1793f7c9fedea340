//! clone3: one process becomes two sides.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::error::Error;
use crate::prepare::{Order, Prepared};
use crate::spec::Spec;
use crate::sys::file::At;
use crate::sys::process::{Forked, Words};
use crate::sys::{Errno, Result as SysResult, file, mount, process, socket};

/// Which side we are on.
pub enum Side {
    /// The host's: the child's pid, and our end of the channel.
    Parent { pid: i32, channel: OwnedFd },
    /// The container's: the child's end, and what init is to be executed with.
    Child { channel: OwnedFd, argv: Words },
}

// CLONE_NEW* of linux/sched.h. CLONE_NEWTIME shares its bit with the exit signal of the old
// clone(2), so it needs clone3.
const NEWTIME: u64 = 0x0000_0080;
const CLONE_PARENT: u64 = 0x0000_8000;
const NEWNS: u64 = 0x0002_0000;
const NEWCGROUP: u64 = 0x0200_0000;
const NEWUTS: u64 = 0x0400_0000;
const NEWIPC: u64 = 0x0800_0000;
pub const NEWUSER: u64 = 0x1000_0000;
const NEWPID: u64 = 0x2000_0000;
const NEWNET: u64 = 0x4000_0000;

/// A namespace besides the user namespace.
pub struct Namespace {
    /// As in /proc/PID/ns, in user.max_*_namespaces, and for `--share`.
    pub name: &'static str,
    pub flag: u64,
    pub kernel_option: &'static str,
    /// Can be shared with the host.
    pub is_optional: bool,
}

/// Those of a container.
pub const NAMESPACES: [Namespace; 7] = [
    Namespace { name: "mnt", flag: NEWNS, kernel_option: "CONFIG_NAMESPACES", is_optional: false },
    Namespace { name: "pid", flag: NEWPID, kernel_option: "CONFIG_PID_NS", is_optional: false },
    Namespace { name: "net", flag: NEWNET, kernel_option: "CONFIG_NET_NS", is_optional: true },
    Namespace { name: "uts", flag: NEWUTS, kernel_option: "CONFIG_UTS_NS", is_optional: true },
    Namespace { name: "ipc", flag: NEWIPC, kernel_option: "CONFIG_IPC_NS", is_optional: true },
    Namespace {
        name: "cgroup",
        flag: NEWCGROUP,
        kernel_option: "CONFIG_CGROUPS",
        is_optional: true,
    },
    Namespace { name: "time", flag: NEWTIME, kernel_option: "CONFIG_TIME_NS", is_optional: true },
];

/// Clones the child into its namespaces, all made in this one call.
pub fn spawn(prepared: &Prepared<'_>) -> Result<Side, Error> {
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
        Order::Pivot => NEWNS | own_namespaces(prepared.spec),
        // The rootfs is attached in a mount namespace of root's, which the child then copies.
        Order::Locked if prepared.caller.can_mount => {
            mount::unshare_namespace().and_then(|()| mount::make_private()).map_err(|errno| {
                Error::at("UnshareMounts", "leave the host's mount namespace", errno)
            })?;
            own_namespaces(prepared.spec)
        }
        // An ordinary user has no such namespace. The child makes one, and clones the container.
        Order::Locked => NEWUSER | NEWNS,
    };
    match process::clone3(flags, libc::SIGCHLD) {
        // Each side closes the other's end: that is how it sees the other one die.
        Ok(Forked::Child) => Ok(Side::Child { channel: child_end, argv }),
        Ok(Forked::Parent(pid)) => {
            back.and_then(|back| file::enter_dir(back.as_fd()).ok());
            Ok(Side::Parent { pid, channel: parent_end })
        }
        Err(errno) => Err(Error::at("Clone", "create the container's namespaces", errno)
            .advise_maybe(advice(errno))),
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
pub fn spawn_within(spec: &Spec) -> SysResult<Forked> {
    // With CLONE_PARENT the exit signal is that of the caller.
    process::clone3(NEWNS | own_namespaces(spec) | CLONE_PARENT, 0)
}

fn own_namespaces(spec: &Spec) -> u64 {
    let share = spec.share;
    let unless = |shared: bool, flag| if shared { 0 } else { flag };
    NEWUSER
        | NEWPID
        | unless(share.net, NEWNET)
        | unless(share.uts, NEWUTS)
        | unless(share.ipc, NEWIPC)
        | unless(share.cgroup, NEWCGROUP)
        // Where its clocks are to be set, the child makes it.
        | unless(share.time || spec.uptime.is_some(), NEWTIME)
}

/// What can be done about a refused clone.
pub fn advice(errno: Errno) -> Option<String> {
    Some(
        match errno {
            Errno::EPERM => {
                "user namespaces are forbidden here: by the sysctl kernel.unprivileged_userns_clone \
                 (Debian) or user.max_user_namespaces, by a chroot, or by an outer container's seccomp"
            }
            Errno::ENOSPC | Errno::EUSERS => {
                "a limit on namespaces is reached: see the sysctls user.max_*_namespaces"
            }
            Errno::EINVAL => {
                "this kernel lacks a namespace (CONFIG_USER_NS, CONFIG_TIME_NS …); those other than \
                 user, mount and pid can be left out with --share"
            }
            Errno::ENOSYS => "clone3 needs Linux 5.3, and an outer container's seccomp to allow it",
            Errno::EAGAIN => "a limit on processes is reached: ulimit -u, or the cgroup's pids.max",
            _ => return None,
        }
        .into(),
    )
}
