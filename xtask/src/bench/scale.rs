//! Many starts: by several workers, beside many containers, on a host with many mounts.

use super::contender::{FLOOR, LAUNCHER};
use super::crowd::{Crowd, available_memory};
use super::field::Field;
use super::sample::{Sample, quantile};
use super::subject::{Bench, Inside};
use super::table::{Column, Slack, Table};
use crate::console;
use crate::failure::Error;
use crate::program;

/// `machine µs` is how long all processors were busy for one start, one after the other, with what
/// the kernel does after its end.
const RATES: &[Column] = &[
    Column::new("1 worker /s", 0, Slack::Any),
    Column::new("2 workers /s", 0, Slack::Any),
    Column::new("4 workers /s", 0, Slack::Any),
    Column::new("machine µs", 0, Slack::Any),
    Column::new("machine x", 2, Slack::Share(0.2)),
];

const WORKERS: [u32; 3] = [1, 2, 4];
/// How long the workers work at a time, in milliseconds.
const SPELL: u32 = 250;

/// `x` is the median start over that without company, measured just before.
const COMPANY: &[Column] = &[
    Column::new("µs alone", 0, Slack::Any),
    Column::new("x beside 1", 2, Slack::Share(0.25)),
    Column::new("x beside 100", 2, Slack::Share(0.25)),
    Column::new("x beside 1000", 2, Slack::Share(0.25)),
    Column::new("x with 5000 mounts", 2, Slack::Share(0.25)),
];

const ALIVE: [u32; 3] = [1, 100, 1000];
const MOUNTS: u32 = 5000;

/// Of each of the containers that stay: of launcher and init, and of everything, the kernel's too.
const IDLE: &[Column] =
    &[Column::new("PSS KiB", 1, Slack::Share(0.1)), Column::new("memory KiB", 0, Slack::Any)];

/// Starts per second.
pub fn rates(bench: &Bench, field: &Field<'_>, name: String, rounds: u32) -> Result<Table, Error> {
    console::progress(&name);
    let mut table = Table::new(name, RATES);
    let plan = field.plan(bench, |_| true)?;
    // Of each: runs, failures, nanoseconds in all and of the machine's processors, by workers.
    let mut sums = vec![[[0.0; 4]; WORKERS.len()]; field.runners.len()];
    for _ in 0..(rounds / 50).max(1) {
        for (at, workers) in WORKERS.iter().enumerate() {
            let mut stopwatch = bench.runner(field.way.who(), &bench.stopwatch);
            stopwatch.arg("rate").arg(workers.to_string()).arg(SPELL.to_string()).arg(&plan.file);
            let text = program::read(&mut stopwatch)?;
            for (line, sums) in String::from_utf8_lossy(&text).lines().zip(&mut sums) {
                let numbers = line.split(' ').skip(1).filter_map(|word| word.parse::<f64>().ok());
                sums[at].iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
            }
        }
    }
    let machine = |sums: &[[f64; 4]]| sums[0][3] / 1000.0 / sums[0][0];
    for (runner, sums_of) in field.runners.iter().zip(&sums) {
        let rate = |at: usize| {
            let [done, _, time, _] = sums_of[at];
            if done > 0.0 { done * 1e9 / time } else { f64::NAN }
        };
        let values = vec![rate(0), rate(1), rate(2), machine(sums_of)];
        let ratio = machine(sums_of) / machine(&sums[0]);
        table.push(runner.contender.name, [values, vec![ratio]].concat());
        let failed = sums_of.iter().map(|of| of[1]).sum::<f64>();
        if failed > 0.0 {
            table.notes.push(format!("- {}: {failed} starts failed", runner.contender.name));
        }
    }
    Ok(table)
}

/// In company, and what the company holds: two tables.
pub fn company(
    bench: &Bench,
    field: &Field<'_>,
    rounds: u32,
    (name, idle_name): (String, String),
) -> Result<[Table; 2], Error> {
    console::progress(&name);
    let mut table = Table::new(name, COMPANY);
    let mut idle = Table::new(idle_name, IDLE);
    let chosen = [FLOOR.name, LAUNCHER.name, "bwrap", "unshare", "crun"];
    let plan = field.plan(bench, |runner| chosen.contains(&runner.contender.name))?;
    let rounds = (rounds / 4).max(10);
    let median = |runs: &Vec<Sample>| quantile(runs.iter().map(|run| run.whole).collect(), 0.5);
    let measure = |mounts| -> Result<Vec<f64>, Error> {
        let runs = field.turns_beside(bench, &plan, rounds, mounts)?;
        Ok(runs.iter().map(median).collect())
    };
    let words = field.line(bench, &LAUNCHER, Inside::Hold).unwrap_or_default();
    let mut columns = Vec::new();
    for count in ALIVE {
        let alone = measure(0)?;
        let before = available_memory()?;
        let crowd = Crowd::start(bench, field, count, &words)?;
        let Some(crowd) = crowd else {
            return Err(Error::Verdict(format!("{count} containers do not come up")));
        };
        let beside = measure(0)?;
        if columns.is_empty() {
            columns.push(alone.clone());
        }
        columns.push(beside.iter().zip(&alone).map(|(beside, alone)| beside / alone).collect());
        if count == ALIVE[ALIVE.len() - 1] {
            let memory = (before - available_memory()?) / f64::from(count);
            idle.push(LAUNCHER.name, vec![crowd.held()?.pss / f64::from(count), memory]);
        }
    }
    let alone = measure(0)?;
    let mounts = measure(MOUNTS)?;
    columns.push(mounts.iter().zip(&alone).map(|(many, alone)| many / alone).collect());
    for &index in &plan.chosen {
        let values = columns.iter().map(|column| column[index]).collect();
        table.push(field.runners[index].contender.name, values);
    }
    Ok([table, idle])
}
