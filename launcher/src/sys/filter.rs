//! seccomp(2): installs a filter.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use syscalls::{Sysno, syscall};

use super::Result;

/// The most instructions that the kernel takes (BPF_MAXINSNS of linux/bpf_common.h), and the size
/// of one (struct sock_filter of linux/filter.h).
const MAX: usize = 4096;
const INSTRUCTION: usize = 8;

/// Reads the filter from a file and installs it for this process. Allocates nothing.
pub fn install(file: BorrowedFd<'_>) -> Result<()> {
    /// struct sock_fprog.
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const u64,
    }
    const SECCOMP_SET_MODE_FILTER: usize = 1;
    let mut instructions = [0u64; MAX];
    let place = instructions.as_mut_ptr();
    // SAFETY: the kernel writes at most the size of the array, of which any bytes are valid.
    let length =
        unsafe { syscall!(Sysno::read, file.as_raw_fd(), place, MAX * INSTRUCTION) }? / INSTRUCTION;
    let program = Program { length: length as u16, instructions: place };
    // SAFETY: the kernel copies `length` instructions, which have been read into the array above.
    unsafe { syscall!(Sysno::seccomp, SECCOMP_SET_MODE_FILTER, 0, ptr::from_ref(&program)) }
        .map(drop)
}
