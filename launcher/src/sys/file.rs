//! Files and descriptors.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use syscalls::{Sysno, syscall};

use super::mount::attr;
use super::{Errno, Result, memfd, own, statfs};

/// The directory that relative paths start from.
#[derive(Clone, Copy)]
pub enum At<'a> {
    /// The current directory.
    Cwd,
    /// This one.
    Dir(BorrowedFd<'a>),
}

impl At<'_> {
    pub(super) fn raw(self) -> RawFd {
        match self {
            At::Cwd => libc::AT_FDCWD,
            At::Dir(fd) => fd.as_raw_fd(),
        }
    }
}

/// openat(2).
pub fn open(at: At<'_>, path: &CStr, flags: i32) -> Result<OwnedFd> {
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::openat, at.raw(), path.as_ptr(), flags | libc::O_CLOEXEC, 0) }.map(own)
}

/// Creates a file to write to; it must not exist.
pub fn create(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> Result<OwnedFd> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::openat, dir.as_raw_fd(), name.as_ptr(), flags, mode) }.map(own)
}

/// Creates an empty file for a mount to cover; it must not exist.
pub fn create_empty(dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    make_node(dir, name, libc::S_IFREG | 0o644, 0)
}

/// mknodat(2); the device of a character or block device, as makedev(3) has it.
pub fn make_node(dir: BorrowedFd<'_>, name: &CStr, mode: u32, device: u64) -> Result<()> {
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::mknodat, dir.as_raw_fd(), name.as_ptr(), mode, device) }.map(drop)
}

/// struct open_how of linux/openat2.h.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// openat2(2) with RESOLVE_IN_ROOT: `root` is the root for the path, so that neither a symbolic
/// link nor `..` leads out of it. Magic links (/proc/PID/fd/N) are refused.
pub fn open_in_root(root: BorrowedFd<'_>, path: &CStr, flags: i32) -> Result<OwnedFd> {
    const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
    const RESOLVE_IN_ROOT: u64 = 0x10;
    let how = OpenHow {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    let size = size_of::<OpenHow>();
    // SAFETY: the path ends with NUL; the kernel reads one struct open_how, of the size that is
    // given.
    unsafe { syscall!(Sysno::openat2, root.as_raw_fd(), path.as_ptr(), &raw const how, size) }
        .map(own)
}

/// readlinkat(2) below a directory, or with an empty path of an open link. Returns how many bytes
/// of its target were read, without a NUL.
pub fn read_link(at: BorrowedFd<'_>, path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let (place, size) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: the path ends with NUL; pointer and size are of one slice, which is ours to write.
    unsafe { syscall!(Sysno::readlinkat, at.as_raw_fd(), path.as_ptr(), place, size) }
}

/// What is used of struct stat.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub dev: u64,
    pub ino: u64,
    pub size: u64,
    /// The device's number, of a device node.
    pub rdev: u64,
    /// How many names (hard links) it has.
    pub nlink: u64,
    /// The modification time (mtime), in seconds and nanoseconds.
    pub changed: (i64, i64),
}

impl Stat {
    /// Whether it is the same file as another.
    pub fn is_same(&self, other: &Stat) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }

    pub fn is_regular(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    pub fn is_dir(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }

    pub fn is_device(&self) -> bool {
        matches!(self.mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK)
    }

    /// Whether mount flags (MOUNT_ATTR_*) make a difference for this file.
    pub fn is_held_by(&self, flags: u64) -> bool {
        flags & attr::RDONLY != 0
            || flags & attr::NODEV != 0 && self.is_device()
            || flags & attr::NOSUID != 0 && self.mode & (libc::S_ISUID | libc::S_ISGID) != 0
    }

    pub fn is_socket(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFSOCK
    }

    pub fn is_fifo(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFIFO
    }

    pub fn is_link(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFLNK
    }

    /// Any of the three execute bits.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// fstatat(2), and not statx(2), which older seccomp filters refuse.
fn stat(at: RawFd, path: &CStr, flags: i32) -> Result<Stat> {
    #[cfg(target_arch = "aarch64")]
    const NUMBER: Sysno = Sysno::fstatat;
    #[cfg(not(target_arch = "aarch64"))]
    const NUMBER: Sysno = Sysno::newfstatat;
    // SAFETY: stat is plain data, for which all zero is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with NUL; the kernel fills one struct stat, whose layout on 64-bit
    // machines is that of libc::stat.
    unsafe { syscall!(NUMBER, at, path.as_ptr(), &raw mut stat, flags) }?;
    Ok(Stat {
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        dev: stat.st_dev,
        ino: stat.st_ino,
        size: stat.st_size as u64,
        rdev: stat.st_rdev,
        nlink: stat.st_nlink as _,
        changed: (stat.st_mtime, stat.st_mtime_nsec),
    })
}

/// fstat(2).
pub fn stat_fd(fd: BorrowedFd<'_>) -> Result<Stat> {
    stat(fd.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

/// stat(2).
pub fn stat_path(path: &CStr) -> Result<Stat> {
    stat(libc::AT_FDCWD, path, 0)
}

/// mkdirat(2).
pub fn make_dir(at: At<'_>, path: &CStr, mode: u32) -> Result<()> {
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::mkdirat, at.raw(), path.as_ptr(), mode) }.map(drop)
}

/// For [`change_owner`]: -1, by which an id stays as it is.
pub const KEEP: u32 = u32::MAX;

/// fchownat(2) of an open file.
pub fn change_owner(file: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<()> {
    let (fd, flags) = (file.as_raw_fd(), libc::AT_EMPTY_PATH);
    // SAFETY: the path ends with NUL.
    unsafe { syscall!(Sysno::fchownat, fd, c"".as_ptr(), uid, gid, flags) }.map(drop)
}

/// utimensat(2) of an open file: sets the modification time, in seconds and nanoseconds.
pub fn set_changed(file: BorrowedFd<'_>, (seconds, nanoseconds): (i64, i64)) -> Result<()> {
    let times = [[0, libc::UTIME_OMIT], [seconds, nanoseconds]];
    // SAFETY: the kernel reads two of its struct timespec, which is two numbers of 64 bits.
    unsafe { syscall!(Sysno::utimensat, file.as_raw_fd(), 0, times.as_ptr(), 0) }.map(drop)
}

/// fchmod(2).
pub fn change_mode(file: BorrowedFd<'_>, mode: u32) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::fchmod, file.as_raw_fd(), mode) }.map(drop)
}

/// Whether a file can have an extended attribute of this name (xattr(7)), by setting it and
/// removing it.
pub fn try_attribute(file: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let (fd, name) = (file.as_raw_fd(), name.as_ptr());
    // SAFETY: the name ends with NUL; a value of no bytes is not read.
    unsafe { syscall!(Sysno::fsetxattr, fd, name, 0, 0, 0) }?;
    // SAFETY: the name ends with NUL.
    unsafe { syscall!(Sysno::fremovexattr, fd, name) }.map(drop)
}

/// Whether this is what pipe(2) makes, and not a FIFO that has a name.
pub fn is_anonymous_pipe(fd: BorrowedFd<'_>) -> Result<bool> {
    const PIPEFS_MAGIC: u64 = 0x5049_5045;
    Ok(statfs::of(fd)?.kind == PIPEFS_MAGIC)
}

/// getdents64(2): calls `f` with every name in an open directory, and whether it is a directory's.
pub fn for_each_entry(
    dir: BorrowedFd<'_>,
    mut f: impl FnMut(&[u8], bool) -> Result<()>,
) -> Result<()> {
    // Offsets in struct linux_dirent64: two words, the record's length, the type, the name with its
    // NUL.
    const LENGTH: usize = 16;
    const TYPE: usize = 18;
    const NAME: usize = 19;
    let mut buffer = [0u8; 1024];
    loop {
        let (place, size) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: pointer and size are of one slice, which is ours to write.
        let count = unsafe { syscall!(Sysno::getdents64, dir.as_raw_fd(), place, size) }?;
        let mut rest = &buffer[..count];
        if rest.is_empty() {
            return Ok(());
        }
        while let Some(&[low, high]) = rest.get(LENGTH..LENGTH + 2) {
            let (record, behind) = rest.split_at(usize::from(u16::from_ne_bytes([low, high])));
            let name = record[NAME..].split(|&b| b == 0).next().unwrap_or(&[]);
            f(name, record[TYPE] == libc::DT_DIR)?;
            rest = behind;
        }
    }
}

/// fchdir(2).
pub fn enter_dir(dir: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::fchdir, dir.as_raw_fd()) }.map(drop)
}

/// umask(2): sets the file mode creation mask; returns the previous one.
pub fn set_umask(mask: u32) -> Result<u32> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::umask, mask) }.map(|old| old as u32)
}

/// pipe2(2): the end to read from, and the end to write to.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0i32; 2];
    // SAFETY: the kernel writes two descriptors.
    unsafe { syscall!(Sysno::pipe2, fds.as_mut_ptr(), libc::O_CLOEXEC) }?;
    Ok((own(fds[0] as usize), own(fds[1] as usize)))
}

/// write(2), once.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    // SAFETY: pointer and length are of one slice, which is only read.
    unsafe { syscall!(Sysno::write, fd.as_raw_fd(), bytes.as_ptr(), bytes.len()) }
}

/// write(2), repeated until all is written.
pub fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let count = write(fd, bytes)?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// pwrite(2), once, which does not move the file offset.
pub fn write_at(fd: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> Result<usize> {
    // SAFETY: pointer and length are of one slice, which is only read.
    unsafe { syscall!(Sysno::pwrite64, fd.as_raw_fd(), bytes.as_ptr(), bytes.len(), offset) }
}

/// read(2), once.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: pointer and length are of one slice, which is ours to write.
    unsafe { syscall!(Sysno::read, fd.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) }
}

/// A descriptor that the launcher's caller left open, by its number; EBADF if it did not. To be
/// called before the launcher opens files itself, which get the numbers that are free.
pub fn borrow_inherited(number: RawFd) -> Result<BorrowedFd<'static>> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::fcntl, number, libc::F_GETFD) }?;
    // SAFETY: it is open, and stays so: nothing in this program closes a descriptor that it was
    // started with.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

/// The same, to write to: EBADF as well if it is open for reading only.
pub fn borrow_for_writing(number: RawFd) -> Result<BorrowedFd<'static>> {
    // SAFETY: it takes no memory.
    let flags = unsafe { syscall!(Sysno::fcntl, number, libc::F_GETFL) }? as i32;
    if flags & libc::O_ACCMODE == libc::O_RDONLY {
        return Err(Errno::EBADF);
    }
    borrow_inherited(number)
}

/// Standard input, output or error, which are open since [`fill_standard_descriptors`].
pub fn standard(number: RawFd) -> BorrowedFd<'static> {
    assert!((0..=2).contains(&number));
    // SAFETY: open from the launcher's first step on, and nothing in this program closes it.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Reads a file from its offset to its end.
pub fn read_all(file: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match read(file, &mut buffer)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Opens /dev/null on each of 0, 1 and 2 that the caller left closed. Otherwise the next file that
/// is opened would be there, and a message to standard error would go into it.
pub fn fill_standard_descriptors() -> Result<()> {
    for number in 0..=2 {
        if borrow_inherited(number).is_err() {
            // The kernel takes the lowest free number, which is this one.
            // SAFETY: the path ends with NUL. The descriptor is not owned: it stays open for good.
            let null = unsafe {
                syscall!(Sysno::openat, libc::AT_FDCWD, c"/dev/null".as_ptr(), libc::O_RDWR, 0)
            };
            match null {
                // Nothing is mounted on the host's /dev: an empty file will do.
                Err(Errno::ENOENT) => {
                    set_close_on_exec(memfd::for_data(c"null")?.into_raw_fd(), false)?;
                }
                other => drop(other?),
            }
        }
    }
    Ok(())
}

/// Sets whether execve(2) closes a descriptor (FD_CLOEXEC).
pub fn set_close_on_exec(number: RawFd, close: bool) -> Result<()> {
    let flags = if close { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::fcntl, number, libc::F_SETFD, flags) }.map(drop)
}

/// O_NONBLOCK: reads and writes return EAGAIN where they would block.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: it takes no memory.
    let flags = unsafe { syscall!(Sysno::fcntl, fd.as_raw_fd(), libc::F_GETFL) }?;
    let flags = flags as i32 | libc::O_NONBLOCK;
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::fcntl, fd.as_raw_fd(), libc::F_SETFL, flags) }.map(drop)
}

/// Marks every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11 for the flag).
pub fn close_on_exec_from(first: u32) -> Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) }.map(drop)
}

/// close(2) of an inherited descriptor in the child, which has a copy of the parent's table; the
/// parent's stays open.
pub fn close_in_copy(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: it takes no memory. The OwnedFd is the parent's; the child neither uses nor drops it.
    unsafe { syscall!(Sysno::close, fd.as_raw_fd()) }.map(drop)
}

/// dup3(2) without close-on-exec: puts a file on a standard descriptor.
pub fn duplicate_onto(fd: BorrowedFd<'_>, number: RawFd) -> Result<()> {
    // SAFETY: it takes no memory; the target is a standard descriptor, which nothing owns.
    unsafe { syscall!(Sysno::dup3, fd.as_raw_fd(), number, 0) }.map(drop)
}
