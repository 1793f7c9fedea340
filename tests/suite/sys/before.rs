//! What is done between fork and exec of a program under test, in the child.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;

use super::{c_path, check};

/// A change to the process that becomes the program under test.
pub enum Before {
    /// Ignore a signal.
    Ignore(i32),
    /// Block signals; bit N-1 is signal N.
    Block(u64),
    /// Set the umask.
    Umask(u32),
    /// Set a resource limit, soft and hard.
    Limit(i32, u64, u64),
    /// Add to the nice value.
    Nice(i32),
    /// Run on this processor alone.
    Affinity(usize),
    /// Set the score by which the kernel chooses whom to kill when memory runs out.
    OomScore(i32),
    /// Have this open under that number.
    Descriptor(OwnedFd, i32),
    /// Close a descriptor.
    Close(i32),
    /// Lead a session whose terminal is standard input.
    TakeTerminal,
    /// In a mount namespace of its own (root), mount each source over its target; a source of
    /// "proc" is a new proc.
    Mounts(Vec<(CString, CString)>),
    /// In a mount namespace of its own (root), share every mount, as systemd does on its hosts.
    ShareMounts,
    /// In a mount namespace of its own (root, if only of a user namespace), have this directory as
    /// the root, read-only.
    Root(CString),
    /// Gain no privileges by executing something (prctl(2), PR_SET_NO_NEW_PRIVS).
    NoNewPrivs,
    /// Have what is executed lose a capability (PR_CAPBSET_DROP), by its number.
    DropBounding(u32),
    /// In a mount namespace of its own, with nothing on /proc, and for root nothing on /sys. An
    /// ordinary user stays what they are, in a user namespace of theirs.
    NoProc,
    /// Have the kernel answer these system calls with an errno (seccomp), for everything below.
    Refuse(Vec<u32>, i32),
    /// Have the kernel answer clone(2) and unshare(2) with EINVAL where they ask for this namespace
    /// (CLONE_NEW*), as one without it does, and have no clone3(2), whose flags no filter sees.
    LackNamespace(i32),
    /// Become PID 1 of a new pid namespace, root of a new user namespace. The process that was
    /// forked stays outside, and ends as PID 1 does.
    PidOne,
}

impl Before {
    /// This descriptor under that number.
    pub fn descriptor(fd: &OwnedFd, number: i32) -> io::Result<Before> {
        Ok(Before::Descriptor(move_up(fd)?, number))
    }

    /// A root file system.
    pub fn root(path: &Path) -> io::Result<Before> {
        Ok(Before::Root(c_path(path)?))
    }

    /// A mount of `source` over `target`.
    pub fn mount(source: &Path, target: &Path) -> io::Result<Before> {
        Ok(Before::Mounts(vec![(c_path(source)?, c_path(target)?)]))
    }
}

/// Out of the way: no number that a test asks for is taken by what it is to become.
fn move_up(fd: &OwnedFd) -> io::Result<OwnedFd> {
    const ABOVE: i32 = 500;
    // SAFETY: the new descriptor is owned by nobody else.
    unsafe {
        let moved = check(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, ABOVE))?;
        Ok(OwnedFd::from_raw_fd(moved))
    }
}

/// Has the changes made, in their order, to a process that ignores no signal.
pub fn arrange(command: &mut Command, changes: Vec<Before>) {
    let ids = (super::uid(), super::gid());
    let apply = move || {
        reset_signals();
        changes.iter().try_for_each(|change| make(change, ids))
    };
    // SAFETY: the child of a program with threads may only do what a signal handler may: all
    // changes are plain system calls, but for some that allocate; musl's malloc is usable
    // after fork.
    unsafe { command.pre_exec(apply) };
}

/// What ignores a signal is inherited, from whoever started the tests.
fn reset_signals() {
    // struct kernel_sigaction of a 64-bit machine: all zero is SIG_DFL. The raw call, because the
    // C library keeps two signals for itself and may have left them ignored.
    let action = [0u64; 4];
    let old = ptr::null_mut::<u64>();
    for signal in 1..=64 {
        // SAFETY: the kernel reads one struct. SIGKILL and SIGSTOP refuse, and need none.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), old, 8) };
    }
}

fn make(change: &Before, (uid, gid): (u32, u32)) -> io::Result<()> {
    // SAFETY: every pointer is to a value that outlives its call, every string ends with NUL.
    unsafe {
        match change {
            Before::Ignore(signal) => {
                libc::signal(*signal, libc::SIG_IGN);
            }
            Before::Block(mask) => {
                let old = ptr::null_mut::<u64>();
                let mask = ptr::from_ref(mask);
                libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask, old, 8);
            }
            Before::Umask(mask) => {
                libc::umask(*mask);
            }
            Before::Limit(resource, soft, hard) => {
                let limit = libc::rlimit { rlim_cur: *soft, rlim_max: *hard };
                let limit = &raw const limit;
                let old = ptr::null_mut::<libc::rlimit>();
                check(libc::syscall(libc::SYS_prlimit64, 0, *resource, limit, old) as i32)?;
            }
            Before::Nice(increment) => {
                check(libc::setpriority(libc::PRIO_PROCESS, 0, *increment))?;
            }
            Before::Affinity(processor) => {
                let mut set = std::mem::zeroed::<libc::cpu_set_t>();
                libc::CPU_SET(*processor, &mut set);
                check(libc::sched_setaffinity(0, size_of_val(&set), &raw const set))?;
            }
            Before::OomScore(score) => fs::write("/proc/self/oom_score_adj", score.to_string())?,
            Before::Descriptor(fd, number) => {
                check(libc::dup2(fd.as_raw_fd(), *number))?;
            }
            Before::Close(fd) => {
                check(libc::close(*fd))?;
            }
            Before::TakeTerminal => {
                check(libc::setsid())?;
                check(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
            }
            Before::Mounts(mounts) => {
                check(libc::unshare(libc::CLONE_NEWNS))?;
                let (none, root) = (ptr::null(), c"/".as_ptr());
                let private = libc::MS_REC | libc::MS_PRIVATE;
                check(libc::mount(none, root, none, private, ptr::null()))?;
                for (source, target) in mounts {
                    let (fs, flags) = match source.to_bytes() {
                        b"proc" => (c"proc".as_ptr(), 0),
                        _ => (ptr::null(), libc::MS_BIND),
                    };
                    let nothing = ptr::null();
                    check(libc::mount(source.as_ptr(), target.as_ptr(), fs, flags, nothing))?;
                }
            }
            Before::ShareMounts => {
                check(libc::unshare(libc::CLONE_NEWNS))?;
                let (none, root) = (ptr::null(), c"/".as_ptr());
                // A copy is the original's peer as long as it has not been private.
                for propagation in [libc::MS_PRIVATE, libc::MS_SHARED] {
                    let flags = libc::MS_REC | propagation;
                    check(libc::mount(none, root, none, flags, ptr::null()))?;
                }
            }
            Before::Root(path) => {
                let (none, path) = (ptr::null(), path.as_ptr());
                check(libc::unshare(libc::CLONE_NEWNS))?;
                let private = libc::MS_REC | libc::MS_PRIVATE;
                check(libc::mount(none, c"/".as_ptr(), none, private, ptr::null()))?;
                // A user namespace may not take away what else the mount does not allow.
                let read_only =
                    libc::MS_REMOUNT | libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV;
                for flags in [0, read_only] {
                    check(libc::mount(path, path, none, libc::MS_BIND | flags, ptr::null()))?;
                }
                check(libc::chroot(path))?;
                check(libc::chdir(c"/".as_ptr()))?;
            }
            Before::NoNewPrivs => {
                check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            }
            Before::DropBounding(capability) => {
                check(libc::prctl(libc::PR_CAPBSET_DROP, *capability as usize, 0, 0, 0))?;
            }
            Before::NoProc => {
                if uid == 0 {
                    check(libc::unshare(libc::CLONE_NEWNS))?;
                } else {
                    check(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS))?;
                    // An id other than 0 loses its capabilities by the exec.
                    map_own_ids((uid, gid), (uid, gid))?;
                }
                let (none, root, proc) = (ptr::null(), c"/".as_ptr(), c"/proc".as_ptr());
                let private = libc::MS_REC | libc::MS_PRIVATE;
                check(libc::mount(none, root, none, private, ptr::null()))?;
                if uid == 0 {
                    // Some hosts have many on top of each other.
                    while libc::umount2(proc, libc::MNT_DETACH) == 0 {}
                    while libc::umount2(c"/sys".as_ptr(), libc::MNT_DETACH) == 0 {}
                } else {
                    // What is the host's can be covered only.
                    let tmpfs = c"tmpfs".as_ptr();
                    check(libc::mount(tmpfs, proc, tmpfs, 0, ptr::null()))?;
                }
            }
            Before::Refuse(calls, errno) => lay_filter(&filter(calls, *errno), uid)?,
            Before::LackNamespace(flag) => {
                lay_filter(&filter(&[libc::SYS_clone3 as u32], libc::ENOSYS), uid)?;
                lay_filter(&namespace_filter(*flag), uid)?;
            }
            Before::PidOne => {
                check(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID))?;
                map_own_ids((0, 0), (uid, gid))?;
                match check(libc::fork())? {
                    0 => {
                        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
                    }
                    pid => end_as(pid),
                }
            }
        }
    }
    Ok(())
}

/// One uid and one gid, of a new user namespace.
fn map_own_ids(inside: (u32, u32), outside: (u32, u32)) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", inside.0, outside.0))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", inside.1, outside.1))
}

fn lay_filter(filter: &[libc::sock_filter], uid: u32) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program is as long as it says, and outlives the calls.
    unsafe {
        // An ordinary user may filter only what can gain no privileges.
        if uid != 0 {
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        }
        let (kind, program) = (libc::SECCOMP_MODE_FILTER, &raw const program);
        check(libc::prctl(libc::PR_SET_SECCOMP, kind, program)).map(drop)
    }
}

/// A program for the kernel: a system call that makes namespaces, whose first argument has a flag.
fn namespace_filter(flag: i32) -> [libc::sock_filter; 7] {
    const ARGUMENT: u32 = 16; // of struct seccomp_data: the lower half of the first one
    let [load, test] = [libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_K];
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let end = |action| step(libc::BPF_RET | libc::BPF_K, 0, 0, action);
    [
        step(load, 0, 0, 0),
        step(test | libc::BPF_JEQ, 1, 0, libc::SYS_clone as u32),
        step(test | libc::BPF_JEQ, 0, 3, libc::SYS_unshare as u32),
        step(load, 0, 0, ARGUMENT),
        step(test | libc::BPF_JSET, 0, 1, flag as u32),
        end(libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        end(libc::SECCOMP_RET_ALLOW),
    ]
}

/// A program for the kernel: the system call's number, by which it is refused or not.
fn filter(calls: &[u32], errno: i32) -> Vec<libc::sock_filter> {
    let step = |code: u32, skip_if_not, k| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: skip_if_not,
        k,
    };
    let load_number = step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0);
    let end = |action| step(libc::BPF_RET | libc::BPF_K, 0, action);
    let refuse = end(libc::SECCOMP_RET_ERRNO | errno as u32);
    let is = |&call| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call);
    let refusals = calls.iter().flat_map(|call| [is(call), refuse]);
    [load_number].into_iter().chain(refusals).chain([end(libc::SECCOMP_RET_ALLOW)]).collect()
}

/// Ends as the child `pid` does: with its code, or 128 and its signal.
fn end_as(pid: i32) -> ! {
    // SAFETY: nothing of this process is used any more but the status word.
    unsafe {
        // Who waits for the end of these, or of a pipe to them, waits for PID 1.
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
        let mut status = 0;
        while libc::waitpid(pid, &raw mut status, 0) < 0 {}
        let code = if libc::WIFEXITED(status) {
            libc::WEXITSTATUS(status)
        } else {
            128 + libc::WTERMSIG(status)
        };
        libc::_exit(code)
    }
}
