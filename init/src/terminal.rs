//! Job control: decides whether the command gets a session or a process group of its own, and gives
//! that the foreground of the terminal, which comes back when it stops or ends. Where other
//! processes are in our group (a pipeline, a script) the command stays in it, as they would lose
//! the terminal otherwise.
//!
//! In: all signals are blocked, so that we are not stopped (SIGTTOU) when we change the foreground.
//! Failures are ignored: a terminal may hang up at any time, and the command runs without one.

use init::args::{Flags, Options};
use init::contract::Terms;
use init::names::Name;
use init::signals::{SIGCONT, SIGHUP, SIGTSTP};

use crate::sys::{self, SignalInfo};

/// No descriptor.
const NONE: i32 = -1;

/// The command's session and process group, and its terminal.
#[derive(Clone, Copy, Default)]
pub struct Terminal {
    /// The standard descriptor that is our controlling terminal, or [`NONE`].
    fd: i32,
    own_group: i32,
    /// The command has a process group of its own.
    pub apart: bool,
    /// The command leads a session, not only a group.
    pub session: bool,
    /// Standard input becomes the controlling terminal of that session.
    hand_over: bool,
}

impl Terminal {
    /// Decides; and gives up our controlling terminal if the command's session is to have it.
    #[inline(never)]
    pub fn find(options: &mut Options<'_>, own_pid: i32, machine: bool) -> Terminal {
        if let Some(contract) = &options.contract {
            // We lead a session without a terminal. If there is one, it becomes ours and the
            // command a job in the session: the leader of a session of its own could not be stopped
            // by Ctrl-Z.
            let session = !contract.terms.want(Terms::TERMINAL) || sys::take_terminal().is_err();
            let fd = if session { NONE } else { 0 };
            return Terminal { fd, own_group: own_pid, apart: true, session, hand_over: false };
        }
        let fd = (0..3).find(|&fd| sys::foreground_group(fd).is_ok()).unwrap_or(NONE);
        // Needed only with a terminal.
        let own_group = if fd == NONE { 0 } else { sys::group_of(0).unwrap_or(0) };
        // Alone in our group: we lead it, and standard input and output are both the terminal.
        // Otherwise we are in a pipeline, or in a script's group.
        let alone = fd == 0 && own_group == own_pid && sys::foreground_group(1).is_ok();
        let apart = fd == NONE || alone || options.flags.have(Flags::GROUP);
        let mut terminal = Terminal { fd, own_group, apart, session: machine, hand_over: machine };
        if options.flags.have(Flags::SINGLE) {
            // -c: the command stays in our group, where signals of its caller reach it.
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

    /// As dumb-init: a session for the command.
    #[cold]
    #[inline(never)]
    fn lead(&mut self, options: &mut Options<'_>) {
        // Only the session's leader can give its terminal up for another session. If another
        // process leads, the command gets a group only: it keeps the terminal, and Ctrl-C reaches
        // it.
        self.session = !self.is_shared() || sys::leads_session();
        self.hand_over = self.session && self.fd == 0;
        if self.hand_over {
            leave_terminal();
        }
        if self.session {
            options.rewrites.stop_for_certain();
        }
    }

    /// In the command's process: makes its session or group, and takes the foreground.
    pub fn settle(&self) {
        if self.session {
            // EPERM only for a group leader, which a new process is not.
            sys::start_session().ok();
            if self.hand_over {
                sys::take_terminal().ok();
            }
            return;
        }
        if self.apart {
            // EPERM only for a session leader, which a new process is not.
            sys::start_group().ok();
        }
        // From here on Ctrl-Z reaches this process. Stopped before execve, it would keep init
        // suspended in vfork(2) for ever.
        sys::drop_until_execve(SIGTSTP);
        if self.is_shared() {
            self.give(sys::own_pid());
        }
    }

    /// Whether we and the command have the same controlling terminal.
    pub fn is_shared(&self) -> bool {
        self.fd != NONE
    }

    /// Takes the foreground back, if the command's group has it and no other.
    pub fn take_back(&self, command: i32) {
        self.pass(command, self.own_group);
    }

    /// Gives the command's group the foreground, if our group has it.
    pub fn give(&self, command: i32) {
        self.pass(self.own_group, command);
    }

    fn pass(&self, from: i32, to: i32) {
        if self.is_shared() && self.apart && sys::foreground_group(self.fd) == Ok(from) {
            sys::set_foreground_group(self.fd, to).ok();
        }
    }
}

/// Gives our controlling terminal up. For that the kernel sends us, as the session's leader, SIGHUP
/// and SIGCONT; these are dropped, unless one was already pending, as the kernel has then merged
/// the two.
fn leave_terminal() {
    let theirs = sys::pending();
    if sys::leave_terminal().is_ok() {
        let ours = (sys::only(SIGHUP) | sys::only(SIGCONT)) & !theirs;
        while sys::wait_signal(ours, 0, &mut SignalInfo::none()) {}
    }
}
