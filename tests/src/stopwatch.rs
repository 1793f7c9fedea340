//! stopwatch: runs commands in turn, again and again, and tells how long each run took.
//!
//! In FILE each line is a word, and an empty line stands behind each command; `{}` in a word is a
//! number that no other run has. Times are nanoseconds of CLOCK_MONOTONIC. What takes longer than five
//! seconds is killed.
//!
//! `stopwatch turns ROUNDS FILE`: every round runs every command once, so that whatever else the
//! machine does meets all of them alike. A line for each run, of numbers: the command, when it was
//! started, when it spoke (the time that it wrote to its standard output itself, 0 if none), when it
//! was reaped; then its and its reaped children's CPU time, page faults and largest resident set in
//! KiB, and the exit code. `turns-as-pid1` is the same in new pid namespaces, made beforehand.
//!
//! `stopwatch rate WORKERS MILLISECONDS FILE`: each command in turn, again and again by so many
//! workers for so long. A line for each command: the command, how many runs succeeded, how many
//! failed, how long it all took, and how long the machine's processors were busy, also after the end.

#[path = "sys/stopwatch.rs"]
mod sys;

use std::io::{self, BufWriter, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What is torn down behind the back of a command (a network namespace) is done by then.
const AFTERWARDS: Duration = Duration::from_millis(150);

/// Runs so far.
static RUNS: AtomicU64 = AtomicU64::new(0);

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
    let words = std::env::args().skip(1).collect::<Vec<_>>();
    let words = words.iter().map(String::as_str).collect::<Vec<_>>();
    let mut out = BufWriter::new(io::stdout());
    match words[..] {
        ["turns", rounds, file] => turns(&mut out, number(rounds)?, file, false)?,
        ["turns-as-pid1", rounds, file] => turns(&mut out, number(rounds)?, file, true)?,
        ["rate", workers, time, file] => rate(&mut out, number(workers)?, number(time)?, file)?,
        _ => return Err(io::Error::other("turns ROUNDS FILE | rate WORKERS MILLISECONDS FILE")),
    }
    out.flush()
}

fn number(word: &str) -> io::Result<u64> {
    word.parse().map_err(io::Error::other)
}

/// The words of each command.
fn read(file: &str) -> io::Result<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(file)?;
    let words = |block: &str| block.lines().map(str::to_owned).collect::<Vec<_>>();
    Ok(text.split("\n\n").map(words).filter(|words| !words.is_empty()).collect())
}

fn command(words: &[String]) -> Command {
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let run = format!("{}-{run}", std::process::id());
    let mut words = words.iter().map(|word| word.replace("{}", &run));
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn turns(out: &mut impl Write, rounds: u64, file: &str, as_pid1: bool) -> io::Result<()> {
    let all = read(file)?;
    for _ in 0..rounds {
        for (index, words) in all.iter().enumerate() {
            if as_pid1 {
                sys::next_child_is_pid1()?;
            }
            writeln!(out, "{index} {}", measure(command(words))?)?;
        }
    }
    Ok(())
}

fn measure(mut command: Command) -> io::Result<String> {
    let (mut reader, writer) = io::pipe()?;
    command.stdout(writer);
    let started = sys::now();
    let child = command.spawn()?;
    let end = sys::wait(child.id())?;
    let ended = sys::now();
    // It holds the pipe's other end.
    drop(command);
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

fn rate(out: &mut impl Write, workers: u64, time: u64, file: &str) -> io::Result<()> {
    for (index, words) in read(file)?.iter().enumerate() {
        let busy = sys::busy()?;
        let started = Instant::now();
        let until = started + Duration::from_millis(time);
        let runs = thread::scope(|scope| {
            let work = || work(words, until);
            let workers = (0..workers).map(|_| scope.spawn(work)).collect::<Vec<_>>();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("it panics nowhere"))
                .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
        });
        let took = started.elapsed().as_nanos();
        thread::sleep(AFTERWARDS);
        let busy = sys::busy()? - busy;
        writeln!(out, "{index} {} {} {took} {busy}", runs.0, runs.1)?;
    }
    Ok(())
}

/// How many runs one worker has done, and how many of its runs failed.
fn work(words: &[String], until: Instant) -> (u64, u64) {
    let (mut done, mut failed) = (0, 0);
    while Instant::now() < until {
        let ended = command(words).spawn().and_then(|child| sys::wait(child.id()));
        match ended {
            Ok(end) if end.code == 0 => done += 1,
            _ => failed += 1,
        }
    }
    (done, failed)
}
