//! What the command may do: privileges, system calls, what it sees of the host's settings.

use std::ffi::CString;

use super::capability::{Capabilities, SYS_RESOURCE};
use super::landlock::Landlock;
use super::parse_path;
use crate::args::Args;
use crate::error::Error;

/// The command's confinement, as asked for.
#[derive(Debug)]
pub struct Confinement {
    pub capabilities: Capabilities,
    /// A setuid program or file capabilities inside may give privileges.
    pub new_privs: bool,
    /// No user namespace can be made inside.
    pub disable_userns: bool,
    pub seccomp: Seccomp,
    /// Calls that the filter refuses are told to the kernel's log.
    pub seccomp_log: bool,
    pub landlock: Option<Landlock>,
    pub label: Option<Label>,
    /// Even the host's root sees /proc as it is.
    pub unmask: bool,
}

/// The filter of system calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// The containers project's, for the capabilities.
    Default,
    None,
    /// A profile or a compiled program, in a file of the host's.
    File(CString),
}

/// What a security module knows the command by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A profile that is loaded.
    AppArmor(CString),
    /// A context.
    Selinux(CString),
}

impl Confinement {
    /// Whether there are rules for ports, some ways around which Landlock does not see.
    pub fn restricts_tcp(&self) -> bool {
        self.landlock.as_ref().is_some_and(|rules| rules.network != 0)
    }

    /// Makes sense of what was typed.
    pub fn parse(args: &Args) -> Result<Confinement, Error> {
        let seccomp = match parse_path("--seccomp", args.seccomp.as_ref())? {
            None => Seccomp::Default,
            Some(word) if word.as_bytes() == b"default" => Seccomp::Default,
            Some(word) if word.as_bytes() == b"none" => Seccomp::None,
            Some(word) if is_path(word.as_bytes()) => Seccomp::File(word),
            Some(word) => {
                return Err(Error::misuse(format!(
                    "--seccomp {} is neither default nor none nor a path (with a slash, or one that ends in .json)",
                    word.to_string_lossy()
                )));
            }
        };
        if args.seccomp_log && seccomp == Seccomp::None {
            return Err(Error::misuse("--seccomp-log has nothing to log with --seccomp none"));
        }
        let profile = parse_path("--apparmor", args.apparmor.as_ref())?.map(Label::AppArmor);
        let context = parse_path("--selinux-label", args.selinux_label.as_ref())?;
        if profile.is_some() && context.is_some() {
            return Err(Error::misuse("--apparmor and --selinux-label exclude each other"));
        }
        let capabilities = Capabilities::parse(&args.cap_add, &args.cap_drop)?;
        if args.disable_userns && capabilities.bounding & 1 << SYS_RESOURCE != 0 {
            return Err(Error::misuse(
                "--disable-userns does not hold against a command with CAP_SYS_RESOURCE, which \
                 could allow them again",
            ));
        }
        Ok(Confinement {
            capabilities,
            new_privs: args.new_privs,
            disable_userns: args.disable_userns,
            seccomp,
            seccomp_log: args.seccomp_log,
            landlock: Landlock::parse(args)?,
            label: profile.or(context.map(Label::Selinux)),
            unmask: args.unmask,
        })
    }
}

/// Whether a word is a file and no misspelt one of ours.
fn is_path(word: &[u8]) -> bool {
    word.contains(&b'/') || word.ends_with(b".json")
}
