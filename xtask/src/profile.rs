//! `cargo xtask profile`: one start as a picture, the kernel's part and ours.
//!
//! Run by root, on a machine that is as idle as can be. The kernel itself takes the times (tracefs(5),
//! its events of system calls, page faults and the ends of processes), which costs a start a fifth; of
//! many starts the quickest is drawn.

mod picture;
mod trace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use argh::FromArgs;

use crate::bench::{Bench, Inside, LAUNCHER, Who};
use crate::console;
use crate::failure::{At, Error};
use crate::program;
use crate::test::stage::Stage;
use crate::workspace;
use trace::Process;

/// Trace a start as root, and draw where its time goes: tests/profile.svg.
#[derive(FromArgs)]
#[argh(subcommand, name = "profile")]
pub struct Profile {
    /// how many starts to choose the quickest of (default: 30)
    #[argh(option, default = "30")]
    rounds: u32,
}

impl Profile {
    /// Runs the task.
    pub fn run(self) -> Result<(), Error> {
        let stage = Stage::open()?;
        let bench = Bench::on_stage(&stage)?;
        let words = bench
            .line(Who::Root, &LAUNCHER, Inside::Stamp)
            .ok_or_else(|| Error::Verdict("root cannot run the launcher".into()))?;
        let tracer = Tracer::mount(stage.make_folder("tracefs")?)?;
        let mut best: Option<Vec<Process>> = None;
        for _ in 0..self.rounds.max(1) {
            let processes = trace::parse(&tracer.trace(&words)?, &words[0]);
            let took = trace::end(&processes);
            if took > 0.0 && best.as_deref().is_none_or(|best| took < trace::end(best)) {
                best = Some(processes);
            }
        }
        let best = best.ok_or_else(|| Error::Verdict("no start was traced".into()))?;
        let path = workspace::root().join("tests/profile.svg");
        fs::write(&path, picture::draw(&best)).at("write", &path)?;
        console::print(&picture::table(&best))?;
        console::print(&path.to_string_lossy())
    }
}

/// A tracefs of our own, taken away in the end.
struct Tracer(PathBuf);

const EVENTS: [&str; 4] = [
    "events/syscalls/enable",
    "events/exceptions/enable",
    "events/sched/sched_process_exit/enable",
    "events/sched/sched_process_exec/enable",
];

impl Tracer {
    fn mount(place: PathBuf) -> Result<Tracer, Error> {
        program::run(Command::new("mount").args(["-t", "tracefs", "tracefs"]).arg(&place))?;
        let tracer = Tracer(place);
        tracer.write("tracing_on", "0")?;
        tracer.write("buffer_size_kb", "4096")?;
        tracer.write("trace_clock", "mono")?;
        EVENTS.iter().try_for_each(|event| tracer.write(event, "1"))?;
        Ok(tracer)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.0.join(name);
        fs::write(&path, text).at("write", &path)
    }

    /// The kernel's text about one run.
    fn trace(&self, words: &[String]) -> Result<String, Error> {
        self.write("trace", "")?;
        self.write("tracing_on", "1")?;
        let mut command = Command::new(Path::new(&words[0]));
        // What runs inside tells the time.
        let ran = program::run(command.args(&words[1..]).stdout(Stdio::null()));
        self.write("tracing_on", "0")?;
        ran?;
        let path = self.0.join("trace");
        let text = fs::read(&path).at("read", &path)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        for event in EVENTS {
            self.write(event, "0").ok();
        }
        program::run(Command::new("umount").arg(&self.0)).ok();
    }
}
