//! What the command may do: capabilities, no_new_privs, system calls (seccomp), the label of a
//! security module, and how much it sees of /proc.

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
    /// set-user-ID programs and file capabilities work inside: no_new_privs is not set.
    pub new_privs: bool,
    /// No user namespace can be created inside.
    pub disable_userns: bool,
    pub seccomp: Seccomp,
    /// System calls that the filter refuses are logged by the kernel (SECCOMP_FILTER_FLAG_LOG).
    pub seccomp_log: bool,
    pub landlock: Option<Landlock>,
    pub label: Option<Label>,
    /// Nothing of /proc is masked, even if the container's root is the host's.
    pub unmask: bool,
}

/// The seccomp filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// The default profile of the containers project, for the command's capabilities.
    Default,
    None,
    /// A file on the host: a profile in JSON, or a compiled BPF program.
    File(CString),
}

/// The label that a security module gives the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// An AppArmor profile that is loaded.
    AppArmor(CString),
    /// An SELinux context.
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

/// Whether a word is meant as a file name, and not as a misspelt keyword.
fn is_path(word: &[u8]) -> bool {
    word.contains(&b'/') || word.ends_with(b".json")
}
