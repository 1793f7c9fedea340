//! Signals by number and by name, as options have them; and dumb-init's rewriting.

use crate::args::number;
use crate::word::{Word, Words};

/// The highest signal number, on every architecture that is built for.
pub const LAST: u8 = 64;

/// signal(7).
pub const SIGHUP: i32 = 1;
/// signal(7).
pub const SIGINT: i32 = 2;
/// signal(7).
pub const SIGQUIT: i32 = 3;
/// signal(7).
pub const SIGKILL: i32 = 9;
/// signal(7).
pub const SIGUSR1: i32 = 10;
/// signal(7).
pub const SIGUSR2: i32 = 12;
/// signal(7).
pub const SIGTERM: i32 = 15;
/// signal(7).
pub const SIGCHLD: i32 = 17;
/// signal(7).
pub const SIGCONT: i32 = 18;
/// signal(7).
pub const SIGSTOP: i32 = 19;
/// signal(7).
pub const SIGTSTP: i32 = 20;
/// signal(7).
pub const SIGTTIN: i32 = 21;
/// signal(7).
pub const SIGTTOU: i32 = 22;

/// The names of signals 1 to 31 (asm-generic/signal.h, which x86, arm and riscv share).
const NAMES: Words = Words::new(
    b"HUP\0INT\0QUIT\0ILL\0TRAP\0ABRT\0BUS\0FPE\0KILL\0USR1\0SEGV\0USR2\0PIPE\0ALRM\0TERM\0\
STKFLT\0CHLD\0CONT\0STOP\0TSTP\0TTIN\0TTOU\0URG\0XCPU\0XFSZ\0VTALRM\0PROF\0WINCH\0IO\0PWR\0SYS\0\0",
);

/// Takes `SIGTERM`, `TERM` or `15`.
#[cold]
pub fn take(word: &mut Word<'_>) -> Option<u8> {
    let number = if word.first() <= b'9' {
        number(word)?
    } else {
        let name = word.strip(Word::new(c"SIG")).unwrap_or(*word);
        let (index, behind) = NAMES.position(name)?;
        *word = behind;
        u64::from(index) + 1
    };
    (1..=LAST.into()).contains(&number).then_some(number as u8)
}

/// Which signal the command gets in place of another: dumb-init's `--rewrite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrites([u8; LAST as usize]);

impl Default for Rewrites {
    fn default() -> Self {
        Rewrites([Rewrites::SAME; LAST as usize])
    }
}

impl Rewrites {
    const SAME: u8 = 0;
    const DROPPED: u8 = 255;

    /// Takes `FROM:TO`; a TO of 0 drops the signal.
    pub fn read(&mut self, word: &mut Word<'_>) -> Option<()> {
        let from = take(word)?;
        if word.take() != b':' {
            return None;
        }
        let to = match word.strip(Word::new(c"0")) {
            Some(behind) => {
                *word = behind;
                Rewrites::DROPPED
            }
            None => take(word)?,
        };
        self.set(from.into(), to);
        Some(())
    }

    /// Rewrites a terminal's stop signals to SIGSTOP, unless the caller has rewritten them: the
    /// kernel drops them in an orphaned process group, which that of a new session is.
    pub fn stop_for_certain(&mut self) {
        for entry in &mut self.0[SIGTSTP as usize - 1..SIGTTOU as usize] {
            if *entry == Rewrites::SAME {
                *entry = SIGSTOP as u8;
            }
        }
    }

    fn set(&mut self, from: i32, to: u8) {
        if let Some(entry) = self.0.get_mut(from as usize - 1) {
            *entry = to;
        }
    }

    /// What to pass on in place of this signal; None: nothing.
    pub fn of(&self, signal: i32) -> Option<i32> {
        match self.0.get(signal as usize - 1) {
            Some(&Rewrites::DROPPED) => None,
            Some(&Rewrites::SAME) | None => Some(signal),
            Some(&to) => Some(i32::from(to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    /// The whole of a text.
    fn parse(text: &str) -> Option<u8> {
        let text = CString::new(text).unwrap();
        let mut word = Word::new(&text);
        take(&mut word).filter(|_| word.first() == 0)
    }

    fn read(rewrites: &mut Rewrites, text: &str) -> bool {
        let text = CString::new(text).unwrap();
        let mut word = Word::new(&text);
        rewrites.read(&mut word).is_some() && word.first() == 0
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in
            [("SIGHUP", 1), ("TERM", 15), ("SIGSYS", 31), ("9", 9), ("64", 64), ("SIGSTKFLT", 16)]
        {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "SIG", "SIGFOO", "0", "65", "999", "HUP ", "TER", "sigterm", "-1", "USR12"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn rewriting_changes_drops_and_else_keeps() {
        let mut rewrites = Rewrites::default();
        for word in ["15:2", "SIGHUP:0", "64:TERM", "20:20"] {
            assert!(read(&mut rewrites, word), "{word}");
        }
        rewrites.stop_for_certain();
        let became = |signal| rewrites.of(signal);
        assert_eq!((became(15), became(1), became(64)), (Some(2), None, Some(15)));
        assert_eq!((became(2), became(63)), (Some(2), Some(63)));
        // What the caller has said stays.
        assert_eq!((became(20), became(21), became(22)), (Some(20), Some(19), Some(19)));
        assert_eq!((became(19), became(23)), (Some(19), Some(23)));
        for word in ["", ":", "15", "15:", ":15", "15:65", "0:15", "15:x", "15:2:3", "15:00"] {
            assert!(!read(&mut rewrites, word), "{word}");
        }
    }
}
