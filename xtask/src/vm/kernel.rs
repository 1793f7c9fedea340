//! A kernel to boot: fetched from one of Debian's suites, or a file of the user's.
//!
//! What is fetched stays in the cache folder for some days; Debian's suites move on, and the
//! newest kernel is only that for a while.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::arch::Arch;
use crate::console;
use crate::debian::suite::Suite;
use crate::failure::{At, Error};
use crate::workspace;

/// A kernel image on this machine.
pub struct Kernel {
    pub arch: Arch,
    /// `6.1`.
    pub version: String,
    /// `6.1.0-56-cloud-amd64`, as uname says it.
    pub release: String,
    pub image: PathBuf,
    /// Where its modules are, if it has any.
    pub modules: Option<PathBuf>,
}

impl Kernel {
    /// Whether it is older than version `major.minor`.
    pub fn is_before(&self, major: u32, minor: u32) -> bool {
        self.numbers() < (major, minor)
    }

    /// As the tables show it: `6.1`, and with its architecture if that is not this machine's.
    pub fn name(&self) -> String {
        match Arch::own() {
            Ok(own) if own == self.arch => self.version.clone(),
            _ => format!("{} {}", self.version, self.arch.name()),
        }
    }

    /// Its version.
    pub fn numbers(&self) -> (u32, u32) {
        let mut numbers = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// A kernel line, and the suite of Debian that has it. `newest` is not known before it is asked.
struct Line {
    name: &'static str,
    suite: &'static str,
}

/// The kernels that are promised: tests/README.md.
const LINES: &[Line] = &[
    Line { name: "5.10", suite: "bullseye" },
    Line { name: "6.1", suite: "bookworm" },
    Line { name: "6.12", suite: "trixie" },
    Line { name: NEWEST, suite: "sid" },
];

/// The kernel that is wanted whatever its version.
pub const NEWEST: &str = "newest";

/// Depends on today's kernel, and is in every suite: small, and made for virtual machines. Debian's
/// architecture follows.
const META_PACKAGE: &str = "linux-image-cloud-";

/// How long a fetched kernel is good enough.
const FRESH: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Written when a kernel has been fetched: what is unpacked has the times of its making.
const STAMP: &str = "fetched";

/// The kernel line of this name, fetched if need be: `6.1`, or `6.1-arm64` for an architecture by
/// Debian's name. What is in no table can only be the newest one.
pub fn fetched(name: &str) -> Result<Kernel, Error> {
    let (line, arch) = split(name)?;
    let is_line = |known: &&Line| known.name == line;
    let suite = LINES.iter().find(is_line).map_or("sid", |known| known.suite);
    let kernel = from_suite(suite, arch)?;
    if line == NEWEST || kernel.version == line {
        return Ok(kernel);
    }
    Err(Error::Misuse(format!(
        "no kernel {name}: Debian {suite} has {}; known are {}, or --kernel FILE",
        kernel.version,
        LINES.iter().map(|line| line.name).collect::<Vec<_>>().join(", ")
    )))
}

/// A kernel's name, without and with its architecture.
pub fn split(name: &str) -> Result<(&str, Arch), Error> {
    let known = Arch::ALL.into_iter().find_map(|arch| {
        let line = name.strip_suffix(arch.debian())?.strip_suffix('-')?;
        Some((line, arch))
    });
    known.map_or_else(|| Ok((name, Arch::own()?)), Ok)
}

/// A kernel image given by its path. Its modules are looked for where they are installed, and
/// beside it.
pub fn at(image: &Path) -> Result<Kernel, Error> {
    let image = std::path::absolute(image).at("read", image)?;
    let bytes = fs::read(&image).at("read", &image)?;
    let Some((arch, release)) = identify(&bytes) else {
        return Err(Error::Missing {
            what: format!("{} is no kernel image for x86_64 or aarch64", image.display()),
            advice: "a bzImage, an Image or a vmlinuz is wanted".into(),
        });
    };
    let beside = image.parent().unwrap_or(Path::new("/"));
    let places = [
        beside.to_path_buf(),
        beside.join("../lib/modules").join(&release),
        beside.join("../usr/lib/modules").join(&release),
        Path::new("/lib/modules").join(&release),
    ];
    let modules = places.into_iter().find(|place| place.join("kernel").is_dir());
    Ok(Kernel { arch, version: version(&release), release, image, modules })
}

fn from_suite(suite: &str, arch: Arch) -> Result<Kernel, Error> {
    let folder = workspace::cache().join("kernels").join(format!("{suite}-{}", arch.debian()));
    let root = folder.join("root");
    let cached = find_image(&root);
    let modified = folder.join(STAMP).metadata().and_then(|metadata| metadata.modified());
    let age = SystemTime::now().duration_since(modified.unwrap_or(SystemTime::UNIX_EPOCH));
    if let Some(image) = &cached
        && age.is_ok_and(|age| age < FRESH)
    {
        return at(image);
    }
    match (fetch(suite, arch, &folder), cached) {
        (Ok(image), _) => at(&image),
        (Err(error), Some(image)) => {
            console::progress(&format!("an older kernel of {suite} has to do: {error}"));
            at(&image)
        }
        (Err(error), None) => Err(error),
    }
}

fn fetch(suite: &str, arch: Arch, folder: &Path) -> Result<PathBuf, Error> {
    let lists = folder.join("apt");
    let source = Suite::open(suite, arch, &lists)?;
    // From 7.1 on the image and the modules are packages of their own, which it depends on.
    let end = format!("-cloud-{}", arch.debian());
    let is_part = |name: &str| name.starts_with("linux-") && name.ends_with(&end);
    let meta = format!("{META_PACKAGE}{}", arch.debian());
    let closure = source.closure(&meta, is_part)?;
    // Itself it is empty, and on the mirror of an old suite it can be gone before the kernel is.
    let packages = &closure[1..];
    console::progress(&format!("fetching {}", packages.join(", ")));
    let partial = folder.join("partial");
    let bytes = source.fetch(packages, &partial)?;
    let Some(_) = find_image(&partial) else {
        return Err(Error::Missing {
            what: format!("there is no kernel image in {meta} of {suite}"),
            advice: "name one with --kernel FILE".into(),
        });
    };
    console::progress(&format!("fetched {:.1} MB", bytes as f64 / 1e6));

    // Renamed when complete, so an interrupted run leaves nothing that looks finished.
    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).at("remove", &root)?;
    }
    fs::rename(&partial, &root).at("create", &root)?;
    fs::remove_dir_all(&lists).at("remove", &lists)?;
    let stamp = folder.join(STAMP);
    fs::write(&stamp, format!("{}\n", packages.join("\n"))).at("write", &stamp)?;
    find_image(&root).ok_or_else(|| Error::Missing {
        what: format!("{} has gone", root.display()),
        advice: "run it again".into(),
    })
}

/// boot/vmlinuz-RELEASE, or from 7.1 on usr/lib/modules/RELEASE/vmlinuz.
fn find_image(root: &Path) -> Option<PathBuf> {
    let list = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let in_boot = list(root.join("boot")).map(|entry| entry.path());
    let in_modules = list(root.join("usr/lib/modules")).map(|entry| entry.path().join("vmlinuz"));
    let is_image = |path: &PathBuf| {
        path.is_file()
            && path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"vmlinuz"))
    };
    in_boot.chain(in_modules).find(is_image)
}

/// What an image is for, and its release. Of a bzImage the header says it
/// (Documentation/arch/x86/boot.rst, field kernel_version), of arm64's Image, which is not compressed,
/// the banner that it has for /proc/version (Documentation/arch/arm64/booting.rst has the magic).
fn identify(image: &[u8]) -> Option<(Arch, String)> {
    const BANNER: &[u8] = b"Linux version ";
    let (arch, start) = if image.get(0x202..0x206)? == b"HdrS" {
        let field = u16::from_le_bytes(image.get(0x20e..0x210)?.try_into().ok()?);
        (Arch::X86_64, usize::from(field) + 0x200)
    } else if image.get(0x38..0x3c)? == b"ARMd" {
        let begins = |at: &usize| {
            let behind = at + BANNER.len();
            image[*at..].starts_with(BANNER) && image.get(behind).is_some_and(u8::is_ascii_digit)
        };
        (Arch::Aarch64, (0..image.len()).find(begins)? + BANNER.len())
    } else {
        return None;
    };
    let text = image.get(start..)?.split(|byte| *byte == b' ' || *byte == 0).next()?;
    let release = String::from_utf8(text.to_vec()).ok().filter(|text| !text.is_empty())?;
    Some((arch, release))
}

/// The first two numbers of a release.
fn version(release: &str) -> String {
    let mut parts = release.split(['.', '-', '+', '~']);
    format!("{}.{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_is_read_from_the_header() {
        let mut image = vec![0; 0x300];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x80_u16.to_le_bytes());
        image[0x280..0x292].copy_from_slice(b"6.1.0-56-cloud (x)");
        assert_eq!(identify(&image), Some((Arch::X86_64, "6.1.0-56-cloud".into())));
        assert_eq!(identify(&image[..0x20f]), None);
        image[0x20e..0x210].fill(0xff);
        assert_eq!(identify(&image), None);
        assert_eq!(identify(b"\x7fELF"), None);
    }

    #[test]
    fn release_of_an_arm_kernel_is_read_from_its_banner() {
        let mut image = vec![0; 0x400];
        image[0x38..0x3c].copy_from_slice(b"ARMd");
        assert_eq!(identify(&image), None);
        image[0x280..0x291].copy_from_slice(b"Linux version %s ");
        image[0x300..0x31d].copy_from_slice(b"Linux version 6.12.9+deb13 (x");
        assert_eq!(identify(&image), Some((Arch::Aarch64, "6.12.9+deb13".into())));
    }

    #[test]
    fn a_name_may_end_with_an_architecture() {
        let own = Arch::own().unwrap();
        assert_eq!(split("6.12").unwrap(), ("6.12", own));
        assert_eq!(split("6.12-arm64").unwrap(), ("6.12", Arch::Aarch64));
        assert_eq!(split("newest-amd64").unwrap(), (NEWEST, Arch::X86_64));
    }

    #[test]
    fn kernels_are_compared_by_number() {
        let is_before = |version: &str| {
            let (release, image) = (String::new(), PathBuf::new());
            let (arch, version) = (Arch::X86_64, version.to_string());
            Kernel { arch, version, release, image, modules: None }.is_before(5, 12)
        };
        assert_eq!(["4.19", "5.4", "5.12", "6.1"].map(is_before), [true, true, false, false]);
    }

    #[test]
    fn version_is_the_first_two_numbers() {
        assert_eq!(version("6.1.0-56-cloud-amd64"), "6.1");
        assert_eq!(version("7.2.13+deb14-cloud-amd64"), "7.2");
        assert_eq!(version("7.3-rc1"), "7.3");
    }
}
