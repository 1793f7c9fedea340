//! `cargo xtask test`: everything this workspace can check about itself.
//!
//! Run by a developer and by CI. House rules first, then unit tests, then the container tests: on
//! this machine, as root and as an ordinary user where we are root, else as the caller alone; and
//! in virtual machines with the kernels we promise, always as both.

mod attacks;
mod boots;
mod candidates;
mod distribution;
mod escapes;
mod guest;
mod images;
mod jobs;
#[cfg(target_os = "linux")]
pub mod layout;
#[cfg(not(target_os = "linux"))]
mod layout {
    use std::path::Path;

    use crate::failure::Error;

    /// The suite, which wants it, is a program of Linux's.
    pub fn unpack_one(_: &Path, _: &Path, _: &Path) -> Result<(), Error> {
        Ok(())
    }
}
mod log;
pub mod ordinary;
mod session;
pub mod stage;
mod subject;
mod tally;
pub mod tools;
mod verdict;
mod vm;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use argh::FromArgs;

use crate::arch::Arch;
use crate::build;
use crate::console;
use crate::failure::Error;
use crate::tidy;
use crate::vm::kernel::{self, NEWEST};
use crate::vm::qemu;
use crate::workspace;
use session::Root;
use stage::{Stage, Stay};
use subject::{Programs, Subject};
use tally::Row;

/// Run all tests. Words after `--` go to the test programs: filters, and options such as
/// `--test-threads=1`. LAUNCHER, INIT, PROBE and ROOTFS in the environment replace what would be
/// built. Exit code 3: a virtual machine gave no verdict.
#[derive(FromArgs)]
#[argh(subcommand, name = "test")]
pub struct Test {
    /// only the container tests on this machine
    #[argh(switch)]
    host: bool,

    /// only the container tests in virtual machines, with each kernel as root and as a user
    #[argh(switch)]
    vm: bool,

    /// kernels to boot, fetched from Debian: 5.10, 6.1, 6.12, newest, and for aarch64 with -arm64
    /// behind it (default: 6.1,6.12-arm64,newest)
    #[argh(option, arg_name = "list")]
    kernels: Option<String>,

    /// another kernel to boot: a bzImage, an Image of arm64, or a vmlinuz
    #[argh(option, arg_name = "file")]
    kernel: Option<PathBuf>,

    /// root file system of the virtual machines: tmpfs or initramfs (default: half the suite on each)
    #[argh(option, arg_name = "kind")]
    root: Option<Root>,

    /// show what the virtual machines print
    #[argh(switch)]
    verbose: bool,
}

/// Which machines are wanted.
struct Wish {
    kernels: Vec<String>,
    file: Option<PathBuf>,
    root: Option<Root>,
    /// Each kernel runs the suite as root and as the user.
    both_halves: bool,
    verbose: bool,
}

/// As many as a quarter of an hour has room for. 5.10, and 6.12 on x86_64, which lies between two of
/// these, are tested only when asked for.
const KERNELS: &[&str] = &["6.1", "6.12-arm64", NEWEST];

impl Test {
    /// Runs the task.
    pub fn run(self, words: &[OsString]) -> Result<(), Error> {
        let is_everything = !self.host && !self.vm;
        if !self.host {
            // Not after minutes.
            require_x86()?;
            for name in self.kernel_names() {
                qemu::find_or_install(kernel::split(&name)?.1)?;
            }
        }
        let mut rows = Vec::new();
        if is_everything {
            tidy::check_sources()?;
            rows.push(run_unit_tests(words)?);
        }
        let programs = Programs::build(Arch::own()?)?;
        if is_everything {
            for target in build::OTHER_TARGETS {
                build::init_for(target)?;
            }
            tidy::check_binaries()?;
        }
        if is_everything || self.host {
            rows.extend(run_suite(&programs, words)?);
        }
        let machines = match self.host {
            false => vm::run(&self.wish(), &programs, words)?,
            true => vm::Outcome::default(),
        };
        rows.extend(machines.rows);
        attacks::write(&rows)?;
        tally::print_slowest(&mut rows)?;
        tally::print(&rows)?;
        tally::print_disturbed(&rows);
        for remark in machines.remarks {
            console::progress(&format!("ATTENTION: {remark}"));
        }
        conclude(&rows, words.is_empty(), &machines.silent)
    }

    fn kernel_names(&self) -> Vec<String> {
        match (&self.kernels, &self.kernel) {
            (Some(list), _) => list.split(',').map(str::to_string).collect(),
            (None, Some(_)) => Vec::new(),
            (None, None) => KERNELS.iter().map(|name| name.to_string()).collect(),
        }
    }

    fn wish(self) -> Wish {
        let kernels = self.kernel_names();
        let Test { vm: both_halves, kernel: file, root, verbose, .. } = self;
        Wish { kernels, file, root, both_halves, verbose }
    }
}

/// The machines get programs of this one's: busybox, and Debian's tools.
fn require_x86() -> Result<(), Error> {
    if std::env::consts::ARCH == "x86_64" {
        return Ok(());
    }
    Err(Error::Missing {
        what: "the tests' virtual machines are made on x86_64 alone so far".into(),
        advice: "use --host".into(),
    })
}

/// A failed test comes before a machine that gave no verdict; remarks alone are no failure.
fn conclude(rows: &[Row], whole: bool, silent: &[String]) -> Result<(), Error> {
    tally::verdict(rows, whole)?;
    match silent {
        [] => Ok(()),
        silent => Err(Error::NoVerdict(silent.join("\nxtask: "))),
    }
}

/// init's bin has no tests and does not link without its own flags: cargo leaves it out here,
/// because no integration test of that package asks for it.
fn run_unit_tests(words: &[OsString]) -> Result<Row, Error> {
    console::progress("running the unit tests");
    let mut cargo = build::cargo();
    cargo.args(["test", "--quiet", "-p", "init", "-p", "launcher", "-p", "xtask"]);
    cargo.arg("--target-dir").arg(workspace::target_dir());
    tally::run("unit", cargo.arg("--").args(words))
}

fn run_suite(programs: &Programs, words: &[OsString]) -> Result<Vec<Row>, Error> {
    let stage = Stage::open()?;
    let subject = Subject::on_stage(programs, &stage)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let run = |stay: &Stay, whom: Whom<'_>| {
        console::progress(&format!("running the container tests as {}", stay.name));
        tally::run(stay.name, &mut suite(&subject, stay, whom, &path, words))
    };
    if !stage.is_root() {
        console::progress(
            "not root, so the root half is left out; to run it: sudo -E env \"PATH=$PATH\" \
             CARGO_TARGET_DIR=/var/tmp/xtask-root cargo xtask test --host",
        );
        return Ok(vec![run(&stage.make_stay("user", None)?, Whom::Caller)?]);
    }
    let root = stage.make_stay("root", None)?;
    let user = stage.make_stay("user", Some(ordinary::UID))?;
    let etc = stage.make_folder("etc")?;
    Ok(vec![run(&root, Whom::Root)?, run(&user, Whom::Tester(&etc))?])
}

/// Who runs the suite.
#[derive(Clone, Copy)]
enum Whom<'a> {
    /// Whoever we are.
    Caller,
    /// Root, in a mount namespace where nobody else mounts: no test leaves a mount in it.
    Root,
    /// The ordinary user whose /etc is made there.
    Tester(&'a Path),
}

/// Runs the suite, and what fails of it again.
const AGAIN: &str = include_str!("test/again.sh");

/// The suite with a clean environment. All paths are those of the machine it runs on.
fn suite(
    subject: &Subject,
    stay: &Stay,
    whom: Whom<'_>,
    path: &OsStr,
    words: &[OsString],
) -> Command {
    let mut command = match whom {
        Whom::Caller => Command::new("sh"),
        Whom::Root => {
            let mut unshare = Command::new("unshare");
            unshare.args(["--mount", "--propagation", "private", "--", "sh"]);
            unshare
        }
        Whom::Tester(etc) => {
            ordinary::become_tester(etc, &subject.tools.join("setpriv"), Path::new("sh"))
        }
    };
    command.args(["-c", AGAIN, "sh"]).arg(&subject.suite);
    // Captured output of passed tests is shown, for the SKIP lines in it. libtest tells the time
    // of each test only where it takes itself for that of a nightly compiler.
    command.args(["--show-output", "-Zunstable-options", "--report-time"]).args(words);
    command.stdin(Stdio::null()).current_dir(&stay.home).env_clear();
    command.env("RUSTC_BOOTSTRAP", "1").envs(subject.environment(stay, path));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &str) -> Row {
        let row = Row::of("6.1 root", &[line]);
        Row { success: row.tally.all_passed(), ..row }
    }

    #[test]
    fn failed_test_and_silent_machine_have_exit_codes_of_their_own() {
        let passed = row("test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured");
        let failed = row("test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured");
        let silent = ["6.12: panic while it booted".to_string()];
        let code = |rows: &[Row], silent: &[String]| {
            conclude(rows, true, silent).map_or_else(|error| error.exit_code(), |()| 0)
        };
        assert_eq!(code(&[passed], &[]), 0);
        let passed = row("test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured");
        assert_eq!(code(&[passed], &silent), 3);
        assert_eq!(code(&[failed], &silent), 1);
    }
}
