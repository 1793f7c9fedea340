//! The floor's system calls: every one that is refused ends it, with the call's name.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_long};
use std::io;
use std::ptr;

/// What was refused, and the errno.
pub type Result<T> = std::result::Result<T, (&'static str, io::Error)>;

pub const READ_ONLY: u64 = libc::MS_RDONLY;
pub const NOSUID: u64 = libc::MS_NOSUID;
pub const NODEV: u64 = libc::MS_NODEV;
pub const NOEXEC: u64 = libc::MS_NOEXEC;
pub const BIND: u64 = libc::MS_BIND | libc::MS_REC;
pub const PRIVATE: u64 = libc::MS_PRIVATE | libc::MS_REC;

#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, argv: *const *const c_char) -> c_int {
    crate::run(&Words(argv))
}

const USAGE: &str = "floor [--confine FILTER] ROOTFS INIT COMMAND [ARG…]";

/// argv, as the kernel handed it over.
pub struct Words(*const *const c_char);

impl Words {
    /// The word at this place.
    pub fn word(&self, index: usize) -> Result<&CStr> {
        for at in 0..=index {
            // SAFETY: argv ends with null, which is not passed over.
            if unsafe { *self.0.add(at) }.is_null() {
                return Err(("usage", io::Error::other(USAGE)));
            }
        }
        // SAFETY: not null, so a string that ends with NUL and is never freed.
        Ok(unsafe { CStr::from_ptr(*self.0.add(index)) })
    }

    /// Those from this place on.
    pub fn from(&self, index: usize) -> Result<Words> {
        self.word(index)?;
        // SAFETY: the word at this place is there.
        Ok(Words(unsafe { self.0.add(index) }))
    }
}

/// After the clone.
pub enum Side {
    Child,
    Parent(i32),
}

fn check(what: &'static str, result: c_long) -> Result<c_long> {
    if result < 0 { Err((what, io::Error::last_os_error())) } else { Ok(result) }
}

/// A system call of up to six words. The callers pass numbers, strings that end with NUL, and
/// structs of the size that the call has.
fn call<const N: usize>(what: &'static str, number: c_long, words: [usize; N]) -> Result<c_long> {
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    // SAFETY: as the callers promise; every pointer is to what outlives the call.
    let result =
        unsafe { libc::syscall(number, word(0), word(1), word(2), word(3), word(4), word(5)) };
    check(what, result)
}

fn place(text: &CStr) -> usize {
    text.as_ptr() as usize
}

const HERE: usize = libc::AT_FDCWD as usize;

pub fn uid() -> u32 {
    // SAFETY: takes no memory.
    unsafe { libc::geteuid() }
}

pub fn gid() -> u32 {
    // SAFETY: takes no memory.
    unsafe { libc::getegid() }
}

/// A program to execute.
pub fn open(path: &CStr) -> Result<i32> {
    let flags = (libc::O_PATH | libc::O_CLOEXEC) as usize;
    call("open init", libc::SYS_openat, [HERE, place(path), flags]).map(|fd| fd as i32)
}

pub fn pipe() -> Result<(i32, i32)> {
    let mut ends = [0i32; 2];
    call("pipe", libc::SYS_pipe2, [ends.as_mut_ptr() as usize, libc::O_CLOEXEC as usize])?;
    Ok((ends[0], ends[1]))
}

pub fn read(fd: i32) -> Result<()> {
    let mut byte = 0u8;
    call("read", libc::SYS_read, [fd as usize, &raw mut byte as usize, 1]).map(drop)
}

pub fn write(fd: i32) -> Result<()> {
    call("write", libc::SYS_write, [fd as usize, c"g".as_ptr() as usize, 1]).map(drop)
}

/// clone3 as a fork, into every namespace.
pub fn clone_container() -> Result<Side> {
    const TIME: u64 = 0x80;
    const NAMESPACES: [c_int; 7] = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWCGROUP,
    ];
    // struct clone_args, first version: flags, then at the fifth place the exit signal.
    let mut args = [0u64; 8];
    args[0] = NAMESPACES.iter().fold(TIME, |all, flag| all | u64::from(*flag as u32));
    args[4] = libc::SIGCHLD as u64;
    let size = size_of_val(&args);
    match call("clone3", libc::SYS_clone3, [args.as_ptr() as usize, size])? {
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid as i32)),
    }
}

/// Writes a file of the child's in /proc.
pub fn write_file(pid: i32, name: &'static str, text: &str) -> Result<()> {
    std::fs::write(format!("/proc/{pid}/{name}"), text).map_err(|error| (name, error))
}

pub fn clone_tree(path: &CStr) -> Result<i32> {
    const CLONE_RECURSIVE: usize = 1 | 0x8000;
    let flags = CLONE_RECURSIVE | libc::O_CLOEXEC as usize;
    call("open_tree", libc::SYS_open_tree, [HERE, place(path), flags]).map(|fd| fd as i32)
}

/// Maps the ids of a tree as the child's user namespace does.
pub fn map_tree(tree: i32, pid: i32) -> Result<()> {
    let user = format!("/proc/{pid}/ns/user\0");
    let flags = libc::O_CLOEXEC as usize;
    let user = call("open ns/user", libc::SYS_openat, [HERE, user.as_ptr() as usize, flags])?;
    // struct mount_attr: what to set (MOUNT_ATTR_IDMAP), to clear, propagation, user namespace.
    let attr = [0x0010_0000u64, 0, 0, user as u64];
    let (flags, size) = (0x8000 | libc::AT_EMPTY_PATH as usize, size_of_val(&attr));
    let words = [tree as usize, place(c""), flags, attr.as_ptr() as usize, size];
    call("mount_setattr", libc::SYS_mount_setattr, words).map(drop)
}

/// Over `/`, and into it.
pub fn attach(tree: i32) -> Result<()> {
    const FROM_DESCRIPTOR: usize = 4;
    let words = [tree as usize, place(c""), HERE, place(c"/"), FROM_DESCRIPTOR];
    call("move_mount", libc::SYS_move_mount, words)?;
    call("fchdir", libc::SYS_fchdir, [tree as usize]).map(drop)
}

pub fn drop_groups() -> Result<()> {
    call("setgroups", libc::SYS_setgroups, [0, 0]).map(drop)
}

pub fn become_root() -> Result<()> {
    call("setresgid", libc::SYS_setresgid, [0, 0, 0])?;
    call("setresuid", libc::SYS_setresuid, [0, 0, 0]).map(drop)
}

pub fn mount(from: &CStr, to: &CStr, kind: &CStr, flags: u64, options: &CStr) -> Result<()> {
    let words = [place(from), place(to), place(kind), flags as usize, place(options)];
    call("mount", libc::SYS_mount, words).map(drop)
}

pub fn enter(path: &CStr) -> Result<()> {
    call("chdir", libc::SYS_chdir, [place(path)]).map(drop)
}

pub fn make_file(path: &CStr) -> Result<()> {
    let mode = (libc::S_IFREG | 0o644) as usize;
    call("mknod", libc::SYS_mknodat, [HERE, place(path), mode, 0]).map(drop)
}

pub fn make_directory(path: &CStr) -> Result<()> {
    call("mkdir", libc::SYS_mkdirat, [HERE, place(path), 0o755]).map(drop)
}

pub fn make_link(to: &CStr, path: &CStr) -> Result<()> {
    call("symlink", libc::SYS_symlinkat, [place(to), HERE, place(path)]).map(drop)
}

pub fn raise_loopback() -> Result<()> {
    let words = [libc::AF_INET as usize, (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize, 0];
    let socket = call("socket", libc::SYS_socket, words)?;
    // SAFETY: ifreq is plain data, for which all zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    let (up, request) = (libc::SIOCSIFFLAGS as usize, &raw const request as usize);
    call("ioctl", libc::SYS_ioctl, [socket as usize, up, request]).map(drop)
}

pub fn set_hostname(name: &str) -> Result<()> {
    call("sethostname", libc::SYS_sethostname, [name.as_ptr() as usize, name.len()]).map(drop)
}

/// The current directory becomes the root, and the old one is gone.
pub fn pivot() -> Result<()> {
    call("pivot_root", libc::SYS_pivot_root, [place(c"."), place(c".")])?;
    call("umount2", libc::SYS_umount2, [place(c"."), libc::MNT_DETACH as usize])?;
    call("chdir", libc::SYS_chdir, [place(c"/")]).map(drop)
}

/// Out of the bounding set, all but these.
pub fn drop_capabilities(kept: u64) -> Result<()> {
    for capability in (0..64).filter(|capability| kept >> capability & 1 == 0) {
        let drop = libc::PR_CAPBSET_DROP as usize;
        match call("prctl", libc::SYS_prctl, [drop, capability]) {
            // Past the kernel's last one.
            Err((_, error)) if error.raw_os_error() == Some(libc::EINVAL) => break,
            other => other?,
        };
    }
    Ok(())
}

/// A filter of system calls, as the kernel takes it.
pub struct Filter(Vec<u8>);

impl Filter {
    pub fn read(path: &CStr) -> Result<Filter> {
        let path = path.to_string_lossy();
        std::fs::read(&*path).map(Filter).map_err(|error| ("read the filter", error))
    }

    pub fn install(&self) -> Result<()> {
        let no_new_privileges = libc::PR_SET_NO_NEW_PRIVS as usize;
        call("prctl", libc::SYS_prctl, [no_new_privileges, 1, 0, 0, 0])?;
        // struct sock_fprog: the count, padded, and the address.
        let program = [self.0.len() / 8, self.0.as_ptr() as usize];
        let filter = libc::SECCOMP_SET_MODE_FILTER as usize;
        call("seccomp", libc::SYS_seccomp, [filter, 0, program.as_ptr() as usize]).map(drop)
    }
}

/// init with the command; returns only to fail.
pub fn execute(init: i32, words: &Words) -> Result<i32> {
    // argv from INIT on: init's name, and the command.
    // SAFETY: three words were found before.
    let argv = unsafe { words.0.add(2) };
    let none = [ptr::null::<c_char>()];
    let flags = libc::AT_EMPTY_PATH as usize;
    let program = [init as usize, place(c""), argv as usize, none.as_ptr() as usize, flags];
    call("execveat", libc::SYS_execveat, program).map(|_| 0)
}

/// How the child ends, as an exit code.
pub fn wait(pid: i32) -> Result<i32> {
    let mut status = 0i32;
    call("wait4", libc::SYS_wait4, [pid as usize, &raw mut status as usize, 0, 0])?;
    match libc::WIFEXITED(status) {
        true => Ok(libc::WEXITSTATUS(status)),
        false => Ok(128 + libc::WTERMSIG(status)),
    }
}
