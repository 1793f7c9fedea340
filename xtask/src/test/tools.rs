//! Debian's own tools that the container tests start beside the launcher: a folder of them on this
//! machine, or packed for a virtual one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::stage::Stage;
use crate::arch::Arch;
use crate::console;
use crate::debian;
use crate::failure::{At, Error};
use crate::host::{change_owner, set_mode, symlink};
use crate::program;
use crate::vm;
use crate::vm::image::Image;
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
    Tool { name: "pasta", package: "passt", setuid: false },
    Tool { name: "newuidmap", package: "uidmap", setuid: true },
    Tool { name: "newgidmap", package: "uidmap", setuid: true },
    Tool { name: "setpriv", package: "util-linux", setuid: false },
];

/// What a virtual machine needs beside those, and a Debian host has. The libraries are named for
/// machines that have neither.
const GUEST_TOOLS: &[(&str, &[&str])] = &[
    ("apparmor_parser", &["apparmor"]),
    ("bash", &["bash", "libtinfo6"]),
    ("strace", &["strace", "libunwind8"]),
    ("unshare", &["util-linux"]),
    ("nsenter", &["util-linux"]),
    ("nohup", &["coreutils"]),
];

/// Debian's packages of all that a virtual machine gets.
pub fn packages() -> impl Iterator<Item = &'static str> {
    let tools = TOOLS.iter().map(|tool| tool.package);
    tools.chain(GUEST_TOOLS.iter().flat_map(|(_, packages)| packages.iter().copied()))
}

/// Puts all tools with their libraries into a folder of the image.
pub fn pack(image: &mut Image, folder: &str, arch: Arch) -> Result<(), Error> {
    if arch != Arch::own()? {
        return pack_foreign(image, folder, arch);
    }
    let mut add = |name: &str, packages: &[&str], mode| {
        let file = match program::find(name) {
            Some(found) => found,
            None => {
                let unpacked = packages.iter().map(|package| debian::unpacked(package));
                let folders = unpacked.collect::<Result<Vec<_>, _>>()?;
                let places = ["usr/bin", "sbin"].map(|place| folders[0].join(place).join(name));
                places.into_iter().find(|place| place.exists()).unwrap_or_default()
            }
        };
        image.add_program(&format!("{folder}/{name}"), mode, &file)
    };
    for Tool { name, package, setuid } in TOOLS {
        add(name, &[package], if *setuid { 0o4755 } else { 0o755 })?;
    }
    GUEST_TOOLS.iter().try_for_each(|(name, packages)| add(name, packages, 0o755))
}

/// The same out of Debian's packages for another architecture, with all libraries that came with them:
/// which one a program loads only its own loader could say.
fn pack_foreign(image: &mut Image, folder: &str, arch: Arch) -> Result<(), Error> {
    let tree = vm::foreign(arch)?;
    let modes = TOOLS.iter().map(|tool| (tool.name, if tool.setuid { 0o4755 } else { 0o755 }));
    for (name, mode) in modes.chain(GUEST_TOOLS.iter().map(|(name, _)| (*name, 0o755))) {
        let places = ["usr/bin", "bin", "usr/sbin", "sbin"];
        let mut places = places.into_iter().map(|place| tree.join(place).join(name));
        let file = places.find(|place| place.exists()).unwrap_or_default();
        image.add_copy(format!("{folder}/{name}"), mode, &file.canonicalize().at("find", &file)?);
    }
    let triplet = format!("{}-linux-gnu", arch.name());
    for place in ["lib".to_string(), format!("lib/{triplet}"), format!("usr/lib/{triplet}")] {
        let folder = tree.join(&place);
        for entry in fs::read_dir(&folder).at("read", &folder)? {
            let file = entry.at("read", &folder)?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let inside = format!("{place}/{name}");
            if !name.contains(".so") {
                continue;
            }
            match fs::read_link(&file) {
                Ok(target) => image.add_link(&inside, &target.to_string_lossy()),
                Err(_) => image.add_copy(inside, 0o755, &file),
            }
        }
    }
    Ok(())
}

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

/// PATH with such a folder before it.
pub fn path(folder: &Path) -> OsString {
    let mut path = folder.as_os_str().to_os_string();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

fn unpack(tool: &Tool, place: &Path) -> Result<(), Error> {
    let packed = debian::unpacked(tool.package)?.join("usr/bin").join(tool.name);
    fs::copy(&packed, place).at("copy", &packed)?;
    if tool.setuid {
        // The owner first: a change of owner takes the bit away.
        change_owner(place, Some(0), Some(0)).at("give to root", place)?;
        set_mode(place, 0o4755)
    } else {
        set_mode(place, 0o755)
    }
}
