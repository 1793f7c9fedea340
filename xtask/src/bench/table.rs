//! Figures as a table: rows, columns, and what has to be said beside them. Pure.

use serde_json::{Map, Value, json};

/// How much worse than recorded a figure may be before `--check` calls it a regression.
#[derive(Clone, Copy)]
pub enum Slack {
    /// It depends on the machine, and is not compared.
    Any,
    /// A ratio: by this share of it.
    Share(f64),
    /// A count: by so many.
    Count(f64),
}

/// A figure that each row has. The less, the better.
pub struct Column {
    pub name: &'static str,
    pub decimals: usize,
    pub slack: Slack,
}

impl Column {
    pub const fn new(name: &'static str, decimals: usize, slack: Slack) -> Column {
        Column { name, decimals, slack }
    }
}

pub struct Table {
    pub name: String,
    pub columns: &'static [Column],
    /// A name, and a value for each column; None where there is none.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
    pub notes: Vec<String>,
}

impl Table {
    pub fn new(name: impl Into<String>, columns: &'static [Column]) -> Table {
        Table { name: name.into(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// NaN is no value.
    pub fn push(&mut self, row: impl Into<String>, values: Vec<f64>) {
        let values = values.into_iter().map(|value| value.is_finite().then_some(value));
        self.rows.push((row.into(), values.collect()));
    }

    pub fn value(&self, row: &str, column: &str) -> Option<f64> {
        let at = self.columns.iter().position(|one| one.name == column)?;
        let (_, values) = self.rows.iter().find(|(name, _)| name == row)?;
        values.get(at).copied().flatten()
    }

    /// As Markdown, which is also easy to read as it is.
    pub fn markdown(&self) -> String {
        let head = std::iter::once(self.name.clone());
        let head = head.chain(self.columns.iter().map(|column| column.name.to_string())).collect();
        let body = self.rows.iter().map(|(name, values)| {
            let cells = self.columns.iter().zip(values).map(|(column, value)| match value {
                Some(value) => format!("{value:.*}", column.decimals),
                None => "-".to_string(),
            });
            std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>()
        });
        let lines = std::iter::once(head).chain(body).collect::<Vec<_>>();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
        let widths = (0..=self.columns.len()).map(|at| width(at).unwrap_or(0)).collect::<Vec<_>>();
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            text += &format!("| {:<1$} |", line[0], widths[0]);
            for (cell, width) in line.iter().zip(&widths).skip(1) {
                text += &format!(" {cell:>width$} |");
            }
            text.push('\n');
            if index == 0 {
                text += &format!("|{}|", "-".repeat(widths[0] + 2));
                widths[1..]
                    .iter()
                    .for_each(|width| text += &format!("{}:|", "-".repeat(width + 1)));
                text.push('\n');
            }
        }
        self.notes.iter().for_each(|note| text += &format!("\n{note}"));
        if self.notes.is_empty() { text } else { text + "\n" }
    }

    pub fn json(&self) -> Value {
        let row = |(name, values): &(String, Vec<Option<f64>>)| {
            let values = self.columns.iter().zip(values);
            let values = values.filter_map(|(column, value)| Some((column, (*value)?)));
            let values = values.map(|(column, value)| (column.name.to_string(), json!(value)));
            (name.clone(), Value::Object(values.collect()))
        };
        let rows = self.rows.iter().map(row).collect::<Map<_, _>>();
        json!({ "rows": rows, "notes": self.notes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[Column::new("x", 2, Slack::Share(0.1)), Column::new("calls", 0, Slack::Count(3.0))];

    fn table() -> Table {
        let mut table = Table::new("start", COLUMNS);
        table.push("floor", vec![1.0, 102.0]);
        table.push("other", vec![2.345, f64::NAN]);
        table.notes.push("other: not counted".into());
        table
    }

    #[test]
    fn table_is_markdown() {
        let expected = "| start |    x | calls |\n\
            |-------|-----:|------:|\n\
            | floor | 1.00 |   102 |\n\
            | other | 2.35 |     - |\n\
            \nother: not counted\n";
        assert_eq!(table().markdown(), expected);
    }

    #[test]
    fn values_are_found_and_those_that_are_not_there_left_out() {
        assert_eq!(table().value("other", "x"), Some(2.345));
        assert_eq!(table().value("other", "calls"), None);
        assert_eq!(table().json()["rows"]["other"], json!({ "x": 2.345 }));
    }
}
