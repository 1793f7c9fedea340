//! Loop devices (loop(4)).

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use syscalls::{Sysno, syscall};

use super::file::{self, At};
use super::{Errno, Result};

/// struct loop_config of linux/loop.h, as far as it is used here.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    /// lo_device to lo_sizelimit.
    numbers: [u64; 5],
    /// lo_number, lo_encrypt_type, lo_encrypt_key_size.
    types: [u32; 3],
    flags: u32,
    /// Names and keys.
    rest: [u64; 22],
    reserved: [u64; 8],
}

/// Sets up a free loop device over a file, read-only and with AUTOCLEAR: the kernel clears it when
/// its last user closes it. Returns its path, and an open descriptor.
pub fn loop_over(image: BorrowedFd<'_>) -> Result<(CString, OwnedFd)> {
    const LOOP_CTL_GET_FREE: u32 = 0x4C82;
    const LOOP_CONFIGURE: u32 = 0x4C0A;
    const LO_FLAGS_READ_ONLY: u32 = 1;
    const LO_FLAGS_AUTOCLEAR: u32 = 4;
    let control = file::open(At::Cwd, c"/dev/loop-control", libc::O_RDWR)?;
    let config = LoopConfig {
        fd: image.as_raw_fd() as u32,
        block_size: 0,
        numbers: [0; 5],
        types: [0; 3],
        flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
        rest: [0; 22],
        reserved: [0; 8],
    };
    loop {
        // SAFETY: this request takes no memory.
        let number = unsafe { syscall!(Sysno::ioctl, control.as_raw_fd(), LOOP_CTL_GET_FREE) }?;
        let path = CString::new(format!("/dev/loop{number}")).map_err(|_| Errno::EINVAL)?;
        let device = file::open(At::Cwd, &path, libc::O_RDONLY)?;
        let fd = device.as_fd().as_raw_fd();
        // SAFETY: the kernel reads one struct loop_config.
        match unsafe { syscall!(Sysno::ioctl, fd, LOOP_CONFIGURE, &raw const config) } {
            // Another process has taken that device: ask for the next.
            Err(Errno::EBUSY) => {}
            other => return other.map(|_| (path, device)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_struct_is_the_kernels() {
        assert_eq!(size_of::<LoopConfig>(), 304);
        assert_eq!(std::mem::offset_of!(LoopConfig, flags), 60);
    }
}
