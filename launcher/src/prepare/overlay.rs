//! Overlays (overlayfs): one over the rootfs, which is then not changed (`--ephemeral`,
//! `--overlay-dir`, an image), and those of the mount plan (`--overlay`). The upper layer is a
//! tmpfs or a directory of the caller's.
//!
//! The child mounts them, in its own user namespace: overlayfs acts with the credentials of the
//! process that mounts it. There it keeps its marks (whiteouts, opaque directories) in `user.`
//! attributes (Linux 5.11), which a tmpfs has since 6.6; without them a directory of a lower layer
//! cannot be removed (EIO). So before 6.6, if it is root, the launcher mounts those whose upper
//! layer is a tmpfs, with `trusted.` attributes, which only the host's root can set.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Caller, Source, plan};
use crate::error::Error;
use crate::namespaces;
use crate::spec::Changes;
use crate::sys::file::{self, At, Stat};
use crate::sys::lock::{self, Lock};
use crate::sys::mount::attr::{NODEV, RDONLY};
use crate::sys::{Errno, Result as SysResult, descriptors, mount, process};

/// An overlay to mount.
pub struct Overlay {
    /// The lower layers, uppermost first, with the names of their mount points. Empty over the
    /// rootfs, which is the only one then.
    lower: Vec<(CString, Source)>,
    /// Those names, as the mount option has them.
    lowerdir: CString,
    /// The directory for the changes, and the lock on it; None: a tmpfs.
    kept: Option<(Source, OwnedFd)>,
    /// MOUNT_ATTR_*.
    flags: u64,
    /// The launcher mounts it, not the child.
    pub is_launchers: bool,
}

/// The attributes that overlayfs keeps its marks in: `user.overlay.` or `trusted.overlay.`.
#[derive(Clone, Copy)]
enum Marks {
    User,
    Trusted,
}

impl Marks {
    /// Whether a file can have such attributes.
    fn try_on(self, file: BorrowedFd<'_>) -> SysResult<()> {
        file::try_attribute(
            file,
            match self {
                Marks::User => c"user.launcher",
                Marks::Trusted => c"trusted.launcher",
            },
        )
    }

    fn try_on_tmpfs(self) -> SysResult<()> {
        let tmpfs = mount::create(c"tmpfs", [], NODEV)?;
        let root = file::open(At::Dir(tmpfs.as_fd()), c".", libc::O_RDONLY | libc::O_DIRECTORY)?;
        self.try_on(root.as_fd())
    }
}

impl Overlay {
    /// Opens the overlay over the rootfs, if there is to be one.
    pub fn over_rootfs(
        changes: &Changes,
        rootfs: &Stat,
        caller: &Caller,
        by_path: bool,
    ) -> Result<Option<Overlay>, Error> {
        let kept = match changes {
            Changes::InPlace => return Ok(None),
            Changes::Dropped => None,
            Changes::Kept(path) => {
                let place = [("ROOTFS", rootfs)];
                Some(open_kept("--overlay-dir", path, &place, caller, by_path)?)
            }
        };
        let (lower, lowerdir) = (Vec::new(), c"lower".to_owned());
        Ok(Some(Overlay::new(lower, lowerdir, kept, NODEV, caller)))
    }

    /// Opens the layers of one of the plan.
    pub fn of_plan(
        lower: &[CString],
        upper: Option<&CStr>,
        flags: u64,
        caller: &Caller,
        by_path: bool,
    ) -> Result<Overlay, Error> {
        let open = |(number, path): (usize, &CString)| {
            let name = CString::new(number.to_string()).unwrap_or_default();
            let only = libc::O_DIRECTORY;
            let source = plan::open_path("lower=", path, only, true, NODEV, caller, by_path)?;
            Ok((name, source))
        };
        let lower = lower.iter().enumerate().map(open).collect::<Result<Vec<_>, Error>>()?;
        let mut names = lower.iter().map(|(name, _)| name.to_bytes()).collect::<Vec<_>>();
        if lower.len() == 1 && upper.is_none() && flags & RDONLY != 0 {
            // Without an upper layer the kernel wants two lower ones: an empty one beside it.
            names.push(b"changes");
        }
        let lowerdir = CString::new(names.join(&b':')).unwrap_or_default();
        let layers = lower.iter().filter_map(|(_, source)| Some(("lower=", source.stat()?)));
        let layers = layers.collect::<Vec<_>>();
        let kept =
            upper.map(|path| open_kept("upper=", path, &layers, caller, by_path)).transpose()?;
        Ok(Overlay::new(lower, lowerdir, kept, flags, caller))
    }

    fn new(
        lower: Vec<(CString, Source)>,
        lowerdir: CString,
        kept: Option<(Source, OwnedFd)>,
        flags: u64,
        caller: &Caller,
    ) -> Overlay {
        let mut overlay = Overlay { lower, lowerdir, kept, flags, is_launchers: false };
        overlay.is_launchers = overlay.kept.is_none()
            && caller.can_mount
            && Marks::User.try_on_tmpfs().is_err()
            && Marks::Trusted.try_on_tmpfs().is_ok();
        overlay
    }

    /// Whether there is no upper layer. (A read-only rootfs has one, for mount points.)
    fn has_no_upper(&self) -> bool {
        self.kept.is_none() && self.flags & RDONLY != 0
    }

    /// Whether changes stay.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The host's directories in it.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let kept = self.kept.iter().map(|(source, _)| source);
        self.lower.iter().map(|(_, source)| source).chain(kept)
    }

    /// Attaches the overlay over `/`, and changes into it.
    pub fn attach_over(&self, rootfs: BorrowedFd<'_>) -> SysResult<()> {
        let overlay = self.mount_at_root(rootfs, Marks::User)?;
        mount::attach(overlay.as_fd(), At::Cwd, c"/")?;
        file::enter_dir(overlay.as_fd())
    }

    /// For messages: its first layer.
    pub fn show(&self, rootfs: &CStr) -> String {
        match self.lower.first() {
            None => format!("rootfs {}", rootfs.to_string_lossy()),
            Some((_, source)) => source.host_path.to_string_lossy().into(),
        }
    }

    /// For one of the plan that the launcher mounts: the descriptor that it replaces, of the first
    /// layer.
    pub fn place(&self) -> Option<BorrowedFd<'_>> {
        self.lower.first().filter(|_| self.is_launchers)?.1.tree()
    }

    /// The launcher: mounts the overlay, detached, and puts it under the number of this descriptor
    /// (the rootfs's, or the first layer's). Done by a child with a mount namespace of its own, so
    /// that nothing of it appears on the host, and with our descriptors (CLONE_FILES).
    pub fn replace(&self, first: BorrowedFd<'_>) -> SysResult<()> {
        const FILES: u64 = libc::CLONE_FILES as u64;
        process::try_in_child(FILES | namespaces::MNT, || {
            mount::make_private()?;
            let overlay = self.mount_at_root(first, Marks::Trusted)?;
            descriptors::replace(first, overlay.as_fd())
        })
    }

    /// Mounts it, with its layers prepared over `/`.
    fn mount_at_root(&self, rootfs: BorrowedFd<'_>, marks: Marks) -> SysResult<OwnedFd> {
        self.mount(At::Cwd, c"/", marks, |base| match self.lower.is_empty() {
            true => {
                make_dir(c"lower")?;
                mount::attach(rootfs, At::Cwd, c"lower")?;
                file::stat_fd(rootfs)
            }
            false => self.put_lower(base),
        })
    }

    fn put_lower(&self, base: BorrowedFd<'_>) -> SysResult<Stat> {
        for (name, source) in &self.lower {
            source.attach(make_dir(name)?.as_fd(), base)?;
        }
        let first = self.lower.first().map_or(c".", |(name, _)| name.as_c_str());
        file::stat_path(first)
    }

    /// The child: attaches one of the plan onto an open directory. The current directory is `root`
    /// afterwards.
    pub fn attach(&self, onto: BorrowedFd<'_>, root: BorrowedFd<'_>) -> SysResult<()> {
        if let Some(overlay) = self.place() {
            return mount::attach(overlay, At::Dir(onto), c"");
        }
        let put_lower = |base: BorrowedFd<'_>| self.put_lower(base);
        let overlay = self.mount(At::Dir(onto), c"", Marks::User, put_lower)?;
        mount::attach(overlay.as_fd(), At::Dir(onto), c"")?;
        file::enter_dir(root)
    }

    /// Overlayfs takes its layers by path, and only in a tmpfs of our own nobody can exchange what
    /// a path leads to. That tmpfs is mounted on the place for a moment and detached again: init
    /// detaches only one mount from `/` later, the old root.
    fn mount(
        &self,
        at: At<'_>,
        path: &CStr,
        marks: Marks,
        put_lower: impl FnOnce(BorrowedFd<'_>) -> SysResult<Stat>,
    ) -> SysResult<OwnedFd> {
        let base = mount::create(c"tmpfs", [(c"mode", c"700")], NODEV)?;
        mount::attach(base.as_fd(), at, path)?;
        file::enter_dir(base.as_fd())?;
        let lower = put_lower(base.as_fd())?;
        let changes = make_dir(c"changes")?;
        if let Some((source, _)) = &self.kept {
            source.attach(changes.as_fd(), base.as_fd())?;
        }
        let upper = match self.has_no_upper() {
            true => None,
            false => Some(make_upper(&lower, marks)?),
        };
        let lowerdir = (c"lowerdir", self.lowerdir.as_c_str());
        let upper =
            upper.map(|()| [(c"upperdir", c"changes/upper"), (c"workdir", c"changes/work")]);
        let marks = match marks {
            Marks::User => Some((c"userxattr", c"")),
            Marks::Trusted => None,
        };
        let options = [lowerdir].into_iter().chain(upper.into_iter().flatten()).chain(marks);
        let overlay = mount::create(c"overlay", options, self.flags)?;
        mount::detach_here()?;
        Ok(overlay)
    }
}

/// Makes the upper layer. Its root has the mode and owner of the lower one, as the overlay's root
/// shows those.
fn make_upper(lower: &Stat, marks: Marks) -> SysResult<()> {
    make_dir(c"changes/upper")?;
    make_dir(c"changes/work")?;
    let upper = file::open(At::Cwd, c"changes/upper", libc::O_RDONLY | libc::O_DIRECTORY)?;
    marks.try_on(upper.as_fd())?;
    file::change_mode(upper.as_fd(), lower.mode & 0o7777)?;
    for (uid, gid) in [(lower.uid, file::KEEP), (file::KEEP, lower.gid)] {
        match file::change_owner(upper.as_fd(), uid, gid) {
            // The owner is not mapped in here.
            Err(Errno::EINVAL) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Opens the directory for the changes and locks it against other containers.
fn open_kept(
    option: &str,
    path: &CStr,
    not_in: &[(&str, &Stat)],
    caller: &Caller,
    by_path: bool,
) -> Result<(Source, OwnedFd), Error> {
    let shown = path.to_string_lossy();
    let failed = |errno| Error::at("OpenOverlay", format_args!("open {option} {shown}"), errno);
    let lock = file::open(At::Cwd, path, libc::O_RDONLY | libc::O_DIRECTORY).map_err(failed)?;
    for (name, place) in not_in {
        if lies_in(lock.as_fd(), place).map_err(failed)? {
            return Err(Error::refused("OpenOverlay", format!("{option} {shown} lies in {name}"))
                .advise(
                    "the changes would go into what is to stay as it is; give a directory beside it",
                ));
        }
    }
    lock::try_lock(lock.as_fd(), Lock::Exclusive).map_err(|errno| {
        let error = Error::at("OpenOverlay", format_args!("lock {option} {shown}"), errno);
        match errno {
            Errno::EAGAIN => error.advise("another container uses it"),
            _ => error,
        }
    })?;
    Ok((plan::open_path(option, path, libc::O_DIRECTORY, false, NODEV, caller, by_path)?, lock))
}

/// Whether a directory is another one, or below it.
fn lies_in(directory: BorrowedFd<'_>, other: &Stat) -> SysResult<bool> {
    let up = |from: &OwnedFd| file::open(At::Dir(from.as_fd()), c"..", libc::O_PATH);
    let mut stat = file::stat_fd(directory)?;
    let mut above = file::open(At::Dir(directory), c"..", libc::O_PATH)?;
    loop {
        let next = file::stat_fd(above.as_fd())?;
        if stat.is_same(other) || stat.is_same(&next) {
            return Ok(stat.is_same(other));
        }
        stat = next;
        above = up(&above)?;
    }
}

/// Makes a directory, unless an earlier run has made it, and opens it.
fn make_dir(path: &CStr) -> SysResult<OwnedFd> {
    match file::make_dir(At::Cwd, path, 0o755) {
        Err(Errno::EEXIST) => {}
        other => other?,
    }
    file::open(At::Cwd, path, libc::O_PATH | libc::O_DIRECTORY)
}
