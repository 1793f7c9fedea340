//! An init under test: ours, under one of its names, or one of those whose place it takes.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::pace::patience;
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::subject;
use crate::sys::before::{self, Before};

/// A program, called by a name.
pub struct Init {
    program: PathBuf,
    pub name: &'static str,
    /// Words that it needs to do what ours does by itself.
    options: &'static [&'static str],
    pub is_ours: bool,
    /// Holds the link that gives ours its name, or its root.
    folder: Option<Rootfs>,
}

/// The names that ours answers to.
pub const NAMES: [&str; 5] = ["init", "tini", "docker-init", "dumb-init", "catatonit"];

/// The programs whose place it takes.
pub const PEERS: [&str; 3] = ["tini", "dumb-init", "catatonit"];

/// Ours, called by this name.
pub fn ours(name: &'static str) -> Init {
    let folder = Rootfs::new();
    let program = folder.inside(name);
    symlink(subject::init(), &program).unwrap();
    Init { program, name, options: &[], is_ours: true, folder: Some(folder) }
}

/// Ours, as `/init` of this root file system, for [`Init::run_in_root`].
pub fn inside(root: Rootfs) -> Init {
    root.add_program("init", &subject::init());
    Init { program: "/init".into(), name: "init", options: &[], is_ours: true, folder: Some(root) }
}

/// Ours for 64-bit ARM, by an emulator of user space, where both are there.
pub fn for_arm() -> Option<Init> {
    let other = std::env::var_os("INIT_AARCH64")?.into_string().ok()?;
    let program = subject::tool("qemu-aarch64-static")?;
    let options = vec![&*other.leak()].leak();
    Some(Init { program, name: "init", options, is_ours: true, folder: None })
}

/// A peer, if it is installed.
pub fn peer(name: &'static str) -> Option<Init> {
    // Not PID 1, tini is no subreaper unless told so; twice is once.
    let options: &[&str] = if name == "tini" { &["-s"] } else { &[] };
    let program = subject::tool(name)?;
    Some(Init { program, name, options, is_ours: false, folder: None })
}

/// A run, put together word by word.
pub struct Run {
    command: Command,
    before: Vec<Before>,
    shown: String,
}

impl Init {
    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.program
    }

    /// What starts it, as a shell takes it.
    pub fn words(&self) -> String {
        let words = [self.program.to_str().unwrap()].into_iter();
        words.chain(self.options.iter().copied()).collect::<Vec<_>>().join(" ")
    }

    /// It, with these words for itself, and the probe with words that are separated by blanks.
    pub fn probe(&self, words: &str) -> Run {
        let probe = subject::probe().to_string_lossy().into_owned();
        let words = [probe.as_str(), words].join(" ");
        self.run(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// As PID 1 in its own root file system, which is read-only.
    pub fn run_in_root(&self, words: &[&str]) -> Run {
        let root = self.folder.as_ref().unwrap().path();
        self.run(words).pid_one().before(Before::root(root).unwrap())
    }

    /// It, with these words after its own.
    pub fn run(&self, words: &[&str]) -> Run {
        let mut command = Command::new(&self.program);
        command.args(self.options).args(words).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let shown = format!("{} {}", self.program.display(), words.join(" "));
        Run { command, before: Vec::new(), shown }
    }
}

impl Run {
    pub fn before(mut self, change: Before) -> Run {
        self.before.push(change);
        self
    }

    /// As PID 1 of a pid namespace.
    pub fn pid_one(self) -> Run {
        self.before(Before::PidOne)
    }

    pub fn variable(mut self, name: &str, value: &str) -> Run {
        self.command.env(name, value);
        self
    }

    /// On a terminal, whose session it leads.
    pub fn on(mut self, terminal: &std::os::fd::OwnedFd) -> Run {
        let same = || Stdio::from(terminal.try_clone().unwrap());
        self.command.stdin(same()).stdout(same()).stderr(same());
        self.before(Before::TakeTerminal)
    }

    /// Starts it, with its output captured.
    #[track_caller]
    pub fn start(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.start_as_is()
    }

    /// Starts it with the standard descriptors it has.
    #[track_caller]
    pub fn start_as_is(mut self) -> Running {
        before::arrange(&mut self.command, self.before);
        Running::start(self.command, self.shown, None)
    }

    /// Its exit code, however it comes about; what it prints is nobody's. None if it was ended by
    /// a signal, or does not end.
    #[track_caller]
    pub fn code(mut self) -> Option<i32> {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = self.start_as_is();
        let deadline = Instant::now() + patience(Duration::from_secs(5));
        while Instant::now() < deadline {
            if let Some(status) = running.try_wait() {
                return status.code();
            }
            thread::sleep(Duration::from_micros(300));
        }
        None
    }
}
