//! launcher: start a command in a container, and wait for its end.
//!
//! argv → Args → Spec → Prepared → clone3 → parent | child. The parent supervises and gives the
//! exit code; the child assembles the root and becomes init, which runs the command.

#![cfg_attr(not(test), no_main)]
// The test harness brings its own main, so from `run` on nothing is called.
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
mod parent;
mod prepare;
mod resolve;
mod seccomp;
mod spawn;
mod spec;
mod sys;
mod words;

use std::ffi::{CStr, CString};
use std::io::Write;

use init::exit::{self, Ending};

use error::Error;
use log::Log;
use parent::{Blocked, PidFile, Status};
use prepare::{Inherited, prepare};
use spawn::{Side, spawn};
use spec::Spec;
use sys::{file, process, signal};
use words::Request;

/// Called by the C runtime's entry; the only place that prints an error.
fn run(argv: &[CString]) -> u8 {
    machine::take_over_if_first(argv);
    if file::fill_standard_descriptors().is_err() {
        return exit::FAILED; // and nowhere to say why
    }
    let spec = match words::parse(argv) {
        Ok(Request::Print(text)) => return print(&text),
        Ok(Request::Check(rootfs)) => return check(&rootfs),
        Ok(Request::Start(typed)) => Spec::new(&typed),
        Err(error) => Err(error),
    };
    match spec.and_then(|spec| run_container(&spec)) {
        Ok(code) => code,
        Err(error) => {
            log::say(&error);
            error.code
        }
    }
}

/// From a spec to the code to exit with.
fn run_container(spec: &Spec) -> Result<u8, Error> {
    machine::refuse_if_not_ours(spec)?;
    if let Some(form) = spec.explain {
        let inherited = Inherited::replace(spec)?;
        let prepared = prepare(spec, &inherited, &mut Log::new(false))?;
        return Ok(print(&explain::describe(&prepared, form)));
    }
    let status = Status::open(spec.status_fd)?;
    let ending = start_and_wait(spec, &status);
    match &ending {
        Ok(ending) => status.exited(*ending),
        Err(error) => status.failed(error),
    }
    let ending = ending?;
    if let (Ending::Signal { signal, .. }, true) = (ending, spec.die_by_signal) {
        die_by(i32::from(signal));
    }
    Ok(ending.exit_code())
}

fn start_and_wait(spec: &Spec, status: &Status) -> Result<Ending, Error> {
    let debug = std::env::var_os("LAUNCHER_DEBUG").is_some_and(|value| value != "0");
    let mut log = Log::new(spec.verbose || debug);
    let inherited = Inherited::replace(spec)?;
    let mut pid_file = spec.pid_file.as_deref().map(PidFile::create).transpose()?;
    start(spec, &inherited, status, &mut pid_file, &mut log)
}

fn start(
    spec: &Spec,
    inherited: &Inherited,
    status: &Status,
    pid_file: &mut Option<PidFile>,
    log: &mut Log,
) -> Result<Ending, Error> {
    let mut prepared = prepare(spec, inherited, log)?;
    loop {
        let (pid, channel) = match spawn(&prepared)? {
            Side::Child(child) => child::enter(&prepared, &child),
            Side::Parent { pid, channel } => (pid, channel),
        };
        match parent::admit(&prepared, pid, channel, log) {
            Ok(container) => {
                return container.supervise(&prepared, status, pid_file.as_mut(), log);
            }
            Err(Blocked::NotMappable(errno)) => prepared.fall_back_to_identity(errno, log)?,
            Err(Blocked::Refused(error)) => prepared.fall_back_to_single(&error, log)?,
            Err(Blocked::Failed(error)) => return Err(error),
        }
    }
}

/// Ends as the command did, so that whoever waits for us sees the signal.
fn die_by(signal: i32) {
    // The core, if there is one, is the command's and was written already.
    process::forbid_core().ok();
    signal::set_default(signal).ok();
    signal::send(signal::own_pid(), signal).ok();
    signal::set_mask(0).ok();
}

fn check(rootfs: &CStr) -> u8 {
    match check::look(rootfs).map(check::Findings::report) {
        Ok((text, code)) => print(&text).max(code),
        Err(error) => {
            log::say(&error);
            error.code
        }
    }
}

fn print(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => 0,
        Err(_) => exit::FAILED,
    }
}
