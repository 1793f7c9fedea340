//! How fast this machine is. One that is emulated needs many times longer for everything, so there
//! a test waits longer for what has to happen, and repeats less often what it repeats.
//!
//! A deadline stays one: what it guards against takes longer still.

use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How many times slower than real hardware: told by who made the machine.
pub fn slowness() -> u32 {
    static SLOWNESS: OnceLock<u32> = OnceLock::new();
    *SLOWNESS.get_or_init(|| match env::var("SUITE_SLOWNESS") {
        Ok(text) => text.parse().expect("SUITE_SLOWNESS is a number from 1 on"),
        Err(_) => 1,
    })
}

/// How long to wait here for what real hardware does in `usual`.
pub fn patience(usual: Duration) -> Duration {
    usual * slowness()
}

/// A stopwatch for what a program does in a time that is promised. It shows the time in which the
/// program has had its turn: where n threads for each processor want to run, it gets an n-th, and
/// nobody runs while the whole machine stands. On a quiet machine that is the clock's.
pub struct Stopwatch {
    last: Instant,
    passed: Duration,
}

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch { last: Instant::now(), passed: Duration::ZERO }
    }

    /// What has passed since it was last asked does not count.
    pub fn stand_still(&mut self) {
        self.last = Instant::now();
    }

    /// To be asked every few milliseconds.
    pub fn passed(&mut self) -> Duration {
        let now = Instant::now();
        let since = (now - self.last).min(patience(Duration::from_millis(50)));
        self.last = now;
        self.passed += since / crowd();
        self.passed
    }
}

/// How many threads run or want to, for each processor.
fn crowd() -> u32 {
    // 0.20 0.18 0.12 3/80 11206 (proc(5)).
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // One look can miss them: as many as on the average of the last minute, at least.
    let average = text.split('.').next().and_then(|word| word.parse::<u32>().ok());
    let running = text.split(' ').nth(3).and_then(|word| word.split('/').next()?.parse().ok());
    let running = running.max(average);
    let processors = thread::available_parallelism().map_or(1, |count| count.get() as u32);
    (running.unwrap_or(1) / processors).max(1)
}

/// How often a test does a thing that may go wrong now and then; with SUITE_LONG `long` times.
pub fn rounds(usual: u64, long: u64) -> u64 {
    if env::var_os("SUITE_LONG").is_some() {
        return long;
    }
    let rounds = usual.div_ceil(slowness().into());
    if rounds < usual {
        println!("{rounds} rounds instead of {usual}: this machine is slow");
    }
    rounds
}

/// All of them, or on a slow machine, without SUITE_LONG, one: another for another `turn`.
pub fn in_turn<T>(all: &[T], turn: usize) -> &[T] {
    let at = turn % all.len();
    if slowness() == 1 || env::var_os("SUITE_LONG").is_some() || all.len() == 1 {
        return all;
    }
    println!("the {}. of {}: this machine is slow", at + 1, all.len());
    &all[at..=at]
}

/// All of them, or on a slow machine one in `slowness`, beginning with the first.
pub fn sample<T>(all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    one_in(slowness() as usize, all)
}

/// All of them, or on a slow machine, without SUITE_LONG, one in so many, beginning with the first.
pub fn one_in<T>(count: usize, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let step = if slowness() > 1 && env::var_os("SUITE_LONG").is_none() { count } else { 1 };
    if step > 1 {
        println!("one in {step}: this machine is slow");
    }
    all.into_iter().step_by(step)
}
