//! How many system calls a start takes, counted by strace(1): figures that hold on a busy machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::subject::{COMMAND, Contender, has_strace};
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

/// Runs it once under `strace`; None where there is none, and for a setuid program of an ordinary
/// user's, which is not that while it is traced.
pub fn count(
    mut strace: Command,
    folder: &Path,
    contender: &Contender,
) -> Result<Option<Calls>, Error> {
    if !has_strace() {
        return Ok(None);
    }
    let trace = folder.join("trace");
    strace.args(["-f", "-qq", "-o"]).arg(&trace).args(&contender.words);
    if !program::succeeds(&mut strace) {
        return Ok(None);
    }
    let text = fs::read(&trace).at("read", &trace)?;
    fs::remove_file(&trace).at("remove", &trace)?;
    Ok(Some(parse(&String::from_utf8_lossy(&text))))
}

/// A line for each call, behind a pid; an interrupted one goes on in another.
fn parse(text: &str) -> Calls {
    let mut calls = Calls::default();
    let executed = format!("execve(\"{COMMAND}\"");
    for line in text.lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        if !call.starts_with(|c: char| c.is_ascii_lowercase()) {
            continue;
        }
        calls.whole += 1;
        if call.starts_with(&executed) {
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
