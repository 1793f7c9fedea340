//! What init says to a person, on stderr only: standard output is the command's.

use core::ffi::CStr;

use init::args::Misuse;
use init::exit;
use init::stage::Stage;

use crate::Failure;
use crate::sys::{self, Errno};

const STDOUT: i32 = 1;
const STDERR: i32 = 2;

/// `--version`. It begins like tini's, which engines parse.
pub fn version() -> u8 {
    say(STDOUT, &[b"tini version ", env!("CARGO_PKG_VERSION").as_bytes(), b" (init)\n"]);
    0
}

/// `--help`.
pub fn help() -> u8 {
    say(STDOUT, &[b"usage: init [--] COMMAND [ARG...]\nRuns COMMAND as PID 1 should: forwards signals, reaps zombies, exits with its code.\n"]);
    0
}

/// A command line that makes no sense.
pub fn misuse(misuse: Misuse<'_>) -> u8 {
    match misuse {
        Misuse::NoCommand => {
            say(STDERR, &[b"init: no command given; usage: init [--] COMMAND [ARG...]\n"]);
        }
        Misuse::BadOption(word) => {
            let word = word.to_bytes();
            say(STDERR, &[b"init: unknown option or bad value: ", word, b"; see init --help\n"]);
        }
        Misuse::WrongVersion => {
            say(STDERR, &[b"init: the launcher is of another version; use its own init\n"]);
        }
    }
    exit::FAILED
}

/// The command could not be started, and there is no launcher to say it better.
pub fn failure(failure: &Failure, command: Option<&CStr>) {
    let command = command.map_or(&b""[..], CStr::to_bytes);
    let reason: &[u8] = match failure.errno {
        Errno::ENOENT => b"ENOENT (not found)",
        Errno::EACCES => b"EACCES (permission denied, or on a noexec mount)",
        Errno::ENOEXEC => b"ENOEXEC (not a program for this machine)",
        Errno::ENOTDIR => b"ENOTDIR (a component of the path is no directory)",
        Errno::EAGAIN => b"EAGAIN (a limit on processes is reached)",
        _ => b"",
    };
    let mut digits = *b"errno 00000";
    let mut rest = failure.errno.0;
    for digit in digits.iter_mut().skip(6).rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let reason = if reason.is_empty() { &digits[..] } else { reason };
    let what: &[u8] = match failure.stage {
        Stage::ExecCommand => b"execute ",
        _ => b"prepare to run ",
    };
    say(STDERR, &[b"init: cannot ", what, command, b": ", reason, b"\n"]);
}

fn say(fd: i32, parts: &[&[u8]]) {
    // One write, so that lines of several processes do not mix; a line that cannot be written
    // has no other place to go.
    let mut line = [0u8; 512];
    let mut length = 0;
    for part in parts {
        let room = line.len() - length;
        let count = part.len().min(room);
        if let (Some(to), Some(from)) = (line.get_mut(length..length + count), part.get(..count)) {
            to.copy_from_slice(from);
        }
        length += count;
    }
    sys::write(fd, line.get(..length).unwrap_or(&[])).ok();
}
