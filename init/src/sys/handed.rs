//! argv and the environment, as the kernel handed them over and hands them on.

use core::mem;
use core::ptr::NonNull;

use init::word::{List, Word};

use super::{Errno, decode_unit, exit, syscall};

/// argv and the environment. They live on the initial stack, as long as the process does.
#[derive(Clone, Copy)]
pub struct Handed {
    pub argv: List<'static>,
    pub environment: List<'static>,
}

/// Called by `_start` with the stack pointer the kernel set up.
pub extern "C" fn entry(stack: NonNull<usize>) -> ! {
    // SAFETY: the kernel puts argc at the stack pointer, argv with its NULL behind it, then the
    // environment with its NULL (fs/binfmt_elf.c, create_elf_tables); each word ends with NUL.
    let handed = unsafe {
        let argv = stack.add(1).cast();
        let environment = argv.add(*stack.as_ref() + 1);
        Handed { argv: List::from_ptr(argv), environment: List::from_ptr(environment) }
    };
    exit(crate::main(&handed))
}

impl Handed {
    /// Replaces the whole entry of a variable, to which `seek` has moved.
    ///
    /// The new one has to live until execve(2): the caller keeps it on its own stack.
    pub fn replace_variable(at: List<'static>, entry: Word<'_>) {
        // SAFETY: nobody reads the environment after that caller.
        at.set(unsafe { mem::transmute::<Word<'_>, Word<'static>>(entry) });
    }

    /// Puts a word in the place of the one before these, which is init's own.
    pub fn prepend(&self, command: List<'static>, word: Word<'static>) -> List<'static> {
        let at = command.as_ptr();
        if at <= self.argv.as_ptr() {
            return command; // before Linux 5.18 there may be none
        }
        // SAFETY: the slot is in argv, and the word lives as long.
        unsafe {
            let before = List::from_ptr(at.sub(1));
            before.set(word);
            before
        }
    }

    /// `/bin/sh` in the place of the last word.
    #[cold]
    pub fn shell(&self) -> List<'static> {
        let mut end = self.argv;
        while end.take().is_some() {}
        self.prepend(end, Word::new(c"/bin/sh"))
    }

    /// `sh FILE ARG…` in the place of `NAME ARG…`.
    ///
    /// The file's name has to live until execve(2): the caller keeps it on its own stack.
    pub fn shell_script(&self, command: List<'static>, file: Word<'_>) -> List<'static> {
        // SAFETY: nobody reads argv after that caller.
        command.set(unsafe { mem::transmute::<Word<'_>, Word<'static>>(file) });
        self.prepend(command, Word::new(c"sh"))
    }

    /// The script that we are run as the interpreter of, if we are. The kernel tells what was executed
    /// (getauxval(3), AT_EXECFN): of a script that is its own path, and argv begins with ours.
    pub fn script(&self) -> Option<Word<'_>> {
        const AT_EXECFN: usize = 31;
        let mut end = self.environment;
        while end.take().is_some() {}
        // SAFETY: behind the environment's null are pairs of numbers, up to one whose first is 0
        // (fs/binfmt_elf.c, create_elf_tables); the value of this one is the address of a word.
        let executed = unsafe {
            let mut pair = end.as_ptr().add(1).cast::<[usize; 2]>();
            loop {
                match *pair.as_ptr() {
                    [0, _] => return None,
                    [AT_EXECFN, value] => break Word::from_ptr(value as *const u8),
                    _ => pair = pair.add(1),
                }
            }
        };
        self.argv.first().is_some_and(|own| !own.is(executed)).then_some(executed)
    }

    /// execve(2) with the whole environment. Returns only to fail.
    pub fn execute(&self, path: Word<'_>, command: List<'_>) -> Errno {
        let (argv, environment) = (command.as_ptr().as_ptr(), self.environment.as_ptr().as_ptr());
        // SAFETY: the path ends with NUL; both lists end with null, their words with NUL.
        let result = unsafe { syscall!(EXECVE, path.as_ptr(), argv, environment) };
        decode_unit(result).err().unwrap_or(Errno::EINVAL)
    }
}
