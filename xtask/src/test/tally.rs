//! Counting what test programs print, and the verdict over all of them.
//!
//! The lines counted are libtest's `test result:` and the suite's own `SKIP name: reason`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::console;
use crate::failure::{At, Error};
use crate::program;

/// A skip that CI accepts too: no machine like it could run the test.
const EXCUSE: &str = "(cannot on this machine)";

/// What one run of a test program came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u32,
    failed: u32,
    ignored: u32,
    skips: Vec<String>,
    results: u32,
}

/// A line of the summary.
pub struct Row {
    name: &'static str,
    tally: Tally,
    time: Duration,
    success: bool,
}

/// Runs a test program, shows what it prints and counts it. Its failure is the row's, not ours.
pub fn run(name: &'static str, command: &mut Command) -> Result<Row, Error> {
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
    Ok(Row { name, tally, time: start.elapsed(), success: status.success() })
}

impl Tally {
    fn count(&mut self, line: &str) {
        let line = line.trim();
        if let Some(skip) = line.strip_prefix("SKIP ") {
            self.skips.push(skip.to_string());
        }
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

    /// For libtest a test that skips itself has passed; not for us.
    fn ran_and_passed(&self) -> u32 {
        self.passed.saturating_sub(self.skipped() - self.ignored)
    }

    fn skipped(&self) -> u32 {
        self.ignored + u32::try_from(self.skips.len()).unwrap_or(u32::MAX)
    }
}

/// The summary table.
pub fn print(rows: &[Row]) -> Result<(), Error> {
    console::print("")?;
    console::print("as      passed  failed  skipped  seconds")?;
    for Row { name, tally, time, .. } in rows {
        let (passed, skipped) = (tally.ran_and_passed(), tally.skipped());
        let (failed, seconds) = (tally.failed, time.as_secs_f32());
        console::print(&format!("{name:<6} {passed:>7} {failed:>7} {skipped:>8} {seconds:>8.1}"))?;
    }
    Ok(())
}

/// Failure if anything failed, if a program gave no verdict, or if something was skipped that may
/// not be. `whole` says that no filter can be the reason for running nothing.
pub fn verdict(rows: &[Row], strict: bool, whole: bool) -> Result<(), Error> {
    let mut faults = Vec::new();
    for Row { name, tally, success, .. } in rows {
        if tally.failed > 0 {
            faults.push(format!("{name}: {} failed", tally.failed));
        } else if !success {
            faults.push(format!("{name}: ended without a verdict"));
        } else if whole && tally.passed == 0 {
            faults.push(format!("{name}: no test was run"));
        }
        for skip in tally.skips.iter().filter(|skip| strict && !skip.contains(EXCUSE)) {
            faults.push(format!("{name}: skipped, which CI does not accept: {skip}"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Verdict(faults.join("\nxtask: "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(lines: &[&str], success: bool) -> Row {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.count(line));
        Row { name: "root", tally, time: Duration::ZERO, success }
    }

    const OK: &str = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n";

    #[test]
    fn results_of_several_programs_add_up() {
        let Row { tally, .. } = row(&["running 5 tests\n", OK, "\n", OK], true);
        assert_eq!((tally.passed, tally.failed, tally.ignored, tally.results), (10, 0, 2, 2));
    }

    #[test]
    fn skipped_test_has_not_passed() {
        let Row { tally, .. } = row(&["SKIP idmap: no idmapped mounts\n", OK], true);
        assert_eq!((tally.ran_and_passed(), tally.skipped()), (4, 2));
    }

    #[test]
    fn skip_is_a_failure_only_where_it_has_no_excuse() {
        let plain = [row(&["SKIP a: no strace", OK], true)];
        assert!(verdict(&plain, false, true).is_ok());
        assert!(verdict(&plain, true, true).is_err());
        let excused = [row(&["SKIP a: no cgroup (cannot on this machine)", OK], true)];
        assert!(verdict(&excused, true, true).is_ok());
    }

    #[test]
    fn failed_test_fails_the_task() {
        let failed =
            "test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert!(verdict(&[row(&[failed], false)], false, true).is_err());
    }

    #[test]
    fn program_without_a_verdict_fails_the_task() {
        assert!(verdict(&[row(&["running 5 tests"], false)], false, false).is_err());
        assert!(verdict(&[row(&["running 0 tests"], true)], false, true).is_err());
        assert!(verdict(&[row(&["filtered"], true)], false, false).is_ok());
    }
}
