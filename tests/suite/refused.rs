//! System calls that an older kernel or an outer container's seccomp does not have: an older way
//! that is as good, or one line that says what is missing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::ability;
use crate::ability::{for_root, require};
use crate::faults::NOT_FAILED;
use crate::launch::Launch;
use crate::mounts::{modes, mounts_of};
use crate::namespaces::shared_with_host;
use crate::output::Output;
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys::before::Before;
use crate::{pace, subject, sys};

/// What older filters and kernels lack, and a start does some other way.
const REPLACED: [(&str, libc::c_long); 7] = [
    ("clone3", libc::SYS_clone3),
    ("close_range", libc::SYS_close_range),
    ("execveat", libc::SYS_execveat),
    ("keyctl", libc::SYS_keyctl),
    ("memfd_create", libc::SYS_memfd_create),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("openat2", libc::SYS_openat2),
];

/// Refused, these leave nothing to say it with, or are told by what fails without them.
const NOT_NAMED: [&str; 9] =
    ["chdir", "getegid", "geteuid", "getpid", "mmap", "read", "recvmsg", "write", "writev"];

/// Who filters these runs no program: without execve there is no launcher, a close that does nothing
/// leaves the ends of pipes open by which the two sides know each other's end, and without the last
/// three nobody waits for anybody, or ends.
const NEVER_REFUSED: [&str; 5] = ["execve", "close", "exit_group", "wait4", "rt_sigtimedwait"];

fn refuse(calls: &[libc::c_long], errno: i32) -> Before {
    Before::Refuse(calls.iter().map(|&call| call as u32).collect(), errno)
}

/// The mode in which nothing but the refused call makes a difference: newuidmap is not executed by
/// whom a filter is laid on, and without mount_setattr there is no range.
fn plain_mode() -> &'static str {
    if sys::uid() == 0 { "identity" } else { "single" }
}

/// The system calls of a start, by name, with their numbers.
fn calls_of_a_start(rootfs: &Rootfs, mode: &str) -> BTreeMap<String, u32> {
    let trace = temporary_path("trace");
    let launch = Launch::on(rootfs).option("--userns").arg(mode).command(["/quit", "--version"]);
    let script = "exec strace -f -n -o \"$TRACE\" \"$@\"";
    launch.variable("TRACE", &trace).through_shell(script).run().code(0);
    let text = fs::read_to_string(&trace).unwrap();
    fs::remove_file(&trace).unwrap();
    // 1234 [  59] execve("/…
    let parse = |line: &str| {
        let (number, rest) = line.split_once('[')?.1.split_once(']')?;
        let name = rest.trim_start().split_once('(')?.0;
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_name.then_some((name.to_owned(), number.trim().parse().ok()?))
    };
    let mut calls = text.lines().filter_map(parse).collect::<BTreeMap<_, _>>();
    let is_whole = ["pivot_root", "chroot"].into_iter().any(|call| calls.contains_key(call));
    assert!(is_whole && calls.len() > 40, "a trace of what? {calls:?}");
    calls.retain(|name, _| !NOT_FAILED.contains(&&**name) && !NEVER_REFUSED.contains(&&**name));
    calls
}

fn is_named(output: &Output) -> bool {
    let complaints = output.complaints();
    output.status.code() == Some(125)
        && complaints.len() == 1
        && complaints[0].starts_with("launcher: cannot ")
        && complaints[0].contains("seccomp")
}

#[test]
fn every_call_that_is_refused_for_good_is_done_without_or_named() {
    require!(tracing);
    let rootfs = Rootfs::new();
    rootfs.add_program("quit", &subject::init());
    let modes = if sys::uid() == 0 { modes() } else { &["single"] };
    let mut wrong = Vec::new();
    // Another mode makes much the same calls.
    for mode in pace::in_turn(modes, 0) {
        for (name, number) in pace::sample(calls_of_a_start(&rootfs, mode)) {
            for errno in [libc::ENOSYS, libc::EPERM] {
                let launch = Launch::on(&rootfs).option("--userns").arg(*mode);
                let launch = launch.before(Before::Refuse(vec![number], errno));
                let output = launch.command(["/quit", "--version"]).run();
                let works = output.status.success() && output.complaints().is_empty();
                let is_replaced = REPLACED.iter().any(|(replaced, _)| *replaced == name);
                let is_right = works
                    || !is_replaced && is_named(&output)
                    || NOT_NAMED.contains(&&*name) && output.status.code() == Some(125);
                if !is_right && !needs_newer_kernel(&output) {
                    wrong.push(format!("{mode} {name} errno {errno}\n{output}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Only the errnos that say "no such call here" lead to an older way: what fails for another reason
/// is not made up for by something else.
#[test]
fn another_errno_leads_to_no_older_way() {
    let rootfs = Rootfs::new();
    let modes = if sys::uid() == 0 { modes() } else { &["single"] };
    for (turn, (name, call)) in REPLACED.into_iter().enumerate() {
        for mode in pace::in_turn(modes, turn) {
            for (errno, shown) in [(libc::EIO, ": EIO ("), (libc::ENOMEM, ": ENOMEM (")] {
                let launch = Launch::on(&rootfs).option("--userns").arg(*mode);
                let output = launch.before(refuse(&[call], errno)).probe("exit 0").run();
                let output = output.fails_with(125, shown);
                assert_eq!(output.stdout, "", "{mode} {name}\n{output}");
            }
        }
    }
}

/// An ordinary user's own time namespace by clone(2).
fn needs_newer_kernel(output: &Output) -> bool {
    output.stderr.ends_with("Linux 6.2; --share time leaves it out\n") && is_named(output)
}

/// What can only be a mount if it is the host's own.
const NODES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"];

/// All that can be told from inside about how well a container is shut.
fn portrait(launch: &dyn Fn() -> Launch) -> String {
    let mut mounts = mounts_of(launch());
    // Device nodes are of /dev, or mounts of their own, by what the kernel lets root do; what they are
    // is listed below.
    for [point, flags, _, _] in mounts.iter().filter(|[point, ..]| NODES.contains(&&**point)) {
        assert!(flags.starts_with("ro,nosuid,") && flags.contains("noexec"), "{point}: {flags}");
    }
    mounts.retain(|[point, _, _, root]| !point.starts_with("/dev/") || root == "/");
    // In which order they are made is not seen from inside; what lies over what is, and stays.
    mounts.sort_by(|one, other| one[0].cmp(&other[0]));
    for [point, flags, kind, root] in &mut mounts {
        if point == "/dev" {
            *flags = flags.replace("nodev,", "");
        } else if root.ends_with("/null") {
            flags.clear();
            kind.clear();
        }
    }
    let mut facts = format!("{mounts:?}\nshared {:?}\n", shared_with_host(launch()));
    for words in [
        "status CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs SigIgn SigBlk",
        "show /proc/self/uid_map",
        "list /dev",
        "try open /proc/1/exe",
        "try umount /",
        "processes",
        "umask",
    ] {
        facts += &launch().probe(words).run().ok().stdout;
    }
    let open = launch().probe("fds").run().ok();
    let numbers = open.lines().iter().map(|line| line.split(' ').next()).collect::<Vec<_>>();
    facts + &format!("{numbers:?}")
}

#[test]
fn containers_without_the_newer_calls_are_as_well_shut() {
    let rootfs = Rootfs::new();
    let plain = || Launch::on(&rootfs).option("--userns").arg(plain_mode());
    let is_old = needs_newer_kernel(
        &plain().before(refuse(&[libc::SYS_clone3], libc::ENOSYS)).probe("exit 0").run(),
    );
    if is_old {
        println!("this kernel makes no time namespace for a user without clone3");
    }
    let plain = || if is_old { plain().option("--share=time") } else { plain() };
    let expected = portrait(&plain);
    let all = REPLACED.map(|(_, call)| call);
    let each = REPLACED.iter().map(|(_, call)| std::slice::from_ref(call));
    for calls in pace::sample([&all[..]].into_iter().chain(each)) {
        for errno in [libc::ENOSYS, libc::EPERM] {
            let found = portrait(&|| plain().before(refuse(calls, errno)));
            assert_eq!(found, expected, "{calls:?} errno {errno}");
        }
    }
}

#[test]
fn no_mount_is_shared_with_the_host_without_mount_setattr() {
    for_root!();
    let launch = Launch::new().before(Before::ShareMounts);
    let launch = launch.before(refuse(&[libc::SYS_mount_setattr], libc::ENOSYS));
    let output = launch.probe("show /proc/self/mountinfo").run().ok();
    assert!(!output.stdout.contains("shared:") && !output.stdout.contains("master:"), "{output}");
}

/// The host's trees, and a program of the plan: by path then, or not at all.
#[test]
fn what_is_shared_or_executed_needs_no_mount_setattr() {
    let launch = || {
        let launch = Launch::new().option("--userns").arg(plain_mode());
        launch.before(refuse(&[libc::SYS_mount_setattr], libc::ENOSYS))
    };
    let output = launch().option("--share=net").probe("show /proc/self/mountinfo").run().ok();
    let fields = |line| str::split(line, ' ').skip(4).take(2).collect::<Vec<_>>();
    let mounts = output.lines().into_iter().map(fields).collect::<Vec<_>>();
    let sys = mounts.iter().filter(|mount| mount[0] == "/sys" || mount[0].starts_with("/sys/"));
    let is_safe = |mount: &Vec<&str>| mount[1].starts_with("ro,nosuid,nodev,noexec");
    let flags = sys.map(is_safe).collect::<Vec<_>>();
    // Flags are put on by paths: with a mount that this user cannot reach (tracefs below debugfs) there is
    // none of it.
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut hosts = table.lines().filter_map(|line| line.split(' ').nth(4));
    let is_closed = hosts.any(|path| {
        let is_refused = |error: std::io::Error| error.raw_os_error() == Some(libc::EACCES);
        path.starts_with("/sys/") && std::fs::metadata(path).is_err_and(is_refused)
    });
    assert!(flags.is_empty() == is_closed && flags.iter().all(|is| *is), "{output}");
    let sys = [("net", "/sys/class/net")].into_iter().filter(|_| !is_closed);
    for (share, place) in sys.chain([("ipc", "/dev/shm")]) {
        let launch = launch().option("--share").arg(share).probe(&format!("try list {place}"));
        launch.run().ok().prints(&["ok"]);
    }
    let file = format!("--file={}:/run/tool:755", subject::probe().display());
    launch().option(file).command(["/run/tool"]).run().ok().prints(&["probe"]);
}

#[test]
fn init_runs_where_no_memfd_may_be_executed() {
    let refused = |call, errno| {
        Launch::new().option("--userns").arg(plain_mode()).before(refuse(&[call], errno))
    };
    for launch in [
        // vm.memfd_noexec=2.
        refused(libc::SYS_memfd_create, libc::EACCES),
        // TOMOYO.
        refused(libc::SYS_execveat, libc::ENOENT),
    ] {
        launch.probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
    }
    let launch = refused(libc::SYS_memfd_create, libc::EACCES).before(Before::Umask(0o777));
    let init = launch.option("--init").arg(subject::init()).probe("try open /proc/1/exe").run();
    init.ok().prints_one_of(&["EACCES", "EPERM", "EROFS", "ETXTBSY"]);
}

#[test]
fn init_runs_where_the_sysctl_forbids_memfds() {
    for_root!();
    const SETTING: &str = "/proc/sys/vm/memfd_noexec";
    if !fs::exists(SETTING).unwrap() {
        println!("N/A: no {SETTING} before Linux 6.3");
        return;
    }
    // The setting is the pid namespace's, and only grows.
    let script = "exec unshare -pfm --mount-proc sh -c \
                  'echo 2 > /proc/sys/vm/memfd_noexec && exec \"$@\"' sh \"$@\"";
    let output = Launch::new().probe("processes").through_shell(script).run();
    output.ok().prints(&["1 0 init", "2 1 probe"]);
}

#[test]
fn nobody_gets_out_where_openat2_is_refused() {
    let outside = temporary_path("outside");
    fs::create_dir(&outside).unwrap();
    let rootfs = Rootfs::bare();
    fs::create_dir(rootfs.inside("real")).unwrap();
    symlink("/real", rootfs.inside("dev")).unwrap();
    let launch = || {
        let launch = Launch::on(&rootfs).option("--userns").arg(plain_mode());
        launch.before(refuse(&[libc::SYS_openat2], libc::ENOSYS))
    };
    launch().probe("try write /dev/null").run().ok().prints(&["ok"]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (link, other) = (rootfs.inside("dev"), rootfs.inside("other"));
            for target in
                [outside.as_path(), "../../../../../../..".as_ref(), "real".as_ref()].iter().cycle()
            {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                symlink(target, &other).unwrap();
                fs::rename(&other, &link).unwrap();
            }
        });
        let ends =
            (0..pace::rounds(50, 50)).map(|_| launch().probe("exit 0").run()).collect::<Vec<_>>();
        stop.store(true, Ordering::Relaxed);
        for output in ends {
            assert!(matches!(output.status.code(), Some(0 | 125)), "{output}");
        }
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    fs::remove_dir(outside).unwrap();
}

#[test]
fn kernel_without_namespaces_is_told_by_its_options() {
    let launch = |calls: &[_]| {
        calls
            .iter()
            .fold(Launch::new(), |launch, &(call, errno)| launch.before(refuse(&[call], errno)))
    };
    let output = launch(&[(libc::SYS_clone3, libc::EINVAL)]).probe("exit 0").run();
    output.fails_with(
        125,
        "EINVAL (Invalid argument); this kernel has no user namespace (CONFIG_USER_NS)",
    );
    if sys::uid() == 0 && ability::pivot_root().is_err() {
        println!("N/A: root leaves the mount namespace of an initial ramfs by unshare, too");
        return;
    }
    let without_time = [(libc::SYS_clone3, libc::ENOSYS), (libc::SYS_unshare, libc::EINVAL)];
    let plain = |launch: Launch| launch.option("--userns").arg(plain_mode()).probe("exit 0").run();
    plain(launch(&without_time)).fails_with(
        125,
        "EINVAL (Invalid argument); this kernel has no time namespace (CONFIG_TIME_NS); --share time \
         leaves it out",
    );
    plain(launch(&without_time).option("--share=time")).ok();
}

#[test]
fn limit_on_namespaces_is_told_by_its_sysctl() {
    for name in ["net", "uts", "ipc", "cgroup", "time"] {
        let launch = Launch::new().probe("exit 0").variable("NAME", name).through_shell(
            "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_${NAME}_namespaces; exec \"$@\"' sh \"$@\"",
        );
        let line = format!(
            "launcher: cannot create the container's namespaces: ENOSPC (No space left on device); \
             the sysctl user.max_{name}_namespaces is reached; --share {name} leaves it out"
        );
        launch.run().fails(125, &line);
    }
}
