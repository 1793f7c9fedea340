//! The allocator: an arena first, then musl's; and one line and 125 when memory runs out. And the
//! wait in little memory.
//!
//! A start allocates some tens of kilobytes in small pieces, for which musl would map and unmap
//! pages: a system call and a page fault each time. The arena is part of the program's image
//! (.bss), and mostly nothing is given back to it. What does not fit, as in a launcher that relays
//! a terminal for days, is allocated and freed by musl.
//!
//! When memory runs out Rust would abort. The launcher prints an error and exits with 125 instead.
//! Only the parent allocates, so the child is not affected.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::os::fd::AsFd;
use std::ptr;
use std::time::Duration;

use init::exit;
use syscalls::{Sysno, syscall};

use super::Result;
use super::socket::{self, pollfd};

/// Twice what a start with many options takes. Pages that are never touched take no memory.
const SIZE: usize = 128 * 1024;

#[repr(C, align(64))]
struct Arena {
    memory: UnsafeCell<[u8; SIZE]>,
    /// How much is in use.
    used: Cell<usize>,
}

// SAFETY: the launcher has one thread. A child after clone(2) has a copy of the arena; one that
// shares the memory (CLONE_VM) runs at the same time as the parent, and does not allocate.
#[cfg(not(test))]
unsafe impl Sync for Arena {}

#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: Arena = Arena::new();

impl Arena {
    const fn new() -> Arena {
        Arena { memory: UnsafeCell::new([0; SIZE]), used: Cell::new(0) }
    }

    fn start(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    /// The offset in the arena; None if it is musl's.
    fn place(&self, memory: *mut u8) -> Option<usize> {
        let offset = memory.addr().wrapping_sub(self.start().addr());
        (offset < SIZE).then_some(offset)
    }

    /// Takes a piece from this offset on, if there is room.
    fn take(&self, from: usize, size: usize) -> Option<*mut u8> {
        let end = from.checked_add(size).filter(|end| *end <= SIZE)?;
        self.used.set(end);
        Some(self.start().wrapping_add(from))
    }
}

// SAFETY: pieces of the arena do not overlap: each begins behind the end of all before, and the end
// moves back only over the last one. They are aligned, as the arena is to 64. What does not fit or
// needs more alignment goes to System, which keeps the contract. Null is never returned.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let from = self.used.get().next_multiple_of(layout.align());
        if layout.align() <= align_of::<Arena>()
            && let Some(memory) = self.take(from, layout.size())
        {
            return memory;
        }
        // SAFETY: the caller's promise about `layout` is the one that System asks for.
        or_end(unsafe { System.alloc(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(from) = self.place(memory) else {
            // SAFETY: `memory` is not of the arena, so it is from System; the rest is as above.
            return or_end(unsafe { System.realloc(memory, layout, size) });
        };
        // The last piece grows and shrinks where it is.
        if from + layout.size() == self.used.get() && self.take(from, size).is_some() {
            return memory;
        }
        // SAFETY: the caller promises that `size`, rounded up to the alignment, is no overflow.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        // SAFETY: both are valid for the smaller of the two sizes, and lie apart.
        unsafe { ptr::copy_nonoverlapping(memory, new, layout.size().min(size)) };
        new
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match self.place(memory) {
            Some(from) if from + layout.size() == self.used.get() => self.used.set(from),
            Some(_) => {}
            // SAFETY: `memory` is not of the arena, so it is from System.
            None => unsafe { System.dealloc(memory, layout) },
        }
    }
}

/// Polls, but releases memory before that is not needed meanwhile (MADV_DONTNEED): our code, which
/// is mapped again from the page cache when it runs, and the unused stack below. That leaves some
/// 110 of 630 KiB.
///
/// The page of this function is not released. A fault on it would map the pages around it, too:
/// sixteen, and since Linux 6.18 the whole folio.
#[inline(never)]
#[unsafe(link_section = ".text.rest")] // tables.ld: on one page, behind all others
pub fn poll_released(fds: &mut [pollfd], timeout: Option<Duration>) -> Result<usize> {
    unsafe extern "C" {
        // Defined by the linker: the beginning of our image, which is read-only up to the end of
        // the code.
        static __executable_start: u8;
    }
    const STACK: usize = 256 * 1024;
    const PAGE: usize = 4096;
    let mark = 0u8;
    // Our frame and that of the system call below are on this page and the one below.
    let top = ((&raw const mark).addr() & !(PAGE - 1)) - PAGE;
    let code = (&raw const __executable_start).addr();
    let length = (poll_released as *const ()).addr().saturating_sub(code) & !(PAGE - 1);
    // SAFETY: `code` to `length` is a private, read-only mapping of our executable: its pages are
    // read from the file again with the same content. The stack is unused below the frames that are
    // live, and nothing else of ours is mapped in the 256 KiB below them: the kernel keeps a gap of
    // at least 128 MiB there.
    unsafe {
        syscall!(Sysno::madvise, top - STACK, STACK, libc::MADV_DONTNEED).ok();
        syscall!(Sysno::madvise, code, length, libc::MADV_DONTNEED).ok();
    }
    socket::poll(fds, timeout)
}

fn or_end(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        let line = b"launcher: cannot allocate memory: ENOMEM (Out of memory); \
            is there a limit on it: ulimit -v, memory.max?\n";
        super::file::write(std::io::stderr().as_fd(), line).ok();
        super::process::exit(exit::FAILED);
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn pieces_are_aligned_and_lie_apart() {
        let arena = Box::new(Arena::new());
        // SAFETY: no layout is of no size, and only what was given is written.
        unsafe {
            let one = arena.alloc(layout(3, 1));
            let two = arena.alloc(layout(64, 64));
            assert!(two.addr().is_multiple_of(64) && two.addr() >= one.addr() + 3);
            one.write_bytes(1, 3);
            let grown = arena.realloc(one, layout(3, 1), 100);
            assert!(grown.addr() >= two.addr() + 64);
            assert_eq!(std::slice::from_raw_parts(grown, 3), [1, 1, 1]);
            assert_eq!(arena.realloc(grown, layout(100, 1), 4000), grown);
            arena.dealloc(grown, layout(4000, 1));
            assert_eq!(arena.alloc(layout(8, 1)), grown);
        }
    }

    #[test]
    fn what_does_not_fit_is_musls_and_is_given_back() {
        let arena = Box::new(Arena::new());
        // SAFETY: as above.
        unsafe {
            let most = arena.alloc(layout(SIZE - 10, 8));
            let rest = arena.alloc(layout(11, 1));
            assert!(arena.place(most).is_some() && arena.place(rest).is_none());
            let rest = arena.realloc(rest, layout(11, 1), 5000);
            arena.dealloc(rest, layout(5000, 1));
            let moved = arena.realloc(most, layout(SIZE - 10, 8), SIZE + 1);
            assert!(arena.place(moved).is_none());
            arena.dealloc(moved, layout(SIZE + 1, 8));
        }
    }
}
