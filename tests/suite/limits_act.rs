//! Limits that act: slowly, by shares, on huge pages; a child that cannot be born where they hold, and
//! somebody who came there from outside.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{self, for_root, own_name, require};
use crate::cgroups::{Own, cgroup_of, init_of};
use crate::launch::Launch;
use crate::output::Output;
use crate::pace::patience;
use crate::rootfs::Rootfs;
use crate::{subject, sys};

/// Whether to run what takes long, or takes something from the machine.
fn is_long(name: &str) -> bool {
    let is_long = std::env::var_os("SUITE_LONG").is_some();
    if !is_long {
        println!("N/A {name} without SUITE_LONG");
    }
    is_long
}

#[test]
fn child_that_cannot_be_born_in_its_cgroup_is_moved_there() {
    require!(cgroup2);
    require!(tracing);
    if sys::uid() != 0 && ability::pivot_root().is_err() {
        println!(
            "N/A: a process between makes the same call, without a cgroup, and would fail, too"
        );
        return;
    }
    const SCRIPT: &str = "exec strace -D -f -qq -o /dev/null -e trace=clone3 \
                          -e inject=\"clone3:error=$ERRNO:when=1\" \"$@\"";
    // Whoever is traced runs newuidmap without its privilege.
    let mode = if sys::uid() == 0 { "--userns=auto" } else { "--userns=single" };
    for errno in ["ENOSYS", "EOPNOTSUPP", "EBUSY", "EACCES", "EPERM", "E2BIG"] {
        let launch =
            Launch::new().option(mode).option("--pids=100").probe("show /proc/self/cgroup");
        let output = launch.variable("ERRNO", errno).through_shell(SCRIPT).run().ok();
        // Its namespace is made after the move.
        assert_eq!(output.lines(), ["0::/"], "{errno}\n{output}");
    }
}

#[test]
fn memory_above_high_is_noticed() {
    require!(cgroup2);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    let command = ["/bin/sh", "-c", "echo ready; exec /probe hog memory 1000"];
    let running = Launch::on(&rootfs).option("--memory-high=8M").command(command).start();
    running.wait_for("ready");
    let deadline = Instant::now() + patience(Duration::from_secs(10));
    let init = init_of(running.pid());
    let events = cgroup_of(init, "").parent().unwrap().join("memory.events");
    loop {
        let text = fs::read_to_string(&events).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("high ")?.parse::<u64>().ok());
        if high.is_some_and(|count| count > 0) {
            break;
        }
        assert!(Instant::now() < deadline, "{}: {text}", events.display());
        thread::sleep(Duration::from_millis(5));
    }
    running.signal(libc::SIGKILL);
    running.finish();
}

/// Seconds in user mode.
fn user_time(output: &Output) -> f64 {
    let text = output.stderr.split("user ").nth(1).unwrap_or_else(|| panic!("{output}"));
    text.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn who_weighs_more_gets_more_of_a_processor() {
    require!(limits);
    if !is_long(own_name!()) {
        return;
    }
    let seconds = patience(Duration::from_secs(4)).as_secs();
    let start = |weight: u32| {
        let launch = Launch::new().option("--cpuset-cpus=0").option("--stats");
        let launch = launch.option(format!("--cpu-weight={weight}"));
        launch.probe(&format!("hog cpu {seconds} 1")).start()
    };
    let both = [800, 100].map(start);
    let [more, less] = both.map(|running| user_time(&running.finish().code(0)));
    println!("in {seconds} s a weight of 800 got {more} s of a processor, one of 100 {less} s");
    assert!(more > 2.0 * less, "{more} {less}");
}

#[test]
fn huge_pages_are_as_many_as_were_given() {
    for_root!();
    require!(limits);
    if !is_long(own_name!()) {
        return;
    }
    const COUNT: &str = "/proc/sys/vm/nr_hugepages";
    let before = fs::read_to_string(COUNT).unwrap();
    let more = before.trim().parse::<u32>().unwrap() + 4;
    fs::write(COUNT, more.to_string()).unwrap();
    let hog = |count: u32| {
        Launch::new().option("--hugetlb=2M=4M").probe(&format!("hog huge {count}")).run()
    };
    let outputs = [hog(2), hog(3)];
    fs::write(COUNT, before).unwrap();
    let [within, beyond] = outputs;
    within.ok().prints(&["has 2 huge pages"]);
    // Not by mmap(2), but when the page is to be had.
    let code = 128 + libc::SIGBUS;
    assert_eq!(beyond.status.code(), Some(code), "{beyond}");
}

/// The launcher, in a pid namespace of its own, has no number by which it could signal them.
#[test]
fn who_was_moved_into_the_cgroup_is_killed_at_the_end() {
    for_root!();
    require!(cgroup_kill);
    require!(busybox);
    let own = Own::new();
    let script = "exec unshare -m -p -f sh -c 'mount -t proc none /proc && exec \"$@\"' sh \"$@\"";
    let launch = Launch::new().option("--cgroup-parent").arg(own.name()).option("--pids=100");
    let running = launch.probe("sleep 1000").through_shell(script).start();
    running.wait_for("ready");
    let launcher = init_of(running.pid());
    let inner = cgroup_of(init_of(launcher), "pids");
    let mut stranger = Command::new(subject::rootfs().join("bin/busybox"));
    let mut stranger = stranger.args(["sleep", "1000"]).spawn().unwrap();
    fs::write(inner.join("cgroup.procs"), stranger.id().to_string()).unwrap();
    sys::kill(launcher, libc::SIGTERM).unwrap();
    let output = running.finish();
    // Not to leave them behind if nobody else has killed them.
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(!output.code(143).stderr.contains("cannot remove the cgroup"));
    assert!(!inner.exists());
}
