//! The container's /dev, except for what only the container can mount in it.
//!
//! Where the caller may make device nodes (root) the launcher makes a tmpfs with all of them: one
//! mount, made while the kernel makes the namespaces. Nodes work only on a tmpfs of the initial
//! user namespace, and nobody can add one from inside, as mknod(2) takes CAP_MKNOD in that
//! namespace. Elsewhere the host's nodes are bind-mounted, one by one.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Result as SysResult, mount, names};

/// Their names, and their numbers (the kernel's devices.txt).
const NODES: [(&CStr, u32, u32); 6] = [
    (c"null", 1, 3),
    (c"zero", 1, 5),
    (c"full", 1, 7),
    (c"random", 1, 8),
    (c"urandom", 1, 9),
    (c"tty", 5, 0),
];

const LINKS: [(&CStr, &CStr); 5] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
];

/// An empty, detached tmpfs, on which the host's device nodes are bind-mounted (nodev does not hold
/// for those).
pub fn create() -> SysResult<OwnedFd> {
    create_with(NODEV)
}

fn create_with(flags: u64) -> SysResult<OwnedFd> {
    mount::create(c"tmpfs", [(c"mode", c"755"), (c"size", c"65536k")], NOSUID | NOEXEC | flags)
}

/// A detached tmpfs with device nodes, links and directories.
pub fn make() -> SysResult<OwnedFd> {
    let dev = create_with(0)?;
    // The modes are exactly these.
    let umask = file::set_umask(0)?;
    let make = |(name, major, minor)| {
        file::make_node(dev.as_fd(), name, libc::S_IFCHR | 0o666, libc::makedev(major, minor))
    };
    let made = NODES.into_iter().try_for_each(make).and_then(|()| fill(dev.as_fd()));
    file::set_umask(umask)?;
    made.map(|()| dev)
}

/// The directory that devpts is mounted on, and that hides what is in there.
pub fn open_below_pts(dev: BorrowedFd<'_>) -> SysResult<OwnedFd> {
    file::open(At::Dir(dev), c"pts", libc::O_PATH | libc::O_DIRECTORY)
}

/// Makes the links, and the directories to mount on.
pub fn fill(dev: BorrowedFd<'_>) -> SysResult<()> {
    for (name, target) in LINKS {
        names::make_symlink(target, dev, name)?;
    }
    [c"pts", c"shm", c"mqueue"]
        .into_iter()
        .try_for_each(|name| file::make_dir(At::Dir(dev), name, 0o755))
}
