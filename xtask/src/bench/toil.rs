//! What a PID 1 does all day: signals passed on, orphans reaped.

use std::path::Path;

use super::contender::{INITS, NO_INIT};
use super::field::Field;
use super::sample::quantile;
use super::subject::{Bench, Inside};
use super::table::{Column, Slack, Table};
use crate::console;
use crate::failure::Error;
use crate::program;

/// `x` is a ratio to our init's, of the same round: the median.
const COLUMNS: &[Column] = &[
    Column::new("orphan µs", 1, Slack::Any),
    Column::new("x orphan", 2, Slack::Any),
    Column::new("PID 1's cpu for it, µs", 1, Slack::Any),
    Column::new("x cpu", 2, Slack::Any),
    Column::new("signal on one cpu, µs", 2, Slack::Any),
    Column::new("x on one", 2, Slack::Any),
    Column::new("on two, µs", 1, Slack::Any),
    Column::new("x on two", 2, Slack::Any),
];

/// In each round: signals there and back, and bursts of a hundred orphans.
const SIGNALS: &str = "4000";
const BURSTS: &str = "100";

/// Rounds are a tenth as many.
pub fn measure(
    bench: &Bench,
    field: &Field<'_>,
    name: String,
    rounds: u32,
) -> Result<Table, Error> {
    let mut table = Table::new(name, COLUMNS);
    let rounds = (rounds / 10).max(3);
    console::progress(&format!("{}: {rounds} rounds", table.name));
    let inits = field.runners.iter().map(|runner| runner.contender);
    let inits = inits.filter(|one| one.name != NO_INIT.name).collect::<Vec<_>>();
    let mut runs = vec![Vec::new(); inits.len()];
    for round in 0..rounds as usize {
        for turn in 0..inits.len() {
            // By turns the first: what runs behind another program finds another machine.
            let at = (round + turn) % inits.len();
            let words = field.line(bench, inits[at], Inside::Toil).unwrap_or_default();
            let mut command = bench.runner(field.way.who(), Path::new("unshare"));
            command.args(["--pid", "--fork", "--"]).args(words).args([SIGNALS, BURSTS]);
            runs[at].push(parse(&String::from_utf8_lossy(&program::read(&mut command)?))?);
        }
    }
    let base = inits.iter().position(|one| one.name == INITS[0].name).unwrap_or(0);
    for (init, own) in inits.iter().zip(&runs) {
        let values = (0..4).flat_map(|at| {
            let micros = own.iter().map(|run| run[at] / 1000.0).collect();
            let ratios = own.iter().zip(&runs[base]).map(|(own, base)| own[at] / base[at]);
            [quantile(micros, 0.5), quantile(ratios.collect(), 0.5)]
        });
        table.push(init.name, values.collect());
    }
    Ok(table)
}

/// The four numbers that `toil` says.
fn parse(said: &str) -> Result<[f64; 4], Error> {
    let numbers = said.split_whitespace().map_while(|word| word.parse().ok());
    let numbers = numbers.collect::<Vec<f64>>().try_into();
    numbers.map_err(|_| Error::Verdict(format!("toil says {said:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_are_read() {
        assert_eq!(parse("9 20 3 4\n").unwrap(), [9.0, 20.0, 3.0, 4.0]);
        assert!(parse("9 20 3\n").is_err());
    }
}
