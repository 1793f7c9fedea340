//! What a root file system is made from, told by looking at it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::elf;
use crate::failure::{At, Error};

/// Where the files come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A static busybox, wherever there is one.
    AnyBusybox,
    /// This static busybox.
    Busybox(PathBuf),
    /// A copy of this folder.
    Tree(PathBuf),
    /// What is in this tar archive.
    Archive(PathBuf),
}

impl Source {
    /// A folder is a tree, an ELF file a busybox; of the rest tar is to judge.
    pub fn at(path: &Path) -> Result<Source, Error> {
        let path = std::path::absolute(path).at("read", path)?;
        if path.metadata().at("read", &path)?.is_dir() {
            return Ok(Source::Tree(path));
        }
        let mut file = File::open(&path).at("read", &path)?;
        let mut magic = [0; 4];
        let is_elf = file.read_exact(&mut magic).is_ok() && elf::kind(&magic) != elf::Kind::NotElf;
        Ok(if is_elf { Source::Busybox(path) } else { Source::Archive(path) })
    }
}

/// The line that is recorded in a finished root file system.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::AnyBusybox => f.write_str("busybox"),
            Source::Busybox(path) => write!(f, "busybox {}", path.display()),
            Source::Tree(path) => write!(f, "folder {}", path.display()),
            Source::Archive(path) => write!(f, "archive {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_told_by_what_it_is() {
        let folder = std::env::temp_dir().join(format!("xtask-source-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (elf, tar) = (folder.join("busybox.tar"), folder.join("x"));
        std::fs::write(&elf, b"\x7fELF\x02\x01").unwrap();
        std::fs::write(&tar, b"x").unwrap();
        let told = [&folder, &elf, &tar].map(|path| Source::at(path).unwrap());
        let missing = Source::at(&folder.join("none"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(told, [Source::Tree(folder), Source::Busybox(elf), Source::Archive(tar)]);
        assert!(matches!(missing, Err(Error::File { .. })));
    }
}
