//! The probe's system calls, and its entry.
//!
//! Rust's own start-up code would ignore SIGPIPE and open the standard descriptors that are
//! closed: both are facts that the tests want to see as they were handed over.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem;
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

pub fn mount_tmpfs(path: &CStr) -> io::Result<()> {
    let tmpfs = c"tmpfs".as_ptr();
    // SAFETY: all strings end with NUL, and tmpfs takes no data.
    check(unsafe { libc::mount(tmpfs, path.as_ptr(), tmpfs, 0, ptr::null()) }).map(drop)
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
    // SAFETY: the path ends with NUL; setns takes no memory.
    unsafe { check(libc::setns(check(libc::open(path.as_ptr(), libc::O_RDONLY))?, 0)) }.map(drop)
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

/// Opens what a path leads to once more, by its file handle.
pub fn open_by_handle(path: &CStr) -> io::Result<()> {
    /// struct file_handle: the size of what is behind the two numbers, and their like.
    #[repr(C)]
    struct Handle {
        size: u32,
        kind: i32,
        bytes: [u8; 128],
    }
    let mut handle = Handle { size: 128, kind: 0, bytes: [0; 128] };
    let mut mount = 0;
    // SAFETY: the path ends with NUL; the kernel writes as many bytes as the size says, and reads
    // as many as it then says; the descriptors are closed with the probe.
    unsafe {
        let (from, name) = (libc::AT_FDCWD, path.as_ptr());
        let (to, id) = (&raw mut handle, &raw mut mount);
        check(libc::syscall(libc::SYS_name_to_handle_at, from, name, to, id, 0) as c_int)?;
        let mount = check(libc::open(name, libc::O_RDONLY))?;
        let flags = libc::O_RDONLY;
        check(libc::syscall(libc::SYS_open_by_handle_at, mount, to, flags) as c_int).map(drop)
    }
}

/// A system call by its number, with plain numbers.
pub fn call([number, a, b, c]: [usize; 4]) -> io::Result<()> {
    // SAFETY: what the tests call takes no memory, or is given an address that nothing is at.
    let result = unsafe { libc::syscall(number as _, a, b, c, 0, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The same by the 32-bit x86 entry, which has numbers of its own.
#[cfg(target_arch = "x86_64")]
pub fn call_i386([number, a, b, c]: [usize; 4]) -> io::Result<()> {
    let mut result = number;
    // SAFETY: as above; rbx is the compiler's own, and is put back. The kernel may zero r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {a:r}",
            "int 0x80",
            "xchg rbx, {a:r}",
            a = inout(reg) a => _,
            inout("rax") result,
            in("rcx") b,
            in("rdx") c,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack),
        );
    }
    let result = result as u32 as i32;
    if (-4095..0).contains(&result) { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}

/// Other machines have no such entry.
#[cfg(not(target_arch = "x86_64"))]
pub fn call_i386(_: [usize; 4]) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

pub fn trace(pid: i32) -> io::Result<()> {
    let nothing = ptr::null_mut::<libc::c_void>();
    // SAFETY: PTRACE_SEIZE takes no memory.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nothing, nothing) } as c_int).map(drop)
}

/// Makes it, so that /dev/mqueue shows it.
pub fn open_message_queue(name: &CString) -> io::Result<()> {
    let flags = libc::O_CREAT | libc::O_RDWR;
    let defaults = ptr::null_mut::<libc::mq_attr>();
    // SAFETY: the name ends with NUL, and no attributes mean the kernel's own.
    check(unsafe { libc::mq_open(name.as_ptr(), flags, 0o600, defaults) }).map(drop)
}
