//! The folder that is filled. Every name in it is resolved by the kernel with this folder as its
//! root (openat2(2), RESOLVE_IN_ROOT), as it will be in the container: a link may lead somewhere,
//! but not out, and not onto another file system.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
    XattrFlags, chownat, fchmod, fchown, fsetxattr, fstat, futimens, linkat, mkdirat, mknodat,
    openat, openat2, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::failure::{At, Error};

/// What is known of a file besides its content.
#[derive(Clone, Debug)]
pub struct Meta {
    pub mode: u32,
    pub owner: (u32, u32),
    /// Seconds and nanoseconds since 1970.
    pub time: Option<(i64, i64)>,
    /// Names and values of extended attributes.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Meta {
    /// Root's, made now.
    pub fn new(mode: u32) -> Meta {
        Meta { mode, owner: (0, 0), time: None, attributes: Vec::new() }
    }
}

/// The folder.
pub struct Tree {
    root: OwnedFd,
    /// What the folders in it are to be in the end, by device and inode: until then we have to be
    /// able to write into them.
    folders: HashMap<(u64, u64), Meta>,
    is_root: bool,
    left_out: LeftOut,
}

/// What this machine or this caller cannot have.
#[derive(Default)]
struct LeftOut {
    devices: usize,
    owners: usize,
    attributes: usize,
}

/// A path of an archive, from the folder on.
pub fn inside(path: &[u8]) -> io::Result<PathBuf> {
    let mut inside = PathBuf::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(io::Error::other("its path has `..` in it")),
            name if name.contains(&0) => return Err(io::Error::other("its path has a NUL in it")),
            name => inside.push(OsStr::from_bytes(name)),
        }
    }
    Ok(inside)
}

impl Tree {
    /// The folder at this path, which is there.
    pub fn open(place: &Path) -> Result<Tree, Error> {
        let root = File::open(place).at("open", place)?.into();
        let is_root = rustix::process::geteuid().is_root();
        Ok(Tree { root, folders: HashMap::new(), is_root, left_out: LeftOut::default() })
    }

    /// A folder; one that is there stays.
    pub fn add_folder(&mut self, path: &Path, meta: Meta) -> io::Result<()> {
        let Some((above, name)) = self.place_of(path)? else {
            self.folders.insert(id(&fstat(&self.root)?), meta);
            return Ok(());
        };
        let id = match statat(&above, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if kind(&stat) == FileType::Directory => id(&stat),
            _ => {
                remove(&above, name)?;
                id(&fstat(self.make_folder(&above, name)?)?)
            }
        };
        self.folders.insert(id, meta);
        Ok(())
    }

    /// A regular file.
    pub fn add_file(
        &mut self,
        path: &Path,
        meta: &Meta,
        content: &mut dyn io::Read,
    ) -> io::Result<()> {
        let (above, name) = self.free_place(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mut file = File::from(openat(&above, name, flags | OFlags::CLOEXEC, Mode::RWXU)?);
        io::copy(content, &mut file)?;
        self.dress(&file.into(), meta, meta.mode)
    }

    /// Another name for a file that is there.
    pub fn add_link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        let target_name = target.file_name().ok_or(Errno::ISDIR)?;
        let target_above = self.open_folder(target.parent().unwrap_or(Path::new("")))?;
        let target = statat(&target_above, target_name, AtFlags::SYMLINK_NOFOLLOW)?;
        if let Some((above, name)) = self.place_of(path)? {
            let there = statat(&above, name, AtFlags::SYMLINK_NOFOLLOW);
            if there.is_ok_and(|there| id(&there) == id(&target)) {
                return Ok(()); // what is removed first would be the target
            }
        }
        let (above, name) = self.free_place(path)?;
        Ok(linkat(&target_above, target_name, &above, name, AtFlags::empty())?)
    }

    /// A symbolic link.
    pub fn add_symlink(&mut self, path: &Path, target: &[u8], meta: &Meta) -> io::Result<()> {
        let (above, name) = self.free_place(path)?;
        symlinkat(target, &above, name)?;
        if self.is_root {
            let (uid, gid) = owner(meta);
            let given = chownat(&above, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW);
            self.is_given(given)?;
        }
        if let Some(times) = times(meta) {
            utimensat(&above, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    /// A named pipe.
    pub fn add_fifo(&mut self, path: &Path, meta: &Meta) -> io::Result<()> {
        let (above, name) = self.free_place(path)?;
        mknodat(&above, name, FileType::Fifo, Mode::RWXU, 0)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fifo = openat(&above, name, flags, Mode::empty())?;
        self.dress(&fifo, meta, meta.mode)
    }

    /// A device node: dead in the container, but alive here, for everybody whom its mode lets in.
    pub fn leave_device_out(&mut self) {
        self.left_out.devices += 1;
    }

    /// Removes what is there.
    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        match (self.open_above(path), path.file_name()) {
            (Err(Errno::NOENT | Errno::NOTDIR), _) | (_, None) => Ok(()),
            (above, Some(name)) => remove(&above?, name),
        }
    }

    /// Removes all that is in a folder.
    pub fn empty(&mut self, path: &Path) -> io::Result<()> {
        match self.open_folder(path) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            folder => empty(&folder?),
        }
    }

    /// A folder and those above it, made if they are missing.
    pub fn make_folders(&mut self, path: &Path) -> io::Result<OwnedFd> {
        match self.open_folder(path) {
            Err(Errno::NOENT) => {}
            folder => return Ok(folder?),
        }
        let above = self.make_folders(path.parent().unwrap_or(Path::new("")))?;
        self.make_folder(&above, path.file_name().unwrap_or_default())
    }

    /// Gives the folders their owners and modes, and tells what was left out.
    pub fn finish(mut self) -> io::Result<Vec<String>> {
        let root = self.root.try_clone()?;
        self.finish_folder(&root)?;
        let LeftOut { devices, owners, attributes } = self.left_out;
        let mut remarks = Vec::new();
        if devices > 0 {
            remarks
                .push(format!("{devices} device nodes are left out: the launcher brings its own"));
        }
        if owners > 0 {
            remarks
                .push(format!("{owners} files are root's, as this user namespace lacks their ids"));
        }
        if !self.is_root {
            let how = "unshare --map-auto --map-root-user cargo xtask rootfs";
            remarks.push(format!("all files are yours: only root gives them away; see {how}"));
        }
        if attributes > 0 {
            remarks.push(format!("{attributes} extended attributes could not be set"));
        }
        Ok(remarks)
    }

    fn finish_folder(&mut self, folder: &OwnedFd) -> io::Result<()> {
        for (name, kind) in names(folder)? {
            if matches!(kind, FileType::Directory | FileType::Unknown) {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match openat(folder, &name, flags, Mode::empty()) {
                    Err(Errno::NOTDIR | Errno::LOOP) => {}
                    below => self.finish_folder(&below?)?,
                }
            }
        }
        match self.folders.remove(&id(&fstat(folder)?)) {
            Some(meta) => self.dress(folder, &meta, meta.mode),
            None => Ok(()),
        }
    }

    fn open_folder(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.root, path, flags, Mode::empty(), resolve)
    }

    fn open_above(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open_folder(path.parent().unwrap_or(Path::new("")))
    }

    /// The folder that a path is in, and its name there; none for the tree itself.
    fn place_of<'a>(&mut self, path: &'a Path) -> io::Result<Option<(OwnedFd, &'a OsStr)>> {
        let Some(name) = path.file_name() else { return Ok(None) };
        Ok(Some((self.make_folders(path.parent().unwrap_or(Path::new("")))?, name)))
    }

    /// The same, with nothing there.
    fn free_place<'a>(&mut self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let (above, name) = self.place_of(path)?.ok_or(Errno::ISDIR)?;
        remove(&above, name)?;
        Ok((above, name))
    }

    fn make_folder(&mut self, above: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
        mkdirat(above, name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(above, name, flags, Mode::empty())?;
        self.folders.insert(id(&fstat(&folder)?), Meta::new(0o755));
        Ok(folder)
    }

    /// Owner, mode, attributes and time, in this order: each takes away from the one before.
    fn dress(&mut self, file: &OwnedFd, meta: &Meta, mode: u32) -> io::Result<()> {
        let (uid, gid) = owner(meta);
        let is_given = self.is_root && self.is_given(fchown(file, uid, gid))?;
        let is_folder = kind(&fstat(file)?) == FileType::Directory;
        // What would run as its owner does not do so as another.
        let refused = if is_given || is_folder { 0 } else { 0o6000 };
        fchmod(file, Mode::from_raw_mode(mode & 0o7777 & !refused))?;
        for (name, value) in &meta.attributes {
            if let Err(error) = fsetxattr(file, name.as_slice(), value, XattrFlags::empty()) {
                match error {
                    Errno::PERM | Errno::OPNOTSUPP | Errno::NOSPC => self.left_out.attributes += 1,
                    error => return Err(error.into()),
                }
            }
        }
        match times(meta) {
            Some(times) => Ok(futimens(file, &times)?),
            None => Ok(()),
        }
    }

    /// In a user namespace not every id exists.
    fn is_given(&mut self, given: Result<(), Errno>) -> io::Result<bool> {
        match given {
            Err(Errno::INVAL | Errno::PERM) => {
                self.left_out.owners += 1;
                Ok(false)
            }
            given => Ok(given.map(|()| true)?),
        }
    }
}

fn remove(above: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match unlinkat(above, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    empty(&openat(above, name, flags, Mode::empty())?)?;
    Ok(unlinkat(above, name, AtFlags::REMOVEDIR)?)
}

fn empty(folder: &OwnedFd) -> io::Result<()> {
    names(folder)?.iter().try_for_each(|(name, _)| remove(folder, OsStr::from_bytes(name)))
}

/// What is in a folder.
fn names(folder: &OwnedFd) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(names)
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn owner(meta: &Meta) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(meta.owner.0)), Some(Gid::from_raw(meta.owner.1)))
}

fn times(meta: &Meta) -> Option<Timestamps> {
    let (tv_sec, tv_nsec) = meta.time?;
    let time = Timespec { tv_sec, tv_nsec };
    Some(Timestamps { last_access: time, last_modification: time })
}
