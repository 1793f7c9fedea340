//! init: PID 1 of a container.
//!
//! Entered by the kernel, with whatever the caller left: in a container of `launcher`'s the
//! namespaces are new, every signal is blocked, the root is the rootfs with the old root over it,
//! and argv tells what is left to do. Anywhere else argv holds a command and nothing is touched.
//!
//! After the command has been spawned, only its end ends init.

#![no_std]
#![no_main]

mod message;
mod mounts;
mod reporter;
mod spawn;
mod supervise;
mod sys;

use init::args::{self, Request};
use init::exit;
use init::report::Report;
use reporter::Reporter;
use sys::Process;

fn main(process: Process) -> u8 {
    let (options, command) = match args::parse(process.words()) {
        Ok(Request::Run(options, command)) => (options, command),
        Ok(Request::Version) => return message::version(),
        Ok(Request::Help) => return message::help(),
        Err(misuse) => return message::misuse(misuse),
    };

    // Executed from a memfd, the kernel calls us by the fd's number.
    sys::set_name(c"init").ok();
    // Before anything else: a signal that comes from here on waits for supervise.
    let inherited_mask = sys::block_all_signals().unwrap_or(0);
    let mut reporter = Reporter::new(&options);

    let started = mounts::arrange(&options, &mut reporter)
        .and_then(|()| spawn::command(process, command, &options, inherited_mask));
    let pid = match started {
        Ok(pid) => pid,
        Err(failure) => {
            if reporter.is_heard() {
                reporter.say(failure.report());
            } else {
                message::failure(&failure, process.word(command));
            }
            return failure.exit_code();
        }
    };
    reporter.say(Report::Started);

    // Nothing of ours stays open: the caller's pipes must be able to end.
    reporter.close_all_others();
    let ending = supervise::until_end(pid, options.grace_ms);
    reporter.say(Report::Ended(ending));
    ending.exit_code()
}

/// Why the command is not running.
pub struct Failure {
    stage: init::stage::Stage,
    errno: sys::Errno,
}

impl Failure {
    fn report(&self) -> Report {
        Report::Failed { stage: self.stage, errno: self.errno.0, object: 0 }
    }

    fn exit_code(&self) -> u8 {
        match self.stage {
            init::stage::Stage::ExecCommand => exit::code_for_exec_errno(self.errno.0),
            _ => exit::FAILED,
        }
    }
}
