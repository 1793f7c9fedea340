//! The table of attacks: what each came to in every mode, beside what it comes to where nothing is
//! in its way.
//!
//! The suite tells each attempt in a line: `ATTACK WORDS<tab>PLACE<tab>RESULT`. A place is `host`,
//! `mode NAME`, or the launcher's options, by which a wall was taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::tally::Row;
use crate::console;
use crate::failure::{At, Error};
use crate::workspace;

/// One line.
#[derive(Debug, PartialEq)]
pub struct Attempt {
    words: String,
    place: String,
    found: String,
}

impl Attempt {
    /// None: a line of something else.
    pub fn read(line: &str) -> Option<Attempt> {
        let mut fields = line.strip_prefix("ATTACK ")?.split('\t').map(str::to_string);
        Some(Attempt { words: fields.next()?, place: fields.next()?, found: fields.next()? })
    }

    fn mode(&self) -> Option<&str> {
        self.place.strip_prefix("mode ")
    }
}

/// Writes it to the target directory, if there was an attack.
pub fn write(rows: &[Row]) -> Result<(), Error> {
    let table = table(rows);
    if table.is_empty() {
        return Ok(());
    }
    let path = workspace::target_dir().join("attacks.md");
    fs::write(&path, table).at("write", &path)?;
    console::print(&format!("\nattacks, by mode: {}", path.display()))
}

fn table(rows: &[Row]) -> String {
    let mut columns = Vec::<String>::new();
    let mut cells = BTreeMap::<(&str, String), BTreeSet<&str>>::new();
    let mut controls = BTreeMap::<&str, BTreeSet<(u8, String)>>::new();
    for row in rows {
        for attempt in &row.tally.attacks {
            let words = attempt.words.as_str();
            controls.entry(words).or_default();
            let Some(mode) = attempt.mode() else {
                controls.entry(words).or_default().insert(control(attempt));
                continue;
            };
            let column = format!("{} {mode}", row.name);
            if !columns.contains(&column) {
                columns.push(column.clone());
            }
            cells.entry((words, column)).or_default().insert(&attempt.found);
        }
    }
    if columns.is_empty() {
        return String::new();
    }
    let mut text = format!("| attempt | with nothing in the way | {} |\n", columns.join(" | "));
    text += &format!("|---|---|{}\n", "---|".repeat(columns.len()));
    let is_attack = |words: &str| cells.keys().any(|(attack, _)| *attack == words);
    for (words, found) in controls.into_iter().filter(|(words, _)| is_attack(words)) {
        let control = found.first().map_or("", |(_, text)| text);
        text += &format!("| `{words}` | {control} |");
        for column in &columns {
            let found = cells.get(&(words, column.clone()));
            let found = found.map(|all| all.iter().copied().collect::<Vec<_>>().join(", "));
            text += &format!(" {} |", found.unwrap_or_default());
        }
        text += "\n";
    }
    text
}

/// The text, behind a number by which the best comes first: that of the host, or else one that
/// worked.
fn control(attempt: &Attempt) -> (u8, String) {
    // An address that nothing is at, or arguments that mean nothing, are looked at behind the wall.
    let works = ["ok", "out", "outside", "EBUSY", "EFAULT", "EIO", "EINVAL", "ENODEV"]
        .contains(&attempt.found.as_str());
    match (attempt.place.as_str(), works) {
        ("host", true) => (0, attempt.found.clone()),
        ("host", false) => (2, attempt.found.clone()),
        ("", _) => (4, String::new()),
        (options, works) => (if works { 1 } else { 3 }, format!("{} (`{options}`)", attempt.found)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::test::tally::{Skips, Tally};

    #[test]
    fn an_attack_has_a_line_and_a_mode_a_column() {
        let mut tally = Tally::default();
        for line in [
            "ATTACK open /x\tmode auto\tEPERM",
            "ATTACK open /x\tmode single\tEACCES",
            "ATTACK open /x\t--cap-add=ALL\tENOENT",
            "ATTACK open /x\thost\tok",
            "ATTACK a\tmode auto\tESRCH",
            "ATTACK for another\thost\tok",
            "no ATTACK",
        ] {
            tally.count(line);
        }
        let (time, skips) = (Duration::ZERO, Skips::Allowed);
        let rows = [Row { name: "root".into(), tally, time, success: true, skips }];
        assert_eq!(
            table(&rows),
            "| attempt | with nothing in the way | root auto | root single |\n\
             |---|---|---|---|\n\
             | `a` |  | ESRCH |  |\n\
             | `open /x` | ok | EPERM | EACCES |\n"
        );
        assert_eq!(table(&[]), "");
    }
}
