//! `--dns` on a rootfs that lacks a file in /etc: an empty placeholder for the mount to cover,
//! which is removed when the last container that uses it ends.
//!
//! Removing the name of a mount point unmounts it in every container. So a launcher whose container
//! has a mount on a placeholder holds a shared lock on it; at its end it asks for the exclusive
//! lock, and if it gets that it is the last and removes the file. A placeholder of a launcher that
//! was killed is recognised by its time ([`MARK`]), used by the next one, and removed at its end.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::prepare::Ground;
use crate::resolve;
use crate::spec::{Changes, Spec, dns};
use crate::sys::file::{self, At, Stat};
use crate::sys::lock::{self, Lock};
use crate::sys::{Errno, Result as SysResult, names, socket};

/// The modification time of a placeholder, the first nanosecond of 1970, tells it from an empty
/// file of the rootfs. Not 0, which files of reproducible builds have.
const MARK: (i64, i64) = (0, 1);

/// The placeholders that this launcher uses, until it is dropped.
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
    /// Creates or shares those that are needed. Where we may not, the child creates an empty file
    /// as the container's root, which stays, or reports why it cannot.
    pub fn make(spec: &Spec, ground: &'a Ground) -> Option<Placeholders<'a>> {
        if spec.dns_files.is_empty() || *ground.changes(spec) != Changes::InPlace {
            return None;
        }
        // Not through the detached clone, which may become read-only.
        let root = ground.rootfs.on_host();
        let mut placeholders = Placeholders { root, made_etc: false, held: Vec::new() };
        // As in the child: files get exactly the modes that are given.
        let umask = file::set_umask(0);
        for name in spec.dns_files {
            placeholders.hold(name).ok();
        }
        umask.and_then(file::set_umask).ok();
        Some(placeholders)
    }

    fn hold(&mut self, name: &'static CStr) -> SysResult<()> {
        /// Another launcher's end can come between, which takes some microseconds.
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
    /// Opens or creates a placeholder and locks it. None: the rootfs has a file of its own. EAGAIN,
    /// EEXIST and ENOENT: another launcher has just created or removed it.
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

/// By O_PATH: the rootfs may be hostile, and opening a device can have an effect.
fn open(etc: BorrowedFd<'_>, name: &CStr) -> SysResult<OwnedFd> {
    file::open(At::Dir(etc), name, libc::O_PATH | libc::O_NOFOLLOW)
}

/// Creates one. It gets its name last, when it can be recognised.
fn create(etc: BorrowedFd<'_>, name: &CStr) -> SysResult<()> {
    let file = names::create_unnamed(etc, 0o644)?;
    give(file.as_fd(), etc).ok();
    file::set_changed(file.as_fd(), MARK)?;
    names::link(file.as_fd(), At::Dir(etc), name)
}

/// Gives it to the owner of the directory above, if the caller may: then container root can remove
/// it.
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
