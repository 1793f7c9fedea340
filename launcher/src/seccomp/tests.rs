//! Unit tests of the default filter, by running it.

use super::default::filter;
use super::*;
use crate::spec::capability::{AUDIT_WRITE, BPF, PERFMON, SYS_ADMIN};
use syscalls::Sysno;

mod profile;
mod tcp;

/// The filter's answer to a call of this architecture, and how many instructions it took.
pub fn ask(filter: &[u8], audit: u32, number: u32, arguments: &[u64]) -> (u32, usize) {
    let word = |at: usize| u32::from_ne_bytes(filter[at..at + 4].try_into().unwrap());
    let (mut at, mut loaded) = (0, 0);
    for count in 1.. {
        let [low, high, if_true, if_false] = filter[8 * at..8 * at + 4].try_into().unwrap();
        let value = word(8 * at + 4);
        let jump = |is_true: bool| usize::from(if is_true { if_true } else { if_false });
        at += 1;
        match u16::from_ne_bytes([low, high]) {
            0x20 => {
                let argument = |at: usize| arguments.get(at / 8).copied().unwrap_or(0);
                loaded = match value as usize {
                    0 => number,
                    4 => audit,
                    at @ 16.. => (argument(at - 16) >> (at % 8 * 8)) as u32,
                    at => panic!("offset {at}"),
                }
            }
            0x44 => loaded |= value,
            0x54 => loaded &= value,
            0x05 => at += value as usize,
            0x15 => at += jump(loaded == value),
            0x25 => at += jump(loaded > value),
            0x35 => at += jump(loaded >= value),
            0x45 => at += jump(loaded & value != 0),
            0x06 => return (value, count),
            code => panic!("instruction {code:#x}"),
        }
    }
    unreachable!()
}

fn native(capabilities: u64, call: Sysno, arguments: &[u64]) -> u32 {
    ask(&filter(capabilities), ABIS[0].audit, call.id() as u32, arguments).0
}

#[test]
fn calls_are_answered_as_the_profile_says() {
    for (call, answer) in [
        (Sysno::read, ALLOW),
        (Sysno::clone3, ALLOW),
        (Sysno::unshare, ALLOW),
        (Sysno::mount, ALLOW),
        (Sysno::setns, ALLOW),
        (Sysno::keyctl, ENOSYS),
        (Sysno::ptrace, ALLOW),
        (Sysno::landlock_create_ruleset, ALLOW),
        (Sysno::userfaultfd, EPERM),
        (Sysno::kexec_load, EPERM),
        (Sysno::swapon, EPERM),
        (Sysno::io_uring_setup, ENOSYS),
        (Sysno::pidfd_open, ALLOW),
        (Sysno::add_key, ENOSYS),
    ] {
        assert_eq!(native(0, call, &[]), answer, "{call}");
    }
}

#[test]
fn a_capability_gives_the_calls_that_need_it() {
    for (call, capability) in [
        (Sysno::bpf, BPF),
        (Sysno::bpf, SYS_ADMIN),
        (Sysno::perf_event_open, PERFMON),
        (Sysno::perf_event_open, SYS_ADMIN),
        (Sysno::quotactl, SYS_ADMIN),
        (Sysno::open_by_handle_at, 2),
        (Sysno::chroot, 18),
        (Sysno::init_module, 16),
        (Sysno::acct, 20),
        (Sysno::kcmp, 19),
        (Sysno::clock_settime, 25),
        (Sysno::vhangup, 26),
    ] {
        let including = 1 << SYS_ADMIN | 1 << BPF | 1 << PERFMON;
        assert_eq!(native(!(1 << capability | including), call, &[]), EPERM, "{call}");
        assert_eq!(native(1 << capability, call, &[]), ALLOW, "{call}");
    }
}

#[test]
fn arguments_are_looked_at() {
    let socket = |capabilities, family, protocol| {
        native(capabilities, Sysno::socket, &[family, 1, protocol])
    };
    assert_eq!(socket(0, 2, 9), ALLOW);
    assert_eq!(socket(0, 16, 0), ALLOW);
    assert_eq!(socket(0, 16, 9), EINVAL);
    assert_eq!(socket(1 << AUDIT_WRITE, 16, 9), ALLOW);
    for (capabilities, family) in [(0, 38), (0, 40), (!0, 38), (!0, 40)] {
        assert_eq!(socket(capabilities, family, 0), EPERM);
    }
    for (persona, answer) in [(0, ALLOW), (8, ALLOW), (0xffff_ffff, ALLOW), (0x40000, ENOSYS)] {
        assert_eq!(native(0, Sysno::personality, &[persona]), answer);
    }
    for (request, answer) in [(0x5401, ALLOW), (0x5412, EPERM), (1 << 33 | 0x541c, EPERM)] {
        assert_eq!(native(!0, Sysno::ioctl, &[0, request]), answer);
    }
}

/// By their numbers in the kernel (asm-generic/unistd.h, arch/arm/tools/syscall.tbl,
/// arch/x86/entry/syscalls/): openat, kexec_load, add_key, io_uring_setup, clone3, and chroot, which
/// takes a capability.
#[test]
fn every_architecture_has_its_own_numbers() {
    let numbers = |name: &str| match name {
        "SCMP_ARCH_X86_64" => [257, 246, 248, 425, 435, 161],
        "SCMP_ARCH_X86" => [295, 283, 286, 425, 435, 61],
        "SCMP_ARCH_ARM" => [322, 347, 309, 425, 435, 61],
        _ => [56, 104, 217, 425, 435, 51],
    };
    let (bare, with) = (super::default::filter_for(&EVERY, 0), 1 << 18);
    let with = super::default::filter_for(&EVERY, with);
    for Abi { audit, name, .. } in &EVERY {
        let answers = numbers(name).map(|number| ask(&bare, *audit, number, &[]).0);
        assert_eq!(answers, [ALLOW, EPERM, ENOSYS, ENOSYS, ALLOW, EPERM], "{name}");
        assert_eq!(ask(&with, *audit, numbers(name)[5], &[]).0, ALLOW, "{name}");
    }
    const ARM_SET_TLS: u32 = 0xf_0005;
    const RISCV_FLUSH_ICACHE: u32 = 259;
    for (name, own) in [("SCMP_ARCH_ARM", ARM_SET_TLS), ("SCMP_ARCH_RISCV64", RISCV_FLUSH_ICACHE)] {
        let abi = EVERY.iter().find(|abi| abi.name == name).unwrap();
        assert_eq!(ask(&bare, abi.audit, own, &[]).0, ALLOW, "{name}");
    }
}

/// aarch64 and riscv64 number their calls by the same list, asm-generic/unistd.h, but for those of
/// one architecture (244 to 259), renameat(2), which riscv64 never had, and the calls with 64-bit
/// times (403 to 423), which only 32-bit programs have.
#[test]
fn architectures_with_one_list_of_numbers_have_one_filter() {
    let filter = super::default::filter_for(&EVERY, 0);
    let audit = |name| EVERY.iter().find(|abi| abi.name == name).unwrap().audit;
    let (arm, riscv) = (audit("SCMP_ARCH_AARCH64"), audit("SCMP_ARCH_RISCV64"));
    for number in (0..500).filter(|number| !matches!(number, 38 | 244..=259 | 403..=423)) {
        let [arm, riscv] = [arm, riscv].map(|audit| ask(&filter, audit, number, &[]).0);
        assert_eq!(arm, riscv, "{number}");
    }
}

#[test]
fn numbers_of_no_call_and_programs_of_no_architecture_are_refused() {
    let filter = filter(!0);
    for Abi { audit, .. } in &ABIS {
        for number in [1000, 0x3fff_ffff, 0x4000_0000, u32::MAX] {
            assert_eq!(ask(&filter, *audit, number, &[]).0, ENOSYS, "{number:#x}");
        }
    }
    assert_eq!(ask(&filter, 0x1234, 0, &[]).0, KILL_PROCESS);
}

/// What seccomp_cache_prepare() of kernel/seccomp.c follows.
#[test]
fn kernel_remembers_the_answers_for_this_machines_programs_alone() {
    let filter = filter(0);
    let codes = |audit| {
        let mut at = 8;
        while u32::from_ne_bytes(filter[at + 4..at + 8].try_into().unwrap()) != audit {
            at += 8 * (1 + usize::from(filter[at + 3]));
        }
        at += 8 * (1 + usize::from(filter[at + 2]));
        u16::from_ne_bytes([filter[at], filter[at + 1]])
    };
    let (native, others) = ABIS.split_first().unwrap();
    assert_eq!(codes(native.audit), 0x20);
    for Abi { audit, .. } in others {
        assert_eq!(codes(*audit), 0x44, "BPF_ALU | BPF_OR, which it does not know");
    }
}

#[test]
fn every_answer_is_near() {
    let filter = filter(0);
    println!("{} instructions", filter.len() / 8);
    assert!(filter.len() / 8 <= 200, "{} instructions", filter.len() / 8);
    for Abi { audit, .. } in &ABIS {
        let counts = (0..460).map(|number| ask(&filter, *audit, number, &[]).1);
        let counts = counts.collect::<Vec<_>>();
        let (most, mean) = (counts.iter().max().unwrap(), counts.iter().sum::<usize>() / 460);
        println!("{audit:x}: {mean} for a number, {most} at most");
        assert!(*most <= 20 && mean <= 12, "{most} at most, {mean}");
    }
}

/// Of the calls that could, by every name that they have.
#[test]
fn user_namespaces_and_keys_can_be_forbidden_whatever_else_a_filter_says() {
    const NEWUSER: u64 = 0x1000_0000;
    const NEWNS: u64 = 0x0002_0000;
    // On every architecture, by number: clone, unshare, clone3, and getpid; add_key, and behind it
    // request_key and keyctl.
    let numbers = |name: &str| match name {
        "SCMP_ARCH_X86_64" => ([56, 272, 435, 39], 248),
        "SCMP_ARCH_X86" => ([120, 310, 435, 20], 286),
        "SCMP_ARCH_ARM" => ([120, 337, 435, 20], 309),
        _ => ([220, 97, 435, 172], 217),
    };
    let behind = |filter: Option<&[u8]>| userns::forbidden_for(&EVERY, filter);
    let allowed = behind(None);
    let default = behind(Some(&super::default::filter_for(&EVERY, 0)));
    let refusing = [[0x06, 0, 0, 0], (ERRNO | 18).to_ne_bytes()].concat();
    let refusing = behind(Some(&refusing));
    for Abi { audit, name, .. } in &EVERY {
        let ([clone, unshare, clone3, getpid], keys) = numbers(name);
        for filter in [&allowed, &default, &refusing] {
            for call in [clone, unshare] {
                for flags in [NEWUSER, NEWUSER | NEWNS, u64::MAX, 1 << 32 | NEWUSER] {
                    assert_eq!(ask(filter, *audit, call, &[flags]).0, EPERM, "{name} {call}");
                }
            }
            for call in [clone3, keys, keys + 1, keys + 2] {
                assert_eq!(ask(filter, *audit, call, &[]).0, ENOSYS, "{name} {call}");
            }
        }
        for (filter, answer) in [(&allowed, ALLOW), (&default, ALLOW), (&refusing, ERRNO | 18)] {
            for (call, flags) in [(clone, NEWNS), (unshare, !NEWUSER), (getpid, NEWUSER)] {
                assert_eq!(ask(filter, *audit, call, &[flags]).0, answer, "{name} {call}");
            }
        }
    }
    const X86_64: u32 = 0xc000_003e;
    const RISCV32: u32 = 0x4000_00f3;
    for (number, answer) in [(56, EPERM), (272, EPERM), (435, ENOSYS), (250, ENOSYS)] {
        assert_eq!(ask(&allowed, X86_64, X32 | number, &[NEWUSER]).0, answer);
    }
    assert_eq!(ask(&allowed, RISCV32, 220, &[NEWUSER]).0, KILL_PROCESS);
}
