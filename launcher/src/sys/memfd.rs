//! memfd_create(2): files in memory that have no name.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use syscalls::{Sysno, syscall};

use super::{Errno, Result, own};

/// For data: not executable, as vm.memfd_noexec may demand.
pub fn for_data(name: &CStr) -> Result<OwnedFd> {
    /// Since 6.3.
    const MFD_NOEXEC_SEAL: u32 = 0x08;
    // SAFETY: the name ends with NUL.
    let create = |flags| unsafe { syscall!(Sysno::memfd_create, name.as_ptr(), flags) };
    match create(libc::MFD_CLOEXEC | MFD_NOEXEC_SEAL) {
        Err(Errno::EINVAL) => create(libc::MFD_CLOEXEC),
        other => other,
    }
    .map(own)
}

/// For a program: executable, and can be sealed.
pub fn for_program(name: &CStr) -> Result<OwnedFd> {
    /// Since 6.3, where vm.memfd_noexec may otherwise make it unexecutable.
    const MFD_EXEC: u32 = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name ends with NUL.
    let create = |flags| unsafe { syscall!(Sysno::memfd_create, name.as_ptr(), flags) };
    match create(flags | MFD_EXEC) {
        Err(Errno::EINVAL) => create(flags),
        other => other,
    }
    .map(own)
}

/// Seals a memfd: nobody can write, grow or shrink it any more.
pub fn seal(fd: BorrowedFd<'_>) -> Result<()> {
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::fcntl, fd.as_raw_fd(), libc::F_ADD_SEALS, seals) }.map(drop)
}
