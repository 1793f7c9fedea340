//! Moments at which something can be lost or hang: the first milliseconds, two ends at once, Ctrl-Z.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use super::{equal, expect, init_of, prints};
use crate::init_subject::Init;
use crate::pace::patience;
use crate::running::Running;
use crate::sys::{self, before::Before};
use crate::{init_jobs, init_terminal};

/// Not PID 1, it is ended by what comes before its first instruction, and so is the command by what
/// comes later: either way the end is SIGTERM's.
pub fn early_end(init: &Init) -> Result<(), String> {
    for round in 0..50 {
        let mut running = init.probe("sleep 1000").start();
        thread::sleep(patience(Duration::from_micros(round * 100)));
        running.signal(libc::SIGTERM);
        let status = ended(&mut running).ok_or("it goes on")?;
        let by_it = status.code() == Some(143) || status.signal() == Some(libc::SIGTERM);
        expect(by_it, || status.to_string())?;
    }
    Ok(())
}

/// Soon: a test that has to fail somewhere cannot take its whole limit.
fn ended(running: &mut Running) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience(Duration::from_secs(2));
    while Instant::now() < deadline {
        if let Some(status) = running.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_micros(300));
    }
    None
}

/// The kernel drops what comes before PID 1 handles it, unless its caller has blocked it.
pub fn pending_end(init: &Init) -> Result<(), String> {
    for _ in 0..10 {
        let run = init.probe("await 1000000").before(Before::Block(u64::MAX)).pid_one();
        let running = run.start();
        let pid = loop {
            let pid = init_of(&running);
            if pid != running.pid() {
                break pid;
            }
        };
        sys::kill(pid, libc::SIGTERM).map_err(|error| error.to_string())?;
        prints(&running, "signal 15")?;
    }
    Ok(())
}

pub fn two_ends(init: &Init) -> Result<(), String> {
    let script = "(sleep 0 &) ; (exit 3 &) ; exit 7";
    for _ in 0..50 {
        equal(init.run(&["--", "/bin/sh", "-c", script]).code(), Some(7))?;
    }
    Ok(())
}

pub fn job(init: &Init) -> Result<(), String> {
    init_jobs::stops_and_goes_on(init);
    Ok(())
}

pub fn shell(init: &Init) -> Result<(), String> {
    init_terminal::shells_control_their_jobs(init);
    Ok(())
}
