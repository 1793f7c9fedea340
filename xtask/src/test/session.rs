//! Which boots a kernel is tested in: what the guest's root is, and which tests run as whom.

use std::fmt;
use std::str::FromStr;

use super::guest::HALVES;
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

/// On the initial ramfs, as everybody, on every kernel.
const ATTACKS: Part = Part::Only("attacks::");

impl Session {
    /// Those of the kernel with this number in the row of kernels, the suite as root in the one and
    /// as the user in the other. Before Linux 7.0 a start on the initial ramfs is another one than
    /// on a disk: there the two have different roots, in turns.
    pub fn all(kernel: &Kernel, number: usize, wanted: Option<Root>) -> [Session; 2] {
        let [of_root, of_user] = match wanted {
            Some(root) => [root, root],
            None if !kernel.is_before(7, 0) => [Root::Initramfs, Root::Initramfs],
            None if number.is_multiple_of(2) => [Root::Initramfs, Root::Tmpfs],
            None => [Root::Tmpfs, Root::Initramfs],
        };
        let beside = |root, other| match (root, other) {
            (Root::Initramfs, Root::Tmpfs) => ATTACKS,
            _ => Part::None,
        };
        [
            Session { root: of_root, tests: [Part::All, beside(of_root, of_user)] },
            Session { root: of_user, tests: [beside(of_user, of_root), Part::All] },
        ]
    }

    /// `tmpfs root`, as the tables show it.
    pub fn name(&self) -> String {
        let halves = HALVES.iter().zip(self.tests);
        let whole = halves.filter(|(_, part)| *part == Part::All).map(|(half, _)| *half);
        format!("{} {}", self.root.name(), whole.collect::<Vec<_>>().join(" "))
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
    use crate::arch::Arch;
    use std::path::PathBuf;

    fn sessions(version: &str, number: usize, wanted: Option<Root>) -> [Session; 2] {
        let (version, release) = (version.to_string(), String::new());
        let (arch, image) = (Arch::X86_64, PathBuf::new());
        let kernel = Kernel { arch, version, release, image, modules: None };
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
            for half in [0, 1] {
                let on_initramfs = sessions.iter().filter(|s| s.root == Root::Initramfs);
                let parts = on_initramfs.map(|session| session.tests[half]);
                assert_eq!(parts.filter(|part| *part != Part::None).count(), 1, "{version}");
            }
        }
        assert_ne!(sessions("6.1", 0, None), sessions("6.1", 1, None));
    }

    #[test]
    fn wanted_root_is_the_only_one() {
        let sessions = sessions("6.1", 0, Some(Root::Tmpfs));
        assert_eq!(sessions[0].name(), "tmpfs root");
        let tests = sessions.map(|session| (session.root, session.tests));
        let root = [Part::All, Part::None];
        let user = [Part::None, Part::All];
        assert_eq!(tests, [(Root::Tmpfs, root), (Root::Tmpfs, user)]);
    }
}
