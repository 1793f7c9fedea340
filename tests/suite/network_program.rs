//! `--net pasta`: what is done about a program that is missing, never ready, useless, or dead, and that
//! it never outlives the launcher.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{limits, not_on_initial_ramfs, require};
use crate::cgroups::cgroups_of;
use crate::launch::Launch;
use crate::lifecycle::{expect_gone, mark, marked};
use crate::pace::patience;
use crate::rootfs::Rootfs;
use crate::sys;
use crate::sys::before::Before;

/// A folder for PATH, with a script in the place of a program that carries a network. In it `$IP` is
/// `ip` in the container's network, `$STAY` goes on for long, under the mark.
struct Stand {
    tools: Rootfs,
    mark: String,
}

impl Stand {
    fn new(name: &str, script: &str) -> Stand {
        let (tools, mark) = (Rootfs::new().with_shell(), mark());
        let busybox = tools.inside("bin/busybox");
        // Of pasta the last word is the number of the process; slirp4netns is told eth0 behind it.
        let enter = if sys::uid() == 0 { "-n" } else { "--preserve-credentials -U -n" };
        let head = format!(
            "#!{0} sh\nWORDS=\"$*\"\nNUMBER=\"${{WORDS% eth0}}\"\nNUMBER=\"${{NUMBER##* }}\"\n\
             IP=\"{0} nsenter {enter} -t $NUMBER {0} ip\"\nSTAY=\"{1} sleep 1000 {mark}\"\n",
            busybox.display(),
            tools.inside("probe").display(),
        );
        tools.add_script(name, head + script);
        Stand { tools, mark }
    }

    fn launch(&self) -> Launch {
        Launch::new().option("--net=pasta").variable("PATH", self.tools.path())
    }

    /// Until it runs.
    fn wait(&self) {
        let deadline = Instant::now() + patience(Duration::from_secs(20));
        while marked(&self.mark).is_empty() {
            assert!(Instant::now() < deadline, "it has not been started");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Says nothing.
const SILENT: &str = "exec 3>&1 $STAY > /dev/null\n";

#[test]
fn where_pasta_is_missing_the_error_names_the_package() {
    not_on_initial_ramfs!();
    let launch = Launch::new().option("--net=pasta").variable("PATH", "/nowhere");
    launch.probe("exit 0").run().fails_with(125, "Debian: apt-get install passt");
}

#[test]
fn slirp4netns_takes_its_place() {
    require!(busybox);
    not_on_initial_ramfs!();
    let script = "$IP link add eth0 type veth || exit\necho \"$WORDS\" > \"${0%/*}/words\"\n\
                  echo 1\nexec $STAY > /dev/null\n";
    let stand = Stand::new("slirp4netns", script);
    stand.launch().probe("exit 0").run().ok();
    expect_gone(&stand.mark);
    let words = fs::read_to_string(stand.tools.inside("words")).unwrap();
    assert!(words.contains("--configure") && words.trim_end().ends_with(" eth0"), "{words}");
    let output = stand.launch().option("--publish=1:2").probe("exit 0").run();
    output.fails_with(125, "--publish and options need pasta");
}

#[test]
fn signal_ends_the_wait_for_pasta() {
    require!(busybox);
    not_on_initial_ramfs!();
    let stand = Stand::new("pasta", SILENT);
    let pids: &[&str] = if limits().is_ok() { &["--pids=100"] } else { &[] };
    let launch = pids.iter().fold(stand.launch(), |launch, option| launch.option(*option));
    let running = launch.probe("exit 0").start();
    let launcher = running.pid();
    stand.wait();
    running.signal(libc::SIGTERM);
    running.finish().fails_with(143, "signal 15 came before pasta was ready");
    expect_gone(&stand.mark);
    assert!(cgroups_of(launcher).is_empty());
}

#[test]
fn timeout_counts_while_pasta_is_waited_for() {
    require!(busybox);
    not_on_initial_ramfs!();
    let stand = Stand::new("pasta", SILENT);
    let late = "the time of --timeout was over before pasta was ready";
    let launch = || stand.launch().option("--timeout=0.5").probe("exit 0");
    launch().run().fails_with(124, late);
    expect_gone(&stand.mark);
    // What the caller ignores is ignored.
    let running = launch().before(Before::Ignore(libc::SIGTERM)).start();
    running.signal(libc::SIGTERM);
    running.finish().fails_with(124, late);
}

/// It takes 30 s.
#[test]
fn pasta_is_not_waited_for_without_a_limit() {
    require!(busybox);
    not_on_initial_ramfs!();
    if std::env::var_os("SUITE_LONG").is_none() {
        println!("N/A without SUITE_LONG: the limit is 30 s, a unit test has a shorter one");
        return;
    }
    let stand = Stand::new("pasta", SILENT);
    let mut running = stand.launch().probe("exit 0").start();
    let deadline = Instant::now() + Duration::from_secs(30) + patience(Duration::from_secs(30));
    while running.try_wait().is_none() {
        assert!(Instant::now() < deadline, "it waits still");
        thread::sleep(Duration::from_millis(100));
    }
    let output = running.finish();
    assert!(output.took >= Duration::from_secs(30), "{output}");
    output.fails_with(125, "pasta was not ready after 30 s");
    expect_gone(&stand.mark);
}

#[test]
fn launcher_that_is_killed_while_it_waits_takes_pasta_along() {
    require!(busybox);
    not_on_initial_ramfs!();
    let stand = Stand::new("pasta", SILENT);
    let running = stand.launch().probe("exit 0").start();
    stand.wait();
    running.signal(libc::SIGKILL);
    running.finish();
    expect_gone(&stand.mark);
}

/// The command does not run without the network that was asked for.
#[test]
fn pasta_that_is_of_no_use_ends_the_start() {
    require!(busybox);
    not_on_initial_ramfs!();
    let nothing = "it carries nothing to eth0 inside";
    for (script, text) in [
        ("echo 1\nexec $STAY > /dev/null\n", nothing),
        ("echo 1\n", nothing),
        ("exit 3\n", "it has ended without a word"),
        ("echo 'Failed to send 9 bytes to syslog\npasta: bad\nUsage: pasta' >&2\nexit 1\n", "bad"),
        (
            "echo No external routable interface for IPv4 >&2\nexit 1\n",
            "No external routable interface for IPv4; it needs a default route on the host, or -i \
             and an interface",
        ),
        (
            "echo Failed to open tun socket in namespace >&2\nexit 1\n",
            "Failed to open tun socket in namespace; /dev/net/tun has to be there and open to this \
             user (CONFIG_TUN; modprobe tun)",
        ),
    ] {
        let stand = Stand::new("pasta", script);
        let output = stand.launch().probe("exit 0").run();
        output.fails(125, &format!("launcher: pasta failed: {text}"));
        expect_gone(&stand.mark);
    }
}

/// `killall -9 launcher`: the process between launcher and pasta is not called that.
#[test]
fn all_launchers_may_be_killed_by_their_name() {
    require!(busybox);
    not_on_initial_ramfs!();
    let script = "$IP link add eth0 type veth || exit\necho 1\nexec $STAY > /dev/null\n";
    let stand = Stand::new("pasta", script);
    let running = stand.launch().probe("trap 15").start();
    running.wait_for("ready");
    let launcher = running.pid();
    let list = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).unwrap();
    let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let names = list.split_whitespace().map(name).collect::<BTreeSet<_>>();
    assert_eq!(names, ["init\n", "pasta-keeper\n"].map(String::from).into());
    running.signal(libc::SIGKILL);
    running.finish();
    expect_gone(&stand.mark);
}
