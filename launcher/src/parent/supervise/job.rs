//! Job control: the launcher is a job of a shell, and stops when its command stops or when it may
//! not use the terminal. Since it blocks all signals, the kernel does not stop it; it does so
//! itself.

use super::Watch;
use crate::sys::signal::{self, SignalInfo};

impl Watch<'_> {
    /// A SIGTSTP has come, which the command has got, too: stops the launcher until SIGCONT, with the
    /// terminal's modes restored. By a terminal it is undone where nobody could continue us.
    pub(super) fn stop(&mut self, by_terminal: bool) {
        let pid = signal::own_pid();
        if by_terminal {
            if !self.stop_job(pid, libc::SIGTSTP) {
                self.go_on();
            }
            return;
        }
        if let Some(relay) = &mut self.relay {
            relay.suspend();
        }
        signal::stop(pid, libc::SIGSTOP);
        self.resume();
    }

    /// The command has stopped, by Ctrl-Z in its own terminal or by itself. The shell's job is the
    /// launcher, so that stops, too. Where nobody could continue the launcher, the command's stop
    /// is undone.
    pub(super) fn command_stopped(&mut self, signal: i32) {
        let Some(relay) = &mut self.relay else { return };
        // First show what it wrote before: an editor restores the screen.
        relay.drain();
        // The SIGCONT that continues us is passed on. A SIGSTOP was not a terminal's, and is not
        // undone.
        let has_stopped = relay.is_terminal() && self.stop_job(0, libc::SIGTSTP);
        if !has_stopped && signal != libc::SIGSTOP {
            self.go_on();
        }
    }

    /// Continues the command.
    fn go_on(&self) {
        let resume = SignalInfo { signal: libc::SIGCONT, code: 0, pid: 0, uid: 0, value: 0 };
        signal::queue(self.container.pid, &resume, init::SI_FROM_TERMINAL).ok();
    }

    /// Stops as the kernel would stop us for using the caller's terminal from the background. Where
    /// nobody could continue us, the kernel would answer EIO: then the terminal is taken for gone.
    pub(super) fn stop_for(&mut self, signal: i32) {
        if !self.stop_job(0, signal)
            && let Some(relay) = &mut self.relay
        {
            relay.hang_up();
        }
    }

    /// Stops us by our pid, or our whole process group (0), the shell's job. False if nobody could
    /// continue us.
    fn stop_job(&mut self, pid: i32, signal: i32) -> bool {
        if let Some(relay) = &mut self.relay {
            relay.suspend();
        }
        let has_stopped = signal::stop(pid, signal);
        self.resume();
        has_stopped
    }

    pub(super) fn resume(&mut self) {
        if let Some(relay) = &mut self.relay {
            // If the terminal cannot be set now, the next SIGCONT tries again.
            relay.resume().ok();
        }
    }
}
