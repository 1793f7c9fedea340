//! Memory that is held while the command runs, and bytes on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::crowd::Crowd;
use super::field::Field;
use super::subject::{Bench, Inside};
use super::table::{Column, Slack, Table};
use crate::console;
use crate::failure::{At, Error};
use crate::vm::libraries;

/// Of what waits while the command runs, which is not counted itself.
const HELD: &[Column] = &[
    Column::new("PSS KiB", 0, Slack::Count(12.0)),
    Column::new("processes", 0, Slack::Count(0.0)),
];

/// `libraries` are the shared ones and their loader.
const ON_DISK: &[Column] = &[
    Column::new("KiB", 1, Slack::Share(0.02)),
    Column::new("KiB with libraries", 1, Slack::Share(0.02)),
    Column::new("files", 0, Slack::Count(0.0)),
];

/// Until then a launcher may give back what it does not need.
const SETTLED: Duration = Duration::from_millis(500);

pub fn held(bench: &Bench, field: &Field<'_>, name: String) -> Result<Table, Error> {
    console::progress(&name);
    let mut table = Table::new(name, HELD);
    for runner in &field.runners {
        let name = runner.contender.name;
        let Some(words) = field.line(bench, runner.contender, Inside::Hold) else { continue };
        match Crowd::start(bench, field, 1, &words)? {
            Some(crowd) => {
                thread::sleep(SETTLED);
                let held = crowd.held()?;
                table.push(name, vec![held.pss, held.processes as f64]);
            }
            None => table.notes.push(format!("- {name}: does not stay")),
        }
    }
    Ok(table)
}

/// Of ours, and of the programs of all the fields.
pub fn on_disk(bench: &Bench, fields: &[Field<'_>]) -> Result<Table, Error> {
    let mut table = Table::new("on disk", ON_DISK);
    let mut add = |name: &str, programs: Vec<PathBuf>| -> Result<(), Error> {
        let mut files = BTreeMap::new();
        for program in &programs {
            files.insert(program.clone(), length(program)?);
        }
        let own = files.values().sum::<f64>();
        for program in &programs {
            for library in libraries::of(program)? {
                let file = library.file.canonicalize().at("look up", &library.file)?;
                let length = length(&file)?;
                files.insert(file, length);
            }
        }
        table.push(name, vec![own, files.values().sum(), files.len() as f64]);
        Ok(())
    };
    add("launcher", vec![bench.launcher.clone()])?;
    add("init", vec![bench.init.clone()])?;
    let mut seen = Vec::new();
    for runner in fields.iter().flat_map(|field| &field.runners) {
        let contender = runner.contender;
        if !contender.programs.is_empty() && !seen.contains(&contender.name) {
            seen.push(contender.name);
            let programs = contender.programs.iter().filter_map(|name| bench.find(name));
            add(contender.name, programs.collect())?;
        }
    }
    Ok(table)
}

fn length(file: &PathBuf) -> Result<f64, Error> {
    Ok(fs::metadata(file).at("look at", file)?.len() as f64 / 1024.0)
}
