//! Which machine it is, and whether it has other things to do: a measurement is quiet only if it had
//! none.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::failure::{At, Error};
use crate::program;

/// How much of the machine's processors was in use for a second, in percent.
pub struct Load(u64);

impl Load {
    /// Looks for a second.
    pub fn measure() -> Result<Load, Error> {
        let before = times()?;
        thread::sleep(Duration::from_secs(1));
        let after = times()?;
        let (busy, all) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        Ok(Load(100 * busy / all.max(1)))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ..=5 => f.write_str("idle"),
            percent => write!(f, "BUSY ({percent} %)"),
        }
    }
}

/// Where and when a measurement was made.
pub struct Machine(String);

impl Machine {
    pub fn look() -> Result<Machine, Error> {
        let path = Path::new("/proc/sys/kernel/osrelease");
        let kernel = std::fs::read_to_string(path).at("read", path)?;
        let processors = thread::available_parallelism().map_or(0, usize::from);
        let date = program::read(Command::new("date").arg("+%F"))?;
        let date = String::from_utf8_lossy(&date);
        let arch = std::env::consts::ARCH;
        let (kernel, date) = (kernel.trim(), date.trim());
        Ok(Machine(format!("Linux {kernel}, {arch}, {processors} processors, {date}")))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first line of /proc/stat: busy ticks, and all.
fn times() -> Result<(u64, u64), Error> {
    let path = Path::new("/proc/stat");
    let text = std::fs::read_to_string(path).at("read", path)?;
    let first = text.lines().next().unwrap_or_default();
    let ticks = first.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok());
    let ticks = ticks.collect::<Vec<u64>>();
    let idle = ticks.iter().skip(3).take(2).sum::<u64>();
    let all = ticks.iter().sum::<u64>();
    Ok((all - idle, all))
}
