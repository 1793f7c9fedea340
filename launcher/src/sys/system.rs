//! The machine.

use syscalls::{Sysno, syscall};

/// clock_gettime(2).
pub fn clock(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec. It fails for clocks only that it does not have.
    unsafe { syscall!(Sysno::clock_gettime, clock, &raw mut now) }.ok();
    now
}

/// uname(2): the kernel's release, and the machine's architecture.
pub fn name() -> (String, String) {
    // SAFETY: utsname is plain data, for which all zero is a value.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills one struct utsname.
    unsafe { syscall!(Sysno::uname, &raw mut name) }.ok();
    let show = |field: &[libc::c_char]| {
        field.iter().take_while(|&&c| c != 0).map(|&c| char::from(c as u8)).collect()
    };
    (show(&name.release), show(&name.machine))
}
