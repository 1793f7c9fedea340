//! `cargo xtask run [-- OPTIONS ROOTFS COMMAND…]`: builds the launcher and becomes it.
//!
//! Run by a developer, from anywhere in the workspace: cargo keeps the working folder, so paths
//! among the words mean what they mean in the user's shell.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use argh::FromArgs;

use crate::build;
use crate::console;
use crate::failure::Error;
use crate::program;
use crate::rootfs;

/// Build, and start a container: the words after `--` go to launcher as they are, and without any
/// it is a shell on the example root file system.
#[derive(FromArgs)]
#[argh(subcommand, name = "run")]
pub struct Run {}

impl Run {
    /// Runs the task; on success the launcher stands in our place.
    pub fn run(self, mut words: Vec<OsString>) -> Result<(), Error> {
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
        let cause = command.exec();
        Err(program::not_started(&command, cause))
    }
}

fn is_same_folder(word: &Path, folder: &Path) -> bool {
    match (word.canonicalize(), folder.canonicalize()) {
        (Ok(word), Ok(folder)) => word == folder,
        _ => word == folder,
    }
}
