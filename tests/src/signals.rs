//! Verbs that wait for signals.
//!
//! Every signal is blocked and taken from the queue, so that none is lost and two of a kind, where
//! the kernel keeps them apart, are seen in their order.

use std::time::Duration;

use crate::{Outcome, number, sys};

/// `trap UNTIL`: says "ready", then prints every signal that comes, and ends by exit code 0 when
/// UNTIL has come.
pub fn trap(words: &[&str]) -> Outcome {
    let until = number::<i32>(words, 0)?;
    sys::block_all_signals();
    println!("ready");
    loop {
        let got = sys::next_signal(None)?;
        println!("signal {} code {} value {:#x}", got.signal, got.code, got.value);
        if got.signal == until {
            return Ok(0);
        }
    }
}

/// `await MILLISECONDS`: prints the first signal that comes in this time, or "none".
pub fn await_one(words: &[&str]) -> Outcome {
    sys::block_all_signals();
    println!("ready");
    match sys::next_signal(Some(Duration::from_millis(number(words, 0)?))) {
        Ok(got) => println!("signal {}", got.signal),
        Err(_) => println!("none"),
    }
    Ok(0)
}
