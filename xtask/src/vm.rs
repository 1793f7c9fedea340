//! Virtual machines that boot from an initramfs made here, without a disk or a network.
//!
//! `image` says what is inside and `newc` writes it, `kernel` and `module` fetch what is booted,
//! `qemu` is found or installed, `machine` runs it and tells how it ended.

pub mod accelerator;
pub mod image;
pub mod kernel;
pub mod libraries;
pub mod machine;
pub mod module;
mod newc;
mod port;
pub mod qemu;

use std::fs;
use std::path::PathBuf;

use crate::arch::Arch;
use crate::debian;
use crate::failure::{At, Error};
use crate::rootfs;
use crate::test::tools;
use crate::workspace;

/// Where images and logs are.
pub fn folder() -> Result<PathBuf, Error> {
    let folder = workspace::target_dir().join("vm");
    fs::create_dir_all(&folder).at("create", &folder)?;
    Ok(folder)
}

/// A root file system of busybox alone: what a guest consists of beside its task.
pub fn base(arch: Arch) -> Result<PathBuf, Error> {
    let place = workspace::cache().join(format!("vm-rootfs-{}", arch.name()));
    let busybox = match arch == Arch::own()? {
        true => None,
        false => Some(foreign(arch)?.join("bin/busybox")),
    };
    rootfs::complete(&place, busybox.as_deref(), rootfs::Old::Keep)?;
    Ok(place)
}

/// Debian's programs of another architecture than this machine's, with their libraries: a busybox,
/// and the tools that the container tests start.
pub fn foreign(arch: Arch) -> Result<PathBuf, Error> {
    let packages = tools::packages().chain(["busybox-static"]).collect::<Vec<_>>();
    debian::tree(&format!("tools-{}", arch.debian()), arch, &packages)
}
