//! Mounts of the host that the container gets: device nodes, and what it shares.
//!
//! A source is a detached clone, which needs no path afterwards. Real root takes them before
//! clone3. To an ordinary user the kernel gives them only inside the new mount namespace, so
//! there the child takes them, by the same function, before the host's tree goes out of sight.

use std::cell::OnceCell;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::spec::Shared;
use crate::sys::file::At;
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::sys::{Errno, Result as SysResult, mount};

/// One mount of the host's.
pub struct Source {
    pub host_path: CString,
    recursive: bool,
    flags: u64,
    clone: OnceCell<OwnedFd>,
}

/// All that this container gets.
pub struct Sources {
    /// The nodes that every program expects, by their names in /dev.
    pub devices: [(&'static CStr, Source); 6],
    /// With the network shared: the kernel mounts no new sysfs then.
    pub sys: Option<Source>,
    /// With IPC shared: what its users meet at.
    pub shm: Option<Source>,
    pub mqueue: Option<Source>,
    /// The service manager's notification socket.
    pub notify: Option<Source>,
}

impl Source {
    fn new(host_path: &CStr, recursive: bool, flags: u64) -> Source {
        Source { host_path: host_path.to_owned(), recursive, flags, clone: OnceCell::new() }
    }

    /// Clones it, if that has not been done.
    pub fn take(&self) -> SysResult<()> {
        if self.clone.get().is_none() {
            let clone = mount::clone_tree(At::Cwd, &self.host_path, self.recursive)?;
            match mount::restrict(clone.as_fd(), self.flags) {
                // Before Linux 5.12. A device node keeps the host's flags, and nothing can be
                // mounted below it; a tree would be open to changes, so it is not taken.
                Err(Errno::ENOSYS) if !self.recursive => {}
                other => other?,
            }
            self.clone.set(clone).ok(); // it was empty
        }
        Ok(())
    }

    /// The clone.
    pub fn clone(&self) -> Option<BorrowedFd<'_>> {
        self.clone.get().map(AsFd::as_fd)
    }
}

impl Sources {
    /// What this container will get, not yet taken.
    pub fn list(share: Shared, notify_socket: Option<&CStr>) -> Sources {
        let device = |name, host_path| (name, Source::new(host_path, false, NOSUID | NOEXEC));
        let tree = |wanted: bool, path, flags| {
            wanted.then(|| Source::new(path, true, flags | NOSUID | NODEV | NOEXEC))
        };
        Sources {
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

    /// Takes them; the index is that of the device which could not be had. The others are a
    /// convenience that not every host has.
    pub fn take(&self) -> Result<(), (usize, Errno)> {
        for (index, (_, device)) in self.devices.iter().enumerate() {
            device.take().map_err(|errno| (index, errno))?;
        }
        for tree in [&self.sys, &self.shm, &self.mqueue, &self.notify].into_iter().flatten() {
            tree.take().ok();
        }
        Ok(())
    }
}
