//! A network namespace for a thread.

use std::io;

/// unshare(2): this thread, and what it starts, has a network of its own with nothing in it.
pub fn leave_network() -> io::Result<()> {
    // SAFETY: takes no memory; of this process only this thread changes.
    super::check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// What the kernel calls this thread.
pub fn thread_id() -> i32 {
    // SAFETY: takes no memory and cannot fail.
    unsafe { libc::gettid() }
}
