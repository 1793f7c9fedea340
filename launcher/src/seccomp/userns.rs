//! Extends a filter where the container has no user namespace of its own (`--userns none`).
//!
//! It forbids user namespaces, for which there is no limit of the container's own to set: in one,
//! the host's root would have every capability, and could mount the host's cgroups. And it refuses
//! the calls for keys, as a kernel without CONFIG_KEYS: a user's keyrings belong to the user
//! namespace (user-keyring(7)), which is the host's.

use super::assemble::{ARCH, ARGUMENTS, IF_ANY, IF_EQUAL, NUMBER, Program};
use super::{ABIS, Abi, ENOSYS, EPERM, KILL_PROCESS, X32};

/// The filter behind it, whose answer counts for all else, also if it is nobody's.
pub fn forbidden(filter: Option<&[u8]>) -> Vec<u8> {
    forbidden_for(&ABIS, filter)
}

/// The same for programs of these architectures.
pub(super) fn forbidden_for(abis: &[Abi], filter: Option<&[u8]>) -> Vec<u8> {
    let (mut program, rest) = Program::before(filter);
    // A program for another architecture has other numbers: riscv32 beside riscv64.
    let mut begin = program.answer(KILL_PROCESS);
    for abi in abis.iter().rev() {
        let [clone, unshare, clone3] = abi.makers;
        let (refuse, unknown) = (program.answer(EPERM), program.answer(ENOSYS));
        // clone3's flags are in memory, which a filter cannot read. With ENOSYS C libraries call
        // clone instead.
        let mut asked = program.branch(IF_EQUAL, clone3, unknown, rest);
        // The first argument of both, on all of our architectures (clone(2)).
        let flags = program.branch(IF_ANY, libc::CLONE_NEWUSER as u32, refuse, rest);
        let flags = program.load(ARGUMENTS, u32::MAX, flags);
        for number in [clone, unshare] {
            asked = program.branch(IF_EQUAL, number, flags, asked);
        }
        for number in abi.keys {
            let unknown = program.answer(ENOSYS);
            asked = program.branch(IF_EQUAL, number, unknown, asked);
        }
        // x32 has the same numbers for these, above a bit.
        let asked = program.load(NUMBER, !X32, asked);
        begin = program.branch(IF_EQUAL, abi.audit, asked, begin);
    }
    program.load(ARCH, u32::MAX, begin);
    program.into_bytes()
}
