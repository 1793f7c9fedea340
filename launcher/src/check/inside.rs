//! The part of `--check` that runs in new namespaces: tries what the child and init mount.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use init::stage::Stage;

use crate::error::Error;
use crate::namespaces;
use crate::parent::maps;
use crate::prepare::ids::IdPlan;
use crate::prepare::{Caller, Proc, Rootfs};
use crate::sys::file::{self, At};
use crate::sys::process::{self, Forked};
use crate::sys::{Errno, Result as SysResult, mount, socket};

/// One thing to try.
pub struct Step {
    pub what: &'static str,
    /// Where it belongs in a start: for the advice.
    pub stage: Stage,
    pub is_needed: bool,
    /// What becomes of a start without it.
    pub otherwise: &'static str,
    attempt: fn() -> SysResult<()>,
}

/// In this order: proc can be mounted only while the host's is visible, which pivot_root ends.
pub const STEPS: [Step; 8] = [
    needed("private mounts", Stage::MakePrivate, mount::make_private),
    needed("tmpfs", Stage::MountDev, || create(c"tmpfs")),
    needed("devpts", Stage::MountPts, || create(c"devpts")),
    needed("proc", Stage::MountProc, || create(c"proc")),
    useful("sysfs", Stage::MountSys, "CONFIG_SYSFS; /sys is left out", || create(c"sysfs")),
    useful("mqueue", Stage::MountMqueue, "CONFIG_POSIX_MQUEUE; /dev/mqueue is left out", || {
        create(c"mqueue")
    }),
    useful("cgroup2", Stage::MountCgroup, "CONFIG_CGROUPS; /sys/fs/cgroup is left out", || {
        create(c"cgroup2")
    }),
    useful(
        "pivot_root",
        Stage::PivotRoot,
        "this root is an initial ramfs (locked mounts take its place) or no mount point",
        pivot,
    ),
];

/// What came of it.
pub struct Trial {
    pub steps: [SysResult<()>; STEPS.len()],
    /// Only root can try it.
    pub idmap: Option<SysResult<()>>,
}

const fn needed(what: &'static str, stage: Stage, attempt: fn() -> SysResult<()>) -> Step {
    Step { what, stage, is_needed: true, otherwise: "", attempt }
}

const fn useful(
    what: &'static str,
    stage: Stage,
    otherwise: &'static str,
    attempt: fn() -> SysResult<()>,
) -> Step {
    Step { what, stage, is_needed: false, otherwise, attempt }
}

/// Clones a child into these namespaces with these ids, which goes through the steps and ends.
pub fn run(flags: u64, ids: &IdPlan, rootfs: &Rootfs, caller: &Caller) -> Result<Trial, Error> {
    let (ours, its) = socket::pair()
        .map_err(|errno| Error::at("Channel", "create the channel to the child", errno))?;
    let pid = match namespaces::clone_into(flags, libc::SIGCHLD) {
        Ok((Forked::Child, _)) => {
            drop(ours);
            go_through(its.as_fd())
        }
        Ok((Forked::Parent(pid), _)) => pid,
        Err(errno) => return Err(Error::at("Clone", "create all these namespaces at once", errno)),
    };
    drop(its);
    let attempt = || {
        let number = caller.proc.number(pid)?;
        maps::write(ids, &caller.proc, number)?;
        let can_map = caller.can_mount && ids.has_userns();
        let idmap = can_map.then(|| try_idmap(rootfs, &caller.proc, number));
        Ok(Trial { steps: hear(&ours), idmap })
    };
    let trial = attempt();
    // The closed channel ends the child.
    drop(ours);
    process::wait(pid).ok();
    trial
}

/// Lets the child go on, and receives an errno for each step; EIO for all if it has died.
fn hear(channel: &OwnedFd) -> [SysResult<()>; STEPS.len()] {
    let mut errnos = [libc::EIO as u8; STEPS.len()];
    file::write(channel.as_fd(), b"g").ok();
    file::read(channel.as_fd(), &mut errnos).ok();
    errnos.map(|errno| match errno {
        0 => Ok(()),
        errno => Err(Errno::new(i32::from(errno))),
    })
}

/// The child: allocates nothing.
fn go_through(channel: BorrowedFd<'_>) -> ! {
    if file::read(channel, &mut [0]) == Ok(1) {
        // Without these ids each step tells so by itself.
        process::set_gid(0).and_then(|()| process::set_uid(0)).ok();
        let errnos = STEPS.map(|step| (step.attempt)().map_or_else(|e| e.into_raw() as u8, |()| 0));
        file::write(channel, &errnos).ok();
    }
    process::exit(0)
}

fn create(kind: &std::ffi::CStr) -> SysResult<()> {
    mount::create(kind, [], 0).map(drop)
}

/// As the child enters its rootfs.
fn pivot() -> SysResult<()> {
    let root = mount::create(c"tmpfs", [], 0)?;
    mount::attach(root.as_fd(), At::Cwd, c"/")?;
    file::enter_dir(root.as_fd())?;
    mount::pivot_here()
}

/// Tries to idmap a clone of the rootfs; without the mounts below it if it is the host's root, as
/// some of these can never be idmapped.
fn try_idmap(rootfs: &Rootfs, proc: &Proc, number: i32) -> SysResult<()> {
    let ours = rootfs.stat();
    let hosts = file::stat_path(c"/")?;
    let is_hosts = (hosts.dev, hosts.ino) == (ours.dev, ours.ino);
    let clone = mount::clone_tree(At::Dir(rootfs.dir()), c"", !is_hosts)?;
    let userns =
        maps::open_userns(proc, number).map_err(|error| error.errno.unwrap_or(Errno::EIO))?;
    mount::map_ids(clone.as_fd(), userns.as_fd())
}
