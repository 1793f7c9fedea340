//! What a start costs, in what can be counted: system calls and page faults. Time depends on the
//! machine and is `cargo xtask bench`'s; these do not, and a start that has become dearer fails here.

use std::fs;
use std::process::{Command, Stdio};

use crate::ability::{self, require};
use crate::launch::Launch;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{subject, sys};

/// Up to the command's execve, all processes together. Of those, 31 take capabilities out of the
/// bounding set one by one, as the kernel has it; a kernel that lacks something takes a few more.
/// 230 for root and 232 for a user, on Linux 6.18, and up to ten for where to run; 261 for a copy; 264 for a user on 5.10,
/// which has no mount_setattr(2), and 295 with its process between.
fn most_calls() -> usize {
    match (is_before(5, 12), child_is_a_copy()) {
        (true, _) => 300,
        (_, true) => 270,
        (_, false) => 246,
    }
}

/// Launcher, init and command, which is a small static program: some 34, and some 55 with a copy; for a
/// user on an initial ramfs that cannot be pivoted from some 68, with the process between.
fn most_faults() -> u64 {
    if child_is_a_copy() { 80 } else { 46 }
}

/// The child does not run in the launcher's memory. Where it does root makes device nodes, too.
fn child_is_a_copy() -> bool {
    is_before(6, 3) || ability::pivot_root().is_err()
}

/// Whether the kernel is older than this version.
fn is_before(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|part| part.trim().parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap()) < (major, minor)
}

/// The mode that any host gives to root, or to a user without subordinate ids.
fn mode() -> &'static str {
    if sys::uid() == 0 { "range" } else { "single" }
}

#[test]
fn a_start_makes_no_more_system_calls_than_it_did() {
    require!(tracing);
    if sys::uid() == 0 {
        require!(idmapped_mounts);
    }
    let rootfs = Rootfs::new();
    rootfs.add_program("quit", &subject::init());
    let enough = most_calls();
    // Who has to wait for the other, beside others, waits in one or two calls more.
    let mut least = usize::MAX;
    for _ in 0..5 {
        least = least.min(calls_of_a_start(&rootfs));
        if least <= enough {
            return;
        }
    }
    panic!("{least} system calls, {enough} were enough");
}

/// From the launcher's own execve to the command's, of all its processes.
fn calls_of_a_start(rootfs: &Rootfs) -> usize {
    let trace = temporary_path("trace");
    Launch::on(rootfs)
        .option("--userns")
        .arg(mode())
        .command(["/quit", "--version"])
        .variable("TRACE", &trace)
        .through_shell("exec strace -f -qq -o \"$TRACE\" \"$@\"")
        .run()
        .code(0);
    let text = fs::read_to_string(&trace).unwrap();
    fs::remove_file(&trace).unwrap();
    // 1234 openat(… ; not what an interrupted one goes on as, nor signals and ends.
    let call = |line: &str| line.split_once(' ').map(|(_, call)| call.trim_start().to_owned());
    let calls = text.lines().filter_map(call);
    let calls = calls.filter(|call| call.starts_with(|c: char| c.is_ascii_lowercase()));
    let before = calls.take_while(|call| !call.starts_with("execve(\"/quit\"")).count();
    println!("{before} system calls");
    assert!(before > 100, "a trace of what?\n{text}");
    before
}

/// A launcher that the start woke up would wait twice.
#[test]
fn launcher_sleeps_from_the_gate_to_the_commands_end() {
    require!(tracing);
    if child_is_a_copy() {
        println!("such a launcher forbids a core of its memory at the command's start");
        return;
    }
    let rootfs = Rootfs::new().with_shell();
    let waits = || {
        let trace = temporary_path("trace");
        Launch::on(&rootfs)
            .option("--userns")
            .arg(mode())
            .command(["/bin/sh", "-c", "sleep 0.05"])
            .variable("TRACE", &trace)
            .through_shell("exec strace -qq -e trace=ppoll -o \"$TRACE\" \"$@\"")
            .run()
            .code(0);
        let text = fs::read_to_string(&trace).unwrap();
        fs::remove_file(&trace).unwrap();
        println!("{text}");
        text.lines().filter(|line| line.starts_with("ppoll(")).count()
    };
    // After a while it wakes up to give memory back, on a busy machine before the end.
    assert!((0..5).any(|_| waits() == 1));
}

#[test]
fn a_start_touches_no_more_pages_than_it_did() {
    if sys::uid() == 0 {
        require!(idmapped_mounts);
    }
    let rootfs = Rootfs::new();
    rootfs.add_program("quit", &subject::init());
    let faults = || {
        let mut command = Command::new(subject::launcher());
        command.args(["--userns", mode()]).arg(rootfs.path()).args(["/quit", "--version"]);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        let (code, faults) = sys::run_and_count_faults(&mut command).unwrap();
        assert_eq!(code, Some(0));
        faults
    };
    // The kernel maps the pages of a file around a fault if they are at hand and nobody holds them just
    // then, so that a start beside others has a few more.
    let faults: Vec<u64> = std::iter::repeat_with(faults).take(10).collect();
    println!("{faults:?} page faults");
    let faults = *faults.iter().min().unwrap();
    let enough = most_faults();
    assert!(faults <= enough, "{faults} page faults, {enough} were enough");
}
