//! The loop of PID 1: wait for a signal, pass it on to the command, reap.
//!
//! In: every signal is blocked, the command runs. (The kernel drops signals for a PID 1 that has no
//! handler, except blocked ones, which become pending.) No failure here ends init: only the
//! command's end does. Only signals wake it up.

use init::SI_FROM_TERMINAL;
use init::args::{Flags, OnExit, Options};
use init::report::Report;
use init::signals::{
    SIGCHLD, SIGCONT, SIGINT, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1,
    SIGUSR2,
};

use crate::message;
use crate::sys::{self, ALL, Errno, SignalInfo};
use crate::terminal::Terminal;

/// How many children are reaped before other signals have their turn.
const BATCH: u32 = 128;

/// In place of the command's pid when it does not run (any more): no process or group has this
/// number.
pub const NOBODY: i32 = i32::MAX;

/// `si_code` of what the kernel sends: for us, a terminal (asm-generic/siginfo.h).
const SI_KERNEL: i32 = 0x80;

/// The state of the loop.
#[repr(C)] // in this order, as `Options`
pub struct Watch<'a> {
    /// The command's pid, or [`NOBODY`].
    pub command: i32,
    pub own_pid: i32,
    /// The command's wait status, when it has ended.
    pub status: Option<u32>,
    pub terminal: Terminal,
    /// We are the machine's PID 1.
    pub machine: bool,
    /// We have passed a stop signal on, so somebody meant the command to stop.
    pub asked_to_stop: bool,
    pub options: Options<'a>,
}

impl Default for Watch<'_> {
    fn default() -> Self {
        Watch {
            command: NOBODY,
            status: None,
            own_pid: 0,
            machine: false,
            options: Options::default(),
            terminal: Terminal::default(),
            asked_to_stop: false,
        }
    }
}

/// What a batch came to, and with it for how many milliseconds a signal may be waited for until the
/// next: of what has ended and is still there to reap, the SIGCHLD does not come again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Batch {
    /// There may be more to reap.
    Full = 0,
    /// The kernel did not tell (a filter, no memory).
    Refused = 100,
    /// Everybody left is alive.
    Done = sys::FOREVER as isize,
    /// Nobody is left.
    Alone = sys::FOREVER as isize - 1,
}

impl Watch<'_> {
    /// Runs until the command has ended (None), or a signal tells the machine's PID 1 what to do.
    #[inline(never)] // apart from the start, whose frame is large
    pub fn until_end(&mut self) -> Option<OnExit> {
        let mut info = SignalInfo::none();
        loop {
            // A child may have ended before, with nobody to hear its SIGCHLD.
            let batch = self.reap();
            let set = match batch {
                // SIGCHLD has a low number and would be taken first for as long as children end:
                // between two batches the others have their turn, all that are there.
                Batch::Full => ALL & !sys::only(SIGCHLD),
                // All that ended with the command are reaped.
                _ if self.status.is_some() => return None,
                _ => ALL,
            };
            // Whoever sent a SIGCHLD: the kernel's own may have been merged into a stranger's.
            while sys::wait_signal(set, batch as u32, &mut info) && info.signal != SIGCHLD {
                if let Some(end) = self.take(&info) {
                    return end;
                }
            }
        }
    }

    /// Handles a signal. Some: it ends the loop.
    #[cold]
    #[inline(never)]
    fn take(&mut self, info: &SignalInfo) -> Option<Option<OnExit>> {
        if self.machine
            && let Some(what) = shutdown(info.signal)
        {
            return Some(Some(what));
        }
        if self.command != NOBODY {
            self.forward(info);
        } else if is_stop(info.signal) {
            return Some(None);
        }
        None
    }

    /// Reaps up to a batch.
    fn reap(&mut self) -> Batch {
        for _ in 0..BATCH {
            match sys::reap() {
                Ok(Some((pid, status))) => {
                    let is_command = pid == self.command;
                    if status & 0xff == 0x7f {
                        self.stopped(pid, (status >> 8) as i32);
                    } else if is_command {
                        self.status = Some(status);
                    } else if self.options.flags.have(Flags::WARN) {
                        message::reaped(pid);
                    }
                }
                Ok(None) => return Batch::Done,
                // While the command runs there is a child.
                Err(Errno::ECHILD) if self.command == NOBODY => return Batch::Alone,
                Err(_) => return Batch::Refused,
            }
        }
        Batch::Full
    }

    /// Passes a signal on to the command.
    fn forward(&mut self, info: &SignalInfo) {
        let Some(signal) = self.options.rewrites.of(info.signal) else { return };
        // Ctrl-C from the terminal: in the same group the command has got it, too. The same holds
        // for a stop signal, but that was dropped if it came before the command's execve
        // (`Terminal::settle`); a second one does nothing.
        if matches!(signal, SIGINT | SIGQUIT) && info.code == SI_KERNEL && !self.terminal.apart {
            return;
        }
        match signal {
            // A stop by the terminal's key is not meant in this sense: see `command_stopped`.
            SIGTSTP | SIGTTIN | SIGTTOU | SIGSTOP => self.asked_to_stop = info.code != SI_KERNEL,
            SIGCONT => {
                self.asked_to_stop = false;
                // `fg` of a shell: it has given our group the foreground.
                self.terminal.give(self.command);
            }
            _ => {}
        }
        let terminals = info.code == SI_FROM_TERMINAL;
        // The command's process group is orphaned (no shell in its session), where the kernel drops a
        // terminal's stop signals: SIGSTOP, which it cannot drop, stands for them.
        let signal = match signal {
            SIGTSTP | SIGTTIN | SIGTTOU if terminals => SIGSTOP,
            other => other,
        };
        // Queued by a process, with a value (sigqueue(3)): it is passed on with that, to the
        // command alone. The kernel refuses the code of tgkill(2), which is sent without.
        let queued = info.code < 0 && !terminals && signal == info.signal;
        if queued && sys::queue(self.command, info).is_ok() {
            return;
        }
        // A terminal sends to the whole group, and SIGCONT has to continue the whole group. If that
        // fails (ESRCH) the command leads no group, or has just ended.
        let group = self.options.flags.have(Flags::GROUP)
            || terminals
            || signal == SIGCONT && self.terminal.is_shared();
        if !(group && sys::kill(-self.command, signal).is_ok()) {
            sys::kill(self.command, signal).ok();
        }
    }

    #[cold]
    #[inline(never)]
    fn stopped(&mut self, pid: i32, signal: i32) {
        // A process that asked its parent to trace it (PTRACE_TRACEME) and was orphaned is traced
        // by us: it would stay stopped at every signal.
        if !sys::let_go(pid, signal) && pid == self.command {
            self.command_stopped(signal);
        }
    }

    /// The command has stopped. As a job of a shell we stop, too, or the shell would wait for ever.
    /// In an orphaned process group the kernel does not stop us: then the command's stop by Ctrl-Z
    /// is undone, as the kernel drops it for an orphaned group.
    fn command_stopped(&mut self, signal: i32) {
        let meant = self.asked_to_stop;
        if !(meant || self.terminal.is_shared()) {
            return;
        }
        if let Some(contract) = &self.options.contract {
            if !meant {
                // The shell's job is the launcher: report it, once, until the SIGCONT by which the
                // launcher answers. (A second stop signal would take back a SIGCONT that is
                // pending.)
                self.asked_to_stop = true;
                let report = Report::Stopped { signal: signal as u32 };
                sys::write(contract.terms.report(), &report.to_bytes()).ok();
            }
            return;
        }
        if self.own_pid != 1 {
            self.terminal.take_back(self.command);
            let signal = if signal == SIGSTOP { SIGTSTP } else { signal };
            // With a shared terminal stop our whole group (0), as the terminal would, all of a
            // pipeline; otherwise us alone. (Multiplied: a branch takes more bytes.)
            if sys::stop(self.own_pid * i32::from(!self.terminal.is_shared()), signal) {
                return; // the SIGCONT is pending, and passed on next
            }
            self.terminal.give(self.command);
        }
        if signal == SIGTSTP && !meant {
            sys::kill(-self.command, SIGCONT).ok();
        }
    }

    /// After the command's end: sends SIGTERM to the remaining processes, and SIGCONT for those
    /// that are stopped, and waits until they have ended, for `grace_ms`, or until SIGTERM or
    /// SIGINT comes.
    #[cold]
    #[inline(never)]
    pub fn wait_for_the_rest(&mut self, grace_ms: u32) {
        if self.signal_the_rest(SIGTERM).is_err() {
            return; // ESRCH: none is left
        }
        self.signal_the_rest(SIGCONT).ok();
        self.command = NOBODY; // it has been reaped, and its pid may be used again
        let mut info = SignalInfo::none();
        let deadline = sys::now_micros() + u64::from(grace_ms) * 1000;
        loop {
            let batch = self.reap();
            if batch == Batch::Alone {
                return;
            }
            let now = sys::now_micros();
            if now >= deadline {
                return;
            }
            let rest_ms = (deadline - now).div_ceil(1000) as u32;
            // The signals that end it have lower numbers than SIGCHLD.
            if sys::wait_signal(ALL, rest_ms.min(batch as u32), &mut info) && is_stop(info.signal) {
                return;
            }
        }
    }

    /// Sends a signal to all remaining processes. As PID 1 to everybody (kill(2), -1). Otherwise -1
    /// would be all processes of our user: then to the command's group and our children, the
    /// orphans that we have adopted.
    #[cold]
    #[inline(never)]
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

/// What a signal tells the machine's PID 1 to do, as busybox init has it.
fn shutdown(signal: i32) -> Option<OnExit> {
    match signal {
        SIGUSR1 => Some(OnExit::Halt),
        SIGUSR2 => Some(OnExit::Poweroff),
        SIGTERM | SIGINT => Some(OnExit::Reboot),
        _ => None,
    }
}

/// Whether a signal asks us to end.
fn is_stop(signal: i32) -> bool {
    signal == SIGTERM || signal == SIGINT
}
