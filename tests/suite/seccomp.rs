//! The filter of system calls, by calling them.

use std::fs;
use std::path::PathBuf;

use crate::launch::Launch;
use crate::mounts::modes;
use crate::rootfs::temporary_path;

/// What a call is answered with these options.
fn answer(options: &[&str], words: &str) -> String {
    let launch = options.iter().fold(Launch::new(), |launch, option| launch.option(*option));
    launch.probe(&format!("try {words}")).run().ok().stdout.trim_end().to_owned()
}

fn call(options: &[&str], number: i64, arguments: &str) -> String {
    answer(options, &format!("call {number} {arguments}"))
}

const OFF: &[&str] = &["--seccomp=none"];

#[test]
fn filter_is_in_force_in_every_mode_and_gone_with_none() {
    for mode in modes() {
        let launch = Launch::new().option("--userns").arg(mode);
        let output = launch.probe("status Seccomp Seccomp_filters").run().ok();
        assert_eq!(output.fact("Seccomp"), "2", "{mode}");
    }
    let output = Launch::new().option("--seccomp=none").probe("status Seccomp").run().ok();
    assert_eq!(output.fact("Seccomp"), "0");
}

/// Each with the answer that it has without the filter, so that it is the filter that is seen.
#[test]
fn calls_that_the_profile_refuses_are_refused() {
    for (number, arguments, filtered, unfiltered) in [
        (libc::SYS_add_key, "", "ENOSYS", &["EFAULT"][..]),
        (libc::SYS_request_key, "", "ENOSYS", &["EFAULT"]),
        (libc::SYS_io_uring_setup, "", "ENOSYS", &["EFAULT", "EPERM", "EINVAL"]),
        (libc::SYS_kcmp, "2 2 99", "EPERM", &["EINVAL", "ESRCH"]),
        (libc::SYS_lookup_dcookie, "", "EPERM", &["EPERM", "ENOSYS"]),
        (libc::SYS_vmsplice, "-1", "EPERM", &["EBADF"]),
        (libc::SYS_socket, "38 5 0", "EPERM", &["ok", "EAFNOSUPPORT"]),
        (libc::SYS_socket, "40 1 0", "EPERM", &["ok", "EAFNOSUPPORT"]),
        (libc::SYS_socket, "16 3 9", "EINVAL", &["ok", "EPROTONOSUPPORT"]),
        (libc::SYS_socket, "16 3 0", "ok", &["ok"]),
        (libc::SYS_personality, "4294967295", "ok", &["ok"]),
        (libc::SYS_personality, "262144", "ENOSYS", &["ok"]),
    ] {
        let arguments = arguments.replace("-1", &usize::MAX.to_string());
        assert_eq!(call(&[], number, &arguments), filtered, "{number} {arguments}");
        let free = call(OFF, number, &arguments);
        assert!(unfiltered.contains(&free.as_str()), "{number} {arguments}: {free}");
    }
}

/// A bit above the 32 that the kernel looks at hides nothing (CVE-2019-10063).
#[test]
fn typing_into_a_terminal_is_refused_however_it_is_spelled() {
    for request in [0x5412_u64, 0x541c, 1 << 32 | 0x5412, 1 << 63 | 0x541c] {
        let arguments = format!("0 {request}");
        assert_eq!(call(&[], libc::SYS_ioctl, &arguments), "EPERM");
        // /dev/null is no terminal.
        assert_eq!(call(OFF, libc::SYS_ioctl, &arguments), "ENOTTY");
    }
    assert_eq!(call(&[], libc::SYS_ioctl, "0 21505"), "ENOTTY");
}

/// The same call by the other numbers of the machine.
#[test]
#[cfg(target_arch = "x86_64")]
fn other_abis_lead_round_nothing() {
    const ADD_KEY: usize = 286;
    const GETPID: usize = 20;
    const X32: usize = 0x4000_0000;
    let free = answer(OFF, &format!("call-i386 {GETPID}"));
    if free == "ok" {
        assert_eq!(answer(&[], &format!("call-i386 {GETPID}")), "ok");
        assert_eq!(answer(&[], &format!("call-i386 {ADD_KEY}")), "ENOSYS");
        assert_ne!(answer(OFF, &format!("call-i386 {ADD_KEY}")), "ENOSYS");
    } else {
        println!("SKIP: the kernel runs no 32-bit programs (cannot on this machine)");
    }
    assert_eq!(answer(&[], &format!("call {}", X32 + 39)), "ENOSYS");
}

#[test]
fn a_capability_opens_the_calls_that_need_it() {
    let open_by_handle = |options: &[&str]| call(options, libc::SYS_open_by_handle_at, "");
    assert_eq!(open_by_handle(&[]), "EPERM");
    assert_ne!(open_by_handle(&["--cap-add=dac_read_search"]), "ok");
    let set_clock = |options: &[&str]| call(options, libc::SYS_clock_settime, "99");
    assert_eq!(set_clock(&[]), "EPERM");
    assert_eq!(set_clock(&["--cap-add=sys_time"]), "EINVAL");
    let change_root = |options: &[&str]| answer(options, "chroot /tmp");
    assert_eq!(change_root(&[]), "ok");
    assert_eq!(change_root(&["--cap-drop=sys_chroot"]), "EPERM");
}

/// struct sock_filter.
fn instruction(code: u16, if_true: u8, if_false: u8, value: u32) -> [u8; 8] {
    let ([a, b], [e, f, g, h]) = (code.to_ne_bytes(), value.to_ne_bytes());
    [a, b, if_true, if_false, e, f, g, h]
}

/// A compiled filter that answers one call with EXDEV and allows all else.
fn own_filter(call: i64) -> PathBuf {
    let program = [
        instruction(0x20, 0, 0, 0),
        instruction(0x15, 0, 1, call as u32),
        instruction(0x06, 0, 0, 0x0005_0000 | libc::EXDEV as u32),
        instruction(0x06, 0, 0, 0x7fff_0000),
    ];
    let path = temporary_path("filter");
    fs::write(&path, program.concat()).unwrap();
    path
}

#[test]
fn own_filter_takes_the_place_of_the_default() {
    let path = own_filter(libc::SYS_getppid);
    let option = format!("--seccomp={}", path.display());
    for options in [&[option.as_str()][..], &[&option, "--new-privs"], &[&option, "--seccomp-log"]]
    {
        assert_eq!(call(options, libc::SYS_getppid, ""), "EXDEV", "{options:?}");
        assert_eq!(call(options, libc::SYS_add_key, ""), "EFAULT", "{options:?}");
    }
    let told = Launch::new().option(&option).option("--userns=single").option("--explain").run();
    let keys = "the keyrings of the host's users (keyctl(2), unless the filter refuses that)";
    assert!(told.stdout.contains(keys), "{told}");
    fs::remove_file(path).unwrap();
}

#[test]
fn profile_in_json_takes_the_place_of_the_default() {
    let path = temporary_path("profile");
    let text = r#"{
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18},
            {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18,
             "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]},
            {"names": ["umask"], "action": "SCMP_ACT_ERRNO",
             "excludes": {"caps": ["CAP_NET_RAW"]}}
        ]
    }"#;
    fs::write(&path, text).unwrap();
    let option = format!("--seccomp={}", path.display());
    assert_eq!(call(&[&option], libc::SYS_getppid, ""), "EXDEV");
    assert_eq!(call(&[&option], libc::SYS_kill, "2 10"), "EXDEV");
    assert_eq!(call(&[&option], libc::SYS_kill, "2 0"), "ok");
    assert_eq!(call(&[&option], libc::SYS_umask, "18"), "EPERM");
    assert_eq!(call(&[&option, "--cap-add=net_raw"], libc::SYS_umask, "18"), "ok");
    fs::remove_file(path).unwrap();
}

/// A slip in a profile is told, and in what it refuses it is an error or a warning.
/// As engines take it; any other word without a slash is one of ours, misspelt.
#[test]
fn profile_is_found_where_the_caller_is() {
    let folder = temporary_path("profiles");
    fs::create_dir(&folder).unwrap();
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW",
                   "syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18}]}"#;
    fs::write(folder.join("profile.json"), text).unwrap();
    fs::write(folder.join("profile"), text).unwrap();
    let launch = |option: &str| {
        let call = format!("try call {} ", libc::SYS_getppid);
        Launch::new().option(option).directory(&folder).probe(&call).run()
    };
    launch("--seccomp=profile.json").ok().prints(&["EXDEV"]);
    launch("--seccomp=profile").fails_with(125, "neither default nor none nor a path");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_not_understood_of_a_profile_is_told() {
    let path = temporary_path("profile");
    let run = |text: &str| {
        fs::write(&path, text).unwrap();
        Launch::new().option("--seccomp").arg(&path).probe("exit 3").run()
    };
    let entry = r#"{"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "includes": {"foo": []}}"#;
    for (text, why) in [
        (r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#, "SCMP_ACT_NOTIFY cannot be had"),
        ("{}", "defaultAction is missing"),
        (r#"{"defaultAction": 1}"#, "what is in defaultAction is no text"),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["FOO"]}"#,
            "the flag FOO is not understood",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_FOO"]}"#,
            "the architecture SCMP_ARCH_FOO is not understood",
        ),
        (
            &format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{entry}]}}"#),
            "foo in includes is not understood",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_KILL"}"#,
            "a name twice",
        ),
    ] {
        run(text).fails_with(125, why);
    }
    let output = run(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls":
            [{"names": ["getpidd"], "action": "SCMP_ACT_ERRNO"}]}"#,
    );
    output.fails_with(3, "refuses what is no system call here: getpidd");
    let option = format!("--seccomp={}", path.display());
    let explained = Launch::new().option("--explain").option(option).probe("exit 0").run().code(0);
    assert!(explained.stdout.contains(", refusals are logged\n"), "{explained}");
    fs::remove_file(path).unwrap();
}

#[test]
fn filter_applies_to_the_command_and_not_to_what_starts_it() {
    // init mounts /proc and detaches the old root.
    for refused in [libc::SYS_mount, libc::SYS_umount2, libc::SYS_capset, libc::SYS_setresuid] {
        let path = own_filter(refused);
        let launch = Launch::new().option("--seccomp").arg(&path);
        launch.probe("exit 4").run().code(4);
        fs::remove_file(path).unwrap();
    }
}

/// Not the command, and not the end of who was to become it.
#[test]
fn a_profile_that_refuses_everything_ends_in_an_error() {
    let path = temporary_path("profile");
    fs::write(&path, r#"{"defaultAction": "SCMP_ACT_ERRNO"}"#).unwrap();
    let output = Launch::new().option("--seccomp").arg(&path).probe("exit 0").run();
    fs::remove_file(path).unwrap();
    // Before Linux 5.16 such an end is that of all who share its memory (zap_threads in fs/coredump.c),
    // which init does until the command is executed.
    if crate::ability::kernel_is_before(5, 16) {
        output.fails_with(125, "init was ended by signal 4 before the command started");
        return;
    }
    assert!(output.stderr.contains("EPERM"), "{output}");
    output.code(126);
}

#[test]
fn what_is_no_filter_is_refused() {
    let path = temporary_path("filter");
    let line = |size: usize| {
        fs::write(&path, vec![6; size]).unwrap();
        Launch::new().option("--seccomp").arg(&path).probe("exit 0").run().code(125).stderr
    };
    for (size, why) in [(0, "neither a profile"), (7, "neither a profile"), (4097 * 8, "4096")] {
        let line = line(size);
        assert!(line.contains(why), "{size}: {line}");
    }
    // It has the form, and the kernel does not take it.
    assert!(line(8).contains("install the seccomp filter: EINVAL"), "{}", line(8));
    fs::remove_file(&path).unwrap();
    let output = Launch::new().option("--seccomp").arg(&path).probe("exit 0").run().code(125);
    assert!(output.stderr.contains("read --seccomp"), "{output}");
}
