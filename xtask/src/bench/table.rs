//! The figures as a table.

use super::sample::{Sample, quantile, ratios};
use super::subject::Contender;
use super::syscalls::Calls;

/// What is said of one contender.
pub struct Row {
    name: &'static str,
    line: String,
    /// Median time of a whole run, microseconds.
    whole: f64,
    /// The run's time over the floor's, paired: a tenth lies below, the median, a tenth above.
    ratio: [f64; 3],
    /// Of the time to the command's first instruction, and from there on.
    before: f64,
    after: f64,
    cpu: f64,
    faults: f64,
    resident: f64,
    calls: Option<Calls>,
    failed: usize,
}

impl Row {
    pub fn new(
        contender: &Contender,
        runs: &[Sample],
        floor: &[Sample],
        calls: Option<Calls>,
    ) -> Row {
        let of = |what: fn(&Sample) -> f64| quantile(runs.iter().map(what).collect(), 0.5);
        let whole = ratios(runs, floor, |run| Some(run.whole));
        Row {
            name: contender.name,
            line: contender.words.join(" "),
            whole: of(|run| run.whole),
            ratio: [0.1, 0.5, 0.9].map(|share| quantile(whole.clone(), share)),
            before: quantile(ratios(runs, floor, |run| run.to_command), 0.5),
            after: quantile(ratios(runs, floor, Sample::after_command), 0.5),
            cpu: quantile(ratios(runs, floor, |run| Some(run.cpu)), 0.5),
            faults: of(|run| run.faults),
            resident: of(|run| run.resident),
            calls,
            failed: runs.iter().filter(|run| run.code != 0).count(),
        }
    }
}

/// As text. `×` is the median ratio to the floor in the same round.
pub fn show(who: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "\n{who:<40} {:>8} {:>6} {:>13} {:>8} {:>6} {:>6} {:>7} {:>8} {:>10}\n",
        "us", "x", "x p10..p90", "x start", "x end", "x cpu", "faults", "rss KiB", "syscalls"
    );
    for row in rows {
        let [low, middle, high] = row.ratio;
        let calls = row.calls.map_or("-".into(), |c| format!("{}/{}", c.to_command, c.whole));
        let failed = if row.failed > 0 { format!("  {} FAILED", row.failed) } else { "".into() };
        text += &format!(
            "{:<40} {:>8.0} {middle:>6.2} {:>13} {:>8.2} {:>6.2} {:>6.2} {:>7.0} {:>8.0} {calls:>10}{failed}\n",
            row.name,
            row.whole,
            format!("{low:.2}..{high:.2}"),
            row.before,
            row.after,
            row.cpu,
            row.faults,
            row.resident,
        );
    }
    for row in rows {
        text += &format!("  {}: {}\n", row.name, row.line);
    }
    text
}
