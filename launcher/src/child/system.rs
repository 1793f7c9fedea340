//! Mounts /proc, and /sys and /sys/fs/cgroup read-only. The last two are left out where the kernel
//! refuses them, and `--verbose` says so.

use std::os::fd::{AsFd, BorrowedFd};

use init::stage::Stage;

use super::reporter::{At as _, Failure, Reporter};
use super::root;
use crate::prepare::Prepared;
use crate::spec::Spec;
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::sys::{Errno, Result as SysResult, mount};

const FLAGS: u64 = RDONLY | NOSUID | NODEV | NOEXEC;

/// Mounts a proc of the container's pid namespace.
///
/// In a user namespace the kernel allows that only while another proc is fully visible in the same
/// mount namespace (fs/namespace.c, mount_too_revealing), so it comes before the old root is
/// detached. And it comes after the plan: a mount of the plan could otherwise be led by a link of a
/// hostile rootfs onto a file in /proc.
///
/// A link at /proc itself is not followed (CVE-2019-19921): proc and its masks would be mounted
/// elsewhere.
pub fn mount_proc(prepared: &Prepared<'_>, root: BorrowedFd<'_>) -> Result<(), Failure> {
    let spec = prepared.spec;
    if prepared.limits_userns() && !spec.proc_options.is_empty() {
        forbid_userns().at(Stage::ForbidUserns)?;
    }
    let mount = || {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let target = file::open(At::Dir(root), c"proc", flags)?;
        let options = spec.proc_options.iter().map(|(key, value)| (*key, value.as_c_str()));
        let proc = mount::create(c"proc", options, NOSUID | NODEV | NOEXEC)?;
        mount::attach(proc.as_fd(), At::Dir(target.as_fd()), c"")
    };
    mount().at(Stage::MountProc)
}

/// Writes max_user_namespaces, by a detached proc. Usually init does it in the container's /proc,
/// but with `subset=pid` that has no /proc/sys.
fn forbid_userns() -> SysResult<()> {
    let proc = mount::create(c"proc", [], 0)?;
    let path = c"sys/user/max_user_namespaces";
    let limit = file::open(At::Dir(proc.as_fd()), path, libc::O_WRONLY)?;
    file::write_all(limit.as_fd(), b"0")
}

/// Mounts /sys and /sys/fs/cgroup, if the kernel allows it. The host's, where the network is shared.
pub fn mount_sys(
    prepared: &Prepared<'_>,
    root: BorrowedFd<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<(), Failure> {
    let target = match root::make_mount_point(root, root::SYS) {
        Ok(target) => target,
        Err(failure) => {
            reporter.skipped(Stage::MountSys, failure.errno);
            return Ok(());
        }
    };
    if let Some(hosts) = prepared.sources.sys.as_ref().filter(|hosts| hosts.is_cloned()) {
        match hosts.attach(target.as_fd(), root) {
            Ok(()) => reporter.done(Stage::MountSys),
            Err(Errno::ENOTRECOVERABLE) => {
                return Err(Errno::ENOTRECOVERABLE).at(Stage::MountSys);
            }
            Err(errno) => reporter.skipped(Stage::MountSys, errno),
        }
        return Ok(());
    }
    // The kernel allows a new sysfs only to whoever owns the network namespace that it shows.
    let sys = mount::create(c"sysfs", [], FLAGS).and_then(|sys| {
        mount::attach(sys.as_fd(), At::Dir(target.as_fd()), c"")?;
        Ok(sys)
    });
    match sys {
        Ok(sys) => {
            reporter.done(Stage::MountSys);
            match mount_cgroup(prepared.spec, sys.as_fd()) {
                Ok(()) => reporter.done(Stage::MountCgroup),
                Err(errno) => reporter.skipped(Stage::MountCgroup, errno),
            }
        }
        Err(errno) => reporter.skipped(Stage::MountSys, errno),
    }
    Ok(())
}

/// Not in the host's cgroup namespace: a new mount there changes the options of the host's mounts
/// (kernel/cgroup/cgroup.c, apply_cgroup_root_flags).
fn mount_cgroup(spec: &Spec, sys: BorrowedFd<'_>) -> SysResult<()> {
    if spec.share.cgroup {
        return Err(Errno::EPERM);
    }
    let cgroup = mount::create(c"cgroup2", [], FLAGS)?;
    mount::attach(cgroup.as_fd(), At::Dir(sys), c"fs/cgroup")
}
