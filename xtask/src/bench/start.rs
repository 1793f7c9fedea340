//! One start after another: how long it takes beside the floor, and what it costs in what can be
//! counted.

use super::field::{Field, Runner};
use super::instructions;
use super::sample::{Sample, quantile, ratios};
use super::subject::Bench;
use super::syscalls;
use super::table::{Column, Slack, Table};
use crate::console;
use crate::failure::Error;

/// `x` is a ratio to the first row's, of the same round: the median, and beside it that which a
/// tenth is below, and a tenth above. `to command` is the time to the command's first instruction,
/// `after` that from there to the end of everything, `cpu` that of it and all that it waited for.
const COLUMNS: &[Column] = &[
    Column::new("µs", 0, Slack::Any),
    Column::new("x", 2, Slack::Share(0.15)),
    Column::new("x p10", 2, Slack::Any),
    Column::new("x p90", 2, Slack::Any),
    Column::new("x to command", 2, Slack::Share(0.15)),
    Column::new("x after", 2, Slack::Share(0.25)),
    Column::new("x cpu", 2, Slack::Share(0.15)),
    Column::new("syscalls to command", 0, Slack::Count(4.0)),
    Column::new("syscalls", 0, Slack::Count(6.0)),
    Column::new("page faults", 0, Slack::Count(4.0)),
    Column::new("peak RSS KiB", 0, Slack::Share(0.1)),
    Column::new("instructions", 0, Slack::Share(0.03)),
];

/// Slow ones run a tenth as often, beside the first.
pub fn measure(
    bench: &Bench,
    field: &Field<'_>,
    name: String,
    rounds: u32,
) -> Result<Table, Error> {
    let mut table = Table::new(name, COLUMNS);
    console::progress(&format!("{}: {rounds} rounds", table.name));
    let first = |runner: &Runner<'_>| runner.contender.name == field.runners[0].contender.name;
    let quick = field.plan(bench, |runner| !runner.slow)?;
    let runs = field.turns(bench, &quick, rounds)?;
    let slow = field.plan(bench, |runner| runner.slow || first(runner))?;
    let slow_runs = match slow.chosen.len() {
        0 | 1 => vec![Vec::new(); field.runners.len()],
        _ => field.turns(bench, &slow, (rounds / 10).max(3))?,
    };
    for (index, runner) in field.runners.iter().enumerate() {
        let runs = if runner.slow { &slow_runs } else { &runs };
        let calls = syscalls::count(bench, field, runner)?;
        let calls = calls.map(|calls| [calls.to_command as f64, calls.whole as f64]);
        let mut values = times(&runs[index], &runs[0]);
        values.extend(calls.unwrap_or([f64::NAN; 2]));
        values.extend(counts(&runs[index]));
        values.push(instructions::count(bench, field, runner).unwrap_or(f64::NAN));
        table.push(runner.contender.name, values);
        let failed = runs[index].iter().filter(|run| run.code != 0).count();
        if failed > 0 {
            table.notes.push(format!("- {}: {failed} runs FAILED", runner.contender.name));
        }
    }
    Ok(table)
}

fn times(runs: &[Sample], base: &[Sample]) -> Vec<f64> {
    let whole = ratios(runs, base, |run| Some(run.whole));
    let ratio = |share| quantile(whole.clone(), share);
    vec![
        quantile(runs.iter().map(|run| run.whole).collect(), 0.5),
        ratio(0.5),
        ratio(0.1),
        ratio(0.9),
        quantile(ratios(runs, base, |run| run.to_command), 0.5),
        quantile(ratios(runs, base, Sample::after_command), 0.5),
        quantile(ratios(runs, base, |run| Some(run.cpu)), 0.5),
    ]
}

/// Page faults are the least: the kernel's own reasons only ever add some.
fn counts(runs: &[Sample]) -> [f64; 2] {
    [
        runs.iter().map(|run| run.faults).fold(f64::NAN, f64::min),
        quantile(runs.iter().map(|run| run.resident).collect(), 0.5),
    ]
}
