//! System calls that only an attacker has a use for.

use std::ffi::{CStr, c_int};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use super::check;

/// A system call by its number, with plain numbers.
pub fn call(number: usize, [a, b, c]: [usize; 3]) -> io::Result<()> {
    // SAFETY: what the tests call takes no memory, or is given an address that nothing is at.
    let result = unsafe { libc::syscall(number as _, a, b, c, 0, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The same by the 32-bit x86 entry, which has numbers of its own.
#[cfg(target_arch = "x86_64")]
pub fn call_i386(number: usize, [a, b, c]: [usize; 3]) -> io::Result<()> {
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
pub fn call_i386(_: usize, _: [usize; 3]) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// To a port of 127.0.0.1, by TCP or what speaks it; with flags, by sending a byte.
pub fn connect(port: u16, protocol: c_int, flags: c_int) -> io::Result<()> {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    let (place, size) = (ptr::from_ref(&address).cast(), mem::size_of_val(&address) as u32);
    // SAFETY: the address and the byte outlive the calls; the descriptor is owned by nobody else.
    unsafe {
        let socket = check(libc::socket(libc::AF_INET, libc::SOCK_STREAM, protocol))?;
        let socket = OwnedFd::from_raw_fd(socket);
        let fd = socket.as_raw_fd();
        check(match flags {
            0 => libc::connect(fd, place, size),
            _ => libc::sendto(fd, b"x".as_ptr().cast(), 1, flags, place, size) as c_int,
        })
        .map(drop)
    }
}

/// By its path: the file is not opened, and need not be for writing.
pub fn truncate(path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::truncate(path.as_ptr(), 0) }).map(drop)
}

pub fn trace(pid: i32) -> io::Result<()> {
    let nothing = ptr::null_mut::<libc::c_void>();
    // SAFETY: PTRACE_SEIZE takes no memory.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nothing, nothing) } as c_int).map(drop)
}

/// One byte of another process's memory, at an address that nothing is at: EFAULT is success.
pub fn read_memory(pid: i32) -> io::Result<()> {
    let mut byte = 0_u8;
    let own = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let theirs = libc::iovec { iov_base: ptr::without_provenance_mut(8), iov_len: 1 };
    // SAFETY: the kernel writes at most one byte, to `byte`.
    let read = unsafe { libc::process_vm_readv(pid, &raw const own, 1, &raw const theirs, 1, 0) };
    check(read as c_int).map(drop)
}

/// The same, to write one.
pub fn write_memory(pid: i32) -> io::Result<()> {
    let mut byte = 0_u8;
    let own = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let theirs = libc::iovec { iov_base: ptr::without_provenance_mut(8), iov_len: 1 };
    // SAFETY: the kernel reads at most one byte, of `byte`.
    let wrote = unsafe { libc::process_vm_writev(pid, &raw const own, 1, &raw const theirs, 1, 0) };
    check(wrote as c_int).map(drop)
}

/// What comes as SCM_RIGHTS of unix(7).
pub fn receive_descriptor(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // struct cmsghdr and a number, as large as they are aligned.
    let mut control = [0_u64; 3];
    // SAFETY: all zero is a message without anything.
    let mut message = unsafe { mem::zeroed::<libc::msghdr>() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the kernel writes no more than the sizes that stand in the message. A header that is
    // there has a descriptor behind it, which nobody else owns.
    unsafe {
        check(libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) as c_int)?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(io::Error::from_raw_os_error(libc::EBADMSG));
        }
        Ok(OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<c_int>().read_unaligned()))
    }
}

/// A descriptor of another process's (pidfd_getfd(2)).
pub fn take_descriptor(pid: i32, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: neither takes memory; nobody else owns the new descriptors.
    unsafe {
        let process = check(libc::syscall(libc::SYS_pidfd_open, pid, 0) as c_int)?;
        let process = OwnedFd::from_raw_fd(process);
        let taken = libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0);
        check(taken as c_int).map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

/// A key of a session's, or of those it leads to.
pub fn request_key(name: &CStr) -> io::Result<()> {
    let (kind, name) = (c"user".as_ptr(), name.as_ptr());
    let none = ptr::null::<u8>();
    // SAFETY: both strings end with NUL; nothing is told to who might make the key.
    let key = unsafe { libc::syscall(libc::SYS_request_key, kind, name, none, 0) };
    check(key as c_int).map(drop)
}

/// A key of the user's own keyring, which is the session's too from here on.
pub fn find_users_key(name: &CStr) -> io::Result<()> {
    /// linux/keyctl.h.
    const LINK: i32 = 8;
    const SEARCH: i32 = 10;
    const SESSION: i32 = -3;
    const USERS: i32 = -4;
    // SAFETY: takes no memory.
    let linked = unsafe { libc::syscall(libc::SYS_keyctl, LINK, USERS, SESSION) };
    check(linked as c_int)?;
    let (kind, name) = (c"user".as_ptr(), name.as_ptr());
    // SAFETY: both strings end with NUL.
    let key = unsafe { libc::syscall(libc::SYS_keyctl, SEARCH, USERS, kind, name, 0) };
    check(key as c_int).map(drop)
}

/// What the kernel answers to a message with nothing in it, on a netlink socket of a family.
pub fn ask_netlink(family: i32, kind: u16) -> io::Result<()> {
    /// struct nlmsghdr, and as many zeros as the longest header of those asked has (ifinfomsg).
    #[repr(C)]
    struct Message {
        length: u32,
        kind: u16,
        flags: u16,
        sequence: u32,
        port: u32,
        rest: [i32; 16],
    }
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    let flags = REQUEST_AND_ACKNOWLEDGE;
    let mut message = Message { length: 32, kind, flags, sequence: 1, port: 0, rest: [0; 16] };
    // SAFETY: the kernel reads and writes no more than a Message is long.
    unsafe {
        let socket = check(libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, family))?;
        let (start, size) = ((&raw mut message).cast(), mem::size_of::<Message>());
        check(libc::send(socket, start, 32, 0) as c_int)?;
        check(libc::recv(socket, start, size, 0) as c_int)?;
    }
    // NLMSG_ERROR: the first number after the header is the errno, negative, or 0.
    match message.rest[0] {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
