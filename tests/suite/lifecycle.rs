//! Ends of all kinds, after which nothing is left.

use std::fs;
use std::time::{Duration, Instant};

use crate::launch::Launch;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{subject, sys};

/// A word that no other command line has.
fn mark() -> String {
    temporary_path("mark").file_name().unwrap().to_string_lossy().into_owned()
}

/// The pids of processes with this word on their command line.
fn marked(mark: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).any(|word| word == mark.as_bytes())
    })
    .collect()
}

/// Expects that within so many milliseconds no marked process is left.
#[track_caller]
fn expect_gone(mark: &str, milliseconds: u64) {
    let deadline = Instant::now() + Duration::from_millis(milliseconds);
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "still there: {left:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed() {
    let mark = mark();
    let running = Launch::new().probe(&format!("sleep 20 {mark}")).start();
    running.wait_for("ready");
    assert_eq!(marked(&mark).len(), 3, "launcher, init, command");
    running.signal(libc::SIGKILL);
    expect_gone(&mark, 200);
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed_at_any_moment_of_a_start() {
    let rootfs = Rootfs::new();
    let rounds = if subject::is_long() { 2000 } else { 100 };
    let mut seen = 0;
    for round in 0..rounds {
        let mark = mark();
        let running = Launch::on(&rootfs).probe(&format!("sleep 20 {mark}")).start();
        std::thread::sleep(Duration::from_micros(round * 8000 / rounds));
        seen += usize::from(marked(&mark).len() > 1);
        running.signal(libc::SIGKILL);
        expect_gone(&mark, 200);
    }
    assert!(seen > 0, "no container was ever seen");
    // Whatever was locked for them is free: the rootfs gets what it gets when nothing runs.
    let map = || {
        let output = Launch::on(&rootfs).probe("show /proc/self/uid_map").run().ok();
        output.stdout
    };
    let elsewhere = Launch::on(&rootfs).probe("sleep 0").run().ok();
    assert_eq!(map(), map(), "{elsewhere}");
}

#[test]
fn container_ends_when_init_is_killed_and_the_launcher_says_so() {
    let mark = mark();
    let running = Launch::new().probe(&format!("sleep 20 {mark}")).start();
    running.wait_for("ready");
    let init = child_of(running.pid());
    sys::kill(init, libc::SIGKILL).unwrap();
    running.finish().code(128 + libc::SIGKILL);
    expect_gone(&mark, 200);
}

/// The pid of a process's only child.
fn child_of(pid: i32) -> i32 {
    let is_child = |entry: &fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        parent == Some(pid)
    };
    let child = fs::read_dir("/proc").unwrap().flatten().find(is_child).expect("a child");
    child.file_name().to_string_lossy().parse().unwrap()
}

#[test]
fn orphans_are_reaped() {
    let output = Launch::new().probe("zombies 50").run().ok();
    output.prints(&["zombies 0", "processes 2"]);
}

#[test]
fn daemon_does_not_outlive_the_command() {
    let mark = mark();
    let output = Launch::new().probe(&format!("orphan close {mark}")).run().ok();
    assert!(output.fact("daemon").parse::<i32>().is_ok());
    assert!(output.took < Duration::from_secs(2), "{output}");
    expect_gone(&mark, 200);
}

#[test]
fn daemon_that_holds_the_output_does_not_make_the_caller_wait() {
    let mark = mark();
    let output = Launch::new().probe(&format!("orphan keep {mark}")).run().ok();
    assert!(output.took < Duration::from_secs(2), "{output}");
    expect_gone(&mark, 200);
}

#[test]
fn daemon_that_holds_the_output_does_not_keep_a_killed_container() {
    let running = Launch::new().probe("trap 15").start();
    running.wait_for("ready");
    running.signal(libc::SIGKILL);
    let output = running.finish();
    assert!(output.took < Duration::from_secs(2), "{output}");
}

#[test]
fn nothing_is_left_in_temporary_folders_or_on_the_rootfs() {
    let folder = temporary_path("tmp");
    fs::create_dir(&folder).unwrap();
    let rootfs = Rootfs::new();
    let before = rootfs.listing();
    let launch = Launch::on(&rootfs).variable("TMPDIR", &folder).directory(&folder);
    launch.probe("exit 0").run().ok();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(rootfs.listing(), before);
    fs::remove_dir(folder).unwrap();
}
