//! The default filter answers as the profile says: its text, read as plainly as can be, for every
//! number of every architecture, with each capability that counts and every argument that does.

use std::collections::HashMap;

use super::*;
use crate::spec::capability::by_name;

/// The list that each name stands in.
fn lists() -> HashMap<&'static str, &'static str> {
    let mut list = "";
    let mut all = HashMap::new();
    for line in include_str!("../profile.txt").lines().filter(|line| !line.starts_with('#')) {
        match line.strip_suffix(':') {
            Some(head) => list = head,
            None => all.extend(line.split_whitespace().map(|name| (name, list))),
        }
    }
    all
}

/// The calls of one of `EVERY`, by number.
fn calls(name: &str) -> HashMap<u32, &'static str> {
    let column = 1 + EVERY.iter().position(|abi| abi.name == name).unwrap();
    let lines = EVERY_CALL.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    lines.filter_map(|words| Some((words[column].parse().ok()?, words[0]))).collect()
}

fn answer(list: Option<&str>, capabilities: u64, arguments: [u64; 3]) -> u32 {
    let has = |name: &str| capabilities >> by_name(name.as_bytes()).unwrap() & 1 != 0;
    // As the kernel takes them.
    let [first, second, third] = arguments.map(|argument| argument as u32);
    match list {
        None => ENOSYS,
        Some("allow") => ALLOW,
        Some("refuse") => EPERM,
        Some("personality") => match first {
            0 | 8 | 0x2_0000 | 0x2_0008 | 0xffff_ffff => ALLOW,
            _ => ENOSYS,
        },
        Some("socket") => match (first, third) {
            (38 | 40, _) => EPERM,
            (16, 9) if !has("audit_write") => EINVAL,
            _ => ALLOW,
        },
        Some("ioctl") => match second {
            0x5412 | 0x541c => EPERM,
            _ => ALLOW,
        },
        Some(needs) => match needs.strip_prefix("needs ").unwrap() {
            name if has(name) => ALLOW,
            "bpf" | "perfmon" if has("sys_admin") => ALLOW,
            _ => EPERM,
        },
    }
}

/// None, all, and each that the profile names alone and left out.
fn sets(lists: &HashMap<&str, &'static str>) -> Vec<u64> {
    let named = lists.values().filter_map(|list| list.strip_prefix("needs "));
    let named = named.chain(["audit_write"]).filter_map(|name| by_name(name.as_bytes()));
    let mut sets = named.flat_map(|number| [1 << number, !(1 << number)]).collect::<Vec<_>>();
    sets.extend([0, !0]);
    sets.sort_unstable();
    sets.dedup();
    sets
}

/// Numbers of calls and of none, also where x32 has them and where ARM has its own.
fn numbers() -> impl Iterator<Item = u32> {
    let around = |middle: u32| middle - 4..middle + 8;
    let high = [0xf_0000, X32, X32 | 435, 0x8000_0000, X32 | 0x8000_0000];
    (0..600).chain(high.into_iter().flat_map(around)).chain([u32::MAX])
}

#[test]
fn every_number_of_every_architecture_is_answered_as_the_text_says() {
    const LOOKED_AT: [&str; 3] = ["personality", "socket", "ioctl"];
    const VALUES: [u64; 13] =
        [0, 1, 8, 9, 16, 38, 40, 0x5401, 0x5412, 0x541c, 0x2_0000, 0x2_0008, 0xffff_ffff];
    let values = VALUES.iter().flat_map(|value| [*value, 1 << 32 | value]).collect::<Vec<_>>();
    let lists = lists();
    assert!(lists.len() > 400, "{} names", lists.len());
    // What is shipped, and a longer one, with jumps that need others.
    for abis in [&ABIS[..], &EVERY[..]] {
        for set in sets(&lists) {
            let filter = super::super::default::filter_for(abis, set);
            for Abi { audit, name: abi, .. } in abis {
                let calls = calls(abi);
                for number in numbers() {
                    let list = calls.get(&number).and_then(|name| lists.get(name)).copied();
                    let check = |arguments: [u64; 3]| {
                        let found = ask(&filter, *audit, number, &arguments).0;
                        let expected = answer(list, set, arguments);
                        assert_eq!(found, expected, "{abi} {number} {set:#x} {arguments:x?}");
                    };
                    check([0; 3]);
                    if list.is_some_and(|list| LOOKED_AT.contains(&list)) {
                        for &one in &values {
                            values.iter().for_each(|&third| check([one, one, third]));
                        }
                    }
                }
            }
        }
    }
}
