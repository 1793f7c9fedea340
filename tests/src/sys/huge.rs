//! Huge pages.

#![allow(unsafe_code)]

use std::io;
use std::ptr;

/// So many of 2 MiB, by mmap(2), each written to.
pub fn take(count: usize) -> io::Result<()> {
    const SIZE: usize = 2 << 20;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB | libc::MAP_HUGE_2MB;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, where the kernel likes.
    let start = unsafe { libc::mmap(ptr::null_mut(), count * SIZE, access, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    for page in 0..count {
        // SAFETY: within the mapping, which stays and which nobody else knows.
        unsafe { start.cast::<u8>().add(page * SIZE).write_volatile(1) };
    }
    Ok(())
}
