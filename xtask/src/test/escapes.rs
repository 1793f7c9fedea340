//! The table of escapes, a line for each run of the suite: which ways lead out of the roots that are
//! usually made where pivot_root(2) is refused, and what they come to in ours.

use std::collections::BTreeSet;

use super::attacks::Attempt;
use super::tally::Row;

/// How the suite calls those roots, and what a reader does.
const CUTS: [(&str, &str); 3] = [
    ("chroot", "chroot alone"),
    ("move", "MS_MOVE over `/` and chroot"),
    ("pivot", "`/` bound over itself, chroot, pivot_root"),
];

/// Empty: there was no escape.
pub fn table(rows: &[Row]) -> String {
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
    use super::*;

    #[test]
    fn a_run_has_a_line_with_what_leads_out() {
        let lines = [
            "ATTACK escape umount\troot by move\tout",
            "ATTACK escape setns\troot by move\tin",
            "ATTACK escape setns\troot by chroot\tout",
            "ATTACK escape umount\tmode auto\tin",
            "ATTACK escape setns\tmode auto\tin",
            "ATTACK open /x\tmode auto\tout",
        ];
        let table = table(&[Row::of("6.1 root", &lines), Row::of("unit", &[])]);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(lines, ["| 6.1 root | setns | umount |  | none of 2 |"]);
    }
}
