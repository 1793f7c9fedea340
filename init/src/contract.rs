//! What the launcher asks init to do, as one word of numbers in argv.
//!
//! argv is then `init -@6,FLAGS,… WORKDIR [LABEL] COMMAND [ARG…]`. That is private to the two: the
//! first number is the version. What other programs may ask of init are options ([`crate::args`]).

use core::fmt;

use crate::args::number;
use crate::word::Word;

/// The launcher's word begins with a dash and this, which is no option of any of the programs.
pub const LETTER: u8 = b'@';

/// The terms; a change increments [`crate::VERSION`]. An array, which a loop reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms(pub [u64; 11]);

macro_rules! terms {
    ($($(#[$doc:meta])* $index:literal $name:ident: $kind:ty;)*) => {
        impl Terms {
            $($(#[$doc])* pub fn $name(&self) -> $kind { self.0[$index] as $kind })*
        }
    };
}

terms! {
    /// What is to be done; a sum of the constants below.
    0 flags: u64;
    /// The socket to report to; init says nothing on stderr then.
    1 report: i32;
    /// Run the command as this user …
    2 uid: u32;
    /// … of this group.
    3 gid: u32;
    /// The command's bounding set, and what uid 0 has of capabilities.
    4 caps: u64;
    /// The signal mask for the command.
    5 sigmask: u64;
    /// How long the remaining processes have after the command's end.
    6 grace_ms: u32;
    /// The ambient capabilities of a command with another uid than 0.
    7 ambient: u64;
    /// The descriptor of a file with the command's seccomp filter, or 0.
    8 filter: i32;
    /// The length of the label, which is the word behind the working directory; 0: there is none.
    9 label_length: usize;
    /// The descriptor of the command's Landlock ruleset, or 0.
    10 landlock: i32;
}

impl Terms {
    /// Report every step with its duration.
    pub const STEPS: u64 = 1;
    /// Make what the host's root could abuse in /proc read-only or empty.
    pub const MASK_PROC: u64 = 2;
    /// No user namespace can be made inside.
    pub const FORBID_USERNS: u64 = 4;
    /// Detach the old root that pivot_root left over `/`.
    pub const CUT_ROOT: u64 = 8;
    /// Standard input becomes the controlling terminal of our session, with the command in its
    /// foreground.
    pub const TERMINAL: u64 = 16;
    /// The numbers that follow are the command's supplementary groups.
    pub const SET_GROUPS: u64 = 32;
    /// Set no_new_privs: nothing that the command executes gives it privileges.
    pub const NO_NEW_PRIVS: u64 = 64;
    /// The kernel logs what the filter refuses (SECCOMP_FILTER_FLAG_LOG).
    pub const LOG_REFUSALS: u64 = 128;

    /// Whether this is to be done.
    pub fn want(&self, flag: u64) -> bool {
        self.flags() & flag != 0
    }

    /// Reads the numbers behind the version; the word then begins with the groups.
    pub fn read(&mut self, word: &mut Word<'_>) -> Option<()> {
        for place in &mut self.0 {
            *place = next(word)?;
        }
        Some(())
    }
}

/// The terms as init's first word, with the command's groups.
pub struct Written<'a>(pub Terms, pub &'a [u32]);

impl fmt::Display for Written<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "-{}{}", char::from(LETTER), crate::VERSION)?;
        for number in self.0.0 {
            write!(to, ",{number}")?;
        }
        for group in self.1 {
            write!(to, ",{group}")?;
        }
        Ok(())
    }
}

/// The number behind the next comma.
#[cold]
pub fn next(word: &mut Word<'_>) -> Option<u64> {
    if word.take() == b',' { number(word) } else { None }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[test]
    fn what_the_launcher_writes_init_reads() {
        let numbers =
            [40, 14, 1000, u64::from(u32::MAX) - 1, 0xa804_25fb, u64::MAX, 2500, 0x2000, 15, 6, 16];
        let terms = Terms(numbers);
        let text = Written(terms, &[1, 20, 300]).to_string();
        assert!(text.starts_with("-@6,40,14,1000,"), "{text}");
        let text = CString::new(text).unwrap();
        let mut word = Word::new(&text).strip(Word::new(c"-@6")).unwrap();
        let mut got = Terms::default();
        assert_eq!(got.read(&mut word), Some(()));
        assert_eq!(got, terms);
        assert_eq!((got.report(), got.uid(), got.gid()), (14, 1000, u32::MAX - 1));
        assert_eq!((got.caps(), got.sigmask(), got.grace_ms()), (0xa804_25fb, u64::MAX, 2500));
        assert_eq!((got.ambient(), got.filter(), got.label_length()), (0x2000, 15, 6));
        assert_eq!(got.landlock(), 16);
        let groups = std::iter::from_fn(|| next(&mut word)).collect::<Vec<_>>();
        assert_eq!(groups, [1, 20, 300]);
        assert!(terms.want(Terms::CUT_ROOT) && !terms.want(Terms::STEPS));
    }

    #[test]
    fn too_few_numbers_are_refused() {
        for text in [
            c"",
            c",1,2,3,4,5,6,7,8,9,10",
            c",1,2,3,4,5,6,7,8,9,10,",
            c",1,2,3,4,5,6,7,8,9,10,x",
            c"1,2,3,4,5,6,7,8,9,10,11",
        ] {
            assert_eq!(Terms::default().read(&mut Word::new(text)), None, "{text:?}");
        }
    }
}
