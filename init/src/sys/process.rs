//! Processes: exit, vfork, wait; their ids, capabilities and restrictions.

use core::ptr;

use init::word::Word;

use super::{Result, decode, decode_unit, start, syscall, syscall2};

/// exit_group(2), or exit(2), which does the same for one thread. Where a filter refuses both, a
/// fault, which no filter can refuse.
pub fn exit(code: u8) -> ! {
    // SAFETY: they take no memory.
    unsafe {
        syscall!(EXIT_GROUP, code);
        syscall!(EXIT, code);
    }
    // SAFETY: an invalid instruction, after which nothing runs: the kernel kills us by a signal
    // that we do not handle, even if it is blocked or we are PID 1 (kernel/signal.c,
    // force_sig_info_to_task).
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("ud2", options(noreturn));
        #[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
        core::arch::asm!(".word 0", options(noreturn));
        #[cfg(target_arch = "arm")]
        core::arch::asm!("udf #0", options(noreturn));
    }
}

const CLONE_VM: usize = 0x100;
const CLONE_VFORK: usize = 0x4000;
const SIGCHLD_NUMBER: usize = 17;

/// vfork(2): `child(context)` runs in this memory, on the stack below our frame, while we are
/// suspended until it has executed a program or has exited. Returns its pid.
pub fn spawn<T>(context: &T, child: extern "C" fn(usize) -> !) -> Result<i32> {
    const FLAGS: usize = CLONE_VM | CLONE_VFORK | SIGCHLD_NUMBER;
    // SAFETY: CLONE_VFORK suspends us until the child no longer uses this memory, so `context` and
    // all frames above outlive that, and only the child changes `context` meanwhile, by its Cells.
    // `child` does not return.
    let pid = unsafe { start::run_in_child(FLAGS, child, ptr::from_ref(context) as usize) };
    decode(pid as usize)
}

/// The context that was passed to [`spawn`].
///
/// `argument` must be that of the child function, and `T` the type that was passed to spawn: true
/// of both callers.
pub fn context<'a, T>(argument: usize) -> &'a T {
    // SAFETY: spawn passes the address of a `&T` that outlives the child's use of this memory; see
    // there.
    unsafe { &*(argument as *const T) }
}

/// getpid(2).
pub fn own_pid() -> i32 {
    // SAFETY: it takes no memory.
    unsafe { syscall!(GETPID) as i32 }
}

/// getppid(2).
pub fn parent_pid() -> i32 {
    // SAFETY: it takes no memory.
    unsafe { syscall!(GETPPID) as i32 }
}

/// wait4(2) for any child that has ended or stopped: its pid and status, or None while nothing
/// has happened.
pub fn reap() -> Result<Option<(i32, u32)>> {
    const WNOHANG: usize = 1;
    const WUNTRACED: usize = 2;
    const WALL: usize = 0x4000_0000;
    let mut status = 0u32;
    // SAFETY: the kernel writes one int to `status`, which is one.
    let pid = unsafe { syscall!(WAIT4, -1isize, &raw mut status, WNOHANG | WUNTRACED | WALL, 0) };
    decode(pid).map(|pid| (pid != 0).then_some((pid, status)))
}

/// PTRACE_DETACH: a child that we trace goes on, untraced, with the signal that stopped it. False:
/// we do not trace it.
pub fn let_go(pid: i32, signal: i32) -> bool {
    const PTRACE_DETACH: usize = 17;
    // Sent by tracing itself, at each execve(2): not passed on.
    const SIGTRAP: i32 = 5;
    let signal = if signal == SIGTRAP { 0 } else { signal };
    // SAFETY: this request takes no memory.
    decode_unit(unsafe { syscall!(PTRACE, PTRACE_DETACH, pid as u32, 0, signal as u32) }).is_ok()
}

/// prctl(2) with plain numbers.
#[inline(never)]
fn prctl(option: usize, argument: usize) -> Result<()> {
    // SAFETY: the options that are used here take numbers, except for PR_SET_NAME, to which
    // `set_name` passes the address of a word, which ends with NUL.
    decode_unit(unsafe { syscall!(PRCTL, option, argument, 0, 0, 0) })
}

/// Sets the name that ps shows.
pub fn set_name(name: Word<'_>) -> Result<()> {
    const PR_SET_NAME: usize = 15;
    prctl(PR_SET_NAME, name.as_ptr() as usize)
}

/// Makes orphaned descendants our children.
pub fn become_subreaper() -> Result<()> {
    const PR_SET_CHILD_SUBREAPER: usize = 36;
    prctl(PR_SET_CHILD_SUBREAPER, 1)
}

/// Asks for a signal when our parent ends.
pub fn set_death_signal(signal: u8) -> Result<()> {
    const PR_SET_PDEATHSIG: usize = 1;
    prctl(PR_SET_PDEATHSIG, usize::from(signal))
}

/// Drops a capability from the bounding set; EINVAL for a number that the kernel does not know.
pub fn drop_bounding(capability: usize) -> Result<()> {
    const PR_CAPBSET_DROP: usize = 24;
    prctl(PR_CAPBSET_DROP, capability)
}

/// Sets no_new_privs.
pub fn set_no_new_privs() -> Result<()> {
    const PR_SET_NO_NEW_PRIVS: usize = 38;
    prctl(PR_SET_NO_NEW_PRIVS, 1)
}

/// Sets the permitted and effective capabilities to `set`, and the inheritable and ambient ones to
/// `ambient`.
#[cold]
#[inline(never)]
pub fn set_capabilities(set: u64, ambient: u64) -> Result<()> {
    const PR_CAP_AMBIENT: usize = 47;
    const PR_CAP_AMBIENT_RAISE: usize = 2;
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let (low, high) = (set as u32, (set >> 32) as u32);
    let data = [low, low, ambient as u32, high, high, (ambient >> 32) as u32];
    // SAFETY: with a version 3 header the kernel reads two data structs of three words (capset(2)).
    decode_unit(unsafe { syscall!(CAPSET, header.as_ptr(), data.as_ptr()) })?;
    for number in 0..64 {
        if ambient >> number & 1 != 0 {
            // SAFETY: this option takes numbers. EINVAL, of a capability that this kernel does not
            // know, is ignored.
            unsafe { syscall!(PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) };
        }
    }
    Ok(())
}

/// PR_SET_KEEPCAPS: a change from uid 0 to another keeps the permitted capabilities.
pub fn keep_capabilities() -> Result<()> {
    const PR_SET_KEEPCAPS: usize = 8;
    prctl(PR_SET_KEEPCAPS, 1)
}

/// PR_SET_DUMPABLE 0: nobody without CAP_SYS_PTRACE can trace us or open our files in /proc, and we
/// leave no core.
pub fn forbid_tracing() -> Result<()> {
    const PR_SET_DUMPABLE: usize = 4;
    prctl(PR_SET_DUMPABLE, 0)
}

const INSTRUCTION: usize = 8;
/// BPF_MAXINSNS of linux/bpf_common.h.
const FILTER_SIZE: usize = 4096 * INSTRUCTION;
/// Where the filter is read to: far from the image and from the stack, below 2^31 as `decode`
/// demands.
const FILTER: usize = 0x1000_0000;

/// seccomp(2): installs the filter in a file, and closes that.
///
/// It is read into a mapping of its own, of which only the pages that it fills take memory. A
/// buffer on the stack, which is init's, would be touched as a whole.
#[cold]
#[inline(never)]
pub fn install_filter(fd: i32, log: bool) -> Result<()> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS_FIXED_NOREPLACE: usize = 0x10_0022;
    const SECCOMP_SET_MODE_FILTER: usize = 1;
    const SECCOMP_FILTER_FLAG_LOG: usize = 2;
    // SAFETY: the mapping replaces nothing (MAP_FIXED_NOREPLACE: EEXIST); the kernel writes at most
    // what was mapped; the fd is ours; struct sock_fprog has the number of instructions that were
    // read and their address, and the kernel copies them.
    unsafe {
        let flags = PRIVATE_ANONYMOUS_FIXED_NOREPLACE;
        decode(syscall!(MMAP, FILTER, FILTER_SIZE, READ_WRITE, flags, -1isize, 0))?;
        let length = decode(syscall!(READ, fd, FILTER, FILTER_SIZE))?;
        syscall!(CLOSE, fd);
        let described = [length as usize / INSTRUCTION, FILTER];
        let flags = if log { SECCOMP_FILTER_FLAG_LOG } else { 0 };
        // It stays mapped, a page of init's: to unmap it, the kernel would interrupt every
        // processor that has run in this memory (TLB flush), which takes longer than to install a
        // filter.
        decode_unit(syscall!(SECCOMP, SECCOMP_SET_MODE_FILTER, flags, described.as_ptr()))
    }
}

/// landlock_restrict_self(2) with a ruleset, which is closed.
pub fn restrict_self(rules: i32) -> Result<()> {
    /// Newer than `sc`, and the same on every architecture (asm-generic/unistd.h).
    const LANDLOCK_RESTRICT_SELF: usize = 446;
    // SAFETY: neither takes memory, and the fd is ours.
    unsafe {
        let result = decode_unit(syscall2(LANDLOCK_RESTRICT_SELF, rules as usize, 0));
        syscall!(CLOSE, rules as u32);
        result
    }
}

/// setresuid(2) to one id.
pub fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(SETRESUID, uid, uid, uid) })
}

/// setresgid(2) to one id.
pub fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(SETRESGID, gid, gid, gid) })
}

/// setgroups(2).
pub fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: pointer and length are of one slice, which is only read.
    decode_unit(unsafe { syscall!(SETGROUPS, groups.len(), groups.as_ptr()) })
}
