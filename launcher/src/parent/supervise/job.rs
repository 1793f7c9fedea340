//! The launcher as a job of a shell: it stops with its command, and for its terminal.
//!
//! All signals are blocked here, so what the kernel would do by itself is done by hand.

use super::Watch;
use crate::sys::signal::{self, SignalInfo};

impl Watch<'_> {
    /// Stops the launcher, as the command has been told to, until somebody continues it: with the
    /// terminal as it was.
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

    /// The command has stopped, by Ctrl-Z in its terminal or of itself: what a shell has started is the
    /// launcher, so that stops. Where nobody could continue it, the command's stop is undone.
    pub(super) fn command_stopped(&mut self, signal: i32) {
        let Some(relay) = &mut self.relay else { return };
        // What an editor shows last is the screen as it was.
        relay.drain();
        // Whoever continues us does it by a SIGCONT, which is passed on. SIGSTOP is no terminal's.
        let has_stopped = relay.is_terminal() && self.stop_job(0, libc::SIGTSTP);
        if !has_stopped && signal != libc::SIGSTOP {
            self.go_on();
        }
    }

    /// Undoes the command's stop.
    fn go_on(&self) {
        let resume = SignalInfo { signal: libc::SIGCONT, code: 0, pid: 0, uid: 0, value: 0 };
        signal::queue(self.container.pid, &resume, init::SI_FROM_TERMINAL).ok();
    }

    /// Stops for the caller's terminal; what the kernel would refuse (EIO) is as if it were gone.
    pub(super) fn stop_for(&mut self, signal: i32) {
        if !self.stop_job(0, signal)
            && let Some(relay) = &mut self.relay
        {
            relay.hang_up();
        }
    }

    /// Stops us, or all that the shell has started with us (0). False if nobody could continue us.
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
            // A terminal that cannot be had now is asked for at the next SIGCONT.
            relay.resume().ok();
        }
    }
}
