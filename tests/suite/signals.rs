//! Signals: what the caller had set, and what is sent to the launcher.

use std::time::{Duration, Instant};

use crate::launch::Launch;
use crate::output::Output;
use crate::pace::{Stopwatch, patience, rounds};
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::sys;
use crate::sys::before::Before;

const SIGNALS: &str = "status SigBlk SigIgn";

/// The bit of a signal in a mask.
fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

#[track_caller]
fn mask(output: &Output, name: &str) -> u64 {
    u64::from_str_radix(output.fact(name), 16).unwrap()
}

#[test]
fn by_default_nothing_is_blocked_or_ignored() {
    let output = Launch::new().probe(SIGNALS).run().ok();
    assert_eq!((mask(&output, "SigBlk"), mask(&output, "SigIgn")), (0, 0));
}

#[test]
fn what_the_caller_ignores_is_ignored_inside() {
    let ignored = [libc::SIGHUP, libc::SIGPIPE, libc::SIGINT, libc::SIGUSR1];
    let launch = ignored
        .into_iter()
        .fold(Launch::new(), |launch, signal| launch.before(Before::Ignore(signal)));
    let output = launch.probe(SIGNALS).run().ok();
    assert_eq!(mask(&output, "SigIgn"), ignored.into_iter().map(bit).sum::<u64>());
}

#[test]
fn what_the_caller_blocks_is_blocked_inside() {
    let blocked = bit(libc::SIGTERM) | bit(libc::SIGUSR2) | bit(34) | bit(64);
    let output = Launch::new().before(Before::Block(blocked)).probe(SIGNALS).run().ok();
    assert_eq!(mask(&output, "SigBlk"), blocked);
}

#[test]
fn ignored_sigchld_neither_hangs_nor_hides_the_exit_code() {
    Launch::new().before(Before::Ignore(libc::SIGCHLD)).probe("exit 7").run().code(7);
    let output = Launch::new().before(Before::Ignore(libc::SIGCHLD)).probe(SIGNALS).run().ok();
    assert_eq!(mask(&output, "SigIgn"), 0, "and the command can wait for its children");
}

/// A command that prints each signal, and ends when SIGUSR2 has come.
fn trap(launch: Launch) -> Running {
    let running = launch.probe(&format!("trap {}", libc::SIGUSR2)).start();
    running.wait_for("ready");
    running
}

/// The line that the probe prints; a signal's code and value follow.
fn line_of(signal: i32) -> String {
    format!("signal {signal} ")
}

#[test]
fn every_signal_that_can_be_caught_reaches_the_command() {
    let running = trap(Launch::new());
    // Not those that stop the launcher, and SIGUSR2 at the end.
    let left_out = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD, libc::SIGTSTP, libc::SIGUSR2];
    for signal in (1..=64).filter(|signal| !left_out.contains(signal)) {
        running.signal(signal);
        running.wait_for(&line_of(signal));
    }
    running.signal(libc::SIGUSR2);
    running.finish().ok();
}

/// The real-time signals of signal(7), and the two that the C library keeps for itself.
#[test]
fn queued_signals_keep_their_number_their_order_and_their_values() {
    let running = trap(Launch::new());
    for n in 0..20 {
        for signal in 32..=64 {
            sys::queue(running.pid(), signal, 0x1000 + n).unwrap();
        }
    }
    running.wait_for("signal 64 code -1 value 0x1013");
    running.signal(libc::SIGUSR2);
    let output = running.finish().ok();
    for signal in 32..=64 {
        let sent = (0..20).map(|n| format!("{}code -1 value {:#x}", line_of(signal), 0x1000 + n));
        let got = output.lines().into_iter().filter(|line| line.starts_with(&line_of(signal)));
        assert_eq!(got.collect::<Vec<_>>(), sent.collect::<Vec<_>>());
    }
}

/// As pthread_kill(3) does it, and many a language's library.
#[test]
fn signal_to_the_launchers_thread_reaches_the_command() {
    let running = trap(Launch::new());
    for signal in [libc::SIGTERM, libc::SIGINT, 34] {
        sys::kill_thread(running.pid(), signal).unwrap();
        running.wait_for(&line_of(signal));
    }
    running.signal(libc::SIGUSR2);
    running.finish().ok();
}

#[test]
fn signal_with_a_value_keeps_it() {
    let running = trap(Launch::new());
    sys::queue(running.pid(), libc::SIGTERM, 0xdead_beef).unwrap();
    running.wait_for("signal 15 code -1 value 0xdeadbeef");
    running.signal(libc::SIGUSR2);
    running.finish().ok();
}

#[test]
fn sigterm_ends_a_command_that_does_not_catch_it() {
    let running = Launch::new().probe("sleep 1000").start();
    running.wait_for("ready");
    running.signal(libc::SIGTERM);
    running.finish().code(128 + libc::SIGTERM);
}

#[test]
fn signal_reaches_the_command_of_another_user_too() {
    let launch = Launch::new().option("--userns=single");
    let running = trap(launch);
    running.signal(libc::SIGHUP);
    running.wait_for(&line_of(libc::SIGHUP));
    running.signal(libc::SIGUSR2);
    running.finish().ok();
}

#[test]
fn sigtstp_stops_the_launcher_and_sigcont_lets_both_go_on() {
    let running = trap(Launch::new());
    running.signal(libc::SIGTSTP);
    running.wait_for(&line_of(libc::SIGTSTP));
    wait_for_state(running.pid(), 'T');
    running.signal(libc::SIGCONT);
    running.wait_for(&line_of(libc::SIGCONT));
    running.signal(libc::SIGUSR2);
    running.finish().ok();
}

#[track_caller]
fn wait_for_state(pid: i32, state: char) {
    let deadline = Instant::now() + patience(Duration::from_secs(5));
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let found = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if found == Some(state) {
            return;
        }
        assert!(Instant::now() < deadline, "{stat}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn command_that_stops_itself_goes_on_by_sigcont() {
    let running = Launch::new().probe("stop").start();
    running.wait_for("stopping");
    std::thread::sleep(patience(Duration::from_millis(50)));
    running.signal(libc::SIGCONT);
    running.finish().ok().prints(&["stopping", "continued"]);
}

#[test]
fn signals_at_any_moment_of_a_start_are_not_lost() {
    let rootfs = Rootfs::new();
    let rounds = rounds(100, 2000);
    let limit = patience(Duration::from_secs(1));
    for round in 0..rounds {
        let words = if round % 2 == 0 { "sleep 1000" } else { "trap 15" };
        let mut running = Launch::on(&rootfs).probe(words).start();
        std::thread::sleep(patience(Duration::from_micros(round * 5000 / rounds)));
        running.signal(libc::SIGTERM);
        let mut sent = Stopwatch::start();
        while running.try_wait().is_none() && sent.passed() < limit {
            std::thread::sleep(Duration::from_micros(300));
        }
        let took = sent.passed();
        let output = running.finish();
        assert!(took < limit, "took {took:?}\n{output}");
        // Before it has blocked its signals the launcher itself is ended.
        let by_signal = {
            use std::os::unix::process::ExitStatusExt;
            output.status.signal() == Some(libc::SIGTERM)
        };
        let trapped = output.status.code() == Some(0) && output.stdout.contains("signal 15");
        let ended = output.status.code() == Some(143);
        assert!(by_signal || trapped || ended, "round {round}\n{output}");
        assert_eq!(output.complaints(), Vec::<&str>::new(), "round {round}\n{output}");
    }
}
