//! Cgroups: their file systems, namespace and files; and the CPU time of children.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use syscalls::{Sysno, syscall};

use super::file::{self, At};
use super::{Result, statfs};

/// The version of a cgroup file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One tree for each controller, or some of them.
    One,
    /// One tree for all.
    Two,
}

/// The version of the file system that a directory is on; None: it is no cgroup.
pub fn version(dir: BorrowedFd<'_>) -> Result<Option<Version>> {
    // CGROUP_SUPER_MAGIC and CGROUP2_SUPER_MAGIC of linux/magic.h.
    Ok(match statfs::of(dir)?.kind {
        0x0027_e0eb => Some(Version::One),
        0x6367_7270 => Some(Version::Two),
        _ => None,
    })
}

/// unshare(2): a cgroup namespace whose root is the cgroup that we are in now.
pub fn unshare_namespace() -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::unshare, libc::CLONE_NEWCGROUP) }.map(drop)
}

/// getrusage(2) of the children that were waited for, and of theirs: microseconds in user and in
/// kernel mode.
pub fn childrens_time() -> Result<(u64, u64)> {
    // SAFETY: rusage is plain data, for which all zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills one struct rusage, which on 64-bit machines begins as musl's does
    // and is no longer.
    unsafe { syscall!(Sysno::getrusage, libc::RUSAGE_CHILDREN, &raw mut usage) }?;
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    Ok((micros(usage.ru_utime), micros(usage.ru_stime)))
}

/// Reads one of a cgroup's files.
pub fn read(dir: BorrowedFd<'_>, name: &CStr) -> Result<String> {
    let file = file::open(At::Dir(dir), name, libc::O_RDONLY)?;
    file::read_all(file.as_fd()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes to one of a cgroup's files, in one write(2), which the kernel takes whole or not at all.
pub fn write(dir: BorrowedFd<'_>, name: &CStr, text: &str) -> Result<()> {
    let file = file::open(At::Dir(dir), name, libc::O_WRONLY)?;
    file::write(file.as_fd(), text.as_bytes()).map(drop)
}
