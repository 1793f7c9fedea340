//! `--stats`: what the container has used, as its cgroups count it; and how many of its processes
//! the OOM killer has killed.

use std::time::Duration;

use super::cgroup::{Cgroups, Which};
use crate::sys::cgroup;

/// Numbers that no controller counts here are None.
#[derive(Debug, Default)]
pub struct Usage {
    pub wall: Duration,
    /// Microseconds, as all that follow.
    pub user: u64,
    pub system: u64,
    pub memory_peak: Option<u64>,
    pub pids_peak: Option<u64>,
    pub read: Option<u64>,
    pub written: Option<u64>,
    /// How long `--cpus` kept it waiting.
    pub throttled: u64,
    pub oom_kills: Option<u64>,
}

impl Usage {
    /// Reads it when the container has ended, before its cgroups are removed.
    pub fn read(cgroups: Option<&Cgroups<'_>>, wall: Duration) -> Usage {
        // rusage counts those whom init has reaped. The cgroup's numbers, of all, replace it below.
        let (user, system) = cgroup::childrens_time().unwrap_or_default();
        let mut usage = Usage { wall, user, system, ..Usage::default() };
        if let Some(cgroups) = cgroups {
            usage.read_cgroups(cgroups);
        }
        usage
    }

    fn read_cgroups(&mut self, cgroups: &Cgroups<'_>) {
        let outer = |name| cgroups.read(Which::Outer, name);
        let number = |name| outer(name)?.trim().parse().ok();
        let stat = outer(c"cpu.stat").unwrap_or_default();
        if let (Some(user), Some(system)) = (field(&stat, "user_usec"), field(&stat, "system_usec"))
        {
            (self.user, self.system) = (user, system);
        } else if let (Some(user), Some(system)) =
            (number(c"cpuacct.usage_user"), number(c"cpuacct.usage_sys"))
        {
            (self.user, self.system) = (user / 1000, system / 1000);
        }
        let nanos = field(&stat, "throttled_time").map(|nanos| nanos / 1000);
        self.throttled = field(&stat, "throttled_usec").or(nanos).unwrap_or(0);
        self.memory_peak = number(c"memory.peak").or_else(|| number(c"memory.max_usage_in_bytes"));
        self.pids_peak = number(c"pids.peak");
        let transferred =
            outer(c"io.stat").map(|text| (sum(&text, "rbytes="), sum(&text, "wbytes=")));
        let transferred = transferred.or_else(|| {
            let text = outer(c"blkio.throttle.io_service_bytes_recursive")?;
            Some((sum_of_lines(&text, "Read"), sum_of_lines(&text, "Write")))
        });
        self.read = transferred.map(|(read, _)| read);
        self.written = transferred.map(|(_, written)| written);
        self.oom_kills = oom_kills(cgroups);
    }

    /// One line, for a person.
    pub fn show(&self) -> String {
        let seconds = |micros: u64| format!("{}.{:03} s", micros / 1_000_000, micros / 1000 % 1000);
        let size = |bytes: Option<u64>| bytes.map_or("unknown".into(), show_size);
        let count = |count: Option<u64>| count.map_or("unknown".into(), |count| count.to_string());
        format!(
            "wall {}, user {}, system {}, memory peak {}, pids peak {}, read {}, written {}, \
             throttled {}, OOM kills {}",
            seconds(self.wall.as_micros() as u64),
            seconds(self.user),
            seconds(self.system),
            size(self.memory_peak),
            count(self.pids_peak),
            size(self.read),
            size(self.written),
            seconds(self.throttled),
            count(self.oom_kills),
        )
    }

    /// The members of a JSON object: bytes, counts and microseconds.
    pub fn to_json(&self) -> String {
        let or_null =
            |number: Option<u64>| number.map_or("null".into(), |number| number.to_string());
        format!(
            "\"wall_us\":{},\"user_us\":{},\"system_us\":{},\"memory_peak\":{},\"pids_peak\":{},\
             \"read\":{},\"written\":{},\"throttled_us\":{},\"oom_kills\":{}",
            self.wall.as_micros(),
            self.user,
            self.system,
            or_null(self.memory_peak),
            or_null(self.pids_peak),
            or_null(self.read),
            or_null(self.written),
            self.throttled,
            or_null(self.oom_kills),
        )
    }
}

/// How many processes the OOM killer has killed. cgroup v1 counts each in the cgroup it was in, the
/// inner.
pub fn oom_kills(cgroups: &Cgroups<'_>) -> Option<u64> {
    let text = cgroups.read(Which::Outer, c"memory.events");
    let text = text.or_else(|| cgroups.read(Which::Inner, c"memory.oom_control"))?;
    field(&text, "oom_kill")
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value)
}

/// Of `8:0 rbytes=1 wbytes=2 …`, a line for each device.
fn sum(text: &str, key: &str) -> u64 {
    let words =
        text.split_whitespace().filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
    words.sum()
}

/// Of `8:0 Read 1`, a line for each device and kind.
fn sum_of_lines(text: &str, kind: &str) -> u64 {
    let value = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        (words.next()? == kind).then(|| words.next()?.parse::<u64>().ok()).flatten()
    };
    text.lines().filter_map(value).sum()
}

/// In the largest unit that is not more than the size.
pub fn show_size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    match UNITS.iter().find(|(shift, _)| bytes >> shift > 0) {
        None => format!("{bytes}B"),
        Some((shift, unit)) => {
            let tenths = bytes.saturating_mul(10) >> shift;
            format!("{}.{}{unit}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_cgroups_are_read() {
        let stat = "usage_usec 9\nuser_usec 5\nsystem_usec 4\nthrottled_usec 7\n";
        assert_eq!(field(stat, "user_usec"), Some(5));
        assert_eq!(field(stat, "usec"), None);
        assert_eq!(field("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill"), Some(3));
        let io = "8:0 rbytes=1 wbytes=2 rios=3\n8:16 rbytes=10 wbytes=20\n";
        assert_eq!((sum(io, "rbytes="), sum(io, "wbytes=")), (11, 22));
        let io = "8:0 Read 1\n8:0 Write 2\n8:0 Total 3\n8:16 Read 4\nTotal 7\n";
        assert_eq!((sum_of_lines(io, "Read"), sum_of_lines(io, "Write")), (5, 2));
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, shown) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (64 << 20, "64.0M"),
            (3 << 29, "1.5G"),
            (u64::MAX, "1677721.5T"),
        ] {
            assert_eq!(show_size(bytes), shown, "{bytes}");
        }
        let usage = Usage { user: 1_234_567, memory_peak: Some(1 << 20), ..Usage::default() };
        let line = usage.show();
        assert!(line.contains("user 1.234 s") && line.contains("memory peak 1.0M"), "{line}");
        assert!(line.contains("pids peak unknown") && line.contains("OOM kills unknown"), "{line}");
        assert!(usage.to_json().contains("\"memory_peak\":1048576,\"pids_peak\":null"));
    }
}
