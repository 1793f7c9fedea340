//! `cargo xtask initramfs [--boot] -- COMMAND…`: a bootable image with the launcher, a root file
//! system, and a small init script that starts COMMAND in a container.
//!
//! Run by a developer who wants to embed the launcher, or to see it on a machine with nothing else
//! on it. Needs no root.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use argh::FromArgs;

use crate::arch::Arch;
use crate::build;
use crate::console;
use crate::failure::{At, Error};
use crate::host;
use crate::program;
use crate::rootfs;
use crate::vm;
use crate::vm::image::{Image, Owners, SHIFT};
use crate::vm::kernel::{self, NEWEST};

/// Pack launcher and a root file system into an initramfs which runs the words after `--` in a
/// container (default: /bin/sh), and print where it is.
#[derive(FromArgs)]
#[argh(subcommand, name = "initramfs")]
pub struct Initramfs {
    /// the container's root file system (default: rootfs/ of the workspace)
    #[argh(option, arg_name = "dir")]
    rootfs: Option<PathBuf>,

    /// kernel to boot: a file, or one of 5.10, 6.1, 6.12, newest (default: newest)
    #[argh(option, arg_name = "file|version")]
    kernel: Option<String>,

    /// where to write the image (default: target/vm/initramfs.cpio)
    #[argh(option, arg_name = "file")]
    output: Option<PathBuf>,

    /// boot it in QEMU, with the console on this terminal; Ctrl-A X ends QEMU
    #[argh(switch)]
    boot: bool,
}

/// PID 1 of the image.
const INIT: &str = include_str!("initramfs/init.sh");

impl Initramfs {
    /// Runs the task; with --boot QEMU stands in our place.
    pub fn run(self, words: &[OsString]) -> Result<(), Error> {
        let launcher = build::launcher()?;
        let rootfs = match self.rootfs {
            Some(rootfs) => rootfs,
            None => {
                let example = rootfs::default_place();
                rootfs::complete(&example, None, rootfs::Old::Keep)?;
                example
            }
        };
        let output = match self.output {
            Some(output) => output,
            None => vm::folder()?.join("initramfs.cpio"),
        };
        let image = image(&launcher, &rootfs, words)?;
        let size = image.write(&output)?;
        console::print(&format!("{} ({:.1} MB)", output.display(), size as f64 / 1e6))?;
        if self.boot { boot(self.kernel.as_deref().unwrap_or(NEWEST), &output, "") } else { Ok(()) }
    }
}

fn image(launcher: &Path, rootfs: &Path, words: &[OsString]) -> Result<Image, Error> {
    let busybox = vm::base(Arch::own()?)?.join("bin/busybox");
    let mut image = Image::default();
    for folder in ["dev", "proc", "sys"] {
        image.add_folder(folder, 0o755);
    }
    image.add_copy("bin/busybox", 0o755, &busybox);
    let names = program::read(Command::new(&busybox).arg("--list"))?;
    for name in applets(INIT, &String::from_utf8_lossy(&names)) {
        image.add_link(&format!("bin/{name}"), "busybox");
    }
    image.add_program("bin/launcher", 0o755, launcher)?;
    image.add_tree("rootfs", rootfs, Owners::Shifted(SHIFT))?;
    add_script(&mut image, "init", words);
    Ok(image)
}

/// The script at this path, and the command for it.
pub fn add_script(image: &mut Image, path: &str, words: &[OsString]) {
    image.add_file(path, 0o755, INIT);
    let mut command = Command::new("launcher");
    command.arg("/rootfs").args(words);
    image.add_file("command", 0o644, format!("exec {}\n", program::shown(&command)));
}

/// The names of busybox that a script uses, and the shell.
fn applets(script: &str, list: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<&str> = script.split(|c| !is_word(c)).collect();
    list.lines().filter(|name| words.contains(name)).map(str::to_string).collect()
}

/// Boots an image with the console on our terminal; does not come back.
pub fn boot(wanted: &str, initramfs: &Path, words: &str) -> Result<(), Error> {
    let is_version = wanted == NEWEST || wanted.starts_with(|c: char| c.is_ascii_digit());
    let file = Path::new(wanted);
    let kernel = if is_version && !file.exists() {
        kernel::fetched(wanted)?
    } else {
        file.metadata().at("read", file)?;
        kernel::at(file)?
    };
    if kernel.arch != Arch::own()? {
        let (release, name) = (&kernel.release, kernel.arch.name());
        return Err(Error::Misuse(format!(
            "{release} is a kernel for {name}, and the image has this machine's programs"
        )));
    }
    let qemu = vm::accelerator::choose(&kernel)?;
    let mut total = 0;
    for part in [&kernel.image, initramfs] {
        total += part.metadata().at("read", part)?.len();
    }
    console::progress(&format!(
        "booting {} ({}), with its image {:.1} MB in all; Ctrl-A X ends it",
        kernel.release,
        qemu.accelerator.name(),
        total as f64 / 1e6
    ));
    let mut command = qemu.command();
    command.args(qemu.kernel(&kernel.image, initramfs, &format!("quiet {words}")));
    command.args(qemu.console());
    let cause = host::become_program(&mut command);
    Err(program::not_started(&command, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// But for the comment at its head.
    #[test]
    fn readme_shows_the_script() {
        let readme = include_str!("../../README.md");
        let (head, body) = INIT.split_once("set -u").unwrap();
        assert!(head.lines().all(|line| line.starts_with('#')), "{head}");
        assert!(readme.contains(&format!("```\n#!/bin/sh\nset -u{body}```\n")));
    }

    #[test]
    fn image_has_the_names_that_its_script_uses() {
        let names =
            applets("#!/bin/sh\nmount -t x\nswitch_root a", "[\nmount\nsh\nswitch_root\nvi");
        assert_eq!(names, ["mount", "sh", "switch_root"]);
    }
}
