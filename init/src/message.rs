//! What init says to a person: the answers that were asked for on standard output, all else on
//! stderr, as standard output is the command's.

use core::ffi::CStr;

use init::args::{Misuse, Request, split_at};
use init::exit::Ending;
use init::names::Name;
use init::stage::Stage;

use crate::Failure;
use crate::sys::{self, Errno};

const STDOUT: i32 = 1;
const STDERR: i32 = 2;
/// Of a line.
const MAX_PARTS: usize = 7;

const HELP: &[u8] = b"usage: init [OPTIONS] [--] COMMAND [ARG...]
-g signals to the group   -p SIGNAL when our parent ends
-e CODE counts as 0       -r FROM:TO rewrite a signal, to 0: drop
-c no session             -P run nothing, only reap
-v say how it ended       -w say who was reaped
--grace SECONDS for the rest
--on-exit poweroff|reboot|halt|exit
-h help  -V version  -l license
";

/// What only asks for a text.
pub fn answer(request: Request) -> u8 {
    let text: &[u8] = match request {
        // It begins like tini's, which engines parse.
        Request::Version => {
            concat!("tini version ", env!("CARGO_PKG_VERSION"), " (init)\n").as_bytes()
        }
        Request::License => b"MIT OR Apache-2.0\n",
        _ => HELP,
    };
    say(STDOUT, [text, b"", b"", b"", b"", b"", b""]);
    0
}

/// A command line that makes no sense; `None`: there is no command.
pub fn misuse(misuse: Option<Misuse<'_>>, name: Name) -> u8 {
    let (text, word): (&[u8], _) = match misuse {
        None => (b"no command given; usage: init [--] COMMAND [ARG...]", None),
        Some(Misuse::BadOption(word)) => (b"unknown option or bad value: ", Some(word)),
        Some(Misuse::WrongVersion) => {
            (b"the launcher is of another version; use its own init", None)
        }
    };
    let (word, end): (&[u8], &[u8]) = match word {
        Some(word) => (word.to_bytes(), b"; see init --help\n"),
        None => (b"", b"\n"),
    };
    complain(&[text, word, end]);
    name.misuse_code()
}

/// The command could not be started, and there is no launcher to say it better.
pub fn failure(failure: &Failure, command: Option<&CStr>) {
    let word = command.map_or(&b""[..], CStr::to_bytes);
    let mut digits = Decimal::new();
    let reason: [&[u8]; 2] = match failure.errno {
        Errno::ENOENT if is_there(command) => {
            [b"ENOENT (it is there, its interpreter or loader is not)", b""]
        }
        Errno::ENOENT => [b"ENOENT (not found)", b""],
        Errno::EACCES => [b"EACCES (permission denied, or on a noexec mount)", b""],
        Errno::ENOEXEC => [b"ENOEXEC (not a program for this machine)", b""],
        Errno::ENOTDIR => [b"ENOTDIR (a component of the path is no directory)", b""],
        Errno::EAGAIN => [b"EAGAIN (a limit on processes is reached)", b""],
        Errno(errno) => [b"errno ", digits.write(errno.get().into())],
    };
    let what: &[u8] = match failure.stage {
        Stage::ExecCommand => b"cannot execute ",
        _ => b"cannot prepare to run ",
    };
    complain(&[what, word, b": ", reason[0], reason[1], b"\n"]);
}

/// A path that leads to a file all the same.
fn is_there(command: Option<&CStr>) -> bool {
    command.is_some_and(|path| split_at(path.to_bytes(), b'/').1.is_some() && sys::exists(path))
}

/// `-v`: how the command ended.
pub fn ended(ending: Ending) {
    let mut digits = Decimal::new();
    match ending {
        Ending::Code(code) => {
            complain(&[b"the command ended with code ", digits.write(code.into()), b"\n"]);
        }
        Ending::Signal { signal, core } => {
            let end: &[u8] = if core { b", core dumped\n" } else { b"\n" };
            complain(&[b"signal ", digits.write(signal.into()), b" ended the command", end]);
        }
    }
}

/// `-w`: a child other than the command has ended.
pub fn reaped(pid: i32) {
    complain(&[b"reaped ", Decimal::new().write(pid as u32), b"\n"]);
}

/// The machine's PID 1 may not do what it was told.
pub fn stuck() {
    complain(&[b"cannot end the machine; staying\n"]);
}

fn complain(parts: &[&[u8]]) {
    let mut all: [&[u8]; MAX_PARTS] = [b""; MAX_PARTS];
    let mut to = all.iter_mut();
    for part in [&b"init: "[..]].iter().chain(parts) {
        if let Some(place) = to.next() {
            *place = part;
        }
    }
    say(STDERR, all);
}

/// In one write, so that lines of several processes do not mix; a line that cannot be written
/// has no other place to go.
fn say(fd: i32, parts: [&[u8]; MAX_PARTS]) {
    sys::write_parts(fd, parts).ok();
}

/// The digits of a number.
pub struct Decimal([u8; 10]);

impl Decimal {
    /// Nothing yet.
    pub fn new() -> Self {
        Decimal([0; 10])
    }

    /// Writes a number.
    pub fn write(&mut self, mut number: u32) -> &[u8] {
        let mut at = self.0.len();
        while let Some(digit) = at.checked_sub(1).and_then(|at| self.0.get_mut(at)) {
            *digit = b'0' + (number % 10) as u8;
            at -= 1;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.get(at..).unwrap_or(&[])
    }
}
