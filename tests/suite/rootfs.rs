//! Root file systems to try things in: made fresh for a test, removed with the value.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::subject;

/// A temporary root file system with the probe at /probe.
pub struct Rootfs {
    path: PathBuf,
}

/// A process that is forked while a program is being copied holds that program open for writing
/// until it executes its own, and nobody can execute the copy meanwhile (ETXTBSY): who copies
/// keeps the others from forking.
pub static FORKING: RwLock<()> = RwLock::new(());

/// The folder for temporary files.
pub fn temporary_folder() -> PathBuf {
    env::temp_dir()
}

/// A path that nobody else uses.
pub fn temporary_path(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    temporary_folder().join(format!("{name}-{}-{count}", process::id()))
}

impl Rootfs {
    /// With the probe, and directories to mount on.
    pub fn new() -> Rootfs {
        let rootfs = Rootfs::bare();
        for name in ["proc", "dev", "sys", "tmp", "etc"] {
            fs::create_dir(rootfs.inside(name)).unwrap();
        }
        rootfs
    }

    /// With the probe and nothing else.
    pub fn bare() -> Rootfs {
        let path = temporary_path("rootfs");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let rootfs = Rootfs { path };
        rootfs.add_program("probe", &subject::probe());
        rootfs
    }

    /// Busybox, and /bin/sh.
    pub fn with_shell(self) -> Rootfs {
        fs::create_dir(self.inside("bin")).unwrap();
        self.add_program("bin/busybox", &subject::rootfs().join("bin/busybox"));
        symlink("busybox", self.inside("bin/sh")).unwrap();
        self
    }

    /// /etc/passwd and /etc/group.
    pub fn with_accounts(self, passwd: &str, group: &str) -> Rootfs {
        self.add_file("etc/passwd", passwd);
        self.add_file("etc/group", group);
        self
    }

    /// On the host.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside, as the host sees it.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    /// A file.
    pub fn add_file(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::write(self.inside(path), text).unwrap();
    }

    /// A file that may be executed.
    pub fn add_script(&self, path: &str, text: impl AsRef<[u8]>) {
        let _no_fork = FORKING.write();
        self.add_file(path, text);
        fs::set_permissions(self.inside(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A copy of a program of the host's.
    pub fn add_program(&self, path: &str, from: &Path) {
        let _no_fork = FORKING.write();
        fs::copy(from, self.inside(path)).unwrap_or_else(|error| panic!("{from:?}: {error}"));
        fs::set_permissions(self.inside(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Gives all of it to an id.
    pub fn give_to(&self, id: u32) {
        for path in walk(&self.path) {
            lchown(&path, Some(id), Some(id)).unwrap();
        }
    }

    /// What is there.
    pub fn listing(&self) -> Vec<String> {
        listing(&self.path)
    }
}

/// Every path of a tree with what is known about it, and what is in it if that is short: two lists
/// are equal if nothing was changed.
pub fn listing(tree: &Path) -> Vec<String> {
    let describe = |path: &PathBuf| {
        let m = path.symlink_metadata().unwrap();
        let (seconds, nanoseconds) = (m.mtime(), m.mtime_nsec());
        let owner = (m.uid(), m.gid());
        let shown = path.strip_prefix(tree).unwrap().display();
        let content = if m.is_file() && m.len() < 4096 { fs::read(path).ok() } else { None };
        let text = String::from_utf8_lossy(&content.unwrap_or_default()).into_owned();
        let time = format!("{seconds}.{nanoseconds}");
        format!("{shown} {:o} {} {owner:?} {time} {text:?}", m.mode(), m.size())
    };
    walk(tree).iter().map(describe).collect()
}

fn walk(tree: &Path) -> Vec<PathBuf> {
    let mut found = vec![tree.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        at += 1;
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

impl Drop for Rootfs {
    fn drop(&mut self) {
        // What belongs to ids that are not ours is left to who made TMPDIR.
        fs::remove_dir_all(&self.path).ok();
    }
}
