//! `cargo xtask bench`: how fast and how small, beside the kernel's own floor and other launchers.
//!
//! Run by a developer. All commands of a table run in turn, round by round, so a ratio to the
//! floor in the same round holds on a machine that has other things to do; a time alone does not.
//! What runs inside is a program of two system calls (`bench/tiny.rs`): a busybox would cost more
//! than the container.

mod bundle;
mod contender;
mod crowd;
mod field;
mod guard;
mod idle;
mod instructions;
mod plot;
mod sample;
mod scale;
mod size;
mod start;
mod subject;
mod syscalls;
mod table;
mod tiny;
mod toil;

use std::fs;
use std::path::{Path, PathBuf};

use argh::{FromArgValue, FromArgs};
use serde_json::{Map, json};

use crate::console;
use crate::failure::{At, Error};
use crate::host;
use crate::test::stage::Stage;
use crate::workspace;
pub use contender::LAUNCHER;
use contender::{FLOOR, INITS, NO_INIT, OURS, PEERS};
use field::{Field, Way};
use idle::{Load, Machine};
pub use subject::{Bench, Inside, Who};
use table::Table;

/// Measure starts beside the floor and other launchers: time, cost, scale and size. Others take
/// part if they are on PATH; who does not is told with the reason. LAUNCHER and INIT in the
/// environment replace what would be built.
#[derive(FromArgs)]
#[argh(subcommand, name = "bench")]
pub struct BenchTask {
    /// how often each command runs (default: 200); what takes long runs a tenth as often
    #[argh(option, default = "200")]
    rounds: u32,
    /// measure this alone: start, scale, size or init; repeatable
    #[argh(option)]
    only: Vec<Part>,
    /// write the figures to this file, too
    #[argh(option)]
    json: Option<PathBuf>,
    /// draw the starts into this file, as SVG
    #[argh(option)]
    plot: Option<PathBuf>,
    /// compare ours with what tests/bench.json records (without `--only`: start, size and init);
    /// others are left out. Exit code 1 if anything is worse, twice
    #[argh(switch)]
    check: bool,
    /// record what was measured of ours in tests/bench.json
    #[argh(switch)]
    record: bool,
}

/// What can be measured for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Start,
    Scale,
    Size,
    Init,
}

const PARTS: [(&str, Part); 4] =
    [("start", Part::Start), ("scale", Part::Scale), ("size", Part::Size), ("init", Part::Init)];

/// A file whose owner is put back in the end: root's runc gives what its standard descriptors are to the
/// container's root.
struct Kept<'a> {
    path: &'a Path,
    owner: (u32, u32),
}

impl Kept<'_> {
    fn of(path: &Path) -> Result<Kept<'_>, Error> {
        Ok(Kept { path, owner: host::owner(&fs::metadata(path).at("read", path)?) })
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let is_other = |now: &fs::Metadata| host::owner(now) != self.owner;
        if fs::metadata(self.path).as_ref().is_ok_and(is_other)
            && let Err(cause) =
                host::change_owner(self.path, Some(self.owner.0), Some(self.owner.1))
        {
            console::progress(&format!(
                "cannot put back the owner of {}: {cause}",
                self.path.display()
            ));
        }
    }
}

impl FromArgValue for Part {
    fn from_arg_value(word: &str) -> Result<Part, String> {
        let part = PARTS.iter().find(|(name, _)| *name == word).map(|(_, part)| *part);
        part.ok_or_else(|| format!("{word} is none of start, scale, size and init"))
    }
}

impl BenchTask {
    /// Runs the task.
    pub fn run(self) -> Result<(), Error> {
        if self.rounds == 0 {
            return Err(Error::Misuse("--rounds 0 measures nothing".into()));
        }
        let stage = Stage::open()?;
        let bench = Bench::on_stage(&stage)?;
        let machine = Machine::look()?;
        let before = Load::measure()?;
        let null = Kept::of(Path::new("/dev/null"))?;
        let tables = self.measure(&bench)?;
        drop(null);
        let after = Load::measure()?;
        tables.iter().try_for_each(|table| console::print(&format!("\n{}", table.markdown())))?;
        let where_and_when = format!("{machine}; {before} before, {after} after");
        console::print(&where_and_when)?;
        if let Some(path) = &self.json {
            let all = tables.iter().map(|table| (table.name.clone(), table.json()));
            let all = json!({ "machine": where_and_when, "tables": all.collect::<Map<_, _>>() });
            fs::write(path, format!("{all:#}\n")).at("write", path)?;
        }
        if let Some(path) = &self.plot {
            let below = format!("times the floor, medians of {} rounds; {machine}", self.rounds);
            fs::write(path, plot::svg(&tables, "x", &below)).at("write", path)?;
        }
        if self.record {
            record(&tables)?;
        }
        if self.check { self.compare(&bench, &tables) } else { Ok(()) }
    }

    fn measures(&self, part: Part) -> bool {
        match &self.only[..] {
            [] => !(self.check && part == Part::Scale),
            only => only.contains(&part),
        }
    }

    fn measure(&self, bench: &Bench) -> Result<Vec<Table>, Error> {
        let peers = if self.check { &[] } else { PEERS };
        let inits = if self.check { &INITS[..1] } else { INITS };
        let mut tables = Vec::new();
        let mut fields = Vec::new();
        for who in bench.everybody() {
            let all = std::iter::once(&FLOOR).chain(OURS).chain(peers);
            let field = Field::new(bench, Way::Container(who), all)?;
            let first = tables.len();
            let name = |what: &str| format!("{what}, {}", who.words());
            if self.measures(Part::Start) {
                tables.push(start::measure(bench, &field, name("start"), self.rounds)?);
            }
            if self.measures(Part::Scale) {
                tables.push(scale::rates(bench, &field, name("starts"), self.rounds)?);
                let names = (name("start in company"), name("each of 1000 that stay"));
                tables.extend(scale::company(bench, &field, self.rounds, names)?);
            }
            if self.measures(Part::Size) {
                tables.push(size::held(bench, &field, name("held"))?);
            }
            add_notes(&mut tables[first..], &field);
            fields.push(field);
        }
        if self.measures(Part::Init) && bench.is_root() {
            let all = std::iter::once(&NO_INIT).chain(inits);
            let field = Field::new(bench, Way::Pid1, all)?;
            let first = tables.len();
            tables.push(start::measure(bench, &field, "init as PID 1".into(), self.rounds)?);
            tables.push(size::held(bench, &field, "held by an init".into())?);
            tables.push(toil::measure(bench, &field, "work of an init".into(), self.rounds)?);
            add_notes(&mut tables[first..], &field);
            fields.push(field);
        }
        if self.measures(Part::Size) {
            tables.push(size::on_disk(bench, &fields)?);
        }
        Ok(tables)
    }

    /// What is worse is measured again: noise does not strike twice in the same place.
    fn compare(&self, bench: &Bench, tables: &[Table]) -> Result<(), Error> {
        let path = recorded_path();
        let recorded = fs::read_to_string(&path).at("read", &path)?;
        let (worse, compared) = guard::compare(tables, &recorded)?;
        if compared == 0 {
            return Err(Error::Verdict("nothing that was measured is recorded".into()));
        }
        let mut still_worse = Vec::new();
        if !worse.is_empty() {
            console::progress(&format!("{} figures are worse; once more", worse.len()));
            let again = guard::compare(&self.measure(bench)?, &recorded)?.0;
            let before = |one: &guard::Regression| worse.iter().any(|other| other.is_of(one));
            still_worse.extend(again.into_iter().filter(before));
        }
        still_worse.iter().try_for_each(|one| console::print(&one.to_string()))?;
        match still_worse.len() {
            0 => console::print(&format!("{compared} figures are as good as recorded")),
            count => Err(Error::Verdict(format!("{count} of {compared} figures are worse"))),
        }
    }
}

/// Command lines, and who does not take part, are said once.
fn add_notes(tables: &mut [Table], field: &Field<'_>) {
    if let Some(table) = tables.first_mut() {
        table.notes.extend(field.notes.iter().cloned());
    }
}

fn record(tables: &[Table]) -> Result<(), Error> {
    let path = recorded_path();
    let before = fs::read_to_string(&path).unwrap_or_default();
    let ours = OURS.iter().chain(&INITS[..1]).map(|one| one.name).collect::<Vec<_>>();
    fs::write(&path, guard::record(tables, &ours, &before)?).at("write", &path)
}

fn recorded_path() -> PathBuf {
    workspace::root().join("tests/bench.json")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn owner_is_put_back() {
        let path = std::env::temp_dir().join(format!("xtask-kept-{}", std::process::id()));
        fs::write(&path, "").unwrap();
        let owner = || host::owner(&fs::metadata(&path).unwrap());
        let before = owner();
        let kept = Kept::of(&path).unwrap();
        // Only root can give files away; for others nothing changes.
        let given = host::change_owner(&path, Some(4711), Some(4711));
        assert_eq!(given.is_ok(), owner() == (4711, 4711));
        drop(kept);
        let after = owner();
        fs::remove_file(&path).unwrap();
        assert_eq!(after, before);
    }
}
