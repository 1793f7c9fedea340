//! Device nodes for the container on a host that has none: nobody has mounted anything on /dev yet,
//! as on a machine that has just booted.

use std::os::fd::AsFd;

use super::Sources;
use crate::sys::file::At;
use crate::sys::mount::attr::{NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, mount};

/// Takes the sources, for real root. To be called before anything else that is going to be mounted is
/// opened, but for the rootfs, which was cloned when it was: what was opened in another mount namespace
/// is no source in this one.
pub fn clone_sources(sources: &Sources) -> Result<(), (usize, Errno)> {
    match sources.clone_all() {
        // Where that cannot be done, the missing node is what there is to tell.
        Err((_, Errno::ENOENT)) if put_in_place().is_ok() => sources.clone_all(),
        other => other,
    }
}

/// The kernel's own nodes, on /dev of a mount namespace that is the launcher's from here on: the host
/// stays as it was.
pub fn put_in_place() -> SysResult<()> {
    let nodes = mount::create(c"devtmpfs", [], NOSUID | NOEXEC)?;
    mount::unshare_namespace()?;
    mount::make_private()?;
    mount::attach(nodes.as_fd(), At::Cwd, c"/dev")
}
