//! Names in directories: link, symlink and unlink, and files without a name.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use syscalls::{Sysno, syscall};

use super::file::At;
use super::{Result, own};

/// openat(2) with O_TMPFILE: a file in the directory's file system that has no name yet.
pub fn create_unnamed(dir: BorrowedFd<'_>, mode: u32) -> Result<OwnedFd> {
    let flags = libc::O_TMPFILE | libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::openat, dir.as_raw_fd(), c".".as_ptr(), flags, mode) }.map(own)
}

/// symlinkat(2).
pub fn make_symlink(target: &CStr, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: both end with NUL.
    unsafe { syscall!(Sysno::symlinkat, target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }.map(drop)
}

/// linkat(2): gives a name to an open file that has none. EEXIST if the name is in use.
pub fn link(file: BorrowedFd<'_>, dir: At<'_>, path: &CStr) -> Result<()> {
    let own = of_open(file);
    let (here, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    // SAFETY: both paths end with NUL.
    unsafe { syscall!(Sysno::linkat, here, own.as_ptr(), dir.raw(), path.as_ptr(), follow) }
        .map(drop)
}

/// Opens a file again that is open by O_PATH, with other flags.
pub fn reopen(file: BorrowedFd<'_>, flags: i32) -> Result<OwnedFd> {
    super::file::open(At::Cwd, &of_open(file), flags)
}

fn of_open(file: BorrowedFd<'_>) -> CString {
    CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default()
}

/// unlinkat(2).
pub fn remove(dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    unlink(dir, name, 0)
}

/// unlinkat(2) of a directory.
pub fn remove_dir(dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    unlink(dir, name, libc::AT_REMOVEDIR)
}

fn unlink(dir: BorrowedFd<'_>, name: &CStr, flags: i32) -> Result<()> {
    // SAFETY: the name ends with NUL.
    unsafe { syscall!(Sysno::unlinkat, dir.as_raw_fd(), name.as_ptr(), flags) }.map(drop)
}
