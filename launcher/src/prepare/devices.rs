//! Clones the host's device nodes; also on a host where nothing is mounted on /dev, as on a machine
//! that has just booted.

use std::os::fd::AsFd;

use super::Sources;
use crate::sys::file::At;
use crate::sys::mount::attr::{NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, mount};

/// Clones the sources, as root. This may change the mount namespace, and what was opened in the old
/// one can be cloned no more: so only the rootfs, which is cloned by now, is opened before.
pub fn clone_sources(sources: &Sources) -> Result<(), (usize, Errno)> {
    match sources.clone_all() {
        // If that fails, the missing node is the error.
        Err((_, Errno::ENOENT)) if put_in_place().is_ok() => sources.clone_all(),
        other => other,
    }
}

/// Mounts a devtmpfs on /dev, in a mount namespace that is the launcher's own from here on: nothing
/// changes for the host.
pub fn put_in_place() -> SysResult<()> {
    let nodes = mount::create(c"devtmpfs", [], NOSUID | NOEXEC)?;
    mount::unshare_namespace()?;
    mount::make_private()?;
    mount::attach(nodes.as_fd(), At::Cwd, c"/dev")
}
