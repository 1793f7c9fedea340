//! Memory: musl's allocator, but for what happens when there is none left.
//!
//! Rust would abort with a stack trace. A caller that limits our memory gets one line and 125
//! instead. Only the parent's side allocates, so no container is half-made by it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::fd::AsFd;

use init::exit;

struct OrEnd;

#[global_allocator]
static ALLOCATOR: OrEnd = OrEnd;

// SAFETY: every call is passed on to System, which keeps the contract; a null is never returned.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is the one that System asks for.
        or_end(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: likewise.
        or_end(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: likewise, and `memory` is from here, which means from System.
        or_end(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: likewise.
        unsafe { System.dealloc(memory, layout) }
    }
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
