//! toil: makes work for the PID 1 above it, and tells how long that takes.
//!
//! `toil SIGNALS BURSTS` sends PID 1 a signal that it passes on to us, waits for it, and so on; then
//! leaves it bursts of a hundred orphans that end at once, and waits until it has reaped them. Says
//! three numbers of nanoseconds: for a signal there and back, for an orphan, and of PID 1's CPU time
//! for an orphan.

#[path = "sys/toil.rs"]
mod sys;

use std::io;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Instant;

/// That many orphans end together.
const BURST: u32 = 100;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("toil: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let numbers = std::env::args().skip(1).map(|word| word.parse::<NonZeroU32>());
    let numbers = numbers.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let [signals, bursts] = numbers[..] else {
        return Err(io::Error::other("SIGNALS BURSTS"));
    };
    let (signals, bursts) = (signals.get(), bursts.get());
    sys::hold_back_signal()?;
    let started = Instant::now();
    for _ in 0..signals {
        sys::send_to_pid1()?;
        sys::take_signal()?;
    }
    let signal = started.elapsed().as_nanos() / u128::from(signals);

    let (mut whole, mut cpu) = (0, 0);
    for _ in 0..bursts {
        let (input, end) = io::pipe()?;
        let group = sys::leave_orphans(BURST, input, &end)?;
        let cpu_before = sys::cpu_of_pid1()?;
        let started = Instant::now();
        drop(end);
        while sys::is_there(group) {
            std::thread::yield_now();
        }
        whole += started.elapsed().as_nanos();
        cpu += u128::from(sys::cpu_of_pid1()? - cpu_before);
    }
    let orphans = u128::from(BURST * bursts);
    println!("{signal} {} {}", whole / orphans, cpu / orphans);
    Ok(())
}
