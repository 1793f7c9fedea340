//! The machine, for its PID 1; and the list of our children in /proc.

use init::word::Word;

use super::file::AT_FDCWD;
use super::{Result, decode, decode_unit, syscall};

/// What reboot(2) is to do (linux/reboot.h).
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Reboot {
    /// Ctrl-Alt-Del sends us SIGINT from now on. EINVAL in any but the initial pid namespace.
    CatchCtrlAltDel = 0,
    Restart = 0x0123_4567,
    Halt = 0xcdef_0123,
    PowerOff = 0x4321_fedc,
}

/// reboot(2). The last three return only on failure; in a pid namespace they kill its init.
pub fn reboot(what: Reboot) -> Result<()> {
    const MAGIC1: usize = 0xfee1_dead;
    const MAGIC2: usize = 672_274_793;
    // SAFETY: none of these takes memory.
    decode_unit(unsafe { syscall!(REBOOT, MAGIC1, MAGIC2, what as usize, 0) })
}

/// sync(2).
pub fn sync() {
    // SAFETY: it takes no memory and cannot fail.
    unsafe { syscall!(SYNC) };
}

/// mkdir(2), with mode 755.
pub fn make_directory(path: Word<'_>) -> Result<()> {
    // SAFETY: the path ends with NUL.
    decode_unit(unsafe { syscall!(MKDIRAT, AT_FDCWD, path.as_ptr(), 0o755) })
}

/// Opens a terminal as standard input, output and error, if there is no standard input.
pub fn open_standard(path: Word<'_>) {
    const F_GETFD: usize = 1;
    const O_RDWR_NOCTTY: usize = 0o402;
    // SAFETY: the path ends with NUL. Without 0 the kernel has opened none of the three for us: so
    // 0, 1 and 2 are the lowest free numbers, in this order.
    unsafe {
        if decode(syscall!(FCNTL, 0, F_GETFD)).is_err() {
            syscall!(OPENAT, AT_FDCWD, path.as_ptr(), O_RDWR_NOCTTY, 0);
            syscall!(DUP, 0);
            syscall!(DUP, 0);
        }
    }
}

/// Calls `f` with the pid of every child of ours, where there is a /proc that tells.
pub fn for_each_child(f: impl Fn(i32)) -> Result<()> {
    const O_CLOEXEC: usize = 0o2_000_000;
    let path = c"/proc/thread-self/children".as_ptr();
    // SAFETY: the path ends with NUL; the kernel writes one byte into `byte`; the fd is ours.
    unsafe {
        let fd = decode(syscall!(OPENAT, AT_FDCWD, path, O_CLOEXEC, 0))?;
        let (mut pid, mut byte) = (0, 0u8);
        while syscall!(READ, fd, &raw mut byte, 1) == 1 {
            // Every number is followed by a blank.
            if byte == b' ' {
                f(pid);
                pid = 0;
            } else {
                pid = pid * 10 + i32::from(byte - b'0');
            }
        }
        syscall!(CLOSE, fd);
    }
    Ok(())
}
