//! What the container tests are told about: the programs under test, and what they need.

use std::ffi::OsString;
use std::path::PathBuf;

use super::stage::{Stage, Stay};
use super::tools;
use crate::build;
use crate::failure::Error;
use crate::rootfs;

/// Variables of the caller that the tests see; all others are cleaned away.
const HANDED_ON: &[&str] = &["CI", "NO_COLOR", "RUST_BACKTRACE", "RUST_TEST_THREADS", "TERM"];

/// Where Debian keeps the system's tools, some of which are not on an ordinary user's PATH.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The paths a test learns from its environment, and the test program.
pub struct Subject {
    pub suite: PathBuf,
    launcher: PathBuf,
    init: PathBuf,
    init_for_arm: Option<PathBuf>,
    probe: PathBuf,
    rootfs: PathBuf,
    tools: PathBuf,
}

impl Subject {
    /// Builds and copies everything that the caller's environment does not name.
    pub fn prepare(stage: &Stage) -> Result<Subject, Error> {
        let executable =
            |variable, name, build: fn() -> Result<PathBuf, Error>| match given(variable) {
                Some(path) => Ok(path),
                None => stage.add_executable(name, &build()?),
            };
        let rootfs = match given("ROOTFS") {
            Some(path) => path,
            None => {
                let place = stage.path("rootfs");
                rootfs::complete(&place, None, rootfs::Old::Keep)?;
                place
            }
        };
        Ok(Subject {
            launcher: executable("LAUNCHER", "launcher", build::launcher)?,
            init: executable("INIT", "init", build::init)?,
            init_for_arm: build::init_for_arm()?
                .map(|path| stage.add_executable("init-aarch64", &path))
                .transpose()?,
            probe: executable("PROBE", "probe", build::probe)?,
            suite: stage.add_executable("suite", &build::suite()?)?,
            tools: tools::collect(stage)?,
            rootfs,
        })
    }

    /// The whole environment of one half of the tests.
    pub fn environment(&self, stay: &Stay) -> Vec<(&'static str, OsString)> {
        let mut path = OsString::from(&self.tools);
        for part in [std::env::var_os("PATH").unwrap_or_default(), SYSTEM_PATH.into()] {
            path.push(":");
            path.push(part);
        }
        let mut environment = vec![
            ("LAUNCHER", self.launcher.clone().into()),
            ("INIT", self.init.clone().into()),
            ("PROBE", self.probe.clone().into()),
            ("ROOTFS", self.rootfs.clone().into()),
            ("TEST_TOOLS", self.tools.clone().into()),
            ("SUITE_AS", stay.name.into()),
            ("HOME", stay.home.clone().into()),
            ("TMPDIR", stay.tmp.clone().into()),
            ("LANG", "C.UTF-8".into()),
            ("PATH", path),
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
