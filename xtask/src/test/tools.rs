//! The folder of Debian's own tools that the container tests start beside the launcher.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};

use super::stage::{Stage, set_mode};
use crate::console;
use crate::debian;
use crate::failure::{At, Error};
use crate::program;
use crate::workspace;

/// A program, the package that has it, and whether it does nothing without its setuid bit.
struct Tool {
    name: &'static str,
    package: &'static str,
    setuid: bool,
}

const TOOLS: &[Tool] = &[
    Tool { name: "bwrap", package: "bubblewrap", setuid: false },
    Tool { name: "tini", package: "tini", setuid: false },
    Tool { name: "dumb-init", package: "dumb-init", setuid: false },
    Tool { name: "catatonit", package: "catatonit", setuid: false },
    Tool { name: "newuidmap", package: "uidmap", setuid: true },
    Tool { name: "newgidmap", package: "uidmap", setuid: true },
];

/// Fills a folder of the stage with what PATH has, and what it lacks from Debian's packages. A
/// tool that cannot be had is no failure here unless in CI: the tests that want it skip.
pub fn collect(stage: &Stage) -> Result<PathBuf, Error> {
    let folder = stage.make_folder("tools")?;
    for tool in TOOLS {
        let place = folder.join(tool.name);
        if let Some(found) = program::find(tool.name) {
            symlink(&found, &place).at("create", &place)?;
        } else if tool.setuid && !stage.is_root() {
            console::progress(&format!("no {} here: install {}", tool.name, tool.package));
        } else if let Err(error) = unpack(tool, &place) {
            if workspace::is_ci() {
                return Err(error);
            }
            console::progress(&error.to_string());
        }
    }
    Ok(folder)
}

fn unpack(tool: &Tool, place: &Path) -> Result<(), Error> {
    let packed = debian::unpacked(tool.package)?.join("usr/bin").join(tool.name);
    fs::copy(&packed, place).at("copy", &packed)?;
    if tool.setuid {
        // The owner first: a change of owner takes the bit away.
        chown(place, Some(0), Some(0)).at("give to root", place)?;
        set_mode(place, 0o4755)
    } else {
        set_mode(place, 0o755)
    }
}
