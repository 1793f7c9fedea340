//! Commands that take all they can get, in a container with limits: the host stays responsive.
//!
//! Measured by what a person would do meanwhile: start a program, and wait for it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::ability::require;
use crate::launch::Launch;
use crate::pace::patience;
use crate::rootfs::{FORKING, temporary_path};
use crate::subject;

/// How long ten programs take to start and end, each.
fn times() -> Vec<Duration> {
    let start = || {
        let began = Instant::now();
        let forking = FORKING.read();
        let mut child = Command::new(subject::probe()).stdout(Stdio::null()).spawn().unwrap();
        drop(forking);
        assert!(child.wait().unwrap().success());
        std::thread::sleep(Duration::from_millis(50));
        began.elapsed() - Duration::from_millis(50)
    };
    let mut times = (0..10).map(|_| start()).collect::<Vec<_>>();
    times.sort();
    times
}

/// Runs it, and measures before and while.
fn measure(name: &str, launch: Launch) {
    let before = times();
    let running = launch.option("--timeout=60").start();
    running.wait_for("ready");
    let meanwhile = times();
    running.signal(libc::SIGKILL);
    println!(
        "{name}: a program takes {:?} (longest {:?}), before {:?} (longest {:?})",
        meanwhile[5], meanwhile[9], before[5], before[9]
    );
    // A machine that thrashes or has no processes left takes seconds, or fails. One that is busy
    // otherwise was slow before.
    let limit = patience(Duration::from_millis(500)).max(before[5] * 10);
    assert!(meanwhile[5] < limit, "{name}: {meanwhile:?}");
    running.finish();
}

fn limited() -> Launch {
    Launch::new().option("--memory=64M").option("--pids=50").option("--cpus=0.5")
}

#[test]
fn fork_bomb_leaves_the_host_responsive() {
    require!(limits);
    measure("fork bomb", limited().probe("hog forks 60"));
}

#[test]
fn processor_hog_leaves_the_host_responsive() {
    require!(limits);
    measure("CPU hog", limited().probe("hog cpu 60 20"));
}

#[test]
fn memory_bomb_leaves_the_host_responsive() {
    require!(limits);
    require!(busybox);
    let rootfs = crate::rootfs::Rootfs::new().with_shell();
    // Again and again, as a service that is restarted whenever it is killed.
    let script = "echo ready; while :; do /probe hog memory 100000; done";
    let launch =
        Launch::on(&rootfs).option("--memory=64M").option("--pids=50").option("--cpus=0.5");
    measure("memory bomb", launch.command(["/bin/sh", "-c", script]));
}

#[test]
fn disk_hog_leaves_the_host_responsive() {
    require!(limits);
    let folder = temporary_path("hog");
    std::fs::create_dir(&folder).unwrap();
    let launch = limited().option("--bind").arg(format!("{}:/hog", folder.display()));
    measure("disk hog", launch.probe("hog files /hog/file 60"));
    std::fs::remove_dir_all(folder).unwrap();
}
