//! Somebody outside who hands a descriptor to whoever asks.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::check;

/// SCM_RIGHTS of unix(7).
pub fn send_descriptor(socket: &UnixStream, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut byte = b'x';
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // struct cmsghdr and a number, as large as they are aligned.
    let mut control = [0_u64; 3];
    // SAFETY: all zero is a message without anything. The header and what is behind it lie in
    // `control`, the kernel reads no more than the sizes that stand in the message.
    unsafe {
        let mut message = mem::zeroed::<libc::msghdr>();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(descriptor.as_raw_fd());
        check(libc::sendmsg(socket.as_raw_fd(), &raw const message, 0) as i32).map(drop)
    }
}
