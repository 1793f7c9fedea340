//! How fast this machine is. One that is emulated needs many times longer for everything, so there
//! a test waits longer for what has to happen, and repeats less often what it repeats.
//!
//! A deadline stays one: what it guards against takes longer still.

use std::env;
use std::sync::OnceLock;
use std::time::Duration;

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

/// All of them, or on a slow machine one: another for another `turn`.
pub fn in_turn<T>(all: &[T], turn: usize) -> &[T] {
    let at = turn % all.len();
    if slowness() > 1 { &all[at..=at] } else { all }
}

/// All of them, or on a slow machine one in `slowness`, beginning with the first.
pub fn sample<T>(all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    if slowness() > 1 {
        println!("one in {}: this machine is slow", slowness());
    }
    all.into_iter().step_by(slowness() as usize)
}
