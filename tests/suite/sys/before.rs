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
    Limit(i32, u64),
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
    // changes are plain system calls, but for PidOne, which allocates; musl's malloc is usable
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
            Before::Limit(resource, value) => {
                let limit = libc::rlimit { rlim_cur: *value, rlim_max: *value };
                let limit = &raw const limit;
                let old = ptr::null_mut::<libc::rlimit>();
                check(libc::syscall(libc::SYS_prlimit64, 0, *resource, limit, old) as i32)?;
            }
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
            Before::PidOne => {
                check(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID))?;
                fs::write("/proc/self/setgroups", "deny")?;
                fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
                fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
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
