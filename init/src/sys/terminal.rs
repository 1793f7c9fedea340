//! Sessions, process groups and the terminal's foreground.

use super::{Result, decode, decode_unit, own_pid, syscall};

/// setsid(2).
pub fn start_session() -> Result<()> {
    // SAFETY: it takes no memory.
    decode(unsafe { syscall!(SETSID) }).map(drop)
}

/// Whether we lead our session.
pub fn leads_session() -> bool {
    // SAFETY: it takes no memory.
    unsafe { syscall!(GETSID, 0) as i32 == own_pid() }
}

/// Leads a process group of its own.
pub fn start_group() -> Result<()> {
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(SETPGID, 0, 0) })
}

/// The group of a process; 0 is our own. The kernel's threads are in group 0.
pub fn group_of(pid: i32) -> Result<i32> {
    // SAFETY: it takes no memory.
    decode(unsafe { syscall!(GETPGID, pid as u32) })
}

/// Makes standard input the session's controlling terminal.
pub fn take_terminal() -> Result<()> {
    const TIOCSCTTY: usize = 0x540e;
    // SAFETY: this request takes a number.
    decode_unit(unsafe { syscall!(IOCTL, 0, TIOCSCTTY, 0) })
}

/// tcdrain(3) of standard error: waits until all has left the machine.
pub fn drain_terminal() {
    const TCSBRK: usize = 0x5409;
    // SAFETY: this request takes a number.
    unsafe { syscall!(IOCTL, 2, TCSBRK, 1) };
}

/// Gives our controlling terminal up. A session leader's whole foreground group, so we too, gets
/// SIGHUP and SIGCONT from this call, in our own name.
pub fn leave_terminal() -> Result<()> {
    const TIOCNOTTY: usize = 0x5422;
    // SAFETY: this request takes nothing.
    decode_unit(unsafe { syscall!(IOCTL, 0, TIOCNOTTY, 0) })
}

/// The foreground group of the controlling terminal, if `fd` is that.
pub fn foreground_group(fd: i32) -> Result<i32> {
    const TIOCGPGRP: usize = 0x540f;
    let mut group = 0i32;
    // SAFETY: the kernel writes one int.
    decode(unsafe { syscall!(IOCTL, fd as u32, TIOCGPGRP, &raw mut group) }).map(|_| group)
}

/// Puts a group of our session into the foreground. From the background this stops who does not
/// block SIGTTOU; we do.
pub fn set_foreground_group(fd: i32, group: i32) -> Result<()> {
    const TIOCSPGRP: usize = 0x5410;
    // SAFETY: the kernel reads one int.
    decode_unit(unsafe { syscall!(IOCTL, fd as u32, TIOCSPGRP, &raw const group) })
}
