//! `cargo xtask run [-- OPTIONS ROOTFS COMMAND…]`: builds the launcher and becomes it.
//!
//! Run by a developer, from anywhere in the workspace: cargo keeps the working folder, so paths
//! among the words mean what they mean in the user's shell.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use argh::FromArgs;

use crate::build;
use crate::console;
use crate::failure::Error;
use crate::host;
use crate::initramfs;
use crate::program;
use crate::rootfs;
use crate::vm;
use crate::vm::image::{Image, Owners, SHIFT};

/// Build, and start a container: the words after `--` go to launcher as they are, and without any
/// it is a shell on the example root file system.
#[derive(FromArgs)]
#[argh(subcommand, name = "run")]
pub struct Run {
    /// run it in a virtual machine, as hosts other than Linux must: a kernel's file, or on Debian
    /// one of 5.10, 6.1, 6.12, newest; the words are then ROOTFS and the command
    #[argh(option, arg_name = "file|version")]
    kernel: Option<String>,

    /// a static busybox for x86_64 Linux that completes ROOTFS in the virtual machine, where this host
    /// cannot complete rootfs/ of the workspace; goes with --kernel
    #[argh(option, arg_name = "file")]
    busybox: Option<PathBuf>,
}

impl Run {
    /// Runs the task; on success the launcher stands in our place.
    pub fn run(self, mut words: Vec<OsString>) -> Result<(), Error> {
        let place = place(std::env::consts::OS, self.kernel)?;
        if place == Place::Here && self.busybox.is_some() {
            return Err(Error::Misuse("--busybox goes with --kernel".into()));
        }
        if let Place::Machine(kernel) = place {
            return boot(&kernel, self.busybox.as_deref(), &words);
        }
        let launcher = build::launcher()?;
        let example = rootfs::default_place();
        if words.is_empty() {
            words.push(example.clone().into());
        }
        // Whoever brings a root file system of their own needs neither busybox nor a network.
        if words.iter().any(|word| is_same_folder(Path::new(word), &example)) {
            rootfs::complete(&example, None, rootfs::Old::Keep)?;
        }
        let mut command = Command::new(launcher);
        command.args(words);
        console::progress(&format!("running {}", program::shown(&command)));
        let cause = host::become_program(&mut command);
        Err(program::not_started(&command, cause))
    }
}

/// Where the container is started.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Here,
    /// In a virtual machine, with this kernel.
    Machine(String),
}

/// Containers are Linux's: any other system starts a machine for them.
fn place(os: &str, kernel: Option<String>) -> Result<Place, Error> {
    match (os, kernel) {
        (_, Some(kernel)) => Ok(Place::Machine(kernel)),
        ("linux", None) => Ok(Place::Here),
        (os, None) => Err(Error::Missing {
            what: format!("containers need Linux, and this is {os}"),
            advice: "start one in a virtual machine: cargo xtask run --kernel FILE -- ROOTFS \
                     [COMMAND…], with the bzImage or vmlinuz of an x86_64 kernel"
                .into(),
        }),
    }
}

/// The launcher as the first process of a machine: nothing but a kernel and ROOTFS is needed.
fn boot(kernel: &str, busybox: Option<&Path>, words: &[OsString]) -> Result<(), Error> {
    let Some((rootfs, command)) = words.split_first() else {
        return Err(Error::Misuse("--kernel needs `-- ROOTFS [COMMAND…]`".into()));
    };
    let (rootfs, example) = (Path::new(rootfs), rootfs::default_place());
    if busybox.is_none() && is_same_folder(rootfs, &example) {
        complete(std::env::consts::OS, &example)?;
    }
    let launcher = build::launcher()?;
    let initramfs = vm::folder()?.join("run.cpio");
    let mut image = Image::default();
    image.add_folder("dev", 0o755);
    image.add_copy("launcher", 0o755, &launcher);
    if let Some(busybox) = busybox {
        rootfs::busybox::pack(&mut image, "rootfs", busybox)?;
    }
    image.add_tree("rootfs", rootfs, Owners::Shifted(SHIFT))?;
    image.write(&initramfs)?;
    initramfs::boot(kernel, &initramfs, &first_process(command)?)
}

/// Only Linux has what it is made with.
fn complete(os: &str, example: &Path) -> Result<(), Error> {
    if os == "linux" {
        return rootfs::complete(example, None, rootfs::Old::Keep);
    }
    if rootfs::has_shell(example) {
        return Ok(());
    }
    Err(Error::Missing {
        what: format!("{} has no programs, and {os} cannot make it complete", example.display()),
        advice:
            "name a static busybox for x86_64 Linux: cargo xtask run --kernel FILE --busybox FILE \
                 -- ROOTFS [COMMAND…]"
                .into(),
    })
}

/// The kernel's words for it.
fn first_process(command: &[OsString]) -> Result<String, Error> {
    let mut words = String::from("rdinit=/launcher -- /rootfs");
    for word in command {
        // As the kernel reads its command line: it knows double quotes, and no way to escape one.
        let word = word.to_str().filter(|word| !word.contains('"')).ok_or_else(|| {
            Error::Misuse(format!("a kernel cannot hand over {}", word.display()))
        })?;
        words += &format!(" \"{word}\"");
    }
    Ok(words)
}

fn is_same_folder(word: &Path, folder: &Path) -> bool {
    match (word.canonicalize(), folder.canonicalize()) {
        (Ok(word), Ok(folder)) => word == folder,
        _ => word == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_systems_start_a_machine() {
        let machine = || Ok(Place::Machine("bzImage".into()));
        let place = |os, kernel: Option<&str>| {
            place(os, kernel.map(str::to_string)).map_err(|error| error.to_string())
        };
        assert_eq!(place("linux", None), Ok(Place::Here));
        for os in ["linux", "macos", "windows"] {
            assert_eq!(place(os, Some("bzImage")), machine());
        }
        for os in ["macos", "windows"] {
            let line = place(os, None).unwrap_err();
            assert!(line.contains(os) && line.contains("cargo xtask run --kernel FILE"), "{line}");
        }
    }

    #[test]
    fn example_without_programs_is_told_where_it_cannot_be_completed() {
        let folder = std::env::temp_dir().join(format!("xtask-example-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        let told = complete("macos", &folder).unwrap_err().to_string();
        std::fs::write(folder.join("bin/sh"), "").unwrap();
        let whole = complete("macos", &folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(told.contains("macos cannot") && told.contains("--busybox FILE"), "{told}");
        whole.unwrap();
    }

    #[test]
    fn command_reaches_the_kernel_word_by_word() {
        let words =
            |words: &[&str]| first_process(&words.iter().map(OsString::from).collect::<Vec<_>>());
        let expected = "rdinit=/launcher -- /rootfs \"/bin/sh\" \"-c\" \"id; ls /\"";
        assert_eq!(words(&["/bin/sh", "-c", "id; ls /"]).unwrap(), expected);
        assert!(words(&["a \"quoted\" word"]).is_err());
    }
}
