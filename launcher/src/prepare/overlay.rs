//! Where changes to the rootfs go when it is to stay as it is: an overlay over it, whose upper
//! layer is a tmpfs or a directory of the caller's.
//!
//! The child mounts it, in its own user namespace: so overlayfs acts with the container's ids, and
//! keeps its marks in `user.` attributes (Linux 5.11; on a tmpfs 6.6, without which a directory of
//! the lower layer cannot be removed: EIO).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Caller, Source, plan};
use crate::error::Error;
use crate::spec::Changes;
use crate::sys::file::{self, At};
use crate::sys::mount::attr::NODEV;
use crate::sys::{Errno, Result as SysResult, mount};

/// An overlay that is wanted.
pub struct Overlay {
    /// The directory that keeps the changes, held against other containers.
    kept: Option<(Source, OwnedFd)>,
}

impl Overlay {
    /// Opens the directory, if there is one.
    pub fn open(
        changes: &Changes,
        caller: &Caller,
        by_path: bool,
    ) -> Result<Option<Overlay>, Error> {
        let path = match changes {
            Changes::InPlace => return Ok(None),
            Changes::Dropped => return Ok(Some(Overlay { kept: None })),
            Changes::Kept(path) => path,
        };
        let shown = path.to_string_lossy();
        let failed =
            |errno| Error::at("OpenOverlay", format_args!("open --overlay-dir {shown}"), errno);
        let lock = file::open(At::Cwd, path, libc::O_RDONLY | libc::O_DIRECTORY).map_err(failed)?;
        file::try_lock(lock.as_fd()).map_err(|errno| {
            let error = Error::at("OpenOverlay", format_args!("lock --overlay-dir {shown}"), errno);
            match errno {
                Errno::EAGAIN => error.advise("another container uses it"),
                _ => error,
            }
        })?;
        let source = plan::open_path(path, false, NODEV, caller, by_path)?;
        Ok(Some(Overlay { kept: Some((source, lock)) }))
    }

    /// The directory that keeps the changes.
    pub fn source(&self) -> Option<&Source> {
        self.kept.as_ref().map(|(source, _)| source)
    }

    /// Attaches the rootfs over `/` with the overlay on it, and changes into that.
    ///
    /// Overlayfs takes its layers by path, and the only paths that nobody can exchange are relative
    /// ones in a tmpfs of our own. That one lies over `/` for a moment only: what cuts the host's
    /// tree away later takes one mount off `/`, and a second would keep the host in sight.
    pub fn attach(&self, rootfs: BorrowedFd<'_>) -> SysResult<()> {
        let base = mount::create(c"tmpfs", [(c"mode", c"700")], NODEV)?;
        mount::attach(base.as_fd(), At::Cwd, c"/")?;
        file::enter_dir(base.as_fd())?;
        let root = file::stat_fd(rootfs)?;
        make_dir(c"lower")?;
        mount::attach(rootfs, At::Cwd, c"lower")?;
        make_dir(c"changes")?;
        if let Some(source) = self.source() {
            let changes = file::open(At::Cwd, c"changes", libc::O_PATH | libc::O_DIRECTORY)?;
            source.attach(changes.as_fd(), base.as_fd())?;
        }
        make_dir(c"changes/upper")?;
        make_dir(c"changes/work")?;
        let upper = file::open(At::Cwd, c"changes/upper", libc::O_RDONLY | libc::O_DIRECTORY)?;
        file::try_attributes(upper.as_fd())?;
        // The root of the overlay is as the root of the upper layer is.
        file::change_mode(upper.as_fd(), root.mode & 0o7777)?;
        let overlay = mount::create(c"overlay", OPTIONS, NODEV)?;
        mount::detach_here()?;
        mount::attach(overlay.as_fd(), At::Cwd, c"/")?;
        file::enter_dir(overlay.as_fd())
    }
}

const OPTIONS: [(&CStr, &CStr); 4] = [
    (c"lowerdir", c"lower"),
    (c"upperdir", c"changes/upper"),
    (c"workdir", c"changes/work"),
    (c"userxattr", c""),
];

/// Of an earlier run, maybe.
fn make_dir(path: &CStr) -> SysResult<()> {
    match file::make_dir(At::Cwd, path, 0o755) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}
