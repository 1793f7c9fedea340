//! Where things are: the workspace, its target folder.

use std::path::{Path, PathBuf};

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

/// Whether this run has to be complete: what a developer's machine may skip fails here.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}
