//! launcher: start a command in a container, and wait for its end.
//!
//! A start, in the order of the modules: argv → [`args`] and [`words`] → [`spec`] (what is asked
//! for; pure) → [`prepare`] (what the host gives) → [`spawn`] (clone3). From there on there are two
//! processes. The [`parent`] writes the id maps, opens the gate that the child waits at, passes
//! signals on and returns the exit code. The [`child`] mounts, calls pivot_root and executes init,
//! which runs the command.

#![cfg_attr(not(test), no_main)]
// The test harness has its own main and never calls `run`.
#![cfg_attr(test, allow(dead_code))]

mod advice;
mod args;
mod check;
mod child;
mod error;
mod explain;
mod head;
mod json;
mod log;
mod machine;
mod namespaces;
mod netlink;
mod parent;
mod prepare;
mod resolve;
mod seccomp;
mod spawn;
mod spec;
mod sys;
mod words;

use std::ffi::CString;
use std::io::Write;
use std::mem::ManuallyDrop;

use init::exit::{self, Ending};

use error::Error;
use log::Log;
use parent::{Cgroups, Outcome, PidFile, Placeholders, Status};
use prepare::{Ground, Inherited, cgroup, prepare};
use spawn::{Start, spawn, spawn_early};
use spec::Spec;
use sys::signal::SignalSet;
use sys::{file, signal};
use words::{Misuse, Request, Word};

/// Called by `main` (sys/entry.rs); the only place that prints an error.
fn run(argv: &[CString]) -> u8 {
    machine::take_over_if_first(argv);
    if file::fill_standard_descriptors().is_err() {
        return exit::FAILED; // and nowhere to say why
    }
    do_as_told(argv).unwrap_or_else(|error| {
        log::say(&error);
        error.code
    })
}

fn do_as_told(argv: &[CString]) -> Result<u8, Error> {
    // First of all. From here on a signal stays pending until `parent::supervise` reads it, or in the
    // child until init does, so none is lost; and SIGXFSZ does not end us before we have said why.
    let callers_mask = signal::set_mask(signal::ALL)
        .map_err(|errno| Error::at("BlockSignals", "block signals", errno))?;
    match words::parse(argv) {
        Ok(Request::Print(text)) => {
            // As for any program, SIGPIPE ends us when the reader has gone.
            signal::set_mask(callers_mask).ok();
            Ok(print(&text))
        }
        Ok(Request::Check(rootfs)) => {
            signal::set_mask(callers_mask).ok();
            let (text, code) = check::look(&rootfs)?.report();
            Ok(print(&text).max(code))
        }
        Ok(Request::Start(typed)) => match Spec::new(&typed) {
            Ok(spec) => run_container(&spec, callers_mask),
            Err(error) => Err(misused(error, typed.args.status_fd.as_ref())),
        },
        Err(Misuse { error, status_fd }) => Err(misused(error, status_fd.as_ref())),
    }
}

/// A wrong command line is a failed start too: `--status-fd` is told of it.
fn misused(error: Error, status_fd: Option<&Word>) -> Error {
    if let Ok(status) = spec::parse_status_fd(status_fd).and_then(Status::open) {
        status.failed(&error);
    }
    error
}

/// From a spec to the code to exit with.
fn run_container(spec: &Spec, callers_mask: SignalSet) -> Result<u8, Error> {
    machine::refuse_if_not_ours(spec)?;
    if let Some(form) = spec.explain {
        let (text, missing) = explain::explain(spec, callers_mask, form);
        signal::set_mask(callers_mask).ok();
        let code = print(&text);
        return missing.map_or(Ok(code), Err);
    }
    let status = Status::open(spec.status_fd)?;
    let outcome = start_and_wait(spec, callers_mask, &status);
    let outcome = outcome.inspect_err(|error| status.failed(error))?;
    if let Ending::Signal { signal, .. } = outcome.ending
        && spec.die_by_signal
        && !outcome.timed_out
    {
        die_by(i32::from(signal));
    }
    Ok(outcome.exit_code())
}

fn start_and_wait(spec: &Spec, callers_mask: SignalSet, status: &Status) -> Result<Outcome, Error> {
    let debug = std::env::var_os("LAUNCHER_DEBUG").is_some_and(|value| value != "0");
    let mut log = Log::new(spec.verbose || debug);
    let inherited = Inherited::replace(spec, callers_mask)?;
    let mut pid_file = spec.pid_file.as_deref().map(PidFile::create).transpose()?;
    start(spec, &inherited, status, &mut pid_file, &mut log)
}

fn start(
    spec: &Spec,
    inherited: &Inherited,
    status: &Status,
    pid_file: &mut Option<PidFile>,
    log: &mut Log,
) -> Result<Outcome, Error> {
    // Neither this nor `start` is dropped: our exit closes and frees everything at once.
    let ground = ManuallyDrop::new(Ground::look(spec, log)?);
    let plan = cgroup::plan(&spec.resources, &ground.caller.proc)?;
    let cgroups = plan.as_ref().map(|plan| Cgroups::make(plan, log)).transpose()?;
    let cgroups = cgroups.as_ref();
    let mut start = ManuallyDrop::new(Start::new(spec)?);
    // On another processor the kernel makes the child's namespaces while we prepare the rest.
    let mut early = spawn_early(&start, &ground)?;
    // This takes about as long as a child needs to begin there.
    ground.caller.read_own_ids()?;
    start.yield_processor(&ground.caller.proc, early.is_some());
    start.set(prepare(spec, inherited, &ground, log)?);
    let _placeholders = Placeholders::make(spec, &ground);
    // Twice at most: after a child whose ids cannot be had comes one with others (`Blocked`).
    loop {
        let child = match early.take() {
            Some(child) => child,
            None => spawn(&start, &ground, cgroups)?,
        };
        let blocked = match parent::admit(&start, cgroups, child, log) {
            Ok(container) => return container.supervise(cgroups, status, pid_file.as_mut(), log),
            Err(blocked) => blocked,
        };
        start.change(|prepared| blocked.fall_back(prepared, log))?;
    }
}

/// `--die-by-signal`: ends as the command did, so that whoever waits for us sees the signal.
fn die_by(signal: i32) {
    // Without a core: we are not dumpable since the command was started.
    signal::set_default(signal).ok();
    signal::send(signal::own_pid(), signal).ok();
    signal::set_mask(0).ok();
}

fn print(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => 0,
        Err(_) => exit::FAILED,
    }
}
