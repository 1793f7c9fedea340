//! The directory that becomes `/`, opened once.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Caller;
use crate::error::Error;
use crate::sys::file::{self, At, Stat};
use crate::sys::{Errno, mount};

/// The opened rootfs. It is opened, not checked: there is no path to swap afterwards.
pub enum Rootfs {
    /// A detached clone of its mounts, which the child inherits and attaches.
    Clone(OwnedFd, Stat),
    /// The directory itself. A mount of the host's namespace cannot be a source in the child's;
    /// but the kernel carries the current directory over, so the launcher stands in it while it
    /// clones.
    Directory(OwnedFd, Stat),
}

impl Rootfs {
    pub fn open(path: &CStr, caller: &Caller) -> Result<Rootfs, Error> {
        let shown = path.to_string_lossy();
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let opened = |errno| Error::at("OpenRootfs", format_args!("open rootfs {shown}"), errno);
        let dir = file::open(At::Cwd, path, flags)
            .map_err(|errno| opened(errno).advise_maybe(advice(errno)))?;
        let stat = file::stat_fd(dir.as_fd()).map_err(opened)?;
        if !caller.can_mount {
            return Ok(Rootfs::Directory(dir, stat));
        }
        let tree = mount::clone_tree(At::Dir(dir.as_fd()), c"", true).map_err(|errno| {
            Error::at("CloneRoot", format_args!("clone the mounts of rootfs {shown}"), errno)
                .advise_maybe((errno == Errno::EINVAL).then(|| {
                    "it lies on a mount of another namespace, or below an unbindable one".into()
                }))
        })?;
        // Device nodes that lie in the rootfs are dead from here on, for us as well.
        mount::restrict(tree.as_fd(), mount::attr::NODEV).map_err(|errno| {
            Error::at("RestrictRoot", format_args!("make devices in rootfs {shown} dead"), errno)
                .advise_maybe(
                    (errno == Errno::ENOSYS).then(|| "mount_setattr needs Linux 5.12".into()),
                )
        })?;
        Ok(Rootfs::Clone(tree, stat))
    }

    /// To open files below.
    pub fn dir(&self) -> BorrowedFd<'_> {
        match self {
            Rootfs::Clone(fd, _) | Rootfs::Directory(fd, _) => fd.as_fd(),
        }
    }

    /// Of the directory itself.
    pub fn stat(&self) -> &Stat {
        match self {
            Rootfs::Clone(_, stat) | Rootfs::Directory(_, stat) => stat,
        }
    }
}

fn advice(errno: Errno) -> Option<String> {
    Some(
        match errno {
            Errno::ENOENT => "there is no such directory; `cargo xtask rootfs` makes one to try",
            Errno::ENOTDIR => "ROOTFS is a directory; unpack an image first",
            Errno::EACCES => "a directory on the way to it cannot be entered by this user",
            _ => return None,
        }
        .into(),
    )
}
