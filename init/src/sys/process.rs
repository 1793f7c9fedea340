//! Processes and their identity.

use core::ptr;

use init::word::Word;

use super::{Result, decode, decode_unit, start, syscall, syscall2};

/// exit_group(2), or exit(2), which is as much for one thread; and where a filter refuses both, a
/// fault, which none can.
pub fn exit(code: u8) -> ! {
    // SAFETY: they take no memory.
    unsafe {
        syscall!(EXIT_GROUP, code);
        syscall!(EXIT, code);
    }
    // SAFETY: nothing comes after it. The kernel ends us by its signal, which we do not handle, also
    // where it is blocked or we are an untraced PID 1 (kernel/signal.c, force_sig_info_to_task).
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

/// vfork(2): `child` runs in this memory, below our frame, while we sleep until it has executed
/// something or has left. Returns its pid.
pub fn spawn<T>(context: &T, child: extern "C" fn(usize) -> !) -> Result<i32> {
    const FLAGS: usize = CLONE_VM | CLONE_VFORK | SIGCHLD_NUMBER;
    // SAFETY: CLONE_VFORK suspends us until the child has left this memory, so `context` and all
    // frames above outlive it, and nobody writes `context` meanwhile but the child, through
    // Cell-like fields that it is lent. `child` does not return.
    let pid = unsafe { start::run_in_child(FLAGS, child, ptr::from_ref(context) as usize) };
    decode(pid as usize)
}

/// The context that [`spawn`] lent to its child.
///
/// `argument` must be what the child function was called with, and `T` what spawn was given;
/// there is one caller.
pub fn context<'a, T>(argument: usize) -> &'a T {
    // SAFETY: spawn passes a `&T` that lives until the child has left; see there.
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

/// Lets a child that we trace go on, untraced, with the signal that stopped it. False: it is not
/// traced by us.
pub fn let_go(pid: i32, signal: i32) -> bool {
    const PTRACE_DETACH: usize = 17;
    // What tracing itself sends at each execve(2).
    const SIGTRAP: i32 = 5;
    let signal = if signal == SIGTRAP { 0 } else { signal };
    // SAFETY: this request takes no memory.
    decode_unit(unsafe { syscall!(PTRACE, PTRACE_DETACH, pid as u32, 0, signal as u32) }).is_ok()
}

/// prctl(2) with plain numbers.
#[inline(never)]
fn prctl(option: usize, argument: usize) -> Result<()> {
    // SAFETY: the options used here take no memory.
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

/// Removes a capability from the bounding set; EINVAL for a number the kernel does not know.
pub fn drop_bounding(capability: usize) -> Result<()> {
    const PR_CAPBSET_DROP: usize = 24;
    prctl(PR_CAPBSET_DROP, capability)
}

/// Sets no_new_privs.
pub fn set_no_new_privs() -> Result<()> {
    const PR_SET_NO_NEW_PRIVS: usize = 38;
    prctl(PR_SET_NO_NEW_PRIVS, 1)
}

/// Sets the permitted and effective capabilities, and of those the inheritable ones, which become
/// ambient.
#[cold]
#[inline(never)]
pub fn set_capabilities(set: u64, ambient: u64) -> Result<()> {
    const PR_CAP_AMBIENT: usize = 47;
    const PR_CAP_AMBIENT_RAISE: usize = 2;
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let (low, high) = (set as u32, (set >> 32) as u32);
    let data = [low, low, ambient as u32, high, high, (ambient >> 32) as u32];
    // SAFETY: a version 3 header is followed by two data structs of three words.
    decode_unit(unsafe { syscall!(CAPSET, header.as_ptr(), data.as_ptr()) })?;
    for number in 0..64 {
        if ambient >> number & 1 != 0 {
            // SAFETY: this option takes numbers. One that this kernel does not know is EINVAL, and
            // nobody's loss.
            unsafe { syscall!(PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) };
        }
    }
    Ok(())
}

/// A change from uid 0 to another leaves the permitted capabilities.
pub fn keep_capabilities() -> Result<()> {
    const PR_SET_KEEPCAPS: usize = 8;
    prctl(PR_SET_KEEPCAPS, 1)
}

/// Nobody without CAP_SYS_PTRACE looks into us, and we leave no core.
pub fn forbid_tracing() -> Result<()> {
    const PR_SET_DUMPABLE: usize = 4;
    prctl(PR_SET_DUMPABLE, 0)
}

const INSTRUCTION: usize = 8;
/// BPF_MAXINSNS of linux/bpf_common.h.
const FILTER_SIZE: usize = 4096 * INSTRUCTION;
/// Far from the image and from the stack; an address of less than 31 bits, as `decode` has it.
const FILTER: usize = 0x1000_0000;

/// seccomp(2) with the program in a file, which is closed.
///
/// It is read into memory of its own, of which only what it fills exists. As much of the stack, which
/// is init's too, would be touched page by page, and stay init's.
#[cold]
#[inline(never)]
pub fn install_filter(fd: i32, log: bool) -> Result<()> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS_FIXED_NOREPLACE: usize = 0x10_0022;
    const SECCOMP_SET_MODE_FILTER: usize = 1;
    const SECCOMP_FILTER_FLAG_LOG: usize = 2;
    // SAFETY: nothing else is at that place, or mmap is EEXIST; the kernel writes as much as was
    // mapped; the fd is ours; struct sock_fprog is the count and the address of as many instructions
    // as were read, which the kernel copies.
    unsafe {
        let flags = PRIVATE_ANONYMOUS_FIXED_NOREPLACE;
        decode(syscall!(MMAP, FILTER, FILTER_SIZE, READ_WRITE, flags, -1isize, 0))?;
        let length = decode(syscall!(READ, fd, FILTER, FILTER_SIZE))?;
        syscall!(CLOSE, fd);
        let described = [length as usize / INSTRUCTION, FILTER];
        let flags = if log { SECCOMP_FILTER_FLAG_LOG } else { 0 };
        // It stays mapped, a page of init's: to unmap it the kernel would interrupt every processor
        // that has run in this memory, which takes longer than to install a filter.
        decode_unit(syscall!(SECCOMP, SECCOMP_SET_MODE_FILTER, flags, described.as_ptr()))
    }
}

/// landlock_restrict_self(2) with a set of rules, which is closed.
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
