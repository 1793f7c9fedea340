//! init's only `unsafe`: one typed wrapper per system call, over the `sc` crate.
//!
//! Everything above works with `Result<_, Errno>`, `&CStr` and plain numbers. No wrapper touches
//! memory that it was not lent.
#![allow(unsafe_code)]

#[cfg(target_arch = "arm")]
mod arm;
mod file;
mod memory;
mod path;
mod process;
mod signal;
mod start;
mod system;
mod terminal;
mod words;

pub use file::*;
pub use path::PathBuffer;
pub use process::*;
pub use signal::*;
pub use system::*;
pub use terminal::*;
pub use words::Process;

use words::entry;

/// `syscall!(NAME, argument…)`, each argument as a machine word.
#[cfg(not(target_arch = "arm"))]
use sc::syscall;

#[cfg(target_arch = "arm")]
macro_rules! syscall {
    ($name:ident $(, $argument:expr)*) => {
        $crate::sys::arm::call($crate::sys::arm::nr::$name, [$($argument as usize),*])
    };
}
#[cfg(target_arch = "arm")]
use syscall;

/// An errno, as the kernel returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    pub const ENOENT: Errno = Errno(2);
    pub const EINTR: Errno = Errno(4);
    pub const ENOEXEC: Errno = Errno(8);
    pub const EAGAIN: Errno = Errno(11);
    pub const EACCES: Errno = Errno(13);
    pub const ENOTDIR: Errno = Errno(20);
    pub const ENODEV: Errno = Errno(19);
    pub const EINVAL: Errno = Errno(22);
    pub const ENAMETOOLONG: Errno = Errno(36);
    pub const ETIMEDOUT: Errno = Errno(110);
    pub const ESTALE: Errno = Errno(116);
}

pub type Result<T> = core::result::Result<T, Errno>;

/// The kernel's convention: -4095 to -1 are errnos.
fn decode(value: usize) -> Result<usize> {
    match -(value as isize) {
        errno @ 1..=4095 => Err(Errno(errno as u16)),
        _ => Ok(value),
    }
}

fn decode_unit(value: usize) -> Result<()> {
    decode(value).map(drop)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // A bug: say so by the code that means "ours", as there is nobody to print for.
    exit(init::exit::FAILED)
}
