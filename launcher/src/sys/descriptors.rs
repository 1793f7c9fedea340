//! Descriptors that are not quite one's own: of a process that another one has copied, or lent.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use syscalls::{Sysno, syscall};

use super::{Errno, Result};

/// One that the launcher has made before, or its child now.
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

/// close_range(2) of all but the standard descriptors and this one: what was inherited from a process
/// that goes on is not to be kept open here.
pub fn close_all_but(kept: BorrowedFd<'_>) -> Result<()> {
    /// Up to which they are closed one by one where an outer container's seccomp has no close_range:
    /// the usual limit on open files.
    const USUAL_LIMIT: RawFd = 1024;
    let kept = kept.as_raw_fd();
    for (first, last) in [(3, kept - 1), (kept + 1, RawFd::MAX)] {
        if first > last {
            continue;
        }
        // SAFETY: the caller does not come back to what owned these.
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

/// dup3(2) onto a descriptor that is somebody's, who owns another file by it from here on.
pub fn replace(old: BorrowedFd<'_>, new: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: it takes no memory; the number stays open and its owner's.
    unsafe { syscall!(Sysno::dup3, new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) }.map(drop)
}

/// pread64(2).
pub fn read_at(fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let (place, size) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: pointer and size are of one slice, which is ours to write.
    unsafe { syscall!(Sysno::pread64, fd.as_raw_fd(), place, size, offset) }
}
