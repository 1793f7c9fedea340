//! Descriptors that this process has from another: inherited over clone(2), or shared with it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use syscalls::{Sysno, syscall};

use super::{Errno, Result};

/// A descriptor that the parent owns, or that the child has opened itself.
pub enum Held<'a> {
    Parents(BorrowedFd<'a>),
    Own(OwnedFd),
}

impl AsFd for Held<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Held::Parents(fd) => *fd,
            Held::Own(fd) => fd.as_fd(),
        }
    }
}

/// close_range(2) of all but the standard descriptors and this one. For a forked process that
/// outlives the clone's purpose: what it inherited would otherwise stay open by it.
pub fn close_all_but(kept: BorrowedFd<'_>) -> Result<()> {
    /// Where an outer seccomp filter refuses close_range, descriptors up to this usual limit on
    /// open files are closed one by one.
    const USUAL_LIMIT: RawFd = 1024;
    let kept = kept.as_raw_fd();
    for (first, last) in [(3, kept - 1), (kept + 1, RawFd::MAX)] {
        if first > last {
            continue;
        }
        // SAFETY: it takes no memory. The values that own these descriptors belong to the process
        // that we were cloned from: here they are neither used nor dropped, as the caller ends in
        // exit or execve.
        match unsafe { syscall!(Sysno::close_range, first, last, 0) } {
            Err(Errno::ENOSYS | Errno::EPERM) => {
                for fd in first..=last.min(USUAL_LIMIT) {
                    // SAFETY: as above. EBADF: it is not open.
                    unsafe { syscall!(Sysno::close, fd) }.ok();
                }
            }
            other => other.map(drop)?,
        }
    }
    Ok(())
}

/// dup3(2) onto an open descriptor: its owner has the other file under this number from here on.
pub fn replace(old: BorrowedFd<'_>, new: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: it takes no memory. The number stays open, so the OwnedFd that owns it stays right.
    unsafe { syscall!(Sysno::dup3, new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) }.map(drop)
}

/// pread64(2).
pub fn read_at(fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let (place, size) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: pointer and size are of one slice, which is ours to write.
    unsafe { syscall!(Sysno::pread64, fd.as_raw_fd(), place, size, offset) }
}
