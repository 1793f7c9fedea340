//! What is measured, in a folder that everybody can enter, and who runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::bundle;
use super::contender::{Contender, LAUNCHER};
use super::tiny;
use crate::build;
use crate::debian;
use crate::failure::{At, Error};
use crate::host::{change_owner, ids, set_mode, symlink};
use crate::program;
use crate::test::stage::Stage;
use crate::test::{ordinary, tools};

/// Who starts the containers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Root,
    User,
}

impl Who {
    /// For the name of a table.
    pub fn words(self) -> &'static str {
        match self {
            Who::Root => "as root",
            Who::User => "as a user",
        }
    }
}

/// What runs inside: a program that says when it was reached, one that stays, too, or one that makes
/// work for PID 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    Stamp,
    Hold,
    Toil,
}

impl Inside {
    pub fn path(self) -> &'static str {
        match self {
            Inside::Stamp => "/bin/stamp",
            Inside::Hold => "/bin/hold",
            Inside::Toil => "/bin/toil",
        }
    }
}

/// Everything that runs.
pub struct Bench {
    /// Ours, for the plans of what is to be run.
    pub folder: PathBuf,
    /// Where everybody may write.
    pub traces: PathBuf,
    pub stopwatch: PathBuf,
    pub crowd: PathBuf,
    pub steps: PathBuf,
    pub launcher: PathBuf,
    pub init: PathBuf,
    floor: PathBuf,
    /// What the launcher has its commands' system calls filtered by.
    filter: PathBuf,
    /// An empty folder.
    mounts: PathBuf,
    rootfs: PathBuf,
    /// Of each who can be.
    homes: Vec<(Who, PathBuf)>,
    tools: PathBuf,
    /// For the user's copy of /etc, if we are root.
    etc: Option<PathBuf>,
}

impl Bench {
    /// Builds and copies it. LAUNCHER and INIT in the environment replace what would be built.
    pub fn on_stage(stage: &Stage) -> Result<Bench, Error> {
        let given = |name: &str, build: fn() -> Result<PathBuf, Error>| {
            std::env::var_os(name).map_or_else(build, |path| Ok(path.into()))
        };
        let traces = stage.make_folder("traces")?;
        set_mode(&traces, 0o1777)?;
        let mut homes = Vec::new();
        if stage.is_root() {
            homes.push((Who::Root, stage.make_stay("root", None)?.home));
        }
        let owner = stage.is_root().then_some(ordinary::UID);
        homes.push((Who::User, stage.make_stay("user", owner)?.home));
        let bench = Bench {
            launcher: stage.add_executable("launcher", &given("LAUNCHER", build::launcher)?)?,
            init: stage.add_executable("init", &given("INIT", build::init)?)?,
            floor: stage.add_executable("floor", &build::of_tests("floor")?)?,
            stopwatch: stage.add_executable("stopwatch", &build::of_tests("stopwatch")?)?,
            crowd: stage.add_executable("crowd", &build::of_tests("crowd")?)?,
            steps: stage.add_executable("steps", &build::of_tests("steps")?)?,
            tools: tools::collect(stage)?,
            filter: traces.join("filter"),
            folder: stage.make_folder("bench")?,
            mounts: stage.make_folder("mounts")?,
            etc: stage.is_root().then(|| stage.make_folder("etc")).transpose()?,
            rootfs: make_rootfs(stage)?,
            traces,
            homes,
        };
        if program::find("tini-static").is_none()
            && let Ok(unpacked) = debian::unpacked("tini")
        {
            let place = bench.tools.join("tini-static");
            symlink(unpacked.join("usr/bin/tini-static"), &place).at("create", &place)?;
        }
        stage.add_executable("bench-rootfs/bin/toil", &build::of_tests("toil")?)?;
        bench.make_bundles()?;
        bench.take_filter()?;
        Ok(bench)
    }

    /// Root, if we are that, and a user.
    pub fn everybody(&self) -> impl Iterator<Item = Who> {
        self.homes.iter().map(|(who, _)| *who)
    }

    pub fn is_root(&self) -> bool {
        self.everybody().any(|who| who == Who::Root)
    }

    /// A command that runs as them; arguments added to it are the program's.
    pub fn runner(&self, who: Who, program: &Path) -> Command {
        let mut command = match &self.etc {
            Some(etc) if who == Who::User => {
                ordinary::become_tester(etc, &self.tools.join("setpriv"), program)
            }
            _ => Command::new(program),
        };
        let home = self.home(who);
        command.env("PATH", tools::path(&self.tools));
        command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env("TMPDIR", home.join("tmp"));
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        command
    }

    /// The command, in a mount namespace with so many mounts more. For root only.
    pub fn beside_mounts(&self, count: u32, command: &Command) -> Command {
        let mut crowd = Command::new(&self.crowd);
        crowd.arg("mounts").arg(count.to_string()).arg(&self.mounts);
        crowd.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => crowd.env(name, value),
                None => crowd.env_remove(name),
            };
        }
        crowd
    }

    /// The program that a word of a command line names, links followed.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let tool = self.tools.join(name).canonicalize().ok();
        tool.or_else(|| program::find(name)?.canonicalize().ok())
    }

    /// The command line, if they can run it and it is there.
    pub fn line(&self, who: Who, of: &Contender, inside: Inside) -> Option<Vec<String>> {
        let line = of.line(who)?;
        let home = self.home(who);
        let places = [
            ("ROOTFS", &self.rootfs),
            ("LAUNCHER", &self.launcher),
            ("INIT", &self.init),
            ("FLOOR", &self.floor),
            ("FILTER", &self.filter),
            ("BUNDLE", &home.join(bundle_name(inside))),
            ("STATE", &home.join("state")),
        ];
        let host_command = self.rootfs.join(&inside.path()[1..]);
        let mut words = line.split_whitespace().map(|word| {
            let word = word.replace("HOSTCOMMAND", &host_command.to_string_lossy());
            let word = word.replace("COMMAND", inside.path());
            places
                .iter()
                .fold(word, |word, (name, path)| word.replace(name, &path.to_string_lossy()))
        });
        let first = words.next()?;
        let first = match of.programs {
            [] => first,
            _ => self.find(&first)?.to_string_lossy().into_owned(),
        };
        Some(std::iter::once(first).chain(words).collect())
    }

    /// Copies the filter that a running launcher holds.
    fn take_filter(&self) -> Result<(), Error> {
        let Some(line) = self.everybody().find_map(|who| self.line(who, &LAUNCHER, Inside::Hold))
        else {
            return Ok(());
        };
        // It stays for as long as its input does.
        let mut launcher = Command::new(&line[0]);
        launcher.args(&line[1..]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut launcher = launcher.spawn().at("run", &self.launcher)?;
        let filter = held_filter(launcher.id());
        launcher.kill().and_then(|()| launcher.wait()).at("end", &self.launcher)?;
        match filter {
            Some(bytes) => fs::write(&self.filter, bytes).at("write", &self.filter),
            None => Err(Error::Verdict(format!("{} shows no filter", line.join(" ")))),
        }
    }

    fn home(&self, who: Who) -> &Path {
        let home = self.homes.iter().find(|(owner, _)| *owner == who);
        home.map_or(&self.folder, |(_, home)| home)
    }

    fn make_bundles(&self) -> Result<(), Error> {
        for (who, home) in &self.homes {
            let map = match who {
                Who::Root => (524_288, 65_536),
                Who::User if self.etc.is_some() => (ordinary::UID, 1),
                Who::User => (ids()?.0, 1),
            };
            for inside in [Inside::Stamp, Inside::Hold] {
                let folder = home.join(bundle_name(inside));
                fs::create_dir(&folder).at("create", &folder)?;
                let config = bundle::config(&self.rootfs, inside.path(), map);
                let path = folder.join("config.json");
                fs::write(&path, config.to_string()).at("write", &path)?;
            }
            let state = home.join("state");
            fs::create_dir(&state).at("create", &state)?;
            if *who == Who::User && self.etc.is_some() {
                let owner = Some(ordinary::UID);
                change_owner(&state, owner, owner).at("give away", &state)?;
            }
        }
        Ok(())
    }
}

/// The memory file that it is in, once it has been written.
fn held_filter(pid: u32) -> Option<Vec<u8>> {
    let look = || {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let is_it = |path: &PathBuf| {
            fs::read_link(path)
                .is_ok_and(|name| name.to_string_lossy().starts_with("/memfd:seccomp"))
        };
        let bytes =
            open.map(|entry| entry.path()).find(is_it).and_then(|path| fs::read(path).ok())?;
        (!bytes.is_empty()).then_some(bytes)
    };
    (0..500).find_map(|_| {
        thread::sleep(Duration::from_millis(10));
        look()
    })
}

fn bundle_name(inside: Inside) -> String {
    format!("bundle-{}", &inside.path()["/bin/".len()..])
}

fn make_rootfs(stage: &Stage) -> Result<PathBuf, Error> {
    let rootfs = stage.make_folder("bench-rootfs")?;
    for name in ["bin", "dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp", "usr", "var"] {
        stage.make_folder(&format!("bench-rootfs/{name}"))?;
    }
    let programs = [(Inside::Stamp, tiny::stamp()?), (Inside::Hold, tiny::hold()?)];
    for (inside, program) in programs {
        let path = rootfs.join(&inside.path()[1..]);
        fs::write(&path, program).at("write", &path)?;
        set_mode(&path, 0o755)?;
    }
    // The last ones are for podman, which mounts on them and in a user's name cannot make them.
    let files = [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/os-release", "ID=none\n"),
        ("etc/hostname", ""),
        ("etc/hosts", ""),
        ("etc/resolv.conf", ""),
        ("run/.containerenv", ""),
    ];
    for (name, text) in files {
        let path = rootfs.join(name);
        fs::write(&path, text).at("write", &path)?;
    }
    Ok(rootfs)
}
