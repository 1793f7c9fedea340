//! What a network needs besides the netlink messages: the loopback interface, sockets, and reserved
//! ports.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use syscalls::{Sysno, syscall};

use super::{Errno, Result, own};

/// struct ifreq of linux/if.h with the flags of its union: 40 bytes on 64-bit machines.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// Sets IFF_UP on `lo`; the kernel gives it 127.0.0.1 and ::1 itself.
pub fn raise_loopback() -> Result<()> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: it takes no memory.
    let socket = unsafe { syscall!(Sysno::socket, libc::AF_INET, kind, 0) }.map(own)?;
    let mut request = InterfaceRequest { name: [0; 16], flags: 0, rest: [0; 22] };
    request.name[..2].copy_from_slice(b"lo");
    request.flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: the kernel reads one struct ifreq.
    unsafe { syscall!(Sysno::ioctl, socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }
        .map(drop)
}

/// socket(2) of a netlink family (netlink(7)), non-blocking.
pub fn open_netlink(family: i32) -> Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::socket, libc::AF_NETLINK, kind, family) }.map(own)
}

/// SO_SNDBUFFORCE: has a socket take packets of this size, whatever net.core.wmem_max says. Takes
/// CAP_NET_ADMIN.
pub fn raise_send_buffer(socket: BorrowedFd<'_>, size: usize) -> Result<()> {
    let size = size.try_into().map_err(|_| Errno::EMSGSIZE)?;
    set_option(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, size)
}

/// Reserves a port of the host's, so that no other program can bind it; EADDRINUSE if one has it.
/// It listens only as long as it takes to find that out.
///
/// SO_REUSEADDR, so that connections in TIME_WAIT of an earlier owner are no obstacle. With that
/// alone every program that sets it, too, could bind the port. So it is cleared while the port is
/// listened on, which excludes all others; then the listening ends.
pub fn reserve_port(address: IpAddr, port: u16, is_tcp: bool) -> Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = if is_tcp { libc::SOCK_STREAM } else { libc::SOCK_DGRAM } | libc::SOCK_CLOEXEC;
    // SAFETY: it takes no memory.
    let socket = unsafe { syscall!(Sysno::socket, family, kind, 0) }.map(own)?;
    // struct sockaddr_in or sockaddr_in6: family, port, for IPv6 the flow label, address, padding
    // or scope.
    let mut bytes = (family as u16).to_ne_bytes().to_vec();
    bytes.extend_from_slice(&port.to_be_bytes());
    match address {
        IpAddr::V4(v4) => {
            bytes.extend_from_slice(&v4.octets());
            bytes.resize(16, 0);
        }
        IpAddr::V6(v6) => {
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&v6.octets());
            bytes.resize(28, 0);
            // Without IPv4, for which another socket can reserve the same port.
            set_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
    }
    if is_tcp {
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    }
    // SAFETY: pointer and length are of one buffer, which the kernel only reads.
    unsafe { syscall!(Sysno::bind, socket.as_raw_fd(), bytes.as_ptr(), bytes.len()) }?;
    if is_tcp {
        // SAFETY: it takes no memory.
        unsafe { syscall!(Sysno::listen, socket.as_raw_fd(), 0) }?;
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 0)?;
        // SAFETY: as above.
        unsafe { syscall!(Sysno::shutdown, socket.as_raw_fd(), libc::SHUT_RD) }?;
    }
    Ok(socket)
}

/// setsockopt(2) with a number.
fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> Result<()> {
    let (value, size) = (&raw const value, size_of::<i32>());
    // SAFETY: the kernel reads one int.
    unsafe { syscall!(Sysno::setsockopt, socket.as_raw_fd(), level, option, value, size) }.map(drop)
}
