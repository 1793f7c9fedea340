//! Sockets: the channel between parent and child, a pair that keeps packets apart; and poll.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use syscalls::{Sysno, syscall};

use super::{Result, own};

/// socketpair(2), SOCK_SEQPACKET: each write is one read, and each side sees when the other is
/// closed.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0i32; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors.
    unsafe { syscall!(Sysno::socketpair, libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) }?;
    Ok((own(fds[0] as usize), own(fds[1] as usize)))
}

/// struct cmsghdr with one descriptor: CMSG_SPACE(sizeof(int)), 24 bytes on 64-bit machines.
#[repr(C, align(8))]
struct Ancillary {
    length: usize,
    level: i32,
    kind: i32,
    fd: i32,
    padding: i32,
}

/// CMSG_LEN(sizeof(int)).
const ONE_FD: usize = 20;

/// Sends a packet with a descriptor (SCM_RIGHTS).
pub fn send_with_fd(socket: BorrowedFd<'_>, bytes: &[u8], fd: BorrowedFd<'_>) -> Result<()> {
    let mut ancillary = Ancillary {
        length: ONE_FD,
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        fd: fd.as_raw_fd(),
        padding: 0,
    };
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: msghdr is plain data, for which all zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut ancillary).cast();
    message.msg_controllen = size_of::<Ancillary>() as _;
    // SAFETY: the pointers in `message` are to locals that outlive the call, of the lengths given
    // beside them; the kernel only reads these.
    unsafe { syscall!(Sysno::sendmsg, socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) }
        .map(drop)
}

/// Receives a packet without waiting, and the descriptor that may come with it. No bytes: the
/// other side is gone. Of several descriptors the kernel closes all but the first: there is room for
/// one, and what it installed here beside that one would stay open.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    let mut ancillary = Ancillary { length: 0, level: 0, kind: 0, fd: -1, padding: 0 };
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain data, for which all zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut ancillary).cast();
    message.msg_controllen = ONE_FD as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: the pointers in `message` are to `buffer` and to locals that outlive the call, of the
    // lengths given beside them, and are writable.
    let count = unsafe { syscall!(Sysno::recvmsg, socket.as_raw_fd(), &raw mut message, flags) }?;
    let has_fd = message.msg_controllen as usize >= ONE_FD
        && ancillary.length == ONE_FD
        && ancillary.level == libc::SOL_SOCKET
        && ancillary.kind == libc::SCM_RIGHTS;
    Ok((count, has_fd.then(|| own(ancillary.fd as usize))))
}

pub use libc::pollfd;

/// For [`poll`]: until there is something to read, or the end of the stream. poll(2) passes over a
/// negative descriptor.
pub fn readable(fd: RawFd) -> pollfd {
    pollfd { fd, events: libc::POLLIN, revents: 0 }
}

/// ppoll(2) without a change of mask: how many are ready; 0 if the time is over, or a signal came.
#[inline(always)]
pub fn poll(fds: &mut [pollfd], timeout: Option<Duration>) -> Result<usize> {
    let time = timeout.map(|time| libc::timespec {
        tv_sec: time.as_secs() as _,
        tv_nsec: i64::from(time.subsec_nanos()),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: pointer and length are of one slice; `time` is null or one timespec; no mask is given.
    match unsafe { syscall!(Sysno::ppoll, fds.as_mut_ptr(), fds.len(), time, 0, 0) } {
        Err(super::Errno::EINTR) => Ok(0),
        other => other,
    }
}

/// Whether the other side is closed (POLLHUP).
pub fn is_hung_up(socket: BorrowedFd<'_>) -> Result<bool> {
    look(socket, 0).map(|events| events & libc::POLLHUP != 0)
}

/// Whether there is something to read.
pub fn is_readable(fd: BorrowedFd<'_>) -> Result<bool> {
    look(fd, libc::POLLIN).map(|events| events & libc::POLLIN != 0)
}

fn look(fd: BorrowedFd<'_>, events: i16) -> Result<i16> {
    let mut entry = [pollfd { fd: fd.as_raw_fd(), events, revents: 0 }];
    poll(&mut entry, Some(Duration::ZERO))?;
    Ok(entry[0].revents)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::file;

    #[test]
    fn of_two_descriptors_none_stays_open_unseen() {
        let (ours, theirs) = pair().unwrap();
        let (reader, writer) = file::pipe().unwrap();
        // As [`send_with_fd`], with both ends of the pipe.
        #[repr(C, align(8))]
        struct Two(usize, i32, i32, [i32; 2]);
        let ends = [reader.as_raw_fd(), writer.as_raw_fd()];
        let mut two = Two(24, libc::SOL_SOCKET, libc::SCM_RIGHTS, ends);
        let mut byte = [0u8];
        let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
        // SAFETY: msghdr is plain data, for which all zero is a value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        (message.msg_control, message.msg_controllen) =
            ((&raw mut two).cast(), size_of::<Two>() as _);
        // SAFETY: every pointer in `message` is to a live local of the stated length.
        unsafe { syscall!(Sysno::sendmsg, theirs.as_raw_fd(), &raw const message, 0) }.unwrap();
        let (count, first) = receive(ours.as_fd(), &mut [0]).unwrap();
        assert!(count == 1 && first.is_some());
        drop((reader, writer));
        // Nobody has the other end of the pipe, which was the second.
        assert!(is_hung_up(first.unwrap().as_fd()).unwrap());
    }
}
