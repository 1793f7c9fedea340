//! argv and the environment: where the kernel has put them, and how they are passed on to execve(2).

use core::mem;
use core::ptr::NonNull;

use init::word::{List, Word};

use super::{Errno, decode_unit, exit, syscall};

/// argv and the environment. They are on the initial stack and live as long as the process.
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
    /// Replaces the whole entry (`NAME=value`) of a variable, to which `seek` has moved.
    ///
    /// The new entry has to live until execve(2): the caller keeps it in its own frame.
    pub fn replace_variable(at: List<'static>, entry: Word<'_>) {
        // SAFETY: the entry outlives all uses of the environment: its caller's frame is left only
        // when execve(2) has failed, and then this process exits.
        at.set(unsafe { mem::transmute::<Word<'_>, Word<'static>>(entry) });
    }

    /// Puts a word in front of these, in the place of the word before them in argv, which is init's
    /// own.
    pub fn prepend(&self, command: List<'static>, word: Word<'static>) -> List<'static> {
        let at = command.as_ptr();
        if at <= self.argv.as_ptr() {
            return command; // before Linux 5.18 argv may be empty
        }
        // SAFETY: the slot before `command` is in argv, by the check above, and the word is 'static.
        unsafe {
            let before = List::from_ptr(at.sub(1));
            before.set(word);
            before
        }
    }

    /// `/bin/sh` as a command, in the place of the last word of argv.
    #[cold]
    pub fn shell(&self) -> List<'static> {
        let mut end = self.argv;
        while end.take().is_some() {}
        self.prepend(end, Word::new(c"/bin/sh"))
    }

    /// `sh FILE ARG…` in the place of `NAME ARG…`.
    ///
    /// The file's name has to live until execve(2): the caller keeps it in its own frame.
    pub fn shell_script(&self, command: List<'static>, file: Word<'_>) -> List<'static> {
        // SAFETY: as in `replace_variable`.
        command.set(unsafe { mem::transmute::<Word<'_>, Word<'static>>(file) });
        self.prepend(command, Word::new(c"sh"))
    }

    /// The script whose interpreter we have been executed as, if so. The auxiliary vector has the
    /// path that was passed to execve(2) (getauxval(3), AT_EXECFN): for a script that is the
    /// script's, while argv begins with ours.
    pub fn script(&self) -> Option<Word<'_>> {
        const AT_EXECFN: usize = 31;
        let mut end = self.environment;
        while end.take().is_some() {}
        // SAFETY: the auxiliary vector follows the environment's null: pairs of numbers, up to one
        // whose first is 0 (fs/binfmt_elf.c, create_elf_tables). The value of AT_EXECFN is the
        // address of a string.
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
        // SAFETY: the path ends with NUL; both lists end with null, and their words with NUL. On
        // success this does not return.
        let result = unsafe { syscall!(EXECVE, path.as_ptr(), argv, environment) };
        decode_unit(result).err().unwrap_or(Errno::EINVAL)
    }
}
