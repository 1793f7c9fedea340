//! Extends a filter to close the ways around Landlock's rules for TCP (`--landlock bind:` and
//! `connect:`).
//!
//! Landlock checks connect(2) and bind(2) of TCP sockets. A connection by MSG_FASTOPEN uses
//! neither, and sockets of MPTCP and SMC are not TCP sockets but fall back to TCP. These get the
//! errno of a kernel without them, with which programs can deal.

use super::assemble::{ARCH, ARGUMENTS, IF_ANY, IF_EQUAL, NUMBER, Place, Program};
use super::{ABIS, Abi, ENOSYS, ERRNO, KILL_PROCESS, X32};

const EOPNOTSUPP: u32 = ERRNO | libc::EOPNOTSUPP as u32;
const EPROTONOSUPPORT: u32 = ERRNO | libc::EPROTONOSUPPORT as u32;

/// The same number on every architecture. By io_uring the calls below could be made unseen.
const IO_URING_SETUP: u32 = 425;

// linux/socket.h and linux/in.h.
const AF_SMC: u32 = 43;
const IPPROTO_SMC: u32 = 256;
const MSG_FASTOPEN: u32 = 0x2000_0000;

/// The filter behind it, whose answer counts for all else, also if it is nobody's.
pub fn held(filter: Option<&[u8]>) -> Vec<u8> {
    held_for(&ABIS, filter)
}

/// The same for programs of these architectures.
pub(super) fn held_for(abis: &[Abi], filter: Option<&[u8]>) -> Vec<u8> {
    let (mut program, rest) = Program::before(filter);
    let mut begin = program.answer(KILL_PROCESS);
    for abi in abis.iter().rev() {
        let begins = calls(&mut program, abi, rest);
        begin = program.branch(IF_EQUAL, abi.audit, begins, begin);
    }
    program.load(ARCH, u32::MAX, begin);
    program.into_bytes()
}

fn calls(program: &mut Program, abi: &Abi, rest: Place) -> Place {
    let [socket, sendto, sendmsg, sendmmsg, socketcall] = abi.sockets;
    let unknown = program.answer(ENOSYS);
    let mut asked = program.branch(IF_EQUAL, IO_URING_SETUP, unknown, rest);
    // Its arguments are in memory, where a filter cannot look.
    asked = program.branch(IF_EQUAL, socketcall, unknown, asked);
    for (number, flags) in [(sendto, 3), (sendmsg, 2), (sendmmsg, 3)] {
        let refuse = program.answer(EOPNOTSUPP);
        let looks = program.branch(IF_ANY, MSG_FASTOPEN, refuse, rest);
        let looks = program.load(ARGUMENTS + 8 * flags, u32::MAX, looks);
        asked = program.branch(IF_EQUAL, number, looks, asked);
    }
    let refuse = program.answer(EPROTONOSUPPORT);
    let looks = program.branch(IF_EQUAL, AF_SMC, refuse, rest);
    let mut looks = program.load(ARGUMENTS, u32::MAX, looks);
    for protocol in [IPPROTO_SMC, libc::IPPROTO_MPTCP as u32] {
        looks = program.branch(IF_EQUAL, protocol, refuse, looks);
    }
    let looks = program.load(ARGUMENTS + 16, u32::MAX, looks);
    asked = program.branch(IF_EQUAL, socket, looks, asked);
    // x32 has other numbers for some of these.
    let unknown = program.answer(ENOSYS);
    let asked = program.branch(IF_ANY, X32, unknown, asked);
    program.load(NUMBER, u32::MAX, asked)
}
