//! Ends of all kinds, after which nothing is left.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::launch::Launch;
use crate::pace::{Stopwatch, patience};
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys;

/// A word that no other command line has.
pub fn mark() -> String {
    temporary_path("mark").file_name().unwrap().to_string_lossy().into_owned()
}

/// The pids of processes with this word on their command line.
pub fn marked(mark: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).any(|word| word == mark.as_bytes())
    })
    .collect()
}

/// Whether a process has been killed, though the kernel may still be busy with its end.
fn is_dying(pid: i32) -> bool {
    /// PF_EXITING of linux/sched.h.
    const EXITING: u64 = 4;
    let killed = 1 << (libc::SIGKILL - 1);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let flags = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(6)?.parse().ok());
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = status.lines().filter_map(|line| {
        let mask = line.strip_prefix("SigPnd:").or(line.strip_prefix("ShdPnd:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    // No file any more: it has ended meanwhile.
    flags.is_none_or(|flags: u64| flags & EXITING != 0)
        || pending.fold(0, |a, b| a | b) & killed != 0
}

/// Whether it wants to run and has had no turn since the last look: one that has not begun knows nothing
/// of its launcher's end yet.
fn is_waiting_for_its_turn(pid: i32, last: &mut HashMap<i32, String>) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let wants = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('R'));
    // How long it ran, and waited, in nanoseconds (Documentation/scheduler/sched-stats.rst).
    let times = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let ran = times.split(' ').next().unwrap_or_default().to_owned();
    wants && !ran.is_empty() && last.insert(pid, ran.clone()) == Some(ran)
}

/// Expects that after 200 ms no marked process runs, and that soon none is left at all.
#[track_caller]
pub fn expect_gone(mark: &str) {
    let (began, mut watch) = (Instant::now(), Stopwatch::start());
    let mut times = HashMap::new();
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        let alive = left.iter().filter(|&&pid| !is_dying(pid)).collect::<Vec<_>>();
        if alive.iter().all(|&&pid| is_waiting_for_its_turn(pid, &mut times)) {
            watch.stand_still();
        }
        let (took, limit) = (watch.passed(), patience(Duration::from_millis(200)));
        let of = |file: &str, pid| fs::read_to_string(format!("/proc/{pid}/{file}"));
        let show = |&&pid: &&i32| ["stat", "schedstat", "wchan"].map(|file| of(file, pid));
        let shown = || alive.iter().map(show).collect::<Vec<_>>();
        assert!(took < limit || alive.is_empty(), "still there: {:?}", shown());
        let limit = patience(Duration::from_secs(10));
        assert!(began.elapsed() < limit, "killed, but still there: {left:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed() {
    let mark = mark();
    let running = Launch::new().probe(&format!("sleep 1000 {mark}")).start();
    running.wait_for("ready");
    assert_eq!(marked(&mark).len(), 3, "launcher, init, command");
    running.signal(libc::SIGKILL);
    expect_gone(&mark);
}

#[test]
fn container_ends_when_init_is_killed_and_the_launcher_says_so() {
    let mark = mark();
    let path = temporary_path("pid");
    let launch = Launch::new().option("--pid-file").arg(&path);
    let running = launch.probe(&format!("sleep 1000 {mark}")).start();
    // Written once the launcher knows that the command runs.
    let init = (0..5000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(1));
        fs::read_to_string(&path).ok()?.trim().parse().ok()
    });
    sys::kill(init.expect("a pid"), libc::SIGKILL).unwrap();
    running.finish().code(128 + libc::SIGKILL);
    expect_gone(&mark);
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
    assert!(output.took < patience(Duration::from_secs(2)), "{output}");
    expect_gone(&mark);
}

#[test]
fn daemon_that_holds_the_output_does_not_make_the_caller_wait() {
    let mark = mark();
    let output = Launch::new().probe(&format!("orphan keep {mark}")).run().ok();
    assert!(output.fact("daemon").parse::<i32>().is_ok());
    assert!(output.took < patience(Duration::from_secs(2)), "{output}");
    expect_gone(&mark);
}

#[test]
fn daemon_that_holds_the_output_does_not_keep_a_killed_container() {
    let running = Launch::new().probe("trap 15").start();
    running.wait_for("ready");
    running.signal(libc::SIGKILL);
    let output = running.finish();
    assert!(output.took < patience(Duration::from_secs(2)), "{output}");
}

#[test]
fn nothing_is_left_in_temporary_folders_or_on_the_rootfs() {
    let folder = temporary_path("tmp");
    fs::create_dir(&folder).unwrap();
    let rootfs = Rootfs::new();
    let before = rootfs.listing();
    let launch = Launch::on(&rootfs).variable("TMPDIR", &folder).directory(&folder);
    launch.probe("exit 3").run().code(3);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(rootfs.listing(), before);
    fs::remove_dir(folder).unwrap();
}
