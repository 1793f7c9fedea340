//! Signals.

use core::ptr;

use init::signals::{SIGCHLD, SIGCONT};

use super::{Result, decode, decode_unit, start, syscall};

/// Every signal, those too that a C library keeps for itself.
pub const ALL: SignalSet = u64::MAX;

/// The set of one signal.
pub const fn only(signal: i32) -> SignalSet {
    1 << (signal as u32 - 1)
}

/// A set of signals, bit N-1 for signal N, as the kernel keeps it.
pub type SignalSet = u64;
const SET_BYTES: usize = 8;

/// The kernel's siginfo_t: the fields that are read here, and the rest, which is passed on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SignalInfo {
    pub signal: i32,
    pub errno: i32,
    pub code: i32,
    rest: [u32; 29],
}

impl SignalInfo {
    /// An empty one; no signal has the number 0.
    #[inline(never)] // otherwise 60 bytes of code at each call
    pub const fn none() -> Self {
        SignalInfo { signal: 0, errno: 0, code: 0, rest: [0; 29] }
    }
}

/// Sets the signal mask; returns the previous one. It cannot fail.
pub fn set_mask(mask: SignalSet) -> SignalSet {
    const SIG_SETMASK: usize = 2;
    let mut old: SignalSet = 0;
    // SAFETY: the kernel reads one set and writes the other, both of SET_BYTES bytes.
    unsafe { syscall!(RT_SIGPROCMASK, SIG_SETMASK, &raw const mask, &raw mut old, SET_BYTES) };
    old
}

/// Gives SIGCHLD its default action: if it is ignored, the kernel reaps for us and no wait(2)
/// ever learns how the command ended.
pub fn default_sigchld() -> Result<()> {
    // struct kernel_sigaction, 32 bytes on x86_64 and aarch64, less elsewhere: all zero is SIG_DFL.
    let action = [0u64; 4];
    // SAFETY: the kernel reads one struct, which is at most as long as `action`, and writes none.
    decode_unit(unsafe { syscall!(RT_SIGACTION, SIGCHLD, action.as_ptr(), 0, SET_BYTES) })
}

/// Catches a signal by a handler that does nothing, until execve(2), which resets handlers to the
/// default action. An ignored signal stays ignored.
pub fn drop_until_execve(signal: i32) {
    // x86_64 delivers no signal without this flag. The handler does not use the restorer.
    const SA_RESTORER: usize = if cfg!(target_arch = "x86_64") { 0x0400_0000 } else { 0 };
    // struct kernel_sigaction: handler, flags, restorer but on riscv, mask.
    let caught = [start::do_nothing as *const () as usize, SA_RESTORER, 0, 0, 0];
    let mut before = [0usize; 5];
    // SAFETY: the arrays are at least as long as the kernel's struct. The handler uses only its
    // signal frame, on the stack of the interrupted code. All signals are blocked, so one that
    // comes before it is ignored again is pending, and is dropped then.
    unsafe {
        syscall!(RT_SIGACTION, signal as u32, caught.as_ptr(), before.as_mut_ptr(), SET_BYTES);
        if before[0] != 0 {
            syscall!(RT_SIGACTION, signal as u32, before.as_ptr(), 0, SET_BYTES);
        }
    }
}

/// Instead of milliseconds; so is what is below it.
pub const FOREVER: i32 = -1;

/// Takes the next signal of a set, waiting up to `ms` milliseconds, or for ever. False: none came.
pub fn wait_signal(set: SignalSet, ms: u32, info: &mut SignalInfo) -> bool {
    let time = [u64::from(ms / 1000), u64::from(ms % 1000 * 1_000_000)];
    let time = if (ms as i32) < 0 { ptr::null() } else { time.as_ptr() };
    // SAFETY: `info` has the 128 bytes of siginfo_t; `time` is null or a 64-bit timespec.
    let result =
        unsafe { syscall!(RT_SIGTIMEDWAIT, &raw const set, ptr::from_mut(info), time, SET_BYTES) };
    decode(result).is_ok()
}

/// kill(2).
pub fn kill(target: i32, signal: i32) -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(KILL, target as u32, signal as u32) })
}

/// rt_sigqueueinfo(2): passes a signal on with its payload.
pub fn queue(target: i32, info: &SignalInfo) -> Result<()> {
    // SAFETY: `info` has the 128 bytes of siginfo_t and is only read.
    decode_unit(unsafe {
        syscall!(RT_SIGQUEUEINFO, target as u32, info.signal as u32, ptr::from_ref(info))
    })
}

/// The signals that wait to be taken.
#[cold]
pub fn pending() -> SignalSet {
    let mut set: SignalSet = 0;
    // SAFETY: the kernel writes a set of SET_BYTES bytes.
    unsafe { syscall!(RT_SIGPENDING, &raw mut set, SET_BYTES) };
    set
}

/// Stops us by a terminal's stop signal, or with a target of 0 our process group. True if we were
/// stopped and then continued. The kernel drops these signals for PID 1 and in an orphaned process
/// group, which nobody could continue.
pub fn stop(target: i32, signal: i32) -> bool {
    // The kernel drops a pending SIGCONT when a stop signal comes, and the reverse. A SIGCONT that
    // is pending now came after the command's stop: to stop would drop it, and there will be no
    // other.
    let continued = || pending() & only(SIGCONT) != 0;
    if !continued() {
        kill(target, signal).ok();
        set_mask(ALL & !only(signal));
        set_mask(ALL);
    }
    continued()
}
