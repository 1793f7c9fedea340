//! init: PID 1 of a container, of a machine, or the subreaper of a tree.
//!
//! Entered by the kernel, with whatever the caller left: in a container of `launcher`'s the
//! namespaces are new, every signal is blocked, the root is the rootfs with the old root over it,
//! and argv tells what is left to do. Anywhere else argv holds a command and nothing is touched.
//!
//! After the command has been spawned, only its end ends init.

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
use init::exit::{self, Ending};
use init::names::Name;
use init::report::Report;
use init::signals::{SIGKILL, SIGTERM};
use init::stage::Stage;
use init::word::{List, Word};
use reporter::Reporter;
use supervise::Watch;
use sys::{Handed, SignalSet};
use terminal::Terminal;

fn main(handed: &Handed) -> u8 {
    // Before anything else: a signal that comes from here on waits for supervise.
    let inherited_mask = sys::set_mask(sys::ALL);
    let mut options = Options::default();
    let request = args::parse(&mut options, handed.argv, handed.environment);
    let own_pid = sys::own_pid();
    let machine = options.contract.is_none() && machine::is_ours(own_pid);
    let pause = options.flags.have(Flags::PAUSE);
    if machine {
        machine::prepare();
    }
    let command = match request {
        Ok(Request::Run(command)) if pause || command.first().is_some() => command,
        // A machine without its PID 1 panics: it gets a shell, whatever was wrong.
        other if machine => {
            if !matches!(other, Ok(Request::Run(_))) {
                message::instead(&other, options.name);
            }
            handed.shell()
        }
        other => return message::instead(&other, options.name),
    };
    run(handed, command, &mut options, &Place { own_pid, machine, inherited_mask })
}

/// Where we are.
struct Place {
    own_pid: i32,
    /// It is the machine's PID 1.
    machine: bool,
    inherited_mask: SignalSet,
}

#[inline(never)]
fn run(
    handed: &Handed,
    command: List<'static>,
    options: &mut Options<'static>,
    place: &Place,
) -> u8 {
    let Place { own_pid, machine, inherited_mask } = *place;
    let mut reporter = Reporter::new(options);
    if own_pid != 1 {
        // Whoever is not PID 1 would end the machine that it runs on.
        options.on_exit = None;
        // Fails nowhere since Linux 3.4.
        sys::become_subreaper().ok();
    }
    if options.death_signal != 0 {
        sys::set_death_signal(options.death_signal).ok();
    }
    let terminal = Terminal::find(options, own_pid, machine);
    if terminal.session && options.contract.is_none() {
        options.flags.set(Flags::GROUP);
        if options.name == Name::DumbInit {
            options.rewrites.stop_for_certain();
        }
    }

    let mut watch = Watch {
        command: supervise::NOBODY,
        status: None,
        own_pid,
        machine,
        options,
        terminal,
        asked_to_stop: false,
    };
    let started = match mounts::arrange(options, &mut reporter) {
        Ok(()) if options.flags.have(Flags::PAUSE) => Ok(supervise::NOBODY),
        Ok(()) => spawn::command(handed, command, options, &watch.terminal, inherited_mask),
        Err(failure) => Err(failure),
    };
    let (code, told) = match started {
        Ok(pid) => {
            watch.command = pid;
            look_after(&mut watch, &reporter)
        }
        Err(failure) => {
            if reporter.is_heard() {
                reporter.say(failure.report());
            } else {
                message::failure(&failure, command.first().unwrap_or(Word::new(c"")));
            }
            (failure.exit_code(options.name), None)
        }
    };
    end(&mut watch, told);
    code
}

/// The command runs: its exit code, and what else ended it.
fn look_after(watch: &mut Watch<'_>, reporter: &Reporter) -> (u8, Option<OnExit>) {
    reporter.say(Report::Started);
    if watch.options.contract.is_some() {
        // All that is left to do is signal and wait. In this order: with fewer capabilities than
        // the command's, we would be its to trace.
        const CAP_KILL: u64 = 1 << 5;
        sys::forbid_tracing().ok();
        sys::set_capabilities(CAP_KILL, 0).ok();
    }
    // Nothing of ours stays open or in use: the caller's pipes and mounts must be able to end.
    reporter.close_all_others();
    sys::change_directory(Word::new(c"/")).ok();
    if let Some(told) = watch.until_end() {
        return (0, Some(told));
    }
    let status = watch.status.unwrap_or(0);
    let ending = Ending::from_wait_status(status);
    if watch.options.flags.have(Flags::VERBOSE) {
        message::ended(ending);
    }
    watch.terminal.take_back(watch.command);
    if watch.options.name == Name::DumbInit && watch.terminal.session {
        sys::kill(-watch.command, SIGTERM).ok();
    }
    if watch.options.grace_ms != 0 {
        watch.wait_for_the_rest(watch.options.grace_ms);
    }
    if let Ending::Signal { .. } = ending {
        // A code is told by ours.
        reporter.say(Report::Ended { status });
    }
    let code = ending.exit_code();
    (if watch.options.successes.has(code) { 0 } else { code }, None)
}

/// After the command: the machine's end, if this is its PID 1 or was told so.
fn end(watch: &mut Watch<'_>, told: Option<OnExit>) {
    let mut what = told.or(watch.options.on_exit).unwrap_or(OnExit::Exit);
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
        // It may not be ended: stay, and reap, until told to try again.
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
