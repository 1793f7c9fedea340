//! Privileges: capabilities by name, no_new_privs, what is left to PID 1, masks.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{self, for_root, for_user, require};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::running;
use crate::subject;
use crate::sys::before::Before;

const CHOWN: u64 = 1;
const DEFAULT: u64 = 0x8004_05fb;
const NET_BIND_SERVICE: u64 = 1 << 10;
const NET_RAW: u64 = 1 << 13;
const SYS_ADMIN: u64 = 1 << 21;

/// Runs the probe with these options: inheritable, permitted, effective, bounding, ambient.
fn sets(options: &[&str]) -> [u64; 5] {
    let launch = options.iter().fold(Launch::new(), |launch, option| launch.option(*option));
    let output = launch.probe("status CapInh CapPrm CapEff CapBnd CapAmb").run().ok();
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        .map(|name| u64::from_str_radix(output.fact(name), 16).unwrap())
}

/// What root has when this is its bounding set.
fn of_root(set: u64) -> [u64; 5] {
    [0, set, set, set, 0]
}

#[test]
fn capabilities_are_added_and_dropped_by_name() {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    let all = (1 << (last.trim().parse::<u32>().unwrap() + 1)) - 1;
    assert_eq!(sets(&["--cap-add=NET_RAW"]), of_root(DEFAULT | NET_RAW));
    assert_eq!(
        sets(&["--cap-add=cap_net_raw", "--cap-drop=CAP_CHOWN"]),
        of_root((DEFAULT | NET_RAW) & !CHOWN)
    );
    assert_eq!(sets(&["--cap-drop=all"]), of_root(0));
    assert_eq!(sets(&["--cap-drop=ALL", "--cap-add=sys_admin"]), of_root(SYS_ADMIN));
    assert_eq!(sets(&["--cap-add=ALL"]), of_root(all));
    assert_eq!(sets(&["--cap-add=ALL", "--cap-drop=net_raw"]), of_root(all & !NET_RAW));
}

/// Inheritable ones that nobody asked for would come back by execve(2) of a file with inheritable
/// capabilities (CVE-2022-24769).
#[test]
fn another_user_has_what_was_asked_for_by_name_and_as_ambient() {
    require!(many_ids);
    assert_eq!(sets(&["--user=1000"]), [0, 0, 0, DEFAULT, 0]);
    let own = NET_BIND_SERVICE;
    assert_eq!(sets(&["--user=1000", "--cap-add=net_bind_service"]), [own, own, own, DEFAULT, own]);
    let both = NET_RAW | SYS_ADMIN;
    assert_eq!(
        sets(&["--user=1000", "--cap-drop=ALL", "--cap-add=net_raw", "--cap-add=sys_admin"]),
        [both; 5]
    );
}

/// Nothing that a change of the user takes on the way (PR_SET_KEEPCAPS), or that nobody asked for.
#[test]
fn command_starts_with_no_securebits_and_no_limit_on_its_memory() {
    let user = ["--user=1000", "--cap-add=net_bind_service"];
    let users = [&[][..], &user].into_iter().take(1 + usize::from(ability::many_ids().is_ok()));
    for options in users {
        let launch = options.iter().fold(Launch::new(), |launch, option| launch.option(*option));
        let output = launch.probe("flags").run().ok();
        assert_eq!(output.fact("securebits"), "0", "{options:?}");
        // EINVAL: before Linux 6.3.
        assert!(["0", "EINVAL"].contains(&output.fact("mdwe")), "{options:?}\n{output}");
    }
}

#[test]
fn unknown_capabilities_are_refused_with_the_nearest() {
    for option in ["--cap-add", "--cap-drop"] {
        let line = format!(
            "launcher: {option} SYS_ADMN is unknown; did you mean sys_admin?; see launcher --help"
        );
        Launch::new().option(option).arg("SYS_ADMN").probe("exit 0").run().fails(125, &line);
    }
}

#[test]
fn set_user_id_programs_give_something_only_when_asked_for() {
    require!(many_ids);
    let rootfs = Rootfs::new();
    set_permissions(rootfs.inside("probe"), Permissions::from_mode(0o4755)).unwrap();
    let run = |options: &[&str]| -> Output {
        let launch = Launch::on(&rootfs).option("--user=1000");
        let launch = options.iter().fold(launch, |launch, option| launch.option(*option));
        launch.probe("status Uid CapEff NoNewPrivs Seccomp").run().ok()
    };
    let output = run(&[]);
    assert_eq!(output.fact("Uid"), "1000 1000 1000 1000");
    assert_eq!((output.fact("NoNewPrivs"), output.fact("Seccomp")), ("1", "2"));
    let output = run(&["--new-privs"]);
    assert_eq!(output.fact("Uid"), "1000 0 0 0");
    assert_eq!(u64::from_str_radix(output.fact("CapEff"), 16), Ok(DEFAULT));
    // The filter is there all the same.
    assert_eq!((output.fact("NoNewPrivs"), output.fact("Seccomp")), ("0", "2"));
}

#[test]
fn pid_1_keeps_the_right_to_signal_and_nothing_else() {
    require!(busybox);
    // It lets go of the rest when the command is on its way.
    let script = "for set in Prm Eff; do
            until grep -q Cap$set:.*0000000000000020 /proc/1/status; do :; done
        done
        grep -E 'Cap(Inh|Amb)' /proc/1/status";
    let rootfs = Rootfs::new().with_shell();
    let output = Launch::on(&rootfs).command(["/bin/sh", "-c", script]).run().ok();
    for name in ["CapInh:", "CapAmb:"] {
        assert_eq!(u64::from_str_radix(output.fact(name), 16), Ok(0), "{name}");
    }
    // The command has more, and cannot look into it all the same: it is not dumpable.
    for words in ["try read /proc/1/environ", "try read /proc/1/fd/0", "try ptrace 1"] {
        Launch::new().probe(words).run().ok().prints_one_of(&["EACCES", "EPERM"]);
    }
}

/// A core of its would tell of the host. Of what leaves none the files in /proc are root's (proc(5)).
#[test]
fn launcher_leaves_no_core_once_the_command_runs() {
    for_user!();
    let running = Launch::new().probe("sleep 60").start();
    running.wait_for("ready");
    let owner = || std::fs::metadata(format!("/proc/{}/stat", running.pid())).unwrap().uid();
    // PID 1 tells it of the start when the command runs.
    let start = Instant::now();
    while owner() != 0 {
        assert!(start.elapsed() < running::limit(), "the launcher is dumpable");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn masks_go_when_told_to() {
    for_root!();
    let launch = || Launch::new().option("--userns=identity");
    let setting = "try open /proc/sys/kernel/core_pattern";
    launch().probe(setting).run().ok().prints(&["EROFS"]);
    launch().option("--unmask").probe(setting).run().ok().prints(&["ok"]);
    // And with them what keeps a container inside from a /proc of its own.
    let rootfs = Rootfs::new();
    rootfs.add_program("launcher", &subject::launcher());
    let words = ["/launcher", "--userns=single", "/", "/probe", "exit", "3"];
    Launch::on(&rootfs).option("--userns=identity").option("--unmask").command(words).run().code(3);
}

/// With the module, which Debian's kernels have, by the profile that is always loaded; without it
/// that is what is said.
#[test]
fn label_is_the_commands_where_there_is_a_module() {
    let enabled = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    let launch = |profile: &str| Launch::new().option("--apparmor").arg(profile);
    if enabled.is_ok_and(|text| text.starts_with('Y')) {
        let output = launch("unconfined").probe("show /proc/self/attr/current").run().ok();
        assert_eq!(output.stdout.trim_end(), "unconfined", "{output}");
        let output = launch("nosuch").probe("exit 0").run().code(125);
        assert!(output.stderr.contains("no such profile is loaded"), "{output}");
    } else {
        let output = launch("unconfined").probe("exit 0").run().code(125);
        assert!(output.stderr.contains("--apparmor: this kernel has no such"), "{output}");
    }
    if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        let output = Launch::new().option("--selinux-label=a:b:c").probe("exit 0").run().code(125);
        assert!(output.stderr.contains("--selinux-label: this kernel has no such"), "{output}");
    }
}

#[test]
fn limits_and_priorities_are_the_containers() {
    let launch = Launch::new()
        .option("--rlimit=nofile=77:88")
        .option("--rlimit=core=0:4096")
        .option("--rlimit=core=0")
        .option("--rlimit=fsize=1000000:unlimited");
    let output = launch.probe("show /proc/self/limits").run().ok();
    let limit = |name: &str| output.fact(name).split_whitespace().take(2).collect::<Vec<_>>();
    assert_eq!(limit("Max open files"), ["77", "88"]);
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    assert_eq!(limit("Max file size"), ["1000000", "unlimited"]);

    let score = Launch::new().option("--oom-score-adj").arg("500");
    score.probe("show /proc/self/oom_score_adj").run().ok().prints(&["500"]);
    let nice = Launch::new().option("--nice").arg("7").probe("show /proc/self/stat").run().ok();
    assert_eq!(nice.stdout.rsplit(") ").next().unwrap().split(' ').nth(16), Some("7"), "{nice}");
}

/// As init dies of: the kernel executes it, and then has no page for it.
#[test]
fn limit_that_is_too_low_for_init_is_said() {
    let launch = Launch::new().option("--rlimit=as=1").probe("exit 0");
    launch.run().fails_with(125, "init counts too: is an --rlimit too low for it?");
}

/// Whether this process, and so the launcher, has a capability.
fn have(capability: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    u64::from_str_radix(line, 16).unwrap() >> capability & 1 != 0
}

#[test]
fn above_the_callers_own_it_takes_a_capability() {
    const SYS_NICE: u32 = 23;
    const SYS_RESOURCE: u32 = 24;
    for (option, value, capability) in [
        ("--rlimit", "nofile=200", SYS_RESOURCE),
        ("--oom-score-adj", "-1", SYS_RESOURCE),
        ("--nice", "-1", SYS_NICE),
    ] {
        let launch = Launch::new().before(Before::Limit(libc::RLIMIT_NOFILE as i32, 100, 100));
        let output = launch.option(option).arg(value).probe("exit 3").run();
        if have(capability) {
            output.code(3);
        } else {
            let text = output.code(125).stderr;
            assert!(text.contains(option) && text.contains("it takes root"), "{text}");
        }
    }
    let beyond = Launch::new().option("--rlimit=nofile=4000000000").probe("exit 0").run();
    beyond.fails_with(125, "and above the sysctl fs.nr_open no nofile is had");
}
