//! Seccomp filters, as programs in classic BPF: the default one, profiles in OCI's JSON, and
//! extensions of either. Pure.
//!
//! A filter costs time when it is installed: the kernel translates its instructions, and since
//! Linux 5.11 runs it for every system call number, to remember those that are always allowed;
//! these then cost nothing. So a filter should be short, and find each number by few instructions.
//!
//! Ours has 200 instructions on x86_64, and finds a number by 8 (i386: 12). libseccomp makes 1162
//! of the same profile, and the `seccompiler` crate 1583 for x86_64 alone, which take ten times as
//! long to install; the crate has one errno for all that it refuses and one architecture, and adds
//! 16 KiB.

mod assemble;
pub mod default;
pub mod oci;
mod rule;
pub mod tcp;
pub mod userns;

use rule::Rule;

/// An architecture's system call ABI.
struct Abi {
    /// AUDIT_ARCH_* of linux/audit.h, as the kernel tells a filter.
    audit: u32,
    /// Its name in an OCI profile.
    name: &'static str,
    /// The default profile: the numbers from which on another rule holds, with that rule in the
    /// lowest byte.
    spans: &'static [u32],
    /// The numbers of clone, unshare and clone3, which make user namespaces.
    makers: [u32; 3],
    /// Those of add_key, request_key and keyctl.
    keys: [u32; 3],
    /// Those of socket, sendto, sendmsg, sendmmsg and socketcall, which most have not.
    sockets: [u32; 5],
}

// From build/profile.rs: ABIS, of which the first is the launcher's own; OWN_ARCH, its name in OCI
// profiles; and CALLS, with a line for each system call: its name, and its number in each ABI.
include!(concat!(env!("OUT_DIR"), "/profile.rs"));

// SECCOMP_RET_* of linux/seccomp.h, and with errnos.
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = ERRNO | libc::EPERM as u32;
const EINVAL: u32 = ERRNO | libc::EINVAL as u32;
const ENOSYS: u32 = ERRNO | libc::ENOSYS as u32;

/// What is done about a system call: the action of the first rule whose conditions all hold.
#[derive(Clone, PartialEq, Eq)]
struct Checks {
    rules: Vec<(Vec<Condition>, u32)>,
    otherwise: u32,
}

impl Checks {
    /// The same action whatever the arguments.
    fn always(action: u32) -> Checks {
        Checks { rules: Vec::new(), otherwise: action }
    }
}

/// A condition on an argument.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Condition {
    index: u32,
    operator: Operator,
    /// The bits that are compared.
    mask: u64,
    value: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// A system call number, and the kind of checks from it on, up to the next span.
type Span = (u32, u32);

/// The bit in numbers of x32, which no other ABI has.
const X32: u32 = 0x4000_0000;

/// Merges neighbouring spans of the same kind. Numbers of x32 get the kind `unknown`: by them a
/// call would get past the rule for its name.
fn merge(mut spans: Vec<Span>, unknown: u32) -> Vec<Span> {
    spans.push((X32, unknown));
    spans.dedup_by(|next, kept| next.1 == kept.1);
    spans
}

#[cfg(test)]
mod tests;
