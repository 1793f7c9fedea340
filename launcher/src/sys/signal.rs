//! Signals.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use syscalls::{Sysno, syscall};

use super::{Result, own};

/// A set of signals, bit N-1 for signal N, as the kernel keeps it.
pub type SignalSet = u64;
const SET_BYTES: usize = size_of::<SignalSet>();

/// Every signal, the C library's own (32, 33) included.
pub const ALL: SignalSet = u64::MAX;

/// Sets the signal mask; returns the one before.
pub fn set_mask(mask: SignalSet) -> Result<SignalSet> {
    let mut old: SignalSet = 0;
    // SAFETY: both point to sets of the size that is given.
    unsafe {
        syscall!(Sysno::rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut old, SET_BYTES)
    }?;
    Ok(old)
}

/// Gives a signal its default action.
pub fn set_default(signal: i32) -> Result<()> {
    // struct kernel_sigaction of any 64-bit architecture: all zero is SIG_DFL.
    let action = [0usize; 4];
    // SAFETY: `action` has the size of the kernel's struct; the old one is not asked for.
    unsafe { syscall!(Sysno::rt_sigaction, signal, action.as_ptr(), 0, SET_BYTES) }.map(drop)
}

/// Whether the caller has this signal ignored.
pub fn is_ignored(signal: i32) -> Result<bool> {
    // struct kernel_sigaction begins with the handler.
    let mut action = [0usize; 4];
    // SAFETY: the kernel writes one struct, which has that size at most; none is read.
    unsafe { syscall!(Sysno::rt_sigaction, signal, 0, action.as_mut_ptr(), SET_BYTES) }?;
    Ok(action[0] == libc::SIG_IGN)
}

/// The set of one signal.
pub const fn only(signal: i32) -> SignalSet {
    1 << (signal - 1)
}

/// A descriptor that these (blocked) signals can be read from.
pub fn open_signalfd(set: SignalSet) -> Result<OwnedFd> {
    signalfd4(-1, set).map(own)
}

/// Lets these be read from it instead.
pub fn change_signalfd(queue: BorrowedFd<'_>, set: SignalSet) -> Result<()> {
    signalfd4(queue.as_raw_fd(), set).map(drop)
}

fn signalfd4(fd: i32, set: SignalSet) -> Result<usize> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: `set` is of the size that is given.
    unsafe { syscall!(Sysno::signalfd4, fd, &raw const set, SET_BYTES, flags) }
}

/// A signal that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct SignalInfo {
    pub signal: i32,
    /// si_code: 0 or less from a process, more from the kernel.
    pub code: i32,
    /// The sender, if it was a process.
    pub pid: u32,
    pub uid: u32,
    /// What sigqueue(3) was given.
    pub value: u64,
}

/// Takes the next signal off the queue; None when there is none.
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

/// Takes every signal that is there, and forgets it; all are blocked.
pub fn drop_pending() {
    let (all, at_once) = (ALL, [0i64; 2]);
    // SAFETY: both are read, the set has the size that is given; nothing is written.
    let take = || unsafe {
        syscall!(Sysno::rt_sigtimedwait, &raw const all, 0, at_once.as_ptr(), SET_BYTES)
    };
    // EAGAIN: none is left.
    while take().is_ok() {}
}

/// kill(2).
pub fn send(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::kill, pid, signal) }.map(drop)
}

/// Gives us, by our pid or with all of our process group (0), a terminal's stop signal, while all are
/// blocked. True if that stopped us and we went on, the SIGCONT being there to take; the kernel drops it
/// in a group without a parent in the same session, and where the caller has it ignored.
pub fn stop(pid: i32, signal: i32) -> bool {
    // One that waits is younger than the stop: the kernel drops what waits when either comes. To stop now
    // would drop it, and nobody sends another.
    if !is_continued() {
        send(pid, signal).ok();
        set_mask(ALL & !only(signal)).ok();
        set_mask(ALL).ok();
    }
    is_continued()
}

/// Whether a SIGCONT waits.
fn is_continued() -> bool {
    let mut pending: SignalSet = 0;
    // SAFETY: the kernel writes a set of the size that is given.
    let told = unsafe { syscall!(Sysno::rt_sigpending, &raw mut pending, SET_BYTES) };
    told.is_ok() && pending & only(libc::SIGCONT) != 0
}

/// The head of the kernel's siginfo_t, as rt_sigqueueinfo(2) takes it on 64-bit machines.
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

/// rt_sigqueueinfo(2): a signal with a code and a payload. The code must be negative.
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
    // SAFETY: `info` has the 128 bytes of siginfo_t and is only read.
    unsafe { syscall!(Sysno::rt_sigqueueinfo, pid, arrived.signal, &raw const info) }.map(drop)
}

/// Our own pid.
pub fn own_pid() -> i32 {
    // SAFETY: it takes no memory and cannot fail.
    unsafe { syscall!(Sysno::getpid) }.map_or(0, |pid| pid as i32)
}
