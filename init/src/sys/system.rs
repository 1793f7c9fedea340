//! The machine as a whole, for its PID 1, and /proc as a list of processes.

use init::word::Word;

use super::file::AT_FDCWD;
use super::{Result, decode, decode_unit, syscall};

/// What reboot(2) is to do (linux/reboot.h).
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Reboot {
    /// Ctrl-Alt-Del sends us SIGINT from now on. A pid namespace's own PID 1 gets EINVAL.
    CatchCtrlAltDel = 0,
    Restart = 0x0123_4567,
    Halt = 0xcdef_0123,
    PowerOff = 0x4321_fedc,
}

/// reboot(2). For the last three only failure returns, and in a pid namespace it ends its init.
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

/// mkdir(2) for everybody to enter.
pub fn make_directory(path: Word<'_>) -> Result<()> {
    // SAFETY: the path ends with NUL.
    decode_unit(unsafe { syscall!(MKDIRAT, AT_FDCWD, path.as_ptr(), 0o755) })
}

/// Opens a terminal as standard input, output and error, if there is no standard input.
pub fn open_standard(path: Word<'_>) {
    const F_GETFD: usize = 1;
    const O_RDWR_NOCTTY: usize = 0o402;
    // SAFETY: the path ends with NUL. Who has no 0 has no 1 and 2 either: these are the free ones,
    // in turn.
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
    // SAFETY: the path ends with NUL; a byte is read into a byte; the fd is ours.
    unsafe {
        let fd = decode(syscall!(OPENAT, AT_FDCWD, path, O_CLOEXEC, 0))?;
        let (mut pid, mut byte) = (0, 0u8);
        while syscall!(READ, fd, &raw mut byte, 1) == 1 {
            // Each number is followed by a blank.
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
