//! Processes: clone, wait, execve, exit; their ids, namespaces and limits.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use init::exit::Ending;
use syscalls::{Sysno, syscall};

use super::shared::Entry;
use super::{Errno, Result, file, own, signal};

/// struct clone_args of linux/sched.h, third version (CLONE_ARGS_SIZE_VER2, Linux 5.7).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The size of the first version (Linux 5.3), which ends with `tls`.
const CLONE_ARGS_SIZE_VER0: usize = 64;

/// The two processes after [`clone3`] or [`clone`].
pub enum Forked {
    /// The caller; the new process's pid.
    Parent(i32),
    /// The new process, with a copy of everything.
    Child,
}

/// clone3(2) as a fork with these CLONE_* flags, into a cgroup if one is given (Linux 5.7).
pub fn clone3(flags: u64, exit_signal: i32, cgroup: Option<BorrowedFd<'_>>) -> Result<Forked> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut args = CloneArgs { flags, exit_signal: exit_signal as u64, ..CloneArgs::default() };
    let mut size = CLONE_ARGS_SIZE_VER0;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
        size = size_of::<CloneArgs>();
    }
    // SAFETY: `args` is at least of the size that is given. Without CLONE_VM the child has a copy
    // of memory, which is consistent as the launcher has one thread.
    let pid = unsafe { syscall!(Sysno::clone3, &raw const args, size) }?;
    Ok(forked(pid))
}

/// clone3(2) with these flags, CLONE_VM and CLONE_FILES: a process that shares our memory and our
/// descriptors, and begins at `entry`. Returns its pid.
pub fn clone_vm(flags: u64, exit_signal: i32, entry: &Entry) -> Result<i32> {
    let (stack, stack_size) = entry.stack();
    let args = CloneArgs {
        flags: flags | (libc::CLONE_VM | libc::CLONE_FILES) as u64,
        exit_signal: exit_signal as u64,
        stack: stack as u64,
        stack_size: stack_size as u64,
        ..CloneArgs::default()
    };
    let address = (&raw const args).expose_provenance();
    // SAFETY: `args` is longer than the size that is given, and has CLONE_VM and the entry's stack,
    // as `Entry::call` demands. There is one such child at a time, so nobody else runs on that
    // stack.
    let pid = unsafe { entry.call(Sysno::clone3, address, CLONE_ARGS_SIZE_VER0) }?;
    Ok(pid as i32)
}

/// clone(2) as a fork. Not for CLONE_NEWTIME, whose bit is one of the exit signal's.
pub fn clone(flags: u64, exit_signal: i32) -> Result<Forked> {
    // SAFETY: a null stack means a copy of ours, and none of these flags takes a pointer. No caller
    // passes CLONE_VM, so memory is copied, as above.
    let pid = unsafe { syscall!(Sysno::clone, flags | exit_signal as u64, 0, 0, 0, 0) }?;
    Ok(forked(pid))
}

fn forked(pid: usize) -> Forked {
    if pid == 0 { Forked::Child } else { Forked::Parent(pid as i32) }
}

/// unshare(CLONE_NEWTIME): a new time namespace, not for the caller but for the children to come and,
/// from Linux 6.3 on, for the program that is executed next. setns(2) enters it at once.
pub fn unshare_time() -> Result<()> {
    const CLONE_NEWTIME: u32 = 0x80;
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::unshare, CLONE_NEWTIME) }.map(drop)
}

/// pidfd_open(2).
pub fn open_pidfd(pid: i32) -> Result<OwnedFd> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::pidfd_open, pid, 0) }.map(own)
}

/// wait4(2) for one child, until it has ended: its wait status.
pub fn wait(pid: i32) -> Result<u32> {
    let mut status = 0u32;
    loop {
        // SAFETY: the kernel writes one int to `status`, which is one.
        match unsafe { syscall!(Sysno::wait4, pid, &raw mut status, 0, 0) } {
            Err(Errno::EINTR) => {}
            other => return other.map(|_| status),
        }
    }
}

/// clone(2) with these flags of a process that runs `f` and ends: its result, which comes as the exit
/// code. An errno is less than 256.
pub fn try_in_child(flags: u64, f: impl FnOnce() -> Result<()>) -> Result<()> {
    match clone(flags, libc::SIGCHLD)? {
        Forked::Child => exit_with(f()),
        Forked::Parent(pid) => wait_for_errno(pid),
    }
}

/// Ends a child whose parent calls [`wait_for_errno`].
pub fn exit_with(result: Result<()>) -> ! {
    exit(result.map_or_else(|errno| errno.into_raw() as u8, |()| 0))
}

/// wait4(2) for a child that ends by [`exit_with`].
pub fn wait_for_errno(pid: i32) -> Result<()> {
    match Ending::from_wait_status(wait(pid)?) {
        Ending::Code(0) => Ok(()),
        Ending::Code(errno) => Err(Errno::new(i32::from(errno))),
        Ending::Signal { .. } => Err(Errno::EINTR),
    }
}

/// wait4(2) for one child, without blocking: its wait status, or None while it runs.
pub fn try_wait(pid: i32) -> Result<Option<u32>> {
    let mut status = 0u32;
    // SAFETY: the kernel writes one int to `status`, which is one.
    let got = unsafe { syscall!(Sysno::wait4, pid, &raw mut status, libc::WNOHANG, 0) }?;
    Ok((got != 0).then_some(status))
}

/// Whether this is a child of ours, running or not yet reaped.
pub fn is_child(pid: i32) -> Result<bool> {
    let (none, flags) = (std::ptr::null_mut::<u8>(), libc::WEXITED | libc::WNOHANG | libc::WNOWAIT);
    // SAFETY: with null pointers nothing is written.
    match unsafe { syscall!(Sysno::waitid, libc::P_PID, pid, none, flags, none) } {
        Ok(_) => Ok(true),
        Err(Errno::ECHILD) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// exit_group(2), or exit(2), without the C library's clean-up. Where a seccomp filter refuses
/// both, abort.
pub fn exit(code: u8) -> ! {
    for call in [Sysno::exit_group, Sysno::exit] {
        // SAFETY: it takes no memory and does not return.
        unsafe { syscall!(call, code) }.ok();
    }
    std::process::abort()
}

/// argv or envp for execve(2): the strings, and the NULL-terminated array of pointers to them.
pub struct Words {
    pointers: Vec<*const libc::c_char>,
    /// What the pointers point to. A CString's text is on the heap and does not move with it.
    words: Vec<CString>,
}

impl Words {
    /// The words themselves.
    pub fn words(&self) -> impl Iterator<Item = &CStr> {
        self.words.iter().map(CString::as_c_str)
    }

    pub fn new(words: Vec<CString>) -> Self {
        let mut pointers = words.iter().map(|word| word.as_ptr()).collect::<Vec<_>>();
        pointers.push(std::ptr::null());
        Words { pointers, words }
    }
}

/// execveat(2) of an open file. Returns only to fail.
pub fn execute(program: BorrowedFd<'_>, argv: &Words, env: &Words) -> Errno {
    let (argv, env) = (argv.pointers.as_ptr(), env.pointers.as_ptr());
    let (fd, empty) = (program.as_raw_fd(), c"".as_ptr());
    // SAFETY: the path ends with NUL; both arrays are NULL-terminated and point to strings that end
    // with NUL, by Words::new. On success this does not return.
    let result = unsafe { syscall!(Sysno::execveat, fd, empty, argv, env, libc::AT_EMPTY_PATH) };
    result.err().unwrap_or(Errno::EINVAL)
}

/// execve(2). Returns only to fail.
pub fn execute_path(path: &CStr, argv: &Words, env: &Words) -> Errno {
    let (argv, env) = (argv.pointers.as_ptr(), env.pointers.as_ptr());
    // SAFETY: as above.
    let result = unsafe { syscall!(Sysno::execve, path.as_ptr(), argv, env) };
    result.err().unwrap_or(Errno::EINVAL)
}

/// Runs a program of the host's to its end, with an empty environment. Returns how it ended, and
/// what it wrote to standard error. Not by posix_spawn(3), which in musl changes the mask of
/// signals on the way.
pub fn run(argv: &Words) -> Result<(Ending, Vec<u8>)> {
    let (read_end, write_end) = file::pipe()?;
    // Nobody reads while it runs: what the pipe does not hold is lost. And a process that it leaves
    // behind may hold the pipe open, whose end is not waited for.
    file::set_nonblocking(read_end.as_fd())?;
    file::set_nonblocking(write_end.as_fd())?;
    let pid = match clone(0, libc::SIGCHLD)? {
        Forked::Parent(pid) => pid,
        Forked::Child => {
            // Nothing is allocated here.
            if file::duplicate_onto(write_end.as_fd(), 2).is_ok() {
                signal::set_mask(0).ok();
                let none = [std::ptr::null::<libc::c_char>()];
                // SAFETY: argv is NULL-terminated, by Words::new, and its first string is the path;
                // the environment is an array with NULL alone. On success this does not return.
                unsafe {
                    syscall!(Sysno::execve, argv.pointers[0], argv.pointers.as_ptr(), none.as_ptr())
                }
                .ok();
            }
            exit(init::exit::NOT_EXECUTABLE)
        }
    };
    let ending = Ending::from_wait_status(wait(pid)?);
    let (mut said, mut buffer) = (Vec::new(), [0; 512]);
    while let Ok(count @ 1..) = file::read(read_end.as_fd(), &mut buffer) {
        said.extend_from_slice(&buffer[..count]);
    }
    Ok((ending, said))
}

/// Kills a child and reaps it. One that we may not kill is not waited for, which would be for ever:
/// it ends when we do, by PR_SET_PDEATHSIG or at its gate.
pub fn kill_and_reap(pid: i32) {
    if signal::send(pid, libc::SIGKILL).is_ok() {
        wait(pid).ok();
    }
}

/// The effective user id, from the auxiliary vector (getauxval(3)), without a system call: it has
/// not changed since execve(2).
pub fn effective_uid() -> u32 {
    // SAFETY: it reads the auxiliary vector, which the kernel has put behind the environment.
    unsafe { libc::getauxval(libc::AT_EUID) as u32 }
}

/// The effective group id, likewise.
pub fn effective_gid() -> u32 {
    // SAFETY: as above.
    unsafe { libc::getauxval(libc::AT_EGID) as u32 }
}

/// The effective capabilities of this process.
pub fn effective_capabilities() -> Result<u64> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: with a version 3 header the kernel writes two data structs of three words (capget(2)).
    unsafe { syscall!(Sysno::capget, header.as_ptr(), data.as_mut_ptr()) }?;
    Ok(u64::from(data[0]) | u64::from(data[3]) << 32)
}

/// setgroups(2) to none.
pub fn clear_groups() -> Result<()> {
    // SAFETY: no element is read.
    unsafe { syscall!(Sysno::setgroups, 0, 0) }.map(drop)
}

/// setresuid(2) to one id.
pub fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::setresuid, uid, uid, uid) }.map(drop)
}

/// setresgid(2) to one id.
pub fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::setresgid, gid, gid, gid) }.map(drop)
}

/// setsid(2).
pub fn start_session() -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::setsid) }.map(drop)
}

/// PR_SET_NAME: the name of this process that ps shows, up to 15 bytes.
pub fn set_name(name: &CStr) -> Result<()> {
    // SAFETY: the kernel reads the string up to its NUL.
    unsafe { syscall!(Sysno::prctl, libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) }.map(drop)
}

/// PR_SET_PDEATHSIG: a signal when the parent dies.
pub fn set_parent_death_signal(signal: i32) -> Result<()> {
    // SAFETY: this option takes a number.
    unsafe { syscall!(Sysno::prctl, libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) }.map(drop)
}

/// keyctl(2): a new session keyring in place of the caller's.
pub fn join_new_keyring() -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    unsafe { syscall!(Sysno::keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) }.map(drop)
}

/// struct rlimit64: the limit in force, and the limit up to which it may be raised.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

/// prlimit64(2) of a process, 0 for ourselves: sets a limit, if a new one is given; returns the
/// previous one.
pub fn prlimit(pid: i32, resource: u32, new: Option<&Limit>) -> Result<Limit> {
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    let mut old = Limit { soft: 0, hard: 0 };
    // SAFETY: `new` is null or one struct rlimit64, which is read; `old` is one to be written.
    unsafe { syscall!(Sysno::prlimit64, pid, resource, new, &raw mut old) }?;
    Ok(old)
}

/// setpriority(2) of one process.
pub fn set_nice(pid: i32, nice: i32) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::setpriority, libc::PRIO_PROCESS, pid, nice) }.map(drop)
}

/// sethostname(2).
pub fn set_hostname(name: &CStr) -> Result<()> {
    // SAFETY: pointer and length are of one string.
    unsafe { syscall!(Sysno::sethostname, name.as_ptr(), name.count_bytes()) }.map(drop)
}

/// unshare(CLONE_NEWNET).
pub fn unshare_network() -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::unshare, libc::CLONE_NEWNET) }.map(drop)
}

/// setns(2).
pub fn enter_namespace(namespace: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::setns, namespace.as_raw_fd(), 0) }.map(drop)
}

/// setns(2) of a network namespace, and no other (EINVAL).
pub fn enter_network(namespace: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::setns, namespace.as_raw_fd(), libc::CLONE_NEWNET) }.map(drop)
}

/// PR_SET_DUMPABLE. A process that is not dumpable leaves no core file, and nobody without
/// privilege over it opens its files in /proc, so nobody writes its id maps (ptrace(2), "access
/// mode checking").
pub fn set_dumpable(is: bool) -> Result<()> {
    // SAFETY: this option takes a number.
    unsafe { syscall!(Sysno::prctl, libc::PR_SET_DUMPABLE, i32::from(is), 0, 0, 0) }.map(drop)
}

/// Sets no_new_privs.
pub fn set_no_new_privs() -> Result<()> {
    // SAFETY: this option takes a number.
    unsafe { syscall!(Sysno::prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.map(drop)
}
