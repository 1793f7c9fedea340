//! The interpreter of the mount plan (`spec::mounts`): goes through it from first to last. The
//! rootfs is attached by now, and every target is resolved inside it ([`resolve`]).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use init::stage::Stage;

use super::dev::Dev;
use super::reporter::{At as _, Failure};
use crate::prepare::{Overlay, Prepared, Step};
use crate::resolve;
use crate::spec::mounts::{Target, What};
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, mount, names};

/// Carries all steps out.
pub fn apply(prepared: &Prepared<'_>, root: BorrowedFd<'_>, dev: &Dev<'_>) -> Result<(), Failure> {
    for (index, step) in prepared.plan.iter().enumerate() {
        match place(index, step, root, dev) {
            Err(failure) if step.mount.optional && failure.stage == Stage::MakeTarget => {}
            other => other.map_err(|failure| Failure { object: index as u16, ..failure })?,
        }
    }
    Ok(())
}

fn place(
    index: usize,
    step: &Step<'_>,
    root: BorrowedFd<'_>,
    dev: &Dev<'_>,
) -> Result<(), Failure> {
    let target = &step.mount.target;
    match &step.mount.what {
        What::Bind(_) => match &step.source {
            None => Ok(()),
            Some(source) => {
                let onto = match source.is_dir() {
                    true => open_or_make_dir(root, target, 0o755),
                    false => open_or_make_file(root, target, 0),
                };
                let onto = onto.at(Stage::MakeTarget)?;
                match &step.device {
                    Some(name) => dev.attach_device(name, onto.as_fd()),
                    None => source.attach(onto.as_fd(), root),
                }
                .at(Stage::AttachMount)
            }
        },
        What::Tmpfs { options, flags } => {
            let options = options.iter().map(|(key, value)| (*key, value.as_c_str()));
            put_file_system(c"tmpfs", options, *flags, root, target)
        }
        What::Overlay { .. } => {
            let onto = open_or_make_dir(root, target, 0o755).at(Stage::MakeTarget)?;
            let attach = |overlay: &Overlay| overlay.attach(onto.as_fd(), root);
            step.overlay.as_ref().map_or(Ok(()), attach).at(Stage::AttachMount)
        }
        What::Mqueue => put_file_system(c"mqueue", [], NOSUID | NODEV | NOEXEC, root, target),
        What::File { mode, .. } => {
            // A symbolic link is covered, not followed: it may dangle, as /etc/resolv.conf does
            // when it leads to what systemd-resolved writes in /run.
            let onto = open_or_make_file(root, target, libc::O_NOFOLLOW).at(Stage::MakeTarget)?;
            dev.attach_file(index, step.content, *mode, onto.as_fd()).at(Stage::AttachMount)
        }
        What::Symlink(to) => {
            let (dir, name) = parent_of(root, target).at(Stage::MakeTarget)?;
            match names::make_symlink(to, dir.as_fd(), name) {
                // An earlier start has made it.
                Err(Errno::EEXIST) if is_link_to(dir.as_fd(), name, to) => Ok(()),
                other => other.at(Stage::MakeTarget),
            }
        }
        What::Dir { mode } => open_or_make_dir(root, target, *mode).at(Stage::MakeTarget).map(drop),
    }
}

fn put_file_system<'a>(
    kind: &CStr,
    options: impl IntoIterator<Item = (&'a CStr, &'a CStr)>,
    flags: u64,
    root: BorrowedFd<'_>,
    target: &Target,
) -> Result<(), Failure> {
    // First: the kernel may refuse its options, and then no directory is to be left.
    let new = mount::create(kind, options, flags).at(Stage::AttachMount)?;
    let onto = open_or_make_dir(root, target, 0o755).at(Stage::MakeTarget)?;
    mount::attach(new.as_fd(), At::Dir(onto.as_fd()), c"").at(Stage::AttachMount)
}

/// Opens the directory; creates it, and those above it, if they are missing.
fn open_or_make_dir(root: BorrowedFd<'_>, target: &Target, mode: u32) -> SysResult<OwnedFd> {
    let open = || resolve::open(root, &target.path, libc::O_PATH | libc::O_DIRECTORY);
    match open() {
        Err(Errno::ENOENT) => {
            let (dir, name) = parent_of(root, target)?;
            make_dir(dir.as_fd(), name, mode)?;
            open()
        }
        other => other,
    }
}

/// Opens the file; creates an empty one for the mount to cover if it is missing.
fn open_or_make_file(root: BorrowedFd<'_>, target: &Target, flags: i32) -> SysResult<OwnedFd> {
    let open = || resolve::open(root, &target.path, libc::O_PATH | flags);
    let found = match open() {
        Err(Errno::ENOENT) => {
            let (dir, name) = parent_of(root, target)?;
            file::create_empty(dir.as_fd(), name)?;
            open()?
        }
        other => other?,
    };
    match file::stat_fd(found.as_fd())?.is_dir() {
        true => Err(Errno::EISDIR),
        false => Ok(found),
    }
}

/// The directory that a target lies in, created if it is missing, and the target's name there.
///
/// Each directory is created by a single name in the open directory above it. mkdirat(2) follows no
/// link in a last component, so somebody who exchanges directories for links meanwhile cannot lead
/// this out of the root.
fn parent_of<'a>(root: BorrowedFd<'_>, target: &'a Target) -> SysResult<(OwnedFd, &'a CStr)> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let mut dir = resolve::open(root, c".", flags)?;
    for above in &target.above {
        dir = match resolve::open(root, above, flags) {
            Err(Errno::ENOENT) => {
                make_dir(dir.as_fd(), last_name(above), 0o755)?;
                resolve::open(root, above, flags)?
            }
            other => other?,
        };
    }
    Ok((dir, last_name(&target.path)))
}

/// Creates a directory, unless another container on the same rootfs has just created it (EEXIST).
fn make_dir(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> SysResult<()> {
    match file::make_dir(At::Dir(dir), name, mode) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// A function of its own, so that only a call of it touches the page of stack that the buffer takes.
#[inline(never)]
fn is_link_to(dir: BorrowedFd<'_>, name: &CStr, to: &CStr) -> bool {
    let mut target = [0; libc::PATH_MAX as usize];
    let count = file::open(At::Dir(dir), name, libc::O_PATH | libc::O_NOFOLLOW)
        .and_then(|link| file::read_link(link.as_fd(), c"", &mut target));
    count.is_ok_and(|count| target[..count] == *to.to_bytes())
}

fn last_name(path: &CStr) -> &CStr {
    let bytes = path.to_bytes_with_nul();
    let start = bytes.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    CStr::from_bytes_with_nul(&bytes[start..]).unwrap_or(path)
}
