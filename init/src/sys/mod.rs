//! init's only `unsafe`: one typed wrapper per system call, over the `sc` crate.
//!
//! The modules above use `Result<_, Errno>`, `Word` and plain numbers. No wrapper reads or writes
//! memory that was not passed to it.
#![allow(unsafe_code)]

#[cfg(target_arch = "arm")]
mod arm;
mod file;
mod handed;
mod memory;
mod process;
mod signal;
mod start;
mod system;
mod terminal;
mod text;

use core::num::NonZeroI32;

pub use file::*;
pub use handed::Handed;
pub use process::*;
pub use signal::*;
pub use system::*;
pub use terminal::*;
pub use text::{Entry, Path, Short, Text};

use handed::entry;

/// `syscall!(NAME, argument…)`, each argument as a machine word.
#[cfg(not(target_arch = "arm"))]
use sc::{syscall, syscall2};

#[cfg(target_arch = "arm")]
macro_rules! syscall {
    ($name:ident $(, $argument:expr)*) => {
        $crate::sys::arm::call($crate::sys::arm::nr::$name, [$($argument as usize),*])
    };
}
#[cfg(target_arch = "arm")]
use {arm::syscall2, syscall};

/// An errno as the kernel returns it, negative. Never 0, so that a `Result<()>` is one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(NonZeroI32);

impl Errno {
    const fn new(number: i32) -> Errno {
        match NonZeroI32::new(-number) {
            Some(number) => Errno(number),
            None => Errno(NonZeroI32::MIN),
        }
    }

    /// As errno(3) has it.
    pub fn number(self) -> i32 {
        -self.0.get()
    }

    pub const ENOENT: Errno = Errno::new(2);
    pub const ENOEXEC: Errno = Errno::new(8);
    pub const ECHILD: Errno = Errno::new(10);
    pub const EACCES: Errno = Errno::new(13);
    pub const ENOTDIR: Errno = Errno::new(20);
    pub const ENODEV: Errno = Errno::new(19);
    pub const EINVAL: Errno = Errno::new(22);
    pub const ENAMETOOLONG: Errno = Errno::new(36);
    pub const ELOOP: Errno = Errno::new(40);
    pub const ETIMEDOUT: Errno = Errno::new(110);
    pub const ESTALE: Errno = Errno::new(116);
}

pub type Result<T> = core::result::Result<T, Errno>;

/// The kernel's convention: -4095 to -1 are errnos. No call that is made here returns a number of
/// more than 31 bits or an address above them, so all negative ones are.
fn decode(value: usize) -> Result<i32> {
    match NonZeroI32::new(value as i32) {
        Some(errno) if errno.is_negative() => Err(Errno(errno)),
        _ => Ok(value as i32),
    }
}

/// For calls that return 0 or fail, and nothing else.
fn decode_unit(value: usize) -> Result<()> {
    match NonZeroI32::new(value as i32) {
        Some(errno) => Err(Errno(errno)),
        None => Ok(()),
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // A bug: exit with the code that means init's own failure.
    exit(init::exit::FAILED)
}
