//! init's only `unsafe`: one typed wrapper per system call, over the `sc` crate.
//!
//! Everything above works with `Result<_, Errno>`, `&CStr` and plain numbers. No wrapper touches
//! memory that it was not lent.
#![allow(unsafe_code)]

mod file;
mod process;
mod signal;
mod start;

use core::ffi::CStr;

use sc::syscall;

pub use file::*;
pub use process::*;
pub use signal::*;

/// An errno, as the kernel returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    pub const ENOENT: Errno = Errno(2);
    pub const ENOEXEC: Errno = Errno(8);
    pub const ECHILD: Errno = Errno(10);
    pub const EAGAIN: Errno = Errno(11);
    pub const EACCES: Errno = Errno(13);
    pub const ENOTDIR: Errno = Errno(20);
    pub const EINVAL: Errno = Errno(22);
    pub const ENAMETOOLONG: Errno = Errno(36);
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

// ---- what the kernel handed over -------------------------------------------------------------

/// argv and the environment. They live on the initial stack, as long as the process does.
#[derive(Clone, Copy)]
pub struct Process {
    argc: usize,
    argv: *mut *const u8,
    envp: *const *const u8,
}

/// Called by `_start` with the stack pointer the kernel set up.
extern "C" fn entry(stack: *mut usize) -> ! {
    // SAFETY: the kernel puts argc at the stack pointer, argv with its NULL behind it, then the
    // environment with its NULL (fs/binfmt_elf.c, create_elf_tables).
    let process = unsafe {
        let argc = *stack;
        let argv = stack.add(1).cast::<*const u8>();
        Process { argc, argv, envp: argv.add(argc + 1) }
    };
    exit(crate::main(process))
}

impl Process {
    /// A word of argv.
    pub fn word(self, index: usize) -> Option<&'static CStr> {
        // SAFETY: the index is in range, and the kernel ends every word with NUL; nothing writes
        // to them.
        (index < self.argc).then(|| unsafe { CStr::from_ptr((*self.argv.add(index)).cast()) })
    }

    /// All words of argv.
    pub fn words(self) -> impl Iterator<Item = &'static CStr> {
        (0..self.argc).filter_map(move |index| self.word(index))
    }

    /// The value of an environment variable.
    pub fn env(self, name: &[u8]) -> Option<&'static [u8]> {
        let mut at = self.envp;
        loop {
            // SAFETY: `at` walks the environment up to its NULL; each entry ends with NUL.
            let entry = unsafe {
                if (*at).is_null() {
                    return None;
                }
                CStr::from_ptr((*at).cast()).to_bytes()
            };
            if let Some(value) = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
                return Some(value);
            }
            // SAFETY: the entry was not the NULL at the end.
            at = unsafe { at.add(1) };
        }
    }

    /// Puts other words before the command's own: `sh FILE` for a file without `#!`.
    /// `index` is the command's, at least 1; the slot before it is one of init's own words.
    pub fn prepend_shell(self, index: usize, shell: &'static CStr, file: &CStr) {
        // SAFETY: `index - 1` and `index` are slots of argv. `file` outlives the execve that
        // follows: the caller keeps it on its own stack until then.
        unsafe {
            *self.argv.add(index - 1) = shell.as_ptr().cast();
            *self.argv.add(index) = file.as_ptr().cast();
        }
    }

    /// execve(2) with argv from `index` on and the whole environment. Returns only to fail.
    pub fn execute(self, path: &CStr, index: usize) -> Errno {
        // SAFETY: the path ends with NUL; argv and envp are NULL-terminated arrays of
        // NUL-terminated words.
        let result = unsafe { syscall!(EXECVE, path.as_ptr(), self.argv.add(index), self.envp) };
        decode(result).err().unwrap_or(Errno::EINVAL)
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // A bug: say so by the code that means "ours", as there is nobody to print for.
    exit(init::exit::FAILED)
}
