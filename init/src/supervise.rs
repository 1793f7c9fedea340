//! PID 1's life: wait for a signal, pass it on, reap.
//!
//! In: every signal is blocked, the command runs. A blocked signal is queued even for PID 1,
//! which the kernel otherwise shields from signals that it does not handle. Nothing here can
//! fail in a way that ends init: after the spawn only the command's end does. Nothing wakes us
//! but a signal.

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

/// No signal waits longer than it takes to reap so many.
const BATCH: u32 = 128;

/// In place of a pid, where no command runs (any more): kill(2) knows no such process or group.
pub const NOBODY: i32 = i32::MAX;

/// How soon a refused wait4(2) is tried again.
const RETRY_MS: i32 = 100;

/// `si_code` of what the kernel sends: for us, a terminal (asm-generic/siginfo.h).
const SI_KERNEL: i32 = 0x80;

/// Who is looked after, and how.
#[repr(C)] // as in `Options`
pub struct Watch<'a> {
    /// The command's pid, or [`NOBODY`].
    pub command: i32,
    pub own_pid: i32,
    /// How the command has ended, as wait(2) tells it.
    pub status: Option<u32>,
    pub terminal: Terminal,
    pub machine: bool,
    /// The command has been sent a stop signal through us, so its stop was meant.
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

/// What a batch came to.
#[derive(PartialEq, Eq)]
enum Batch {
    /// There may be more to reap.
    Full,
    /// Everybody left is alive.
    Done,
    /// Nobody is left.
    Alone,
    /// The kernel did not tell (a filter, no memory). What has ended is still there to reap, and its
    /// SIGCHLD does not come again.
    Refused,
}

impl Watch<'_> {
    /// Serves until the command has ended, or the machine's PID 1 is told to end.
    #[inline(never)] // apart from the start, whose frame is large
    pub fn until_end(&mut self) -> Option<OnExit> {
        let mut info = SignalInfo::none();
        loop {
            // A child may have ended before, with nobody to hear its SIGCHLD.
            let (set, timeout) = match self.reap() {
                // SIGCHLD has a low number and would be taken first for as long as children end:
                // between two batches the others have their turn, all that are there.
                Batch::Full => (ALL & !sys::only(SIGCHLD), 0),
                // All that ended with the command are reaped.
                _ if self.status.is_some() => return None,
                Batch::Refused => (ALL, RETRY_MS),
                _ => (ALL, sys::FOREVER),
            };
            // Whoever sent a SIGCHLD: the kernel's own may have been merged into a stranger's.
            while sys::wait_signal(set, timeout, &mut info) && info.signal != SIGCHLD {
                if let Some(end) = self.take(&info) {
                    return end;
                }
            }
        }
    }

    /// A signal has come. Some: it ends us.
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
                // Not so while the command runs.
                Err(Errno::ECHILD) if self.command == NOBODY => return Batch::Alone,
                Err(_) => return Batch::Refused,
            }
        }
        Batch::Full
    }

    fn forward(&mut self, info: &SignalInfo) {
        let Some(signal) = self.options.rewrites.of(info.signal) else { return };
        // Ctrl-C: the terminal has sent it to the command, too. So it does a stop, but that may have
        // come before the execve that it would have held; once stopped, another one is no more.
        if matches!(signal, SIGINT | SIGQUIT) && info.code == SI_KERNEL && !self.terminal.apart {
            return;
        }
        match signal {
            // Of what was typed before the command had the terminal whoever waits for us knows nothing.
            SIGTSTP | SIGTTIN | SIGTTOU | SIGSTOP => self.asked_to_stop = info.code != SI_KERNEL,
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
            return;
        }
        // What a terminal sent concerns the whole group, and so does the end of a stop that the
        // whole group made. ESRCH means that the command leads no group, or has just ended.
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
        // Who asks to be traced by its parent (PTRACE_TRACEME) may get us for one, and nobody else
        // could continue it.
        if !sys::let_go(pid, signal) && pid == self.command {
            self.command_stopped(signal);
        }
    }

    /// The command has stopped. As a shell's job we stop with it, or the shell would wait for
    /// ever; where nobody could continue us the kernel refuses, and Ctrl-Z is undone, as the
    /// kernel itself does for a group that nobody could continue.
    fn command_stopped(&mut self, signal: i32) {
        let meant = self.asked_to_stop;
        if !(meant || self.terminal.is_shared()) {
            return;
        }
        if let Some(contract) = &self.options.contract {
            if !meant {
                // The job is the launcher. Told once: what it does about it ends by a SIGCONT. What is
                // typed meanwhile is not for us: of two signals, a stop takes the other back.
                self.asked_to_stop = true;
                let report = Report::Stopped { signal: signal as u32 };
                sys::write(contract.terms.report(), &report.to_bytes()).ok();
            }
            return;
        }
        if self.own_pid != 1 {
            self.terminal.take_back(self.command);
            let signal = if signal == SIGSTOP { SIGTSTP } else { signal };
            // A terminal's stop is for all of our group, a pipeline's or a script's, whether it has
            // come there or not; kill(2) calls that 0. (Multiplied: a branch takes more bytes.)
            if sys::stop(self.own_pid * i32::from(!self.terminal.is_shared()), signal) {
                return; // the SIGCONT that came is about to be taken
            }
            self.terminal.give(self.command);
        }
        if signal == SIGTSTP && !meant {
            sys::kill(-self.command, SIGCONT).ok();
        }
    }

    /// SIGTERM for all, SIGCONT so that the stopped see it; then their time runs. Another signal
    /// that asks us to end cuts it short.
    #[cold]
    #[inline(never)]
    pub fn wait_for_the_rest(&mut self, grace_ms: u32) {
        if self.signal_the_rest(SIGTERM).is_err() {
            return; // ESRCH: nobody is left
        }
        self.signal_the_rest(SIGCONT).ok();
        self.command = NOBODY; // it is reaped, and its number may come again
        let mut info = SignalInfo::none();
        let deadline = sys::now_micros() + u64::from(grace_ms) * 1000;
        loop {
            if self.reap() == Batch::Alone {
                return;
            }
            let now = sys::now_micros();
            if now >= deadline {
                return;
            }
            let rest_ms = (deadline - now).div_ceil(1000) as i32;
            if sys::wait_signal(ALL, rest_ms, &mut info) && is_stop(info.signal) {
                return;
            }
        }
    }

    /// PID 1 can mean everybody. Anybody else must not: those would be all processes of its
    /// user. There it is the command's group and our children, orphans that we adopted.
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

/// What the machine is told by signals, as busybox init has it.
fn shutdown(signal: i32) -> Option<OnExit> {
    match signal {
        SIGUSR1 => Some(OnExit::Halt),
        SIGUSR2 => Some(OnExit::Poweroff),
        SIGTERM | SIGINT => Some(OnExit::Reboot),
        _ => None,
    }
}

fn is_stop(signal: i32) -> bool {
    signal == SIGTERM || signal == SIGINT
}
