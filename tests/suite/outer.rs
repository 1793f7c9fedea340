//! The launcher in surroundings that are not the host's own: another pid namespace, user
//! namespace, chroot or container. Containers of ours within ours: `nesting.rs`.

use crate::ability;
use crate::ability::{for_root, for_user, require};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::subject;
use crate::sys::before::Before;
use crate::sys::{self, uid};

const PROCESSES: [&str; 2] = ["1 0 init", "2 1 probe"];

/// As PID 1 of a new pid namespace; /proc is still that of the one outside.
fn pid_one(launch: Launch) -> Launch {
    launch.before(Before::PidOne)
}

#[test]
fn under_the_proc_of_another_pid_namespace() {
    let rootfs = Rootfs::new();
    pid_one(Launch::on(&rootfs)).probe("processes").run().ok().prints(&PROCESSES);
    pid_one(Launch::on(&rootfs)).probe("die 15").run().code(143);
}

#[test]
fn as_pid_1() {
    let rootfs = Rootfs::new();
    let launch = || {
        let proc = Before::mount("proc".as_ref(), "/proc".as_ref()).unwrap();
        pid_one(Launch::on(&rootfs)).before(proc)
    };
    launch().probe("processes").run().ok().prints(&PROCESSES);
    launch().probe("exit 7").run().code(7);
    launch().option("--die-by-signal").probe("die 15").run().code(143);
    let running = launch().probe("trap 15").start();
    running.wait_for("ready");
    let path = format!("/proc/{0}/task/{0}/children", running.pid());
    let pid = std::fs::read_to_string(path).unwrap().trim().parse().unwrap();
    sys::queue(pid, 40, 7).unwrap();
    running.wait_for("signal 40 code -1 value 0x7");
    sys::kill(pid, libc::SIGTERM).unwrap();
    running.finish().ok();
}

/// As root of a user namespace, with other namespaces that are of that one, or from before it.
#[test]
fn in_a_user_namespace() {
    require!(unshare);
    require!(busybox);
    let rootfs = Rootfs::new();
    let scripts: [&'static str; 4] = [
        "exec unshare -Ur \"$@\"",
        "exec unshare -Urm \"$@\"",
        "exec unshare -Urpf \"$@\"",
        "exec unshare -Urmnipf \"$@\"",
    ];
    for script in scripts {
        for option in ["--userns=auto", "--userns=single", "--share=net"] {
            let launch = Launch::on(&rootfs).option(option).probe("processes");
            launch.through_shell(script).run().ok().prints(&PROCESSES);
        }
    }
}

#[test]
fn in_a_pid_namespace_of_roots() {
    for_root!();
    require!(unshare);
    require!(busybox);
    let rootfs = Rootfs::new();
    for option in ["--userns=auto", "--userns=single", "--userns=identity"] {
        let launch = Launch::on(&rootfs).option(option).probe("processes");
        launch.through_shell("exec unshare -pf \"$@\"").run().ok().prints(&PROCESSES);
    }
}

/// The kernel makes no user namespace for who has no id, or stands in a chroot.
#[test]
fn where_the_kernel_makes_no_user_namespace() {
    require!(unshare);
    require!(busybox);
    let rootfs = Rootfs::new();
    let run = |script| Launch::on(&rootfs).probe("exit 0").through_shell(script).run();
    run("exec unshare -U \"$@\"").fails_with(125, "this user has no id in its user namespace");
    run(
        "exec unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"' sh \"$@\"",
    )
    .fails_with(125, "ENOSPC (No space left on device); the sysctl user.max_user_namespaces is reached");

    let advice = match uid() {
        0 => "root can do without one: --userns none",
        _ => "by a chroot",
    };
    in_chroot(&["--userns=single"], "").fails_with(125, advice);
}

/// A start in a chroot(2), whose directory is a mount point after this preparation.
fn in_chroot(options: &[&str], prepare: &str) -> Output {
    let outer = Rootfs::new();
    outer.add_program("launcher", &subject::launcher());
    let launch = options.iter().fold(Launch::on_path("/"), |launch, option| launch.option(option));
    let launch = launch.probe("exit 0").variable("R", outer.path());
    let unshare = if uid() == 0 { "unshare -m" } else { "unshare -Urm" };
    let launch = launch.variable("UNSHARE", unshare).variable("PREPARE", prepare);
    const SCRIPT: &str = "shift; exec $UNSHARE sh -c '
        eval \"$PREPARE\" && mount --rbind /dev $R/dev && mount --rbind /proc $R/proc &&
        exec chroot $R /launcher \"$@\"' sh \"$@\"";
    launch.through_shell(SCRIPT).run()
}

/// Without a user namespace; and with a capability that leaves a chroot, not at all.
#[test]
fn root_can_start_in_a_chroot() {
    for_root!();
    require!(unshare);
    require!(busybox);
    const MOUNT_POINT: &str = "mount --bind $R $R";
    in_chroot(&["--userns=none"], MOUNT_POINT).code(0);
    in_chroot(&["--userns=none"], "").fails_with(125, "/ is no mount point, as in a chroot(2)");
    in_chroot(&["--userns=none", "--cap-add=sys_admin"], MOUNT_POINT)
        .fails_with(125, "does not hold in a chroot, which setns(2) leaves");
}

#[test]
fn in_a_container_of_bwraps() {
    for_user!();
    require!(bwrap);
    require!(busybox);
    if ability::pivot_root().is_err() {
        println!("N/A: bwrap does not start on an initial ramfs");
        return;
    }
    let rootfs = Rootfs::new();
    let launch = || Launch::on(&rootfs).option("--userns=single").probe("processes");
    let run = |script| launch().through_shell(script).run();
    run("exec bwrap --unshare-all --bind / / --dev-bind /dev /dev --proc /proc \"$@\"")
        .ok()
        .prints(&PROCESSES);
    // A container that hides its /proc cannot have another in it.
    run("exec bwrap --unshare-all --bind / / --dev-bind /dev /dev --proc /proc \
         --tmpfs /proc/fs \"$@\"")
    .fails_with(125, "has masks over it");
}
