//! The launcher's only `unsafe`: one typed wrapper per system call.
//!
//! Raw system calls by the `syscalls` crate, not libc's functions: they return the errno instead of
//! storing it in thread-local memory, which a child with CLONE_VM shares. Descriptors come out as
//! `OwnedFd` and go in borrowed; strings are `&CStr`, which end with NUL.
#![allow(unsafe_code)]

pub mod cgroup;
pub mod descriptors;
pub mod device;
#[cfg(not(test))]
pub mod entry;
pub mod file;
pub mod filter;
pub mod landlock;
pub mod lock;
pub mod memfd;
pub mod memory;
pub mod mount;
pub mod names;
pub mod network;
pub mod process;
pub mod processor;
pub mod shared;
pub mod signal;
pub mod socket;
pub mod statfs;
pub mod system;
pub mod terminal;
#[cfg(all(not(test), target_env = "musl"))]
mod unwind;

use std::ffi::{CStr, c_char};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

pub use syscalls::Errno;

/// The caller's environment: each entry as it was handed over.
pub fn environment() -> Vec<Vec<u8>> {
    unsafe extern "C" {
        /// environ(7): null where there is none, else an array that ends with null.
        static mut environ: *const *const c_char;
    }
    let mut entries = Vec::with_capacity(64);
    // SAFETY: the C runtime has set it before `main`, to null or to an array of strings that end
    // with NUL, which ends with null. The launcher has one thread, and nothing in it changes the
    // environment.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            entries.push(CStr::from_ptr(*entry).to_bytes().to_vec());
            entry = entry.add(1);
        }
    }
    entries
}

/// The result of a system call.
pub type Result<T> = std::result::Result<T, Errno>;

/// The errno of a std error; EIO for one that has none.
pub fn errno_of(error: &std::io::Error) -> Errno {
    Errno::new(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Takes ownership of a descriptor that a system call has just made.
fn own(fd: usize) -> OwnedFd {
    // SAFETY: the kernel returned this descriptor to this call alone, so nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}
