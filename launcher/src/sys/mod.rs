//! The launcher's only `unsafe`: one typed wrapper per system call.
//!
//! Raw calls by the `syscalls` crate, never libc's: they return the errno instead of leaving it
//! in memory, so they are right in the child as well, before exec, whoever's memory it runs in.
//! Descriptors come out as `OwnedFd` and go in borrowed; strings are `&CStr`.
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
    // SAFETY: the C runtime has set it, one thread reads it, and nobody in this program changes it:
    // an array of strings that end with NUL, up to a null.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            entries.push(CStr::from_ptr(*entry).to_bytes().to_vec());
            entry = entry.add(1);
        }
    }
    entries
}

/// What a system call gives.
pub type Result<T> = std::result::Result<T, Errno>;

/// The errno of an error of std's.
pub fn errno_of(error: &std::io::Error) -> Errno {
    Errno::new(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Takes ownership of a descriptor that a system call has just made.
fn own(fd: usize) -> OwnedFd {
    // SAFETY: the kernel returned this descriptor to this call alone, so nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}
