//! The root file system as image files, for the tests that mount them.
//!
//! Made on this machine by the usual tools, also for the virtual ones. A tool that is missing is no
//! failure here unless in CI: the tests that want its image skip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::console;
use crate::failure::{At, Error};
use crate::program;
use crate::workspace;

/// A file system, the tool that makes an image of it, and the package that has that.
struct Kind {
    name: &'static str,
    tool: &'static str,
    package: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { name: "squashfs", tool: "mksquashfs", package: "squashfs-tools" },
    Kind { name: "erofs", tool: "mkfs.erofs", package: "erofs-utils" },
    Kind { name: "ext4", tool: "mke2fs", package: "e2fsprogs" },
];

/// Makes the images of `rootfs` with the probe at /probe in `folder`; those that could be made.
pub fn make(folder: &Path, rootfs: &Path, probe: &Path) -> Result<Vec<PathBuf>, Error> {
    let tree = folder.join("tree");
    program::run(Command::new("cp").arg("-a").arg(rootfs).arg(&tree))?;
    fs::copy(probe, tree.join("probe")).at("copy", probe)?;
    let made = pack(folder, &tree, "rootfs", &KINDS.map(|kind| kind.name))?;
    fs::remove_dir_all(&tree).at("remove", &tree)?;
    Ok(made)
}

/// Makes `NAME.KIND` of a tree for each of these kinds; those that could be made.
pub fn pack(folder: &Path, tree: &Path, name: &str, kinds: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let mut made = Vec::new();
    for Kind { name: kind, tool, package } in KINDS {
        if !kinds.contains(&kind) {
            continue;
        }
        let image = format!("{name}.{kind}");
        let Some(tool) = program::find(tool) else {
            let missing = format!("{tool} is not there to make the test image {image}");
            if workspace::is_ci() {
                return Err(Error::Missing { what: missing, advice: format!("install {package}") });
            }
            console::progress(&format!("{missing}: install {package}"));
            continue;
        };
        let path = folder.join(&image);
        if path.exists() {
            fs::remove_file(&path).at("remove", &path)?;
        }
        program::run_quietly(&mut command(&tool, tree, &path))?;
        made.push(path);
    }
    Ok(made)
}

/// All files are root's.
fn command(tool: &Path, tree: &Path, image: &Path) -> Command {
    let mut command = Command::new(tool);
    match image.extension().and_then(|kind| kind.to_str()) {
        Some("squashfs") => command.arg(tree).arg(image).args(["-all-root", "-noappend", "-quiet"]),
        Some("erofs") => command.arg("--all-root").arg(image).arg(tree),
        _ => command.args(["-q", "-t", "ext4", "-d"]).arg(tree).arg(image).arg("16M"),
    };
    command
}
