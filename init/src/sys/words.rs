//! argv and the environment, as the kernel handed them over.

use core::ffi::CStr;
use core::ptr;

use super::{Errno, decode, exit, syscall};

/// argv and the environment. They live on the initial stack, as long as the process does.
#[derive(Clone, Copy)]
pub struct Process {
    argc: usize,
    argv: *mut *const u8,
    envp: *mut *const u8,
}

/// Called by `_start` with the stack pointer the kernel set up.
pub extern "C" fn entry(stack: *mut usize) -> ! {
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
        if index >= self.argc {
            return None;
        }
        // SAFETY: the index is in range, and the kernel ends every word with NUL; nothing writes
        // to them.
        Some(unsafe { CStr::from_ptr((*self.argv.add(index)).cast()) })
    }

    /// The slot and the value of an environment variable.
    fn find(self, name: &[u8]) -> Option<(*mut *const u8, &'static [u8])> {
        let mut at = self.envp;
        loop {
            // SAFETY: `at` walks the environment up to its NULL; each entry ends with NUL.
            let entry = unsafe {
                if (*at).is_null() {
                    return None;
                }
                CStr::from_ptr((*at).cast()).to_bytes()
            };
            if let Some([b'=', value @ ..]) = entry.strip_prefix(name) {
                return Some((at, value));
            }
            // SAFETY: the entry was not the NULL at the end.
            at = unsafe { at.add(1) };
        }
    }

    /// The value of an environment variable.
    pub fn env(self, name: &[u8]) -> Option<&'static [u8]> {
        self.find(name).map(|(_, value)| value)
    }

    /// Replaces the whole entry `NAME=…` of a variable that is there.
    ///
    /// The new one has to live until execve(2): the caller keeps it on its own stack.
    pub fn replace_env(self, name: &[u8], entry: &CStr) {
        if let Some((slot, _)) = self.find(name) {
            // SAFETY: the slot is one of the environment's, which nobody else writes.
            unsafe { *slot = entry.as_ptr().cast() };
        }
    }

    /// Makes a text without need for anything after it the last word of argv; returns its index.
    pub fn make_last(self, word: &'static CStr) -> usize {
        // The kernel makes argc at least 1 from 5.18 on; before, this slot may be the NULL.
        let index = self.argc.saturating_sub(1);
        self.set(index, word.as_ptr().cast());
        index
    }

    fn set(self, index: usize, word: *const u8) {
        // SAFETY: the index is of a slot in argv, which nobody else writes.
        unsafe { *self.argv.add(index) = word };
    }

    /// Puts other words before the command's own: `sh FILE` for a file without `#!`.
    /// `index` is the command's, at least 1; the slot before it is one of init's own words.
    ///
    /// `file` has to live until execve(2): the caller keeps it on its own stack.
    pub fn prepend_shell(self, index: usize, shell: &'static CStr, file: &CStr) {
        self.set(index - 1, shell.as_ptr().cast());
        self.set(index, file.as_ptr().cast());
    }

    /// execve(2) with argv from `index` on and the whole environment. Returns only to fail.
    pub fn execute(self, path: &CStr, index: usize) -> Errno {
        // SAFETY: the path ends with NUL; argv and envp are NULL-terminated arrays of
        // NUL-terminated words.
        let result = unsafe {
            syscall!(EXECVE, path.as_ptr(), self.argv.add(index), ptr::from_ref(&*self.envp))
        };
        decode(result).err().unwrap_or(Errno::EINVAL)
    }
}
