//! Where things are: the workspace, its target folder, the target triple.

use std::path::{Path, PathBuf};

use crate::failure::Error;

/// The folder of the root Cargo.toml. Cargo tells a running task where its package is *now*; the
/// path compiled in serves a task started by hand.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map(Path::to_path_buf).unwrap_or(package)
}

/// Cargo's target folder, passed to every nested cargo so that both sides agree on it.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
        None => root().join("target"),
    }
}

/// What the tasks keep between runs. Deleting it costs a download.
pub fn cache() -> PathBuf {
    target_dir().join("xtask")
}

/// The static target of this machine's architecture.
pub fn target() -> Result<&'static str, Error> {
    // The machines that other hosts start are of this kind, whatever their own is.
    let arch = if cfg!(target_os = "linux") { std::env::consts::ARCH } else { "x86_64" };
    match arch {
        "x86_64" => Ok("x86_64-unknown-linux-musl"),
        "aarch64" => Ok("aarch64-unknown-linux-musl"),
        other => Err(Error::Missing {
            what: format!("no static target is known for {other}"),
            advice: "x86_64 and aarch64 are supported".into(),
        }),
    }
}

/// Whether this run has to be complete: what a developer's machine may skip fails here.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}
