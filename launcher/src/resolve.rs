//! Opens files below a root that may be hostile: neither a symbolic link nor `..` leads out of it,
//! and magic links (/proc/PID/fd/N) are refused.
//!
//! By openat2(2). Where an outer container's seccomp filter refuses that, component by component:
//! the kernel then follows no link, and no `..` is looked up. Allocates nothing, as the child uses
//! this, too.

use std::ffi::CStr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::file::{self, At};
use crate::sys::{Errno, Result as SysResult};

/// Opens a file below `root`.
pub fn open(root: BorrowedFd<'_>, path: &CStr, flags: i32) -> SysResult<OwnedFd> {
    /// EAGAIN: somebody has renamed or mounted something meanwhile, and the caller has to try again
    /// (openat2(2)). Somebody who does that all the time keeps us for some milliseconds.
    const TRIES: usize = 10_000;
    let mut result = file::open_in_root(root, path, flags);
    for _ in 1..TRIES {
        if !matches!(result, Err(Errno::EAGAIN)) {
            break;
        }
        result = file::open_in_root(root, path, flags);
    }
    match result {
        Err(Errno::ENOSYS | Errno::EPERM) => walk(root, path, flags),
        other => other,
    }
}

/// Reads the first bytes of a file below `root`.
pub fn read_head(root: BorrowedFd<'_>, path: &CStr, buffer: &mut [u8]) -> SysResult<usize> {
    // A FIFO must not block us, and a terminal must not become ours.
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let fd = open(root, path, flags)?;
    file::read(fd.as_fd(), buffer)
}

/// The walk by components. A function of its own: its buffers take pages of stack, which every call
/// of [`open`] would touch.
#[cold]
#[inline(never)]
fn walk(root: BorrowedFd<'_>, path: &CStr, flags: i32) -> SysResult<OwnedFd> {
    /// A path with more links and `..` than this is no honest one; the kernel takes 40 links.
    const TURNS: usize = 100;
    let mut path = Path::new(path.to_bytes())?;
    if path.bytes().is_empty() {
        return Err(Errno::ENOENT);
    }
    for _ in 0..TURNS {
        if let Some(opened) = walk_once(root, &mut path, flags)? {
            return Ok(opened);
        }
    }
    Err(Errno::ELOOP)
}

/// Walks to the first link or `..`, and rewrites the path: a link becomes its target, a `..`
/// disappears with the name before it. None: it was rewritten, and the walk has to begin again from
/// the root, as nothing that was looked up before is trusted to be still there.
fn walk_once(root: BorrowedFd<'_>, path: &mut Path, flags: i32) -> SysResult<Option<OwnedFd>> {
    let mut directory = None::<OwnedFd>;
    let (mut before, mut start) = (0, 0);
    while start < path.length {
        let rest = &path.bytes()[start..];
        let end = start + rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
        let name = match &path.bytes()[start..end] {
            b"" | b"." => {
                start = end + 1;
                continue;
            }
            b".." => {
                path.replace(before..end, b"")?;
                return Ok(None);
            }
            name => Path::new(name)?,
        };
        let at = At::Dir(directory.as_ref().map_or(root, AsFd::as_fd));
        let found = file::open(at, name.as_c_str()?, libc::O_PATH | libc::O_NOFOLLOW)?;
        if file::stat_fd(found.as_fd())?.is_link() {
            let target = Path::of_link(found.as_fd())?;
            let is_absolute = target.bytes().starts_with(b"/");
            path.replace(if is_absolute { 0 } else { start }..end, target.bytes())?;
            return Ok(None);
        }
        if path.bytes()[end..].iter().all(|&b| b == b'/') {
            let directory = if end < path.length { libc::O_DIRECTORY } else { 0 };
            let flags = flags | directory | libc::O_NOFOLLOW;
            return file::open(at, name.as_c_str()?, flags).map(Some);
        }
        directory = Some(found);
        (before, start) = (start, end + 1);
    }
    let here = At::Dir(directory.as_ref().map_or(root, AsFd::as_fd));
    file::open(here, c".", flags).map(Some)
}

/// A path of at most PATH_MAX bytes, with its NUL.
struct Path {
    bytes: [u8; libc::PATH_MAX as usize],
    length: usize,
}

impl Path {
    const EMPTY: Path = Path { bytes: [0; libc::PATH_MAX as usize], length: 0 };

    fn new(bytes: &[u8]) -> SysResult<Path> {
        let mut path = Path::EMPTY;
        path.replace(0..0, bytes)?;
        Ok(path)
    }

    fn of_link(link: BorrowedFd<'_>) -> SysResult<Path> {
        let mut path = Path::EMPTY;
        path.length = file::read_link(link, c"", &mut path.bytes)?;
        // One that fills the buffer may have been cut, and has no NUL.
        if path.length < path.bytes.len() { Ok(path) } else { Err(Errno::ENAMETOOLONG) }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn as_c_str(&self) -> SysResult<&CStr> {
        CStr::from_bytes_until_nul(&self.bytes).map_err(|_| Errno::ENAMETOOLONG)
    }

    /// Replaces a range of the bytes.
    fn replace(&mut self, range: Range<usize>, other: &[u8]) -> SysResult<()> {
        let length = self.length - range.len() + other.len();
        if length >= self.bytes.len() {
            return Err(Errno::ENAMETOOLONG);
        }
        self.bytes.copy_within(range.end..self.length, range.start + other.len());
        self.bytes[range.start..range.start + other.len()].copy_from_slice(other);
        self.bytes[length..].fill(0);
        self.length = length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// What a path leads to, by either way.
    fn lead(root: &OwnedFd, path: &CStr, flags: i32) -> [Result<(u64, u64), Errno>; 2] {
        [file::open_in_root, walk].map(|open| {
            let stat = file::stat_fd(open(root.as_fd(), path, flags)?.as_fd())?;
            Ok((stat.dev, stat.ino))
        })
    }

    #[test]
    fn both_ways_lead_to_the_same() {
        let folder = std::env::temp_dir().join(format!("inside-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/b/c")).unwrap();
        fs::write(folder.join("a/file"), "").unwrap();
        for (target, link) in [
            ("/a/b", "absolute"),
            ("a/b", "relative"),
            ("../../../etc", "out"),
            ("/proc/self/root", "magic"),
            ("b/../../a/./file", "a/turns"),
            ("round", "round"),
            ("to/", "from"),
            ("from", "to"),
            ("a/file/", "no-directory"),
            ("none", "dangling"),
            (".", "here"),
            ("/", "root"),
        ] {
            symlink(target, folder.join(link)).unwrap();
        }
        let path = std::ffi::CString::new(folder.to_str().unwrap()).unwrap();
        let root = file::open(At::Cwd, &path, libc::O_PATH).unwrap();
        for path in [
            c"",
            c"/",
            c".",
            c"..",
            c"../..",
            c"a",
            c"/a",
            c"//a//",
            c"/a/../a/b/.",
            c"a/b/..",
            c"a/../../../a/file",
            c"a/file/",
            c"a/file/x",
            c"absolute/c",
            c"relative/../file",
            c"out",
            c"out/passwd",
            c"magic",
            c"a/turns",
            c"round",
            c"from",
            c"no-directory",
            c"dangling",
            c"dangling/..",
            c"here/here/a",
            c"root/root/../a/b",
            c"absolute/../..",
        ] {
            for flags in [libc::O_PATH, libc::O_PATH | libc::O_DIRECTORY, libc::O_RDONLY] {
                let [by_kernel, by_us] = lead(&root, path, flags);
                assert_eq!(by_kernel, by_us, "{path:?} {flags:#o}");
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn path_that_grows_too_long_is_refused() {
        let mut path = Path::new(&[b'a'; 4000]).unwrap();
        assert_eq!(path.replace(1..2, &[b'b'; 100]), Err(Errno::ENAMETOOLONG));
        path.replace(1..4000, b"/x").unwrap();
        assert_eq!((path.bytes(), path.as_c_str()), (&b"a/x"[..], Ok(c"a/x")));
    }
}
