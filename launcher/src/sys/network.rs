//! The one thing a new network namespace needs: its loopback interface up.

use std::os::fd::AsRawFd;

use syscalls::{Sysno, syscall};

use super::{Result, own};

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
