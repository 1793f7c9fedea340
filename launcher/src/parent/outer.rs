//! The mount namespace that a container in [`Order::Locked`](crate::prepare::Order::Locked) gets
//! a copy of.
//!
//! In: the launcher's own copy of the host's, private; a child that is in it too and waits at the
//! gate. No sooner: who makes a user namespace may not have anything over their root.

use std::os::fd::AsFd;

use crate::error::Error;
use crate::prepare::Prepared;
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Result as SysResult, mount};

/// Attaches the rootfs over `/`. The launcher stays in its own root and where it was.
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

/// The kernel gives a user namespace a proc, and a sysfs, only while another one is in the mount
/// namespace with nothing over it (fs/namespace.c, mount_too_revealing). Their place is a tmpfs
/// that the rootfs comes to lie over; in the rootfs an umount would reveal them.
fn mount_visible_proc() -> SysResult<()> {
    const FLAGS: u64 = NOSUID | NODEV | NOEXEC;
    let place = mount::create(c"tmpfs", [(c"mode", c"755")], FLAGS)?;
    mount::attach(place.as_fd(), At::Cwd, c"/")?;
    let put = |kind| {
        file::make_dir(At::Dir(place.as_fd()), kind, 0o755)?;
        mount::attach(mount::create(kind, [], FLAGS)?.as_fd(), At::Dir(place.as_fd()), kind)
    };
    // A container lives without a /sys.
    put(c"sysfs").ok();
    put(c"proc")
}
