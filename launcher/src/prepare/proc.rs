//! A /proc of our own pid namespace: the way to the id maps of a child, and to what the kernel
//! tells about us.
//!
//! What is mounted on /proc may show another pid namespace (`unshare --pid` alone does that), in
//! which the child's pid is somebody else's; or nothing is mounted there.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::sys::file::{self, At, Stat};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, mount};

/// The opened root of it.
pub struct Proc {
    dir: OwnedFd,
    /// It is what the host has on /proc, and not one that we have made and attached nowhere.
    pub is_hosts: bool,
}

impl Proc {
    /// The host's, or one of our own.
    pub fn open() -> Result<Proc, Error> {
        match file::open(At::Cwd, c"/proc", libc::O_PATH | libc::O_DIRECTORY) {
            Ok(dir) => {
                let proc = Proc { dir, is_hosts: true };
                if proc.shows_our_pids() {
                    return Ok(proc);
                }
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => return Err(Error::at("OpenProc", "open /proc", errno)),
        }
        let dir = mount::create(c"proc", [], NOSUID | NODEV | NOEXEC).map_err(|errno| {
            Error::at("OpenProc", "find a /proc that shows our processes, or make one", errno)
                .advise(
                    "mount -t proc proc /proc, in this pid namespace; only root of the machine \
                     can do without",
                )
        })?;
        Ok(Proc { dir, is_hosts: false })
    }

    /// Whether it is of our pid namespace: in one further out we have several pids, one per
    /// namespace on the way; in any other, none.
    fn shows_our_pids(&self) -> bool {
        let status = self.read_text("self/status").unwrap_or_default();
        let mut lines = status.lines().filter_map(|line| line.strip_prefix("NSpid:"));
        lines.next().is_some_and(|pids| pids.split_whitespace().count() == 1)
    }

    /// For what opens its files itself.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// One of its files.
    pub fn open_file(&self, path: &str, flags: i32) -> SysResult<OwnedFd> {
        let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
        file::open(At::Dir(self.dir()), &path, flags)
    }

    /// All of a text.
    pub fn read_text(&self, path: &str) -> SysResult<String> {
        self.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// All of a file.
    pub fn read(&self, path: &str) -> SysResult<Vec<u8>> {
        let file = self.open_file(path, libc::O_RDONLY)?;
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match file::read(file.as_fd(), &mut buffer)? {
                0 => return Ok(bytes),
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The target of a link.
    pub fn read_link(&self, path: &str) -> SysResult<Vec<u8>> {
        let link = self.open_file(path, libc::O_PATH | libc::O_NOFOLLOW)?;
        let mut target = vec![0; libc::PATH_MAX as usize];
        let length = file::read_link(link.as_fd(), &mut target)?;
        target.truncate(length);
        Ok(target)
    }

    /// Of one of its files.
    pub fn stat(&self, path: &str) -> SysResult<Stat> {
        file::stat_fd(self.open_file(path, libc::O_PATH)?.as_fd())
    }
}
