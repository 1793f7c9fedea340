//! How many system calls a start takes, counted by strace(1): figures that hold on a busy machine.

use std::fs;
use std::path::Path;

use super::field::{Field, Runner, Way};
use super::subject::{Bench, Inside};
use crate::failure::{At, Error};
use crate::program;

/// Of all processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Up to the execve of the command inside, which counts.
    pub to_command: usize,
    /// To the end.
    pub whole: usize,
}

/// Runs it once under `strace`; None where there is none, and for what does not run under it, such
/// as a setuid program of an ordinary user's.
pub fn count(
    bench: &Bench,
    field: &Field<'_>,
    runner: &Runner<'_>,
) -> Result<Option<Calls>, Error> {
    let mut strace = bench.runner(field.way.who(), Path::new("strace"));
    let trace = bench.traces.join("trace");
    strace.args(["-f", "-qq", "-o"]).arg(&trace);
    if field.way == Way::Pid1 {
        strace.args(["unshare", "--pid", "--fork", "--"]);
    }
    strace.args(runner.words.iter().map(|word| word.replace("{}", "traced")));
    let succeeded = program::find("strace").is_some() && program::succeeds(&mut strace);
    let text = fs::read(&trace).unwrap_or_default();
    if trace.exists() {
        fs::remove_file(&trace).at("remove", &trace)?;
    }
    let text = String::from_utf8_lossy(&text);
    let calls = match field.way {
        Way::Container(_) => parse(&text),
        Way::Pid1 => parse(&without_first(&text)),
    };
    // One that executes the command by a descriptor does not say when.
    Ok(Some(calls).filter(|calls| succeeded && calls.to_command > 0))
}

/// Leaves out the calls of the first process, and of the next those before its execve.
fn without_first(text: &str) -> String {
    let pid = |line: &str| line.split(' ').next().unwrap_or_default().to_string();
    let first = text.lines().next().map(pid);
    let others = text.lines().filter(|line| Some(pid(line)) != first);
    others.skip_while(|line| !line.contains("execve(")).map(|line| format!("{line}\n")).collect()
}

/// A line for each call, behind a pid; an interrupted one goes on in another.
fn parse(text: &str) -> Calls {
    let mut calls = Calls::default();
    let inside = Inside::Stamp.path();
    for line in text.lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        if !call.starts_with(|c: char| c.is_ascii_lowercase()) {
            continue;
        }
        calls.whole += 1;
        // By its name in the rootfs, or on the host.
        if call.starts_with("execve(\"") && call.contains(&format!("{inside}\", [")) {
            calls.to_command = calls.whole;
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_once() {
        const TRACE: &str = "12 execve(\"/l\", [\"l\"], 0x0) = 0\n\
            12 clone3({flags=0}, 64 <unfinished ...>\n\
            13 read(3,  <unfinished ...>\n\
            12 <... clone3 resumed>) = 13\n\
            13 execve(\"/bin/stamp\", [\"/bin/stamp\"], 0x0) = 0\n\
            13 exit(0) = ?\n\
            12 --- SIGCHLD {si_signo=SIGCHLD} ---\n\
            13 +++ exited with 0 +++\n";
        assert_eq!(parse(TRACE), Calls { to_command: 4, whole: 5 });
    }
}
