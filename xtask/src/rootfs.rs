//! `cargo xtask rootfs`: completes the example root file system, so that `launcher ./rootfs`
//! works from the root of the repository.
//!
//! Run by a developer, by `run`, and by `test` for a throw-away copy; needs no root. A file
//! `.source` in the root file system records where it is from, and that it is finished: an
//! interrupted run is begun again, a finished one costs milliseconds.

pub mod busybox;
pub mod source;
#[cfg(target_os = "linux")]
mod unpack;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use argh::FromArgs;

use crate::console;
use crate::failure::{At, Error};
use crate::host::set_mode;
use crate::program;
use crate::workspace;
use source::{Source, Wish};

/// Complete the example root file system (or another one).
#[derive(FromArgs)]
#[argh(subcommand, name = "rootfs")]
pub struct Rootfs {
    /// what it is made from: a folder to copy, a tar archive or a container image to unpack (a
    /// layout of OCI, an archive of one, or what docker save wrote), or a static busybox (default:
    /// the busybox on PATH if that is static, else Debian's)
    #[argh(option, arg_name = "dir|tar|busybox")]
    from: Option<PathBuf>,

    /// of an image for several platforms: OS/ARCHITECTURE[/VARIANT] (default: this machine's)
    #[argh(option, arg_name = "platform")]
    platform: Option<String>,

    /// of several images in one layout or archive: what it is called
    #[argh(option, arg_name = "name")]
    tag: Option<String>,

    /// the folder to fill (default: rootfs/ of the workspace)
    #[argh(option, arg_name = "dir")]
    into: Option<PathBuf>,

    /// replace the root file system that is there
    #[argh(switch)]
    force: bool,
}

impl Rootfs {
    /// Runs the task.
    pub fn run(self) -> Result<(), Error> {
        let place = self.into.unwrap_or_else(default_place);
        let place = std::path::absolute(&place).at("read", &place)?;
        let old = if self.force { Old::Replace } else { Old::Keep };
        let wish = Wish { platform: self.platform, tag: self.tag };
        let source = match &self.from {
            Some(from) => Source::at(from, wish)?,
            None if wish.is_none() => Source::AnyBusybox,
            None => return Err(Error::Misuse("--platform and --tag go with --from".into())),
        };
        complete_from(&place, &source, old)?;
        console::progress(&format!("{} is complete", place.display()));
        Ok(())
    }
}

/// What becomes of a root file system that is there already.
#[derive(PartialEq, Eq)]
pub enum Old {
    Keep,
    Replace,
}

/// What a folder holds.
enum State {
    /// Nothing but what is committed.
    Empty,
    /// An interrupted run of ours.
    Unfinished,
    /// Made by this task, from what is named.
    Finished(String),
    /// Filled by somebody else.
    Foreign,
}

const RECORD: &str = ".source";
const UNFINISHED: &str = "unfinished";

/// What stays when the rest is replaced: the committed part of rootfs/.
const COMMITTED: &[&str] = &["skeleton", "README.md"];

/// Folders every root file system has, with their modes: what gets mounted on, and what programs
/// expect. All can be entered by everybody, whoever made them.
const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("proc", 0o755),
    ("root", 0o755),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
];

/// The root file system the other tasks start from.
pub fn default_place() -> PathBuf {
    workspace::root().join("rootfs")
}

/// Makes `place` a complete root file system.
pub fn complete(place: &Path, from: Option<&Path>, old: Old) -> Result<(), Error> {
    let at = |path| Source::at(path, Wish::default());
    complete_from(place, &from.map_or(Ok(Source::AnyBusybox), at)?, old)
}

fn complete_from(place: &Path, source: &Source, old: Old) -> Result<(), Error> {
    match (state(place)?, old) {
        (State::Foreign, Old::Replace) if place != default_place() => Err(Error::Missing {
            what: format!("{} was not made by this task", place.display()),
            advice: "remove it yourself, or name another folder".into(),
        }),
        (_, Old::Replace) | (State::Empty | State::Unfinished, Old::Keep) => {
            clear(place)?;
            fill(place, source)
        }
        // What is there is good enough if nobody asked for a certain other. Nothing in it is looked
        // at, let alone run: a container may have written there.
        (State::Finished(_), Old::Keep) if *source == Source::AnyBusybox => Ok(()),
        (State::Foreign, Old::Keep) if *source == Source::AnyBusybox && has_shell(place) => Ok(()),
        (State::Finished(was), Old::Keep) if was == source.to_string() => Ok(()),
        (State::Finished(_) | State::Foreign, Old::Keep) => Err(Error::Missing {
            what: format!("{} holds something else", place.display()),
            advice: "--force replaces it, if it was made by this task".into(),
        }),
    }
}

fn state(place: &Path) -> Result<State, Error> {
    let record = place.join(RECORD);
    // What a container made of it is not read: a link leads out, a pipe never ends.
    if record.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(State::Foreign);
    }
    match fs::read_to_string(&record) {
        Ok(text) if text.trim_end() == UNFINISHED => return Ok(State::Unfinished),
        Ok(text) => return Ok(State::Finished(text.trim_end().to_string())),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        Err(cause) => return Err(cause).at("read", &record),
    }
    Ok(if entries(place)?.is_empty() { State::Empty } else { State::Foreign })
}

/// Not followed: inside, an absolute link leads to another file than here.
pub fn has_shell(place: &Path) -> bool {
    place.join("bin/sh").symlink_metadata().is_ok()
}

/// What is in a folder, without the committed part; nothing if there is no such folder.
fn entries(place: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = match fs::read_dir(place) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        folder => folder.at("read", place)?,
    };
    let mut found = Vec::new();
    for entry in folder {
        let entry = entry.at("read", place)?;
        if !COMMITTED.iter().any(|name| entry.file_name() == *name) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// rm stops at a mount that somebody left in there; our own loop would empty what is mounted.
fn clear(place: &Path) -> Result<(), Error> {
    let old = entries(place)?;
    if old.is_empty() {
        return Ok(());
    }
    // An image may have folders that even their owner may not write to.
    let find = ["-xdev", "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";"];
    program::run(Command::new("find").args(&old).args(find))?;
    program::run(Command::new("rm").args(["-rf", "--one-file-system", "--"]).args(old))
}

fn fill(place: &Path, source: &Source) -> Result<(), Error> {
    let record = place.join(RECORD);
    fs::create_dir_all(place).at("create", place)?;
    write_new(&record, &format!("{UNFINISHED}\n"))?;
    match source {
        Source::AnyBusybox | Source::Busybox(_) => busybox::install(place, source)?,
        Source::Tree(tree) => {
            console::progress(&format!("copying {}", tree.display()));
            program::run(
                Command::new("cp")
                    .args(["-a", "--one-file-system", "--"])
                    .arg(tree.join("."))
                    .arg(place),
            )?;
        }
        Source::Archive(path, wish) => {
            console::progress(&format!("unpacking {}", path.display()));
            unpack::archive(path, wish, place)?;
        }
        Source::Layout(path, wish) => {
            console::progress(&format!("unpacking {}", path.display()));
            unpack::layout(path, wish, place)?;
        }
    }
    // Whatever was copied over it, or the caller's umask: others have to get in.
    set_mode(place, 0o755)?;
    for (name, mode) in FOLDERS {
        make_folder(&place.join(name), *mode)?;
    }
    add_missing(&default_place().join("skeleton"), place)?;
    write_new(&record, &format!("{source}\n"))
}

/// In the place of what is there: of an archive, and maybe a link to a file of the host's.
fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        other => other.at("remove", path)?,
    }
    let mut file = fs::File::create_new(path).at("create", path)?;
    file.write_all(text.as_bytes()).at("write", path)?;
    set_mode(path, 0o644)
}

/// Elsewhere there are neither the owners of Linux nor its ways to keep links inside.
#[cfg(not(target_os = "linux"))]
mod unpack {
    use std::path::Path;

    use super::{Error, Wish};

    pub fn archive(path: &Path, _: &Wish, _: &Path) -> Result<(), Error> {
        let why = "it can be unpacked on Linux only; give the folder of one that is".into();
        Err(Error::Broken { what: path.into(), why })
    }

    pub use archive as layout;
}

/// Makes a folder that everybody can enter; what is there already stays as it is.
fn make_folder(path: &Path, mode: u32) -> Result<(), Error> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    fs::create_dir(path).at("create", path)?;
    set_mode(path, mode)
}

/// Copies the files of `from` which `to` does not have. Links are not followed on either side: in
/// an unpacked archive, or after a container has written there, they may point to the host's files.
fn add_missing(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(from).at("read", from)? {
        let entry = entry.at("read", from)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().at("read", &source)?;
        let present = target.symlink_metadata();
        if kind.is_dir() && present.as_ref().map_or(true, fs::Metadata::is_dir) {
            make_folder(&target, 0o755)?;
            add_missing(&source, &target)?;
        } else if kind.is_file() && present.is_err() {
            fs::copy(&source, &target).at("create", &target)?;
            set_mode(&target, 0o644)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a source tree in `tree`, gone at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            fs::create_dir_all(folder.join("tree/bin")).unwrap();
            fs::write(folder.join("tree/bin/sh"), "x").unwrap();
            Scratch(folder)
        }

        fn complete(&self, old: Old) -> Result<(), Error> {
            complete(&self.0.join("made"), Some(&self.0.join("tree")), old)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn interrupted_run_is_begun_again() {
        let scratch = Scratch::new("again");
        let made = scratch.0.join("made");
        fs::create_dir_all(made.join("half")).unwrap();
        fs::write(made.join(RECORD), UNFINISHED).unwrap();
        scratch.complete(Old::Keep).unwrap();
        assert!(made.join("bin/sh").exists() && !made.join("half").exists());
        assert!(matches!(state(&made), Ok(State::Finished(_))));
    }

    #[test]
    fn files_of_somebody_else_are_never_replaced() {
        let scratch = Scratch::new("foreign");
        fs::create_dir_all(scratch.0.join("made/precious")).unwrap();
        for old in [Old::Keep, Old::Replace] {
            assert!(matches!(scratch.complete(old), Err(Error::Missing { .. })));
        }
        assert!(scratch.0.join("made/precious").exists());
    }

    #[test]
    fn missing_files_are_added_but_not_through_a_link() {
        let scratch = Scratch::new("link");
        let (outside, made) = (scratch.0.join("outside"), scratch.0.join("made"));
        fs::create_dir(&outside).unwrap();
        crate::host::symlink(&outside, scratch.0.join("tree/etc")).unwrap();
        scratch.complete(Old::Keep).unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

        fs::remove_file(scratch.0.join("tree/etc")).unwrap();
        fs::create_dir(scratch.0.join("tree/etc")).unwrap();
        fs::write(scratch.0.join("tree/etc/passwd"), "own").unwrap();
        scratch.complete(Old::Replace).unwrap();
        assert_eq!(fs::read(made.join("etc/passwd")).unwrap(), b"own");
        assert!(made.join("etc/group").exists());
        assert_eq!(crate::host::mode(&made.join("tmp").metadata().unwrap()), 0o1777);
    }
}
