//! The child's number in /proc, which may be another than its pid: a launcher in a pid namespace
//! of its own mostly has one (`unshare --pid --fork`), under the /proc of the namespace outside.
//! There the pid would name a stranger, whose files we would write.

use std::fs;
use std::os::fd::AsRawFd;

use crate::error::Error;
use crate::sys::{Errno, errno_of, process, signal};

/// Looks it up.
pub fn in_proc(pid: i32) -> Result<i32, Error> {
    let at = |action: &str, errno| {
        Error::at("FindProc", action, errno)
            .advise("mount a proc of this pid namespace: mount -t proc proc /proc")
    };
    let own = fs::read_link("/proc/self")
        .map_err(|error| at("find this process in the host's /proc", errno_of(&error)))?;
    if own.to_str().and_then(|own| own.parse().ok()) == Some(signal::own_pid()) {
        return Ok(pid);
    }
    // A pidfd's line has the number as the namespace of that /proc counts (fs/pidfs.c).
    let look = || {
        let child = process::open_pidfd(pid)?;
        let path = format!("/proc/self/fdinfo/{}", child.as_raw_fd());
        let text = fs::read_to_string(path).map_err(|error| errno_of(&error))?;
        let number = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
        number.filter(|&number| number > 0).ok_or(Errno::ESRCH)
    };
    look().map_err(|errno| at("find the child in the host's /proc", errno))
}
