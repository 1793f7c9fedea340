//! Filters of system calls. Pure.
//!
//! What a filter costs is its length, which the kernel translates at each start. Since Linux 5.11
//! the kernel tries every number when the filter is installed, and passes those that are always
//! allowed without running it from then on: there a short way counts at the start, for some
//! thousand numbers, and else for ioctl(2) and for what is refused.
//!
//! Ours has 200 instructions on x86_64, of which a number takes 8 (i386: 12). libseccomp makes 1162 of
//! the same profile, and the `seccompiler` crate 1583 for x86_64 alone, which take ten times as long to
//! install; it has one answer for all that it refuses, no other ABI, and is 16 KiB.

mod assemble;
pub mod default;
pub mod oci;
mod rule;
pub mod tcp;
pub mod userns;

use rule::Rule;

/// What a program is compiled for.
struct Abi {
    /// AUDIT_ARCH_* of linux/audit.h, as the kernel tells a filter.
    audit: u32,
    /// As an OCI profile has it.
    name: &'static str,
    /// Where in its numbers another rule of the default profile begins: the number, and the rule
    /// in the lowest byte.
    spans: &'static [u32],
    /// The numbers of clone, unshare and clone3, which make user namespaces.
    makers: [u32; 3],
    /// Those of add_key, request_key and keyctl.
    keys: [u32; 3],
    /// Those of socket, sendto, sendmsg, sendmmsg and socketcall, which most have not.
    sockets: [u32; 5],
}

// ABIS, the first of which is the launcher's own; OWN_ARCH, its name in OCI profiles; and CALLS:
// a line for each call, its name and its number in each of them.
include!(concat!(env!("OUT_DIR"), "/profile.rs"));

// What a filter answers (linux/seccomp.h).
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = ERRNO | libc::EPERM as u32;
const EINVAL: u32 = ERRNO | libc::EINVAL as u32;
const ENOSYS: u32 = ERRNO | libc::ENOSYS as u32;

/// What becomes of a call: the first rule whose conditions hold says it.
#[derive(Clone, PartialEq, Eq)]
struct Checks {
    rules: Vec<(Vec<Condition>, u32)>,
    otherwise: u32,
}

impl Checks {
    /// Whatever its arguments.
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

/// From this number on, up to the next span, a call's checks are of this kind.
type Span = (u32, u32);

/// No architecture has numbers from this one on but x32.
const X32: u32 = 0x4000_0000;

/// Neighbours with the same checks become one. x32 is not spoken: by its numbers a call would get
/// past what is said of it by name; `unknown` says that.
fn merge(mut spans: Vec<Span>, unknown: u32) -> Vec<Span> {
    spans.push((X32, unknown));
    spans.dedup_by(|next, kept| next.1 == kept.1);
    spans
}

#[cfg(test)]
mod tests;
