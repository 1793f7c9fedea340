//! The files of the workspace that are written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use super::code;
use crate::failure::{At, Error};

/// Folders that hold what was built, unpacked or recorded.
const LEFT_OUT: &[&str] = &[".git", "target"];

/// Of rootfs/ only this is ours.
const SKELETON: &str = "rootfs/skeleton";

/// Files that are text of ours; a licence is somebody else's.
const EXTENSIONS: &[&str] = &["md", "rs", "sh", "toml", "yaml", "yml"];

/// A file as the rules see it.
pub struct Source {
    /// Relative to the root of the workspace.
    pub path: PathBuf,
    pub text: String,
    /// For Rust, the text with comments and literals blanked out, line for line; else empty.
    pub code: String,
}

impl Source {
    /// Whether the rules for Rust apply.
    pub fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    /// What a rule looks at when only a path and a text are given.
    pub fn new(path: &str, text: String) -> Source {
        let mut source = Source { path: path.into(), text, code: String::new() };
        if source.is_rust() {
            source.code = code::without_text(&source.text);
        }
        source
    }
}

/// Reads all of them, in a stable order.
pub fn read(root: &Path) -> Result<Vec<Source>, Error> {
    let mut paths = Vec::new();
    collect(root, Path::new(""), &mut paths)?;
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        let bytes = fs::read(root.join(&path)).at("read", &root.join(&path))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        sources.push(Source::new(&path.to_string_lossy(), text));
    }
    Ok(sources)
}

fn collect(root: &Path, below: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).at("read", &folder)? {
        let entry = entry.at("read", &folder)?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type().at("read", &folder)?;
        if kind.is_dir() {
            let is_ours = !LEFT_OUT.iter().any(|name| entry.file_name() == *name);
            if is_ours && (!below.starts_with("rootfs") || path.starts_with(SKELETON)) {
                collect(root, &path, paths)?;
            }
        } else if kind.is_file() && is_ours(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let named = path.extension().is_some_and(|have| EXTENSIONS.iter().any(|want| have == *want));
    named || path.starts_with(".ci") || path.starts_with(SKELETON)
}
