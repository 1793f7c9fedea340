//! Files out of Debian packages, for a machine where they are not installed.
//!
//! Needs no root and installs nothing: `apt-get download` and `dpkg-deb -x` into the cache folder.
//! apt checks the package against the archive's signature.

pub mod suite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::console;
use crate::failure::{At, Error};
use crate::program;
use crate::workspace;

/// Where packages are unpacked, each in a folder of its name.
pub fn cache() -> PathBuf {
    workspace::cache().join("debian")
}

/// The folders of shared libraries in what is unpacked.
pub fn library_folders() -> Vec<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let packages = fs::read_dir(cache()).into_iter().flatten().flatten();
    let folder = |package: fs::DirEntry| package.path().join("usr/lib").join(&triplet);
    packages.map(folder).filter(|folder| folder.is_dir()).collect()
}

/// The folder into which `package` is unpacked, at once if it is there already.
pub fn unpacked(package: &str) -> Result<PathBuf, Error> {
    let cache = cache();
    let place = cache.join(package);
    if place.is_dir() {
        return Ok(place);
    }
    require_tools(package)?;
    console::progress(&format!("fetching the Debian package {package}"));
    let download = cache.join(format!("{package}.download"));
    recreate(&download)?;
    fetch(package, &download, &cache.join("apt"))?;

    // Renamed when complete, so an interrupted run leaves nothing that looks finished.
    let partial = cache.join(format!("{package}.partial"));
    recreate(&partial)?;
    unpack(&download, &partial)?;
    fs::rename(&partial, &place).at("create", &place)?;
    fs::remove_dir_all(&download).at("remove", &download)?;
    Ok(place)
}

/// The folder into which these packages are unpacked, and all that they depend on: a root file system
/// of this architecture whose scripts have not run. At once if it is there already.
pub fn tree(name: &str, arch: Arch, packages: &[&str]) -> Result<PathBuf, Error> {
    let cache = cache().join("trees");
    let place = cache.join(name);
    if place.is_dir() {
        return Ok(place);
    }
    require_tools(name)?;
    console::progress(&format!("fetching the Debian packages of a root file system ({name})"));
    let download = cache.join(format!("{name}.download"));
    recreate(&download.join("partial"))?;
    // As if nothing was installed; and nothing is.
    let status = download.join("status");
    fs::write(&status, "").at("write", &status)?;
    let mut options = vec![
        option("Dir::State::status", &status),
        option("Dir::Cache::archives", &download),
        // The system's own would be made for that status.
        "Dir::Cache::pkgcache=".into(),
        "Dir::Cache::srcpkgcache=".into(),
        "Debug::NoLocking=1".into(),
        "APT::Install-Recommends=0".into(),
    ];
    options.extend(of_arch(arch));
    let mut words = vec!["install", "--yes", "--download-only"];
    words.extend(packages);
    // Lists are of one architecture.
    let private = cache.join(format!("apt-{}", arch.debian()));
    get(&mut options, &words, &download, &private).map_err(|why| Error::Missing {
        what: format!("a Debian root file system could not be fetched: {why}"),
        advice: "is there a mirror of Debian's in this system's apt sources?".into(),
    })?;
    let partial = cache.join(format!("{name}.partial"));
    recreate(&partial)?;
    unpack(&download, &partial)?;
    fs::rename(&partial, &place).at("create", &place)?;
    fs::remove_dir_all(&download).at("remove", &download)?;
    Ok(place)
}

fn require_tools(package: &str) -> Result<(), Error> {
    let tools = ["apt-get", "apt-cache", "dpkg-deb"];
    match tools.into_iter().find(|tool| program::find(tool).is_none()) {
        None => Ok(()),
        Some(tool) => Err(Error::Missing {
            what: format!("{package} is not installed, and without {tool} it cannot be fetched"),
            advice: format!("install the package that your system calls {package}"),
        }),
    }
}

/// By the system's package lists, and if those are empty or too old, by private ones.
fn fetch(package: &str, into: &Path, private: &Path) -> Result<(), Error> {
    get(&mut Vec::new(), &["download", package], into, private).map_err(|why| Error::Missing {
        what: format!("{package} is not installed and could not be fetched: {why}"),
        advice: format!("install it: apt-get update && apt-get install {package}"),
    })
}

/// apt-get with these words, by the system's package lists, and if that fails by private ones.
fn get(
    options: &mut Vec<String>,
    words: &[&str],
    into: &Path,
    private: &Path,
) -> Result<(), Error> {
    if program::run_quietly(apt_get(options).current_dir(into).args(words)).is_ok() {
        return Ok(());
    }
    for folder in ["lists/partial", "cache/archives/partial"] {
        let folder = private.join(folder);
        fs::create_dir_all(&folder).at("create", &folder)?;
    }
    // What is given wins: the archives may have a place of their own.
    let own = [
        option("Dir::State::lists", &private.join("lists")),
        option("Dir::Cache", &private.join("cache")),
        option("Dir::Cache::archives", &private.join("cache/archives")),
    ];
    options.splice(0..0, own);
    console::progress("reading the package lists of this system's Debian mirror");
    // One of several mirrors may fail and the package still be had; if not, that was the reason.
    let mut update = apt_get(options);
    let update = program::run_quietly(update.args(["-o", "APT::Update::Error-Mode=any", "update"]));
    let again = program::run_quietly(apt_get(options).current_dir(into).args(words));
    again.map_err(|error| update.err().unwrap_or(error))
}

/// apt drops root for the download, to a user who may not be able to reach our folder.
fn apt_get(options: &[String]) -> Command {
    apt("apt-get", options)
}

fn apt(tool: &str, options: &[String]) -> Command {
    let mut command = Command::new(tool);
    command.args(["-q", "-o", "APT::Sandbox::User=root"]).env("LC_ALL", "C.UTF-8");
    for option in options {
        command.args(["-o", option]);
    }
    command
}

/// apt's options for packages of this architecture, whatever this machine's is.
fn of_arch(arch: Arch) -> [String; 2] {
    ["APT::Architecture", "APT::Architectures"].map(|name| format!("{name}={}", arch.debian()))
}

fn option(name: &str, folder: &Path) -> String {
    format!("{name}={}", folder.display())
}

/// Every package in `download`; none is an error.
fn unpack(download: &Path, into: &Path) -> Result<(), Error> {
    let mut count = 0;
    for entry in fs::read_dir(download).at("read", download)? {
        let path = entry.at("read", download)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            program::run_quietly(Command::new("dpkg-deb").arg("-x").arg(path).arg(into))?;
            count += 1;
        }
    }
    if count > 0 {
        return Ok(());
    }
    Err(Error::Missing {
        what: format!("apt-get left no package in {}", download.display()),
        advice: "run it again".into(),
    })
}

fn recreate(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).at("remove", folder)?;
    }
    fs::create_dir_all(folder).at("create", folder)
}
