//! Wait statuses and exit codes: how a process has ended, and the code that tells it.

/// The launcher or init itself failed; the command was not run.
pub const FAILED: u8 = 125;
/// The command was found but could not be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The command was not found.
pub const NOT_FOUND: u8 = 127;

/// How a process ended, as wait(2) tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It called exit with this code.
    Code(u8),
    /// This signal ended it.
    Signal {
        /// The signal's number.
        signal: u8,
        /// A core was dumped.
        core: bool,
    },
}

impl Ending {
    /// Reads the status word that wait4(2) fills in, for a process that has ended.
    #[inline(always)] // smaller where it is used than the call and its result
    pub fn from_wait_status(status: u32) -> Self {
        let signal = (status & 0x7f) as u8;
        if signal == 0 {
            Ending::Code((status >> 8) as u8)
        } else {
            Ending::Signal { signal, core: status & 0x80 != 0 }
        }
    }

    /// The exit code a shell would show: the code, or 128 plus the signal.
    pub fn exit_code(self) -> u8 {
        match self {
            Ending::Code(code) => code,
            Ending::Signal { signal, .. } => 128 + signal,
        }
    }
}

/// The exit code for a command that execve(2) refused with `errno`.
pub fn code_for_exec_errno(errno: u16) -> u8 {
    const ENOENT: u16 = 2;
    const ENOTDIR: u16 = 20;
    match errno {
        ENOENT | ENOTDIR => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_status_keeps_code_signal_and_core() {
        assert_eq!(Ending::from_wait_status(0), Ending::Code(0));
        assert_eq!(Ending::from_wait_status(0xff00), Ending::Code(255));
        assert_eq!(Ending::from_wait_status(9), Ending::Signal { signal: 9, core: false });
        assert_eq!(Ending::from_wait_status(0x8b), Ending::Signal { signal: 11, core: true });
    }

    #[test]
    fn signal_ending_is_128_plus_n() {
        assert_eq!(Ending::Signal { signal: 15, core: false }.exit_code(), 143);
        assert_eq!(Ending::Signal { signal: 64, core: false }.exit_code(), 192);
        assert_eq!(Ending::Code(7).exit_code(), 7);
    }

    #[test]
    fn missing_is_127_and_everything_else_126() {
        assert_eq!(code_for_exec_errno(2), 127);
        assert_eq!(code_for_exec_errno(20), 127);
        assert_eq!(code_for_exec_errno(13), 126);
        assert_eq!(code_for_exec_errno(8), 126);
        assert_eq!(code_for_exec_errno(40), 126);
    }
}
