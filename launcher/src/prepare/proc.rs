//! A proc file system that shows our processes: to write the id maps of a child, and to read what the
//! kernel tells about us.
//!
//! The one mounted on /proc may belong to a pid namespace further out (after `unshare --pid`
//! alone), where the child has another number and its pid is another process; or to an unrelated
//! one; or there is none.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::fmt;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::error::Error;
use crate::sys::file::{self, At, Stat};
use crate::sys::mount::attr::{NODEV, NOEXEC, NOSUID};
use crate::sys::{Errno, Result as SysResult, mount, process};

/// The bytes as text, without a copy if they are UTF-8.
pub fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Its open root.
pub struct Proc {
    dir: OwnedFd,
    /// It is the one on /proc, and not a detached one of our own.
    pub is_hosts: bool,
    /// It is of our own pid namespace, so that its numbers are our pids. Found out when it matters.
    is_ours: OnceCell<bool>,
}

impl Proc {
    /// Opens the one on /proc, or mounts a detached one if that does not show us.
    pub fn open() -> Result<Proc, Error> {
        match file::open(At::Cwd, c"/proc", libc::O_PATH | libc::O_DIRECTORY) {
            Ok(dir) => {
                // Where we are not in its pid namespace this link cannot be read.
                if file::read_link(dir.as_fd(), c"self", &mut [0; 16]) != Err(Errno::ENOENT) {
                    return Ok(Proc { dir, is_hosts: true, is_ours: OnceCell::new() });
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
        Ok(Proc { dir, is_hosts: false, is_ours: OnceCell::from(true) })
    }

    /// The number of our pids that it shows: one, or with one of an outer pid namespace one for
    /// each on the way.
    fn count_own_pids(&self) -> usize {
        let status = self.read_text("self/status").unwrap_or_default();
        let mut lines = status.lines().filter_map(|line| line.strip_prefix("NSpid:"));
        lines.next().map_or(0, |pids| pids.split_whitespace().count())
    }

    /// The number that a child of ours has in it.
    pub fn number(&self, pid: i32) -> Result<i32, Error> {
        self.find(pid).map_err(|errno| {
            Error::at("FindProc", "find the child in the host's /proc", errno)
                .advise("mount a proc of this pid namespace: mount -t proc proc /proc")
        })
    }

    /// The same for use in the child: from the second call on it allocates nothing.
    pub fn find(&self, pid: i32) -> SysResult<i32> {
        if *self.is_ours.get_or_init(|| self.count_own_pids() == 1) {
            return Ok(pid);
        }
        // fdinfo of a pidfd tells the pid as seen in the pid namespace of that proc (fs/pidfs.c).
        let process = process::open_pidfd(pid)?;
        let info =
            self.open_named(format_args!("self/fdinfo/{}", process.as_raw_fd()), libc::O_RDONLY)?;
        let mut text = [0; 512];
        let count = file::read(info.as_fd(), &mut text)?;
        let mut lines = str::from_utf8(&text[..count]).unwrap_or_default().lines();
        let number = lines.find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
        number.filter(|&number| number > 0).ok_or(Errno::ESRCH)
    }

    /// How many threads of the machine are runnable, by /proc/loadavg.
    pub fn running(&self) -> SysResult<u32> {
        let file = self.open_file("loadavg", libc::O_RDONLY)?;
        let mut text = [0; 64];
        let count = file::read(file.as_fd(), &mut text)?;
        let mut words = str::from_utf8(&text[..count]).unwrap_or_default().split(' ');
        // 0.20 0.18 0.12 3/80 11206.
        let running = words.nth(3).and_then(|word| word.split('/').next()?.parse().ok());
        running.ok_or(Errno::EBADMSG)
    }

    /// Its root.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Opens one of its files. Allocates nothing.
    pub fn open_named(&self, path: fmt::Arguments<'_>, flags: i32) -> SysResult<OwnedFd> {
        let mut bytes = [0; 64];
        write!(&mut bytes[..], "{path}\0").map_err(|_| Errno::ENAMETOOLONG)?;
        let path = CStr::from_bytes_until_nul(&bytes).map_err(|_| Errno::ENAMETOOLONG)?;
        file::open(At::Dir(self.dir()), path, flags)
    }

    /// Opens one of its files.
    pub fn open_file(&self, path: &str, flags: i32) -> SysResult<OwnedFd> {
        self.open_named(format_args!("{path}"), flags)
    }

    /// Reads all of a file as text.
    pub fn read_text(&self, path: &str) -> SysResult<String> {
        self.read(path).map(into_text)
    }

    /// Reads all of a file.
    pub fn read(&self, path: &str) -> SysResult<Vec<u8>> {
        let file = self.open_file(path, libc::O_RDONLY)?;
        file::read_all(file.as_fd())
    }

    /// The target of a link.
    pub fn read_link(&self, path: &str) -> SysResult<Vec<u8>> {
        let link = self.open_file(path, libc::O_PATH | libc::O_NOFOLLOW)?;
        let mut target = vec![0; libc::PATH_MAX as usize];
        let length = file::read_link(link.as_fd(), c"", &mut target)?;
        target.truncate(length);
        Ok(target)
    }

    /// fstat(2) of one of its files.
    pub fn stat(&self, path: &str) -> SysResult<Stat> {
        file::stat_fd(self.open_file(path, libc::O_PATH)?.as_fd())
    }
}
