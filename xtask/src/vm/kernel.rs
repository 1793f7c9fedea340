//! A kernel to boot: fetched from one of Debian's suites, or a file of the user's.
//!
//! What is fetched stays in the cache folder for some days; Debian's suites move on, and the
//! newest kernel is only that for a while.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::console;
use crate::debian::suite::Suite;
use crate::failure::{At, Error};
use crate::workspace;

/// A kernel image on this machine.
pub struct Kernel {
    /// `6.1`, as the tables show it.
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

/// Depends on today's kernel, and is in every suite: small, and made for virtual machines.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// How long a fetched kernel is good enough.
const FRESH: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Written when a kernel has been fetched: what is unpacked has the times of its making.
const STAMP: &str = "fetched";

/// The kernel line of this name, fetched if need be. A name that is in no table can only be that
/// of the newest one.
pub fn fetched(name: &str) -> Result<Kernel, Error> {
    let is_line = |line: &&Line| line.name == name;
    let suite = LINES.iter().find(is_line).map_or("sid", |line| line.suite);
    let kernel = from_suite(suite)?;
    if name == NEWEST || kernel.version == name {
        return Ok(kernel);
    }
    Err(Error::Misuse(format!(
        "no kernel {name}: Debian {suite} has {}; known are {}, or --kernel FILE",
        kernel.version,
        LINES.iter().map(|line| line.name).collect::<Vec<_>>().join(", ")
    )))
}

/// A kernel image given by its path. Its modules are looked for where they are installed, and
/// beside it.
pub fn at(image: &Path) -> Result<Kernel, Error> {
    let image = std::path::absolute(image).at("read", image)?;
    let bytes = fs::read(&image).at("read", &image)?;
    let Some(release) = release(&bytes) else {
        return Err(Error::Missing {
            what: format!("{} is no kernel image for x86", image.display()),
            advice: "a bzImage or vmlinuz is wanted".into(),
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
    Ok(Kernel { version: version(&release), release, image, modules })
}

fn from_suite(suite: &str) -> Result<Kernel, Error> {
    let folder = workspace::cache().join("kernels").join(suite);
    let root = folder.join("root");
    let cached = find_image(&root);
    let modified = folder.join(STAMP).metadata().and_then(|metadata| metadata.modified());
    let age = SystemTime::now().duration_since(modified.unwrap_or(SystemTime::UNIX_EPOCH));
    if let Some(image) = &cached
        && age.is_ok_and(|age| age < FRESH)
    {
        return at(image);
    }
    match (fetch(suite, &folder), cached) {
        (Ok(image), _) => at(&image),
        (Err(error), Some(image)) => {
            console::progress(&format!("an older kernel of {suite} has to do: {error}"));
            at(&image)
        }
        (Err(error), None) => Err(error),
    }
}

fn fetch(suite: &str, folder: &Path) -> Result<PathBuf, Error> {
    let lists = folder.join("apt");
    let source = Suite::open(suite, &lists)?;
    // From 7.1 on the image and the modules are packages of their own, which it depends on.
    let is_part = |name: &str| name.starts_with("linux-") && name.ends_with("-cloud-amd64");
    let closure = source.closure(META_PACKAGE, is_part)?;
    // Itself it is empty, and on the mirror of an old suite it can be gone before the kernel is.
    let packages = &closure[1..];
    console::progress(&format!("fetching {}", packages.join(", ")));
    let partial = folder.join("partial");
    let bytes = source.fetch(packages, &partial)?;
    let Some(_) = find_image(&partial) else {
        return Err(Error::Missing {
            what: format!("there is no kernel image in {META_PACKAGE} of {suite}"),
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

/// What the header of a bzImage says; Documentation/arch/x86/boot.rst, field kernel_version.
fn release(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let start = usize::from(u16::from_le_bytes(image.get(0x20e..0x210)?.try_into().ok()?)) + 0x200;
    let text = image.get(start..)?.split(|byte| *byte == b' ' || *byte == 0).next()?;
    String::from_utf8(text.to_vec()).ok().filter(|text| !text.is_empty())
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
        assert_eq!(release(&image).as_deref(), Some("6.1.0-56-cloud"));
        assert_eq!(release(&image[..0x20f]), None);
        image[0x20e..0x210].fill(0xff);
        assert_eq!(release(&image), None);
        assert_eq!(release(b"\x7fELF"), None);
    }

    #[test]
    fn kernels_are_compared_by_number() {
        let is_before = |version: &str| {
            let (release, image) = (String::new(), PathBuf::new());
            let version = version.to_string();
            Kernel { version, release, image, modules: None }.is_before(5, 12)
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
