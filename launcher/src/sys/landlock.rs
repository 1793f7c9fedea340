//! Landlock (landlock(7)): rulesets and their rules.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use syscalls::{Sysno, syscall};

use super::{Result, own};

/// struct landlock_ruleset_attr of linux/landlock.h. An older kernel, whose struct is shorter,
/// accepts this if the rest is zero.
#[repr(C)]
pub struct Handled {
    pub files: u64,
    pub network: u64,
    pub scopes: u64,
}

/// The version of the kernel's interface.
pub fn abi() -> Result<u32> {
    const LANDLOCK_CREATE_RULESET_VERSION: usize = 1;
    let none = ptr::null::<Handled>();
    // SAFETY: with this flag no memory is read.
    unsafe { syscall!(Sysno::landlock_create_ruleset, none, 0, LANDLOCK_CREATE_RULESET_VERSION) }
        .map(|version| version as u32)
}

/// landlock_create_ruleset(2): a ruleset that handles, and so far denies, these accesses.
pub fn create(handled: &Handled) -> Result<OwnedFd> {
    let (attr, size) = (ptr::from_ref(handled), size_of::<Handled>());
    // SAFETY: the attributes are of the size that is given.
    unsafe { syscall!(Sysno::landlock_create_ruleset, attr, size, 0) }.map(own)
}

/// Allows this at a file, or below a directory.
pub fn allow_below(rules: BorrowedFd<'_>, file: BorrowedFd<'_>, access: u64) -> Result<()> {
    /// struct landlock_path_beneath_attr.
    #[repr(C, packed)]
    struct PathBeneath {
        access: u64,
        file: i32,
    }
    const LANDLOCK_RULE_PATH_BENEATH: usize = 1;
    let attr = PathBeneath { access, file: file.as_raw_fd() };
    add(rules, LANDLOCK_RULE_PATH_BENEATH, &attr)
}

/// Allows this at a TCP port.
pub fn allow_port(rules: BorrowedFd<'_>, port: u16, access: u64) -> Result<()> {
    /// struct landlock_net_port_attr.
    #[repr(C)]
    struct NetPort {
        access: u64,
        port: u64,
    }
    const LANDLOCK_RULE_NET_PORT: usize = 2;
    add(rules, LANDLOCK_RULE_NET_PORT, &NetPort { access, port: port.into() })
}

fn add<T>(rules: BorrowedFd<'_>, kind: usize, attr: &T) -> Result<()> {
    let attr = ptr::from_ref(attr);
    // SAFETY: both callers pass the struct that belongs to the kind, which the kernel only reads.
    unsafe { syscall!(Sysno::landlock_add_rule, rules.as_raw_fd(), kind, attr, 0) }.map(drop)
}
