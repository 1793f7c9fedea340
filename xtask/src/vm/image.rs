//! The content of an initramfs, put together from this machine's files and our own.
//!
//! Nothing is changed on disk until it is written, and no root is needed: owners and modes are
//! words in the archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::libraries;
use super::newc::{Archive, Header, S_IFDIR, S_IFLNK, S_IFREG};
use crate::failure::{At, Error};
use crate::host;

/// Paths inside are relative: the root folder is not part of the archive.
#[derive(Clone, Default)]
pub struct Image {
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Clone)]
struct Entry {
    header: Header,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Bytes(Vec<u8>),
    /// A file of this machine, read when the image is written.
    Copy(PathBuf),
}

/// Who owns the files of a tree inside.
#[derive(Clone, Copy)]
pub enum Owners {
    /// What is ours becomes root's, the rest keeps its owner: the same tree, whoever packs it.
    OursAreRoots,
    /// As before, and all ids are this much higher: a root file system with a range of its own.
    Shifted(u32),
}

/// The first range that systemd sets aside for containers. The launcher takes N·65536 as the range
/// of a root file system whose root directory belongs to it: so the owners need no mapping, which
/// neither the initial ramfs nor an older tmpfs can do.
pub const SHIFT: u32 = 524_288;

impl Image {
    /// A folder of root's, and those above it.
    pub fn add_folder(&mut self, path: &str, mode: u32) {
        self.add(path.into(), S_IFDIR | mode, Content::Bytes(Vec::new()));
    }

    /// A file of root's with this content.
    pub fn add_file(&mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) {
        self.add(path.into(), S_IFREG | mode, Content::Bytes(content.into()));
    }

    /// A symbolic link.
    pub fn add_link(&mut self, path: &str, target: &str) {
        self.add(path.into(), S_IFLNK | 0o777, Content::Bytes(target.into()));
    }

    /// A copy of this machine's file, root's.
    pub fn add_copy(&mut self, path: impl Into<PathBuf>, mode: u32, from: &Path) {
        self.add(path.into(), S_IFREG | mode, Content::Copy(from.to_path_buf()));
    }

    /// A program with the shared libraries it needs, which keep their paths.
    pub fn add_program(&mut self, path: &str, mode: u32, from: &Path) -> Result<(), Error> {
        for library in libraries::of(from)? {
            self.add_copy(library.inside, 0o755, &library.file);
        }
        self.add_copy(path, mode, from);
        Ok(())
    }

    /// Everything in a folder of this machine, except what is no file, folder or link: devices
    /// are made by the kernel's devtmpfs, or by the launcher.
    pub fn add_tree(&mut self, path: &str, from: &Path, owners: Owners) -> Result<(), Error> {
        let (own_uid, own_gid) = host::ids()?;
        let owner = |id: u32, own: u32| {
            let id = if id == own { 0 } else { id };
            match owners {
                Owners::OursAreRoots => id,
                Owners::Shifted(by) => by.saturating_add(id),
            }
        };
        let mut waiting = vec![(PathBuf::from(path), from.to_path_buf())];
        while let Some((inside, file)) = waiting.pop() {
            let metadata = file.symlink_metadata().at("read", &file)?;
            let mode = host::mode(&metadata);
            let (mode, content) = if metadata.is_dir() {
                for entry in fs::read_dir(&file).at("read", &file)? {
                    let name = entry.at("read", &file)?.file_name();
                    waiting.push((inside.join(&name), file.join(&name)));
                }
                (S_IFDIR | mode, Content::Bytes(Vec::new()))
            } else if metadata.is_symlink() {
                let target = fs::read_link(&file).at("read", &file)?;
                (S_IFLNK | 0o777, Content::Bytes(host::bytes(target.as_os_str())))
            } else if metadata.is_file() {
                (S_IFREG | mode, Content::Copy(file))
            } else {
                continue;
            };
            let (uid, gid) = host::owner(&metadata);
            let (uid, gid) = (owner(uid, own_uid), owner(gid, own_gid));
            self.add(inside.clone(), mode, content);
            self.give_to(&inside, uid, gid);
        }
        Ok(())
    }

    /// Changes the owner of what was added there.
    pub fn give_to(&mut self, path: &Path, uid: u32, gid: u32) {
        if let Some(entry) = self.entries.get_mut(path) {
            (entry.header.uid, entry.header.gid) = (uid, gid);
        }
    }

    /// The same of a folder and all that was added in it.
    pub fn give_all_to(&mut self, folder: &Path, id: u32) {
        for (_, entry) in self.entries.iter_mut().filter(|(path, _)| path.starts_with(folder)) {
            (entry.header.uid, entry.header.gid) = (id, id);
        }
    }

    #[cfg(test)]
    pub fn owner(&self, path: &Path) -> Option<(u32, u32)> {
        self.entries.get(path).map(|entry| (entry.header.uid, entry.header.gid))
    }

    /// Writes the archive, and says how large it is.
    pub fn write(&self, to: &Path) -> Result<u64, Error> {
        let mut archive = Archive::default();
        for (path, Entry { header, content }) in &self.entries {
            let fits = match content {
                Content::Bytes(bytes) => archive.add(path, *header, bytes),
                Content::Copy(file) => {
                    archive.add(path, *header, &fs::read(file).at("read", file)?)
                }
            };
            if !fits {
                return Err(Error::Missing {
                    what: format!("{} is larger than an initramfs can hold", path.display()),
                    advice: "4 GiB are the most".into(),
                });
            }
        }
        let bytes = archive.finish();
        fs::write(to, &bytes).at("write", to)?;
        Ok(bytes.len() as u64)
    }

    /// The later one of two with the same path wins, unless both are folders. The folders above
    /// come into being with it; an existing one, or a link to one, stays.
    fn add(&mut self, path: PathBuf, mode: u32, content: Content) {
        let path = path.strip_prefix("/").map(Path::to_path_buf).unwrap_or(path);
        if path.as_os_str().is_empty() {
            return;
        }
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            let header = Header { mode: S_IFDIR | 0o755, uid: 0, gid: 0 };
            let folder = || Entry { header, content: Content::Bytes(Vec::new()) };
            self.entries.entry(above.to_path_buf()).or_insert_with(folder);
        }
        self.entries.insert(path, Entry { header: Header { mode, uid: 0, gid: 0 }, content });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a file in it, gone at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            fs::create_dir_all(folder.join("bin")).unwrap();
            fs::write(folder.join("bin/x"), "x").unwrap();
            Scratch(folder)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn paths(image: &Image) -> Vec<&str> {
        image.entries.keys().filter_map(|path| path.to_str()).collect()
    }

    #[test]
    fn folders_above_come_first_and_are_made_once() {
        let mut image = Image::default();
        image.add_file("/a/b/c", 0o644, "");
        image.add_folder("a/b", 0o700);
        image.add_file("a.d", 0o644, "");
        assert_eq!(paths(&image), ["a", "a/b", "a/b/c", "a.d"]);
        assert_eq!(image.entries[Path::new("a/b")].header.mode, S_IFDIR | 0o700);
        image.add_link("l", "a");
        image.add_file("l/x", 0o644, "");
        assert_eq!(image.entries[Path::new("l")].header.mode, S_IFLNK | 0o777);
    }

    #[test]
    fn our_files_become_roots_and_can_be_shifted() {
        let scratch = Scratch::new("owners");
        for (owners, id) in [(Owners::OursAreRoots, 0), (Owners::Shifted(524_288), 524_288)] {
            let mut image = Image::default();
            image.add_tree("tree", &scratch.0, owners).unwrap();
            assert_eq!(paths(&image), ["tree", "tree/bin", "tree/bin/x"]);
            let Header { uid, gid, .. } = image.entries[Path::new("tree/bin/x")].header;
            assert_eq!((uid, gid), (id, id));
        }
    }

    #[test]
    fn written_image_is_an_archive_of_all() {
        let scratch = Scratch::new("archive");
        let mut image = Image::default();
        image.add_copy("x", 0o755, &scratch.0.join("bin/x"));
        let place = scratch.0.join("image");
        let size = image.write(&place).unwrap();
        let bytes = fs::read(&place).unwrap();
        assert_eq!(bytes.len() as u64, size);
        assert!(bytes.starts_with(b"070701") && bytes.ends_with(b"TRAILER!!!\0\0\0\0"));
    }
}
