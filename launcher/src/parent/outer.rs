//! The outer mount namespace: the one that a container in
//! [`Order::Locked`](crate::prepare::Order::Locked) gets a locked copy of.
//!
//! In: the launcher is in its own, private copy of the host's mount namespace, and so is the child,
//! which waits at the gate. Not before the clone: with a mount over our root the kernel takes us
//! for chrooted (fs/namespace.c, current_chrooted) and lets us make no user namespace.

use std::os::fd::AsFd;

use crate::error::Error;
use crate::prepare::Prepared;
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Result as SysResult, mount};

/// Attaches the rootfs over `/`. The launcher's root and current directory stay as they were.
pub fn assemble(prepared: &Prepared<'_>) -> Result<(), Error> {
    if !prepared.ground.caller.proc.is_hosts {
        mount_visible_proc().map_err(|errno| {
            Error::at("PutInSight", "mount a proc for the kernel to see", errno)
        })?;
    }
    if prepared.has_intermediate() {
        return Ok(());
    }
    let attach = || {
        let back = file::open(At::Cwd, c".", libc::O_PATH)?;
        prepared.attach_root()?;
        file::enter_dir(back.as_fd())
    };
    attach().map_err(|errno| {
        let shown = prepared.spec.rootfs.to_string_lossy();
        Error::at("AttachRoot", format_args!("attach rootfs {shown} over /"), errno)
    })
}

/// Mounts a proc and a sysfs that are fully visible, without which the kernel lets a user namespace
/// mount none (fs/namespace.c, mount_too_revealing). They are on a tmpfs that the rootfs is then
/// attached over. In the rootfs an umount(2) of the container's own would reveal them.
fn mount_visible_proc() -> SysResult<()> {
    const FLAGS: u64 = NOSUID | NODEV | NOEXEC;
    let place = mount::create(c"tmpfs", [(c"mode", c"755")], FLAGS)?;
    mount::attach(place.as_fd(), At::Cwd, c"/")?;
    let put = |kind| {
        file::make_dir(At::Dir(place.as_fd()), kind, 0o755)?;
        mount::attach(mount::create(kind, [], FLAGS)?.as_fd(), At::Dir(place.as_fd()), kind)
    };
    // /sys is left out of the container where it cannot be had.
    put(c"sysfs").ok();
    put(c"proc")
}
