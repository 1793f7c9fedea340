//! Hosts whose /proc is missing, or shows the processes of another pid namespace.

use crate::ability::{for_root, for_user};
use crate::launch::Launch;
use crate::mounts::{modes, mounts_of};
use crate::namespaces::shared_with_host;
use crate::rootfs::Rootfs;
use crate::sys::before::Before;

/// In a new pid namespace, with the /proc of the one before.
const STALE: &str = "exec unshare -pf \"$@\"";
/// The same for a user, who needs a user and a mount namespace for it.
const USERS_STALE: &str = "exec unshare -Urpfm \"$@\"";

const ADVICE: &str = "mount -t proc proc /proc, in this pid namespace; only root of the machine \
                      can do without";

fn expect_whole(launch: &dyn Fn() -> Launch) {
    launch().probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
    let points = mounts_of(launch()).into_iter().map(|[point, ..]| point).collect::<Vec<_>>();
    for needed in ["/", "/dev", "/dev/pts", "/proc"] {
        assert_eq!(points.iter().filter(|point| *point == needed).count(), 1, "{points:?}");
    }
    for attempt in ["umount /", "umount /proc", "setns /proc/1/ns/mnt"] {
        launch().probe(&format!("try {attempt}")).run().ok().prints_one_of(&["EPERM", "EACCES"]);
    }
    launch()
        .probe("try open /proc/sys/kernel/core_pattern")
        .run()
        .ok()
        .prints_one_of(&["EACCES", "EROFS"]);
}

#[test]
fn root_needs_no_proc_on_the_host() {
    for_root!();
    let rootfs = Rootfs::new();
    for mode in modes() {
        let launch = || Launch::on(&rootfs).option("--userns").arg(*mode).before(Before::NoProc);
        expect_whole(&launch);
        assert_eq!(shared_with_host(launch()), [""; 0]);
        launch().probe("try list /sys/class/net").run().ok().prints(&["ok"]);
    }
    // Before Linux 5.11 open descriptors are found in a proc.
    let old = Before::Refuse(vec![libc::SYS_close_range as u32], libc::EINVAL);
    let launch = Launch::on(&rootfs).before(Before::NoProc).before(old);
    let stray = std::fs::File::open("/").unwrap();
    let fds = launch.descriptor(stray, 77).probe("fds").run().ok();
    assert_eq!(fds.lines().len(), 3, "{fds}");

    let launch = || Launch::on(&rootfs).before(Before::NoProc);
    launch().command(["/none"]).run().code(127);
    let check = launch().option("--check").run().ok();
    assert!(check.stdout.contains("yes  proc\n"), "{check}");
}

#[test]
fn without_proc_ids_and_namespaces_are_those_of_any_start() {
    for_root!();
    let rootfs = Rootfs::new();
    let map = |launch: Launch| launch.probe("show /proc/self/uid_map").run().ok().stdout;
    let launch = || Launch::on(&rootfs);
    assert_eq!(map(launch().before(Before::NoProc)), map(launch()));
    let (reader, writer) = std::io::pipe().unwrap();
    let launch = launch().option("--status-fd=7").descriptor(writer, 7).before(Before::NoProc);
    launch.probe("exit 0").run().ok();
    let status = std::io::read_to_string(reader).unwrap();
    assert!(status.contains("\"namespaces\":{\"user\":"), "{status}");
}

#[test]
fn containers_nest_on_a_host_without_proc() {
    for_root!();
    let rootfs = Rootfs::new();
    rootfs.add_program("launcher", &crate::subject::launcher());
    std::fs::create_dir(rootfs.inside("next")).unwrap();
    rootfs.add_program("next/probe", &crate::subject::probe());
    if crate::ability::idmapped_mounts().is_err() {
        println!("N/A: container root is the host's, and user namespaces are forbidden");
        return;
    }
    let launch = Launch::on(&rootfs).before(Before::NoProc);
    let output = launch.command(["/launcher", "/next", "/probe", "processes"]).run();
    output.ok().prints(&["1 0 init", "2 1 probe"]);
}

#[test]
fn user_needs_one_and_is_told_so() {
    for_user!();
    let output = Launch::new().before(Before::NoProc).probe("exit 0").run();
    output.fails_with(125, ADVICE);
}

#[test]
fn stale_proc_is_not_believed() {
    for_root!();
    let rootfs = Rootfs::new();
    for mode in modes() {
        expect_whole(&|| Launch::on(&rootfs).option("--userns").arg(*mode).through_shell(STALE));
    }
}

#[test]
fn stale_proc_does_for_a_user() {
    Launch::new().before(Before::PidOne).probe("exit 0").run().ok();
    let rootfs = Rootfs::new();
    expect_whole(&|| Launch::on(&rootfs).through_shell(USERS_STALE));
}
