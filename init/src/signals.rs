//! Signals by number and by name, as options give them.

use crate::args::split_at;

/// The highest signal number of every architecture that is built for.
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

/// The names of 1 to 31 (asm-generic/signal.h; the same on x86, arm and riscv). One text and no
/// table of slices: a slice costs more bytes than a name.
const NAMES: &[u8] = b"HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM \
STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS ";

/// `SIGTERM`, `TERM` or `15`.
pub fn parse(text: &[u8]) -> Option<u8> {
    if let Some(number) = crate::args::number(text, 10) {
        return u8::try_from(number).ok().filter(|n| (1..=LAST).contains(n));
    }
    let text = if let [b'S', b'I', b'G', text @ ..] = text { text } else { text };
    position(NAMES, text).map(|index| index + 1)
}

/// Where a word is in a text of words, each with a blank behind it. A `match` over byte strings
/// compares byte by byte, in code.
pub(crate) fn position(words: &[u8], word: &[u8]) -> Option<u8> {
    let mut rest = words;
    let mut index = 0;
    while let (item, Some(behind)) = split_at(rest, b' ') {
        if item == word {
            return Some(index);
        }
        rest = behind;
        index += 1;
    }
    None
}

/// Which signal the command gets in place of which; dumb-init's `--rewrite`.
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

    /// Reads `FROM:TO`; a TO of 0 drops the signal. False if it is nothing of the kind.
    pub fn read(&mut self, text: &[u8]) -> bool {
        let (from, to) = split_at(text, b':');
        let from = parse(from);
        let to = match to {
            Some([b'0']) => Some(Rewrites::DROPPED),
            Some(text) => parse(text),
            None => None,
        };
        match (from, to) {
            (Some(from), Some(to)) => {
                self.set(i32::from(from), to);
                true
            }
            _ => false,
        }
    }

    /// What a terminal's stop signals become unless told otherwise: the kernel ignores them in a
    /// group that nobody outside could continue, which a session of its own is.
    pub fn stop_for_certain(&mut self) {
        for signal in [SIGTSTP, SIGTTIN, SIGTTOU] {
            if self.of(signal) == Some(signal) {
                self.set(signal, SIGSTOP as u8);
            }
        }
    }

    fn set(&mut self, from: i32, to: u8) {
        if let Some(entry) = self.0.get_mut(from as usize - 1) {
            *entry = to;
        }
    }

    /// What to pass on for this signal, if anything.
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
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in
            [("SIGHUP", 1), ("TERM", 15), ("SIGSYS", 31), ("9", 9), ("64", 64), ("SIGSTKFLT", 16)]
        {
            assert_eq!(parse(text.as_bytes()), Some(number), "{text}");
        }
        for text in ["", "SIG", "SIGFOO", "0", "65", "999", "HUP ", "TER", "sigterm", "-1"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn rewriting_changes_drops_and_else_keeps() {
        let mut rewrites = Rewrites::default();
        for word in ["15:2", "SIGHUP:0", "64:TERM", "20:20"] {
            assert!(rewrites.read(word.as_bytes()), "{word}");
        }
        rewrites.stop_for_certain();
        let became = |signal| rewrites.of(signal);
        assert_eq!((became(15), became(1), became(64)), (Some(2), None, Some(15)));
        assert_eq!((became(2), became(63)), (Some(2), Some(63)));
        assert_eq!((became(21), became(22)), (Some(19), Some(19)));
        for word in ["", ":", "15", "15:", ":15", "15:65", "0:15", "15:x", "15:2:3"] {
            assert!(!rewrites.read(word.as_bytes()), "{word}");
        }
    }
}
