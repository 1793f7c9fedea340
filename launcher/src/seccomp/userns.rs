//! What keeps a command from making a user namespace where the container has none of its own, and so
//! no limit on them (`--userns none`). In one, the host's root has every capability, and mounts the
//! host's cgroups.

use super::assemble::{ARCH, ARGUMENTS, IF_ANY, IF_EQUAL, NUMBER, Program};
use super::{ABIS, ALLOW, CALLS, ENOSYS, EPERM, X32};

/// The filter behind it, whose answer counts for all else, also if it is nobody's.
pub fn forbidden(filter: Option<&[u8]>) -> Vec<u8> {
    let (mut program, rest) = match filter {
        Some(bytes) if bytes.len() >= 8 => Program::ending_with(bytes),
        _ => {
            let mut program = Program::new();
            let rest = program.answer(ALLOW);
            (program, rest)
        }
    };
    let mut begin = rest;
    for (index, abi) in ABIS.iter().enumerate().rev() {
        let is = |name| number(name, index);
        let (refuse, unknown) = (program.answer(EPERM), program.answer(ENOSYS));
        // Its flags are in memory, where a filter cannot look. C libraries then call clone.
        let mut asked = program.branch(IF_EQUAL, is("clone3"), unknown, rest);
        // The first argument of both, on all of our architectures (clone(2)).
        let flags = program.branch(IF_ANY, libc::CLONE_NEWUSER as u32, refuse, rest);
        let flags = program.load(ARGUMENTS, u32::MAX, flags);
        for name in ["clone", "unshare"] {
            asked = program.branch(IF_EQUAL, is(name), flags, asked);
        }
        // x32 has the same numbers for these, above a bit.
        let asked = program.load(NUMBER, !X32, asked);
        begin = program.branch(IF_EQUAL, abi.audit, asked, begin);
    }
    program.load(ARCH, u32::MAX, begin);
    program.into_bytes()
}

/// That of a call, which each of them has.
fn number(name: &str, abi: usize) -> u32 {
    let line = CALLS.lines().find(|line| line.split(' ').next() == Some(name));
    let digits = line.and_then(|line| line.split(' ').nth(abi + 1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX)
}
