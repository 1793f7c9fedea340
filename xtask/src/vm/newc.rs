//! Writes the archive format of an initramfs: cpio's "newc".
//!
//! Pure: bytes in, bytes out. Layout: Documentation/driver-api/early-userspace/buffer-format.rst
//! of the kernel. A header of 110 letters, the name with its NUL, the data; each part padded to 4.

use crate::host;
use std::ffi::OsStr;

use std::path::Path;

/// File types in a mode; inode(7).
pub const S_IFDIR: u32 = 0o040_000;
pub const S_IFREG: u32 = 0o100_000;
pub const S_IFLNK: u32 = 0o120_000;

/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// What the archive says about a file beside its name and data. `mode` has the type in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// An archive in the making.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    count: u32,
}

impl Archive {
    /// Adds a file; false if it is too large for the format, and then nothing was added. A
    /// folder has to come before what is in it.
    #[must_use]
    pub fn add(&mut self, path: &Path, header: Header, data: &[u8]) -> bool {
        let Ok(size) = u32::try_from(data.len()) else { return false };
        self.count += 1;
        let links = if header.mode & S_IFDIR == S_IFDIR { 2 } else { 1 };
        self.write(path.as_os_str(), header, links, size);
        self.bytes.extend(data);
        self.pad();
        true
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.count = 0;
        self.write(OsStr::new(TRAILER), Header::default(), 1, 0);
        self.bytes
    }

    /// No file shares its inode number with another, so nothing is taken for a hard link.
    fn write(&mut self, name: &OsStr, Header { mode, uid, gid }: Header, links: u32, size: u32) {
        let name_size = name.len() as u32 + 1;
        let fields = [self.count, mode, uid, gid, links, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(host::bytes(name));
        self.bytes.push(0);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(archive: &mut Archive, path: &str, mode: u32, data: &[u8]) {
        assert!(archive.add(Path::new(path), Header { mode, uid: 1, gid: 0x10_0000 }, data));
    }

    #[test]
    fn file_is_written_as_the_kernel_documents_it() {
        let mut archive = Archive::default();
        add(&mut archive, "init", S_IFREG | 0o755, b"#!x\n!");
        let bytes = archive.finish();
        let (header, rest) = bytes.split_at(110);
        assert_eq!(
            header,
            b"070701\
              00000001\
              000081ed\
              00000001\
              00100000\
              00000001\
              00000000\
              00000005\
              00000000\
              00000000\
              00000000\
              00000000\
              00000005\
              00000000"
        );
        assert_eq!(&rest[..6 + 8], b"init\0\0#!x\n!\0\0\0");
        assert!(rest[14..].starts_with(b"070701"));
        assert!(bytes.ends_with(b"TRAILER!!!\0\0\0\0"));
    }

    #[test]
    fn every_part_begins_at_a_multiple_of_four() {
        for length in 1..9 {
            let mut archive = Archive::default();
            add(&mut archive, &"n".repeat(length), S_IFREG, &vec![b'd'; length]);
            let bytes = archive.finish();
            assert_eq!(bytes.len() % 4, 0);
            let data = (110 + length + 1).next_multiple_of(4);
            assert_eq!(bytes[data], b'd');
            assert_eq!(&bytes[(data + length).next_multiple_of(4)..][..6], b"070701");
        }
    }

    #[test]
    fn folder_has_two_links_and_no_file_another_ones_number() {
        let mut archive = Archive::default();
        add(&mut archive, "a", S_IFDIR | 0o755, b"");
        add(&mut archive, "a/l", S_IFLNK | 0o777, b"target");
        let text = String::from_utf8(archive.finish()).unwrap();
        let headers: Vec<&str> = text.split("070701").skip(1).collect();
        let field = |header: &str, index: usize| header[index * 8..][..8].to_string();
        let numbers: Vec<String> = headers.iter().map(|header| field(header, 0)).collect();
        assert_eq!(numbers, ["00000001", "00000002", "00000000"]);
        assert_eq!(
            (field(headers[0], 4), field(headers[1], 4)),
            ("00000002".into(), "00000001".into())
        );
    }
}
