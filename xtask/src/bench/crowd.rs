//! Containers that stay, and what memory they hold.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use super::field::{Field, Way};
use super::subject::Bench;
use crate::failure::{At, Error};
use crate::program;

/// They end when it is dropped.
pub struct Crowd {
    child: Child,
    way: Way,
}

/// What is held beside the commands themselves.
#[derive(Debug, Default, PartialEq)]
pub struct Held {
    pub processes: usize,
    /// Proportional set size, in KiB: of a page that several have mapped, each has a share.
    pub pss: f64,
}

impl Crowd {
    /// So many of `words`, when the command runs in each; None if one of them does not come up.
    pub fn start(
        bench: &Bench,
        field: &Field<'_>,
        count: u32,
        words: &[String],
    ) -> Result<Option<Crowd>, Error> {
        let mut crowd = bench.runner(field.way.who(), &bench.crowd);
        crowd.arg("containers").arg(count.to_string());
        if field.way == Way::Pid1 {
            crowd.args(["unshare", "--pid", "--fork", "--"]);
        }
        crowd.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = crowd.spawn().map_err(|cause| program::not_started(&crowd, cause))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line).at("read from", &bench.crowd)?;
        }
        let crowd = Crowd { child, way: field.way };
        Ok((line == "ready\n").then_some(crowd))
    }

    /// Of all that descends from it.
    pub fn held(&self) -> Result<Held, Error> {
        let mut held = Held::default();
        for pid in descendants(self.child.id())? {
            let place = Path::new("/proc").join(pid.0.to_string());
            let exe = fs::read_link(place.join("exe")).unwrap_or_default();
            // The command itself, and what made the namespace.
            if exe.ends_with("bin/hold") || self.way == Way::Pid1 && pid.1 == self.child.id() {
                continue;
            }
            let rollup = place.join("smaps_rollup");
            let text = fs::read_to_string(&rollup).at("read", &rollup)?;
            held.processes += 1;
            held.pss += field_of(&text, "Pss:").unwrap_or(f64::NAN);
        }
        Ok(held)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Nothing can be done about one that does not end.
        let _ = self.child.wait();
    }
}

/// The memory that programs could have, in KiB.
pub fn available_memory() -> Result<f64, Error> {
    let path = Path::new("/proc/meminfo");
    let text = fs::read_to_string(path).at("read", path)?;
    Ok(field_of(&text, "MemAvailable:").unwrap_or(f64::NAN))
}

/// `Pss:    123 kB`
fn field_of(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Pids below `top`, each with its parent's.
fn descendants(top: u32) -> Result<Vec<(u32, u32)>, Error> {
    let folder = Path::new("/proc");
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    for entry in fs::read_dir(folder).at("read", folder)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that is gone by now is nobody's child.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some(parent) = parent_of(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut parents = vec![top];
    while let Some(parent) = parents.pop() {
        for &child in children.get(&parent).into_iter().flatten() {
            found.push((child, parent));
            parents.push(child);
        }
    }
    Ok(found)
}

/// proc_pid_stat(5): behind the name, which may hold anything, the state and the parent's pid.
fn parent_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_stands_behind_any_name() {
        assert_eq!(parent_of("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(parent_of(""), None);
    }

    #[test]
    fn fields_are_read() {
        let text = "00400000-7ffd [rollup]\nRss:       80 kB\nPss:       64 kB\n";
        assert_eq!(field_of(text, "Pss:"), Some(64.0));
        assert_eq!(field_of(text, "Swap:"), None);
    }
}
