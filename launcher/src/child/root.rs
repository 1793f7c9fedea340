//! The rootfs: attaches it over `/`, and looks for the command in it. From there on every path is
//! resolved inside it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use init::stage::Stage;

use super::identity;
use super::intermediate;
use super::reporter::{At as _, Failure, Reporter};
use crate::head::{self, Head};
use crate::prepare::{Overlay, Prepared, Source};
use crate::resolve;
use crate::spawn::Start;
use crate::sys::file::At;
use crate::sys::{Errno, Result as SysResult, file, mount};

/// Mount points that are created if they are missing. A report's object is the index in this list.
pub const MOUNT_POINTS: [&CStr; 3] = [c"proc", c"dev", c"sys"];
pub const PROC: usize = 0;
pub const DEV: usize = 1;
pub const SYS: usize = 2;

/// Attaches the rootfs over `/` and changes into it. The root directory of the process stays the
/// old root until pivot_root, so absolute paths still lead to the host's files.
pub fn attach_over_hosts(
    prepared: &Prepared<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<OwnedFd, Failure> {
    mount::make_private().at(Stage::MakePrivate)?;
    reporter.done(Stage::MakePrivate);
    prepared.attach_root().at(prepared.attach_stage())?;
    let root = open_here().at(Stage::AttachRoot)?;
    reporter.done(Stage::AttachRoot);
    Ok(root)
}

/// [`Order::Locked`](crate::prepare::Order::Locked): the rootfs lies over `/` in a mount namespace
/// that another user namespace owns. Makes it our root and copies the mount namespace: in the copy
/// the mounts are locked.
///
/// Our root has to be the topmost mount on the namespace's root: otherwise the kernel takes us for
/// chrooted (fs/namespace.c, current_chrooted), and no user namespace could be made inside.
pub fn enter_copy(
    start: &Start<'_>,
    prepared: &Prepared<'_>,
    reporter: &mut Reporter<'_>,
) -> Result<OwnedFd, Failure> {
    if prepared.has_intermediate() {
        if !prepared.ground.caller.proc.is_hosts {
            // The parent has mounted a visible proc in this one by now.
            mount::unshare_namespace().at(Stage::CopyNamespace)?;
        }
        intermediate::become_container(start, prepared, reporter)?;
    } else {
        // `/..` is the topmost mount on the root: the rootfs, which the parent has attached there.
        let topmost = file::open(At::Cwd, c"/..", libc::O_PATH | libc::O_DIRECTORY);
        topmost.and_then(|dir| file::enter_dir(dir.as_fd())).at(Stage::AttachRoot)?;
        mount::change_root_here().at(Stage::AttachRoot)?;
        mount::unshare_namespace().at(Stage::CopyNamespace)?;
        if prepared.spec.status_fd.is_some() {
            reporter.moved();
            identity::wait_for_parent(start.child_end.as_fd()).at(Stage::CopyNamespace)?;
        }
    }
    let root = open_here().at(Stage::CopyNamespace)?;
    reporter.done(Stage::CopyNamespace);
    Ok(root)
}

/// Clones the mounts that an ordinary user could not clone before, while the host's tree can be seen.
pub fn clone_mounts(prepared: &Prepared<'_>) -> Result<(), Failure> {
    prepared.sources.clone_all().map_err(|(index, errno)| Failure {
        stage: Stage::CloneDevice,
        errno,
        object: index as u16,
    })?;
    for (index, step) in prepared.plan.iter().enumerate() {
        let taken = step.sources().try_for_each(Source::clone_mounts);
        taken.at_object(Stage::CloneSource, index)?;
    }
    let mut of_rootfs = prepared.overlay.iter().flat_map(Overlay::sources);
    of_rootfs.try_for_each(Source::clone_mounts).at(Stage::MountOverlay)?;
    if prepared.ground.rootfs.tree().is_none() {
        prepared.ground.rootfs.clone_mounts(At::Cwd).at(Stage::CloneRoot)?;
    }
    Ok(())
}

fn open_here() -> SysResult<OwnedFd> {
    file::open(At::Cwd, c".", libc::O_PATH | libc::O_DIRECTORY)
}

/// Looks for the command, for the interpreter or ELF loader that it needs, and for the working
/// directory, as the container's root. execve(2) decides later; this comes before anything is
/// created.
pub fn find_command(prepared: &Prepared<'_>, root: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut failure = Failure { stage: Stage::FindCommand, errno: Errno::ENOENT, object: 0 };
    for path in &prepared.candidates {
        // As execvp(3): the search goes on after a file that will not do, but its errno is
        // remembered.
        match look_at(root, path) {
            Ok(()) if is_missing_what_it_needs(root, path) => failure.stage = Stage::ExecCommand,
            Ok(()) => return look_for_workdir(root, &prepared.process.workdir),
            Err(Errno::EACCES) => failure.errno = Errno::EACCES,
            Err(Errno::ENOENT) => {}
            Err(errno) if failure.errno == Errno::ENOENT => failure.errno = errno,
            Err(_) => {}
        }
    }
    if failure.errno != Errno::ENOENT {
        failure.stage = Stage::FindCommand;
    }
    Err(failure)
}

fn look_at(root: BorrowedFd<'_>, path: &CStr) -> SysResult<()> {
    if is_on_a_mount_point(path) {
        return Ok(());
    }
    let file = resolve::open(root, path, libc::O_PATH)?;
    let stat = file::stat_fd(file.as_fd())?;
    if stat.is_regular() && stat.is_executable() { Ok(()) } else { Err(Errno::EACCES) }
}

/// False if that cannot be told: a file that cannot be read here can still be executed.
fn is_missing_what_it_needs(root: BorrowedFd<'_>, path: &CStr) -> bool {
    let mut bytes = [0; head::LENGTH];
    let Ok(count) = resolve::read_head(root, path, &mut bytes) else { return false };
    let Some(other) = Head::parse(&bytes[..count]).needs() else { return false };
    other.starts_with(b"/") && is_missing(root, other)
}

/// A function of its own, so that its page of stack is not touched for a static program.
#[inline(never)]
fn is_missing(root: BorrowedFd<'_>, path: &[u8]) -> bool {
    let mut name = [0; head::LENGTH];
    let Some(place) = name.get_mut(..path.len()) else { return false };
    place.copy_from_slice(path);
    let Ok(path) = CStr::from_bytes_until_nul(&name) else { return false };
    matches!(look_at(root, path), Err(Errno::ENOENT | Errno::ENOTDIR))
}

fn look_for_workdir(root: BorrowedFd<'_>, path: &CStr) -> Result<(), Failure> {
    if is_on_a_mount_point(path) {
        return Ok(());
    }
    match resolve::open(root, path, libc::O_PATH | libc::O_DIRECTORY) {
        Err(errno @ (Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)) => {
            Err(errno).at(Stage::ChangeDirectory)
        }
        // Whether the command's user may enter it, init finds out.
        _ => Ok(()),
    }
}

/// Whether a path lies on what will be mounted later, where nothing can be looked up yet.
fn is_on_a_mount_point(path: &CStr) -> bool {
    let path = path.to_bytes();
    MOUNT_POINTS.iter().any(|point| is_below(path, point.to_bytes()))
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(b"/")
        .and_then(|path| path.strip_prefix(directory))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

/// Opens a mount point, and creates it if it is missing. It is not removed again, as another
/// container on the same rootfs may use it.
pub fn make_mount_point(root: BorrowedFd<'_>, point: usize) -> Result<OwnedFd, Failure> {
    let path = MOUNT_POINTS[point];
    let open = || resolve::open(root, path, libc::O_PATH | libc::O_DIRECTORY);
    match open() {
        Err(Errno::ENOENT) => match file::make_dir(At::Dir(root), path, 0o755) {
            // EEXIST: another container was faster.
            Ok(()) | Err(Errno::EEXIST) => open(),
            Err(errno) => Err(errno),
        },
        other => other,
    }
    .at_object(Stage::MakeMountPoint, point)
}
