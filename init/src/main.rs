//! init: PID 1 of a container or of a machine, or elsewhere the subreaper of its command's tree.
//!
//! In a container of `launcher`'s: the namespaces are new, every signal is blocked, the root is the
//! rootfs with the old root mounted over it, and argv tells what is left to do
//! ([`init::contract`]). Anywhere else argv has options and a command ([`init::args`]), and nothing
//! is changed.
//!
//! main: read argv, finish the mounts ([`mounts`]), spawn the command ([`spawn`]), then pass
//! signals on and reap ([`supervise`]) until the command has ended. Nothing else ends init once the
//! command runs.
//!
//! `#[cold]` marks what a plain start does not run: a command without options, or after `--`, that
//! ends by itself. All other code is on one page, with the texts of `near!` (init.ld).

#![no_std]
#![no_main]

mod machine;
mod message;
mod mounts;
mod reporter;
mod spawn;
mod supervise;
mod sys;
mod terminal;

use init::args::{self, Flags, OnExit, Options, Request};
use init::contract::Terms;
use init::exit::{self, Ending};
use init::names::Name;
use init::near;
use init::report::Report;
use init::signals::{SIGKILL, SIGTERM};
use init::stage::Stage;
use init::word::{List, Word};
use supervise::Watch;
use sys::{Handed, SignalSet};
use terminal::Terminal;

fn main(handed: &Handed) -> u8 {
    // First of all: a signal that comes from here on stays pending until `supervise` takes it.
    let inherited_mask = sys::set_mask(sys::ALL);
    let mut watch = Watch::default();
    let request = args::parse(&mut watch.options, handed.argv, handed.environment);
    watch.own_pid = sys::own_pid();
    watch.machine = watch.options.contract.is_none() && machine::is_ours(watch.own_pid);
    let command = match request {
        Ok(Request::Run(command))
            if command.first().is_some() || watch.options.flags.have(Flags::PAUSE) =>
        {
            command
        }
        // The kernel panics without its PID 1: a machine gets a shell, whatever was wrong.
        other => {
            if !(watch.machine && matches!(other, Ok(Request::Run(_)))) {
                let code = message::instead(&other, watch.options.name);
                if !watch.machine {
                    return code;
                }
            }
            handed.shell()
        }
    };
    run(handed, command, &mut watch, inherited_mask)
}

const ROOT: Word<'_> = Word::of(near!(b"/\0"));

#[inline(never)]
fn run(
    handed: &Handed,
    command: List<'static>,
    watch: &mut Watch<'static>,
    inherited_mask: SignalSet,
) -> u8 {
    if watch.own_pid != 1 {
        // Not PID 1: it would end the machine that it runs on.
        watch.options.on_exit = None;
        // Cannot fail since Linux 3.4.
        sys::become_subreaper().ok();
    }
    if watch.options.death_signal != 0 {
        sys::set_death_signal(watch.options.death_signal).ok();
    }
    watch.terminal = Terminal::find(&mut watch.options, watch.own_pid, watch.machine);
    let arranged = match &watch.options.contract {
        Some(contract) => mounts::arrange(&contract.terms),
        None => Ok(()),
    };
    let started = match arranged {
        Ok(()) if watch.options.flags.have(Flags::PAUSE) => Ok(supervise::NOBODY),
        Ok(()) => spawn::command(handed, command, watch, inherited_mask),
        Err(failure) => Err(failure),
    };
    let (code, told) = match started {
        Ok(pid) => {
            watch.command = pid;
            look_after(watch)
        }
        Err(failure) => (tell(&failure, command, &watch.options), None),
    };
    let what = told.or(watch.options.on_exit);
    if watch.machine || what.is_some() {
        end(watch, what);
    }
    code
}

/// The command could not be started: tells why, and returns the exit code.
#[cold]
#[inline(never)]
fn tell(failure: &Failure, command: List<'_>, options: &Options<'_>) -> u8 {
    match &options.contract {
        Some(contract) => reporter::say(&contract.terms, failure.report()),
        None => message::failure(failure, command.first().unwrap_or(Word::new(c""))),
    }
    failure.exit_code(options.name)
}

/// The command runs: waits for its end. Returns the exit code, and what a signal told the machine
/// to do.
fn look_after(watch: &mut Watch<'_>) -> (u8, Option<OnExit>) {
    // Keep no descriptor and no directory: the caller's pipes must be able to end, and mounts to be
    // unmounted.
    match &watch.options.contract {
        Some(contract) => retire(&contract.terms),
        None => sys::close_range(3, u32::MAX),
    }
    sys::change_directory(ROOT).ok();
    if let Some(told) = watch.until_end() {
        return (0, Some(told));
    }
    let status = watch.status.unwrap_or(0);
    watch.terminal.take_back(watch.command);
    let code = Ending::from_wait_status(status).exit_code();
    (if watch.options.are_plain() { code } else { see_off(watch, status, code) }, None)
}

/// In the launcher's container: gives up all that is not needed to send signals and to reap.
#[cold]
#[inline(never)]
fn retire(terms: &Terms) {
    const CAP_KILL: u64 = 1 << 5;
    reporter::say(terms, Report::Started);
    // In this order: a process with fewer capabilities than the command's could be traced by it.
    sys::forbid_tracing().ok();
    sys::set_capabilities(CAP_KILL, 0).ok();
    // All but the socket. If that is 3 the first range is empty (EINVAL).
    let socket = terms.report() as u32;
    sys::close_range(3, socket - 1);
    sys::close_range(socket + 1, u32::MAX);
}

/// What options want done when the command has ended. Returns the exit code.
#[cold]
#[inline(never)]
fn see_off(watch: &mut Watch<'_>, status: u32, code: u8) -> u8 {
    let ending = Ending::from_wait_status(status);
    if watch.options.flags.have(Flags::VERBOSE) {
        message::ended(ending);
    }
    if watch.options.name == Name::DumbInit && watch.terminal.session {
        sys::kill(-watch.command, SIGTERM).ok();
    }
    // A machine's PID 1 waits in `end`, whatever it ends by.
    if watch.options.grace_ms != 0 && !watch.machine {
        watch.wait_for_the_rest(watch.options.grace_ms);
    }
    if let (Ending::Signal { .. }, Some(contract)) = (ending, &watch.options.contract) {
        // The launcher reads an exit code from our own, but not a signal.
        reporter::say(&contract.terms, Report::Ended { status });
    }
    if watch.options.successes.has(code) { 0 } else { code }
}

/// After the command: ends the machine, if we are its PID 1 or have been told to.
#[cold]
#[inline(never)]
fn end(watch: &mut Watch<'_>, what: Option<OnExit>) {
    let mut what = what.unwrap_or(OnExit::Exit);
    if !watch.machine {
        if what != OnExit::Exit {
            machine::end(what);
        }
        return;
    }
    watch.wait_for_the_rest(watch.options.grace_ms.max(machine::GRACE_MS));
    watch.signal_the_rest(SIGKILL).ok();
    loop {
        machine::end(what);
        // That was refused: go on reaping until a signal tells us to try again.
        message::stuck();
        watch.command = supervise::NOBODY;
        watch.status = None;
        what = watch.until_end().unwrap_or(what);
    }
}

/// Why the command is not running.
pub struct Failure {
    stage: Stage,
    errno: sys::Errno,
}

impl Failure {
    fn report(&self) -> Report {
        Report::Failed { stage: self.stage, errno: self.errno.number() as u16, object: 0 }
    }

    fn exit_code(&self, name: Name) -> u8 {
        match self.stage {
            Stage::ExecCommand => {
                name.exec_code(exit::code_for_exec_errno(self.errno.number() as u16))
            }
            _ => exit::FAILED,
        }
    }
}
