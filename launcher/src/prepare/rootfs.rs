//! The directory that becomes `/`, opened once.

use std::cell::OnceCell;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Caller, image, range, submounts};
use crate::error::Error;
use crate::sys::file::{self, At, Stat};
use crate::sys::mount::attr::{NODEV, RDONLY};
use crate::sys::{Errno, Result as SysResult, mount};

/// The opened rootfs. It is not looked up by its path again, which could lead elsewhere by then.
pub struct Rootfs {
    dir: OwnedFd,
    stat: Stat,
    /// A detached clone of its mounts. An ordinary user can make it only in the new mount
    /// namespace. There `dir`, which belongs to the old one, cannot be cloned; but the kernel
    /// translates the current directory. So the launcher changes into the rootfs for the clone, and
    /// the child clones `.`.
    tree: OnceCell<OwnedFd>,
    /// Before Linux 5.12: the mounts that get their flags by path, once attached.
    by_path: Vec<CString>,
    has_setattr: bool,
    /// `--read-only`.
    read_only: bool,
    is_image: bool,
}

impl Rootfs {
    /// Opens the directory, and clones its mounts if that is possible already.
    pub fn open(path: &CStr, read_only: bool, caller: &mut Caller) -> Result<Rootfs, Error> {
        let shown = path.to_string_lossy();
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let opened = |errno| Error::at("OpenRootfs", format_args!("open rootfs {shown}"), errno);
        let has_setattr = mount::has_setattr();
        let dir = match file::open(At::Cwd, path, flags) {
            Err(Errno::ENOTDIR) => {
                let image = image::open(path, caller.can_mount)?;
                return Rootfs::of_image(image, read_only, has_setattr).map_err(opened);
            }
            other => other.map_err(|errno| opened(errno).advise_maybe(advice(path, errno)))?,
        };
        // The file that the image layout of OCI demands (image-layout.md).
        if file::open(At::Dir(dir.as_fd()), c"oci-layout", libc::O_PATH).is_ok() {
            return Err(Error::refused("OpenRootfs", format!("{shown} is an OCI image layout"))
                .advise("`cargo xtask rootfs --from` unpacks it"));
        }
        let stat = file::stat_fd(dir.as_fd()).map_err(opened)?;
        let by_path = if has_setattr {
            Vec::new()
        } else {
            submounts::list(&caller.proc, dir.as_fd()).map_err(|errno| {
                Error::at("ListMounts", format_args!("list the mounts below rootfs {shown}"), errno)
            })?
        };
        let tree = OnceCell::new();
        let rootfs = Rootfs { dir, stat, tree, by_path, has_setattr, read_only, is_image: false };
        if caller.can_mount {
            match rootfs.clone_mounts(At::Dir(rootfs.dir.as_fd())) {
                // Root of a user namespace that does not own the mount namespace (`unshare -Ur`).
                Err(Errno::EPERM) if !range::exist(caller) => caller.can_mount = false,
                taken => taken.map_err(|errno| {
                    let action = format_args!("clone the mounts of rootfs {shown}");
                    Error::at("CloneRoot", action, errno).advise_maybe(clone_advice(errno))
                })?,
            }
        }
        Ok(rootfs)
    }

    /// A mounted image, which is a detached tree already.
    fn of_image(image: OwnedFd, read_only: bool, has_setattr: bool) -> SysResult<Rootfs> {
        let stat = file::stat_fd(image.as_fd())?;
        let dir = file::open(At::Dir(image.as_fd()), c".", libc::O_PATH | libc::O_DIRECTORY)?;
        let by_path = if has_setattr { Vec::new() } else { vec![c".".to_owned()] };
        let tree = OnceCell::from(image);
        Ok(Rootfs { dir, stat, tree, by_path, has_setattr, read_only, is_image: true })
    }

    /// The rootfs in the host's mount namespace, without nodev and read-only.
    pub fn on_host(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Whether it is an image, which cannot be changed.
    pub fn is_image(&self) -> bool {
        self.is_image
    }

    /// Clones the mounts of the directory `at`, nodev. With `--read-only` the mounts below are
    /// read-only from here on; the rootfs itself when nothing has to be created in it any more
    /// ([`Rootfs::finish`]).
    pub fn clone_mounts(&self, at: At<'_>) -> SysResult<()> {
        let tree = mount::clone_tree(at, c"", true)?;
        if self.by_path.is_empty() {
            let is_writable = self.read_only && !mount::is_read_only(tree.as_fd())?;
            mount::restrict(tree.as_fd(), self.flags())?;
            if is_writable {
                mount::set_read_only(tree.as_fd(), false)?;
            }
        }
        self.tree.set(tree).ok(); // it was empty
        Ok(())
    }

    fn flags(&self) -> u64 {
        NODEV | if self.read_only { RDONLY } else { 0 }
    }

    /// Attaches the clone over `/` and changes into it. The process's root stays what it was.
    pub fn attach(&self) -> SysResult<()> {
        mount::attach(self.dir(), At::Cwd, c"/")?;
        file::enter_dir(self.dir())?;
        let Some((itself, below)) = self.by_path.split_first() else { return Ok(()) };
        mount::make_private_at(c".")?;
        mount::add_flags(itself, NODEV)?;
        below.iter().try_for_each(|path| mount::add_flags(path, self.flags()))
    }

    /// The same with the overlay that has replaced the clone.
    pub fn attach_replaced(&self) -> SysResult<()> {
        mount::attach(self.dir(), At::Cwd, c"/")?;
        file::enter_dir(self.dir())
    }

    /// With `--read-only` makes it so. The current directory is `root`, the attached rootfs or the
    /// overlay over it.
    pub fn finish(&self, root: BorrowedFd<'_>) -> SysResult<()> {
        match (self.read_only, self.by_path.first()) {
            (false, _) => Ok(()),
            (true, None) => mount::set_read_only(root, true),
            (true, Some(itself)) => mount::add_flags(itself, self.flags()),
        }
    }

    /// The kernel has no mount_setattr: flags are put on mounts by their paths.
    pub fn is_by_path(&self) -> bool {
        !self.has_setattr
    }

    /// The clone, once it has been taken.
    pub fn tree(&self) -> Option<BorrowedFd<'_>> {
        self.tree.get().map(AsFd::as_fd)
    }

    /// For the parent: this descriptor is its own. In shared memory a clone's number can be of the
    /// child's descriptor table.
    pub fn as_opened(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// To open files below: the clone, where there is one.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.tree().unwrap_or(self.dir.as_fd())
    }

    /// Of the directory itself.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }
}

/// There is no older way that is as good: mount(2) goes by paths, and has no idmapped mounts.
pub const NEEDS_MOUNT_API: &str = "it needs the mount calls of Linux 5.2 (open_tree, move_mount, \
                                   fsopen, fsconfig, fsmount), and an outer container's seccomp \
                                   that allows them";

/// What can be done about a refused clone.
pub fn clone_advice(errno: Errno) -> Option<String> {
    Some(
        match errno {
            Errno::EINVAL => {
                "it lies below a mount that cannot be bound, or on one that is not in our namespace"
            }
            Errno::ENOSYS | Errno::EPERM => NEEDS_MOUNT_API,
            _ => return None,
        }
        .into(),
    )
}

/// What can be done about a path that does not lead to a rootfs.
pub fn advice(path: &CStr, errno: Errno) -> Option<String> {
    match errno {
        Errno::ENOENT if first_refused(path, errno)? == path.to_string_lossy() => {
            Some("there is no such directory; `cargo xtask rootfs` makes one to try".into())
        }
        _ => obstacle(path, errno),
    }
}

/// What is in the way to a path of the host's.
pub fn obstacle(path: &CStr, errno: Errno) -> Option<String> {
    let part = first_refused(path, errno)?;
    Some(match errno {
        Errno::ENOENT => format!("there is no {part}"),
        Errno::EACCES => format!("this user may not search {part}"),
        Errno::ENOTDIR => format!("{part} is no directory"),
        Errno::ELOOP => format!("the link {part} leads back to itself"),
        _ => return None,
    })
}

/// The path up to the first component that gives this errno.
fn first_refused(path: &CStr, errno: Errno) -> Option<String> {
    let bytes = path.to_bytes();
    let ends = bytes.iter().enumerate().filter(|&(at, &byte)| byte == b'/' && at > 0);
    ends.map(|(at, _)| at).chain([bytes.len()]).find_map(|end| {
        // Its "." can only be looked up in a directory, and by who may search that.
        let inside = CString::new([&bytes[..end], b"/."].concat()).ok()?;
        let opened = file::open(At::Cwd, &inside, libc::O_PATH);
        (opened.err() == Some(errno)).then(|| String::from_utf8_lossy(&bytes[..end]).into())
    })
}
