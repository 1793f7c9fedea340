//! A fault in another process.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use super::check;

/// Has a process go on at address 0.
pub fn jump_nowhere(pid: i32) -> io::Result<()> {
    let nothing = ptr::null_mut::<libc::c_void>();
    // SAFETY: registers of zeros are valid; all pointers are to them or null where that is allowed.
    unsafe {
        check(libc::ptrace(libc::PTRACE_ATTACH, pid, nothing, nothing) as i32)?;
        check(libc::waitpid(pid, ptr::null_mut(), libc::__WALL))?;
        let mut registers = MaybeUninit::<libc::user_regs_struct>::zeroed();
        let all = registers.as_mut_ptr().cast::<libc::c_void>();
        check(libc::ptrace(libc::PTRACE_GETREGS, pid, nothing, all) as i32)?;
        registers.assume_init_mut().rip = 0;
        // No system call is to be taken up again.
        registers.assume_init_mut().orig_rax = u64::MAX;
        check(libc::ptrace(libc::PTRACE_SETREGS, pid, nothing, all) as i32)?;
        check(libc::ptrace(libc::PTRACE_DETACH, pid, nothing, nothing) as i32).map(drop)
    }
}
