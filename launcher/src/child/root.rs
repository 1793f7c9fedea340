//! The rootfs: attached over `/`, then entered. From there on every target is resolved inside it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use init::stage::Stage;

use super::reporter::{At as _, Failure};
use crate::prepare::{Prepared, Rootfs};
use crate::sys::file::At;
use crate::sys::{Errno, Result as SysResult, file, mount};

/// Mount points that may be missing; reports tell them by their place in this list.
pub const MOUNT_POINTS: [&CStr; 3] = [c"proc", c"dev", c"sys"];
pub const PROC: usize = 0;
pub const DEV: usize = 1;
pub const SYS: usize = 2;

/// Mounts of the host that the container shares, taken while they can be named.
pub struct Sources {
    /// The device nodes that an ordinary user could not clone before.
    pub devices: [Option<OwnedFd>; 6],
    /// With the network shared: the kernel mounts no new sysfs then.
    pub sys: Option<OwnedFd>,
    /// With IPC shared: what its users meet at.
    pub shm: Option<OwnedFd>,
    pub mqueue: Option<OwnedFd>,
}

/// Clones them.
pub fn take_sources(prepared: &Prepared<'_>) -> Result<Sources, Failure> {
    let mut devices = [const { None }; 6];
    for (index, device) in prepared.devices.iter().enumerate() {
        if device.mount.is_none() {
            let clone = mount::clone_tree(At::Cwd, device.host_path, false)
                .at_object(Stage::CloneDevice, index)?;
            devices[index] = Some(clone);
        }
    }
    let share = prepared.spec.share;
    let optional = |wanted: bool, path: &CStr| {
        if wanted { mount::clone_tree(At::Cwd, path, true).ok() } else { None }
    };
    Ok(Sources {
        devices,
        sys: optional(share.net, c"/sys"),
        shm: optional(share.ipc, c"/dev/shm"),
        mqueue: optional(share.ipc, c"/dev/mqueue"),
    })
}

/// The tree to attach: what root cloned before, or a clone of the directory that the launcher
/// stood in when it cloned us.
pub fn clone_own(prepared: &Prepared<'_>) -> Result<Option<OwnedFd>, Failure> {
    match &prepared.rootfs {
        Rootfs::Clone(..) => Ok(None),
        Rootfs::Directory(..) => {
            let tree = mount::clone_tree(At::Cwd, c"", true).at(Stage::CloneRoot)?;
            // Device nodes that lie in the rootfs are dead from here on.
            mount::restrict(tree.as_fd(), mount::attr::NODEV).at(Stage::RestrictRoot)?;
            Ok(Some(tree))
        }
    }
}

/// Attaches the rootfs over `/` and changes into it. The process's root stays the old one until
/// pivot_root, so nothing is hidden yet.
pub fn attach(tree: BorrowedFd<'_>) -> Result<(), Failure> {
    mount::attach(tree, At::Cwd, c"/").at(Stage::AttachRoot)?;
    file::enter_dir(tree).at(Stage::AttachRoot)
}

/// Whether the command is there, as the container's root sees it. execve(2) has the last word;
/// this one comes before anything is created.
pub fn find_command(prepared: &Prepared<'_>, root: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut best = Errno::ENOENT;
    for path in &prepared.candidates {
        match look_at(root, path) {
            Ok(()) => return Ok(()),
            // As execvp(3): the search goes on, but "there, not executable" is remembered.
            Err(Errno::EACCES) => best = Errno::EACCES,
            Err(Errno::ENOENT) => {}
            Err(errno) if best == Errno::ENOENT => best = errno,
            Err(_) => {}
        }
    }
    Err(best).at(Stage::FindCommand)
}

fn look_at(root: BorrowedFd<'_>, path: &CStr) -> SysResult<()> {
    // Below what is yet to be mounted nothing can be known.
    let bytes = path.to_bytes();
    if MOUNT_POINTS.iter().any(|point| is_below(bytes, point.to_bytes())) {
        return Ok(());
    }
    let file = file::open_in_root(root, path, libc::O_PATH)?;
    let stat = file::stat_fd(file.as_fd())?;
    if stat.is_regular() && stat.is_executable() { Ok(()) } else { Err(Errno::EACCES) }
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(b"/")
        .and_then(|path| path.strip_prefix(directory))
        .is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Opens a mount point, and makes it if it is missing. It is never removed again: another
/// container on the same rootfs may be using it.
pub fn make_mount_point(root: BorrowedFd<'_>, point: usize) -> Result<OwnedFd, Failure> {
    let path = MOUNT_POINTS[point];
    let open = || file::open_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY);
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
