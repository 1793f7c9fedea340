//! `--userns range`: a range of uids and gids that no other container has meanwhile, so that one
//! container's root is nobody in another.
//!
//! The kernel does not allot ids, so launchers agree by locks: a range is a byte of /dev/kmsg, a
//! file that exists once on a machine and that only root can open for writing. Nothing is written
//! to it. An open file description lock (fcntl(2)) ends with the process that holds it and leaves
//! no file behind.

use std::cell::LazyCell;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use super::Caller;
use super::proc::into_text;
use super::{devices, subid};
use crate::error::Error;
use crate::spec::idmap::Outside;
use crate::sys::Errno;
use crate::sys::file::{self, At};
use crate::sys::lock::{self, Lock};
use crate::sys::signal;

/// The ids of a range: 16 bits, which is what software expects.
pub const COUNT: u32 = 65536;

/// The first and the last range: systemd reserves these ids for containers (its UIDS-GIDS.md), so
/// no user has them.
const FIRST: u32 = 0x0008_0000;
const LAST: u32 = 0x6FFF_0000;

/// A range that is locked while this value lives.
#[derive(Debug)]
pub struct HeldRange {
    pub start: Outside,
    _lock: OwnedFd,
}

/// Locks a free range. First the one that `seed` chooses, so that the same rootfs mostly gets the
/// same range. If that is taken, the search begins at one that depends on our pid: if all launchers
/// began at the same place, the thousandth container on a rootfs would try a thousand locks.
pub fn take(caller: &Caller, seed: u64) -> Result<HeldRange, Error> {
    let lock = open_lock_file(libc::O_WRONLY)?;
    let taken = taken_on_this_host()?;
    let slots = (LAST - FIRST) / COUNT + 1;
    let first = (seed % u64::from(slots)) as u32;
    let own = LazyCell::new(|| signal::own_pid().unsigned_abs() % slots);
    for slot in std::iter::once(first).chain((0..slots).map(|offset| (*own + offset) % slots)) {
        let start = FIRST + slot * COUNT;
        if !caller.owns(start, COUNT) || taken.iter().any(|&(id, n)| overlaps(start, id, n)) {
            continue;
        }
        if try_lock(&lock, start, Lock::Exclusive)? {
            return Ok(HeldRange { start: Outside(start), _lock: lock });
        }
    }
    Err(Error::refused("TakeRange", "no uid range is free")
        .advise("give one by --uid-map, or --userns identity"))
}

/// Locks the range that the files of a shifted rootfs belong to. Containers on such a rootfs share
/// the lock, as they share the files; no other container gets the range meanwhile.
pub fn take_shifted(start: u32) -> Result<HeldRange, Error> {
    // A shared lock needs a descriptor that may read; for /dev/kmsg that is CAP_SYSLOG.
    let lock = open_lock_file(libc::O_RDWR)?;
    if try_lock(&lock, start, Lock::Shared)? {
        return Ok(HeldRange { start: Outside(start), _lock: lock });
    }
    Err(Error::refused(
        "TakeRange",
        format!("the rootfs belongs to the uid range at {start}, which another container has"),
    )
    .advise("wait for its end, or give a range by --uid-map"))
}

fn open_lock_file(mode: i32) -> Result<OwnedFd, Error> {
    let open = || file::open(At::Cwd, c"/dev/kmsg", mode | libc::O_NOCTTY);
    let opened = match open() {
        Err(Errno::ENOENT) if has_nothing_on_dev() && devices::put_in_place().is_ok() => open(),
        other => other,
    };
    opened.map_err(|errno| {
        Error::at("TakeRange", "open /dev/kmsg, on which launchers agree about uid ranges", errno)
            .advise("give a range by --uid-map, or --userns identity")
    })
}

fn has_nothing_on_dev() -> bool {
    matches!(file::stat_path(c"/dev/null"), Err(Errno::ENOENT))
}

fn try_lock(lock: &OwnedFd, start: u32, kind: Lock) -> Result<bool, Error> {
    match lock::try_lock_byte(lock.as_fd(), u64::from(start / COUNT), kind) {
        Ok(()) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(Error::at("TakeRange", "lock a uid range on /dev/kmsg", errno)),
    }
}

/// Whether ranges can be had at all: our own user namespace must have the ids.
pub fn exist(caller: &Caller) -> bool {
    caller.owns(FIRST, COUNT)
}

/// Whether the owner of a rootfs is the first id of a range, as systemd-nspawn shifts trees.
pub fn is_start(uid: u32, gid: u32) -> bool {
    uid >= COUNT && uid.is_multiple_of(COUNT) && uid == gid
}

fn overlaps(start: u32, other: u32, count: u32) -> bool {
    u64::from(start) < u64::from(other) + u64::from(count)
        && u64::from(other) < u64::from(start) + u64::from(COUNT)
}

/// The subordinate ranges and the ids of users and groups that lie where ranges do: mostly none.
fn taken_on_this_host() -> Result<Vec<(u32, u32)>, Error> {
    // A file that exists and cannot be read is an error: it may list what we would take.
    let read = |path: &CStr| {
        let file = file::open(At::Cwd, path, libc::O_RDONLY);
        match file.and_then(|file| file::read_all(file.as_fd())) {
            Ok(text) => Ok(into_text(text)),
            Err(Errno::ENOENT) => Ok(String::new()),
            Err(errno) => {
                let shown = path.to_string_lossy();
                let action = format_args!("read {shown}, for ids that are taken");
                Err(Error::at("TakeRange", action, errno))
            }
        }
    };
    let reaches = |&(id, count): &(u32, u32)| u64::from(id) + u64::from(count) > u64::from(FIRST);
    let mut taken = Vec::new();
    for path in [c"/etc/subuid", c"/etc/subgid"] {
        let text = read(path)?;
        let lines = subid::lines(&text).map(|(_, start, count)| (start.0, count));
        taken.extend(lines.filter(reaches));
    }
    for path in [c"/etc/passwd", c"/etc/group"] {
        let text = read(path)?;
        let ids = text.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok());
        taken.extend(ids.map(|id| (id, 1)).filter(reaches));
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifted_owners_are_multiples_of_the_count() {
        assert!(is_start(65536, 65536) && is_start(1 << 20, 1 << 20));
        assert!(!is_start(0, 0) && !is_start(1000, 1000) && !is_start(65536, 0));
        assert!(!is_start(65537, 65537));
    }

    #[test]
    fn overlap_is_half_open() {
        assert!(overlaps(FIRST, FIRST + 65535, 1));
        assert!(!overlaps(FIRST, FIRST + 65536, 1));
        assert!(overlaps(FIRST, FIRST - 10, 11));
        assert!(!overlaps(FIRST, FIRST - 10, 10));
    }
}
