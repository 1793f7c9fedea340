//! The moments of a start in which something could be lost, each held open by strace: it has a process
//! stop in its first call of a kind, and the test does what must not come then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use crate::ability;
use crate::ability::{for_user, require};
use crate::launch::Launch;
use crate::lifecycle::{expect_gone, mark};
use crate::pace::rounds;
use crate::rootfs::Rootfs;
use crate::running::Running;
use crate::subject;
use crate::sys;
use crate::sys::before::Before;

/// strace stands beside the launcher, which is the test's own child.
fn stop_in(launch: Launch, call: &str) -> Running {
    const SCRIPT: &str = "exec strace -D -f -qq -o /proc/self/fd/1 -e trace=\"$CALL\" \
                          -e inject=\"$CALL:signal=SIGSTOP:when=1\" \"$@\"";
    launch.variable("CALL", call).through_shell(SCRIPT).start()
}

/// The process that has stopped: `1234 --- stopped by SIGSTOP ---`.
fn stopped(running: &Running) -> i32 {
    let text = running.wait_for("--- stopped by SIGSTOP ---");
    let line = text.lines().find(|line| line.contains("stopped by")).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn signal_that_comes_at_a_step_of_the_start_reaches_the_command() {
    require!(tracing);
    if sys::uid() != 0 && ability::pivot_root().is_err() {
        println!("N/A: a process between makes the same calls, and would be stopped as well");
        return;
    }
    let rootfs = Rootfs::new();
    // Before there is a child; before it may go on; in the child, at its end.
    for call in ["socketpair", "memfd_create", "sethostname"] {
        let running = stop_in(Launch::on(&rootfs).probe("trap 15"), call);
        let stopped = stopped(&running);
        running.signal(libc::SIGTERM);
        sys::kill(stopped, libc::SIGCONT).unwrap();
        let output = running.finish();
        // The command has it, maybe before it was ready to catch it; the launcher never ends by it.
        let caught = output.status.code() == Some(0) && output.stdout.contains("signal 15 ");
        assert!(caught || output.status.code() == Some(143), "{call}\n{output}");
    }
}

/// What is sent to the launcher's process group, as by a terminal, comes to a child as well that has not
/// left it yet.
#[test]
fn signal_for_the_group_reaches_the_command_once() {
    const SCRIPT: &str = "exec setsid strace -DD -f -qq -o /dev/null -e trace=setsid \
                          -e inject=setsid:delay_enter=300000 \"$@\"";
    require!(tracing);
    let rootfs = Rootfs::new();
    // A traced newuidmap gives no ids, and a second child would have them.
    let one_id = if sys::uid() == 0 { "--verbose" } else { "--userns=single" };
    let launch = Launch::on(&rootfs).before(Before::Block(1 << (40 - 1) | 1 << (41 - 1)));
    let mut running = launch.option(one_id).probe("trap 41").through_shell(SCRIPT).start();
    let children = format!("/proc/{0}/task/{0}/children", running.pid());
    let is_launcher = |pid: &str| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == subject::launcher())
    };
    while !fs::read_to_string(&children).unwrap().split_whitespace().any(is_launcher) {
        assert_eq!(running.try_wait(), None, "nothing was started");
    }
    sys::kill(-running.pid(), 40).unwrap();
    running.wait_for("ready");
    running.signal(41);
    let output = running.finish();
    assert_eq!(output.stdout.matches("signal 40 ").count(), 1, "{output}");
}

/// By the kernel for want of memory, say. While it ends an ordinary user cannot write its ids.
#[test]
fn child_that_is_killed_at_once_is_said_to_be() {
    if ability::pivot_root().is_err() {
        println!("N/A: it is a process between that is killed");
        return;
    }
    let rootfs = Rootfs::new();
    for _ in 0..rounds(40, 400) {
        let launch = Launch::on(&rootfs).option("--userns=single").probe("sleep 1000");
        let mut running = launch.start();
        let children = format!("/proc/{0}/task/{0}/children", running.pid());
        let child = loop {
            let listed = fs::read_to_string(&children).unwrap();
            if let Some(child) = listed.split_whitespace().next() {
                break child.parse().unwrap();
            }
            assert_eq!(running.try_wait(), None, "nothing was started");
        };
        sys::kill(child, libc::SIGKILL).unwrap();
        let output = running.finish();
        // Or the kill was late, and the command ran.
        let is_said = output.status.code() == Some(125)
            && output.stderr.contains("was ended by signal 9 before the command started");
        assert!(is_said || output.status.code() == Some(137), "{output}");
    }
}

/// The kernel makes one network after the other (net/core/net_namespace.c), so that can take long.
#[test]
fn child_that_makes_its_network_ends_with_the_launcher() {
    require!(tracing);
    if ability::kernel_is_before(6, 3) || ability::pivot_root().is_err() {
        println!("N/A: here the child is born into it");
        return;
    }
    let (rootfs, mark) = (Rootfs::new(), mark());
    let launch = Launch::on(&rootfs).option("--userns=single");
    let running = stop_in(launch.probe(&format!("sleep 1000 {mark}")), "unshare");
    stopped(&running);
    running.signal(libc::SIGKILL);
    // Nobody continues it.
    expect_gone(&mark);
}

/// The change takes PR_SET_PDEATHSIG away, until the child asks for it again.
#[test]
fn child_whose_launcher_dies_while_it_changes_its_ids_goes_no_further() {
    require!(tracing);
    let (rootfs, mark) = (Rootfs::new(), mark());
    let launch = Launch::on(&rootfs).probe(&format!("sleep 1000 {mark}"));
    let mut running = stop_in(launch.option("--userns=auto"), "setresuid");
    let child = stopped(&running);
    running.signal(libc::SIGKILL);
    // Not before the kernel has sent what PR_SET_PDEATHSIG asks for.
    while running.try_wait().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    // Who has kept its ids has kept it, and is gone.
    sys::kill(child, libc::SIGCONT).ok();
    expect_gone(&mark);
}

/// While the host's descriptors are open. Of what is not dumpable the files in /proc are root's (proc(5)).
#[test]
fn nobody_looks_into_a_child_that_assembles_its_root() {
    for_user!();
    require!(tracing);
    if ability::pivot_root().is_err() {
        println!("N/A: a process between makes the same calls, and would be stopped as well");
        return;
    }
    let rootfs = Rootfs::new();
    // No change of ids makes it so: it is the same user's inside.
    let launch = Launch::on(&rootfs).option("--userns=single").probe("exit 3");
    let running = stop_in(launch, "sethostname");
    let child = stopped(&running);
    let owner = fs::metadata(format!("/proc/{child}/stat")).unwrap().uid();
    sys::kill(child, libc::SIGCONT).unwrap();
    running.finish().code(3);
    assert_eq!(owner, 0);
}
