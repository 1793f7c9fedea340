//! A child that shares our memory (CLONE_VM) until it executes a program, and the gate that it
//! waits at.
//!
//! It is quicker to make than a copy: no page tables are copied, and no page is copied on write. It
//! shares the C library's thread-local memory (errno), so it makes raw system calls only, and the
//! allocator, so it does not allocate.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use syscalls::{Sysno, syscall};

use super::Result;

// `clone_into_function(call, first, second, function, argument)`: makes the system call, which is
// clone3(2) with its two arguments and a new stack. The parent returns with the result. The child,
// which the kernel starts on its new stack with the same registers, calls function(argument). The
// kernel preserves all registers but those of the result.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl clone_into_function",
    "clone_into_function:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov r9, rcx", // syscall overwrites rcx and r11
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

/// What such a child does.
pub trait SharedMemoryChild {
    /// All that it does. The parent must not change memory that this reads meanwhile, except by
    /// atomics or before it opens the [`Gate`].
    fn run(&self) -> !;
}

/// Where such a child begins: its function, and a stack of its own.
pub struct Entry {
    stack: usize,
    function: extern "C" fn(usize) -> !,
    argument: usize,
}

/// Ten times what the child has needed. Pages that are never touched take no memory.
const STACK_SIZE: usize = 256 * 1024;

impl Entry {
    /// Maps the stack, which is never unmapped: there is only one.
    ///
    /// `what` must live until the child has executed a program or has ended.
    pub fn new<T: SharedMemoryChild>(what: &T) -> Result<Entry> {
        extern "C" fn enter<T: SharedMemoryChild>(argument: usize) -> ! {
            // SAFETY: `argument` is the address of the T that was passed to `new`, whose caller
            // keeps it alive as long as the child uses it.
            unsafe { &*ptr::with_exposed_provenance::<T>(argument) }.run()
        }
        /// A hint, far from all other mappings, so that a stack overflow is a fault.
        const PLACE: usize = 0x1000_0000;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping where nothing is mapped: the address is a hint (no MAP_FIXED).
        let stack =
            unsafe { syscall!(Sysno::mmap, PLACE, STACK_SIZE, protection, flags, -1isize, 0) }?;
        let argument = ptr::from_ref(what).expose_provenance();
        Ok(Entry { stack, function: enter::<T>, argument })
    }

    /// The stack as clone3(2) takes it: its lowest address, and its size.
    pub fn stack(&self) -> (usize, usize) {
        (self.stack, STACK_SIZE)
    }

    /// Makes the system call clone3(2), by its number. Returns in the parent only.
    ///
    /// # Safety
    ///
    /// `first` and `second` are arguments of clone3(2), with CLONE_VM and this stack. What was
    /// passed to [`Entry::new`] is alive, and no other process runs on this stack.
    pub unsafe fn call(&self, call: Sysno, first: usize, second: usize) -> Result<usize> {
        let Entry { function, argument, .. } = *self;
        // SAFETY: the arguments are right by the caller's promise. The child begins on its own
        // stack and never returns from `function`, so it does not touch this frame.
        let result =
            unsafe { clone_into_function(call as usize, first, second, function, argument) };
        super::Errno::from_ret(result as usize)
    }
}

/// The gate: a futex that such a child waits at for its parent.
///
/// Not a pipe: the two share their descriptors, so the death of one closes no end of it. Instead
/// the kernel is told this address as the parent's clear_child_tid (set_tid_address(2)): when the
/// parent ends, however that comes about, the kernel writes 0 there and wakes the waiting child, as
/// long as that shares the memory.
pub struct Gate {
    word: AtomicU32,
}

const OPENER_IS_GONE: u32 = 0;
const CLOSED: u32 = 1;
const OPEN: u32 = 2;

impl Gate {
    /// A closed gate.
    pub fn new() -> Gate {
        Gate { word: AtomicU32::new(CLOSED) }
    }

    /// Registers it with the kernel, for our end.
    pub fn tie(&self) {
        // SAFETY: when we end, the kernel writes this aligned word, as an atomic store. It cannot
        // fail.
        unsafe { syscall!(Sysno::set_tid_address, self.word.as_ptr()) }.ok();
    }

    /// Lets the child go on. It sees all that was written to memory before.
    pub fn open(&self) -> Result<()> {
        self.word.store(OPEN, Ordering::Release);
        self.futex(libc::FUTEX_WAKE, 1)
    }

    /// Waits until it is opened. False: the parent has ended.
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

    /// Whether the parent has ended since it was opened.
    pub fn is_abandoned(&self) -> bool {
        self.word.load(Ordering::Acquire) == OPENER_IS_GONE
    }

    /// Without FUTEX_PRIVATE_FLAG, as the kernel's own wake at the parent's end is.
    fn futex(&self, operation: i32, value: u32) -> Result<()> {
        // SAFETY: the word is borrowed for the call; the timeout is null.
        unsafe { syscall!(Sysno::futex, self.word.as_ptr(), operation, value, 0) }.map(drop)
    }
}

/// unshare(CLONE_FILES): a descriptor table of our own, which begins as a copy.
pub fn unshare_descriptors() -> Result<()> {
    // SAFETY: it takes no memory.
    unsafe { syscall!(Sysno::unshare, libc::CLONE_FILES) }.map(drop)
}
