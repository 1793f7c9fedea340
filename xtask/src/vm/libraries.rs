//! The shared libraries of a program, as this machine's loader finds them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian;
use crate::elf;
use crate::failure::{At, Error};
use crate::program;

/// A library or loader: where it is here, and where the program looks for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    pub inside: PathBuf,
    pub file: PathBuf,
}

/// All that the program needs to start; nothing for a static one. Libraries out of packages that
/// were only unpacked are found too, and belong where the package has them.
pub fn of(file: &Path) -> Result<Vec<Library>, Error> {
    let bytes = std::fs::read(file).at("read", file)?;
    if elf::kind(&bytes) != elf::Kind::Dynamic {
        return Ok(Vec::new());
    }
    let unpacked = debian::library_folders();
    let path = std::env::join_paths(&unpacked).unwrap_or_default();
    let mut ldd = Command::new("ldd");
    let said = program::read(ldd.arg(file).env("LD_LIBRARY_PATH", path).env("LC_ALL", "C.UTF-8"))?;
    let said = String::from_utf8_lossy(&said);
    let paths = paths(&said).map_err(|name| Error::Missing {
        what: format!("{} needs {name}, which is not installed", file.display()),
        advice: "install the package that has it".into(),
    })?;
    let inside = |path: &Path| match path.strip_prefix(debian::cache()) {
        // CACHE/PACKAGE/usr/lib/…
        Ok(below) => Path::new("/").join(below.components().skip(1).collect::<PathBuf>()),
        Err(_) => path.to_path_buf(),
    };
    Ok(paths.into_iter().map(|file| Library { inside: inside(&file), file }).collect())
}

/// ldd's lines: "NAME => PATH (0x…)", "PATH (0x…)" for the loader, "NAME => not found", and the
/// kernel's vdso, which is no file. The name of a library that is missing is the error.
fn paths(said: &str) -> Result<Vec<PathBuf>, &str> {
    let mut found = Vec::new();
    // Others are warnings.
    for line in said.lines().filter_map(|line| line.strip_prefix('\t')) {
        let (name, place) = line.split_once(" => ").unwrap_or((line, line));
        if place.starts_with("not found") {
            return Err(name);
        }
        if let Some((path, _)) = place.split_once(" (").filter(|(path, _)| path.starts_with('/')) {
            found.push(path.into());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\tlinux-vdso.so.1 (0x00007fd01a19e000)\n\
        \tlibcap.so.2 => /lib/x86_64-linux-gnu/libcap.so.2 (0x00007fd01a140000)\n\
        \t/lib64/ld-linux-x86-64.so.2 (0x00007fd01a1a0000)\n";

    #[test]
    fn libraries_and_loader_are_found_and_the_vdso_is_none() {
        let expected = ["/lib/x86_64-linux-gnu/libcap.so.2", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(paths(SAID).unwrap(), expected.map(PathBuf::from));
    }

    #[test]
    fn missing_library_is_named() {
        assert_eq!(paths("\tlibsubid.so.4 => not found\n"), Err("libsubid.so.4"));
    }
}
