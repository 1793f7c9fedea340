//! What a container costs while its command runs and nothing happens.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::for_root;
use crate::launch::Launch;
use crate::pace::patience;
use crate::rootfs::Rootfs;

/// Of launcher and init together. They have some 130: the launcher's heap and one page of code, init's
/// three, and their stacks. Without giving anything back it is four times as much.
const KIB: u64 = 176;

/// Of a process and its first child, proportional to how many have a page mapped.
fn held(launcher: i32) -> u64 {
    let children =
        fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).unwrap();
    let pss = |pid: &str| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    pss(&launcher.to_string()) + pss(children.split(' ').next().unwrap())
}

#[test]
fn a_launcher_that_waits_gives_back_what_it_does_not_need() {
    // Others cannot look at the memory of a process that leaves no core.
    for_root!();
    let rootfs = Rootfs::new();
    let running = Launch::on(&rootfs).probe("trap 15").start();
    running.wait_for("ready");
    let began = Instant::now();
    let mut held_now = held(running.pid());
    while held_now > KIB && began.elapsed() < patience(Duration::from_secs(20)) {
        thread::sleep(Duration::from_millis(100));
        held_now = held(running.pid());
    }
    println!("{held_now} KiB");
    assert!(held_now <= KIB, "{held_now} KiB are held while the command runs");
    running.signal(libc::SIGTERM);
    running.finish().ok();
}
