//! seccomp(2).

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use syscalls::{Sysno, syscall};

use super::Result;

/// BPF_MAXINSNS of linux/bpf_common.h, and struct sock_filter of linux/filter.h.
const MAX: usize = 4096;
const INSTRUCTION: usize = 8;

/// Installs the filter in a file, for this process. Allocates nothing.
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
    // SAFETY: the kernel writes no more than the array has, whose words may hold anything.
    let length =
        unsafe { syscall!(Sysno::read, file.as_raw_fd(), place, MAX * INSTRUCTION) }? / INSTRUCTION;
    let program = Program { length: length as u16, instructions: place };
    // SAFETY: so many instructions, which the kernel copies, have been read.
    unsafe { syscall!(Sysno::seccomp, SECCOMP_SET_MODE_FILTER, 0, ptr::from_ref(&program)) }
        .map(drop)
}
