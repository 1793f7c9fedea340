//! Limits on what a container uses: that they hold, cannot be raised from inside, are told when
//! they act, and are refused where they cannot be had.

use std::fs;

use crate::ability::{self, is_on_cgroup_v1, own_name, require};
use crate::cgroups::{cgroup_of, init_of};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::{Rootfs, temporary_folder, temporary_path};
use crate::status::{number, status_of};

/// What stands behind a name in the line of `--stats`.
#[track_caller]
fn stat<'a>(output: &'a Output, name: &str) -> &'a str {
    let line = output.stderr.lines().find(|line| line.starts_with("launcher: wall "));
    let line = line.unwrap_or_else(|| panic!("no stats\n{output}"));
    let rest = line.split(&format!("{name} ")).nth(1).unwrap_or_else(|| panic!("{name}\n{output}"));
    rest.split([',', ' ']).next().unwrap()
}

#[test]
fn limits_are_what_was_asked_for() {
    require!(limits);
    let mut launch = Launch::new();
    for option in
        ["--memory=1.5G", "--pids=77", "--cpus=1.25", "--cpu-weight=50", "--cpuset-cpus=0"]
    {
        launch = launch.option(option);
    }
    let running = launch.probe("sleep 1000").start();
    running.wait_for("ready");
    let init = init_of(running.pid());
    let files: &[(&str, &str, &str)] = match is_on_cgroup_v1() {
        true => &[
            ("memory", "memory.limit_in_bytes", "1610612736"),
            ("pids", "pids.max", "77"),
            ("cpu", "cpu.cfs_quota_us", "125000"),
            ("cpu", "cpu.cfs_period_us", "100000"),
            ("cpu", "cpu.shares", "512"),
            ("cpuset", "cpuset.cpus", "0"),
        ],
        false => &[
            ("memory", "memory.max", "1610612736"),
            ("pids", "pids.max", "77"),
            ("cpu", "cpu.max", "125000 100000"),
            ("cpu", "cpu.weight", "50"),
            ("cpuset", "cpuset.cpus", "0"),
        ],
    };
    for (controller, file, value) in files {
        let outer = cgroup_of(init, controller).parent().unwrap().join(file);
        let found = fs::read_to_string(&outer).unwrap();
        assert_eq!(found.trim(), *value, "{}", outer.display());
    }
    let status = fs::read_to_string(format!("/proc/{init}/status")).unwrap();
    assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
}

#[test]
fn limits_of_v2_alone_are_what_was_asked_for() {
    require!(cgroup2);
    let launch = Launch::new().option("--memory-high=32M").option("--swap=0");
    let running = launch.option("--hugetlb=2M=4M").probe("sleep 1000").start();
    running.wait_for("ready");
    let outer = cgroup_of(init_of(running.pid()), "");
    let outer = outer.parent().unwrap();
    let files =
        [("memory.high", "33554432"), ("memory.swap.max", "0"), ("hugetlb.2MB.max", "4194304")];
    for (file, value) in files {
        assert_eq!(fs::read_to_string(outer.join(file)).unwrap().trim(), value, "{file}");
    }
}

/// Which of the two counts is the disk's: the I/O cost model's or bfq's.
#[test]
fn shares_of_devices_are_what_was_asked_for() {
    require!(cgroup2);
    let launch = || Launch::new().option("--io-weight=210");
    let tried = launch().probe("exit 0").run();
    if tried.stderr.contains("it takes CONFIG_BLK_CGROUP_IOCOST") {
        println!("SKIP {}: the kernel has no shares (cannot on this machine)", own_name!());
        return;
    }
    tried.ok();
    let running = launch().probe("sleep 1000").start();
    running.wait_for("ready");
    let outer = cgroup_of(init_of(running.pid()), "");
    let outer = outer.parent().unwrap();
    let files = [("io.weight", "default 210\n"), ("io.bfq.weight", "default 110\n")];
    let read = |(file, _): &(&str, &str)| fs::read_to_string(outer.join(file));
    let found = files.iter().filter(|file| read(file).is_ok()).collect::<Vec<_>>();
    assert!(!found.is_empty(), "nobody knows shares, and yet it started");
    found.iter().for_each(|file| assert!(read(file).unwrap().contains(file.1), "{}", file.0));
}

#[test]
fn command_that_runs_out_of_memory_is_killed_and_that_is_told() {
    require!(limits);
    let launch = Launch::new().option("--memory=32M").option("--status-fd=9");
    let (lines, output) = status_of(launch.probe("hog memory 100"));
    let output = output.code(137);
    let line =
        "launcher: out of memory (--memory 32.0M): the kernel killed 1 process of the container";
    assert_eq!(output.complaints(), [line], "{output}");
    let expected = r#"{"event":"exited","signal":9,"core":false,"oom_kills":1}"#;
    assert_eq!(lines.last().map(String::as_str), Some(expected));
}

#[test]
fn memory_below_the_limit_is_the_commands_to_use() {
    require!(limits);
    Launch::new().option("--memory=64M").probe("hog memory 40").run().ok().prints(&["has 40 MB"]);
}

#[test]
fn memory_that_is_too_little_for_a_start_is_named() {
    require!(limits);
    for size in ["0", "1", "64K"] {
        let output = Launch::new().option("--memory").arg(size).probe("exit 0").run().code(125);
        let names_it = output.stderr.contains("--memory");
        assert!(output.complaints().len() == 1 && names_it, "{size}\n{output}");
    }
}

#[test]
fn processes_are_counted_with_init() {
    require!(limits);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    // Who made the container on an initial ramfs counts until the launcher has reaped it.
    let script = "sleep 0.5; for i in 1 2 3 4 5 6; do sleep 0.1 & echo $i; done";
    let launch = |pids: &str| {
        Launch::on(&rootfs).option("--pids").arg(pids).command(["/bin/sh", "-c", script]).run()
    };
    launch("8").ok().prints(&["1", "2", "3", "4", "5", "6"]);
    let output = launch("5");
    assert!(output.stderr.contains("can't fork"), "{output}");
    assert_eq!(output.lines(), ["1", "2", "3"], "{output}");
}

#[test]
fn limits_cannot_be_raised_from_inside() {
    require!(limits);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    // As much as a command can have, and the file system of cgroups to write to.
    let kind = if is_on_cgroup_v1() { "-t cgroup -o pids" } else { "-t cgroup2" };
    let script = format!(
        "mount {kind} cgroup /tmp || exit 9; echo max > /tmp/pids.max; echo 0 > /tmp/cgroup.procs; \
         for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1 & echo $i; done"
    );
    let modes: &[&str] = match (crate::sys::uid(), ability::idmapped_mounts()) {
        (0, Ok(())) => &["range", "identity"],
        (0, Err(_)) => &["identity"],
        _ => &["single"],
    };
    for mode in modes {
        let launch =
            Launch::on(&rootfs).option("--userns").arg(*mode).option("--cap-add=sys_admin");
        let launch = launch.option("--seccomp=none").option("--pids=6");
        let output = launch.command(["/bin/sh", "-c", &script]).run();
        assert!(output.stderr.contains("can't fork"), "{mode}\n{output}");
        assert!(output.lines().len() < 6, "{mode}\n{output}");
    }
}

#[test]
fn processor_time_is_what_was_given() {
    require!(limits);
    let launch = Launch::new().option("--cpus=0.05").option("--stats").probe("hog cpu 2 2");
    let output = launch.run().code(0);
    let seconds = |name| stat(&output, name).parse::<f64>().unwrap();
    let share = (seconds("user") + seconds("system")) / seconds("wall");
    // 0.05, and what is used beyond the quota before the kernel notices.
    assert!(share < 0.3, "{share}\n{output}");
    // On a machine that is busy otherwise it may not even get that; the start is counted, too.
    assert!(seconds("throttled") > 0.0 || share < 0.08, "{share}\n{output}");
}

/// The disk that the temporary files are on.
fn disk() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let dev = fs::metadata(temporary_folder()).unwrap().dev();
    let number = format!("{}:{}", libc::major(dev), libc::minor(dev));
    let folder = fs::canonicalize(format!("/sys/dev/block/{number}")).ok()?;
    let folder = if folder.join("partition").exists() { folder.parent()? } else { &folder };
    fs::read_to_string(folder.join("dev")).ok().map(|text| text.trim().to_owned())
}

#[test]
fn disk_is_as_fast_as_was_given() {
    require!(limits);
    let Some(disk) = disk() else {
        println!("SKIP {}: TMPDIR is on no disk (cannot on this machine)", own_name!());
        return;
    };
    let folder = temporary_path("disk");
    fs::create_dir(&folder).unwrap();
    let launch = Launch::new().option("--io-max").arg(format!("{disk}:wbps=1M,rbps=1G"));
    let launch = launch.option("--bind").arg(format!("{}:/disk", folder.display()));
    let output = launch.option("--stats").probe("hog files /disk/file 3").run().code(0);
    let wrote = output.lines()[1].strip_prefix("wrote ").and_then(|rest| rest.split(' ').next());
    let wrote = wrote.unwrap().parse::<f64>().unwrap();
    let seconds = stat(&output, "wall").parse::<f64>().unwrap();
    // What the kernel lets pass at first, and the journal.
    assert!(wrote / seconds < 2.0, "{output}");
    assert_ne!(stat(&output, "written"), "0B", "{output}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn stats_tell_what_was_used() {
    require!(limits);
    let launch = Launch::new().option("--stats").option("--status-fd=9").probe("hog memory 40");
    let (lines, output) = status_of(launch);
    let output = output.code(0);
    let peak = stat(&output, "memory peak");
    // memory.peak came with Linux 5.19.
    if peak == "unknown" {
        assert!(!is_on_cgroup_v1(), "{output}");
    } else {
        let megabytes = peak.strip_suffix('M').unwrap().parse::<f64>().unwrap();
        assert!((40.0..60.0).contains(&megabytes), "{output}");
        assert!(number(&lines[1], "memory_peak") > 40 << 20, "{lines:?}");
    }
    assert_eq!(stat(&output, "OOM kills"), "0");
    assert!(number(&lines[1], "wall_us") > 0 && lines[1].starts_with(r#"{"event":"stats","#));
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn limits_that_cannot_be_had_are_refused() {
    require!(limits);
    let refused = |option: &str, parts: &[&str]| {
        let output = Launch::new().option(option).probe("exit 0").run().code(125);
        let is_right = |part: &&&str| output.stderr.contains(**part);
        assert_eq!(output.complaints().len(), 1, "{output}");
        assert!(parts.iter().all(|part| is_right(&part)), "{parts:?}\n{output}");
    };
    refused("--cpuset-cpus=60000", &["--cpuset-cpus", "not all of them are there"]);
    refused("--io-max=/dev/null:rbps=1M", &["--io-max /dev/null is no block device"]);
    refused("--io-max=/no/such:rbps=1M", &["/no/such", "ENOENT"]);
    refused("--hugetlb=1K=1M", &["--hugetlb", "no huge pages of that size"]);
    if is_on_cgroup_v1() {
        refused("--memory-high=1M", &["--memory-high", "cgroup v1"]);
        refused("--io-weight=5", &["--io-weight", "cgroup v1"]);
        refused("--swap=0", &["--swap", "--memory beside it"]);
    }
}

#[test]
fn words_that_are_no_limits_are_refused() {
    for (option, part) in [
        ("--memory=lots", "--memory lots is not a size"),
        ("--memory=-1", "--memory -1 is not a size"),
        ("--cpus=0", "--cpus 0 is not a number of processors"),
        ("--cpu-weight=0", "--cpu-weight 0 is not a number from 1 to 10000"),
        ("--pids=0", "--pids 0 is not a number"),
        ("--cpuset-cpus=1-", "--cpuset-cpus 1- is not a list"),
        ("--io-max=8:0:speed=1", "is not DEVICE:LIMIT"),
        ("--hugetlb=2M", "is not PAGESIZE=SIZE"),
        ("--cgroup-parent=", "--cgroup-parent is empty"),
    ] {
        Launch::new().option(option).probe("exit 0").run().fails_with(125, part);
    }
}
