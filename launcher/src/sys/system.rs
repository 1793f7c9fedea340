//! The machine: its clocks, its kernel, and its end.

use syscalls::{Sysno, syscall};

/// clock_gettime(2).
pub fn clock(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec. It fails only for an unknown clock.
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

/// Whether the kernel's release is this or a later one.
pub fn is_at_least(version: u32, patchlevel: u32) -> bool {
    let (release, _) = name();
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(version), Some(patchlevel))
}

/// Whether this is the machine's first process, and not a container's. Without /proc: only in the
/// initial pid namespace process 2 is kthreadd, in process group 0; and only there Ctrl-Alt-Del can
/// be set (here to what it is at boot).
pub fn is_first_process() -> bool {
    const KTHREADD: i32 = 2;
    if std::process::id() != 1 {
        return false;
    }
    // SAFETY: it takes no memory.
    let group = unsafe { syscall!(Sysno::getpgid, KTHREADD) };
    group == Ok(0) && reboot(libc::LINUX_REBOOT_CMD_CAD_ON).is_ok()
}

/// Switches the machine off. Returns only if that is refused.
pub fn power_off() {
    reboot(libc::LINUX_REBOOT_CMD_POWER_OFF).ok();
}

/// reboot(2).
fn reboot(command: i32) -> super::Result<()> {
    let (first, second) = (libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2);
    // SAFETY: none of these commands takes memory.
    unsafe { syscall!(Sysno::reboot, first, second, command, 0) }.map(drop)
}
