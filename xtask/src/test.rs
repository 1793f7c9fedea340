//! `cargo xtask test`: everything this workspace can check about itself.
//!
//! Run by a developer and by CI. House rules first, then unit tests, then the container tests on
//! this machine: as root and as an ordinary user where we are root, else as the caller alone.

mod ordinary;
mod stage;
mod subject;
mod tally;
mod tools;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use argh::FromArgs;

use crate::build;
use crate::console;
use crate::failure::Error;
use crate::tidy;
use crate::workspace;
use stage::{Stage, Stay};
use subject::Subject;
use tally::Row;

/// Run all tests. Words after `--` go to the test programs: filters, and options such as
/// `--test-threads=1`. LAUNCHER, INIT, PROBE and ROOTFS in the environment replace what would be
/// built.
#[derive(FromArgs)]
#[argh(subcommand, name = "test")]
pub struct Test {
    /// only the container tests on this machine
    #[argh(switch)]
    host: bool,
}

impl Test {
    /// Runs the task.
    pub fn run(self, words: &[OsString]) -> Result<(), Error> {
        let mut rows = Vec::new();
        if !self.host {
            tidy::check_sources()?;
            rows.push(run_unit_tests(words)?);
        }
        let stage = Stage::open()?;
        let subject = Subject::prepare(&stage)?;
        if !self.host {
            tidy::check_binaries()?;
        }
        rows.extend(run_suite(&stage, &subject, words)?);
        tally::print(&rows)?;
        tally::verdict(&rows, workspace::is_ci(), words.is_empty())
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

fn run_suite(stage: &Stage, subject: &Subject, words: &[OsString]) -> Result<Vec<Row>, Error> {
    if !stage.is_root() {
        console::progress(
            "not root, so the root half is left out; to run it: sudo -E env \"PATH=$PATH\" \
             CARGO_TARGET_DIR=/var/tmp/xtask-root cargo xtask test --host",
        );
        let stay = stage.make_stay("user", None)?;
        return Ok(vec![tally::run("user", &mut suite(subject, &stay, None, words))?]);
    }
    let root = stage.make_stay("root", None)?;
    let user = stage.make_stay("user", Some(ordinary::UID))?;
    let etc = stage.make_folder("etc")?;
    Ok(vec![
        tally::run("root", &mut suite(subject, &root, None, words))?,
        tally::run("user", &mut suite(subject, &user, Some(&etc), words))?,
    ])
}

/// The suite with a clean environment; with `etc`, as the ordinary user whose /etc is made there.
fn suite(subject: &Subject, stay: &Stay, etc: Option<&Path>, words: &[OsString]) -> Command {
    let mut command = match etc {
        Some(etc) => ordinary::become_tester(etc, &subject.suite),
        None => Command::new(&subject.suite),
    };
    console::progress(&format!("running the container tests as {}", stay.name));
    // Captured output of passed tests is shown, for the SKIP lines in it.
    command.arg("--show-output").args(words);
    command.stdin(Stdio::null()).current_dir(&stay.home).env_clear();
    command.envs(subject.environment(stay));
    command
}
