//! What an image consists of: files that are named by their digests, in a folder or in an archive.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};

use super::stream;
use crate::failure::{At, Error};

/// No index, manifest or configuration is larger.
const MAX_JSON: u64 = 8 << 20;

/// Where the files are.
pub enum Blobs {
    Folder(PathBuf),
    Archive { path: PathBuf, file: File, parts: HashMap<PathBuf, (u64, u64)> },
}

/// One of them.
pub struct Part {
    file: File,
    name: PathBuf,
    start: u64,
    pub length: u64,
}

/// The files by which an image is told.
const SIGNS: [&str; 2] = ["oci-layout", "manifest.json"];

impl Blobs {
    /// Those of a layout.
    pub fn in_folder(path: &Path) -> Result<Blobs, Error> {
        Ok(Blobs::Folder(path.to_path_buf()))
    }

    /// Those of an archive, if it is an image's and not a root file system.
    pub fn in_archive(path: &Path) -> Result<Option<Blobs>, Error> {
        let open = || File::open(path).at("open", path);
        let mut content = stream::of_file(open()?).at("read", path)?;
        let mut archive = Archive::new(&mut content);
        let mut is_image = false;
        for entry in archive.entries().at("read", path)? {
            let entry = entry.at("read", path)?;
            is_image |= SIGNS.iter().any(|sign| normal(&entry.path_bytes()) == Path::new(sign));
        }
        if !is_image {
            return Ok(None);
        }
        let mut file = open()?;
        let mut head = [0; 262];
        if file.read_exact(&mut head).is_err() || head[257..] != *b"ustar" {
            // What is compressed cannot be read from the middle.
            let mut spool = nameless_file(&std::env::temp_dir())?;
            let mut content = stream::of_file(open()?).at("read", path)?;
            io::copy(&mut content, &mut spool).at("uncompress", path)?;
            file = spool;
        }
        let parts = index(&mut file).at("read", path)?;
        Ok(Some(Blobs::Archive { path: path.to_path_buf(), file, parts }))
    }

    /// For messages.
    pub fn path(&self) -> &Path {
        match self {
            Blobs::Folder(path) | Blobs::Archive { path, .. } => path,
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.part(Path::new(name)).is_ok()
    }

    /// The file of this name.
    pub fn part(&self, name: &Path) -> Result<Part, Error> {
        let shown = self.path().join(name);
        let is_inside = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_inside {
            return Err(Error::Broken { what: shown, why: "it is not in the image".into() });
        }
        match self {
            Blobs::Folder(_) => {
                // What is no file is not opened: a pipe would have us wait.
                let metadata = shown.metadata().at("open", &shown)?;
                if !metadata.is_file() {
                    return Err(Error::Broken { what: shown, why: "it is no file".into() });
                }
                let file = File::open(&shown).at("open", &shown)?;
                Ok(Part { file, name: shown, start: 0, length: metadata.len() })
            }
            Blobs::Archive { file, parts, .. } => {
                let missing = || Error::Broken { what: shown.clone(), why: "it is missing".into() };
                let (start, length) = *parts.get(name).ok_or_else(missing)?;
                let file = file.try_clone().at("open", &shown)?;
                Ok(Part { file, name: shown, start, length })
            }
        }
    }

    /// The file of this digest, which it has.
    pub fn named(&self, digest: &str) -> Result<Part, Error> {
        let hex = digest.strip_prefix("sha256:").filter(|hex| {
            hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        let Some(hex) = hex else {
            let why = format!("{digest:?} is no SHA-256 digest");
            return Err(Error::Broken { what: self.path().into(), why });
        };
        let part = self.part(&Path::new("blobs/sha256").join(hex))?;
        let mut content = Digesting::new(part.open()?);
        io::copy(&mut content, &mut io::sink()).at("read", &part.name)?;
        content.expect(digest, &part.name)?;
        Ok(part)
    }
}

impl Part {
    /// From its beginning.
    pub fn open(&self) -> Result<Take<File>, Error> {
        let mut file = self.file.try_clone().at("open", &self.name)?;
        file.seek(SeekFrom::Start(self.start)).at("read", &self.name)?;
        Ok(file.take(self.length))
    }

    /// As JSON.
    pub fn json(&self) -> Result<serde_json::Value, Error> {
        let broken = |why: String| Error::Broken { what: self.name.clone(), why };
        if self.length > MAX_JSON {
            return Err(broken(format!(
                "it has {} bytes, and {MAX_JSON} are allowed",
                self.length
            )));
        }
        let mut text = Vec::new();
        self.open()?.read_to_end(&mut text).at("read", &self.name)?;
        serde_json::from_slice(&text).map_err(|error| broken(format!("no JSON: {error}")))
    }
}

/// Takes the digest of what is read through it.
pub struct Digesting<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Digesting<R> {
    pub fn new(source: R) -> Digesting<R> {
        Digesting { source, hash: Sha256::new() }
    }

    /// An error, unless all that was read has this digest.
    pub fn expect(self, digest: &str, name: &Path) -> Result<(), Error> {
        let bytes = self.hash.finalize();
        let own = bytes.iter().fold("sha256:".to_string(), |hex, byte| format!("{hex}{byte:02x}"));
        if own == digest {
            return Ok(());
        }
        let why = format!("its digest is {own}, and not {digest} as promised");
        Err(Error::Broken { what: name.into(), why })
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// Where each file of an archive begins, and how long it is. Archives of old have links to layers
/// that several images share.
fn index(file: &mut File) -> io::Result<HashMap<PathBuf, (u64, u64)>> {
    file.rewind()?;
    let (mut parts, mut links) = (HashMap::new(), Vec::new());
    for entry in Archive::new(&mut *file).entries_with_seek()? {
        let entry = entry?;
        let path = normal(&entry.path_bytes());
        let target = entry.link_name_bytes().unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Regular => {
                parts.insert(path, (entry.raw_file_position(), entry.size()));
            }
            EntryType::Link => links.push((path, normal(&target))),
            EntryType::Symlink => {
                let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
                links.push((
                    path,
                    normal(&[folder.as_os_str().as_bytes(), b"/", &*target].concat()),
                ));
            }
            _ => {}
        }
    }
    for (link, target) in links {
        if let Some(part) = parts.get(&target).copied() {
            parts.insert(link, part);
        }
    }
    Ok(parts)
}

/// A file that is gone when it is closed.
fn nameless_file(folder: &Path) -> Result<File, Error> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR).map_err(io::Error::from);
    file.map(File::from).at("make a file in", folder)
}

/// Without `.` and `..`, by the words alone: there are no files behind these paths.
fn normal(path: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(path));
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => drop(normal.pop()),
            _ => {}
        }
    }
    normal
}
