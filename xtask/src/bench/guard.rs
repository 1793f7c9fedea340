//! `--check`: what was measured against what is recorded in tests/bench.json. Pure.
//!
//! Only ratios and counts are recorded, of ours alone, for a time depends on the machine and other
//! people's programs are not ours to guard.

use std::collections::BTreeMap;

use serde_json::Value;

use super::table::{Slack, Table};
use crate::failure::Error;

/// Table, row, column and value.
type Recorded = BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>;

/// A figure that is worse than it was.
#[derive(Debug, PartialEq)]
pub struct Regression {
    pub table: String,
    pub row: String,
    pub column: &'static str,
    pub was: f64,
    pub allowed: f64,
    pub is: f64,
}

impl Regression {
    /// Whether both are of the same figure.
    pub fn is_of(&self, other: &Regression) -> bool {
        (&self.table, &self.row, self.column) == (&other.table, &other.row, other.column)
    }
}

impl std::fmt::Display for Regression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Regression { table, row, column, was, allowed, is } = self;
        write!(f, "{table}, {row}, {column}: {is:.2}; it was {was:.2}, {allowed:.2} is allowed")
    }
}

/// What is to be recorded, over what was: a table that was not measured stays as it is.
pub fn record(tables: &[Table], rows: &[&str], before: &str) -> Result<String, Error> {
    let mut recorded = match before.trim() {
        "" => Recorded::new(),
        text => read(text)?,
    };
    for table in tables {
        let mut kept = BTreeMap::new();
        for (row, values) in &table.rows {
            let values = table.columns.iter().zip(values);
            let values = values.filter(|(column, _)| !matches!(column.slack, Slack::Any));
            let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
            let values = values
                .filter_map(|(column, value)| Some((column.name.to_string(), rounded((*value)?))));
            if rows.contains(&row.as_str()) {
                kept.insert(row.clone(), values.collect());
            }
        }
        recorded.insert(table.name.clone(), kept);
    }
    let value = serde_json::to_value(recorded).unwrap_or(Value::Null);
    Ok(format!("{value:#}\n"))
}

/// All that is worse; what was not measured, or is not recorded, is not compared. The second is how
/// many figures were.
pub fn compare(tables: &[Table], recorded: &str) -> Result<(Vec<Regression>, usize), Error> {
    let (mut worse, mut compared) = (Vec::new(), 0);
    let recorded = read(recorded)?;
    for table in tables {
        for (row, values) in recorded.get(&table.name).into_iter().flatten() {
            for column in table.columns {
                let (Some(&was), Some(is)) =
                    (values.get(column.name), table.value(row, column.name))
                else {
                    continue;
                };
                let allowed = match column.slack {
                    Slack::Any => continue,
                    Slack::Share(share) => was * (1.0 + share),
                    Slack::Count(count) => was + count,
                };
                compared += 1;
                if is > allowed {
                    let (table, row, column) = (table.name.clone(), row.clone(), column.name);
                    worse.push(Regression { table, row, column, was, allowed, is });
                }
            }
        }
    }
    Ok((worse, compared))
}

fn read(text: &str) -> Result<Recorded, Error> {
    serde_json::from_str(text).map_err(|error| {
        Error::Verdict(format!("what is recorded is no table of figures: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::table::Column;

    const COLUMNS: &[Column] = &[
        Column::new("µs", 0, Slack::Any),
        Column::new("x", 2, Slack::Share(0.15)),
        Column::new("calls", 0, Slack::Count(4.0)),
    ];

    fn table(us: f64, ratio: f64, calls: f64) -> Table {
        let mut table = Table::new("start", COLUMNS);
        table.push("ours", vec![us, ratio, calls]);
        table.push("theirs", vec![us, 9.0, 9.0]);
        table
    }

    #[test]
    fn noise_is_no_regression_and_fifty_calls_are_one() {
        let recorded = record(&[table(900.0, 1.2, 285.0)], &["ours"], "").unwrap();
        let compare = |table| compare(&[table], &recorded).unwrap();
        assert_eq!(compare(table(5000.0, 1.35, 287.0)), (Vec::new(), 2));
        let (worse, _) = compare(table(900.0, 1.2, 335.0));
        assert_eq!((worse.len(), worse[0].column, worse[0].allowed), (1, "calls", 289.0));
        let (worse, _) = compare(table(900.0, 1.4, 285.0));
        assert_eq!((worse.len(), worse[0].column), (1, "x"));
    }

    #[test]
    fn what_was_not_measured_stays_recorded_and_is_not_compared() {
        let first = record(&[table(900.0, 1.2, 285.0)], &["ours"], "").unwrap();
        let both = record(&[Table::new("size", COLUMNS)], &["ours"], &first).unwrap();
        assert_eq!(compare(&[table(1.0, f64::NAN, 285.0)], &both).unwrap(), (Vec::new(), 1));
        assert!(compare(&[], "no json").is_err());
    }
}
