//! Lists the mounts below a directory. For kernels before 5.12, without mount_setattr(2): there
//! each mount gets its flags by its path, once the directory is attached.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::Proc;
use crate::sys::Result as SysResult;

/// Their paths relative to the directory; the first is `.`, its own.
pub fn list(proc: &Proc, directory: BorrowedFd<'_>) -> SysResult<Vec<CString>> {
    let own = proc.read_link(&format!("self/fd/{}", directory.as_raw_fd()))?;
    Ok(below(&proc.read("self/mountinfo")?, &own))
}

fn below(mountinfo: &[u8], directory: &[u8]) -> Vec<CString> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let lines = mountinfo.split(|&b| b == b'\n');
    let points = lines.filter_map(|line| line.split(|&b| b == b' ').nth(4)).map(unescape);
    let inside = points.filter_map(|point| {
        let path = point.strip_prefix(directory)?.strip_prefix(b"/")?;
        CString::new(path).ok().filter(|path| !path.is_empty())
    });
    std::iter::once(c".".to_owned()).chain(inside).collect()
}

/// A field of mountinfo, where a blank, tab, newline or backslash is written as `\` and three octal
/// digits (proc(5)).
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let octal = tail.get(..3).and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        match (byte, octal) {
            (b'\\', Some(value)) => {
                bytes.push(value);
                rest = &tail[3..];
            }
            _ => bytes.push(byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"1 0 0:2 / / rw - rootfs rootfs rw\n\
        2 1 0:3 / /r rw - ext4 x rw\n\
        3 2 0:4 / /r/a\\040b rw - tmpfs t rw\n\
        4 3 0:5 / /r/a\\040b/c rw - tmpfs t rw\n\
        5 1 0:6 / /rr rw - tmpfs t rw\n";

    #[test]
    fn only_what_lies_below_and_unescaped() {
        let paths = |directory: &[u8]| below(TABLE, directory);
        assert_eq!(paths(b"/r"), [c".".to_owned(), c"a b".to_owned(), c"a b/c".to_owned()]);
        assert_eq!(paths(b"/none"), [c".".to_owned()]);
        assert_eq!(paths(b"/").len(), 5);
    }
}
