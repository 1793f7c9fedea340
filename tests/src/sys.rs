//! The probe's system calls, and its entry.
//!
//! Rust's own start-up code would ignore SIGPIPE and open the standard descriptors that are
//! closed: both are facts that the tests want to see as they were handed over.

#![allow(unsafe_code)]

pub mod attack;
pub mod huge;

use std::ffi::{CStr, OsStr, c_char, c_int, c_ulong};
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::time::Duration;

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    let words = (0..count)
        // SAFETY: argv holds argc pointers to strings that end with NUL and are never freed.
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_bytes().to_vec())
        .collect::<Vec<_>>();
    crate::run(&words)
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Which side of a fork we are on.
pub enum Forked {
    Parent(i32),
    Child,
}

pub fn fork() -> io::Result<Forked> {
    // SAFETY: the probe has one thread, so the copy has no lock held by another.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid)),
    }
}

pub fn exit(code: i32) -> ! {
    // SAFETY: ends the process; runs no handlers.
    unsafe { libc::_exit(code) }
}

pub fn wait(pid: i32) -> io::Result<()> {
    // SAFETY: a null status pointer is allowed.
    check(unsafe { libc::waitpid(pid, ptr::null_mut(), 0) }).map(drop)
}

pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// By a signal's default action.
pub fn die_by(signal: i32) -> io::Result<()> {
    // SAFETY: SIG_DFL is no function of ours; KILL and STOP refuse the change and need none.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    set_mask(0);
    kill(own_pid(), signal)
}

fn set_mask(mask: u64) {
    // The raw call: musl's keeps three real-time signals for itself.
    // SAFETY: the kernel reads eight bytes of mask.
    unsafe {
        let old = ptr::null_mut::<u64>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, old, 8)
    };
}

pub fn block_all_signals() {
    set_mask(u64::MAX);
}

/// A signal that was taken from the queue.
pub struct Taken {
    pub signal: i32,
    pub code: i32,
    pub value: usize,
}

/// The next of the blocked signals, all of them.
pub fn next_signal(timeout: Option<Duration>) -> io::Result<Taken> {
    let time = timeout
        .map(|t| libc::timespec { tv_sec: t.as_secs() as _, tv_nsec: i64::from(t.subsec_nanos()) });
    let all = u64::MAX;
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: a siginfo_t of zeros is a valid one.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    // SAFETY: the kernel reads the set and the time, and writes one siginfo_t.
    let signal =
        unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &raw const all, &raw mut info, time, 8) };
    check(signal as c_int)?;
    // SAFETY: for the codes that carry no value the bytes are there nevertheless.
    let value = unsafe { info.si_value() }.sival_ptr as usize;
    Ok(Taken { signal: info.si_signo, code: info.si_code, value })
}

pub fn own_pid() -> i32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::getpid() }
}

pub fn parent_pid() -> i32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::getppid() }
}

pub fn session() -> i32 {
    // SAFETY: takes no memory.
    unsafe { libc::getsid(0) }
}

pub fn group() -> i32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::getpgrp() }
}

pub fn foreground_group(fd: i32) -> io::Result<i32> {
    // SAFETY: takes no memory.
    check(unsafe { libc::tcgetpgrp(fd) })
}

pub fn is_terminal(fd: i32) -> bool {
    // SAFETY: takes no memory.
    unsafe { libc::isatty(fd) == 1 }
}

pub fn start_session() -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Lets go of what the caller may be waiting to see the end of.
pub fn close_standard() {
    for fd in 0..3 {
        // SAFETY: nothing in the probe uses them afterwards.
        unsafe { libc::close(fd) };
    }
}

/// What an option of prctl(2)'s has for an answer.
pub fn ask_process(option: c_int) -> io::Result<c_int> {
    // SAFETY: these options take nothing, and so no memory.
    check(unsafe { libc::prctl(option, 0, 0, 0, 0) })
}

pub fn umask() -> u32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::umask(0) }
}

pub fn window_size(fd: i32) -> io::Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one struct winsize.
    check(unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_row, size.ws_col))
}

/// As if a person had typed it. The kernel looks at the lower half of `high` and the request: a
/// filter has to do the same.
pub fn type_into(fd: i32, byte: u8, high: u64) -> io::Result<()> {
    /// asm-generic/ioctls.h; the C libraries differ in its type.
    const TIOCSTI: u64 = 0x5412;
    let request = high | TIOCSTI;
    // SAFETY: the kernel reads one byte.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, fd, request, &raw const byte) };
    check(result as c_int).map(drop)
}

/// As if a person had pasted what is selected on a console (TIOCLINUX, TIOCL_PASTESEL).
pub fn paste_selection(fd: i32) -> io::Result<()> {
    let paste = 3u8;
    // SAFETY: the kernel reads one byte.
    check(unsafe { libc::ioctl(fd, libc::TIOCLINUX, &raw const paste) }).map(drop)
}

/// Makes it the controlling terminal of our session.
pub fn take_terminal(fd: i32) -> io::Result<()> {
    // SAFETY: this request takes a number.
    check(unsafe { libc::ioctl(fd, libc::TIOCSCTTY, 0) }).map(drop)
}

/// Its number.
pub fn open_pty() -> io::Result<u32> {
    let mut number = 0u32;
    // SAFETY: the path ends with NUL; the requests read and write one int each.
    unsafe {
        let master = check(libc::open(c"/dev/ptmx".as_ptr(), libc::O_RDWR | libc::O_NOCTTY))?;
        check(libc::unlockpt(master))?;
        check(libc::ioctl(master, libc::TIOCGPTN, &raw mut number))?;
    }
    Ok(number)
}

pub fn interface_is_up(name: &str) -> io::Result<bool> {
    // SAFETY: an ifreq of zeros is a valid one.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
    // SAFETY: the name ends with NUL; the kernel writes the flags, which are then what is there.
    unsafe {
        let socket = check(libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0))?;
        check(libc::ioctl(socket, libc::SIOCGIFFLAGS as _, &raw mut request))?;
        Ok(c_int::from(request.ifr_ifru.ifru_flags) & libc::IFF_UP != 0)
    }
}

/// A node of the null device.
pub fn make_null_node(path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, 3)) })
        .map(drop)
}

/// A new file system of a type.
pub fn mount(kind: &CStr, path: &CStr) -> io::Result<()> {
    let kind = kind.as_ptr();
    // SAFETY: all strings end with NUL, and no data are given.
    check(unsafe { libc::mount(kind, path.as_ptr(), kind, 0, ptr::null()) }).map(drop)
}

pub fn remount_writable(path: &CStr) -> io::Result<()> {
    let flags = libc::MS_REMOUNT | libc::MS_BIND;
    // SAFETY: the path ends with NUL, and a remount takes neither source nor type.
    check(unsafe { libc::mount(ptr::null(), path.as_ptr(), ptr::null(), flags, ptr::null()) })
        .map(drop)
}

pub fn detach(path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

pub fn chroot(path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::chroot(path.as_ptr()) }).map(drop)
}

pub fn enter_namespace(path: &CStr) -> io::Result<()> {
    let file = File::open(OsStr::from_bytes(path.to_bytes()))?;
    // Debian's Linux 5.10 opens /proc/PID/ns itself where it means to refuse: proc_ns_get_link of
    // fs/proc/namespaces.c has lost its EACCES, so the link leads nowhere. setns(2) finds that EINVAL.
    if file.metadata()?.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    enter_namespace_of(&file)
}

pub fn enter_namespace_of(file: &File) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::setns(file.as_raw_fd(), 0) }).map(drop)
}

/// With all that is mounted below.
pub fn bind(from: &CStr, to: &CStr) -> io::Result<()> {
    mount_with(from, to, libc::MS_BIND | libc::MS_REC)
}

pub fn move_mount(from: &CStr, to: &CStr) -> io::Result<()> {
    mount_with(from, to, libc::MS_MOVE)
}

fn mount_with(from: &CStr, to: &CStr, flags: c_ulong) -> io::Result<()> {
    // SAFETY: both paths end with NUL; no type and no data are used.
    check(unsafe { libc::mount(from.as_ptr(), to.as_ptr(), ptr::null(), flags, ptr::null()) })
        .map(drop)
}

pub fn pivot(new: &CStr, old: &CStr) -> io::Result<()> {
    // SAFETY: both paths end with NUL.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) } as c_int)
        .map(drop)
}

/// struct file_handle with the longest handle (MAX_HANDLE_SZ).
#[repr(C)]
struct Handle {
    size: u32,
    kind: i32,
    bytes: [u8; 128],
}

/// What a file system knows a file by: kind, then bytes in hexadecimal, with blanks for `:`.
pub fn handle_of(path: &CStr) -> io::Result<String> {
    let mut handle = Handle { size: 128, kind: 0, bytes: [0; 128] };
    let mut mount = 0;
    // SAFETY: the path ends with NUL; the kernel fills in a handle of at most `size` bytes.
    check(unsafe {
        let (at, handle) = (libc::AT_FDCWD, &raw mut handle);
        libc::syscall(libc::SYS_name_to_handle_at, at, path.as_ptr(), handle, &raw mut mount, 0)
    } as c_int)?;
    let bytes = handle.bytes[..handle.size as usize].iter().map(|byte| format!(":{byte:02x}"));
    Ok(format!("{}{}", handle.kind, bytes.collect::<String>()))
}

/// Opens what a path leads to once more, by its file handle.
pub fn open_by_handle(path: &CStr) -> io::Result<()> {
    open_known(path, &handle_of(path)?)
}

/// Opens what [`handle_of`] gave, on the file system of `mount`.
pub fn open_known(mount: &CStr, text: &str) -> io::Result<()> {
    let wrong = || io::Error::other("no handle");
    let (kind, bytes) = text.split_once(':').ok_or_else(wrong)?;
    let mut handle =
        Handle { size: 0, kind: kind.parse().map_err(io::Error::other)?, bytes: [0; 128] };
    for (place, byte) in handle.bytes.iter_mut().zip(bytes.split(':')) {
        *place = u8::from_str_radix(byte, 16).map_err(io::Error::other)?;
        handle.size += 1;
    }
    let mount = File::open(OsStr::from_bytes(mount.to_bytes()))?;
    // SAFETY: the kernel reads a handle of `size` bytes.
    check(unsafe {
        let (mount, handle) = (mount.as_raw_fd(), &raw mut handle);
        libc::syscall(libc::SYS_open_by_handle_at, mount, handle, libc::O_RDONLY)
    } as c_int)
    .map(drop)
}

pub fn uid() -> u32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::geteuid() }
}

pub fn gid() -> u32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::getegid() }
}

/// Until a signal ends us.
pub fn pause() {
    // SAFETY: takes no memory.
    unsafe { libc::pause() };
}

pub fn unshare(flags: c_int) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::unshare(flags) }).map(drop)
}

pub fn set_hostname(name: &str) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as the name has.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }).map(drop)
}

pub fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads as many ids as there are.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }).map(drop)
}

pub fn set_uid(uid: u32) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::setuid(uid) }).map(drop)
}

pub fn change_owner(path: &CStr, uid: u32) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::lchown(path.as_ptr(), uid, u32::MAX) }).map(drop)
}

/// keyctl(2): one of whom we know the number.
pub fn read_key(key: i32) -> io::Result<()> {
    const KEYCTL_READ: i32 = 11;
    // SAFETY: no byte is written to a buffer of none.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_READ, key, 0, 0) } as c_int).map(drop)
}

/// By our parent.
pub fn ask_to_be_traced() -> io::Result<()> {
    let nothing = ptr::null_mut::<libc::c_void>();
    // SAFETY: PTRACE_TRACEME takes no memory.
    check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, nothing, nothing) } as c_int).map(drop)
}

/// With O_CREAT it is made, so that /dev/mqueue shows it.
pub fn open_message_queue(name: &CStr, flags: c_int) -> io::Result<()> {
    let defaults = ptr::null_mut::<libc::mq_attr>();
    // SAFETY: the name ends with NUL, and no attributes mean the kernel's own.
    check(unsafe { libc::mq_open(name.as_ptr(), flags, 0o600, defaults) }).map(drop)
}

pub fn remove_message_queue(name: &CStr) -> io::Result<()> {
    // SAFETY: the name ends with NUL.
    check(unsafe { libc::mq_unlink(name.as_ptr()) }).map(drop)
}
