//! steps: counts the instructions that a process runs in user mode, one by one.
//!
//! `steps COMMAND [ARG…]` runs COMMAND, says how many instructions it ran from its execve to its end,
//! and ends as it did. Of its children nothing is counted. Exact where a time is not, and it needs
//! no counter of the processor's, which many virtual machines lack.

#[path = "sys/steps.rs"]
mod sys;

use std::io;
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code as u8),
        Err(error) => {
            eprintln!("steps: {error}");
            ExitCode::from(125)
        }
    }
}

fn run() -> io::Result<i32> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().ok_or_else(|| io::Error::other("COMMAND [ARG…]"))?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let pid = sys::spawn_traced(&mut command)?;
    let mut steps = 0u64;
    loop {
        match sys::wait(pid)? {
            // A step is a SIGTRAP of the tracer's; any other signal is the process's own.
            sys::Stop::Signal(libc::SIGTRAP) => {
                steps += 1;
                sys::step(pid, 0)?;
            }
            sys::Stop::Signal(signal) => sys::step(pid, signal)?,
            sys::Stop::End(code) => {
                println!("{steps}");
                return Ok(code);
            }
        }
    }
}
