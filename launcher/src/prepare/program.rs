//! init as a sealed memfd.
//!
//! Nothing has to be installed in the rootfs, and /proc/1/exe is a file that nobody can write,
//! not even through a descriptor that was opened in time (CVE-2019-5736).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::sys::file::{self, At};
use crate::sys::{Errno, Result as SysResult};

/// Built by build.rs from ../init, for the same target.
static BUILT_IN: &[u8] = include_bytes!(env!("LAUNCHER_INIT"));

/// The built-in init, or a copy of the program at this path of the host.
pub fn open(path: Option<&CStr>) -> Result<OwnedFd, Error> {
    let memfd = file::create_program(c"init").map_err(|errno| {
        let advice = match errno {
            Errno::EACCES => Some("the sysctl vm.memfd_noexec is 2; it has to be 1 or 0".into()),
            _ => None,
        };
        Error::at("PrepareInit", "create a memfd for init", errno).advise_maybe(advice)
    })?;
    match path {
        None => file::write_all(memfd.as_fd(), BUILT_IN)
            .map_err(|errno| Error::at("PrepareInit", "write init to its memfd", errno))?,
        Some(path) => {
            let shown = path.to_string_lossy();
            let source =
                file::open(At::Cwd, path, libc::O_RDONLY | libc::O_NONBLOCK).map_err(|errno| {
                    Error::at("PrepareInit", format_args!("open --init {shown}"), errno)
                })?;
            copy(source.as_fd(), memfd.as_fd()).map_err(|errno| {
                Error::at("PrepareInit", format_args!("copy --init {shown}"), errno)
            })?;
        }
    }
    file::seal(memfd.as_fd())
        .map_err(|errno| Error::at("PrepareInit", "seal init's memfd", errno))?;
    Ok(memfd)
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> SysResult<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file::read(from, &mut buffer)? {
            0 => return Ok(()),
            count => file::write_all(to, &buffer[..count])?,
        }
    }
}
