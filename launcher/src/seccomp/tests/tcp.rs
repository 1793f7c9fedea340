//! What stands in for Landlock where that does not look, by running it.

use super::super::tcp::held_for;
use super::*;

const EOPNOTSUPP: u32 = ERRNO | libc::EOPNOTSUPP as u32;
const EPROTONOSUPPORT: u32 = ERRNO | libc::EPROTONOSUPPORT as u32;

/// By their numbers in the kernel: socket, sendto, sendmsg, sendmmsg, and getpid.
fn numbers(name: &str) -> [u32; 5] {
    match name {
        "SCMP_ARCH_X86_64" => [41, 44, 46, 307, 39],
        "SCMP_ARCH_X86" => [359, 369, 370, 345, 20],
        "SCMP_ARCH_ARM" => [281, 290, 296, 374, 20],
        _ => [198, 206, 211, 269, 172],
    }
}

#[test]
fn ways_around_rules_for_ports_are_refused_whatever_else_a_filter_says() {
    const FAST: u64 = 0x2000_0000;
    let refusing = [[0x06, 0, 0, 0], (ERRNO | 18).to_ne_bytes()].concat();
    let default = super::default::filter_for(&EVERY, 0);
    for (behind, answer) in [(None, ALLOW), (Some(&default), ALLOW), (Some(&refusing), ERRNO | 18)]
    {
        let filter = held_for(&EVERY, behind.map(|filter| &filter[..]));
        for Abi { audit, name, .. } in &EVERY {
            let [socket, sendto, sendmsg, sendmmsg, getpid] = numbers(name);
            let ask = |call, arguments: &[u64]| ask(&filter, *audit, call, arguments).0;
            for refused in [[2, 1, 262], [10, 1, 1 << 32 | 262], [2, 1, 256], [43, 1, 0]] {
                assert_eq!(ask(socket, &refused), EPROTONOSUPPORT, "{name} {refused:?}");
            }
            for allowed in [[2, 1, 0], [2, 1, 6], [10, 2, 17], [1, 1, 0], [16, 3, 0]] {
                assert_eq!(ask(socket, &allowed), answer, "{name} {allowed:?}");
            }
            for (call, at) in [(sendto, 3), (sendmsg, 2), (sendmmsg, 3)] {
                let mut arguments = [FAST; 6];
                for flags in [FAST, FAST | 0x4000, 1 << 40 | FAST, u64::MAX] {
                    arguments[at] = flags;
                    assert_eq!(ask(call, &arguments), EOPNOTSUPP, "{name} {call}");
                }
                for flags in [0, 0x4000, FAST << 32] {
                    arguments[at] = flags;
                    assert_eq!(ask(call, &arguments), answer, "{name} {call}");
                }
            }
            assert_eq!(ask(getpid, &[FAST; 6]), answer, "{name}");
            assert_eq!(ask(425, &[]), ENOSYS, "{name}: io_uring_setup");
            assert_eq!(ask(X32 | getpid, &[]), ENOSYS, "{name}: x32");
            let socketcall = if *name == "SCMP_ARCH_X86" { ENOSYS } else { answer };
            if name.starts_with("SCMP_ARCH_X86") {
                assert_eq!(ask(102, &[]), socketcall, "{name}: socketcall, or getuid");
            }
        }
        assert_eq!(ask(&filter, 0x1234, 0, &[]).0, KILL_PROCESS);
    }
}
