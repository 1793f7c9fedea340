//! The crowd's system calls.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::ptr;

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whoever loses its parent below us is our child.
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) })
}

/// So many mounts in a mount namespace of our own: a tmpfs, and binds of a directory in it.
pub fn make_mounts(count: u32, place: &str) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount("none", "/", None, libc::MS_PRIVATE | libc::MS_REC)?;
    mount("crowd", place, Some("tmpfs"), 0)?;
    for number in 1..count {
        let target = format!("{place}/{number}");
        std::fs::create_dir(&target)?;
        mount("/usr", &target, None, libc::MS_BIND)?;
    }
    Ok(())
}

fn mount(from: &str, to: &str, kind: Option<&str>, flags: u64) -> io::Result<()> {
    let [from, to, kind] = [from, to, kind.unwrap_or_default()].map(CString::new);
    let (from, to, kind) = (from?, to?, kind?);
    // SAFETY: three strings that end with NUL and outlive the call; no data.
    check(unsafe { libc::mount(from.as_ptr(), to.as_ptr(), kind.as_ptr(), flags, ptr::null()) })
}
