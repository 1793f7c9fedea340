//! What the caller has left: the command finds it unchanged, and init keeps none of it.

use std::fs;
use std::thread;
use std::time::Duration;

use super::{equal, expect, prints};
use crate::init_subject::Init;
use crate::pace::{Stopwatch, patience};
use crate::sys::before::Before;

pub fn ignored_sigchld(init: &Init) -> Result<(), String> {
    let run = init.probe("exit 7").before(Before::Ignore(libc::SIGCHLD));
    equal(run.code(), Some(7))
}

pub fn callers_mask(init: &Init) -> Result<(), String> {
    let mask = 1 << (libc::SIGUSR2 - 1) | 1 << (libc::SIGTSTP - 1) | 1 << 40;
    let run = init.probe("status SigBlk").before(Before::Block(mask));
    let output = run.start().finish();
    equal(output.fact("SigBlk"), &format!("{mask:016x}"))
}

pub fn callers_ignores(init: &Init) -> Result<(), String> {
    let signals = [libc::SIGHUP, libc::SIGUSR2, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    let run = signals
        .iter()
        .fold(init.probe("status SigIgn"), |run, &signal| run.before(Before::Ignore(signal)));
    let ignored = signals.iter().fold(0u64, |set, signal| set | 1 << (signal - 1));
    let output = run.start().finish();
    equal(output.fact("SigIgn"), &format!("{ignored:016x}"))
}

pub fn closed_stdio(init: &Init) -> Result<(), String> {
    let run = init.probe("exit 7").pid_one();
    let run = (0..3).fold(run, |run, fd| run.before(Before::Close(fd)));
    equal(run.code(), Some(7))
}

pub fn pins_no_descriptor(init: &Init) -> Result<(), String> {
    let root = fs::File::open("/").unwrap();
    let run = init.probe("sleep 1000").before(Before::Descriptor(root.into(), 7));
    let running = run.start();
    prints(&running, "ready")?;
    keeps_standard_descriptors(running.pid())
}

/// Soon, and nothing else.
pub fn keeps_standard_descriptors(pid: i32) -> Result<(), String> {
    let mut open = Vec::new();
    let mut watch = Stopwatch::start();
    while watch.passed() < patience(Duration::from_secs(2)) {
        open = fs::read_dir(format!("/proc/{}/fd", pid))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| !["0", "1", "2"].contains(&&*name.to_string_lossy()))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
    }
    Err(format!("{open:?} are open"))
}

pub fn pins_no_directory(init: &Init) -> Result<(), String> {
    let running = init.probe("sleep 1000").start();
    prints(&running, "ready")?;
    thread::sleep(patience(Duration::from_millis(20)));
    let directory = fs::read_link(format!("/proc/{}/cwd", running.pid())).unwrap();
    equal(directory.to_string_lossy().as_ref(), "/")
}

pub fn listen_pid(init: &Init) -> Result<(), String> {
    // 2, but for an emulator's threads.
    let numbers = init.probe("status NSpid").pid_one().start().finish();
    let pid = numbers.fact("NSpid").split_whitespace().last().unwrap_or("2");
    let run = init.probe("env").variable("LISTEN_PID", "1").variable("LISTEN_FDS", "1");
    let output = run.pid_one().start().finish();
    let entry = format!("LISTEN_PID={pid}");
    expect(output.lines().contains(&&*entry), || output.to_string())?;
    // What is for somebody else stays so.
    let run = init.probe("env").variable("LISTEN_PID", "777").pid_one();
    let output = run.start().finish();
    expect(output.lines().contains(&"LISTEN_PID=777"), || output.to_string())
}
