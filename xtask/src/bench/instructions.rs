//! How many instructions a process of ours runs in user mode: exact where time is not. Of those that
//! it clones nothing is counted.

use super::field::{Field, Runner, Way};
use super::subject::Bench;
use crate::program;

/// Counted step by step (tests/src/steps.rs); None of others, whose many steps would take minutes,
/// and of what does not run so.
pub fn count(bench: &Bench, field: &Field<'_>, runner: &Runner<'_>) -> Option<f64> {
    if !runner.contender.programs.is_empty() || field.way == Way::Pid1 {
        return None;
    }
    let mut steps = bench.runner(field.way.who(), &bench.steps);
    let said = program::read(steps.args(&runner.words)).ok()?;
    String::from_utf8_lossy(&said).trim().parse().ok()
}
