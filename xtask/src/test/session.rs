//! Which boots a kernel is tested in: what the guest's root is, and which tests run as whom.

use std::fmt;
use std::str::FromStr;

use crate::vm::kernel::Kernel;

/// What the guest's root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// A tmpfs, entered by switch_root: like a disk, for pivot_root.
    Tmpfs,
    /// The initial ramfs.
    Initramfs,
}

/// What is run of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    None,
    /// Those of this module.
    Only(&'static str),
    All,
}

/// One boot: what is run as root and as the user.
#[derive(Debug, PartialEq, Eq)]
pub struct Session {
    pub root: Root,
    pub tests: [Part; 2],
}

/// On every root, as everybody, on every kernel.
const ATTACKS: Part = Part::Only("attacks::");

impl Session {
    /// Those of the kernel with this number in the row of kernels. Before Linux 7.0 a start on the
    /// initial ramfs is another one than on a disk: with each kernel one half of the suite runs on
    /// the one, the other half on the other, in turns.
    pub fn all(kernel: &Kernel, number: usize, wanted: Option<Root>) -> Vec<Session> {
        let everything = |root| Session { root, tests: [Part::All; 2] };
        if let Some(root) = wanted {
            return vec![everything(root)];
        }
        if !kernel.is_before(7, 0) {
            return vec![everything(Root::Initramfs)];
        }
        let (mut first, mut second) = ([Part::All, ATTACKS], [Part::None, Part::All]);
        if number % 2 == 1 {
            first.reverse();
            second.reverse();
        }
        vec![
            Session { root: Root::Initramfs, tests: first },
            Session { root: Root::Tmpfs, tests: second },
        ]
    }
}

impl Root {
    pub fn name(self) -> &'static str {
        match self {
            Root::Tmpfs => "tmpfs",
            Root::Initramfs => "initramfs",
        }
    }
}

impl FromStr for Root {
    type Err = String;

    fn from_str(word: &str) -> Result<Root, String> {
        let known = [Root::Tmpfs, Root::Initramfs].into_iter().find(|root| root.name() == word);
        known.ok_or_else(|| "tmpfs or initramfs".to_string())
    }
}

/// As guest.sh reads it.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::None => "none",
            Part::Only(filter) => filter,
            Part::All => "all",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn sessions(version: &str, number: usize, wanted: Option<Root>) -> Vec<Session> {
        let (version, release) = (version.to_string(), String::new());
        let kernel = Kernel { version, release, image: PathBuf::new(), modules: None };
        Session::all(&kernel, number, wanted)
    }

    #[test]
    fn both_halves_of_the_suite_run_once_with_every_kernel() {
        for (version, number) in [("5.10", 0), ("6.1", 1), ("6.12", 2), ("7.2", 3)] {
            let sessions = sessions(version, number, None);
            for half in [0, 1] {
                let all = sessions.iter().filter(|session| session.tests[half] == Part::All);
                assert_eq!(all.count(), 1, "{version} {sessions:?}");
            }
            assert!(sessions.iter().any(|session| session.root == Root::Initramfs));
            let on_initramfs = sessions.iter().find(|session| session.root == Root::Initramfs);
            assert!(on_initramfs.is_some_and(|session| !session.tests.contains(&Part::None)));
        }
        assert_ne!(sessions("6.1", 0, None), sessions("6.1", 1, None));
    }

    #[test]
    fn wanted_root_is_the_only_one() {
        let sessions = sessions("6.1", 0, Some(Root::Tmpfs));
        assert_eq!(sessions, [Session { root: Root::Tmpfs, tests: [Part::All; 2] }]);
    }
}
