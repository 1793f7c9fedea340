//! Files, mounts and descriptors.

use init::word::Word;

use super::{Errno, Result, decode, decode_unit, syscall};

pub(super) const AT_FDCWD: isize = -100;

/// Changes into a directory; ELOOP or ENOTDIR if its last component is a symbolic link.
pub fn change_directory_nofollow(path: Word<'_>) -> Result<()> {
    const O_PATH_DIRECTORY_NOFOLLOW_CLOEXEC: usize =
        O_PATH | O_DIRECTORY | O_NOFOLLOW | 0o2_000_000;
    const O_PATH: usize = 0o10_000_000;
    #[cfg(any(target_arch = "x86_64", target_arch = "riscv64"))]
    const O_DIRECTORY: usize = 0o200_000;
    #[cfg(any(target_arch = "x86_64", target_arch = "riscv64"))]
    const O_NOFOLLOW: usize = 0o400_000;
    #[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
    const O_DIRECTORY: usize = 0o40_000;
    #[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
    const O_NOFOLLOW: usize = 0o100_000;
    // SAFETY: the path ends with NUL.
    let fd = decode(unsafe {
        syscall!(OPENAT, AT_FDCWD, path.as_ptr(), O_PATH_DIRECTORY_NOFOLLOW_CLOEXEC, 0)
    })?;
    // SAFETY: they take no memory; the fd is ours, and is not used after it is closed.
    unsafe {
        let result = decode_unit(syscall!(FCHDIR, fd as u32));
        syscall!(CLOSE, fd as u32);
        result
    }
}

/// chdir(2).
pub fn change_directory(path: Word<'_>) -> Result<()> {
    // SAFETY: the path ends with NUL.
    decode_unit(unsafe { syscall!(CHDIR, path.as_ptr()) })
}

pub const MS_RDONLY: usize = 1;
pub const MS_NOSUID: usize = 2;
pub const MS_NODEV: usize = 4;
pub const MS_NOEXEC: usize = 8;
pub const MS_REMOUNT: usize = 32;
pub const MS_BIND: usize = 4096;

/// mount(2), without data.
#[cold]
#[inline(never)]
pub fn mount(source: Word<'_>, target: Word<'_>, kind: Word<'_>, flags: usize) -> Result<()> {
    // SAFETY: all three words end with NUL; the data is null.
    decode_unit(unsafe {
        syscall!(MOUNT, source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, 0)
    })
}

/// umount2(2) with MNT_DETACH.
pub fn detach(target: Word<'_>) -> Result<()> {
    const MNT_DETACH: usize = 2;
    // SAFETY: the path ends with NUL.
    decode_unit(unsafe { syscall!(UMOUNT2, target.as_ptr(), MNT_DETACH) })
}

/// write(2), once. A report is one packet; for a message the rest does not matter.
pub fn write(fd: i32, bytes: &[u8]) -> Result<()> {
    // SAFETY: pointer and length are of one slice, which is only read.
    decode(unsafe { syscall!(WRITE, fd as u32, bytes.as_ptr(), bytes.len()) }).map(drop)
}

/// Reads the first bytes of a file; none if it cannot be read.
pub fn read_head<'a>(path: Word<'_>, buffer: &'a mut [u8; 256]) -> &'a [u8] {
    const O_CLOEXEC_NONBLOCK: usize = 0o2_004_000;
    // SAFETY: the path ends with NUL; the kernel writes at most the buffer's length; the fd is
    // ours, or an errno, which as a descriptor is EBADF.
    let count = unsafe {
        let fd = syscall!(OPENAT, AT_FDCWD, path.as_ptr(), O_CLOEXEC_NONBLOCK, 0);
        let count = syscall!(READ, fd, buffer.as_mut_ptr(), buffer.len());
        syscall!(CLOSE, fd as u32);
        count
    };
    buffer.get(..count).unwrap_or(&[])
}

/// Writes `length` bytes of a word to an existing file, in one write(2).
#[cold]
#[inline(never)]
pub fn overwrite(path: Word<'_>, text: Word<'_>, length: usize) -> Result<()> {
    const O_WRONLY_CLOEXEC: usize = 0o2_000_001;
    // SAFETY: the path ends with NUL. The kernel only reads `length` bytes at the text, or says
    // EFAULT if they are not readable. The fd is ours.
    unsafe {
        let fd = decode(syscall!(OPENAT, AT_FDCWD, path.as_ptr(), O_WRONLY_CLOEXEC, 0))?;
        let result = decode(syscall!(WRITE, fd as u32, text.as_ptr(), length)).map(drop);
        syscall!(CLOSE, fd as u32);
        result
    }
}

/// Sets close-on-exec.
pub fn close_on_exec(fd: i32) -> Result<()> {
    const F_SETFD: usize = 2;
    const FD_CLOEXEC: usize = 1;
    // SAFETY: it takes no memory.
    decode_unit(unsafe { syscall!(FCNTL, fd as u32, F_SETFD, FD_CLOEXEC) })
}

/// Closes every descriptor from `first` to `last`.
pub fn close_range(first: u32, last: u32) {
    /// Without close_range(2) (Linux 5.9, or a filter refuses it) descriptors are closed one by one
    /// up to this, the usual limit on open files. Those above stay open.
    const USUAL_LIMIT: u32 = 1024;
    // SAFETY: it takes no memory, and nothing in this process uses a descriptor of the ranges that
    // are closed.
    if decode_unit(unsafe { syscall!(CLOSE_RANGE, first, last, 0) }).is_err() {
        let mut fd = first;
        while fd <= last && fd < USUAL_LIMIT {
            // SAFETY: as above.
            unsafe { syscall!(CLOSE, fd) };
            fd += 1;
        }
    }
}

/// Whether a path leads to a file.
pub fn exists(path: Word<'_>) -> bool {
    // SAFETY: the path ends with NUL.
    decode_unit(unsafe { syscall!(FACCESSAT, AT_FDCWD, path.as_ptr(), 0) }).is_ok()
}

/// ESTALE if this path is not on a proc file system.
pub fn expect_proc(path: Word<'_>) -> Result<()> {
    const PROC_SUPER_MAGIC: usize = 0x9fa0;
    // struct statfs of any architecture: at most 120 bytes, of which the first word is the type.
    let mut stat = [0usize; 32];
    // SAFETY: the path ends with NUL; the kernel writes one struct statfs.
    decode_unit(unsafe { syscall!(STATFS, path.as_ptr(), stat.as_mut_ptr()) })?;
    if stat[0] == PROC_SUPER_MAGIC { Ok(()) } else { Err(Errno::ESTALE) }
}

/// The monotonic clock in microseconds.
#[cold]
pub fn now_micros() -> u64 {
    const CLOCK_MONOTONIC: usize = 1;
    let mut time = [0u64; 2];
    // SAFETY: the kernel writes one 64-bit timespec.
    unsafe { syscall!(CLOCK_GETTIME, CLOCK_MONOTONIC, time.as_mut_ptr()) };
    time[0] * 1_000_000 + time[1] / 1000
}
