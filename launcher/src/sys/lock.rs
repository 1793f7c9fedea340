//! Locks on files.

use std::os::fd::{AsRawFd, BorrowedFd};

use syscalls::{Sysno, syscall};

use super::Result;

/// How a lock is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// With others who share it; for [`try_lock_byte`] the file must be open for reading.
    Shared,
    /// Alone; for [`try_lock_byte`] the file must be open for writing.
    Exclusive,
}

/// flock(2) of a file, if nobody is in the way. It goes with the last descriptor.
pub fn try_lock(file: BorrowedFd<'_>, kind: Lock) -> Result<()> {
    let operation = match kind {
        Lock::Shared => libc::LOCK_SH,
        Lock::Exclusive => libc::LOCK_EX,
    };
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::flock, file.as_raw_fd(), operation | libc::LOCK_NB) }.map(drop)
}

/// Takes a lock on one byte of a file, if nobody is in the way. It belongs to the open file
/// description: it goes with the last descriptor of it, however the holder ends.
pub fn try_lock_byte(fd: BorrowedFd<'_>, offset: u64, kind: Lock) -> Result<()> {
    // SAFETY: flock is plain data, for which all zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = match kind {
        Lock::Shared => libc::F_RDLCK as _,
        Lock::Exclusive => libc::F_WRLCK as _,
    };
    lock.l_whence = libc::SEEK_SET as _;
    lock.l_start = offset as _;
    lock.l_len = 1;
    // SAFETY: the kernel reads one struct flock (the 64-bit one: off_t is 64 bits in musl).
    unsafe { syscall!(Sysno::fcntl, fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }.map(drop)
}
