//! statfs(2): the file system that a file is on, and the flags of the mount.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use syscalls::{Sysno, syscall};

use super::Result;

/// What is used of struct statfs.
pub struct StatFs {
    /// f_type: a magic number of linux/magic.h.
    pub kind: u64,
    /// f_flags: ST_*, most of which are the MS_* of mount(2).
    pub flags: u64,
}

/// struct statfs of any 64-bit architecture (asm-generic/statfs.h).
type Raw = [u64; 15];

impl From<Raw> for StatFs {
    fn from(raw: Raw) -> StatFs {
        StatFs { kind: raw[0], flags: raw[10] }
    }
}

/// fstatfs(2).
pub fn of(file: BorrowedFd<'_>) -> Result<StatFs> {
    let mut raw = Raw::default();
    // SAFETY: the kernel fills one struct statfs.
    unsafe { syscall!(Sysno::fstatfs, file.as_raw_fd(), raw.as_mut_ptr()) }?;
    Ok(raw.into())
}

/// statfs(2).
pub fn of_path(path: &CStr) -> Result<StatFs> {
    let mut raw = Raw::default();
    // SAFETY: the path ends with NUL; the kernel fills one struct statfs.
    unsafe { syscall!(Sysno::statfs, path.as_ptr(), raw.as_mut_ptr()) }?;
    Ok(raw.into())
}
