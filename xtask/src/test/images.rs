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

/// An image, the tool that makes it, and the package that has that.
struct Kind {
    image: &'static str,
    tool: &'static str,
    package: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { image: "rootfs.squashfs", tool: "mksquashfs", package: "squashfs-tools" },
    Kind { image: "rootfs.erofs", tool: "mkfs.erofs", package: "erofs-utils" },
    Kind { image: "rootfs.ext4", tool: "mke2fs", package: "e2fsprogs" },
];

/// Makes the images of `rootfs` with the probe at /probe in `folder`; those that could be made.
pub fn make(folder: &Path, rootfs: &Path, probe: &Path) -> Result<Vec<PathBuf>, Error> {
    let tree = folder.join("tree");
    program::run(Command::new("cp").arg("-a").arg(rootfs).arg(&tree))?;
    fs::copy(probe, tree.join("probe")).at("copy", probe)?;
    let mut made = Vec::new();
    for Kind { image, tool, package } in KINDS {
        let Some(tool) = program::find(tool) else {
            let missing = format!("{tool} is not there to make the test image {image}");
            if workspace::is_ci() {
                return Err(Error::Missing { what: missing, advice: format!("install {package}") });
            }
            console::progress(&format!("{missing}: install {package}"));
            continue;
        };
        let path = folder.join(image);
        if path.exists() {
            fs::remove_file(&path).at("remove", &path)?;
        }
        program::run_quietly(&mut command(&tool, &tree, &path))?;
        made.push(path);
    }
    fs::remove_dir_all(&tree).at("remove", &tree)?;
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
