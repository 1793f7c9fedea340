//! A network namespace for a thread, and what is in it that no file tells.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// unshare(2): this thread, and what it starts, has a network of its own with nothing in it.
pub fn leave_network() -> io::Result<()> {
    // SAFETY: takes no memory; of this process only this thread changes.
    super::check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// What the kernel calls this thread.
pub fn thread_id() -> i32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::gettid() }
}

/// What the kernel says of all tables of nf_tables (NFT_MSG_GETTABLE), in which their names stand.
pub fn nf_tables() -> io::Result<String> {
    const GET_TABLE: u16 = 10 << 8 | 1;
    const REQUEST_DUMP: u16 = 0x301;
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no memory.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) };
    let socket = super::check(socket)?;
    // SAFETY: it is open, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // struct nlmsghdr, and a struct nfgenmsg of all families.
    let mut question = [0u8; 20];
    question[0] = 20;
    question[4..6].copy_from_slice(&GET_TABLE.to_ne_bytes());
    question[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    // SAFETY: the kernel reads the question.
    let sent = unsafe { libc::send(socket.as_raw_fd(), question.as_ptr().cast(), 20, 0) };
    super::check(sent as i32)?;
    let (mut all, mut buffer) = (Vec::new(), vec![0u8; 32 << 10]);
    loop {
        let (start, size) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: the kernel writes at most so many bytes.
        match super::check(unsafe { libc::recv(socket.as_raw_fd(), start, size, 0) } as i32) {
            Ok(count) => all.extend_from_slice(&buffer[..count as usize]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}
