//! From limits to the files of a cgroup and what is written into them. Pure.

use std::borrow::Cow;
use std::fmt::Display;

use super::Controller;
use crate::error::Error;
use crate::spec::resources::{CPU_PERIOD, Resources};

/// A value for a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The option that asks for it.
    pub option: &'static str,
    pub file: Cow<'static, str>,
    pub value: String,
    /// Another file, by which another part of the kernel does the same. One of the two has to be
    /// there.
    pub beside: Option<(&'static str, String)>,
    /// It does not hold for the cgroups below: it is set on the inner one.
    pub is_flat: bool,
}

fn set(option: &'static str, file: impl Into<Cow<'static, str>>, value: &dyn Display) -> Setting {
    Setting { option, file: file.into(), value: value.to_string(), beside: None, is_flat: false }
}

/// Whether a limit needs this controller.
pub fn has_any(r: &Resources, controller: Controller) -> bool {
    match controller {
        Controller::Memory => r.memory.or(r.memory_high).or(r.swap).is_some(),
        Controller::Cpu => r.cpu_quota.or(r.cpu_weight).is_some(),
        Controller::Cpuset => r.cpus.is_some(),
        Controller::Pids => r.pids.is_some(),
        Controller::Io => r.io_weight.is_some() || !r.io_max.is_empty(),
        Controller::Hugetlb => !r.hugetlb.is_empty(),
        Controller::Cpuacct => false,
    }
}

/// For cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). `devices` are those of `--io-max`.
pub fn of_v2(r: &Resources, controller: Controller, devices: &[(u32, u32)]) -> Vec<Setting> {
    let mut list = Vec::new();
    match controller {
        Controller::Memory => {
            list.extend(r.memory.map(|bytes| set("--memory", "memory.max", &bytes)));
            list.extend(r.memory_high.map(|bytes| set("--memory-high", "memory.high", &bytes)));
            list.extend(r.swap.map(|bytes| set("--swap", "memory.swap.max", &bytes)));
        }
        Controller::Cpu => {
            let quota = |quota| set("--cpus", "cpu.max", &format_args!("{quota} {CPU_PERIOD}"));
            list.extend(r.cpu_quota.map(quota));
            list.extend(r.cpu_weight.map(|weight| set("--cpu-weight", "cpu.weight", &weight)));
        }
        Controller::Cpuset => {
            list.extend(r.cpus.as_ref().map(|cpus| set("--cpuset-cpus", "cpuset.cpus", cpus)));
        }
        Controller::Pids => list.extend(r.pids.map(|pids| set("--pids", "pids.max", &pids))),
        Controller::Io => {
            // io.weight is of the I/O cost model (block/blk-iocost.c), the other of the scheduler bfq
            // (block/bfq-cgroup.c), up to 1000. Which one counts depends on the device.
            let weight = |weight: u64| {
                let of_bfq = if weight <= 100 { weight } else { 100 + (weight - 100) / 11 };
                let beside = Some(("io.bfq.weight", of_bfq.to_string()));
                Setting { beside, ..set("--io-weight", "io.weight", &weight) }
            };
            list.extend(r.io_weight.map(weight));
            for (limit, (major, minor)) in r.io_max.iter().zip(devices) {
                let limits = limit.limits.iter().map(|(key, value)| format!(" {key}={value}"));
                let limits = limits.collect::<String>();
                list.push(set("--io-max", "io.max", &format_args!("{major}:{minor}{limits}")));
            }
        }
        Controller::Hugetlb => {
            for (page, bytes) in &r.hugetlb {
                list.push(set("--hugetlb", format!("hugetlb.{}.max", page_size(*page)), bytes));
            }
        }
        Controller::Cpuacct => {}
    }
    list
}

/// For cgroup v1 (Documentation/admin-guide/cgroup-v1/).
pub fn of_v1(
    r: &Resources,
    controller: Controller,
    devices: &[(u32, u32)],
) -> Result<Vec<Setting>, Error> {
    let mut list = Vec::new();
    let missing = |option: &str, advice: &str| {
        let text = format!("{option} cannot be had: this host has it on cgroup v1");
        Err(Error::refused("PlanCgroup", text).advise(advice))
    };
    const BOOT: &str = "boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1)";
    match controller {
        Controller::Memory => {
            if r.memory_high.is_some() {
                return missing("--memory-high", BOOT);
            }
            list.extend(r.memory.map(|bytes| set("--memory", "memory.limit_in_bytes", &bytes)));
            match (r.memory, r.swap) {
                (_, None) => {}
                // v1 limits memory and swap together, not below the limit on memory.
                (Some(memory), Some(swap)) => {
                    let both = memory.saturating_add(swap);
                    list.push(set("--swap", "memory.memsw.limit_in_bytes", &both));
                }
                (None, Some(_)) => return missing("--swap", "there it needs --memory beside it"),
            }
        }
        Controller::Cpu => {
            if let Some(quota) = r.cpu_quota {
                list.push(set("--cpus", "cpu.cfs_period_us", &CPU_PERIOD));
                list.push(set("--cpus", "cpu.cfs_quota_us", &quota));
            }
            // 100 of v2 are 1024 of v1; 2 is the least.
            let shares = |weight: u64| (weight * 1024 / 100).max(2);
            list.extend(r.cpu_weight.map(|w| set("--cpu-weight", "cpu.shares", &shares(w))));
        }
        Controller::Io => {
            if r.io_weight.is_some() {
                return missing("--io-weight", BOOT);
            }
            for (limit, (major, minor)) in r.io_max.iter().zip(devices) {
                for (key, value) in &limit.limits {
                    let file = match *key {
                        "rbps" => "blkio.throttle.read_bps_device",
                        "wbps" => "blkio.throttle.write_bps_device",
                        "riops" => "blkio.throttle.read_iops_device",
                        _ => "blkio.throttle.write_iops_device",
                    };
                    // It does not hold for cgroups below (blkio-controller.rst).
                    let value = format!("{major}:{minor} {value}");
                    list.push(Setting { is_flat: true, ..set("--io-max", file, &value) });
                }
            }
        }
        Controller::Hugetlb => {
            for (page, bytes) in &r.hugetlb {
                let file = format!("hugetlb.{}.limit_in_bytes", page_size(*page));
                list.push(set("--hugetlb", file, &bytes));
            }
        }
        // As in v2.
        Controller::Cpuset | Controller::Pids | Controller::Cpuacct => {
            list = of_v2(r, controller, devices);
        }
    }
    Ok(list)
}

/// As the kernel names its files (mm/hugetlb_cgroup.c, mem_fmt).
fn page_size(bytes: u64) -> String {
    match bytes {
        1_073_741_824.. => format!("{}GB", bytes >> 30),
        1_048_576.. => format!("{}MB", bytes >> 20),
        _ => format!("{}KB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::resources::{Device, IoMax};

    fn show(list: &[Setting]) -> Vec<String> {
        list.iter().map(|setting| format!("{} {}", setting.file, setting.value)).collect()
    }

    fn everything() -> Resources {
        Resources {
            memory: Some(64 << 20),
            swap: Some(1 << 20),
            cpu_quota: Some(150_000),
            cpu_weight: Some(1),
            pids: Some(10),
            io_max: vec![IoMax {
                device: Device::Number(8, 0),
                limits: vec![("rbps", 5), ("wiops", 6)],
            }],
            hugetlb: vec![(2 << 20, 4 << 20), (1 << 30, 0), (64 << 10, 0)],
            ..Resources::default()
        }
    }

    #[test]
    fn v2_has_a_file_for_each() {
        let r = Resources { memory_high: Some(7), ..everything() };
        let all = Controller::ALL.iter().flat_map(|c| of_v2(&r, *c, &[(8, 0)])).collect::<Vec<_>>();
        let expected = [
            "memory.max 67108864",
            "memory.high 7",
            "memory.swap.max 1048576",
            "cpu.max 150000 100000",
            "cpu.weight 1",
            "pids.max 10",
            "io.max 8:0 rbps=5 wiops=6",
            "hugetlb.2MB.max 4194304",
            "hugetlb.1GB.max 0",
            "hugetlb.64KB.max 0",
        ];
        assert_eq!(show(&all), expected);
    }

    #[test]
    fn weights_of_both_kinds_are_set() {
        for (weight, of_bfq) in [(1, "1"), (100, "100"), (210, "110"), (10_000, "1000")] {
            let r = Resources { io_weight: Some(weight), ..Resources::default() };
            let list = of_v2(&r, Controller::Io, &[]);
            assert_eq!(show(&list), [format!("io.weight {weight}")]);
            assert_eq!(list[0].beside, Some(("io.bfq.weight", of_bfq.into())));
        }
    }

    #[test]
    fn v1_has_other_files_and_not_for_all() {
        let r = everything();
        let all = Controller::ALL.iter().flat_map(|c| of_v1(&r, *c, &[(8, 0)]).unwrap());
        let expected = [
            "memory.limit_in_bytes 67108864",
            "memory.memsw.limit_in_bytes 68157440",
            "cpu.cfs_period_us 100000",
            "cpu.cfs_quota_us 150000",
            "cpu.shares 10",
            "pids.max 10",
            "blkio.throttle.read_bps_device 8:0 5",
            "blkio.throttle.write_iops_device 8:0 6",
            "hugetlb.2MB.limit_in_bytes 4194304",
            "hugetlb.1GB.limit_in_bytes 0",
            "hugetlb.64KB.limit_in_bytes 0",
        ];
        assert_eq!(show(&all.collect::<Vec<_>>()), expected);
        for (r, option) in [
            (Resources { memory_high: Some(1), ..Resources::default() }, "--memory-high"),
            (Resources { swap: Some(1), ..Resources::default() }, "--swap"),
        ] {
            let error = of_v1(&r, Controller::Memory, &[]).unwrap_err().to_string();
            assert!(error.contains(option), "{error}");
        }
        let r = Resources { io_weight: Some(1), ..Resources::default() };
        assert!(of_v1(&r, Controller::Io, &[]).unwrap_err().to_string().contains("--io-weight"));
    }
}
