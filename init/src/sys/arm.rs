//! System calls on 32-bit ARM (EABI), for which the `sc` crate does not build on stable Rust: the
//! instruction, and the numbers of the calls that init makes (arch/arm/tools/syscall.tbl). Of calls
//! that the kernel has twice it is the one with 32-bit ids and 64-bit time.

/// `svc 0`: the number in r7, six arguments from r0 on, the result in r0.
///
/// # Safety
///
/// As the system call demands.
#[inline(always)]
pub unsafe fn call<const N: usize>(number: usize, arguments: [usize; N]) -> usize {
    let at = |index| if index < N { arguments[index] } else { 0 };
    let result;
    // SAFETY: the arguments are right by the caller's promise; the kernel preserves all registers
    // but r0.
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("r7") number,
            inlateout("r0") at(0) => result,
            in("r1") at(1),
            in("r2") at(2),
            in("r3") at(3),
            in("r4") at(4),
            in("r5") at(5),
            options(nostack),
        );
    }
    result
}

/// The same by a number that has no name below.
///
/// # Safety
///
/// As the system call demands.
pub unsafe fn syscall2(number: usize, a: usize, b: usize) -> usize {
    // SAFETY: as the caller promises.
    unsafe { call(number, [a, b]) }
}

/// Under the names that `sc` has for them elsewhere.
pub mod nr {
    pub const READ: usize = 3;
    pub const WRITE: usize = 4;
    pub const CLOSE: usize = 6;
    pub const EXECVE: usize = 11;
    pub const CHDIR: usize = 12;
    pub const GETPID: usize = 20;
    pub const MOUNT: usize = 21;
    pub const PTRACE: usize = 26;
    pub const SYNC: usize = 36;
    pub const KILL: usize = 37;
    pub const DUP: usize = 41;
    pub const UMOUNT2: usize = 52;
    pub const IOCTL: usize = 54;
    pub const SETPGID: usize = 57;
    pub const GETPPID: usize = 64;
    pub const SETSID: usize = 66;
    pub const REBOOT: usize = 88;
    pub const STATFS: usize = 99;
    pub const WAIT4: usize = 114;
    pub const GETPGID: usize = 132;
    pub const FCHDIR: usize = 133;
    pub const GETSID: usize = 147;
    pub const PRCTL: usize = 172;
    pub const RT_SIGACTION: usize = 174;
    pub const RT_SIGPROCMASK: usize = 175;
    pub const RT_SIGPENDING: usize = 176;
    pub const RT_SIGQUEUEINFO: usize = 178;
    pub const CAPSET: usize = 185;
    /// mmap2(2): its offset is in pages.
    pub const MMAP: usize = 192;
    pub const SETGROUPS: usize = 206;
    pub const SETRESUID: usize = 208;
    pub const SETRESGID: usize = 210;
    pub const FCNTL: usize = 221;
    pub const EXIT: usize = 1;
    pub const EXIT_GROUP: usize = 248;
    pub const OPENAT: usize = 322;
    pub const MKDIRAT: usize = 323;
    pub const FACCESSAT: usize = 334;
    pub const SECCOMP: usize = 383;
    pub const CLOCK_GETTIME: usize = 403;
    pub const RT_SIGTIMEDWAIT: usize = 421;
    pub const CLOSE_RANGE: usize = 436;
}
