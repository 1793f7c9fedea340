//! Opens the sources of the mount plan.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use init::stage::Stage;

use super::{Caller, IdPlan, Inherited, Overlay, Rootfs, Source, dev, rootfs};
use crate::advice;
use crate::error::Error;
use crate::log::Log;
use crate::resolve;
use crate::spec::Spec;
use crate::spec::mounts::{Bind, Mount, Target, What};
use crate::sys::file::{self, At};
use crate::sys::{Errno, errno_of};

/// A step of the plan, ready for the child.
pub struct Step<'a> {
    pub mount: &'a Mount,
    /// For a bind; None where an optional source is missing.
    pub source: Option<Source>,
    /// The name below the container's /dev/pts of a device node that is bound in place of the source.
    pub device: Option<CString>,
    /// For an overlay.
    pub overlay: Option<Overlay>,
    /// For a file.
    pub content: &'a [u8],
}

impl Step<'_> {
    /// What it takes from the host.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.source.iter().chain(self.overlay.iter().flat_map(Overlay::sources))
    }
}

/// Opens the sources, as the caller and from the caller's directory.
pub fn open<'a>(
    spec: &'a Spec,
    caller: &Caller,
    inherited: &'a Inherited,
    rootfs: &Rootfs,
    log: &Log,
) -> Result<Vec<Step<'a>>, Error> {
    let by_path = rootfs.is_by_path();
    let mut contents = inherited.contents.iter();
    let mut open = |mount: &'a Mount| {
        let source = match &mount.what {
            What::Bind(bind) => open_source(bind, caller, by_path, log)?,
            What::Tmpfs { .. } if mount.optional && log.is_verbose() => {
                note_obstacle(&mount.target, rootfs, log);
                None
            }
            _ => None,
        };
        let content = match mount.what {
            What::File { .. } => contents.next().map_or(&[][..], Vec::as_slice),
            _ => &[],
        };
        let overlay = match &mount.what {
            What::Overlay { lower, upper, flags } => {
                Some(Overlay::of_plan(lower, upper.as_deref(), *flags, caller, by_path)?)
            }
            _ => None,
        };
        Ok(Step { mount, source, device: None, overlay, content })
    };
    spec.mounts.iter().map(&mut open).collect()
}

/// With the host's root in the container, what it can write there is the host's.
pub const BARE_PROC: &str =
    "without the masks of /proc, so container root can take the host over by it";

/// Tells of each bind that undoes the masks over the container's /proc.
pub fn note_bare_procs(plan: &[Step<'_>], log: &Log) {
    for source in plan.iter().filter_map(|step| step.source.as_ref()) {
        if log.is_verbose() && source.is_bare_proc() {
            log.note(format_args!("{} is bound {BARE_PROC}", source.host_path.to_string_lossy()));
        }
    }
}

/// Refuses a tmpfs whose owner is not mapped, for which the kernel says EINVAL without a reason.
pub fn check_owners(spec: &Spec, ids: &IdPlan) -> Result<(), Error> {
    for mount in &spec.mounts {
        let What::Tmpfs { options, .. } = &mount.what else { continue };
        for (key, value) in options {
            let map = match key.to_bytes() {
                b"uid" => &ids.uid,
                b"gid" => &ids.gid,
                _ => continue,
            };
            let id = value.to_str().ok().and_then(|value| value.parse().ok());
            if !id.is_some_and(|id| map.has_inside(id)) {
                let (path, key) = (mount.target.path.to_string_lossy(), key.to_string_lossy());
                let value = value.to_string_lossy();
                let text = format!(
                    "--tmpfs /{path}: {key} {value} is not one of the container's, which maps {map}"
                );
                return Err(Error::refused("Mount", text)
                    .advise("map it with --uid-map and --gid-map, or see --userns"));
            }
        }
    }
    Ok(())
}

/// For each `--device` makes a node with the same owners in the container's /dev, which is
/// idmapped. The host's devtmpfs and devpts cannot be, so that a bind of the host's node would
/// belong to nobody.
pub fn make_devices(
    plan: &mut [Step<'_>],
    dev: BorrowedFd<'_>,
    ids: &IdPlan,
    log: &mut Log,
) -> Result<(), Error> {
    for (number, step) in plan.iter_mut().enumerate() {
        let (What::Bind(Bind { device: true, .. }), Some(source)) =
            (&step.mount.what, &step.source)
        else {
            continue;
        };
        let name = CString::new(number.to_string()).unwrap_or_default();
        let made = dev::open_below_pts(dev).and_then(|dir| source.copy_device(dir.as_fd(), &name));
        let made = made.map_err(|errno| {
            let shown = source.host_path.to_string_lossy();
            Error::at("CloneSource", format_args!("make a device node like {shown}"), errno)
        })?;
        if made && let Some(stranger) = source.stranger(ids) {
            let shown = source.host_path.to_string_lossy();
            log.warn(&format!(
                "device {shown} belongs to uid {stranger}, who is not one of the container's: only others' \
                 permissions count inside"
            ));
        }
        step.device = made.then_some(name);
    }
    Ok(())
}

/// With `--read-only`: a tmpfs is left out because its target is no directory.
fn note_obstacle(target: &Target, rootfs: &Rootfs, log: &Log) {
    let there = resolve::open(rootfs.dir(), &target.path, libc::O_PATH | libc::O_DIRECTORY);
    if matches!(there, Err(Errno::ENOTDIR | Errno::ELOOP)) {
        let shown = target.path.to_string_lossy();
        log.note(format_args!("no tmpfs on /{shown}, which is no directory in the rootfs"));
    }
}

fn open_source(
    bind: &Bind,
    caller: &Caller,
    by_path: bool,
    log: &Log,
) -> Result<Option<Source>, Error> {
    let Bind { source, recursive, flags, .. } = bind;
    match open_path("bind source", source, 0, *recursive, *flags, caller, by_path) {
        Err(error) if bind.optional && error.errno == Some(Errno::ENOENT) => {
            log.note(format_args!("{} is not there, and optional", source.to_string_lossy()));
            Ok(None)
        }
        Ok(source) if bind.device && !source.is_device() => {
            let shown = source.host_path.to_string_lossy();
            Err(Error::refused("OpenSource", format!("--device {shown}: it is no device node"))
                .advise("--bind takes files and directories"))
        }
        other => other.map(Some),
    }
}

/// Opens a path of the host's (`only`: O_DIRECTORY or 0) and clones its mounts, if the caller can.
pub fn open_path(
    what: &str,
    path: &CStr,
    only: i32,
    recursive: bool,
    flags: u64,
    caller: &Caller,
    by_path: bool,
) -> Result<Source, Error> {
    let shown = path.to_string_lossy();
    let failed = |errno| failed(what, path, errno);
    let fd = file::open(At::Cwd, path, libc::O_PATH | only).map_err(failed)?;
    let full = findable(path, fd.as_fd(), caller).map_err(failed)?;
    let by_path = by_path.then_some(&caller.proc);
    let source = Source::of(fd, full, recursive, flags, by_path).map_err(failed)?;
    if caller.can_mount {
        source.clone_mounts().map_err(|errno| {
            Error::at("CloneSource", format_args!("clone the mounts of {shown}"), errno)
                .advise_maybe(advice::of(Stage::CloneSource, errno))
        })?;
    }
    Ok(source)
}

/// The error of a source that cannot be opened.
pub fn failed(what: &str, path: &CStr, errno: Errno) -> Error {
    let shown = path.to_string_lossy();
    let error = Error::at("OpenSource", format_args!("open {what} {shown}"), errno);
    match errno {
        Errno::ENOENT if path == c"." => error.advise("the current directory has been removed"),
        _ => error.advise_maybe(rootfs::obstacle(path, errno)),
    }
}

/// The child looks from another directory. And what links of /proc lead to is ours, or in our
/// mounts, of which a user's child can clone nothing: it goes by the path behind them.
fn findable(path: &CStr, fd: BorrowedFd<'_>, caller: &Caller) -> Result<CString, Errno> {
    let has_links = |start: &&[u8]| path.to_bytes().starts_with(start);
    if !caller.can_mount && [&b"/proc/"[..], b"/dev/"].iter().any(has_links) {
        let behind = caller.proc.read_link(&format!("self/fd/{}", fd.as_raw_fd()))?;
        if behind.starts_with(b"/") {
            return CString::new(behind).map_err(|_| Errno::EINVAL);
        }
    }
    if path.to_bytes().starts_with(b"/") {
        return Ok(path.to_owned());
    }
    let here = std::env::current_dir().map_err(|error| errno_of(&error))?;
    CString::new([here.as_os_str().as_bytes(), b"/", path.to_bytes()].concat())
        .map_err(|_| Errno::EINVAL)
}
