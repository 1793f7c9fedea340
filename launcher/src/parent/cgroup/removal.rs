//! Removes cgroups: our own, and those of launchers that were killed.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::open_dir;
use crate::log;
use crate::sys::lock::{self, Lock};
use crate::sys::{Errno, Result as SysResult, cgroup, file, names, signal};

/// What the names of launchers' cgroups begin with; the pid follows.
pub const PREFIX: &str = "launcher-";

/// `launcher-PID[.N][.self]`.
fn is_ours(name: &[u8]) -> bool {
    let rest = name.strip_prefix(PREFIX.as_bytes());
    rest.is_some_and(|rest| {
        let rest = rest.strip_suffix(super::SELF.as_bytes()).unwrap_or(rest);
        let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        rest.split(|&byte| byte == b'.').all(is_number)
    })
}

/// Between attempts: a cgroup is empty when its last process has been reaped, or soon after.
const PAUSE: Duration = Duration::from_millis(1);

/// Removes a cgroup whose container has ended.
pub fn remove_for_good(parent: BorrowedFd<'_>, name: &CStr) {
    const ATTEMPTS: u32 = 2000;
    match remove(parent, name, ATTEMPTS, kill) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => log::say(format_args!(
            "warning: cannot remove the cgroup {}: {}; the next start with a limit tries again",
            name.to_string_lossy(),
            crate::error::show_errno(errno)
        )),
    }
}

/// Removes what launchers that were killed have left. Their containers are dead or dying, by the
/// kernel. Any other process in there is not killed.
pub fn sweep(parent: BorrowedFd<'_>) {
    const ATTEMPTS: u32 = 100;
    let mut names = Vec::new();
    let collect = |name: &[u8], is_dir: bool| {
        if is_dir && is_ours(name) {
            names.extend(CString::new(name));
        }
        Ok(())
    };
    file::for_each_entry(parent, collect).ok();
    for name in names {
        let locked = open_dir(parent, &name).and_then(|dir| {
            lock::try_lock(dir.as_fd(), Lock::Exclusive)?;
            Ok(dir)
        });
        // Otherwise its launcher is alive, or another one removes it.
        if locked.is_ok() {
            remove(parent, &name, ATTEMPTS, |_| {}).ok();
        }
    }
}

fn remove(
    parent: BorrowedFd<'_>,
    name: &CStr,
    attempts: u32,
    clear: fn(BorrowedFd<'_>),
) -> SysResult<()> {
    let mut result = remove_tree(parent, name);
    for attempt in 0..attempts {
        match result {
            Ok(()) | Err(Errno::ENOENT) => return result,
            Err(Errno::EBUSY | Errno::ENOTEMPTY) => {}
            // Any other errno hardly goes away by waiting.
            Err(_) if attempt > 2 => return result,
            Err(_) => {}
        }
        if let Ok(dir) = open_dir(parent, name) {
            clear(dir.as_fd());
        }
        std::thread::sleep(PAUSE);
        result = remove_tree(parent, name);
    }
    result
}

/// Removes the cgroups below first: the container may have made some.
fn remove_tree(parent: BorrowedFd<'_>, name: &CStr) -> SysResult<()> {
    match names::remove_dir(parent, name) {
        Err(Errno::EBUSY | Errno::ENOTEMPTY) => {}
        other => return other,
    }
    let dir = open_dir(parent, name)?;
    for_each_below(dir.as_fd(), |child| remove_tree(dir.as_fd(), child));
    names::remove_dir(parent, name)
}

/// Kills what still runs there: what somebody has moved there, or what is dying already.
fn kill(dir: BorrowedFd<'_>) {
    // Linux 5.14, v2 only.
    if cgroup::write(dir, c"cgroup.kill", "1").is_ok() {
        return;
    }
    let processes = cgroup::read(dir, c"cgroup.procs").unwrap_or_default();
    for pid in processes.lines().filter_map(|line| line.parse::<i32>().ok()) {
        // 0: a process outside of our pid namespace.
        if pid > 0 {
            signal::send(pid, libc::SIGKILL).ok();
        }
    }
    for_each_below(dir, |child| {
        kill(open_dir(dir, child)?.as_fd());
        Ok(())
    });
}

fn for_each_below(dir: BorrowedFd<'_>, mut f: impl FnMut(&CStr) -> SysResult<()>) {
    let mut names = Vec::new();
    let collect = |name: &[u8], is_dir: bool| {
        if is_dir && name != b"." && name != b".." {
            names.extend(CString::new(name));
        }
        Ok(())
    };
    file::for_each_entry(dir, collect).ok();
    for name in names {
        f(&name).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_are_ours() {
        for name in ["launcher-1", "launcher-12.3", "launcher-12.self", "launcher-12.3.self"] {
            assert!(is_ours(name.as_bytes()), "{name}");
        }
        for name in ["launcher-", "launcher-x", "launcher-1.", "launcher", "launcher-1.scope", "a"]
        {
            assert!(!is_ours(name.as_bytes()), "{name}");
        }
    }
}
