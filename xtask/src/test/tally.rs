//! Counting what test programs print, and the verdict over all of them.
//!
//! Used for programs run here and for the lines that come out of a virtual machine.
//! The lines counted are libtest's `test result:`, the suite's own `SKIP name: reason`, and those of
//! again.sh: `AGAIN name` before a failed test runs again, and `DISTURBED name` when it has passed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::attacks::Attempt;
use crate::console;
use crate::failure::{At, Error};
use crate::program;
use crate::workspace;

/// A skip that CI accepts too: no machine like it could run the test.
const EXCUSE: &str = "(cannot on this machine)";

/// How many of the slowest tests are shown.
const SLOWEST: usize = 3;

/// Which skips are no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skips {
    /// A developer's machine has what it has.
    Allowed,
    /// In CI: only those that have an excuse.
    Excused,
    /// In a machine that we made ourselves.
    Forbidden,
    /// There with a kernel of this version: what needs a newer one.
    Before(u32, u32),
}

/// What one run of a test program came to.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    passed: u32,
    failed: u32,
    ignored: u32,
    skips: Vec<String>,
    /// Tests that failed, and passed by themselves.
    disturbed: Vec<String>,
    /// What is printed is of a test that was counted before.
    is_again: bool,
    results: u32,
    /// Seconds and name of each test.
    times: Vec<(f32, String)>,
    pub attacks: Vec<Attempt>,
}

/// A line of the summary.
pub struct Row {
    pub name: String,
    pub tally: Tally,
    pub time: Duration,
    /// Whether the program ended with exit code 0.
    pub success: bool,
    pub skips: Skips,
}

#[cfg(test)]
impl Row {
    /// That of a program that has printed these lines.
    pub fn of(name: &str, lines: &[&str]) -> Row {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.count(line));
        let (time, skips) = (Duration::ZERO, Skips::Allowed);
        Row { name: name.into(), tally, time, success: true, skips }
    }
}

/// Runs a test program, shows what it prints and counts it. Its failure is the row's, not ours.
pub fn run(name: &str, command: &mut Command) -> Result<Row, Error> {
    let start = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|cause| program::not_started(command, cause))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).at("read from", name.as_ref())? > 0 {
            console::print_bytes(&line)?;
            tally.count(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    let status = child.wait().at("wait for", name.as_ref())?;
    let skips = if workspace::is_ci() { Skips::Excused } else { Skips::Allowed };
    let (name, time) = (name.to_string(), start.elapsed());
    Ok(Row { name, tally, time, success: status.success(), skips })
}

impl Skips {
    fn accept(self, skip: &str) -> bool {
        match self {
            Skips::Allowed => true,
            Skips::Excused => skip.contains(EXCUSE),
            Skips::Forbidden => false,
            Skips::Before(major, minor) => {
                needed(skip).is_some_and(|kernel| kernel > (major, minor))
            }
        }
    }
}

impl Tally {
    /// Takes in a line that a test program has printed.
    pub fn count(&mut self, line: &str) {
        let line = line.trim();
        self.is_again |= line.starts_with("AGAIN ");
        if let Some(name) = line.strip_prefix("DISTURBED ") {
            self.failed = self.failed.saturating_sub(1);
            self.passed += 1;
            self.disturbed.push(name.to_string());
        }
        if self.is_again {
            return;
        }
        if let Some(skip) = line.strip_prefix("SKIP ") {
            self.skips.push(skip.to_string());
        }
        self.attacks.extend(Attempt::read(line));
        self.times.extend(time(line));
        let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.results += 1;
        for part in counts.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Takes in a test that is not libtest's; the line is as if it were.
    pub fn add(&mut self, line: &str, has_passed: bool) {
        self.times.extend(time(line));
        *(if has_passed { &mut self.passed } else { &mut self.failed }) += 1;
    }

    /// Whether there were tests and none has failed.
    pub fn all_passed(&self) -> bool {
        self.passed > 0 && self.failed == 0
    }

    /// For libtest a test that skips itself has passed; not for us.
    fn ran_and_passed(&self) -> u32 {
        self.passed.saturating_sub(self.skipped() - self.ignored)
    }

    fn skipped(&self) -> u32 {
        self.ignored + u32::try_from(self.skips.len()).unwrap_or(u32::MAX)
    }
}

/// The kernel that a skipped test says it needs: `(needs Linux 6.6)`.
fn needed(skip: &str) -> Option<(u32, u32)> {
    let (_, behind) = skip.split_once("(needs Linux ")?;
    let (major, minor) = behind.split_once(')')?.0.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The summary table.
pub fn print(rows: &[Row]) -> Result<(), Error> {
    console::print("")?;
    console::print("as            passed  failed  skipped  seconds")?;
    for Row { name, tally, time, .. } in rows {
        let (passed, skipped) = (tally.ran_and_passed(), tally.skipped());
        let (failed, seconds) = (tally.failed, time.as_secs_f32());
        console::print(&format!("{name:<12} {passed:>7} {failed:>7} {skipped:>8} {seconds:>8.1}"))?;
    }
    Ok(())
}

/// The tests that failed once and have not failed the task, loudly: somebody should make them firm.
pub fn print_disturbed(rows: &[Row]) {
    for Row { name, tally, .. } in rows {
        for test in &tally.disturbed {
            console::progress(&format!(
                "ATTENTION: {name}: {test} failed among the others, and passed three times by itself"
            ));
        }
    }
}

/// The tests that took the longest, by row: where time can be saved.
pub fn print_slowest(rows: &mut [Row]) -> Result<(), Error> {
    console::print("")?;
    for Row { name, tally, .. } in rows {
        tally.times.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let slowest = tally.times.iter().take(SLOWEST);
        let slowest = slowest.map(|(seconds, name)| format!("{name} {seconds:.1} s"));
        let slowest = slowest.collect::<Vec<_>>().join(", ");
        if !slowest.is_empty() {
            console::print(&format!("slowest as {name}: {slowest}"))?;
        }
    }
    Ok(())
}

/// From a line like `test NAME ... ok <0.123s>`.
fn time(line: &str) -> Option<(f32, String)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (_, seconds) = rest.strip_suffix("s>")?.rsplit_once('<')?;
    Some((seconds.parse().ok()?, name.to_string()))
}

/// Failure if anything failed, if a program gave no verdict, or if something was skipped that may
/// not be. `whole` says that no filter can be the reason for running nothing.
pub fn verdict(rows: &[Row], whole: bool) -> Result<(), Error> {
    let mut faults = Vec::new();
    for Row { name, tally, success, skips, .. } in rows {
        if tally.failed > 0 {
            faults.push(format!("{name}: {} failed", tally.failed));
        } else if !success {
            faults.push(format!("{name}: ended without a verdict"));
        } else if whole && tally.passed == 0 {
            faults.push(format!("{name}: no test was run"));
        }
        for skip in tally.skips.iter().filter(|skip| !skips.accept(skip)) {
            faults.push(format!("{name}: skipped, which is not accepted here: {skip}"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Verdict(faults.join("\nxtask: "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(lines: &[&str], success: bool) -> Row {
        Row { success, ..Row::of("root", lines) }
    }

    const OK: &str = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n";

    #[test]
    fn results_of_several_programs_add_up() {
        let Row { tally, .. } = row(&["running 5 tests\n", OK, "\n", OK], true);
        assert_eq!((tally.passed, tally.failed, tally.ignored, tally.results), (10, 0, 2, 2));
    }

    #[test]
    fn time_of_a_test_stands_behind_its_result() {
        assert_eq!(time("test a::b ... ok <1.250s>"), Some((1.25, "a::b".into())));
        assert_eq!(time("test a::b - should panic ... FAILED <0.5s>").unwrap().0, 0.5);
        assert_eq!(time("test a::b ... ok"), None);
    }

    #[test]
    fn skipped_test_has_not_passed() {
        let Row { tally, .. } = row(&["SKIP idmap: no idmapped mounts\n", OK], true);
        assert_eq!((tally.ran_and_passed(), tally.skipped()), (4, 2));
    }

    #[test]
    fn skip_is_accepted_by_where_it_happens() {
        let plain = "SKIP a: no strace";
        let excused = "SKIP a: no cgroup (needs Linux 6.6) (cannot on this machine)";
        let is_accepted =
            |line, skips| verdict(&[Row { skips, ..row(&[line, OK], true) }], true).is_ok();
        assert_eq!(
            [
                Skips::Allowed,
                Skips::Excused,
                Skips::Forbidden,
                Skips::Before(6, 1),
                Skips::Before(6, 12)
            ]
            .map(|skips| (is_accepted(plain, skips), is_accepted(excused, skips))),
            [(true, true), (false, true), (false, false), (false, true), (false, false)]
        );
    }

    #[test]
    fn failed_test_fails_the_task() {
        let failed =
            "test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert!(verdict(&[row(&[failed], false)], true).is_err());
    }

    #[test]
    fn disturbed_test_has_passed_and_is_remembered() {
        let failed =
            "test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        let again = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out";
        let lines = [failed, "AGAIN a::b", again, again, again, "DISTURBED a::b"];
        let row = row(&lines, true);
        assert_eq!((row.tally.passed, row.tally.failed), (5, 0));
        assert_eq!(row.tally.disturbed, ["a::b"]);
        assert!(verdict(&[row], true).is_ok());
        let row = self::row(&lines[..3], false);
        assert_eq!((row.tally.passed, row.tally.failed), (4, 1));
        assert!(verdict(&[row], true).is_err());
    }

    #[test]
    fn program_without_a_verdict_fails_the_task() {
        assert!(verdict(&[row(&["running 5 tests"], false)], false).is_err());
        assert!(verdict(&[row(&["running 0 tests"], true)], true).is_err());
        assert!(verdict(&[row(&["filtered"], true)], false).is_ok());
    }
}
