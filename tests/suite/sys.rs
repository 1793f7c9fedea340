//! The suite's system calls: what std has no word for.

#![allow(unsafe_code)]

pub mod before;
#[cfg(target_arch = "x86_64")]
pub mod fault;
#[cfg(target_arch = "x86_64")]
pub mod first;
pub mod idmap;
pub mod keyring;
pub mod network;
pub mod smuggler;
pub mod terminal;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// Runs it: its exit code, and how many page faults it and its reaped children had.
pub fn run_and_count_faults(command: &mut Command) -> io::Result<(Option<i32>, u64)> {
    let child = command.spawn()?;
    let mut status = 0;
    // SAFETY: rusage is plain data, for which all zero is a value.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one int and one rusage.
    check(unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, &raw mut used) })?;
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    Ok((code, (used.ru_minflt + used.ru_majflt) as u64))
}

/// The version of Landlock's interface.
pub fn landlock_abi() -> io::Result<u32> {
    const VERSION: u32 = 1;
    let none = std::ptr::null::<u8>();
    // SAFETY: with this flag no memory is read.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    check(version as i32).map(|version| version as u32)
}

/// The effective user id.
pub fn uid() -> u32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::geteuid() }
}

/// The effective group id.
pub fn gid() -> u32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::getegid() }
}

/// renameat2(2) that exchanges two names.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (c_path(one)?, c_path(other)?);
    let (here, flags) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
    // SAFETY: both paths end with NUL.
    let result = unsafe {
        libc::syscall(libc::SYS_renameat2, here, one.as_ptr(), here, other.as_ptr(), flags)
    };
    check(result as i32).map(drop)
}

/// shmget(2) of a new page for us alone.
pub fn shared_memory(key: i32) -> io::Result<i32> {
    // SAFETY: takes no memory.
    check(unsafe { libc::shmget(key, 4096, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) })
}

/// Takes it away.
pub fn remove_shared_memory(id: i32) -> io::Result<()> {
    // SAFETY: this command takes no memory.
    check(unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

/// A key in the session keyring of this thread, which what it starts has too.
pub fn add_session_key(name: &str) -> io::Result<()> {
    const SESSION: i32 = -3;
    add_key(name, SESSION).map(drop)
}

/// A key in the keyring of our user, which all of the user's sessions lead to.
pub fn add_users_key(name: &str) -> io::Result<i32> {
    add_key(name, USERS_KEYRING)
}

/// Takes it out again.
pub fn remove_users_key(key: i32) -> io::Result<()> {
    const UNLINK: i32 = 9;
    // SAFETY: takes no memory.
    let done = unsafe { libc::syscall(libc::SYS_keyctl, UNLINK, key, USERS_KEYRING) };
    check(done as i32).map(drop)
}

const USERS_KEYRING: i32 = -4;

fn add_key(name: &str, keyring: i32) -> io::Result<i32> {
    let (kind, name) = (c"user".as_ptr(), CString::new(name)?);
    let (value, size) = (c"x".as_ptr(), 1);
    // SAFETY: the strings end with NUL, and the value has as many bytes.
    let key =
        unsafe { libc::syscall(libc::SYS_add_key, kind, name.as_ptr(), value, size, keyring) };
    check(key as i32)
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// tgkill(2): to the one thread of a process.
pub fn kill_thread(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::syscall(libc::SYS_tgkill, pid, pid, signal) } as i32).map(drop)
}

/// sigqueue(3), for the signals too that musl keeps for itself.
pub fn queue(pid: i32, signal: i32, value: usize) -> io::Result<()> {
    /// The layout of siginfo_t for a queued signal (asm-generic/siginfo.h), 64-bit.
    #[repr(C)]
    struct Info {
        signal: i32,
        errno: i32,
        code: i32,
        padding: i32,
        pid: i32,
        uid: u32,
        value: usize,
        rest: [u64; 12],
    }
    const SI_QUEUE: i32 = -1;
    let info = Info {
        signal,
        errno: 0,
        code: SI_QUEUE,
        padding: 0,
        pid: std::process::id() as i32,
        uid: uid(),
        value,
        rest: [0; 12],
    };
    // SAFETY: the kernel reads one siginfo_t, 128 bytes, which is the size of Info.
    check(unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, &raw const info) as i32 })
        .map(drop)
}

/// A FIFO.
pub fn make_fifo(path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }).map(drop)
}

/// A node of the null device.
pub fn make_null_node(path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, 3)) })?;
    // mknod(2) has minded the umask.
    // SAFETY: as above.
    check(unsafe { libc::chmod(path.as_ptr(), 0o666) }).map(drop)
}

/// Gives a new file in a directory a `user.` attribute.
pub fn try_attribute(directory: &Path) -> io::Result<()> {
    let file = directory.join(format!("attribute-{}", std::process::id()));
    std::fs::write(&file, "")?;
    let path = c_path(&file)?;
    let name = c"user.test".as_ptr();
    // SAFETY: both strings end with NUL; a value of no bytes is not read.
    let set = check(unsafe { libc::setxattr(path.as_ptr(), name, std::ptr::null(), 0, 0) });
    std::fs::remove_file(&file).and(set.map(drop))
}

/// The seals of a memfd; EINVAL for any other file.
pub fn seals(file: &File) -> io::Result<i32> {
    // SAFETY: it takes no memory.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) })
}
