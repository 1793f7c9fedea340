//! Orphans, and nothing to do.

use std::fs;
use std::thread;
use std::time::Duration;

use super::{equal, expect, prints};
use crate::init_subject::Init;
use crate::pace::patience;
use crate::sys::before::Before;

pub fn reaps(init: &Init) -> Result<(), String> {
    let proc = Before::mount("proc".as_ref(), "/proc".as_ref()).unwrap();
    let output = init.probe("zombies 300").pid_one().before(proc).start().finish();
    equal((output.fact("zombies"), output.fact("processes")), ("0", "2"))
}

pub fn subreaper(init: &Init) -> Result<(), String> {
    let output = init.probe("adopted").start().finish();
    let name = output.fact("parent");
    expect(init.name.starts_with(name) || name == init.name, || output.to_string())
}

pub fn traced(init: &Init) -> Result<(), String> {
    let running = init.probe("traced").pid_one().start();
    prints(&running, "went on")?;
    equal(running.finish().status.code(), Some(0))
}

pub fn idle(init: &Init) -> Result<(), String> {
    let running = init.probe("sleep 1000").start();
    prints(&running, "ready")?;
    let switches = || {
        let path = format!("/proc/{}/status", running.pid());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap();
        line.to_owned()
    };
    thread::sleep(patience(Duration::from_millis(100)));
    let before = switches();
    thread::sleep(Duration::from_millis(2100));
    equal(switches(), before)
}
