//! What init prints: help, version and license on standard output, everything else on stderr, as
//! standard output is the command's.

use core::ffi::CStr;

use init::args::{Misuse, Request};
use init::exit::Ending;
use init::names::Name;
use init::stage::Stage;
use init::word::{Word, Words};

use crate::Failure;
use crate::sys::{self, Errno, Path, Text};

const STDOUT: i32 = 1;
const STDERR: i32 = 2;
const NONE: Word<'_> = Word::new(c"");

const HELP: &str = "usage: init [OPTIONS] [--] COMMAND [ARG...]
-g signals to the group   -p SIGNAL when our parent ends
-e CODE counts as 0       -r FROM:TO rewrite a signal, to 0: drop
-c no session             -P run nothing, only reap
-v say how it ended       -w say who was reaped
-G, --grace SECONDS for the rest
-X, --on-exit poweroff|reboot|halt|exit
-h help  -V version  -l license
";

/// The errnos of execve(2), each behind its number as a byte, and what they mean where the name does not
/// say it.
const REASONS: Words = Words::new(
    b"\x01EPERM\0\
\x02ENOENT (not found)\0\
\x05EIO\0\
\x07E2BIG\0\
\x08ENOEXEC (not a program for this machine)\0\
\x0bEAGAIN (the limit on processes)\0\
\x0cENOMEM\0\
\x0dEACCES (permission denied, or on a noexec mount)\0\
\x14ENOTDIR (a component of the path is no directory)\0\
\x1aETXTBSY\0\
\x24ENAMETOOLONG\0\
\x28ELOOP (links or interpreters lead in a circle)\0\0",
);

/// Prints the answer where no command is to be run. Returns the exit code.
#[cold]
#[inline(never)]
pub fn instead(request: &Result<Request<'_>, Misuse<'_>>, name: Name) -> u8 {
    let text = match *request {
        // It begins like tini's, which engines parse.
        Ok(Request::Version) => concat!("tini version ", env!("CARGO_PKG_VERSION"), " (init)\n"),
        Ok(Request::License) => "MIT OR Apache-2.0\n",
        Ok(Request::Help) => HELP,
        Ok(Request::Run(_)) => {
            complain(c"no command given; see init --help", NONE, 0);
            return name.misuse_code();
        }
        Err(Misuse::BadOption(word)) => {
            complain(c"unknown option or bad value: $; see init --help", word, 0);
            return name.misuse_code();
        }
        Err(Misuse::WrongVersion) => {
            complain(c"the launcher's version differs; use its own init", NONE, 0);
            return name.misuse_code();
        }
    };
    sys::write(STDOUT, text.as_bytes()).ok();
    0
}

/// The command could not be started, and there is no launcher to report it to.
#[cold]
#[inline(never)]
pub fn failure(failure: &Failure, command: Word<'_>) {
    let errno = failure.errno.number();
    let mut reasons = REASONS;
    let reason = match reasons.find(|reason| i32::from(reason.first()) == errno) {
        // ENOENT of a path that exists.
        Some(_)
            if failure.errno == Errno::ENOENT
                && command.behind(b'/').is_some()
                && sys::exists(command) =>
        {
            Word::new(c"ENOENT (its interpreter or loader is missing)")
        }
        Some(reason) => reason.rest(),
        None => Word::new(c"errno #"),
    };
    let what = match failure.stage {
        Stage::ExecCommand => c"cannot execute $: ",
        _ => c"cannot prepare to run $: ",
    };
    write([Word::new(what), reason], command, errno);
}

/// `-v`: how the command ended.
#[cold]
pub fn ended(ending: Ending) {
    match ending {
        Ending::Code(code) => complain(c"the command ended with code #", NONE, code.into()),
        Ending::Signal { signal, core } => {
            let core = Word::new(if core { c", core dumped" } else { c"" });
            complain(c"signal # ended the command$", core, signal.into());
        }
    }
}

/// `-w`: a child other than the command has ended.
#[cold]
#[inline(never)]
pub fn reaped(pid: i32) {
    complain(c"reaped #", NONE, pid);
}

/// The machine's PID 1 is refused to end the machine.
pub fn stuck() {
    complain(c"cannot end the machine", NONE, 0);
}

#[cold]
fn complain(text: &'static CStr, word: Word<'_>, number: i32) {
    write([Word::new(text), NONE], word, number);
}

/// Prints a line in which `$` stands for a word and `#` for a number. In one write(2), so that
/// lines of several processes do not mix. A failure is ignored.
#[cold]
fn write(texts: [Word<'_>; 2], word: Word<'_>, number: i32) {
    let mut room = Path::uninit();
    let mut line = Text::new(&mut room);
    line.add(Word::new(c"init: "));
    for mut text in texts {
        loop {
            match text.take() {
                0 => break,
                b'$' => line.add(word),
                b'#' => line.number(number as u32),
                byte => line.byte(byte),
            }
        }
    }
    line.byte(b'\n');
    sys::write(STDERR, line.bytes()).ok();
}
