//! Signals: masks, signalfd(2), and sending them.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use syscalls::{Sysno, syscall};

use super::{Result, own};

/// A set of signals, bit N-1 for signal N, as the kernel keeps it.
pub type SignalSet = u64;
const SET_BYTES: usize = size_of::<SignalSet>();

/// Every signal, including those that the C library keeps for itself (32 and 33).
pub const ALL: SignalSet = u64::MAX;

/// Sets the signal mask; returns the previous one.
pub fn set_mask(mask: SignalSet) -> Result<SignalSet> {
    let mut old: SignalSet = 0;
    // SAFETY: the kernel reads one set and writes the other, both of the size that is given.
    unsafe {
        syscall!(Sysno::rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut old, SET_BYTES)
    }?;
    Ok(old)
}

/// Gives a signal its default action.
pub fn set_default(signal: i32) -> Result<()> {
    // struct kernel_sigaction, up to 32 bytes on 64-bit architectures: all zero is SIG_DFL.
    let action = [0usize; 4];
    // SAFETY: the kernel reads one struct, which is at most as long as `action`, and writes none.
    unsafe { syscall!(Sysno::rt_sigaction, signal, action.as_ptr(), 0, SET_BYTES) }.map(drop)
}

/// Whether this signal is ignored, as we have inherited it.
pub fn is_ignored(signal: i32) -> Result<bool> {
    // struct kernel_sigaction, which begins with the handler.
    let mut action = [0usize; 4];
    // SAFETY: the kernel writes one struct, which is at most as long as `action`, and reads none.
    unsafe { syscall!(Sysno::rt_sigaction, signal, 0, action.as_mut_ptr(), SET_BYTES) }?;
    Ok(action[0] == libc::SIG_IGN)
}

/// The set of one signal.
pub const fn only(signal: i32) -> SignalSet {
    1 << (signal - 1)
}

/// signalfd(2), non-blocking: a descriptor from which these signals, which are blocked, can be read.
pub fn open_signalfd(set: SignalSet) -> Result<OwnedFd> {
    signalfd4(-1, set).map(own)
}

/// Changes which signals can be read from it.
pub fn change_signalfd(queue: BorrowedFd<'_>, set: SignalSet) -> Result<()> {
    signalfd4(queue.as_raw_fd(), set).map(drop)
}

fn signalfd4(fd: i32, set: SignalSet) -> Result<usize> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the kernel reads one set, of the size that is given.
    unsafe { syscall!(Sysno::signalfd4, fd, &raw const set, SET_BYTES, flags) }
}

/// What is used of struct signalfd_siginfo.
#[derive(Clone, Copy, Debug)]
pub struct SignalInfo {
    pub signal: i32,
    /// si_code: 0 or negative from a process, positive from the kernel.
    pub code: i32,
    /// The sender, if that was a process.
    pub pid: u32,
    pub uid: u32,
    /// The value of sigqueue(3).
    pub value: u64,
}

/// Reads the next signal; None if none is pending.
pub fn read_signalfd(queue: BorrowedFd<'_>) -> Result<Option<SignalInfo>> {
    // SAFETY: signalfd_siginfo is plain data, for which all zero is a value.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the kernel writes at most `size` bytes into one struct of that size.
    match unsafe { syscall!(Sysno::read, queue.as_raw_fd(), &raw mut info, size) } {
        Ok(_) => Ok(Some(SignalInfo {
            signal: info.ssi_signo as i32,
            code: info.ssi_code,
            pid: info.ssi_pid,
            uid: info.ssi_uid,
            value: info.ssi_ptr,
        })),
        Err(super::Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Drops all pending signals (all are blocked).
pub fn drop_pending() {
    let (all, at_once) = (ALL, [0i64; 2]);
    // SAFETY: the kernel reads one set, of the size that is given, and one timespec; it writes
    // nothing.
    let take = || unsafe {
        syscall!(Sysno::rt_sigtimedwait, &raw const all, 0, at_once.as_ptr(), SET_BYTES)
    };
    // EAGAIN: none is pending any more.
    while take().is_ok() {}
}

/// kill(2).
pub fn send(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::kill, pid, signal) }.map(drop)
}

/// Stops us by a stop signal, sent to our pid or to our process group (0), while all signals are
/// blocked. True if we were stopped and then continued; the SIGCONT is pending. False if the kernel
/// dropped a terminal's stop signal: it does so in an orphaned process group, which nobody could
/// continue, and where it is ignored.
pub fn stop(pid: i32, signal: i32) -> bool {
    // The kernel drops a pending SIGCONT when a stop signal comes, and the reverse. A SIGCONT that
    // is pending now came after the command's stop: to stop would drop it, and there will be no
    // other.
    if !is_continued() {
        send(pid, signal).ok();
        set_mask(ALL & !only(signal)).ok();
        set_mask(ALL).ok();
    }
    is_continued()
}

/// Whether a SIGCONT is pending.
fn is_continued() -> bool {
    let mut pending: SignalSet = 0;
    // SAFETY: the kernel writes a set of the size that is given.
    let told = unsafe { syscall!(Sysno::rt_sigpending, &raw mut pending, SET_BYTES) };
    told.is_ok() && pending & only(libc::SIGCONT) != 0
}

/// The kernel's siginfo_t of a queued signal, on 64-bit machines.
#[repr(C)]
struct QueuedInfo {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    pid: u32,
    uid: u32,
    value: u64,
    rest: [u64; 12],
}

/// rt_sigqueueinfo(2): sends a signal with its value and this si_code, which must be negative and
/// not SI_TKILL.
pub fn queue(pid: i32, arrived: &SignalInfo, code: i32) -> Result<()> {
    let info = QueuedInfo {
        signal: arrived.signal,
        errno: 0,
        code,
        padding: 0,
        pid: arrived.pid,
        uid: arrived.uid,
        value: arrived.value,
        rest: [0; 12],
    };
    const { assert!(size_of::<QueuedInfo>() == 128) };
    // SAFETY: the kernel reads one siginfo_t, of 128 bytes.
    unsafe { syscall!(Sysno::rt_sigqueueinfo, pid, arrived.signal, &raw const info) }.map(drop)
}

/// Our own pid.
pub fn own_pid() -> i32 {
    // SAFETY: it takes no memory and cannot fail.
    unsafe { syscall!(Sysno::getpid) }.map_or(0, |pid| pid as i32)
}
