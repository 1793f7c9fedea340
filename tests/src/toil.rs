//! toil: makes work for the PID 1 above it, and tells how long that takes.
//!
//! `toil SIGNALS BURSTS` sends PID 1 a signal that it passes on to us, waits for it, and so on; then
//! leaves it bursts of a hundred orphans that end at once, and waits until it has reaped them. Says
//! four numbers of nanoseconds: for an orphan, of PID 1's CPU time for an orphan, and for a signal
//! there and back with PID 1 and us on one processor, and on two. On one it is what the two programs
//! take; on two it is mostly how deeply the other processor slept. Left to the scheduler it is now
//! the one, now the other.

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
    let (whole, cpu) = (whole / orphans, cpu / orphans);

    sys::hold_back_signal()?;
    let (first, last) = sys::processors()?;
    sys::stay_on(0, first)?;
    let [on_one, on_two] = [first, last].map(|processor| {
        sys::stay_on(1, processor)?;
        there_and_back(signals)
    });
    println!("{whole} {cpu} {} {}", on_one?, on_two?);
    Ok(())
}

/// In nanoseconds for each.
fn there_and_back(signals: u32) -> io::Result<u128> {
    let started = Instant::now();
    for _ in 0..signals {
        sys::send_to_pid1()?;
        sys::take_signal()?;
    }
    Ok(started.elapsed().as_nanos() / u128::from(signals))
}
