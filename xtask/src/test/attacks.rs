//! The table of attacks: what each came to in every mode, beside what it comes to where nothing is
//! in its way.
//!
//! The suite tells each attempt in a line: `ATTACK WORDS<tab>PLACE<tab>RESULT`. A place is `host`,
//! `mode NAME`, or the launcher's options, by which a wall was taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::escapes;
use super::tally::Row;
use crate::console;
use crate::failure::{At, Error};
use crate::workspace;

/// One line.
#[derive(Debug, PartialEq)]
pub struct Attempt {
    words: String,
    pub place: String,
    pub found: String,
}

impl Attempt {
    /// None: a line of something else.
    pub fn read(line: &str) -> Option<Attempt> {
        let mut fields = line.strip_prefix("ATTACK ")?.split('\t').map(str::to_string);
        Some(Attempt { words: fields.next()?, place: fields.next()?, found: fields.next()? })
    }

    pub fn mode(&self) -> Option<&str> {
        self.place.strip_prefix("mode ")
    }

    /// The way out that it tries, if that is what it does.
    pub fn escape(&self) -> Option<&str> {
        self.words.strip_prefix("escape ")
    }
}

/// Writes it, and that of the escapes, to the target directory, if there was an attack.
pub fn write(rows: &[Row]) -> Result<(), Error> {
    for (what, name, table) in [
        ("\nattacks, by mode", "attacks.md", table(rows)),
        ("escapes, by machine", "escapes.md", escapes::table(rows)),
    ] {
        if !table.is_empty() {
            let path = workspace::target_dir().join(name);
            fs::write(&path, table).at("write", &path)?;
            console::print(&format!("{what}: {}", path.display()))?;
        }
    }
    Ok(())
}

/// A column for each run of the suite.
fn table(rows: &[Row]) -> String {
    let mut controls = BTreeMap::<&str, BTreeSet<(u8, String)>>::new();
    let mut cells = BTreeMap::<&str, Vec<Vec<(&str, &str)>>>::new();
    for (column, row) in rows.iter().enumerate() {
        for attempt in &row.tally.attacks {
            let words = attempt.words.as_str();
            match attempt.mode() {
                None => drop(controls.entry(words).or_default().insert(control(attempt))),
                Some(mode) => {
                    let line = cells.entry(words).or_insert_with(|| vec![Vec::new(); rows.len()]);
                    line[column].push((mode, attempt.found.as_str()));
                }
            }
        }
    }
    if cells.is_empty() {
        return String::new();
    }
    let names = rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>();
    let mut text = format!("| attempt | with nothing in the way | {} |\n", names.join(" | "));
    text += &format!("|---|---|{}\n", "---|".repeat(names.len()));
    for (words, line) in cells {
        let control = controls.get(words).and_then(BTreeSet::first);
        let control = control.filter(|(_, text)| !text.is_empty());
        let control = control.map_or_else(|| why_none(words), |(_, text)| text);
        let line = line.iter().map(|found| in_short(found)).collect::<Vec<_>>();
        text += &format!("| `{words}` | {control} | {} |\n", line.join(" | "));
    }
    text
}

/// Why an attempt is seen to work nowhere.
fn why_none(words: &str) -> &'static str {
    match words {
        "escape unshare" | "escape pivot" | "escape move" => "leaves no usual root",
        "a descriptor of the launcher's to start in" => "none is left open",
        "a set-user-id launcher to be traced" => "it has no such bit",
        "a file for the host to run, by --bind DIR:/tmp:ro" => "as without `ro`",
        _ if words.starts_with("a file for the host to run") => "the result is whose it is",
        "paste" => "needs a virtual console",
        "type-own" => "takes the terminal from who has it",
        "create /sys/fs/cgroup/release_agent /x" => "no cgroup v1 is mounted",
        _ if words.starts_with("nested ") => "as without `nested`",
        _ if words.starts_with("open /sys/fs/cgroup") => "no cgroups are mounted",
        _ if words.starts_with("mkdir /sys/fs/cgroup") => "no cgroups are mounted",
        _ => "not to be had here",
    }
}

/// One result, if it is that of every mode.
fn in_short(found: &[(&str, &str)]) -> String {
    match found {
        [] => String::new(),
        [(_, first), rest @ ..] if rest.iter().all(|(_, other)| other == first) => (*first).into(),
        all => {
            let all = all.iter().map(|(mode, found)| format!("{mode} {found}"));
            all.collect::<Vec<_>>().join(", ")
        }
    }
}

/// The text, behind a number by which the best comes first: that of the host, or else one that
/// worked.
fn control(attempt: &Attempt) -> (u8, String) {
    // An address that nothing is at, or arguments that mean nothing, are looked at behind the wall.
    let works = [
        "ok",
        "out",
        "outside",
        "the container's end",
        "E2BIG",
        "EBADF",
        "EBUSY",
        "EFAULT",
        "EIO",
        "EINVAL",
        "ENODEV",
        "ENOEXEC",
        "ETXTBSY",
    ];
    let works = works.contains(&attempt.found.as_str());
    match (attempt.place.as_str(), works) {
        ("host", true) => (0, attempt.found.clone()),
        ("host", false) => (2, attempt.found.clone()),
        ("", _) => (4, String::new()),
        (options, works) => (if works { 1 } else { 3 }, format!("{} (`{options}`)", attempt.found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_has_a_line_and_a_run_a_column() {
        let lines = [
            "ATTACK open /x\tmode auto\tEPERM",
            "ATTACK open /x\tmode single\tEACCES",
            "ATTACK open /x\t--cap-add=ALL\tENOENT",
            "ATTACK open /x\thost\tok",
            "ATTACK a\tmode auto\tESRCH",
            "ATTACK for another\thost\tok",
            "no ATTACK",
        ];
        assert_eq!(
            table(&[Row::of("root", &lines)]),
            "| attempt | with nothing in the way | root |\n\
             |---|---|---|\n\
             | `a` | not to be had here | ESRCH |\n\
             | `open /x` | ok | auto EPERM, single EACCES |\n"
        );
        assert_eq!(table(&[]), "");
    }
}
