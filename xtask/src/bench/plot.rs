//! The starts as bars, in SVG: how many times the floor each takes. Pure.

use super::table::Table;

const WIDTH: f64 = 720.0;
/// Names stand left of this.
const LEFT: f64 = 190.0;
/// And behind the longest bar its value.
const RIGHT: f64 = 60.0;
const LINE: f64 = 20.0;
/// What the axis ends with, as a multiple of the floor.
const LEAST_END: f64 = 10.0;

/// Of the tables that have this column; `below` says where and when it was measured. Lengths are
/// logarithms, for some take a hundred times as long as others.
pub fn svg(tables: &[Table], column: &str, below: &str) -> String {
    let shown = |table: &&Table| table.columns.iter().any(|one| one.name == column);
    let tables = tables.iter().filter(shown).collect::<Vec<_>>();
    let values = |table: &Table| {
        let value = |(row, _): &(String, _)| Some((row.clone(), table.value(row, column)?));
        table.rows.iter().filter_map(value).collect::<Vec<_>>()
    };
    let all = tables.iter().flat_map(|table| values(table)).map(|(_, value)| value);
    let (least, most) = all.fold((1.0f64, LEAST_END), |(a, b), value| (a.min(value), b.max(value)));
    let scale = (WIDTH - LEFT - RIGHT) / (most / least).ln();
    let place = |value: f64| LEFT + (value / least).ln() * scale;
    let mut body = String::new();
    let mut y = LINE;
    for table in tables {
        body += &text(8.0, y, "start", "bold", &table.name);
        y += 6.0;
        for (row, value) in values(table) {
            let colour =
                if row.starts_with("launcher") || row == "init" { "#2a78b8" } else { "#999" };
            // A bar begins at the floor, and what takes less goes to the left.
            let (from, to) = (place(value.min(1.0)), place(value.max(1.0)));
            let width = (to - from).max(1.0);
            body += &format!(
                "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"14\" fill=\"{colour}\"/>\n"
            );
            body += &text(from.min(LEFT) - 6.0, y + 11.0, "end", "normal", &row);
            body += &text(to + 5.0, y + 11.0, "start", "normal", &format!("{value:.2}"));
            y += LINE;
        }
        y += LINE * 1.5;
    }
    body += &text(8.0, y, "start", "normal", below);
    y += LINE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

fn text(x: f64, y: f64, anchor: &str, weight: &str, what: &str) -> String {
    let what = what.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\">{what}</text>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::table::{Column, Slack};

    #[test]
    fn each_row_with_a_value_is_a_bar() {
        const COLUMNS: &[Column] = &[Column::new("x", 2, Slack::Any)];
        let mut table = Table::new("start <as root>", COLUMNS);
        table.push("floor", vec![1.0]);
        table.push("launcher", vec![1.1]);
        table.push("gone", vec![f64::NAN]);
        let svg = svg(&[table], "x", "Linux");
        assert_eq!(svg.matches("<rect x=").count(), 2);
        assert!(svg.contains("start &lt;as root>") && svg.contains(">1.10<"));
    }
}
