//! Overlays: over the rootfs, which is to stay as it is, or of directories of the host's, in the
//! plan. What is changed goes into a tmpfs or a directory of the caller's.
//!
//! The child mounts it, in its own user namespace: so overlayfs acts with the container's ids, and
//! keeps its marks in `user.` attributes (Linux 5.11; on a tmpfs 6.6, without which a directory of
//! the lower layer cannot be removed: EIO).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Caller, Source, plan};
use crate::error::Error;
use crate::spec::Changes;
use crate::sys::file::{self, At, Stat};
use crate::sys::mount::attr::NODEV;
use crate::sys::{Errno, Result as SysResult, mount};

/// An overlay that is wanted.
pub struct Overlay {
    /// Its lower layers, uppermost first, and their names; the rootfs's has none but the rootfs.
    lower: Vec<(CString, Source)>,
    /// Those names.
    lowerdir: CString,
    /// The directory that keeps the changes, held against other containers.
    kept: Option<(Source, OwnedFd)>,
}

impl Overlay {
    /// Opens what is to lie over the rootfs, if anything is.
    pub fn over_rootfs(
        changes: &Changes,
        caller: &Caller,
        by_path: bool,
    ) -> Result<Option<Overlay>, Error> {
        let kept = match changes {
            Changes::InPlace => return Ok(None),
            Changes::Dropped => None,
            Changes::Kept(path) => Some(open_kept("--overlay-dir", path, caller, by_path)?),
        };
        Ok(Some(Overlay { lower: Vec::new(), lowerdir: c"lower".to_owned(), kept }))
    }

    /// Opens the layers of one in the plan.
    pub fn of_plan(
        lower: &[CString],
        upper: Option<&CStr>,
        caller: &Caller,
        by_path: bool,
    ) -> Result<Overlay, Error> {
        let open = |(number, path): (usize, &CString)| {
            let name = CString::new(number.to_string()).unwrap_or_default();
            Ok((name, plan::open_path(path, true, NODEV, caller, by_path)?))
        };
        let lower = lower.iter().enumerate().map(open).collect::<Result<Vec<_>, Error>>()?;
        let names = lower.iter().map(|(name, _)| name.to_bytes()).collect::<Vec<_>>();
        let lowerdir = CString::new(names.join(&b':')).unwrap_or_default();
        let kept = upper.map(|path| open_kept("upper=", path, caller, by_path)).transpose()?;
        Ok(Overlay { lower, lowerdir, kept })
    }

    /// The host's directories in it.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let kept = self.kept.iter().map(|(source, _)| source);
        self.lower.iter().map(|(_, source)| source).chain(kept)
    }

    /// Attaches the rootfs over `/` with the overlay on it, and changes into that.
    pub fn attach_over(&self, rootfs: BorrowedFd<'_>) -> SysResult<()> {
        let put_rootfs = |_: BorrowedFd<'_>| {
            make_dir(c"lower")?;
            mount::attach(rootfs, At::Cwd, c"lower")?;
            file::stat_fd(rootfs)
        };
        let overlay = self.mount(At::Cwd, c"/", put_rootfs, NODEV)?;
        mount::attach(overlay.as_fd(), At::Cwd, c"/")?;
        file::enter_dir(overlay.as_fd())
    }

    /// Attaches one of the plan onto an open directory. The current directory is `root` afterwards.
    pub fn attach(&self, onto: BorrowedFd<'_>, root: BorrowedFd<'_>, flags: u64) -> SysResult<()> {
        let put_lower = |base: BorrowedFd<'_>| {
            for (name, source) in &self.lower {
                source.attach(make_dir(name)?.as_fd(), base)?;
            }
            let first = self.lower.first().map_or(c".", |(name, _)| name.as_c_str());
            file::stat_path(first)
        };
        let overlay = self.mount(At::Dir(onto), c"", put_lower, flags)?;
        mount::attach(overlay.as_fd(), At::Dir(onto), c"")?;
        file::enter_dir(root)
    }

    /// Overlayfs takes its layers by path, and the only paths that nobody can exchange are relative
    /// ones in a tmpfs of our own. That one lies on the place for a moment only: what cuts the
    /// host's tree away later takes one mount off `/`, and a second would keep the host in sight.
    fn mount(
        &self,
        at: At<'_>,
        path: &CStr,
        put_lower: impl FnOnce(BorrowedFd<'_>) -> SysResult<Stat>,
        flags: u64,
    ) -> SysResult<OwnedFd> {
        let base = mount::create(c"tmpfs", [(c"mode", c"700")], NODEV)?;
        mount::attach(base.as_fd(), at, path)?;
        file::enter_dir(base.as_fd())?;
        let lower = put_lower(base.as_fd())?;
        let changes = make_dir(c"changes")?;
        if let Some((source, _)) = &self.kept {
            source.attach(changes.as_fd(), base.as_fd())?;
        }
        make_dir(c"changes/upper")?;
        make_dir(c"changes/work")?;
        let upper = file::open(At::Cwd, c"changes/upper", libc::O_RDONLY | libc::O_DIRECTORY)?;
        file::try_attributes(upper.as_fd())?;
        // The root of the overlay is as the root of the upper layer is.
        file::change_mode(upper.as_fd(), lower.mode & 0o7777)?;
        match file::change_owner(upper.as_fd(), lower.uid) {
            // It belongs to nobody in here.
            Err(Errno::EINVAL) => {}
            other => other?,
        }
        let options = [
            (c"lowerdir", self.lowerdir.as_c_str()),
            (c"upperdir", c"changes/upper"),
            (c"workdir", c"changes/work"),
            (c"userxattr", c""),
        ];
        let overlay = mount::create(c"overlay", options, flags)?;
        mount::detach_here()?;
        Ok(overlay)
    }
}

/// The directory for the changes, locked.
fn open_kept(
    option: &str,
    path: &CStr,
    caller: &Caller,
    by_path: bool,
) -> Result<(Source, OwnedFd), Error> {
    let shown = path.to_string_lossy();
    let failed = |errno| Error::at("OpenOverlay", format_args!("open {option} {shown}"), errno);
    let lock = file::open(At::Cwd, path, libc::O_RDONLY | libc::O_DIRECTORY).map_err(failed)?;
    file::try_lock(lock.as_fd()).map_err(|errno| {
        let error = Error::at("OpenOverlay", format_args!("lock {option} {shown}"), errno);
        match errno {
            Errno::EAGAIN => error.advise("another container uses it"),
            _ => error,
        }
    })?;
    Ok((plan::open_path(path, false, NODEV, caller, by_path)?, lock))
}

/// Of an earlier run, maybe.
fn make_dir(path: &CStr) -> SysResult<OwnedFd> {
    match file::make_dir(At::Cwd, path, 0o755) {
        Err(Errno::EEXIST) => {}
        other => other?,
    }
    file::open(At::Cwd, path, libc::O_PATH | libc::O_DIRECTORY)
}
