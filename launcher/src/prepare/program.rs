//! init, in a sealed memfd.
//!
//! So nothing has to be installed in the rootfs, and nobody inside can overwrite a file of the host's
//! through /proc/1/exe (CVE-2019-5736): the memfd cannot be written, whoever opens it and when.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::sys::file::{self, At};
use crate::sys::mount::attr::{NODEV, NOSUID};
use crate::sys::{Errno, Result as SysResult, memfd, mount};

/// Built by build.rs from ../init, for the same target.
static BUILT_IN: &[u8] = include_bytes!(env!("LAUNCHER_INIT"));

/// init, as it is passed to the child.
pub enum Program {
    /// In a sealed memfd.
    Sealed(OwnedFd),
    /// There can be no executable memfd: the sysctl vm.memfd_noexec is 2, or a seccomp filter refuses
    /// memfd_create. The child copies it to a detached tmpfs.
    Unsealed(Source),
}

/// Where init comes from.
pub enum Source {
    BuiltIn,
    /// `--init`, opened.
    File(OwnedFd),
}

/// The built-in init, or the program at this path of the host.
pub fn open(path: Option<&CStr>) -> Result<Program, Error> {
    let at = |action: &str, errno| Error::at("PrepareInit", action, errno);
    let source = match path {
        None => Source::BuiltIn,
        Some(path) => file::open(At::Cwd, path, libc::O_RDONLY | libc::O_NONBLOCK)
            .map(Source::File)
            .map_err(|errno| at(&format!("open --init {}", path.to_string_lossy()), errno))?,
    };
    match memfd::for_program(c"init") {
        Ok(memfd) => {
            source.copy_to(memfd.as_fd()).map_err(|errno| match path {
                None => at("write init to its memfd", errno),
                Some(path) => at(&format!("copy --init {}", path.to_string_lossy()), errno),
            })?;
            memfd::seal(memfd.as_fd()).map_err(|errno| at("seal init's memfd", errno))?;
            Ok(Program::Sealed(memfd))
        }
        Err(Errno::EACCES | Errno::ENOSYS | Errno::EPERM) => Ok(Program::Unsealed(source)),
        Err(errno) => Err(at("create a memfd for init", errno)),
    }
}

impl Source {
    /// Copies it. Allocates nothing: the child does this too.
    fn copy_to(&self, to: BorrowedFd<'_>) -> SysResult<()> {
        match self {
            Source::BuiltIn => file::write_all(to, BUILT_IN),
            Source::File(file) => copy(file.as_fd(), to),
        }
    }

    /// The child: a copy on a detached tmpfs that is then made read-only, so that nobody can write
    /// it, either.
    pub fn copy_apart(&self) -> SysResult<OwnedFd> {
        let apart = mount::create(c"tmpfs", [(c"mode", c"755")], NOSUID | NODEV)?;
        let copy = file::create(apart.as_fd(), c"init", 0o755)?;
        self.copy_to(copy.as_fd())?;
        // A file system cannot be made read-only while a file is open for writing.
        drop(copy);
        mount::make_read_only(apart.as_fd())?;
        file::open(At::Dir(apart.as_fd()), c"init", libc::O_PATH)
    }
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> SysResult<()> {
    let mut buffer = [0; 4096];
    loop {
        match file::read(from, &mut buffer)? {
            0 => return Ok(()),
            count => file::write_all(to, &buffer[..count])?,
        }
    }
}
