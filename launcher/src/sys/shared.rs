//! A process that runs in our memory until it executes a program, and the gate that it waits at.
//!
//! It is quicker to make than a copy: no page table is copied, and no page is touched twice. It shares
//! the C library's thread (TLS, errno), so it makes raw system calls only, and the allocator, so it
//! allocates nothing.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use syscalls::{Sysno, syscall};

use super::Result;

// `clone_into_function(call, first, second, function, argument)`: the system call, which is clone3(2)
// with its two arguments, of which one has a stack; the new process calls function(argument) there.
// The kernel keeps every register but those it answers in.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl clone_into_function",
    "clone_into_function:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov r9, rcx", // the kernel answers in rcx and r11, too
    "syscall",
    "test rax, rax",
    "jz 2f",
    "ret",
    "2:",
    "xor ebp, ebp", // the outermost frame
    "mov rdi, r8",
    "call r9",
    "ud2",
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl clone_into_function",
    "clone_into_function:",
    "mov x8, x0",
    "mov x9, x3",
    "mov x10, x4",
    "mov x0, x1",
    "mov x1, x2",
    "svc #0",
    "cbz x0, 2f",
    "ret",
    "2:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, x10",
    "blr x9",
    "brk #1",
);

unsafe extern "C" {
    fn clone_into_function(
        call: usize,
        first: usize,
        second: usize,
        function: extern "C" fn(usize) -> !,
        argument: usize,
    ) -> isize;
}

/// What a process in our memory does.
pub trait SharedMemoryChild {
    /// All of it. Memory that this reaches is not to be changed meanwhile, but by the rules of
    /// [`Gate`] or of atomics.
    fn run(&self) -> !;
}

/// Where such a process begins: its function, and a stack of its own.
pub struct Entry {
    stack: usize,
    function: extern "C" fn(usize) -> !,
    argument: usize,
}

/// Ten times what the child has needed; pages that are not used do not exist.
const STACK_SIZE: usize = 256 * 1024;

impl Entry {
    /// Maps the stack, which is never given back: there is one.
    ///
    /// `what` must live until the new process has executed a program or has ended.
    pub fn new<T: SharedMemoryChild>(what: &T) -> Result<Entry> {
        extern "C" fn enter<T: SharedMemoryChild>(argument: usize) -> ! {
            // SAFETY: `argument` is the address of the T that `new` was given, which its caller
            // keeps alive.
            unsafe { &*ptr::with_exposed_provenance::<T>(argument) }.run()
        }
        /// A hint: far from everything else, so that what overruns the stack touches nothing.
        const PLACE: usize = 0x1000_0000;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping, wherever there is room.
        let stack =
            unsafe { syscall!(Sysno::mmap, PLACE, STACK_SIZE, protection, flags, -1isize, 0) }?;
        let argument = ptr::from_ref(what).expose_provenance();
        Ok(Entry { stack, function: enter::<T>, argument })
    }

    /// The stack as clone3(2) takes it: its lowest address, and its size.
    pub fn stack(&self) -> (usize, usize) {
        (self.stack, STACK_SIZE)
    }

    /// clone3(2), by its number. Returns to its caller only.
    ///
    /// # Safety
    ///
    /// `first` and `second` must be right for the call, with this stack and CLONE_VM, and what was lent
    /// to [`Entry::new`] alive; no other process runs on this stack.
    pub unsafe fn call(&self, call: Sysno, first: usize, second: usize) -> Result<usize> {
        let Entry { function, argument, .. } = *self;
        // SAFETY: as the caller promises. The new process begins on another stack, so this frame is
        // the caller's alone, and it never returns from `function`.
        let result =
            unsafe { clone_into_function(call as usize, first, second, function, argument) };
        super::Errno::from_ret(result as usize)
    }
}

/// Where a process in our memory waits for a word of ours.
///
/// A word of memory, as the two may share their descriptors, too, and then no end of a pipe would be
/// closed by the death of one of them. By the kernel's rule (set_tid_address(2)) our end is written
/// there: it puts 0 and wakes whoever waits, as long as somebody shares our memory.
pub struct Gate {
    word: AtomicU32,
}

const OPENER_IS_GONE: u32 = 0;
const CLOSED: u32 = 1;
const OPEN: u32 = 2;

impl Gate {
    /// Closed.
    pub fn new() -> Gate {
        Gate { word: AtomicU32::new(CLOSED) }
    }

    /// Has the kernel write there when we end, however that comes about.
    pub fn tie(&self) {
        // SAFETY: the kernel writes an aligned word, at our end. It cannot fail.
        unsafe { syscall!(Sysno::set_tid_address, self.word.as_ptr()) }.ok();
    }

    /// Lets who waits go on; what was written before is there for them to read.
    pub fn open(&self) -> Result<()> {
        self.word.store(OPEN, Ordering::Release);
        self.futex(libc::FUTEX_WAKE, 1)
    }

    /// Waits. False: who was to open it has ended.
    pub fn wait(&self) -> Result<bool> {
        loop {
            match self.word.load(Ordering::Acquire) {
                CLOSED => {}
                word => return Ok(word == OPEN),
            }
            match self.futex(libc::FUTEX_WAIT, CLOSED) {
                // It was opened meanwhile, or a signal came.
                Err(super::Errno::EAGAIN | super::Errno::EINTR) => {}
                other => other?,
            }
        }
    }

    /// Whether who opened it has ended since.
    pub fn is_abandoned(&self) -> bool {
        self.word.load(Ordering::Acquire) == OPENER_IS_GONE
    }

    /// Not FUTEX_PRIVATE_FLAG: the kernel's own wake is without it.
    fn futex(&self, operation: i32, value: u32) -> Result<()> {
        // SAFETY: the word lives as long as we, and no timeout is given.
        unsafe { syscall!(Sysno::futex, self.word.as_ptr(), operation, value, 0) }.map(drop)
    }
}

/// unshare(CLONE_FILES): descriptors of one's own, beginning as a copy.
pub fn unshare_descriptors() -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::unshare, libc::CLONE_FILES) }.map(drop)
}
