//! `cargo xtask bench`: how fast and how small, beside the kernel's own floor and other launchers.
//!
//! Run by a developer. All commands of a table run in turn, round by round, so a ratio to the
//! floor in the same round holds on a machine that has other things to do; a time alone does not.
//! What runs inside is a program of two system calls (`bench/tiny.rs`): a busybox would cost more
//! than the container.

mod idle;
mod sample;
mod subject;
mod syscalls;
mod table;
mod tiny;

use std::fs;
use std::path::Path;
use std::process::Command;

use argh::FromArgs;

use crate::console;
use crate::failure::{At, Error};
use crate::program;
use crate::test::stage::Stage;
use crate::test::{ordinary, tools};
use idle::Load;
use sample::Sample;
use subject::{Bench, Contender};
use table::Row;

/// Measure starts beside the floor and other launchers.
#[derive(FromArgs)]
#[argh(subcommand, name = "bench")]
pub struct BenchTask {
    /// how often each command runs (default: 200)
    #[argh(option, default = "200")]
    rounds: u32,
}

impl BenchTask {
    /// Runs the task.
    pub fn run(self) -> Result<(), Error> {
        let stage = Stage::open()?;
        let bench = Bench::on_stage(&stage)?;
        let before = Load::measure()?;
        if stage.is_root() {
            self.show("as root", &bench, &bench.of_root(), None)?;
            let etc = stage.make_folder("etc")?;
            self.show("as a user", &bench, &bench.of_user(), Some(&etc))?;
        } else {
            self.show("as a user", &bench, &bench.of_user(), None)?;
        }
        let after = Load::measure()?;
        console::print(&format!("machine: {before} before, {after} after"))
    }

    /// One table: contenders that run in turn, the first of which is the floor.
    fn show(
        &self,
        who: &str,
        bench: &Bench,
        contenders: &[Contender],
        etc: Option<&Path>,
    ) -> Result<(), Error> {
        let become_runner = |program: &Path| match etc {
            Some(etc) => ordinary::become_tester(etc, &bench.tools.join("setpriv"), program),
            None => Command::new(program),
        };
        let plan = bench.folder.join("plan");
        fs::write(&plan, subject::plan(contenders)).at("write", &plan)?;
        console::progress(&format!("{} rounds {who}", self.rounds));
        let mut stopwatch = become_runner(&bench.stopwatch);
        stopwatch.arg(self.rounds.to_string()).arg(&plan);
        let text = program::read(stopwatch.env("PATH", tools::path(&bench.tools)))?;
        let samples = Sample::parse(&String::from_utf8_lossy(&text), contenders.len())?;
        let mut rows = Vec::new();
        for (contender, runs) in contenders.iter().zip(&samples) {
            let mut strace = become_runner(Path::new("strace"));
            strace.env("PATH", tools::path(&bench.tools));
            let calls = syscalls::count(strace, &bench.traces, contender)?;
            rows.push(Row::new(contender, runs, &samples[0], calls));
        }
        console::print(&table::show(who, &rows))
    }
}
