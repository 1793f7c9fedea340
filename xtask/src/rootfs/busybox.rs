//! A root file system out of one file: a static busybox and a link for each of its names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::make_folder;
use super::source::Source;
use crate::debian;
use crate::elf;
use crate::failure::{At, Error};
use crate::host::{set_mode, symlink};
use crate::program;

/// All programs are in bin; the other folders of a PATH lead there.
const FOLDER_LINKS: &[(&str, &str)] =
    &[("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin")];

/// Puts busybox and its names into an empty `place`.
pub fn install(place: &Path, source: &Source) -> Result<(), Error> {
    let original = match source {
        Source::Busybox(path) => path.clone(),
        _ => find()?,
    };
    let file = read_static(&original)?;
    let names = program::read(Command::new(&original).arg("--list"))?;

    make_folder(&place.join("bin"), 0o755)?;
    make_folder(&place.join("usr"), 0o755)?;
    let busybox = place.join("bin/busybox");
    fs::write(&busybox, file).at("write", &busybox)?;
    set_mode(&busybox, 0o755)?;
    for (name, target) in FOLDER_LINKS {
        link(target, &place.join(name))?;
    }
    for name in String::from_utf8_lossy(&names).lines().filter(|name| is_applet(name)) {
        link("busybox", &place.join("bin").join(name))?;
    }
    Ok(())
}

/// The names come out of a program that somebody gave us: nothing that leads elsewhere.
fn is_applet(name: &str) -> bool {
    !name.is_empty() && name != "busybox" && !name.contains('/') && !name.starts_with('.')
}

fn link(target: &str, path: &Path) -> Result<(), Error> {
    symlink(target, path).at("create", path)
}

/// The one on PATH is often linked dynamically and of no use alone; Debian has a static one.
fn find() -> Result<PathBuf, Error> {
    if let Some(path) = program::find("busybox").filter(|path| read_static(path).is_ok()) {
        return Ok(path);
    }
    let package = debian::unpacked("busybox-static")?;
    // Debian 13 moved it from bin to usr/bin.
    let [old, new] = ["bin/busybox", "usr/bin/busybox"].map(|name| package.join(name));
    Ok(if new.is_file() { new } else { old })
}

fn read_static(path: &Path) -> Result<Vec<u8>, Error> {
    let file = fs::read(path).at("read", path)?;
    if elf::kind(&file) == elf::Kind::Static {
        return Ok(file);
    }
    Err(Error::Missing {
        what: format!("{} is not a static executable", path.display()),
        advice: "in a bare root file system nothing else can run".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_links() {
        assert!(is_applet("sh") && is_applet("["));
        for name in ["", "busybox", "..", "../x", "usr/bin/x"] {
            assert!(!is_applet(name), "{name}");
        }
    }
}
