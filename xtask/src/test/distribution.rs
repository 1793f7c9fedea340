//! A small Debian as image files, for the test that boots one: a shell, and all that it depends on,
//! dynamically linked, as this system's mirror has it.
//!
//! For this machine alone: the virtual ones have their memory for other things, and mount images of
//! the same kinds.

use std::path::{Path, PathBuf};

use super::images;
use crate::arch::Arch;
use crate::console;
use crate::debian;
use crate::failure::Error;
use crate::workspace;

/// What to ask apt for. With SUITE_LONG it is all that Debian calls essential, apt, and programs that
/// make much of a terminal.
const SMALL: &[&str] = &["base-files", "bash", "coreutils", "dpkg"];
const WHOLE: &[&str] = &["?essential", "apt", "vim-tiny", "less", "htop", "tmux"];

/// Makes `debian.squashfs` and `debian.erofs` in `folder`. Where that cannot be it is no failure but
/// in CI: the test has nothing to boot.
pub fn make(folder: &Path) -> Result<(), Error> {
    match make_images(folder) {
        Err(error) if !workspace::is_ci() => {
            console::progress(&format!("no Debian image: {error}"));
            Ok(())
        }
        made => made.map(drop),
    }
}

fn make_images(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let (name, packages) = match std::env::var_os("SUITE_LONG") {
        None => ("small", SMALL),
        Some(_) => ("whole", WHOLE),
    };
    let tree = debian::tree(name, Arch::own()?, packages)?;
    images::pack(folder, &tree, "debian", &["squashfs", "erofs"])
}
