//! Whose terminal it is: the command's group gets the foreground that was ours, and gives it back.
//! Where our group is not ours alone (a pipeline, a script) the command stays in it, or what else
//! is in it would lose the terminal.
//!
//! In: all signals are blocked, so no change of the foreground stops us. No failure here is fatal:
//! a terminal may hang up at any time, and a command runs without one.

use init::args::{Flags, Options};
use init::contract::Terms;
use init::names::Name;
use init::signals::{SIGCONT, SIGHUP, SIGTSTP};

use crate::sys::{self, SignalInfo};

/// No descriptor.
const NONE: i32 = -1;

/// Where the command is to live, as far as terminals go.
#[derive(Clone, Copy, Default)]
pub struct Terminal {
    /// The standard descriptor that is our controlling terminal.
    fd: i32,
    own_group: i32,
    /// The command has a process group of its own.
    pub apart: bool,
    /// The command leads a session, not only a group.
    pub session: bool,
    /// That session is to have standard input as its terminal.
    hand_over: bool,
}

impl Terminal {
    /// Looks for our terminal, and lets go of it if the command gets a session of its own.
    #[inline(never)]
    pub fn find(options: &mut Options<'_>, own_pid: i32, machine: bool) -> Terminal {
        if let Some(contract) = &options.contract {
            // We lead a session that has none. With one the command is a job in there: if it led a
            // session of its own, the kernel would drop what Ctrl-Z sends.
            let session = !contract.terms.want(Terms::TERMINAL) || sys::take_terminal().is_err();
            let fd = if session { NONE } else { 0 };
            return Terminal { fd, own_group: own_pid, apart: true, session, hand_over: false };
        }
        let fd = (0..3).find(|&fd| sys::foreground_group(fd).is_ok()).unwrap_or(NONE);
        // Nobody asks for it without a terminal.
        let own_group = if fd == NONE { 0 } else { sys::group_of(0).unwrap_or(0) };
        // A shell's job with both ends on the terminal is no pipeline. Not leading our group, we
        // are in a script's, or behind the first in a pipeline.
        let alone = fd == 0 && own_group == own_pid && sys::foreground_group(1).is_ok();
        let apart = fd == NONE || alone || options.flags.have(Flags::GROUP);
        let mut terminal = Terminal { fd, own_group, apart, session: machine, hand_over: machine };
        if options.flags.have(Flags::SINGLE) {
            // The command stays where its caller's signals reach it.
            terminal.apart = false;
        } else if options.name == Name::DumbInit {
            terminal.lead(options);
        }
        if terminal.session {
            terminal.fd = NONE;
            terminal.apart = true;
            options.flags.set(Flags::GROUP);
        }
        terminal
    }

    /// dumb-init's way.
    #[cold]
    #[inline(never)]
    fn lead(&mut self, options: &mut Options<'_>) {
        // Only its leader can hand a session's terminal on. Where somebody else leads, a group of
        // its own keeps the command with its terminal, and Ctrl-C working.
        self.session = !self.is_shared() || sys::leads_session();
        self.hand_over = self.session && self.fd == 0;
        if self.hand_over {
            leave_terminal();
        }
        if self.session {
            options.rewrites.stop_for_certain();
        }
    }

    /// In the command's process: takes its place.
    pub fn settle(&self) {
        if self.session {
            // EPERM: we lead a group, as no new process does.
            sys::start_session().ok();
            if self.hand_over {
                sys::take_terminal().ok();
            }
            return;
        }
        if self.apart {
            // EPERM: we lead a session, as nobody's child does.
            sys::start_group().ok();
        }
        // From here on Ctrl-Z is for the command, which is not there yet: stopped, it would hold
        // init where vfork(2) has it.
        sys::drop_until_execve(SIGTSTP);
        if self.is_shared() {
            self.give(sys::own_pid());
        }
    }

    /// Whether the command has our terminal.
    pub fn is_shared(&self) -> bool {
        self.fd != NONE
    }

    /// Takes the foreground back from the command's group (from no other: that one took it).
    pub fn take_back(&self, command: i32) {
        self.pass(command, self.own_group);
    }

    /// Gives the command's group the foreground, if it is ours.
    pub fn give(&self, command: i32) {
        self.pass(self.own_group, command);
    }

    fn pass(&self, from: i32, to: i32) {
        if self.is_shared() && self.apart && sys::foreground_group(self.fd) == Ok(from) {
            sys::set_foreground_group(self.fd, to).ok();
        }
    }
}

/// A session leader that leaves its terminal is sent SIGHUP and SIGCONT in its own name: these
/// two are dropped, unless one was there before, with which the kernel has merged ours.
fn leave_terminal() {
    let theirs = sys::pending();
    if sys::leave_terminal().is_ok() {
        let ours = (sys::only(SIGHUP) | sys::only(SIGCONT)) & !theirs;
        while sys::wait_signal(ours, 0, &mut SignalInfo::none()) {}
    }
}
