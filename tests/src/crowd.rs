//! crowd: fills a host, so that a start in company can be measured.
//!
//! `crowd containers COUNT COMMAND [ARG…]` starts COMMAND so often, says "ready" when each has written
//! something, and ends when its standard input does. All of them have one pipe as their standard
//! input that ends then, too, so a command that reads it ends with us, however we end. `{}` in a word
//! is a number that no other has.
//!
//! `crowd mounts COUNT FOLDER PROGRAM [ARG…]` becomes PROGRAM in a mount namespace with COUNT mounts
//! more, below FOLDER.

#[path = "sys/crowd.rs"]
mod sys;

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let words = std::env::args().skip(1).collect::<Vec<_>>();
    let words = words.iter().map(String::as_str).collect::<Vec<_>>();
    match &words[..] {
        ["containers", count, program, rest @ ..] => containers(number(count)?, program, rest),
        ["mounts", count, folder, program, rest @ ..] => {
            sys::make_mounts(number(count)?, folder)?;
            Err(Command::new(program).args(rest).exec())
        }
        _ => Err(io::Error::other("containers COUNT COMMAND | mounts COUNT FOLDER PROGRAM")),
    }
}

fn number(word: &str) -> io::Result<u32> {
    word.parse().map_err(io::Error::other)
}

fn containers(count: u32, program: &str, words: &[&str]) -> io::Result<()> {
    // What a monitor leaves behind for its container is ours, and so found below us.
    sys::adopt_orphans()?;
    let (their_input, end) = io::pipe()?;
    let mut all = Vec::new();
    for number in 0..count {
        let name = format!("{}-{number}", std::process::id());
        let mut command = Command::new(program.replace("{}", &name));
        command.args(words.iter().map(|word| word.replace("{}", &name)));
        command.stdin(their_input.try_clone()?).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut output = child.stdout.take().expect("it is piped");
        if output.read(&mut [0; 16])? == 0 {
            return Err(io::Error::other(format!("number {number} ended without a word")));
        }
        all.push(child);
    }
    drop(their_input);
    println!("ready");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(end);
    all.iter_mut().try_for_each(|child| child.wait().map(drop))
}
