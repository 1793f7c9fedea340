//! The table of escapes, a line for each run of the suite: which ways lead out of the roots that are
//! usually made where pivot_root(2) is refused, and what they come to in ours.

use std::collections::BTreeSet;
use std::fs;

use super::attacks::Attempt;
use super::tally::Row;
use crate::console;
use crate::failure::{At, Error};
use crate::workspace;

/// How the suite calls those roots, and what a reader does.
const CUTS: [(&str, &str); 3] = [
    ("chroot", "chroot alone"),
    ("move", "MS_MOVE over `/` and chroot"),
    ("pivot", "`/` bound over itself, chroot, pivot_root"),
];

/// Writes it to the target directory, if there was an escape.
pub fn write(rows: &[Row]) -> Result<(), Error> {
    let table = table(rows);
    if table.is_empty() {
        return Ok(());
    }
    let path = workspace::target_dir().join("escapes.md");
    fs::write(&path, table).at("write", &path)?;
    console::print(&format!("escapes, by machine: {}", path.display()))
}

fn table(rows: &[Row]) -> String {
    let lines: String = rows.iter().filter_map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    let names = CUTS.map(|(_, name)| format!("out of {name}")).join(" | ");
    format!("| run | {names} | out of ours |\n|---|---|---|---|---|\n{lines}")
}

/// None: it tried no escape.
fn line(row: &Row) -> Option<String> {
    let escapes = || row.tally.attacks.iter().filter_map(|a| Some((a.escape()?, a)));
    let out = |is_place: &dyn Fn(&Attempt) -> bool| {
        let found = escapes().filter(|(_, a)| is_place(a) && a.found == "out");
        let ways: BTreeSet<&str> = found.map(|(way, _)| way).collect();
        ways.into_iter().collect::<Vec<_>>().join(", ")
    };
    let tried: BTreeSet<&str> =
        escapes().filter(|(_, a)| a.mode().is_some()).map(|(way, _)| way).collect();
    if tried.is_empty() {
        return None;
    }
    let usual = CUTS.map(|(cut, _)| out(&|a| a.place == format!("root by {cut}"))).join(" | ");
    let ours = match out(&|a| a.mode().is_some()) {
        none if none.is_empty() => format!("none of {}", tried.len()),
        some => some,
    };
    Some(format!("| {} | {usual} | {ours} |\n", row.name))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::test::tally::{Skips, Tally};

    #[test]
    fn a_run_has_a_line_with_what_leads_out() {
        let mut tally = Tally::default();
        for line in [
            "ATTACK escape umount\troot by move\tout",
            "ATTACK escape setns\troot by move\tin",
            "ATTACK escape setns\troot by chroot\tout",
            "ATTACK escape umount\tmode auto\tin",
            "ATTACK escape setns\tmode auto\tin",
            "ATTACK open /x\tmode auto\tout",
        ] {
            tally.count(line);
        }
        let row = |name: &str, tally| {
            let (time, skips) = (Duration::ZERO, Skips::Allowed);
            Row { name: name.into(), tally, time, success: true, skips }
        };
        let table = table(&[row("6.1 root", tally), row("unit", Tally::default())]);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(lines, ["| 6.1 root | setns | umount |  | none of 2 |"]);
    }
}
