//! One of Debian's suites, whatever the suite of this system: packages by lists of its own.
//!
//! Needs no root and installs nothing. The mirror is the one this system's sources name; apt
//! checks what comes from it against Debian's archive keys, and nobody else's.

use std::fs;
use std::path::{Path, PathBuf};

use super::{apt, of_arch, option, recreate, require_tools, unpack};
use crate::arch::Arch;
use crate::console;
use crate::failure::{At, Error};
use crate::program;

/// Names by which a mirror of Debian itself is known; others are mirrors of something else.
const NAMES: &[&str] = &[
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

/// Debian's package debian-archive-keyring has it by one of these names.
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// A suite whose package lists have been read.
pub struct Suite {
    folder: PathBuf,
    options: Vec<String>,
    /// Why a list could not be read, if so: what is wanted may be in another one.
    complaint: Option<Error>,
}

/// Where Debian's packages come from.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mirrors {
    main: Option<String>,
    security: Option<String>,
}

impl Suite {
    /// Reads the package lists of an architecture into `folder`, which is this suite's alone.
    pub fn open(name: &str, arch: Arch, folder: &Path) -> Result<Suite, Error> {
        require_tools("a kernel")?;
        recreate(folder)?;
        for below in ["lists/partial", "archives/partial"] {
            let below = folder.join(below);
            fs::create_dir_all(&below).at("create", &below)?;
        }
        let sources = folder.join("sources.list");
        fs::write(&sources, sources_list(name)?).at("write", &sources)?;
        let status = folder.join("status");
        fs::write(&status, "").at("write", &status)?;
        let mut options = vec![
            option("Dir::Etc::SourceList", &sources),
            option("Dir::Etc::SourceParts", Path::new("/dev/null")),
            option("Dir::State", folder),
            option("Dir::State::lists", &folder.join("lists")),
            option("Dir::State::status", &status),
            option("Dir::Cache", folder),
            option("Dir::Cache::archives", &folder.join("archives")),
        ];
        options.extend(of_arch(arch));
        // Neither translations nor the descriptions for graphical package managers.
        options.push("Acquire::Languages=none".into());
        options.push("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".into());

        console::progress(&format!("reading the package lists of Debian {name}"));
        let mut update = apt("apt-get", &options);
        update.args(["-o", "APT::Update::Error-Mode=any", "update"]);
        let complaint = program::run_quietly(&mut update).err();
        Ok(Suite { folder: folder.to_path_buf(), options, complaint })
    }

    /// What `package` depends on, and so on, as far as `is_wanted` says; with itself.
    pub fn closure(
        &self,
        package: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, Error> {
        let mut found = vec![package.to_string()];
        let mut at = 0;
        while let Some(package) = found.get(at).cloned() {
            at += 1;
            let mut question = apt("apt-cache", &self.options);
            let answer = program::read(question.args(["depends", "--important", &package]));
            let answer = answer.map_err(|error| self.explain(error))?;
            for name in depends(&String::from_utf8_lossy(&answer)) {
                if is_wanted(&name) && !found.contains(&name) {
                    found.push(name);
                }
            }
        }
        Ok(found)
    }

    /// Fetches packages and unpacks them all into one folder; bytes fetched.
    pub fn fetch(&self, packages: &[String], into: &Path) -> Result<u64, Error> {
        let download = self.folder.join("download");
        recreate(&download)?;
        let mut get = apt("apt-get", &self.options);
        get.current_dir(&download).arg("download").args(packages);
        program::run_quietly(&mut get)?;
        recreate(into)?;
        unpack(&download, into)?;
        let mut bytes = 0;
        for entry in fs::read_dir(&download).at("read", &download)? {
            bytes += entry.and_then(|entry| entry.metadata()).at("read", &download)?.len();
        }
        Ok(bytes)
    }

    /// A package is not there because its list is not: the reason for that is what helps.
    fn explain(&self, error: Error) -> Error {
        match &self.complaint {
            None => error,
            Some(complaint) => Error::Missing {
                what: complaint.to_string(),
                advice: "is the suite still on the mirror that this system uses?".into(),
            },
        }
    }
}

fn sources_list(suite: &str) -> Result<String, Error> {
    let mut question = apt("apt-get", &[]);
    let answer = program::read(question.args(["--print-uris", "update"]))?;
    let Mirrors { main, security } = mirrors(&String::from_utf8_lossy(&answer));
    let keyring = KEYRINGS.iter().find(|path| Path::new(path).is_file());
    let (Some(main), Some(keyring)) = (main, keyring) else {
        return Err(Error::Missing {
            what: "this system has no package source of Debian's, or not Debian's archive keys"
                .into(),
            advice: "name kernels with --kernel FILE".into(),
        });
    };
    let mut list = format!("deb [signed-by={keyring}] {main} {suite} main\n");
    // sid gets its fixes directly.
    if let Some(security) = security.filter(|_| suite != "sid") {
        list += &format!("deb [signed-by={keyring}] {security} {suite}-security main\n");
    }
    Ok(list)
}

/// From lines like `'URI/dists/SUITE/InRelease' FILE SIZE`, which apt prints without asking
/// anybody.
fn mirrors(uris: &str) -> Mirrors {
    let mut found = Mirrors::default();
    for line in uris.lines() {
        let Some(uri) = line.strip_prefix('\'').and_then(|line| line.split('\'').next()) else {
            continue;
        };
        let Some((mirror, rest)) = uri.split_once("/dists/") else { continue };
        let Some(suite) = rest.strip_suffix("/InRelease") else { continue };
        if NAMES.contains(&suite) {
            found.main.get_or_insert_with(|| mirror.to_string());
        } else if suite.strip_suffix("-security").is_some_and(|suite| NAMES.contains(&suite)) {
            found.security.get_or_insert_with(|| mirror.to_string());
        }
    }
    found
}

/// The packages named by `apt-cache depends`; one in angle brackets does not exist.
fn depends(answer: &str) -> Vec<String> {
    let names = answer.lines().filter_map(|line| {
        let (kind, name) = line.trim_start_matches([' ', '|']).split_once(": ")?;
        (matches!(kind, "Depends" | "PreDepends") && !name.starts_with('<')).then_some(name)
    });
    names.map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_those_of_debian() {
        let uris = "'http://other.example/apt/dists/nodistro/InRelease' a 0\n\
            'http://mirror.example/ubuntu/dists/noble-security/InRelease' a 0\n\
            'http://mirror.example/deb/dists/bookworm-updates/InRelease' a 0\n\
            'http://mirror.example/deb/dists/bookworm/InRelease' a 0\n\
            'http://mirror.example/deb/dists/bookworm/main/binary-amd64/Packages.xz' a 0\n\
            'http://mirror.example/sec/dists/bookworm-security/InRelease' a 0\n";
        let expected = Mirrors {
            main: Some("http://mirror.example/deb".into()),
            security: Some("http://mirror.example/sec".into()),
        };
        assert_eq!(mirrors(uris), expected);
        assert_eq!(mirrors("Reading package lists...\n"), Mirrors::default());
    }

    #[test]
    fn dependencies_are_read_with_alternatives_and_without_what_is_virtual() {
        let answer = "linux-image-cloud\n  PreDepends: linux-base\n |Depends: dracut\n  \
            Depends: <linux-initramfs-tool>\n    dracut\n  Depends: linux-modules-7.2\n  \
            Breaks: old\n";
        assert_eq!(depends(answer), ["linux-base", "dracut", "linux-modules-7.2"]);
    }
}
