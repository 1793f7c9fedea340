//! What the container tests are told about: the programs under test, and what they need.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::stage::{Stage, Stay};
use super::{distribution, images, layout, tools};
use crate::arch::Arch;
use crate::build;
use crate::failure::Error;
use crate::rootfs;

/// Variables of the caller that the tests see; all others are cleaned away.
const HANDED_ON: &[&str] =
    &["CI", "NO_COLOR", "RUST_BACKTRACE", "RUST_TEST_THREADS", "SUITE_LONG", "TERM"];

/// Where Debian keeps the system's tools, some of which are not on an ordinary user's PATH.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The programs, where they were built or where the caller's environment says.
pub struct Programs {
    pub launcher: Program,
    pub init: Program,
    pub probe: Program,
    pub suite: Program,
    /// The root file system that the environment names.
    pub rootfs: Option<PathBuf>,
}

/// One of them.
pub struct Program {
    pub path: PathBuf,
    is_given: bool,
}

/// The paths a test learns from its environment, and the test program: as they are where it runs.
pub struct Subject {
    pub suite: PathBuf,
    pub launcher: PathBuf,
    pub init: PathBuf,
    /// init for aarch64, where its target is installed.
    pub init_for_arm: Option<PathBuf>,
    pub probe: PathBuf,
    pub rootfs: PathBuf,
    pub tools: PathBuf,
    /// Image files of the root file system.
    pub images: PathBuf,
    /// What was an image of OCI's, unpacked by `cargo xtask rootfs`.
    pub unpacked: PathBuf,
    /// How many times slower than real hardware the machine is.
    pub slowness: u32,
}

impl Programs {
    /// Builds everything that the caller's environment does not name, which is this machine's.
    pub fn build(arch: Arch) -> Result<Programs, Error> {
        let is_own = arch == Arch::own()?;
        let given = |variable| given(variable).filter(|_| is_own);
        let program = |variable, build: fn(Arch) -> Result<PathBuf, Error>| match given(variable) {
            Some(path) => Ok(Program { path, is_given: true }),
            None => Ok(Program { path: build(arch)?, is_given: false }),
        };
        Ok(Programs {
            launcher: program("LAUNCHER", build::launcher_on)?,
            init: program("INIT", build::init_on)?,
            probe: program("PROBE", build::probe)?,
            suite: Program { path: build::suite(arch)?, is_given: false },
            rootfs: given("ROOTFS"),
        })
    }
}

impl Subject {
    /// What the tests on this machine are told: copies of what was built, and what was given.
    pub fn on_stage(programs: &Programs, stage: &Stage) -> Result<Subject, Error> {
        let executable = |name, program: &Program| {
            if program.is_given {
                return Ok(program.path.clone());
            }
            stage.add_executable(name, &program.path)
        };
        let rootfs = match &programs.rootfs {
            Some(path) => path.clone(),
            None => {
                let place = stage.path("rootfs");
                rootfs::complete(&place, None, rootfs::Old::Keep)?;
                place
            }
        };
        let images = stage.make_folder("images")?;
        images::make(&images, &rootfs, &programs.probe.path)?;
        distribution::make(&images)?;
        let unpacked = stage.path("unpacked");
        layout::unpack_one(&unpacked, &rootfs, &programs.probe.path)?;
        Ok(Subject {
            launcher: executable("launcher", &programs.launcher)?,
            init: executable("init", &programs.init)?,
            init_for_arm: build::init_for(build::ARM64)?
                .map(|path| stage.add_executable("init-aarch64", &path))
                .transpose()?,
            probe: executable("probe", &programs.probe)?,
            suite: executable("suite", &programs.suite)?,
            tools: tools::collect(stage)?,
            rootfs,
            images,
            unpacked,
            slowness: 1,
        })
    }

    /// The whole environment of one half of the tests; `path` stands between the tests' own tools
    /// and the system's.
    pub fn environment(&self, stay: &Stay, path: &OsStr) -> Vec<(&'static str, OsString)> {
        let parts = [self.tools.as_os_str(), path, OsStr::new(SYSTEM_PATH)];
        let parts: Vec<&OsStr> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let path = |path: &Path| path.as_os_str().to_os_string();
        let mut environment = vec![
            ("LAUNCHER", path(&self.launcher)),
            ("INIT", path(&self.init)),
            ("PROBE", path(&self.probe)),
            ("ROOTFS", path(&self.rootfs)),
            ("TEST_TOOLS", path(&self.tools)),
            ("TEST_IMAGES", path(&self.images)),
            ("TEST_UNPACKED", path(&self.unpacked)),
            ("SUITE_AS", stay.name.into()),
            ("SUITE_SLOWNESS", self.slowness.to_string().into()),
            ("HOME", path(&stay.home)),
            ("TMPDIR", path(&stay.tmp)),
            ("LANG", "C.UTF-8".into()),
            ("PATH", parts.join(OsStr::new(":"))),
        ];
        environment.extend(self.init_for_arm.iter().map(|path| ("INIT_AARCH64", path.into())));
        let handed_on = HANDED_ON.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        environment.extend(handed_on);
        environment
    }
}

/// A path from the environment, as the caller means it: the tests run in another folder.
fn given(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable).filter(|value| !value.is_empty())?);
    std::path::absolute(&path).ok()
}
