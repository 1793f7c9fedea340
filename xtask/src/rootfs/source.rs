//! What a root file system is made from, told by looking at it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::elf;
use crate::failure::{At, Error};

/// Where the files come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A static busybox, wherever there is one.
    AnyBusybox,
    /// This static busybox.
    Busybox(PathBuf),
    /// A copy of this folder.
    Tree(PathBuf),
    /// What is in this archive, a root file system or an image.
    Archive(PathBuf, Wish),
    /// The image in this folder, an image layout of OCI.
    Layout(PathBuf, Wish),
}

/// Which image of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// OS/ARCHITECTURE[/VARIANT], if not this machine's.
    pub platform: Option<String>,
    /// What it is called.
    pub tag: Option<String>,
}

impl Source {
    /// A folder is a layout or a tree, an ELF file a busybox; the rest is an archive or nothing.
    pub fn at(path: &Path, wish: Wish) -> Result<Source, Error> {
        let path = std::path::absolute(path).at("read", path)?;
        let source = if path.metadata().at("read", &path)?.is_dir() {
            match path.join("oci-layout").exists() {
                true => return Ok(Source::Layout(path, wish)),
                false => Source::Tree(path),
            }
        } else {
            let mut file = File::open(&path).at("read", &path)?;
            let mut magic = [0; 4];
            let is_elf =
                file.read_exact(&mut magic).is_ok() && elf::kind(&magic) != elf::Kind::NotElf;
            match is_elf {
                true => Source::Busybox(path),
                false => return Ok(Source::Archive(path, wish)),
            }
        };
        if wish.is_none() {
            return Ok(source);
        }
        Err(Error::Misuse(format!("--platform and --tag are about images, not a {source}")))
    }
}

// Images are unpacked on Linux only.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
impl Wish {
    pub fn is_none(&self) -> bool {
        *self == Wish::default()
    }

    /// The platform, as images name it.
    pub fn platform(&self) -> String {
        let this_machine = || {
            let architecture = match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                "x86" => "386",
                other => other,
            };
            format!("linux/{architecture}")
        };
        self.platform.clone().unwrap_or_else(this_machine)
    }

    /// Whether an image for this platform will do: the variant counts if it is asked for.
    pub fn takes(&self, platform: &str) -> bool {
        let wanted = self.platform();
        let rest = platform.strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The line that is recorded in a finished root file system.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::AnyBusybox => f.write_str("busybox"),
            Source::Busybox(path) => write!(f, "busybox {}", path.display()),
            Source::Tree(path) => write!(f, "folder {}", path.display()),
            Source::Archive(path, wish) => write!(f, "archive {}{wish}", path.display()),
            Source::Layout(path, wish) => write!(f, "image {}{wish}", path.display()),
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("platform", &self.platform), ("tag", &self.tag)];
        parts.into_iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, ", {name} {value}"),
            None => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_told_by_what_it_is() {
        let folder = std::env::temp_dir().join(format!("xtask-source-{}", std::process::id()));
        let (elf, tar, layout) = (folder.join("busybox.tar"), folder.join("x"), folder.join("oci"));
        std::fs::create_dir_all(&layout).unwrap();
        std::fs::write(&elf, b"\x7fELF\x02\x01").unwrap();
        std::fs::write(&tar, b"x").unwrap();
        std::fs::write(layout.join("oci-layout"), b"{}").unwrap();
        let at = |path: &Path| Source::at(path, Wish::default());
        let told = [&folder, &elf, &tar, &layout].map(|path| at(path).unwrap());
        let missing = at(&folder.join("none"));
        let wish = Wish { tag: Some("x".into()), ..Wish::default() };
        let wished = [&folder, &elf].map(|path| Source::at(path, wish.clone()));
        std::fs::remove_dir_all(&folder).unwrap();
        let none = Wish::default;
        let [archive, layout] = [Source::Archive(tar, none()), Source::Layout(layout, none())];
        assert_eq!(told, [Source::Tree(folder), Source::Busybox(elf), archive, layout]);
        assert!(matches!(missing, Err(Error::File { .. })));
        assert!(wished.iter().all(|told| matches!(told, Err(Error::Misuse(_)))));
    }

    #[test]
    fn variant_counts_if_it_is_asked_for() {
        let wish = |platform: &str| Wish { platform: Some(platform.into()), tag: None };
        assert!(wish("linux/arm").takes("linux/arm/v7") && wish("linux/arm").takes("linux/arm"));
        assert!(wish("linux/arm/v7").takes("linux/arm/v7"));
        for other in ["linux/arm64", "linux/arm/v6", "linux/arm", "unknown/unknown", ""] {
            assert!(!wish("linux/arm/v7").takes(other), "{other}");
        }
    }
}
