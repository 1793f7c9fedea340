//! Where a container's cgroup is made, and that it is gone afterwards, however the launcher ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::ability::{self, for_root, for_user, is_on_cgroup_v1, own_name, require};
use crate::faults::fail_every_call_once;
use crate::launch::Launch;
use crate::pace::{self, patience, rounds};
use crate::rootfs::{Rootfs, temporary_path};
use crate::status::{number, status_of};
use crate::sys::before::Before;
use crate::{subject, sys};

/// A process in one cgroup of its own, and nothing beside.
const SOME: &str = "--pids=100";

/// The directory of the cgroup that a process is in, as a controller counts.
#[track_caller]
pub fn cgroup_of(pid: i32, controller: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let lines = text.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>());
    let find = |wanted: &dyn Fn(&str) -> bool| {
        let line = lines.clone().find(|fields| wanted(fields[1]))?;
        Some((line[1].to_owned(), line[2].trim_start_matches('/').to_owned()))
    };
    let of_v1 = find(&|names| names.split(',').any(|name| name == controller));
    let (names, path) = of_v1.or_else(|| find(&str::is_empty)).unwrap();
    let tree = if names.is_empty() { "" } else { controller };
    Path::new("/sys/fs/cgroup").join(tree).join(path)
}

/// The first process of a launcher's container. A process that stood between may not be gone yet.
#[track_caller]
pub fn init_of(pid: i32) -> i32 {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let last = list.split_whitespace().next_back().and_then(|pid| pid.parse().ok());
    last.unwrap_or_else(|| panic!("no child: {list:?}"))
}

/// Every cgroup that a launcher with this pid has made.
pub fn cgroups_of(launcher: i32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        // Another test's may end meanwhile.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let rest = name.strip_prefix(&format!("launcher-{launcher}"));
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                found.push(entry.path());
            } else {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// A cgroup of the test's own, beside that of the test, in each tree with the controller pids.
pub struct Own(pub PathBuf);

impl Own {
    pub fn new() -> Own {
        let own = cgroup_of(std::process::id() as i32, "pids");
        // Where it may be divided: above that one of v2, which has processes.
        let above = if is_on_cgroup_v1() { own.as_path() } else { own.parent().unwrap() };
        let name = temporary_path("test").file_name().unwrap().to_owned();
        let path = above.join(name);
        fs::create_dir(&path).unwrap();
        Own(path)
    }

    /// As /proc/self/cgroup has it.
    pub fn name(&self) -> String {
        let tree = if is_on_cgroup_v1() { "/sys/fs/cgroup/pids" } else { "/sys/fs/cgroup" };
        format!("/{}", self.0.strip_prefix(tree).unwrap().display())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).unwrap_or_else(|error| {
            let left = fs::read_dir(&self.0).into_iter().flatten().flatten();
            let left = left.filter(|entry| entry.path().is_dir()).map(|entry| entry.path());
            eprintln!("{}: {error}, with {:?}", self.0.display(), left.collect::<Vec<_>>());
        });
    }
}

#[test]
fn cgroup_is_there_while_the_container_runs_and_gone_afterwards() {
    require!(limits);
    let running = Launch::new().option(SOME).probe("sleep 1000").start();
    running.wait_for("ready");
    let launcher = running.pid();
    let inner = cgroup_of(init_of(running.pid()), "pids");
    assert!(inner.ends_with("container"), "{}", inner.display());
    assert_eq!(cgroups_of(launcher), [inner.parent().unwrap()]);
    running.signal(libc::SIGTERM);
    running.finish().code(143);
    assert_eq!(cgroups_of(launcher), Vec::<PathBuf>::new());
}

#[test]
fn cgroup_is_the_root_of_the_containers_namespace() {
    require!(limits);
    let paths = |launch: Launch| {
        let output = launch.option(SOME).probe("show /proc/self/cgroup").run().ok();
        let has = |fields: &&Vec<String>| fields[1] == "pids" || fields[1].is_empty();
        let lines = output
            .lines()
            .into_iter()
            .map(|line| line.splitn(3, ':').map(String::from).collect::<Vec<_>>());
        lines.filter(|fields| has(&fields)).map(|fields| fields[2].clone()).next().unwrap()
    };
    assert_eq!(paths(Launch::new()), "/");
    // Without CLONE_INTO_CGROUP it is moved, and the namespace made after that.
    let refused = Before::Refuse(vec![libc::SYS_clone3 as u32], libc::ENOSYS);
    let mode = if sys::uid() == 0 { "--userns=identity" } else { "--userns=single" };
    let launch = Launch::new().option("--share=time").option(mode).before(refused);
    assert_eq!(paths(launch), "/");
    let shared = paths(Launch::new().option("--share=cgroup"));
    assert!(shared.contains("/launcher-"), "{shared}");
}

#[test]
fn status_names_the_namespace_that_is_made_late() {
    require!(limits);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    // What ends at once may be gone before it is looked at.
    let command = ["/bin/sh", "-c", "sleep 0.5; exec /probe namespaces"];
    let launch = Launch::on(&rootfs).option("--status-fd=9").option(SOME).command(command);
    let (lines, output) = status_of(launch);
    assert_eq!(number(&lines[0], "cgroup").to_string(), output.fact("cgroup"), "{lines:?}");
}

#[test]
fn start_that_fails_leaves_no_cgroup() {
    require!(limits);
    for (launch, code) in [
        (Launch::new().command(["/none"]), 127),
        (Launch::new().option("--dev-bind=/dev/null:/proc/x").probe("exit 0"), 125),
        (Launch::new().option("--init=/dev/null").probe("exit 0"), 125),
    ] {
        let running = launch.option(SOME).start();
        let launcher = running.pid();
        running.finish().code(code);
        assert_eq!(cgroups_of(launcher), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_killed_launchers_leave_the_next_start_removes() {
    require!(limits);
    // Where no other test's start removes them first.
    let (rootfs, own) = (Rootfs::new(), Own::new());
    let start = || Launch::on(&rootfs).option("--cgroup-parent").arg(own.name()).option(SOME);
    let took = start().probe("exit 0").run().ok().took;
    let rounds = rounds(40, 500) as u32;
    let (mut launchers, mut left) = (Vec::new(), 0);
    for round in 0..rounds {
        let running = start().probe("sleep 1000").start();
        // At any moment of a start, and the last of them while it runs.
        match round + 1 == rounds {
            true => drop(running.wait_for("ready")),
            false => thread::sleep(took * round / rounds),
        }
        running.signal(libc::SIGKILL);
        let launcher = running.pid();
        running.finish();
        left += usize::from(!cgroups_of(launcher).is_empty());
        launchers.push(launcher);
    }
    println!("{rounds} kills, {left} left a cgroup for a while");
    expect_swept(&launchers, start);
    assert!(left > 0, "no launcher was killed while it had a cgroup");
}

/// Starts until nothing is left of these launchers.
#[track_caller]
pub fn expect_swept(launchers: &[i32], start: impl Fn() -> Launch) {
    let deadline = Instant::now() + patience(Duration::from_secs(10));
    loop {
        start().probe("exit 0").run().ok();
        let all = launchers.iter().flat_map(|launcher| cgroups_of(*launcher)).collect::<Vec<_>>();
        if all.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "still there: {all:?}");
    }
}

#[test]
fn cgroups_of_living_launchers_are_left_alone() {
    require!(limits);
    let rootfs = Rootfs::new();
    let running = Launch::on(&rootfs).option(SOME).probe("sleep 1000").start();
    running.wait_for("ready");
    for _ in 0..3 {
        Launch::on(&rootfs).option(SOME).probe("exit 0").run().ok();
    }
    assert_eq!(cgroups_of(running.pid()).len(), 1);
}

#[test]
fn many_at_once_do_not_get_into_each_others_way() {
    require!(limits);
    let rootfs = Rootfs::new();
    let threads = (0..4).map(|_| {
        let path = rootfs.path().to_owned();
        thread::spawn(move || {
            for _ in 0..rounds(10, 100) {
                Launch::on_path(&path).option(SOME).probe("exit 0").run().ok();
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn parent_may_be_chosen() {
    require!(limits);
    let own = Own::new();
    let launch = || Launch::new().option("--cgroup-parent").arg(own.name());
    let running = launch().option(SOME).probe("sleep 1000").start();
    running.wait_for("ready");
    let inner = cgroup_of(init_of(running.pid()), "pids");
    assert_eq!(inner.parent().unwrap().parent().unwrap(), own.0);
    running.signal(libc::SIGKILL);
    running.finish();
    let deadline = Instant::now() + patience(Duration::from_secs(10));
    loop {
        launch().option(SOME).probe("exit 0").run().ok();
        let folders = fs::read_dir(&own.0).unwrap().flatten();
        if folders.filter(|entry| entry.path().is_dir()).count() == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "something is left in {}", own.0.display());
    }
}

#[test]
fn parent_that_is_not_there_is_named() {
    require!(limits);
    let launch = Launch::new().option("--cgroup-parent=/no/such").option(SOME).probe("exit 0");
    let output = launch.run();
    output.fails_with(125, "/no/such").fails_with(125, "a path as in /proc/self/cgroup");
}

#[test]
fn call_that_is_refused_ends_in_one_line_and_no_cgroup_is_left() {
    require!(limits);
    require!(tracing);
    let own = Own::new();
    let mode = if sys::uid() == 0 { "--userns=auto" } else { "--userns=single" };
    let parent = format!("--cgroup-parent={}", own.name());
    // The one is much like the other.
    let fewer = if pace::slowness() > 1 { 2 } else { 1 };
    for (errno, one_in) in [("EPERM", fewer), ("ENOSYS", 4)] {
        fail_every_call_once(&[mode, &parent, SOME], errno, one_in, &|what| {
            let folders = fs::read_dir(&own.0).unwrap().flatten();
            let left = folders.filter(|entry| entry.path().is_dir()).map(|entry| entry.path());
            assert_eq!(left.collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{what}");
        });
    }
}

#[test]
fn launcher_that_is_alone_makes_room() {
    require!(cgroup2);
    let own = Own::new();
    let launch = || {
        let launch = Launch::new().variable("OWN", &own.0);
        launch.through_shell("echo $$ > $OWN/cgroup.procs && exec \"$@\"")
    };
    let running = launch().option(SOME).probe("sleep 1000").start();
    running.wait_for("ready");
    let launcher = running.pid();
    let names = ["", ".self"].map(|end| own.0.join(format!("launcher-{launcher}{end}")));
    assert_eq!(cgroup_of(launcher, "pids"), names[1]);
    assert_eq!(cgroup_of(init_of(running.pid()), "pids"), names[0].join("container"));
    running.signal(libc::SIGTERM);
    running.finish().code(143);
    assert_eq!(cgroups_of(launcher), Vec::<PathBuf>::new());
    assert_eq!(fs::read_to_string(own.0.join("cgroup.subtree_control")).unwrap().trim(), "");
}

#[test]
fn parent_with_other_processes_is_refused() {
    require!(cgroup2);
    let own = Own::new();
    // A child of the shell's stays in it until the launcher has ended.
    let script = "echo $$ > $OWN/cgroup.procs && sleep 1000 & \
                  until grep -q . $OWN/cgroup.procs; do :; done; \
                  \"$@\"; code=$?; kill -9 $!; wait; exit $code";
    let launch = Launch::new().option("--cgroup-parent").arg(own.name()).option(SOME);
    let output = launch.variable("OWN", &own.0).through_shell(script).probe("exit 0").run();
    let output = output.code(125);
    assert!(output.stderr.contains("has other processes than the launcher"), "{output}");
}

/// That no mount is seen on the host is looked at after every run (`running.rs`).
#[test]
fn host_without_a_mount_of_cgroups_has_limits() {
    for_root!();
    require!(limits);
    let script =
        "exec unshare -m sh -c 'umount -l /sys/fs/cgroup || exit 9; exec \"$@\"' sh \"$@\"";
    let launch = Launch::new().option("--pids=1").probe("exit 0").through_shell(script);
    // One process is init: that the command has none tells that the limit is there.
    launch.run().fails_with(125, "a limit on processes is reached");
}

/// A mount of cgroup2 in the host's cgroup namespace sets the options of all of them.
#[test]
fn options_of_the_hosts_mount_stay_as_they_are() {
    for_root!();
    require!(busybox);
    let options = || {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let found = text.lines().find_map(|line| line.split_once(" - cgroup2 ").map(|(_, o)| o));
        found.map(str::to_owned)
    };
    let Some(before) = options() else {
        println!("SKIP {}: no cgroup2 is mounted (cannot on this machine)", own_name!());
        return;
    };
    let point = if is_on_cgroup_v1() { "/sys/fs/cgroup/unified" } else { "/sys/fs/cgroup" };
    let busybox = |words: &[&str]| {
        let busybox = subject::rootfs().join("bin/busybox");
        assert!(Command::new(busybox).args(words).status().unwrap().success(), "{words:?}");
    };
    busybox(&["mount", "-o", "remount,nsdelegate", point]);
    let unseen =
        "exec unshare -m sh -c 'umount -l /sys/fs/cgroup || exit 9; exec \"$@\"' sh \"$@\"";
    for (option, launch) in [
        ("--share=cgroup", Launch::new().option("--userns=none")),
        (SOME, Launch::new().through_shell(unseen)),
        ("--check", Launch::new().through_shell(unseen)),
        (SOME, Launch::new()),
    ] {
        // On an initial ramfs before Linux 7.0 there is no --userns none.
        if option != "--share=cgroup" || ability::pivot_root().is_ok() {
            launch.option(option).probe("exit 0").run().code(0);
        }
        assert!(options().unwrap().contains("nsdelegate"), "{option}: {before}");
    }
    if !before.contains("nsdelegate") {
        let (folder, given) = (temporary_path("tree"), before.rsplit(' ').next().unwrap());
        fs::create_dir(&folder).unwrap();
        let shown = folder.to_str().unwrap();
        // In a namespace that ends with it: other tests compare this one's mounts.
        busybox(&["unshare", "-m", "mount", "-t", "cgroup2", "-o", given, "none", shown]);
        fs::remove_dir(&folder).unwrap();
        assert_eq!(options().unwrap(), before);
    }
}

#[test]
fn user_is_told_why_and_what_to_do_on_cgroup_v1() {
    for_user!();
    let launch = || Launch::new().option("--pids=10").probe("exit 0");
    if ability::limits().is_ok() {
        return launch().run().ok().prints(&[]).lines().clear();
    }
    let output = launch().run().code(125);
    let part = match is_on_cgroup_v1() {
        true => "run the launcher as root, or boot with cgroup v2",
        false => "systemd-run --user --scope -p Delegate=yes",
    };
    assert!(output.complaints().len() == 1 && output.stderr.contains(part), "{output}");
    // What is only counted is no reason not to start.
    let output = Launch::new().option("--stats").probe("exit 3").run().code(3);
    assert!(output.stderr.contains("memory peak unknown"), "{output}");
}

#[test]
fn check_and_explain_tell_where() {
    require!(limits);
    let output = Launch::bare().option("--check").run().ok();
    let line = output.lines().into_iter().find(|line| line.starts_with("yes  limits: "));
    assert!(line.is_some_and(|line| line.contains("memory (v") && line.contains("pids (v")));
    let running = Launch::new().option(SOME).option("--explain").probe("exit 0").start();
    let launcher = running.pid();
    let output = running.finish().ok();
    assert!(output.stdout.contains("--pids  pids.max 100\n"), "{output}");
    assert_eq!(cgroups_of(launcher), Vec::<PathBuf>::new());
}
