//! Mounts: the calls of Linux 5.2 and later (open_tree, move_mount, fsopen, mount_setattr), and
//! mount(2) where those are missing.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use syscalls::{Sysno, syscall};

use super::file::At;
use super::{Errno, Result, own, statfs};

/// Flags of a mount (MOUNT_ATTR_* of linux/mount.h).
pub mod attr {
    pub const RDONLY: u64 = 0x01;
    pub const NOSUID: u64 = 0x02;
    pub const NODEV: u64 = 0x04;
    pub const NOEXEC: u64 = 0x08;
}

/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path`.
pub fn clone_tree(at: At<'_>, path: &CStr, recursive: bool) -> Result<OwnedFd> {
    const OPEN_TREE_CLONE: i32 = 1;
    let recursive = if recursive { AT_RECURSIVE } else { 0 };
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | libc::AT_EMPTY_PATH | recursive;
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::open_tree, at.raw(), path.as_ptr(), flags) }.map(own)
}

/// move_mount(2) of a detached mount onto a path.
pub fn attach(mount: BorrowedFd<'_>, at: At<'_>, path: &CStr) -> Result<()> {
    const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x04;
    const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths end with NUL.
    unsafe {
        syscall!(Sysno::move_mount, mount.as_raw_fd(), c"".as_ptr(), at.raw(), path.as_ptr(), flags)
    }
    .map(drop)
}

/// struct mount_attr of linux/mount.h.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Of linux/fcntl.h: the mount and all below.
const AT_RECURSIVE: i32 = 0x8000;

fn set_attr(mount: BorrowedFd<'_>, flags: i32, attr: &MountAttr) -> Result<()> {
    let flags = libc::AT_EMPTY_PATH | flags;
    let (fd, attr) = (mount.as_raw_fd(), ptr::from_ref(attr));
    let size = size_of::<MountAttr>();
    // SAFETY: the path ends with NUL; `attr` is of the size that is given.
    match unsafe { syscall!(Sysno::mount_setattr, fd, c"".as_ptr(), flags, attr, size) } {
        // Older container runtimes' seccomp filters answer an unknown system call with EPERM.
        Err(Errno::EPERM) if !has_setattr() => Err(Errno::ENOSYS),
        other => other.map(drop),
    }
}

/// mount_setattr(2), recursive: adds flags to every mount of a tree and makes it private. (A clone
/// of a shared mount is in the peer group of the original: what is mounted on one appears on the
/// other.)
pub fn restrict(mount: BorrowedFd<'_>, flags: u64) -> Result<()> {
    let propagation = libc::MS_PRIVATE;
    set_attr(mount, AT_RECURSIVE, &MountAttr { set: flags, clear: 0, propagation, userns_fd: 0 })
}

/// mount_setattr(2), recursive: makes idmapped mounts of a detached tree, by the map of a user
/// namespace.
pub fn map_ids(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>) -> Result<()> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let userns_fd = userns.as_raw_fd() as u64;
    set_attr(
        mount,
        AT_RECURSIVE,
        &MountAttr { set: MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, userns_fd },
    )
}

/// mount(2) of a new file system on a relative path: one call, where [`create`] and [`attach`] take
/// six. Symbolic links in the path are followed, so nobody else may be able to write to the
/// directory. The MS_* are the same numbers as [`attr`].
pub fn create_at(kind: &CStr, path: &CStr, flags: u64, options: &CStr) -> Result<()> {
    let (source, data) = (kind.as_ptr(), options.as_ptr());
    // SAFETY: all four strings end with NUL.
    unsafe { syscall!(Sysno::mount, source, path.as_ptr(), source, flags, data) }.map(drop)
}

/// fsconfig(2): an option without a value.
const FSCONFIG_SET_FLAG: u32 = 0;

/// fsopen, fsconfig and fsmount: a new, detached file system. An option without a value is a flag.
pub fn create<'a>(
    kind: &CStr,
    options: impl IntoIterator<Item = (&'a CStr, &'a CStr)>,
    flags: u64,
) -> Result<OwnedFd> {
    const FSOPEN_CLOEXEC: u32 = 1;
    const FSMOUNT_CLOEXEC: u32 = 1;
    const FSCONFIG_SET_STRING: u32 = 1;
    const FSCONFIG_CMD_CREATE: u32 = 6;
    // SAFETY: the kind ends with NUL.
    let context = unsafe { syscall!(Sysno::fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) }.map(own)?;
    let fd = context.as_raw_fd();
    for (key, value) in options {
        let (command, value) = match value.is_empty() {
            true => (FSCONFIG_SET_FLAG, ptr::null()),
            false => (FSCONFIG_SET_STRING, value.as_ptr()),
        };
        // SAFETY: the key ends with NUL, and so does the value where there is one.
        unsafe { syscall!(Sysno::fsconfig, fd, command, key.as_ptr(), value, 0) }?;
    }
    // SAFETY: this command takes no memory.
    unsafe { syscall!(Sysno::fsconfig, fd, FSCONFIG_CMD_CREATE, 0, 0, 0) }?;
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::fsmount, fd, FSMOUNT_CLOEXEC, flags) }.map(own)
}

/// fspick(2) and fsconfig(2): makes a file system itself read-only, in all its mounts.
pub fn make_read_only(mount: BorrowedFd<'_>) -> Result<()> {
    const FSPICK_CLOEXEC_EMPTY_PATH: u32 = 1 | 8;
    const FSCONFIG_CMD_RECONFIGURE: u32 = 7;
    let (fd, empty) = (mount.as_raw_fd(), c"".as_ptr());
    // SAFETY: the path ends with NUL.
    let context = unsafe { syscall!(Sysno::fspick, fd, empty, FSPICK_CLOEXEC_EMPTY_PATH) };
    let context = context.map(own)?;
    let fd = context.as_raw_fd();
    // SAFETY: the key ends with NUL; a flag has no value, and the command takes no memory.
    unsafe {
        syscall!(Sysno::fsconfig, fd, FSCONFIG_SET_FLAG, c"ro".as_ptr(), 0, 0)?;
        syscall!(Sysno::fsconfig, fd, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0)
    }
    .map(drop)
}

/// mount_setattr(2) of one mount: makes it read-only, or writable again.
pub fn set_read_only(mount: BorrowedFd<'_>, is: bool) -> Result<()> {
    let (set, clear) = if is { (attr::RDONLY, 0) } else { (0, attr::RDONLY) };
    set_attr(mount, 0, &MountAttr { set, clear, propagation: 0, userns_fd: 0 })
}

/// Whether there is a mount_setattr (Linux 5.12), by a call with a size of 0: EINVAL, before it
/// checks privileges. ENOSYS and EPERM come from an old kernel or a seccomp filter.
pub fn has_setattr() -> bool {
    // SAFETY: the path ends with NUL, and nothing is read from a struct of no size.
    let result = unsafe { syscall!(Sysno::mount_setattr, -1i32, c"".as_ptr(), 0, 0, 0) };
    !matches!(result, Err(Errno::ENOSYS | Errno::EPERM))
}

/// Whether a mount, or its file system, is read-only.
pub fn is_read_only(mount: BorrowedFd<'_>) -> Result<bool> {
    Ok(statfs::of(mount)?.flags & libc::MS_RDONLY != 0)
}

/// Whether a device node is nothing but its number, so that a copy is the same device. Those of a
/// devpts or a binderfs belong to that file system. False on a nodev mount, where a node does not
/// work.
pub fn is_plain_device(node: BorrowedFd<'_>) -> Result<bool> {
    let stat = statfs::of(node)?;
    Ok(IN_MEMORY.contains(&stat.kind) && stat.flags & libc::MS_NODEV == 0)
}

/// Whether it is in a proc.
pub fn is_proc(file: BorrowedFd<'_>) -> Result<bool> {
    // PROC_SUPER_MAGIC of linux/magic.h.
    statfs::of(file).map(|stat| stat.kind == 0x9fa0)
}

/// TMPFS_MAGIC, which is devtmpfs's too, and RAMFS_MAGIC of linux/magic.h.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Whether a path is on a tmpfs or a ramfs.
pub fn is_in_memory(path: &CStr) -> Result<bool> {
    statfs::of_path(path).map(|stat| IN_MEMORY.contains(&stat.kind))
}

/// mount(2), the older way to add flags: to the one mount at `path`, keeping its others.
pub fn add_flags(path: &CStr, flags: u64) -> Result<()> {
    let now = statfs::of_path(path)?.flags;
    // The ST_* of statfs(2) are the MS_* of mount(2), but for ST_RELATIME and ST_VALID.
    const SAME: u64 = libc::MS_RDONLY
        | libc::MS_NOSUID
        | libc::MS_NODEV
        | libc::MS_NOEXEC
        | libc::MS_NOATIME
        | libc::MS_NODIRATIME;
    const ST_RELATIME: u64 = 4096;
    let relatime = if now & ST_RELATIME != 0 { libc::MS_RELATIME } else { 0 };
    // The MOUNT_ATTR_* of `attr` are the MS_* of the same names.
    let flags = libc::MS_REMOUNT | libc::MS_BIND | flags | now & SAME | relatime;
    // SAFETY: the path ends with NUL; source, type and data are not used.
    unsafe { syscall!(Sysno::mount, 0, path.as_ptr(), 0, flags, 0) }.map(drop)
}

/// Makes the mount at `path` and all below private (MS_PRIVATE).
pub fn make_private_at(path: &CStr) -> Result<()> {
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the target ends with NUL; source, type and data are not used.
    unsafe { syscall!(Sysno::mount, 0, path.as_ptr(), 0, flags, 0) }.map(drop)
}

/// Makes every mount of this namespace private: nothing propagates to the host or from it.
pub fn make_private() -> Result<()> {
    make_private_at(c"/")
}

/// umount2(".", MNT_DETACH): detaches the current directory's mount, and all below.
pub fn detach_here() -> Result<()> {
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::umount2, c".".as_ptr(), libc::MNT_DETACH) }.map(drop)
}

/// unshare(CLONE_NEWNS): a copy of the mount namespace. If a less privileged user namespace owns
/// the copy, all mounts in it are locked together (mount_namespaces(7)).
pub fn unshare_namespace() -> Result<()> {
    // SAFETY: it takes no memory, and no other thread shares our file system information.
    unsafe { syscall!(Sysno::unshare, libc::CLONE_NEWNS) }.map(drop)
}

/// chroot("."): the current directory becomes the root.
pub fn change_root_here() -> Result<()> {
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::chroot, c".".as_ptr()) }.map(drop)
}

/// pivot_root(".", "."): the current directory becomes the root, with the old root over it.
pub fn pivot_here() -> Result<()> {
    // SAFETY: both paths end with NUL.
    unsafe { syscall!(Sysno::pivot_root, c".".as_ptr(), c".".as_ptr()) }.map(drop)
}
