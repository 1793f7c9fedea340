//! PID 1's life: wait for a signal, pass it on, reap.
//!
//! In: every signal is blocked, the command runs. A blocked signal is queued even for PID 1,
//! which the kernel otherwise shields from signals that it does not handle. Nothing here can
//! fail in a way that ends init: after the spawn only the command's end does. Nothing wakes us
//! but a signal.

use init::SI_FROM_TERMINAL;
use init::args::{OnExit, Options};
use init::exit::Ending;
use init::signals::{
    SIGCHLD, SIGCONT, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
};

use crate::message;
use crate::sys::{self, ALL, Errno, SignalInfo};
use crate::terminal::Terminal;

/// No signal waits longer than it takes to reap so many.
const BATCH: u32 = 128;

/// In place of a pid, where no command runs (any more): kill(2) knows no such process or group.
pub const NOBODY: i32 = i32::MAX;

/// Who is looked after, and how.
pub struct Watch<'a> {
    /// The command's pid, or [`NOBODY`].
    pub command: i32,
    pub own_pid: i32,
    pub machine: bool,
    pub options: &'a Options<'a>,
    pub terminal: Terminal,
    /// The command has been sent a stop signal through us, so its stop was meant.
    pub asked_to_stop: bool,
}

/// Why the watch ended.
pub enum Outcome {
    Ended(Ending),
    /// The machine's PID 1 was told to.
    Shutdown(OnExit),
}

/// What a batch came to.
enum Batch {
    /// There may be more to reap.
    Full,
    /// Everybody left is alive.
    Done,
    /// Nobody is left.
    Alone,
    /// The command has ended, and all that ended with it are reaped.
    Ended(Ending),
}

impl Watch<'_> {
    /// Serves until the command has ended.
    pub fn until_end(&mut self) -> Outcome {
        let mut ending = None;
        // A child may have ended before, with nobody to hear its SIGCHLD.
        let mut reap = true;
        let mut info = SignalInfo::none();
        loop {
            if reap {
                match self.reap(&mut ending) {
                    Batch::Ended(ending) => return Outcome::Ended(ending),
                    Batch::Done | Batch::Alone => reap = false,
                    Batch::Full => {}
                }
            }
            // SIGCHLD has a low number and would be taken first for as long as children end:
            // between two batches the others have their turn, all that are there.
            let (set, timeout) =
                if reap { (ALL & !sys::only(SIGCHLD), Some(0)) } else { (ALL, None) };
            while sys::wait_signal(set, timeout, &mut info) {
                // Whoever sent it: the kernel's own may have been merged into a stranger's.
                if info.signal == SIGCHLD {
                    reap = true;
                    break;
                }
                if let Some(end) = self.take(&info) {
                    return end;
                }
            }
        }
    }

    /// Reaps up to a batch; once the command is among them, up to the end.
    fn reap(&mut self, ending: &mut Option<Ending>) -> Batch {
        let mut count = 0;
        loop {
            let nobody_left = match sys::reap() {
                Ok(Some((pid, status))) if status & 0xff == 0x7f => {
                    if pid == self.command {
                        self.command_stopped((status >> 8) as i32);
                    }
                    continue;
                }
                Ok(Some((pid, status))) => {
                    if pid == self.command {
                        *ending = Some(Ending::from_wait_status(status));
                    } else if self.options.warn {
                        message::reaped(pid);
                    }
                    count += 1;
                    if count >= BATCH && ending.is_none() {
                        return Batch::Full;
                    }
                    continue;
                }
                Ok(None) => false,
                Err(Errno::EINTR) => continue,
                Err(_) => true,
            };
            return match *ending {
                Some(ending) => Batch::Ended(ending),
                None if nobody_left => Batch::Alone,
                None => Batch::Done,
            };
        }
    }

    /// A signal other than SIGCHLD has come.
    fn take(&mut self, info: &SignalInfo) -> Option<Outcome> {
        if self.machine {
            let what = match info.signal {
                SIGUSR1 => OnExit::Halt,
                SIGUSR2 => OnExit::Poweroff,
                SIGTERM | SIGINT => OnExit::Reboot,
                _ => return self.forward(info),
            };
            return Some(Outcome::Shutdown(what));
        }
        if self.command == NOBODY {
            let is_end = info.signal == SIGINT || info.signal == SIGTERM;
            return is_end.then_some(Outcome::Ended(Ending::Code(0)));
        }
        self.forward(info)
    }

    fn forward(&mut self, info: &SignalInfo) -> Option<Outcome> {
        let signal = self.options.rewrites.of(info.signal)?;
        match signal {
            SIGTSTP | SIGTTIN | SIGTTOU | SIGSTOP => self.asked_to_stop = true,
            SIGCONT => {
                self.asked_to_stop = false;
                // fg, where we are a job of a shell: it has given us the foreground.
                self.terminal.give(self.command);
            }
            _ => {}
        }
        // Queued by a process, with a value: it is meant for one, so it goes to the command, and
        // the kernel lets us pass it on as it is. Not so if it pretends to be for one thread
        // (tgkill(2)).
        let terminals = info.code == SI_FROM_TERMINAL;
        // The command's session has no shell in it, and in such a group the kernel drops the
        // terminal's stop signals: the one that cannot be dropped stands for them.
        let signal = match signal {
            SIGTSTP | SIGTTIN | SIGTTOU if terminals => SIGSTOP,
            other => other,
        };
        let queued = info.code < 0 && !terminals && signal == info.signal;
        if queued && sys::queue(self.command, info).is_ok() {
            return None;
        }
        // What a terminal sent concerns the whole group, and so does the end of a stop that the
        // whole group made. ESRCH means that the command leads no group, or has just ended.
        let group = self.options.group
            || terminals
            || self.terminal.session && !self.options.session
            || signal == SIGCONT && self.terminal.is_shared();
        if !(group && sys::kill(-self.command, signal).is_ok()) {
            sys::kill(self.command, signal).ok();
        }
        None
    }

    /// The command has stopped. As a shell's job we stop with it, or the shell would wait for
    /// ever; where nobody could continue us the kernel refuses, and Ctrl-Z is undone, as the
    /// kernel itself does for a group that nobody could continue.
    fn command_stopped(&mut self, signal: i32) {
        let by_terminal = matches!(signal, SIGTSTP | SIGTTIN | SIGTTOU);
        let shared = self.terminal.is_shared();
        let meant = self.asked_to_stop;
        if !(by_terminal && (meant || shared) || signal == SIGSTOP && shared) {
            return;
        }
        if self.own_pid != 1 {
            self.terminal.take_back(self.command);
            let signal = if signal == SIGSTOP { SIGTSTP } else { signal };
            if sys::stop_own_group(signal) {
                return; // the SIGCONT that ended it is about to be taken
            }
            self.terminal.give(self.command);
        }
        if signal == SIGTSTP && !meant {
            sys::kill(-self.command, SIGCONT).ok();
        }
    }

    /// SIGTERM for all, SIGCONT so that the stopped see it; then their time runs. Another signal
    /// that asks us to end cuts it short.
    pub fn wait_for_the_rest(&mut self, grace_ms: u32) {
        if self.signal_the_rest(SIGTERM).is_err() {
            return; // ESRCH: nobody is left
        }
        self.signal_the_rest(SIGCONT).ok();
        self.command = NOBODY; // it is reaped, and its number may come again
        let mut info = SignalInfo::none();
        let deadline = sys::now_micros() / 1000 + u64::from(grace_ms);
        loop {
            if matches!(self.reap(&mut None), Batch::Alone) {
                return;
            }
            let now = sys::now_micros() / 1000;
            if now >= deadline {
                return;
            }
            if sys::wait_signal(ALL, Some(deadline - now), &mut info)
                && matches!(info.signal, SIGTERM | SIGINT)
            {
                return;
            }
        }
    }

    /// PID 1 can mean everybody. Anybody else must not: those would be all processes of its
    /// user. There it is the command's group and our children, orphans that we adopted.
    pub fn signal_the_rest(&self, signal: i32) -> sys::Result<()> {
        if self.own_pid == 1 {
            return sys::kill(-1, signal);
        }
        let group = sys::kill(-self.command, signal);
        sys::for_each_child(|pid| {
            sys::kill(pid, signal).ok();
        })
        .or(group)
    }
}
