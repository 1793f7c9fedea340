//! Unit tests of profiles in JSON.

mod fuzz;

use super::super::tests::ask;
use super::super::{ENOSYS, EPERM};
use super::*;
use crate::spec::capability::SYS_ADMIN;
use syscalls::Sysno;

const EXDEV: u32 = ERRNO | 18;

fn compile(default: &str, entries: &str, more: &str) -> Vec<u8> {
    let text = format!(r#"{{"defaultAction": "{default}", {more} "syscalls": [{entries}]}}"#);
    translate(text.as_bytes(), 1 << SYS_ADMIN).unwrap()
}

fn translate(text: &[u8], capabilities: u64) -> Result<Vec<u8>, String> {
    let context = Context { capabilities, kernel: "6.12.9-amd64" };
    filter(text, &context).map(|translated| translated.filter)
}

fn answer(filter: &[u8], call: Sysno, arguments: &[u64]) -> u32 {
    ask(filter, ABIS[0].audit, call.id() as u32, arguments).0
}

#[test]
fn names_have_their_action_and_the_rest_the_default() {
    let filter = compile(
        "SCMP_ACT_ERRNO",
        r#"{"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
           {"name": "write", "action": "SCMP_ACT_ERRNO", "errnoRet": 18},
           {"names": ["kill"], "action": "SCMP_ACT_KILL_PROCESS"},
           {"names": ["close"], "action": "SCMP_ACT_LOG", "args": []}"#,
        r#""defaultErrnoRet": 38,"#,
    );
    for (call, action) in [
        (Sysno::read, ALLOW),
        (Sysno::write, EXDEV),
        (Sysno::kill, KILL_PROCESS),
        (Sysno::close, 0x7ffc_0000),
        (Sysno::getpid, ENOSYS),
    ] {
        assert_eq!(answer(&filter, call, &[]), action, "{call}");
    }
}

#[test]
fn numbers_without_a_name_have_the_default_but_x32_is_not_spoken() {
    let filter = compile("SCMP_ACT_ALLOW", "", "");
    let own = ABIS[0].audit;
    assert_eq!(ask(&filter, own, 5000, &[]).0, ALLOW);
    assert_eq!(ask(&filter, own, 0x4000_0001, &[]).0, ENOSYS);
}

#[test]
fn every_operator_compares_all_of_an_argument() {
    const TOP: u64 = 1 << 40;
    for (operator, value, second, yes, no) in [
        ("EQ", TOP + 5, 0, &[TOP + 5][..], &[5, TOP, TOP + 6, TOP * 2 + 5][..]),
        ("NE", TOP + 5, 0, &[5, TOP, TOP + 6, TOP * 2 + 5], &[TOP + 5]),
        ("GT", TOP + 5, 0, &[TOP + 6, 2 * TOP], &[TOP + 5, TOP, 6, TOP - 1]),
        ("GE", TOP + 5, 0, &[TOP + 5, TOP + 6, 2 * TOP], &[TOP + 4, 6, TOP - 1]),
        ("LT", TOP + 5, 0, &[TOP + 4, 6, TOP - 1], &[TOP + 5, TOP + 6, 2 * TOP]),
        ("LE", TOP + 5, 0, &[TOP + 5, TOP, 6, TOP - 1], &[TOP + 6, 2 * TOP]),
        ("MASKED_EQ", TOP + 0xf0, TOP + 0x50, &[TOP + 0x5f, 3 * TOP + 0x50], &[0x50, TOP + 0x60]),
        ("MASKED_EQ", 0xf0, 0x50, &[0x5f, TOP + 0x50], &[0x60, 0]),
    ] {
        let entry = format!(
            r#"{{"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18, "args":
            [{{"index": 1, "value": {value}, "valueTwo": {second}, "op": "SCMP_CMP_{operator}"}}]}}"#
        );
        let filter = compile("SCMP_ACT_ALLOW", &entry, "");
        for &argument in yes {
            assert_eq!(
                answer(&filter, Sysno::ioctl, &[0, argument]),
                EXDEV,
                "{operator} {argument:#x}"
            );
        }
        for &argument in no {
            assert_eq!(
                answer(&filter, Sysno::ioctl, &[0, argument]),
                ALLOW,
                "{operator} {argument:#x}"
            );
        }
    }
}

#[test]
fn conditions_of_a_rule_are_all_needed_and_rules_are_asked_in_order() {
    let when = |errno: u32, one: u32, two: u32| {
        format!(
            r#"{{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": {errno}, "args":
            [{{"index": 0, "value": {one}, "op": "SCMP_CMP_EQ"}},
             {{"index": 2, "value": {two}, "op": "SCMP_CMP_EQ"}}]}}"#
        )
    };
    let entries = [when(1, 16, 9), when(18, 16, 9), when(18, 16, 10)].join(",");
    let filter = compile("SCMP_ACT_ALLOW", &entries, "");
    for (arguments, action) in
        [([16, 0, 9], EPERM), ([16, 0, 10], EXDEV), ([16, 0, 8], ALLOW), ([2, 0, 9], ALLOW)]
    {
        assert_eq!(answer(&filter, Sysno::socket, &arguments), action);
    }
    // One without conditions counts for more, wherever it stands; of two such, the first.
    let always =
        |action: &str| format!(r#"{{"names": ["socket"], "action": "SCMP_ACT_{action}"}}"#);
    let entries = [when(1, 16, 9), always("KILL"), always("LOG")].join(",");
    let filter = compile("SCMP_ACT_ALLOW", &entries, "");
    assert_eq!(answer(&filter, Sysno::socket, &[16, 0, 9]), 0);
}

/// As runc and crun have it: then each is a rule of its own.
#[test]
fn of_conditions_on_one_argument_one_is_enough() {
    let filter = compile(
        "SCMP_ACT_ALLOW",
        r#"{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args":
            [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"},
             {"index": 2, "value": 7, "op": "SCMP_CMP_EQ"},
             {"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}]}"#,
        "",
    );
    for (arguments, action) in
        [([38, 0, 0], EPERM), ([40, 0, 0], EPERM), ([2, 0, 7], EPERM), ([2, 0, 0], ALLOW)]
    {
        assert_eq!(answer(&filter, Sysno::socket, &arguments), action, "{arguments:?}");
    }
}

#[test]
fn entries_are_for_capabilities_and_architectures() {
    let entry = |call: &str, condition: &str| {
        format!(r#"{{"names": ["{call}"], "action": "SCMP_ACT_ALLOW", {condition}}}"#)
    };
    let own = format!(r#""includes": {{"arches": ["{OWN_ARCH}"]}}, "excludes": {{}}"#);
    let not_own = format!(r#""excludes": {{"arches": ["{OWN_ARCH}"]}}"#);
    let entries = [
        entry("read", r#""includes": {"caps": ["CAP_SYS_ADMIN"]}"#),
        entry("write", r#""includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}"#),
        entry("close", r#""excludes": {"caps": ["CAP_BPF"]}"#),
        entry("dup", r#""excludes": {"caps": ["CAP_BPF", "CAP_SYS_ADMIN"]}"#),
        entry("getpid", &own),
        entry("getppid", &not_own),
        entry("gettid", r#""includes": {"arches": ["s390x"]}"#),
        entry("kill", r#""includes": {"minKernel": "4.8"}"#),
        entry("tkill", r#""includes": {"minKernel": "6.12"}"#),
        entry("tgkill", r#""includes": {"minKernel": "6.13"}"#),
        entry("alarm", r#""includes": {"minKernel": "10.0", "caps": ["CAP_SYS_ADMIN"]}"#),
        entry("pause", r#""excludes": {"minKernel": "6.12"}"#),
        entry("uname", r#""excludes": {"minKernel": "7.0"}"#),
    ];
    let filter = compile("SCMP_ACT_ERRNO", &entries.join(","), "");
    for (call, allowed) in [
        (Sysno::read, true),
        (Sysno::write, false),
        (Sysno::close, true),
        (Sysno::dup, false),
        (Sysno::getpid, true),
        (Sysno::getppid, false),
        (Sysno::gettid, false),
        (Sysno::kill, true),
        (Sysno::tkill, true),
        (Sysno::tgkill, false),
        (Sysno::alarm, false),
        (Sysno::pause, false),
        (Sysno::uname, true),
    ] {
        assert_eq!(answer(&filter, call, &[]) == ALLOW, allowed, "{call}");
    }
}

#[test]
fn other_architectures_are_those_that_are_named() {
    let Some(other) = ABIS.get(1) else { return };
    let speaks =
        |more: &str| ask(&compile("SCMP_ACT_ALLOW", "", more), other.audit, 20, &[]).0 == ALLOW;
    let (own, other) = (ABIS[0].name, other.name);
    assert!(!speaks(""));
    assert!(speaks(&format!(r#""architectures": ["{other}"],"#)));
    let below = |arch: &str| {
        format!(r#""archMap": [{{"architecture": "{arch}", "subArchitectures": ["{other}"]}}],"#)
    };
    assert!(speaks(&below(own)));
    assert!(!speaks(&below("SCMP_ARCH_S390X")));
}

/// What would leave something out if it were passed over.
#[test]
fn slips_are_no_permission() {
    for (part, why) in [
        (r#""syscalls": {}"#, "syscalls is no list"),
        (r#""syscalls": [{"names": "read", "action": "SCMP_ACT_KILL"}]"#, "names is no list"),
        (r#""syscalls": [{"names": [3], "action": "SCMP_ACT_KILL"}]"#, "in names is no text"),
        (r#""syscalls": [{"name": 3, "action": "SCMP_ACT_KILL"}]"#, "in name is no text"),
        (r#""syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "args": {}}]"#, "args is"),
        (r#""syscalls": [{"names": ["read"]}]"#, "action is missing"),
        (r#""syscalls": [{"action": "SCMP_ACT_ALLOW", "includes": {"caps": 1}}]"#, "caps is no"),
        (r#""syscalls": [{"action": "SCMP_ACT_ALLOW", "excludes": {"arches": 1}}]"#, "arches is"),
        (r#""syscalls": [{"excludes": {"caps": [1]}}]"#, "in caps is no text"),
        (r#""syscalls": [{"includes": []}]"#, "includes is no object"),
        (r#""syscalls": [{"excludes": "CAP_BPF"}]"#, "excludes is no object"),
        (r#""syscalls": [{"excludes": {"minKernel": "new"}}]"#, "minKernel"),
        (r#""syscalls": [{"action": "SCMP_ACT_ERRNO", "errnoRet": 4096}]"#, "errnoRet is no errno"),
        (r#""syscalls": [{"action": "SCMP_ACT_ERRNO", "errnoRet": "1"}]"#, "errnoRet is no errno"),
        (r#""defaultErrnoRet": -1"#, "defaultErrnoRet is no errno"),
        (r#""architectures": "SCMP_ARCH_X86""#, "architectures is no list"),
        (r#""archMap": {}"#, "archMap is no list"),
    ] {
        let text = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", {part}}}"#);
        match translate(text.as_bytes(), 0) {
            Err(found) => assert!(found.contains(why), "{part}: {found}"),
            // Architectures are asked for beside our own only.
            Ok(_) => assert!(ABIS.len() == 1 && part.contains("arch"), "{part}"),
        }
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let refused = |text: &str| translate(text.as_bytes(), 0).unwrap_err();
    assert!(refused("{").starts_with("no JSON at byte 1,"));
    assert_eq!(refused("{}"), "defaultAction is missing");
    assert_eq!(refused(r#"{"defaultAction": 1}"#), "what is in defaultAction is no text");
    let twice = r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_KILL"}"#;
    assert!(refused(twice).starts_with("no JSON"));
    let entry = |entry: &str| {
        refused(&format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{entry}]}}"#))
    };
    assert!(
        entry(r#"{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}"#).contains("SCMP_ACT_NOTIFY")
    );
    for condition in [
        r#"{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}"#,
        r#"{"index": 0, "value": 1, "op": "SCMP_CMP_LIKE"}"#,
        r#"{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}"#,
        r#"{"index": 0, "op": "SCMP_CMP_EQ"}"#,
        r#"{"index": 0, "value": 1, "valueTwo": "1", "op": "SCMP_CMP_MASKED_EQ"}"#,
    ] {
        let text = entry(&format!(
            r#"{{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{condition}]}}"#
        ));
        assert!(text.contains("args"), "{text}");
    }
}

#[test]
fn flags_and_architectures_are_known_or_refused() {
    let profile = |more: &str| {
        let text = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", {more}}}"#);
        let context = Context { capabilities: 0, kernel: "6.12" };
        filter(text.as_bytes(), &context).map(|translated| translated.logs)
    };
    assert_eq!(profile(r#""flags": []"#), Ok(false));
    let flag = |name: &str| profile(&format!(r#""flags": ["SECCOMP_FILTER_FLAG_{name}"]"#));
    assert_eq!(flag("LOG"), Ok(true));
    for name in ["TSYNC", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"] {
        assert_eq!(flag(name), Ok(false), "{name}");
    }
    for name in ["FOO", "NEW_LISTENER", ""] {
        assert!(flag(name).unwrap_err().contains("the flag SECCOMP_FILTER_FLAG_"), "{name}");
    }
    for name in ["X86", "ARM", "SHEB", "NATIVE"] {
        assert_eq!(profile(&format!(r#""architectures": ["SCMP_ARCH_{name}"]"#)), Ok(false));
    }
    for name in ["SCMP_ARCH_FOO", "X86", "SCMP_ARCH_", "SCMP_ARCH_X86 X32"] {
        let why = profile(&format!(r#""architectures": ["{name}"]"#)).unwrap_err();
        assert_eq!(why, format!("the architecture {name} is not understood"));
    }
    assert!(profile(r#""defaultAction": "SCMP_ACT_KILL""#).unwrap_err().contains("a name twice"));
}

/// A slip in what is to be kept away is told; in what is to be let through the call is kept away.
#[test]
fn a_name_of_no_call_is_told_where_it_would_be_refused() {
    let unknown = |default: &str, action: &str| {
        let text = format!(
            r#"{{"defaultAction": "{default}", "syscalls":
                [{{"names": ["getpidd", "getpid"], "action": "{action}"}}]}}"#
        );
        filter(text.as_bytes(), &Context { capabilities: 0, kernel: "6.12" }).unwrap().unknown
    };
    assert_eq!(unknown("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"), ["getpidd"]);
    assert_eq!(unknown("SCMP_ACT_LOG", "SCMP_ACT_KILL"), ["getpidd"]);
    assert!(unknown("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW").is_empty());
    assert!(unknown("SCMP_ACT_ERRNO", "SCMP_ACT_KILL").is_empty());
    assert!(unknown("SCMP_ACT_ALLOW", "SCMP_ACT_LOG").is_empty());
}
