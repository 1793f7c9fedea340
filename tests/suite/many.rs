//! Many at once.

use std::collections::BTreeSet;

use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::pace::rounds;
use crate::rootfs::Rootfs;

#[test]
fn twenty_share_a_rootfs() {
    let rootfs = Rootfs::bare();
    let start = |n: usize| Launch::on(&rootfs).probe(&format!("exit {n}")).start();
    let running = (0..20).map(start).collect::<Vec<_>>();
    for (n, running) in running.into_iter().enumerate() {
        running.finish().code(n as i32);
    }
}

#[test]
fn two_hundred_at_once_all_end_with_their_own_code() {
    let rootfs = Rootfs::new();
    let start = |n: usize| Launch::on(&rootfs).probe(&format!("exit {n}")).start();
    let running = (0..rounds(200, 1000) as usize).map(start).collect::<Vec<_>>();
    for (n, running) in running.into_iter().enumerate() {
        running.finish().code(n as i32);
    }
}

#[test]
fn fifty_that_stay_are_all_there_and_all_end() {
    let rootfs = Rootfs::new();
    let start = |_| Launch::on(&rootfs).probe("trap 15").start();
    let running = (0..rounds(50, 200)).map(start).collect::<Vec<_>>();
    running.iter().for_each(|running| drop(running.wait_for("ready")));
    running.iter().for_each(|running| running.signal(libc::SIGTERM));
    for running in running {
        running.finish().ok();
    }
}

#[test]
fn twenty_on_a_rootfs_have_twenty_ranges() {
    for_root!();
    require!(idmapped_mounts);
    let rootfs = Rootfs::new().with_shell();
    let script = "read line < /proc/self/uid_map; echo map $line; exec /probe trap 15";
    let start = |_| Launch::on(&rootfs).command(["/bin/sh", "-c", script]).start();
    let running = (0..20).map(start).collect::<Vec<_>>();
    let maps = running.iter().map(|running| running.wait_for("ready")).collect::<BTreeSet<_>>();
    assert_eq!(maps.len(), 20, "{maps:?}");
    running.iter().for_each(|running| running.signal(libc::SIGTERM));
    for running in running {
        running.finish().ok();
    }
}
