//! Sources: files and mounts of the host that the container gets, for binds, device nodes, and what
//! it shares.
//!
//! A source becomes a detached clone of its mounts (open_tree(2)), which needs no path afterwards.
//! Root clones before the clone of the child. An ordinary user can clone only in the new mount
//! namespace: there the child does it, by the same function, while the host's tree can still be
//! seen.

use std::cell::{Cell, OnceCell};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{IdPlan, Proc, dev, submounts};
use crate::spec::Shared;
use crate::sys::file::{self, At, Stat};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::sys::{Errno, Result as SysResult, mount};

/// A file or directory of the host's, and what is mounted below it.
pub struct Source {
    pub host_path: CString,
    recursive: bool,
    flags: u64,
    /// What was found at the path. The path may lead elsewhere when the child clones it, which is
    /// refused then.
    seen: Option<Opened>,
    tree: OnceCell<OwnedFd>,
    /// Before Linux 5.12: the clone does not have its flags yet.
    lacks_flags: Cell<bool>,
}

/// A source that was opened before the clone, with the caller's ids.
struct Opened {
    fd: OwnedFd,
    stat: Stat,
    /// Before Linux 5.12: the mounts that get their flags by path, once attached.
    by_path: Vec<CString>,
}

/// Those that do not come from the mount plan.
pub struct Sources {
    /// The container's /dev with device nodes in it, if we could make those.
    pub dev: Option<OwnedFd>,
    /// Otherwise: the host's nodes, by their names in /dev.
    pub devices: [(&'static CStr, Source); 6],
    /// With the network namespace shared, in which the container cannot mount a sysfs.
    pub sys: Option<Source>,
    /// With the IPC namespace shared.
    pub shm: Option<Source>,
    pub mqueue: Option<Source>,
    /// The service manager's notification socket.
    pub notify: Option<Source>,
}

impl Source {
    /// A directory, with the mounts below it. Before Linux 5.12 these are listed now, as they get
    /// their flags by path.
    fn of_tree(path: &CStr, flags: u64, proc: &Proc) -> Source {
        if mount::has_setattr() {
            return Source::new(path, true, flags);
        }
        file::open(At::Cwd, path, libc::O_PATH)
            .and_then(|fd| Source::of(fd, path.to_owned(), true, flags, Some(proc)))
            .unwrap_or_else(|_| Source::new(path, true, flags))
    }

    /// Whatever is at the path when it is cloned.
    fn new(host_path: &CStr, recursive: bool, flags: u64) -> Source {
        Source {
            host_path: host_path.to_owned(),
            recursive,
            flags,
            seen: None,
            tree: OnceCell::new(),
            lacks_flags: Cell::default(),
        }
    }

    /// A detached mount that was made for this container.
    pub fn of_mount(mount: OwnedFd, shown_as: &CStr) -> Source {
        let source = Source::new(shown_as, true, 0);
        source.tree.set(mount).ok(); // it was empty
        source
    }

    /// An open file, which is at this path. `by_path`: the proc to list mounts with, where there is
    /// no mount_setattr.
    pub fn of(
        fd: OwnedFd,
        host_path: CString,
        recursive: bool,
        flags: u64,
        by_path: Option<&Proc>,
    ) -> SysResult<Source> {
        let stat = file::stat_fd(fd.as_fd())?;
        let by_path = match (by_path, stat.is_dir()) {
            (None, _) => Vec::new(),
            (Some(proc), true) if recursive => submounts::list(proc, fd.as_fd())?,
            (Some(_), true) => vec![c".".to_owned()],
            // A mount of a file cannot get flags by a path of ours. Without them it is right only if
            // they would change nothing for this file.
            (Some(_), false) if !stat.is_held_by(flags) => Vec::new(),
            (Some(_), false) => return Err(Errno::ENOSYS),
        };
        let seen = Some(Opened { fd, stat, by_path });
        Ok(Source {
            host_path,
            recursive,
            flags,
            seen,
            tree: OnceCell::new(),
            lacks_flags: Cell::default(),
        })
    }

    /// Clones its mounts with their flags, if that has not been done.
    pub fn clone_mounts(&self) -> SysResult<()> {
        if self.tree.get().is_some() {
            return Ok(());
        }
        let clone = self.clone_tree()?;
        match mount::restrict(clone.as_fd(), self.flags) {
            // Before Linux 5.12: by path, later. A tree whose mounts were not listed could not be
            // restricted, so it is refused.
            Err(Errno::ENOSYS) if self.seen.is_some() || !self.recursive => {
                self.lacks_flags.set(true);
            }
            other => other?,
        }
        self.tree.set(clone).ok(); // it was empty
        Ok(())
    }

    fn clone_tree(&self) -> SysResult<OwnedFd> {
        let Some(seen) = &self.seen else {
            return mount::clone_tree(At::Cwd, &self.host_path, self.recursive);
        };
        match mount::clone_tree(At::Dir(seen.fd.as_fd()), c"", self.recursive) {
            // In the child: the descriptor belongs to the old mount namespace and cannot be cloned.
            Err(Errno::EINVAL) => {
                let clone = mount::clone_tree(At::Cwd, &self.host_path, self.recursive)?;
                match file::stat_fd(clone.as_fd())?.is_same(&seen.stat) {
                    true => Ok(clone),
                    false => Err(Errno::ESTALE),
                }
            }
            other => other,
        }
    }

    /// The clone.
    pub fn tree(&self) -> Option<BorrowedFd<'_>> {
        self.tree.get().map(AsFd::as_fd)
    }

    pub fn is_cloned(&self) -> bool {
        self.tree.get().is_some()
    }

    pub fn is_dir(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.stat.is_dir())
    }

    /// fstat(2) of what was opened.
    pub fn stat(&self) -> Option<&Stat> {
        self.seen.as_ref().map(|seen| &seen.stat)
    }

    pub fn is_device(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.stat.is_device())
    }

    /// Whether it shows a /proc of the host's, which has no masks, with what can be written there.
    pub fn is_bare_proc(&self) -> bool {
        let fd = self.seen.as_ref().map(|seen| seen.fd.as_fd());
        self.flags & RDONLY == 0 && fd.is_some_and(|fd| mount::is_proc(fd).unwrap_or(false))
    }

    /// Makes a device node of the same number, mode and owners in the container's /dev. False: the
    /// node is more than its number (a pty, say), so a copy would be another device.
    pub fn copy_device(&self, dir: BorrowedFd<'_>, name: &CStr) -> SysResult<bool> {
        let Some(Opened { fd, stat, .. }) = &self.seen else { return Ok(false) };
        if !mount::is_plain_device(fd.as_fd())? {
            return Ok(false);
        }
        let umask = file::set_umask(0)?;
        let made = file::make_node(dir, name, stat.mode, stat.rdev);
        file::set_umask(umask)?;
        made?;
        let node = file::open(At::Dir(dir), name, libc::O_PATH | libc::O_NOFOLLOW)?;
        file::change_owner(node.as_fd(), stat.uid, stat.gid).map(|()| true)
    }

    /// The owner of the device node, if that uid is not mapped.
    pub fn stranger(&self, ids: &IdPlan) -> Option<u32> {
        let uid = self.seen.as_ref()?.stat.uid;
        (!ids.uid.has_inside(uid)).then_some(uid)
    }

    /// Attaches the clone of a file onto a new one of this name. The current directory may be `dir`
    /// afterwards.
    pub fn attach_file(&self, dir: BorrowedFd<'_>, name: &CStr) -> SysResult<()> {
        let clone = self.tree().ok_or(Errno::EBADF)?;
        file::create_empty(dir, name)?;
        mount::attach(clone, At::Dir(dir), name)?;
        if !self.lacks_flags.get() {
            return Ok(());
        }
        file::enter_dir(dir)?;
        mount::add_flags(name, self.flags)
    }

    /// Attaches the clone onto an open file. The current directory is `root` afterwards. After a
    /// failure it is detached again; if that fails as well, ENOTRECOVERABLE: it must not stay
    /// without its flags.
    pub fn attach(&self, onto: BorrowedFd<'_>, root: BorrowedFd<'_>) -> SysResult<()> {
        let clone = self.tree().ok_or(Errno::EBADF)?;
        mount::attach(clone, At::Dir(onto), c"")?;
        let by_path = self.seen.as_ref().map_or(&[][..], |seen| &seen.by_path);
        if !by_path.is_empty() {
            file::enter_dir(clone)?;
            let restrict = || {
                mount::make_private_at(c".")?;
                by_path.iter().try_for_each(|path| mount::add_flags(path, self.flags))
            };
            let restricted = restrict();
            if restricted.is_err() {
                // Without its flags it could be changed.
                mount::detach_here().map_err(|_| Errno::ENOTRECOVERABLE)?;
            }
            file::enter_dir(root)?;
            restricted?;
        }
        Ok(())
    }
}

impl Sources {
    /// Lists them; none is cloned yet.
    pub fn list(share: Shared, notify_socket: Option<&CStr>, proc: &Proc) -> Sources {
        // Read-only, so that the container cannot change the mode and owner of the host's node.
        // Writing to the device is not affected.
        let flags = NOSUID | NOEXEC | RDONLY;
        let device = |name, host_path| (name, Source::new(host_path, false, flags));
        let tree = |wanted: bool, path, flags| {
            wanted.then(|| Source::of_tree(path, flags | NOSUID | NODEV | NOEXEC, proc))
        };
        Sources {
            dev: None,
            devices: [
                device(c"null", c"/dev/null"),
                device(c"zero", c"/dev/zero"),
                device(c"full", c"/dev/full"),
                device(c"random", c"/dev/random"),
                device(c"urandom", c"/dev/urandom"),
                device(c"tty", c"/dev/tty"),
            ],
            sys: tree(share.net, c"/sys", RDONLY),
            shm: tree(share.ipc, c"/dev/shm", 0),
            mqueue: tree(share.ipc, c"/dev/mqueue", 0),
            notify: notify_socket.map(|path| Source::new(path, false, NOSUID | NODEV | NOEXEC)),
        }
    }

    /// Makes a /dev with device nodes, if that is allowed.
    pub fn make_dev(&mut self) {
        self.dev = dev::make().ok();
    }

    /// The device nodes that are bind-mounted: all or none.
    pub fn bound_devices(&self) -> impl Iterator<Item = &(&'static CStr, Source)> {
        self.devices.iter().filter(|_| self.dev.is_none())
    }

    /// Clones them. The error has the index of the device that cannot be cloned; the others may be
    /// missing.
    pub fn clone_all(&self) -> Result<(), (usize, Errno)> {
        for (index, (_, device)) in self.bound_devices().enumerate() {
            device.clone_mounts().map_err(|errno| (index, errno))?;
        }
        for tree in [&self.sys, &self.shm, &self.mqueue, &self.notify].into_iter().flatten() {
            tree.clone_mounts().ok();
        }
        Ok(())
    }
}
