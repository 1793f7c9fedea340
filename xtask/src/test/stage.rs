//! The folder in which the container tests run: reachable by everybody, and gone afterwards.
//!
//! The workspace may be where the ordinary user cannot go (below /root, say), so what the tests
//! need is copied here always; one way is easier to trust than two.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::console;
use crate::failure::{At, Error};
use crate::host;
use crate::host::set_mode;
use crate::program;
use crate::workspace;

const PREFIX: &str = "xtask-test-";

/// The folder; dropping it removes it.
pub struct Stage {
    folder: PathBuf,
    uid: u32,
}

/// Where one half of the tests lives: the name of the half, its home and its temporary files.
pub struct Stay {
    pub name: &'static str,
    pub home: PathBuf,
    pub tmp: PathBuf,
}

impl Stage {
    /// Makes the folder, and removes those of runs that were killed.
    pub fn open() -> Result<Stage, Error> {
        let (uid, _) = host::ids()?;
        let parent = choose_parent();
        remove_stale(&parent, uid);
        let folder = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&folder).at("create", &folder)?;
        let stage = Stage { folder, uid };
        set_mode(&stage.folder, 0o755)?;
        Ok(stage)
    }

    /// Whether the tests can be run as root and as somebody else.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The path of `name` in here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A folder in here that everybody can enter.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path(name);
        fs::create_dir_all(&path).at("create", &path)?;
        set_mode(&path, 0o755)?;
        Ok(path)
    }

    /// A copy of an executable that everybody can start.
    pub fn add_executable(&self, name: &str, from: &Path) -> Result<PathBuf, Error> {
        let path = self.path(name);
        fs::copy(from, &path).at("copy", from)?;
        set_mode(&path, 0o755)?;
        Ok(path)
    }

    /// A home for one half of the tests, its owner's alone.
    pub fn make_stay(&self, name: &'static str, owner: Option<u32>) -> Result<Stay, Error> {
        let home = self.make_folder(name)?;
        let tmp = self.make_folder(&format!("{name}/tmp"))?;
        for folder in [&home, &tmp] {
            host::change_owner(folder, owner, owner).at("give away", folder)?;
        }
        Ok(Stay { name, home, tmp })
    }
}

impl Drop for Stage {
    /// rm, because it stops at a mount that a failed test left behind.
    fn drop(&mut self) {
        let mut rm = Command::new("rm");
        rm.args(["-rf", "--one-file-system", "--"]).arg(&self.folder);
        if let Err(error) = program::run_quietly(&mut rm) {
            console::progress(&error.to_string());
        }
    }
}

/// /tmp is a nosuid mount on some systems, and newuidmap is nothing without its bit.
fn choose_parent() -> PathBuf {
    let candidates = ["/var/tmp", "/tmp"].map(PathBuf::from);
    let usable = candidates.into_iter().find(|folder| {
        let mut findmnt = Command::new("findmnt");
        let options = program::read(findmnt.args(["-n", "-o", "OPTIONS", "-T"]).arg(folder));
        let options = String::from_utf8_lossy(&options.unwrap_or_default()).into_owned();
        folder.is_dir()
            && !options.trim().split(',').any(|option| ["nosuid", "noexec", "ro"].contains(&option))
    });
    usable.unwrap_or_else(workspace::cache)
}

/// Best effort, and only what is ours and whose process is gone.
fn remove_stale(parent: &Path, uid: u32) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(Ok(pid)) = name.strip_prefix(PREFIX).map(str::parse::<u32>) else { continue };
        let is_gone = !Path::new(&format!("/proc/{pid}")).exists();
        let is_ours = entry
            .metadata()
            .is_ok_and(|metadata| metadata.is_dir() && host::owner(&metadata).0 == uid);
        if is_gone && is_ours {
            drop(Stage { folder: entry.path(), uid });
        }
    }
}
