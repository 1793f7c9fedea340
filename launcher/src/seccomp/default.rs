//! The default filter, which depends on the command's capabilities. The profile is `profile.txt`,
//! which the build script translates into numbers.

use super::{
    ABIS, ALLOW, Abi, Checks, Condition, EINVAL, ENOSYS, EPERM, Operator, Rule, assemble, merge,
};
use crate::spec::capability::{AUDIT_WRITE, BPF, PERFMON, SYS_ADMIN};

/// The filter for a command with this bounding set, as the kernel takes it.
pub fn filter(capabilities: u64) -> Vec<u8> {
    filter_for(&ABIS, capabilities)
}

/// The same for programs of these architectures.
pub(super) fn filter_for(abis: &'static [Abi], capabilities: u64) -> Vec<u8> {
    let spans = |abi: &'static Abi| {
        let rule = |span: &u32| {
            let rule = Rule::from_byte(span.to_le_bytes()[0]);
            (span >> 8, settle(rule, capabilities).to_byte().into())
        };
        (abi, merge(abi.spans.iter().map(rule).collect(), Rule::Unknown.to_byte().into()))
    };
    let spans = abis.iter().map(spans).collect::<Vec<_>>();
    assemble::filter(&spans, &|kind| checks(Rule::from_byte(kind as u8), capabilities))
}

/// Decides a rule that depends on a capability.
fn settle(rule: Rule, capabilities: u64) -> Rule {
    let has = |capability: u8| capabilities & 1 << capability != 0;
    match rule {
        // capabilities(7): CAP_SYS_ADMIN includes these two, which were a part of it once.
        Rule::Needs(BPF | PERFMON) if has(SYS_ADMIN) => Rule::Allow,
        Rule::Needs(needed) if has(needed) => Rule::Allow,
        Rule::Needs(_) => Rule::Refuse,
        other => other,
    }
}

fn checks(rule: Rule, capabilities: u64) -> Checks {
    match settle(rule, capabilities) {
        Rule::Allow => Checks::always(ALLOW),
        Rule::Refuse | Rule::Needs(_) => Checks::always(EPERM),
        Rule::Unknown => Checks::always(ENOSYS),
        Rule::Personality => {
            // PER_LINUX and PER_LINUX32, with and without UNAME26; and -1, which only asks.
            const HARMLESS: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];
            let rules = HARMLESS.map(|persona| (vec![is(0, persona)], ALLOW)).into();
            Checks { rules, otherwise: ENOSYS }
        }
        Rule::Ioctl => {
            const TYPE_INTO_TERMINAL: [u32; 2] = [0x5412, 0x541c]; // TIOCSTI, TIOCLINUX
            let rules = TYPE_INTO_TERMINAL.map(|request| (vec![is(1, request)], EPERM)).into();
            Checks { rules, otherwise: ALLOW }
        }
        Rule::Socket => {
            const NETLINK_AUDIT: u32 = 9;
            let refused = [libc::AF_ALG, libc::AF_VSOCK];
            let mut rules = Vec::from(refused.map(|family| (vec![is(0, family as u32)], EPERM)));
            if capabilities & 1 << AUDIT_WRITE == 0 {
                let audit = vec![is(0, libc::AF_NETLINK as u32), is(2, NETLINK_AUDIT)];
                rules.push((audit, EINVAL));
            }
            Checks { rules, otherwise: ALLOW }
        }
    }
}

/// The kernel uses 32 bits of each of the arguments that are looked at here, so 32 bits are
/// compared: a filter that compares 64 lets TIOCSTI with a bit set above them pass
/// (CVE-2019-10063).
fn is(index: u32, value: u32) -> Condition {
    Condition { index, operator: Operator::Equal, mask: 0xffff_ffff, value: value.into() }
}
