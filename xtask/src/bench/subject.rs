//! What is measured: the programs, where they lie, and the command line of each contender.

use std::fs;
use std::path::{Path, PathBuf};

use super::tiny;
use crate::build;
use crate::failure::{At, Error};
use crate::host::set_mode;
use crate::program;
use crate::test::stage::Stage;
use crate::test::tools;

/// A command line under a name.
pub struct Contender {
    pub name: &'static str,
    pub words: Vec<String>,
}

/// Everything that runs, in a folder that everybody can enter.
pub struct Bench {
    pub folder: PathBuf,
    pub tools: PathBuf,
    pub stopwatch: PathBuf,
    /// Where everybody may write.
    pub traces: PathBuf,
    launcher: PathBuf,
    init: PathBuf,
    floor: PathBuf,
    rootfs: PathBuf,
}

/// What the contenders run inside.
pub const COMMAND: &str = "/bin/stamp";

impl Bench {
    /// Builds and copies it.
    pub fn on_stage(stage: &Stage) -> Result<Bench, Error> {
        let folder = stage.make_folder("bench")?;
        let traces = stage.make_folder("traces")?;
        set_mode(&traces, 0o1777)?;
        let rootfs = stage.make_folder("bench-rootfs")?;
        for name in ["bin", "dev", "etc", "proc", "sys", "tmp", "run"] {
            stage.make_folder(&format!("bench-rootfs/{name}"))?;
        }
        let command = rootfs.join(&COMMAND[1..]);
        fs::write(&command, tiny::stamp()?).at("write", &command)?;
        set_mode(&command, 0o755)?;
        let passwd = rootfs.join("etc/passwd");
        fs::write(&passwd, "root:x:0:0:root:/root:/bin/sh\n").at("write", &passwd)?;
        Ok(Bench {
            launcher: stage.add_executable("launcher", &build::launcher()?)?,
            init: stage.add_executable("init", &build::init()?)?,
            floor: stage.add_executable("floor", &build::of_tests("floor")?)?,
            stopwatch: stage.add_executable("stopwatch", &build::of_tests("stopwatch")?)?,
            tools: tools::collect(stage)?,
            rootfs,
            folder,
            traces,
        })
    }

    /// Those of root's table, the floor first.
    pub fn of_root(&self) -> Vec<Contender> {
        let mut all = vec![
            self.floor(),
            self.launcher("launcher", &[]),
            self.launcher("launcher --seccomp none", &["--seccomp", "none"]),
        ];
        all.extend(self.bwrap());
        all
    }

    /// Those of an ordinary user's.
    pub fn of_user(&self) -> Vec<Contender> {
        let single = ["--userns", "single"];
        let mut all = vec![
            self.floor(),
            self.launcher("launcher --userns single", &single),
            self.launcher(
                "launcher --userns single --seccomp none",
                &[&single[..], &["--seccomp", "none"]].concat(),
            ),
            self.launcher("launcher (newuidmap)", &["--userns", "subid"]),
        ];
        all.extend(self.bwrap());
        all
    }

    fn floor(&self) -> Contender {
        let words = [shown(&self.floor), shown(&self.rootfs), shown(&self.init), COMMAND.into()];
        Contender { name: "floor", words: words.into() }
    }

    fn launcher(&self, name: &'static str, options: &[&str]) -> Contender {
        let mut words = vec![shown(&self.launcher)];
        words.extend(options.iter().map(|word| word.to_string()));
        words.extend([shown(&self.rootfs), COMMAND.into()]);
        Contender { name, words }
    }

    fn bwrap(&self) -> Option<Contender> {
        let bwrap = self.tools.join("bwrap").canonicalize().ok()?;
        let options = "--unshare-all --unshare-user --as-pid-1 --die-with-parent --new-session --proc /proc --dev /dev";
        let mut words = vec![shown(&bwrap), "--bind".into(), shown(&self.rootfs), "/".into()];
        words.extend(options.split(' ').map(str::to_string));
        words.push(COMMAND.into());
        Some(Contender { name: "bwrap", words })
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// As the stopwatch reads it.
pub fn plan(contenders: &[Contender]) -> String {
    contenders.iter().map(|contender| contender.words.join("\n") + "\n\n").collect()
}

/// Whether strace is there to count with.
pub fn has_strace() -> bool {
    program::find("strace").is_some()
}
