//! What is sent to init reaches the command, in order and with its payload.

use std::thread;
use std::time::Duration;

use super::{equal, init_of, prints};
use crate::init_subject::Init;
use crate::pace::patience;
use crate::running::Running;
use crate::sys;

fn trap(init: &Init, until: i32) -> (Running, i32) {
    let running = init.probe(&format!("trap {until}")).pid_one().start();
    running.wait_for("ready");
    let pid = init_of(&running);
    (running, pid)
}

pub fn forwards(init: &Init) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    for signal in [1, 2, 3, 10, 13, 14, 15, 16, 18, 23, 24, 25, 26, 27, 28, 29, 30] {
        sys::kill(pid, signal).map_err(|error| error.to_string())?;
        prints(&running, &format!("signal {signal} "))?;
    }
    sys::kill(pid, 12).map_err(|error| error.to_string())?;
    equal(running.finish().status.code(), Some(0))
}

fn forwards_all(init: &Init, signals: impl Iterator<Item = i32>) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    for signal in signals {
        sys::kill(pid, signal).map_err(|error| error.to_string())?;
        prints(&running, &format!("signal {signal} "))?;
    }
    Ok(())
}

pub fn forwards_real_time(init: &Init) -> Result<(), String> {
    forwards_all(init, 34..=64)
}

pub fn forwards_the_librarys(init: &Init) -> Result<(), String> {
    forwards_all(init, 32..=33)
}

pub fn forwards_sent_faults(init: &Init) -> Result<(), String> {
    forwards_all(init, [4, 5, 6, 7, 8, 11, 31].into_iter())
}

pub fn payload(init: &Init) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    sys::queue(pid, 40, 0x1234_5678).map_err(|error| error.to_string())?;
    prints(&running, "signal 40 code -1 value 0x12345678")
}

pub fn order(init: &Init) -> Result<(), String> {
    let (running, pid) = trap(init, 12);
    for value in 0..1000 {
        sys::queue(pid, 34, value).map_err(|error| error.to_string())?;
    }
    prints(&running, "value 0x3e7\n")?;
    let text = running.printed();
    let wanted = (0..1000).map(|value| format!("signal 34 code -1 value {value:#x}"));
    equal(
        text.lines().skip(1).collect::<Vec<_>>(),
        wanted.collect::<Vec<_>>().iter().map(String::as_str).collect(),
    )
}

pub fn stops(init: &Init) -> Result<(), String> {
    let running = init.probe("stop").pid_one().start();
    prints(&running, "stopping")?;
    thread::sleep(patience(Duration::from_millis(20)));
    sys::kill(init_of(&running), libc::SIGCONT).map_err(|error| error.to_string())?;
    prints(&running, "continued")?;
    equal(running.finish().status.code(), Some(0))
}
