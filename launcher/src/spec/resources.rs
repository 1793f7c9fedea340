//! What the command and all that it starts may use of the machine: the limits of a cgroup, as
//! cgroups(7) and Documentation/admin-guide/cgroup-v2.rst have them.

mod quantity;

use std::ffi::CString;

use super::parse_path;
use crate::args::Args;
use crate::error::Error;
use crate::words::Word;
pub use quantity::{CpuList, bytes};
use quantity::{quota, whole};

/// Limits, as asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// memory.max: bytes above which the OOM killer acts.
    pub memory: Option<u64>,
    /// memory.high: bytes above which the kernel throttles and reclaims.
    pub memory_high: Option<u64>,
    /// Bytes of swap, on top of the memory.
    pub swap: Option<u64>,
    /// Microseconds of CPU time in every [`CPU_PERIOD`].
    pub cpu_quota: Option<u64>,
    /// cpu.weight: 1 to 10000; the default is 100.
    pub cpu_weight: Option<u64>,
    pub cpus: Option<CpuList>,
    /// Processes and threads.
    pub pids: Option<u64>,
    pub io_weight: Option<u64>,
    pub io_max: Vec<IoMax>,
    /// Bytes in huge pages of a size: the size, and the limit.
    pub hugetlb: Vec<(u64, u64)>,
    /// Whether the usage is reported at the end.
    pub stats: bool,
    /// Where the cgroup is to be made.
    pub parent: Option<CString>,
}

/// Limits on a block device.
#[derive(Debug, PartialEq, Eq)]
pub struct IoMax {
    pub device: Device,
    /// Of [`IO_KEYS`], each once.
    pub limits: Vec<(&'static str, u64)>,
}

/// A block device.
#[derive(Debug, PartialEq, Eq)]
pub enum Device {
    Number(u32, u32),
    /// Its node.
    Path(CString),
}

/// Microseconds; what the kernel has by default.
pub const CPU_PERIOD: u64 = 100_000;

/// Bytes and operations per second, to read and to write.
const IO_KEYS: [&str; 4] = ["rbps", "wbps", "riops", "wiops"];

impl Resources {
    /// Makes sense of what was typed.
    pub fn parse(args: &Args) -> Result<Resources, Error> {
        let size = |option: &str, word: &Option<Word>| {
            word.as_ref().map(|word| bytes(option, &word.show())).transpose()
        };
        let number = |option: &str, word: &Option<Word>, most| {
            word.as_ref().map(|word| whole(option, &word.show(), 1, most)).transpose()
        };
        let cpus = args.cpuset_cpus.as_ref();
        Ok(Resources {
            memory: size("--memory", &args.memory)?,
            memory_high: size("--memory-high", &args.memory_high)?,
            swap: size("--swap", &args.swap)?,
            cpu_quota: args.cpus.as_ref().map(parse_cpus).transpose()?,
            cpu_weight: number("--cpu-weight", &args.cpu_weight, 10_000)?,
            cpus: cpus.map(|word| CpuList::parse("--cpuset-cpus", &word.show())).transpose()?,
            // PID_MAX_LIMIT of linux/threads.h.
            pids: number("--pids", &args.pids, 4 << 20)?,
            io_weight: number("--io-weight", &args.io_weight, 10_000)?,
            io_max: args.io_max.iter().map(IoMax::parse).collect::<Result<_, _>>()?,
            hugetlb: args.hugetlb.iter().map(parse_hugetlb).collect::<Result<_, _>>()?,
            stats: args.stats,
            parent: parse_path("--cgroup-parent", args.cgroup_parent.as_ref())?,
        })
    }

    /// Whether nothing was asked for: then no cgroup is made or looked for.
    pub fn are_the_callers(&self) -> bool {
        *self == Resources::default()
    }
}

/// A number of processors, fractions allowed, as the quota of a period.
fn parse_cpus(word: &Word) -> Result<u64, Error> {
    /// The kernel takes no quota below a millisecond (kernel/sched/core.c, min_cfs_quota_period).
    const LEAST: u64 = 1000;
    let text = word.show();
    quota(&text).filter(|&quota| quota >= LEAST).ok_or_else(|| {
        Error::misuse(format!("--cpus {text} is not a number of processors from 0.01 on, as 1.5"))
    })
}

/// `PAGESIZE=SIZE`.
fn parse_hugetlb(word: &Word) -> Result<(u64, u64), Error> {
    let text = word.show();
    let Some((page, limit)) = text.split_once('=') else {
        return Err(Error::misuse(format!("--hugetlb {text} is not PAGESIZE=SIZE, as 2M=64M")));
    };
    let page = bytes("--hugetlb", page)?;
    if !page.is_power_of_two() || page < 1024 {
        return Err(Error::misuse(format!("--hugetlb {text}: no pages have that size")));
    }
    Ok((page, bytes("--hugetlb", limit)?))
}

impl IoMax {
    /// `DEV:KEY=VALUE[,KEY=VALUE…]`, where the device is a path or its numbers.
    fn parse(word: &Word) -> Result<IoMax, Error> {
        let text = word.show();
        let misuse = || {
            Error::misuse(format!(
                "--io-max {text} is not DEVICE:LIMIT[,LIMIT…], each limit one of {} and a value",
                IO_KEYS.map(|key| format!("{key}=")).join(", ")
            ))
        };
        let at = word.0.iter().rposition(|&byte| byte == b':').ok_or_else(misuse)?;
        let (device, limits) = (Word(word.0[..at].to_vec()), Word(word.0[at + 1..].to_vec()));
        let mut found = Vec::new();
        for limit in limits.show().split(',') {
            let (key, value) = limit.split_once('=').ok_or_else(misuse)?;
            let key = IO_KEYS.into_iter().find(|own| *own == key).ok_or_else(misuse)?;
            let value = match key.ends_with("bps") {
                true => bytes("--io-max", value)?,
                false => whole("--io-max", value, 1, u64::MAX)?,
            };
            if value == 0 {
                return Err(misuse());
            }
            found.retain(|(own, _)| *own != key);
            found.push((key, value));
        }
        let device = Device::parse(&device).ok_or_else(misuse)?;
        Ok(IoMax { device, limits: found })
    }
}

impl Device {
    fn parse(word: &Word) -> Option<Device> {
        let text = word.show();
        let number = |text: &str| text.parse::<u32>().ok();
        if let Some((major, minor)) = text.split_once(':')
            && let (Some(major), Some(minor)) = (number(major), number(minor))
        {
            return Some(Device::Number(major, minor));
        }
        (!word.0.is_empty()).then(|| Device::Path(word.to_c_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io_max(text: &str) -> Result<IoMax, String> {
        IoMax::parse(&Word(text.into())).map_err(|error| error.to_string())
    }

    #[test]
    fn devices_are_limited_by_number_or_by_path() {
        let by_number = io_max("8:16:rbps=1M,wiops=100,rbps=2M").unwrap();
        let limits = vec![("wiops", 100), ("rbps", 2 << 20)];
        assert_eq!(by_number, IoMax { device: Device::Number(8, 16), limits });
        let by_path = io_max("/dev/odd:name:wbps=1K").unwrap();
        assert_eq!(by_path.device, Device::Path(c"/dev/odd:name".to_owned()));
        for text in ["8:16", "/dev/sda", "/dev/sda:rbps", "/dev/sda:bps=1", ":rbps=1", "a:riops=0"]
        {
            assert!(io_max(text).unwrap_err().contains("--io-max"), "{text}");
        }
    }

    #[test]
    fn processors_become_a_quota() {
        let cpus = |text: &str| parse_cpus(&Word(text.into()));
        assert_eq!(cpus("1.5").unwrap(), 150_000);
        assert_eq!(cpus("0.01").unwrap(), 1000);
        assert_eq!(cpus("0.0149").unwrap(), 1490);
        assert_eq!(cpus("0.3333333").unwrap(), 33_333);
        assert_eq!(cpus("8").unwrap(), 800_000);
        for text in
            ["0", "0.001", "0.00999", "", ".5", "-1", "1.", "0.001x", "1e3", "99999999999999999999"]
        {
            assert!(cpus(text).unwrap_err().to_string().contains("--cpus"), "{text}");
        }
    }

    #[test]
    fn huge_pages_have_a_size_and_a_limit() {
        let hugetlb = |text: &str| parse_hugetlb(&Word(text.into()));
        assert_eq!(hugetlb("2M=64M").unwrap(), (2 << 20, 64 << 20));
        for text in ["64M", "3M=64M", "2M=", "=1"] {
            assert!(hugetlb(text).unwrap_err().to_string().contains("--hugetlb"), "{text}");
        }
    }
}
