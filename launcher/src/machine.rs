//! The launcher as the machine's first process: `rdinit=/launcher -- ROOTFS COMMAND…`.
//!
//! The launcher then executes init, with itself as init's command. init mounts what is missing,
//! gives its command the console as a terminal, reaps, prints how the command has ended, and
//! switches the machine off.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;

use crate::child::hand_over;
use crate::error::Error;
use crate::log;
use crate::prepare::program;
use crate::spec::{Spec, on_exit};
use crate::sys::process::{self, Words};
use crate::sys::system;
use crate::words::{self, Request};

/// If we are the machine's first process, executes init. Then this does not return even after a
/// failure: the kernel panics when its first process ends.
pub fn take_over_if_first(argv: &[CString]) {
    if !system::is_first_process() {
        return;
    }
    log::say(become_init(argv));
    loop {
        system::power_off();
    }
}

/// Refuses `--on-exit` except in a launcher whose parent is the machine's PID 1, init, which has
/// carried it out.
pub fn refuse_if_not_ours(spec: &Spec) -> Result<(), Error> {
    if spec.on_exit.is_some() && std::os::unix::process::parent_id() != 1 {
        return Err(Error::misuse("--on-exit is for the machine's first process"));
    }
    Ok(())
}

/// Executes init; returns why that failed.
fn become_init(argv: &[CString]) -> Error {
    let program = match program::open(None) {
        Ok(program) => program,
        Err(error) => return error,
    };
    let failed =
        |errno| Error::at("ExecInit", "execute init as the machine's first process", errno);
    let program = match hand_over::executable(&program) {
        Ok(program) => program,
        Err(failure) => return failed(failure.errno),
    };
    let mut all: Vec<&CStr> = vec![c"init", c"-v"];
    // A wrong command line is told by the launcher that init starts.
    let wanted = match words::parse(argv) {
        Ok(Request::Start(typed)) => on_exit(&typed.args).ok().flatten(),
        _ => None,
    };
    if let Some(what) = wanted {
        all.extend([c"--on-exit", what]);
    }
    all.push(c"--");
    all.extend(argv.iter().map(CString::as_c_str));
    let pairs = std::env::vars_os().filter_map(|(name, value)| {
        CString::new([name.into_vec(), value.into_vec()].join(&b'=')).ok()
    });
    let words = |words: Vec<CString>| Words::new(words);
    let argv = words(all.into_iter().map(CStr::to_owned).collect());
    let errno = process::execute(program.as_fd(), &argv, &words(pairs.collect()));
    failed(errno)
}
