//! `--dns` on a rootfs that lacks the files: an empty one each for the mount to cover, there for as long
//! as a container has it.
//!
//! The kernel mounts only onto what has a name, and by the removal of that name a mount goes away in every
//! container that has it. So who has one on a file of ours holds a shared lock on that, and who then gets
//! the exclusive one is the last, and removes it. What a launcher has left that was killed is still ours:
//! the next one's end removes it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::prepare::Ground;
use crate::resolve;
use crate::spec::{Changes, Spec, dns};
use crate::sys::file::{self, At, Stat};
use crate::sys::lock::{self, Lock};
use crate::sys::{Errno, Result as SysResult, names, socket};

/// By this time of change, the first nanosecond of 1970, a file of ours is told from an empty one of the
/// rootfs's. Not by zero, as trees have it that are the same whenever they are made.
const MARK: (i64, i64) = (0, 1);

/// Those that this launcher sees to, until it is dropped.
pub struct Placeholders<'a> {
    root: BorrowedFd<'a>,
    made_etc: bool,
    held: Vec<Held>,
}

struct Held {
    etc: OwnedFd,
    name: &'static CStr,
    file: OwnedFd,
}

impl<'a> Placeholders<'a> {
    /// Those that are missing. What we may not make the child may, as the container's root, or says why not;
    /// that stays.
    pub fn make(spec: &Spec, ground: &'a Ground) -> Option<Placeholders<'a>> {
        if spec.dns_files.is_empty() || *ground.changes(spec) != Changes::InPlace {
            return None;
        }
        // Not by our own mounts of it, which may yet become read-only.
        let root = ground.rootfs.on_host();
        let mut placeholders = Placeholders { root, made_etc: false, held: Vec::new() };
        // As in the child: the container's users are to read what is there.
        let umask = file::set_umask(0);
        for name in spec.dns_files {
            placeholders.hold(name).ok();
        }
        umask.and_then(file::set_umask).ok();
        Some(placeholders)
    }

    fn hold(&mut self, name: &'static CStr) -> SysResult<()> {
        /// Others' ends come between, each of which takes some microseconds while it runs.
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            match self.open_etc().and_then(|etc| Held::take(etc, name)) {
                Err(Errno::EEXIST | Errno::ENOENT) => {}
                Err(Errno::EAGAIN) => drop(socket::poll(&mut [], Some(Duration::from_millis(1)))),
                held => {
                    self.held.extend(held?);
                    break;
                }
            }
        }
        Ok(())
    }

    fn open_etc(&mut self) -> SysResult<OwnedFd> {
        let open = || resolve::open(self.root, dns::ETC, libc::O_PATH | libc::O_DIRECTORY);
        match open() {
            Err(Errno::ENOENT) => {
                file::make_dir(At::Dir(self.root), dns::ETC, 0o755)?;
                self.made_etc = true;
                let etc = open()?;
                give(etc.as_fd(), self.root).ok();
                Ok(etc)
            }
            other => other,
        }
    }
}

impl Held {
    /// None: the rootfs has a file of its own. EAGAIN, EEXIST and ENOENT: somebody was faster.
    fn take(etc: OwnedFd, name: &'static CStr) -> SysResult<Option<Held>> {
        let found = match open(etc.as_fd(), name) {
            Err(Errno::ENOENT) => {
                create(etc.as_fd(), name)?;
                open(etc.as_fd(), name)
            }
            other => other,
        }?;
        if !is_ours(&file::stat_fd(found.as_fd())?) {
            return Ok(None);
        }
        let file = names::reopen(found.as_fd(), libc::O_RDONLY)?;
        lock::try_lock(file.as_fd(), Lock::Shared)?;
        match file::stat_fd(file.as_fd())?.nlink {
            0 => Err(Errno::EAGAIN),
            _ => Ok(Some(Held { etc, name, file })),
        }
    }

    fn let_go(&self) -> SysResult<()> {
        let there = open(self.etc.as_fd(), self.name)?;
        if file::stat_fd(there.as_fd())?.is_same(&file::stat_fd(self.file.as_fd())?) {
            // EAGAIN: another container has it.
            lock::try_lock(self.file.as_fd(), Lock::Exclusive)?;
            names::remove(self.etc.as_fd(), self.name)?;
        }
        Ok(())
    }
}

impl Drop for Placeholders<'_> {
    fn drop(&mut self) {
        self.held.iter().for_each(|held| held.let_go().unwrap_or(()));
        if self.made_etc {
            names::remove_dir(self.root, dns::ETC).ok();
        }
    }
}

/// Looks only: the rootfs is nobody's to trust, and a device may act when it is opened.
fn open(etc: BorrowedFd<'_>, name: &CStr) -> SysResult<OwnedFd> {
    file::open(At::Dir(etc), name, libc::O_PATH | libc::O_NOFOLLOW)
}

/// It has its name only when it can be told to be ours.
fn create(etc: BorrowedFd<'_>, name: &CStr) -> SysResult<()> {
    let file = names::create_unnamed(etc, 0o644)?;
    give(file.as_fd(), etc).ok();
    file::set_changed(file.as_fd(), MARK)?;
    names::link(file.as_fd(), At::Dir(etc), name)
}

/// To whom what lies above it belongs, if the caller may: so container root can remove it.
fn give(new: BorrowedFd<'_>, above: BorrowedFd<'_>) -> SysResult<()> {
    let (new_stat, stat) = (file::stat_fd(new)?, file::stat_fd(above)?);
    match (new_stat.uid, new_stat.gid) == (stat.uid, stat.gid) {
        true => Ok(()),
        false => file::change_owner(new, stat.uid, stat.gid),
    }
}

fn is_ours(stat: &Stat) -> bool {
    stat.is_regular() && stat.size == 0 && stat.changed == MARK
}
