//! A run of the launcher, put together word by word.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::subject;
use crate::sys::before::{self, Before};

/// A program under test, its words and its surroundings.
#[must_use]
pub struct Launch {
    program: PathBuf,
    options: Vec<OsString>,
    rootfs: Place,
    command: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    before: Vec<Before>,
    stdin: Stdio,
    directory: Option<PathBuf>,
    /// What a shell does first; then it executes the program.
    script: Option<&'static str>,
}

enum Place {
    /// None is on the command line.
    None,
    /// Made for this run.
    Own(Rootfs),
    Path(PathBuf),
}

impl Launch {
    /// The launcher on a new root file system.
    pub fn new() -> Launch {
        Launch::at(Place::Own(Rootfs::new()))
    }

    /// The launcher on this root file system.
    pub fn on(rootfs: &Rootfs) -> Launch {
        Launch::at(Place::Path(rootfs.path().into()))
    }

    /// The launcher on the root file system at this path.
    pub fn on_path(path: impl Into<PathBuf>) -> Launch {
        Launch::at(Place::Path(path.into()))
    }

    /// The launcher with options alone.
    pub fn bare() -> Launch {
        Launch::at(Place::None)
    }

    /// init on its own, and what it is to run.
    pub fn init<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Launch {
        Launch { program: subject::init(), ..Launch::bare() }.command(words)
    }

    fn at(rootfs: Place) -> Launch {
        Launch {
            program: subject::launcher(),
            options: Vec::new(),
            rootfs,
            command: Vec::new(),
            environment: Vec::new(),
            before: Vec::new(),
            stdin: Stdio::null(),
            directory: None,
            script: None,
        }
    }

    /// Another launcher's file.
    pub fn program(mut self, path: impl Into<PathBuf>) -> Launch {
        self.program = path.into();
        self
    }

    /// An option, or its value.
    pub fn option(mut self, word: impl Into<OsString>) -> Launch {
        self.options.push(word.into());
        self
    }

    /// The value of the option before.
    pub fn arg(self, word: impl Into<OsString>) -> Launch {
        self.option(word)
    }

    /// The command and its arguments.
    pub fn command<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Launch {
        self.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// The probe as the command, with words that are separated by blanks.
    pub fn probe(self, words: &str) -> Launch {
        let all = [&["/probe"], words.split_whitespace().collect::<Vec<_>>().as_slice()].concat();
        self.command(all)
    }

    /// A variable of the launcher's own environment, which is else empty but for PATH.
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Launch {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A change to the launcher's process before it is executed.
    pub fn before(mut self, change: Before) -> Launch {
        self.before.push(change);
        self
    }

    /// The launcher finds this open under that number.
    pub fn descriptor(self, fd: impl Into<OwnedFd>, number: i32) -> Launch {
        self.before(Before::descriptor(&fd.into(), number).unwrap())
    }

    /// Standard input, which is else /dev/null.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Launch {
        self.stdin = stdin.into();
        self
    }

    /// Where the launcher is started.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Launch {
        self.directory = Some(path.into());
        self
    }

    /// Has a shell run a script to which the program and its words are arguments.
    pub fn through_shell(mut self, script: &'static str) -> Launch {
        self.script = Some(script);
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Output {
        self.start().finish()
    }

    /// Starts it, with its output captured.
    #[track_caller]
    pub fn start(self) -> Running {
        let (mut command, shown, rootfs) = self.build();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(command, shown, rootfs)
    }

    /// Starts it on a terminal: standard input, output and error.
    #[track_caller]
    pub fn start_on(self, terminal: &OwnedFd) -> Running {
        let same = || Stdio::from(terminal.try_clone().unwrap());
        let (mut command, shown, rootfs) = self.stdin(same()).before(Before::TakeTerminal).build();
        command.stdout(same()).stderr(same());
        Running::start(command, shown, rootfs)
    }

    fn build(self) -> (Command, String, Option<Rootfs>) {
        let mut command = match self.script {
            None => Command::new(&self.program),
            Some(script) => {
                let mut shell = Command::new(subject::rootfs().join("bin/busybox"));
                shell.args(["sh", "-c", script, "sh"]).arg(&self.program);
                shell
            }
        };
        command.args(&self.options);
        let rootfs = match self.rootfs {
            Place::None => None,
            Place::Path(path) => {
                command.arg(path);
                None
            }
            Place::Own(rootfs) => {
                command.arg(rootfs.path());
                Some(rootfs)
            }
        };
        command.args(&self.command).stdin(self.stdin);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment);
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        let words = command.get_args().map(OsStr::to_string_lossy);
        let shown = [self.program.to_string_lossy()].into_iter().chain(words);
        let shown = shown.collect::<Vec<_>>().join(" ");
        before::arrange(&mut command, self.before);
        (command, shown, rootfs)
    }
}
