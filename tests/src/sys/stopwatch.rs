//! The stopwatch's system calls.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// What a process and those of its children that it reaped have used.
pub struct End {
    /// User and system time in nanoseconds.
    pub cpu: u64,
    pub faults: u64,
    /// The largest resident set of any one of them, in KiB.
    pub resident: u64,
    /// The exit code, or 128 and the signal.
    pub code: i32,
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How long a command may take before it is killed.
const LIMIT_MS: i32 = 5000;

/// Waits for the child's end, which comes by SIGKILL if it takes too long.
pub fn wait(pid: u32) -> io::Result<End> {
    // SAFETY: takes no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as i32;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is ours, and nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut ended = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd.
    if unsafe { libc::poll(&raw mut ended, 1, LIMIT_MS) } == 0 {
        // SAFETY: takes no memory; the child is not yet reaped, so the pid is its.
        unsafe { libc::kill(pid as i32, libc::SIGKILL) };
    }
    let mut status = 0;
    // SAFETY: rusage is plain data, for which all zero is a value.
    let mut used: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes one int and one rusage.
    while unsafe { libc::wait4(pid as i32, &raw mut status, 0, &raw mut used) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let nanoseconds =
        |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    Ok(End {
        cpu: nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime),
        faults: (used.ru_minflt + used.ru_majflt) as u64,
        resident: used.ru_maxrss as u64,
        code: match libc::WIFEXITED(status) {
            true => libc::WEXITSTATUS(status),
            false => 128 + libc::WTERMSIG(status),
        },
    })
}

/// How long the machine's processors have been busy since it was started, in nanoseconds: the first
/// line of /proc/stat, in hundredths of a second: user, nice, system, idle, iowait, irq, softirq.
pub fn busy() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let numbers = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let numbers = numbers.filter_map(|word| word.parse().ok()).collect::<Vec<u64>>();
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|&at| numbers.get(at)).sum::<u64>();
    Ok(busy * 10_000_000)
}

/// Makes a pid namespace for the next child, which only a process can that has made none: so back
/// to our own first (pid_namespaces(7)).
pub fn next_child_is_pid1() -> io::Result<()> {
    let own = File::open("/proc/self/ns/pid")?;
    // SAFETY: takes no memory.
    match unsafe {
        libc::setns(own.as_raw_fd(), libc::CLONE_NEWPID) | libc::unshare(libc::CLONE_NEWPID)
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
