//! stopwatch: runs commands in turn, again and again, and tells how long each run took.
//!
//! `stopwatch ROUNDS FILE`: FILE has a word on each line, and an empty line behind each command.
//! Every round runs every command once, so that whatever else the machine does meets all of them
//! alike. A line for each run, of numbers: the command, when it was started, when it spoke (the
//! time that it wrote to its standard output itself, 0 if none), when it was reaped; then its and
//! its reaped children's CPU time, page faults and largest resident set in KiB, and the exit code.
//! Times are nanoseconds of CLOCK_MONOTONIC.

#[path = "sys/stopwatch.rs"]
mod sys;

use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stopwatch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let words = std::env::args().collect::<Vec<_>>();
    let [_, rounds, file] = &words[..] else { return Err(io::Error::other("ROUNDS FILE")) };
    let rounds = rounds.parse::<u32>().map_err(io::Error::other)?;
    let text = std::fs::read_to_string(file)?;
    let mut commands = text
        .split("\n\n")
        .filter_map(|block| {
            let mut words = block.lines();
            let mut command = Command::new(words.next()?);
            command.args(words).stdin(Stdio::null()).stderr(Stdio::null());
            Some(command)
        })
        .collect::<Vec<_>>();
    let mut out = io::BufWriter::new(io::stdout());
    for _ in 0..rounds {
        for (index, command) in commands.iter_mut().enumerate() {
            writeln!(out, "{index} {}", measure(command)?)?;
        }
    }
    out.flush()
}

fn measure(command: &mut Command) -> io::Result<String> {
    let (mut reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?);
    let started = sys::now();
    let child = command.spawn()?;
    let end = sys::wait(child.id())?;
    let ended = sys::now();
    // Ours, and the one that the command's description holds.
    drop(writer);
    command.stdout(Stdio::null());
    let mut said = Vec::new();
    reader.read_to_end(&mut said)?;
    // struct timespec: seconds and nanoseconds, as the command itself saw the clock.
    let number = |at: usize| said.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes);
    let spoke = match (said.len(), number(0), number(8)) {
        (16, Some(seconds), Some(rest)) => seconds * 1_000_000_000 + rest,
        _ => 0,
    };
    let sys::End { cpu, faults, resident, code } = end;
    Ok(format!("{started} {spoke} {ended} {cpu} {faults} {resident} {code}"))
}
