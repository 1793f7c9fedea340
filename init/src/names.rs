//! The name that init is called by (argv[0]): it behaves like the program whose place it takes.
//!
//! The behaviour is that of tini 0.19, dumb-init 1.2.5 and catatonit 0.1.7, found out by running
//! them.

use crate::exit;
use crate::near;
use crate::word::{Word, Words};

/// The program whose place init takes. All flags are understood under every name; the name gives
/// the defaults and the exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Name {
    /// Any other name.
    #[default]
    Init,
    /// `tini`, `tini-static`, `docker-init`.
    Tini,
    /// `dumb-init`: the command leads a session, and signals go to its whole group.
    DumbInit,
    /// `catatonit`, which podman installs as `podman-init`.
    Catatonit,
}

impl Name {
    /// By the last component of argv[0].
    pub fn from_word(word: Word<'_>) -> Name {
        const NAMES: Words =
            Words::new(near!(b"dumb-init\0catatonit\0podman-init\0tini\0docker-init\0\0"));
        match NAMES.position(word.last_component()) {
            None => Name::Init,
            Some((0, _)) => Name::DumbInit,
            Some((1 | 2, _)) => Name::Catatonit,
            Some(_) => Name::Tini,
        }
    }

    /// The exit code for a command line that makes no sense.
    pub fn misuse_code(self) -> u8 {
        if self == Name::Init { exit::FAILED } else { 1 }
    }

    /// The exit code for a command that could not be executed. `code` is 126 or 127, which shells
    /// and tini tell apart; the others do not.
    pub fn exec_code(self, code: u8) -> u8 {
        match self {
            Name::Init | Name::Tini => code,
            Name::DumbInit => 2,
            Name::Catatonit => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[test]
    fn last_component_names_the_program() {
        for (word, name) in [
            ("/sbin/docker-init", Name::Tini),
            ("/usr/bin/tini", Name::Tini),
            ("tini-static", Name::Tini),
            ("./dumb-init", Name::DumbInit),
            ("/run/podman-init", Name::Catatonit),
            ("catatonit", Name::Catatonit),
            ("/sbin/init", Name::Init),
            ("tini/", Name::Init),
            ("", Name::Init),
        ] {
            let word = CString::new(word).unwrap();
            assert_eq!(Name::from_word(Word::new(&word)), name, "{word:?}");
        }
    }

    #[test]
    fn each_name_has_its_own_codes() {
        let codes = |name: Name| (name.misuse_code(), name.exec_code(126), name.exec_code(127));
        assert_eq!(codes(Name::Init), (125, 126, 127));
        assert_eq!(codes(Name::Tini), (1, 126, 127));
        assert_eq!(codes(Name::DumbInit), (1, 2, 2));
        assert_eq!(codes(Name::Catatonit), (1, 1, 1));
    }
}
