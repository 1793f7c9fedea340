//! `--explain` tells of every option there is, or says why not.

use crate::launch::Launch;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{pace, subject, sys};

/// What it says of an option.
enum Told {
    /// This, and not without the option.
    By(&'static str),
    /// This, perhaps also without it.
    Always(&'static str),
    /// This; or that the option cannot be had, by its name, as a start does.
    Here(&'static str),
    /// The same, to root.
    ToRoot(&'static str),
    /// Nothing.
    Not(Reason),
}

/// Why not.
#[derive(Debug)]
enum Reason {
    /// It is about what the launcher says, not what it does.
    AboutTheLauncher,
    /// It is an error but for a machine's first process.
    ForAMachine,
    /// What is told is told by leaving something out: `masks_are_told_of`.
    Elsewhere,
}

use Reason::{AboutTheLauncher, Elsewhere, ForAMachine};
use Told::{Always, By, Here, Not, ToRoot};

/// The option, what stands before it, and its value; FOLDER, INIT, UID and GID are put in.
const OPTIONS: &[(&str, &str, &str, Told)] = &[
    ("--hostname", "", "=marked", By("host name marked")),
    ("--env", "", "=MARK=1", By("MARK")),
    ("--keep-env", "", "", By("CALLERS")),
    ("--workdir", "", "=/marked", By("in /marked")),
    ("--bind", "", "=/dev/null:/x:noidmap", By("/x  the host's /dev/null")),
    ("--mount", "", "=/dev/null:/x:noidmap", By("/x  the host's /dev/null")),
    ("--dev-bind", "", "=/dev/null:/x:noidmap", By("/x  the host's /dev/null")),
    ("--device", "", "=/dev/null:/x", By("/x  the host's /dev/null")),
    ("--tmpfs", "", "=/t", By("/t  tmpfs")),
    ("--overlay", "", "=/o:lower=FOLDER", Here("/o  overlay of ")),
    ("--mqueue", "", "=/q", By("/q  mqueue")),
    ("--proc-options", "", "=subset=pid", By("subset=pid")),
    ("--file", "", "=/proc/version:/f", By("/f  a file of ")),
    ("--symlink", "", "=to:/l", By("/l  a link to to")),
    ("--dir", "", "=/d", By("/d  a directory")),
    ("--here", "", "", By("/app  the host's .")),
    ("--read-only", "", "", By("/var/tmp  tmpfs")),
    ("--dns", "", "=192.0.2.1", By("/etc/resolv.conf")),
    ("--ephemeral", "", "", By("changes are in memory")),
    ("--overlay-dir", "", "=FOLDER", Here("changes are kept in ")),
    ("--tty", "", "", By("a terminal of the container's own")),
    ("--no-tty", "", "", Always("no controlling terminal")),
    ("--user", "", "=0:1", Here("uid 0, gid 1")),
    ("--userns", "", "=single", Always("single, uid 0:UID:1")),
    ("--uid-map", "", "=0:UID:1", Always("uid 0:UID:1,")),
    ("--gid-map", "--uid-map=0:UID:1", "=0:GID:1", Always("gid 0:GID:1")),
    ("--share", "", "=uts", By("the host's: uts")),
    ("--net", "", "=host", By("the host's: net")),
    ("--network", "--net=veth", "=10.9.8.0/24", ToRoot("in 10.9.8.0/24")),
    ("--host-ip", "--net=veth", "=10.9.8.1", ToRoot("gateway 10.9.8.1")),
    ("--container-ip", "--net=veth", "=10.9.8.2", ToRoot("as 10.9.8.2")),
    ("--mac", "--net=veth", "=02:00:00:00:00:09", ToRoot("02:00:00:00:00:09")),
    ("--rate", "--net=veth", "=1M", ToRoot("at most ")),
    ("--publish", "--net=veth", "=8099:80", ToRoot("8099")),
    ("--cap-add", "", "=net_raw", By("net_raw")),
    ("--cap-drop", "", "=chown", By("capabilities: dac_override")),
    ("--new-privs", "", "", By("setuid programs and file capabilities work")),
    ("--disable-userns", "", "", Always("no user namespace can be made inside")),
    ("--seccomp", "", "=none", By("seccomp        none")),
    ("--seccomp-log", "", "", By("refusals are logged")),
    ("--landlock", "", "=/tmp:rw", Here("/tmp  rw")),
    ("--landlock-abi", "--landlock=/tmp:rw", "=1", Here("as far as version 1")),
    ("--apparmor", "", "=unconfined", Here("AppArmor: unconfined")),
    ("--selinux-label", "", "=a:b:c", Here("SELinux: a:b:c")),
    ("--rlimit", "", "=core=0:0", By("core 0:0")),
    ("--oom-score-adj", "", "=500", By("oom_score_adj 500")),
    ("--nice", "", "=7", By("nice 7")),
    ("--memory", "", "=64M", Here("--memory  ")),
    ("--memory-high", "", "=64M", Here("--memory-high  ")),
    ("--swap", "--memory=64M", "=1M", Here("--swap  ")),
    ("--cpus", "", "=1", Here("--cpus  ")),
    ("--cpu-weight", "", "=50", Here("--cpu-weight  ")),
    ("--cpuset-cpus", "", "=0", Here("--cpuset-cpus  ")),
    ("--pids", "", "=99", Here("--pids  ")),
    ("--io-weight", "", "=50", Here("--io-weight  ")),
    ("--io-max", "", "=0:0:rbps=1M", Here("--io-max  ")),
    ("--hugetlb", "", "=2M=4M", Here("--hugetlb  ")),
    ("--cgroup-parent", "", "=/", Here("a cgroup in /")),
    ("--stats", "", "", By("what it has used is told at the end")),
    ("--timeout", "", "=5", By("SIGTERM after 5.000 s")),
    ("--unmask", "", "", Not(Elsewhere)),
    ("--keep-fd", "", "=2", By("descriptor 2")),
    ("--init", "", "=INIT", By("init           the host's ")),
    ("--grace", "", "=2", By("SIGKILL 2.000 s later")),
    ("--uptime", "", "=fresh", By("up for ")),
    ("--die-by-signal", "", "", By("a signal that ends the command")),
    ("--pid-file", "", "=FOLDER/pid", By("its pid in ")),
    ("--status-fd", "", "=2", By("on descriptor 2")),
    ("--on-exit", "", "=halt", Not(ForAMachine)),
    ("--verbose", "", "", Not(AboutTheLauncher)),
    ("--explain", "", "", Not(AboutTheLauncher)),
    ("--check", "", "", Not(AboutTheLauncher)),
    ("--version", "", "", Not(AboutTheLauncher)),
];

#[test]
fn every_option_of_the_help_is_known_here() {
    let help = Launch::bare().option("--help").run().ok().stdout;
    let words = help.lines().filter_map(|line| line.strip_prefix("  ")?.split([' ', ',']).next());
    let options = words.filter(|word| word.len() > 2 && word.starts_with("--"));
    let is_known = |option: &str| OPTIONS.iter().any(|(known, ..)| *known == option);
    let options = options.collect::<Vec<_>>();
    assert!(options.len() >= OPTIONS.len() - 1, "{options:?}");
    for option in options {
        assert!(is_known(option), "{option}: what does --explain tell of it?");
    }
}

#[test]
fn every_option_is_told_of_or_said_not_to_be() {
    let (rootfs, folder) = (Rootfs::new(), temporary_path("folder"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::create_dir(rootfs.inside("marked")).unwrap();
    let put_in = |text: &str| {
        let text = text.replace("FOLDER", folder.to_str().unwrap());
        let text = text.replace("INIT", subject::init().to_str().unwrap());
        text.replace("UID", &sys::uid().to_string()).replace("GID", &sys::gid().to_string())
    };
    let explain = |words: &[&str]| {
        let launch = Launch::on(&rootfs).option("--explain").variable("CALLERS", "1");
        words.iter().fold(launch, |launch, word| launch.option(put_in(word))).probe("exit 0").run()
    };
    let plain = explain(&[]).ok().stdout;
    for (option, before, value, told) in pace::sample(OPTIONS) {
        let word = format!("{option}{value}");
        let words = [*before, &word].into_iter().filter(|word| !word.is_empty());
        let words = words.collect::<Vec<_>>();
        let (text, may_be_refused, is_new) = match told {
            By(text) => (text, false, true),
            Always(text) => (text, false, false),
            Here(text) => (text, true, true),
            ToRoot(text) if sys::uid() == 0 => (text, true, true),
            ToRoot(_) => continue,
            Not(reason) => {
                println!("{option}: {reason:?}");
                continue;
            }
        };
        let output = explain(&words);
        if may_be_refused && output.status.code() == Some(125) {
            let known = [*option, "--net", "cgroup", "--user"];
            assert!(known.iter().any(|part| output.stderr.contains(part)), "{output}");
            println!("{option} cannot be had: {}", output.stderr.trim());
            continue;
        }
        let output = output.code(0);
        assert!(output.stdout.contains(&put_in(text)), "{option}\n{output}");
        assert!(!is_new || !plain.contains(&put_in(text)), "{option}\n{plain}");
        // The same words for programs.
        let form = [&["--explain=json"], &words[..]].concat();
        let launch = Launch::on(&rootfs).variable("CALLERS", "1");
        let launch = form.iter().fold(launch, |launch, word| launch.option(put_in(word)));
        let json = launch.probe("exit 0").run().code(0).stdout;
        let value = put_in(text);
        let part = value.rsplit("   ").next().unwrap().trim();
        assert!(json.contains(part), "{option}\n{json}");
    }
    std::fs::remove_dir(folder).unwrap();
}

#[test]
fn masks_are_told_of() {
    crate::ability::for_root!();
    let explain = |option: &str| {
        let launch = Launch::new().option("--explain").option("--userns=identity");
        launch.option(option).probe("exit 0").run().ok().stdout
    };
    for (option, is_masked) in [("--no-tty", true), ("--unmask", false)] {
        let text = explain(option);
        assert_eq!(text.contains("masked: container root is the host's"), is_masked, "{text}");
        assert_eq!(text.contains("no user namespace can be made inside"), is_masked, "{text}");
    }
}
