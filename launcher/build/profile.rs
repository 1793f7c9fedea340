//! The seccomp profile, from names to the numbers of the architectures that a program may call the
//! target's kernel by: a sorted list of where another rule begins.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use syscalls::{aarch64, arm, riscv64, x86, x86_64};

#[path = "../src/spec/capability/names.rs"]
mod names;
#[path = "../src/seccomp/rule.rs"]
mod rule;

use rule::Rule;

/// What a program is compiled for.
#[derive(Clone, Copy)]
struct Abi {
    /// AUDIT_ARCH_* of linux/audit.h.
    audit: u32,
    /// As an OCI profile has it.
    name: &'static str,
    /// Every call and its number.
    calls: fn() -> Vec<(&'static str, u32)>,
}

macro_rules! abi {
    ($audit:literal, $name:literal, $arch:ident $(, $more:literal = $number:literal)*) => {
        Abi {
            audit: $audit,
            name: concat!("SCMP_ARCH_", $name),
            calls: || {
                let table = $arch::Sysno::iter();
                let table = table.map(|call| (kernels_name(call.name()), call.id() as u32));
                table.chain([$(($more, $number)),*]).collect()
            },
        }
    };
}

/// The crate's table of aarch64 has the C library's name of this one.
fn kernels_name(name: &'static str) -> &'static str {
    if name == "fstatat" { "newfstatat" } else { name }
}

const X86_64: Abi = abi!(0xc000_003e, "X86_64", x86_64);
const X86: Abi = abi!(0x4000_0003, "X86", x86);
const AARCH64: Abi = abi!(0xc000_00b7, "AARCH64", aarch64);
const RISCV64: Abi = abi!(0xc000_00f3, "RISCV64", riscv64);
// The private calls (asm/unistd.h, __ARM_NR_BASE) are in no table.
const ARM: Abi = abi!(
    0x4000_0028,
    "ARM",
    arm,
    "breakpoint" = 0xf_0001,
    "cacheflush" = 0xf_0002,
    "set_tls" = 0xf_0005
);

const EVERY: [Abi; 5] = [X86_64, X86, AARCH64, ARM, RISCV64];

/// Reads the profile and writes the tables of an architecture, as `src/seccomp/mod.rs` has them.
pub fn write(profile: &Path, out: &Path, arch: &str) {
    println!("cargo::rerun-if-changed={}", profile.display());
    let text = fs::read_to_string(profile).expect("read the seccomp profile");
    let rules = parse(&text);
    // The architecture's name is Go's in OCI profiles.
    let (own, abis): (&str, &[Abi]) = match arch {
        "x86_64" => ("amd64", &[X86_64, X86]),
        "aarch64" => ("arm64", &[AARCH64, ARM]),
        "riscv64" => ("riscv64", &[RISCV64]),
        "arm" => ("arm", &[ARM]),
        other => panic!("no seccomp profile for {other}"),
    };
    let mut code = format!("const OWN_ARCH: &str = {own:?};\n");
    // What is made for another machine is tested on this one.
    for (kind, abis) in [("static ABIS", abis), ("#[cfg(test)] static EVERY", &EVERY[..])] {
        write!(code, "{kind}: [Abi; {}] = [", abis.len()).expect("a string grows");
        for Abi { audit, name, calls } in abis {
            let calls = calls();
            let spans = spans(&rules, &calls);
            let number = |name: &str| calls.iter().find(|call| call.0 == name).map(|call| call.1);
            let numbers = |names: [&str; 3]| names.map(|name| number(name).expect("its number"));
            let makers = numbers(["clone", "unshare", "clone3"]);
            let keys = numbers(["add_key", "request_key", "keyctl"]);
            let [socket, sendto, sendmsg] = numbers(["socket", "sendto", "sendmsg"]);
            let [sendmmsg, socketcall] =
                ["sendmmsg", "socketcall"].map(|name| number(name).unwrap_or(u32::MAX));
            let sockets = [socket, sendto, sendmsg, sendmmsg, socketcall];
            write!(
                code,
                "Abi {{ audit: {audit:#x}, name: {name:?}, spans: &{spans:?}, makers: {makers:?}, \
                 keys: {keys:?}, sockets: {sockets:?} }},"
            )
            .expect("a string grows");
        }
        code.push_str("];\n");
    }
    for (kind, abis) in [("const CALLS", abis), ("#[cfg(test)] const EVERY_CALL", &EVERY[..])] {
        writeln!(code, "{kind}: &str = {:?};", numbers(abis)).expect("a string grows");
    }
    fs::write(out, code).expect("write the seccomp tables");
}

/// A line for each call: its name, and its number or a dash for each architecture.
fn numbers(abis: &[Abi]) -> String {
    let mut calls = BTreeMap::new();
    for (index, abi) in abis.iter().enumerate() {
        for (name, number) in (abi.calls)() {
            let row = calls.entry(name).or_insert_with(|| vec!["-".to_string(); abis.len()]);
            row[index] = number.to_string();
        }
    }
    calls.into_iter().map(|(name, row)| format!("{name} {}\n", row.join(" "))).collect()
}

/// Names and their rules. A line that ends with a colon says which rule the names below it have.
fn parse(text: &str) -> Vec<(&str, Rule)> {
    let known = EVERY.iter().flat_map(|abi| (abi.calls)()).map(|(name, _)| name);
    let known = known.collect::<BTreeSet<_>>();
    let mut rule = None;
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(head) = line.strip_suffix(':') {
            rule = Some(read_rule(head));
            continue;
        }
        for name in line.split_whitespace() {
            assert!(known.contains(name), "the profile has {name}, which is in no table: a slip?");
            assert!(found.iter().all(|(other, _)| *other != name), "the profile has {name} twice");
            found.push((name, rule.expect("a rule comes before names")));
        }
    }
    found
}

fn read_rule(head: &str) -> Rule {
    match head {
        "allow" => Rule::Allow,
        "refuse" => Rule::Refuse,
        "personality" => Rule::Personality,
        "socket" => Rule::Socket,
        "ioctl" => Rule::Ioctl,
        _ => {
            let name = head.strip_prefix("needs ").expect("a known rule");
            let number = names::NAMES.iter().position(|&known| known == name);
            Rule::Needs(number.expect("a capability") as u8)
        }
    }
}

/// The first number of each span that has one rule, above the rule's byte.
fn spans(rules: &[(&str, Rule)], calls: &[(&str, u32)]) -> Vec<u32> {
    let rule_of = |name| rules.iter().find(|(own, _)| *own == name).map(|(_, rule)| *rule);
    let numbered = calls.iter().filter_map(|(name, number)| Some((*number, rule_of(*name)?)));
    let mut numbered = numbered.collect::<Vec<_>>();
    numbered.sort_by_key(|(number, _)| *number);
    let mut all = Vec::new();
    let mut next = 0;
    for (number, rule) in numbered {
        if number > next {
            all.push((next, Rule::Unknown));
        }
        all.push((number, rule));
        next = number + 1;
    }
    all.push((next, Rule::Unknown));
    all.dedup_by_key(|(_, rule)| *rule);
    all.into_iter().map(|(number, rule)| number << 8 | u32::from(rule.to_byte())).collect()
}
