//! Who takes part: those that are there and run, and a word about each of the others.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::contender::Contender;
use super::sample::Sample;
use super::subject::{Bench, Inside, Who};
use crate::failure::{At, Error};
use crate::program;

/// How they are run: in the container that each of them makes, or as PID 1 of a pid namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Container(Who),
    Pid1,
}

impl Way {
    pub fn who(self) -> Who {
        match self {
            Way::Container(who) => who,
            Way::Pid1 => Who::Root,
        }
    }
}

/// One that takes part.
pub struct Runner<'a> {
    pub contender: &'a Contender,
    /// With the command that says when it was reached.
    pub words: Vec<String>,
    /// It takes so long that it runs a tenth as often.
    pub slow: bool,
}

pub struct Field<'a> {
    pub way: Way,
    /// The one that all are measured by stands first.
    pub runners: Vec<Runner<'a>>,
    /// Command lines, and why who is not there is not.
    pub notes: Vec<String>,
}

/// So long has each to show that it runs.
const TRIAL_SECONDS: &str = "10";

/// Slower than this many times the floor is slow.
const SLOW: f64 = 8.0;

impl<'a> Field<'a> {
    /// Runs each of them a few times.
    pub fn new(
        bench: &Bench,
        way: Way,
        contenders: impl IntoIterator<Item = &'a Contender>,
    ) -> Result<Field<'a>, Error> {
        let mut field = Field { way, runners: Vec::new(), notes: Vec::new() };
        for contender in contenders {
            let Contender { name, from, .. } = contender;
            let Some(line) = contender.line(way.who()) else {
                if !contender.programs.is_empty() {
                    field.notes.push(format!("- {name} is for root"));
                }
                continue;
            };
            let Some(words) = field.line(bench, contender, Inside::Stamp) else {
                field.notes.push(format!("- {name} is not on PATH ({from}): `{line}`"));
                continue;
            };
            match field.why_not(bench, &words)? {
                None => {
                    field.notes.push(format!("- {name}: `{line}`"));
                    field.runners.push(Runner { contender, words, slow: false });
                }
                Some(why) => {
                    field.notes.push(format!("- {name} does not run here, {why}: `{line}`"));
                }
            }
        }
        field.find_slow(bench)?;
        Ok(field)
    }

    pub fn line(&self, bench: &Bench, of: &Contender, inside: Inside) -> Option<Vec<String>> {
        bench.line(self.way.who(), of, inside)
    }

    /// Of all or of those that are not slow.
    pub fn plan(&self, bench: &Bench, only: impl Fn(&Runner<'_>) -> bool) -> Result<Plan, Error> {
        let chosen = self.runners.iter().enumerate().filter(|(_, runner)| only(runner));
        let chosen = chosen.map(|(index, _)| index).collect::<Vec<_>>();
        let words = chosen.iter().map(|&index| self.runners[index].words.join("\n") + "\n\n");
        let file = bench.folder.join("plan");
        fs::write(&file, words.collect::<String>()).at("write", &file)?;
        Ok(Plan { chosen, file })
    }

    /// The runs of each in the plan, in turn; of those that are not in it none.
    pub fn turns(
        &self,
        bench: &Bench,
        plan: &Plan,
        rounds: u32,
    ) -> Result<Vec<Vec<Sample>>, Error> {
        self.turns_beside(bench, plan, rounds, 0)
    }

    /// The same on a host with so many mounts more.
    pub fn turns_beside(
        &self,
        bench: &Bench,
        plan: &Plan,
        rounds: u32,
        mounts: u32,
    ) -> Result<Vec<Vec<Sample>>, Error> {
        let verb = if self.way == Way::Pid1 { "turns-as-pid1" } else { "turns" };
        let mut stopwatch = bench.runner(self.way.who(), &bench.stopwatch);
        stopwatch.arg(verb).arg(rounds.to_string()).arg(&plan.file);
        let text = match mounts {
            0 => program::read(&mut stopwatch)?,
            _ => program::read(&mut bench.beside_mounts(mounts, &stopwatch))?,
        };
        let runs = Sample::parse(&String::from_utf8_lossy(&text), plan.chosen.len())?;
        let mut all = vec![Vec::new(); self.runners.len()];
        for (&index, runs) in plan.chosen.iter().zip(runs) {
            all[index] = runs;
        }
        Ok(all)
    }

    /// The reason for which it does not run, if it does not.
    fn why_not(&self, bench: &Bench, words: &[String]) -> Result<Option<String>, Error> {
        let mut command = bench.runner(self.way.who(), Path::new("timeout"));
        command.args(["--kill-after=1", TRIAL_SECONDS]);
        if self.way == Way::Pid1 {
            command.args(["unshare", "--pid", "--fork", "--"]);
        }
        command.args(words.iter().map(|word| word.replace("{}", "trial")));
        command.stdin(Stdio::null());
        let output = command.output().map_err(|cause| program::not_started(&command, cause))?;
        if output.status.success() && output.stdout.len() == 16 {
            return Ok(None);
        }
        if output.status.code() == Some(124) {
            return Ok(Some(format!("it does not end within {TRIAL_SECONDS} s")));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word");
        Ok(Some(format!("{}: {}", output.status, said.trim())))
    }

    fn find_slow(&mut self, bench: &Bench) -> Result<(), Error> {
        let runs = self.turns(bench, &self.plan(bench, |_| true)?, 3)?;
        let least = |runs: &[Sample]| runs.iter().map(|run| run.whole).fold(f64::NAN, f64::min);
        let base = runs.first().map_or(f64::NAN, |runs| least(runs));
        for (runner, runs) in self.runners.iter_mut().zip(&runs) {
            runner.slow = self.way != Way::Pid1 && least(runs) > SLOW * base;
        }
        Ok(())
    }
}

/// A file for the stopwatch, and who is in it.
pub struct Plan {
    pub chosen: Vec<usize>,
    pub file: std::path::PathBuf,
}
