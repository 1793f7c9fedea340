//! Signals.

use core::ptr;

use sc::syscall;

use super::{Result, decode, decode_unit};

pub const SIGTERM: i32 = 15;
pub const SIGCHLD: i32 = 17;
pub const SIGCONT: i32 = 18;

/// A set of signals, bit N-1 for signal N, as the kernel keeps it.
pub type SignalSet = u64;
const SET_BYTES: usize = 8;

/// The head of the kernel's siginfo_t: all that is read here; the rest is carried along.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SignalInfo {
    pub signal: i32,
    pub errno: i32,
    pub code: i32,
    rest: [u32; 29],
}

/// Blocks every signal; returns the mask before.
pub fn block_all_signals() -> Result<SignalSet> {
    set_mask(u64::MAX)
}

/// Sets the signal mask; returns the one before.
pub fn set_mask(mask: SignalSet) -> Result<SignalSet> {
    const SIG_SETMASK: usize = 2;
    let mut old: SignalSet = 0;
    // SAFETY: both point to sets of SET_BYTES bytes.
    let result =
        unsafe { syscall!(RT_SIGPROCMASK, SIG_SETMASK, &raw const mask, &raw mut old, SET_BYTES) };
    decode(result).map(|_| old)
}

/// Gives SIGCHLD its default action: if it is ignored, the kernel reaps for us and no wait(2)
/// ever learns how the command ended.
pub fn default_sigchld() -> Result<()> {
    // struct kernel_sigaction: handler, flags, restorer, mask. All zero is SIG_DFL. (On aarch64
    // there is no restorer in use, but the size is the same.)
    let action = [0usize; 4];
    // SAFETY: `action` has the size of the kernel's struct; the old one is not asked for.
    decode_unit(unsafe { syscall!(RT_SIGACTION, SIGCHLD, action.as_ptr(), 0, SET_BYTES) })
}

/// Takes the next signal, waiting up to `timeout_ms`, or for ever. EAGAIN: none came in time.
pub fn wait_signal(timeout_ms: Option<u64>) -> Result<SignalInfo> {
    let all: SignalSet = u64::MAX;
    let mut info = SignalInfo { signal: 0, errno: 0, code: 0, rest: [0; 29] };
    let time = timeout_ms.map(|ms| [ms / 1000, ms % 1000 * 1_000_000]);
    let time = time.as_ref().map_or(ptr::null(), |time| time.as_ptr());
    // SAFETY: `info` has the 128 bytes of siginfo_t; `time` is null or a 64-bit timespec.
    let result =
        unsafe { syscall!(RT_SIGTIMEDWAIT, &raw const all, &raw mut info, time, SET_BYTES) };
    decode(result).map(|_| info)
}

/// kill(2).
pub fn kill(target: i32, signal: i32) -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(KILL, target as isize, signal) })
}

/// rt_sigqueueinfo(2): passes a signal on with its payload.
pub fn queue(target: i32, info: &SignalInfo) -> Result<()> {
    // SAFETY: `info` has the 128 bytes of siginfo_t and is only read.
    decode_unit(unsafe {
        syscall!(RT_SIGQUEUEINFO, target as isize, info.signal, ptr::from_ref(info))
    })
}
