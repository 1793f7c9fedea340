//! Options that belong to no other topic.

use crate::launch::Launch;
use crate::rootfs::Rootfs;
use crate::{ability, subject, sys};

/// Every option that `--help` has to tell of.
const ALL: &[&str] = &[
    "--hostname",
    "--env",
    "--keep-env",
    "--workdir",
    "--bind",
    "--mount",
    "--dev-bind",
    "--device",
    "--tmpfs",
    "--overlay",
    "--mqueue",
    "--file",
    "--symlink",
    "--dir",
    "--here",
    "--dns",
    "--proc-options",
    "--read-only",
    "--ephemeral",
    "--overlay-dir",
    "--tty",
    "--no-tty",
    "--user",
    "--userns",
    "--uid-map",
    "--gid-map",
    "--share",
    "--net",
    "--network",
    "--host-ip",
    "--container-ip",
    "--mac",
    "--publish",
    "--cap-add",
    "--cap-drop",
    "--new-privs",
    "--seccomp",
    "--seccomp-log",
    "--unmask",
    "--apparmor",
    "--selinux-label",
    "--rlimit",
    "--oom-score-adj",
    "--nice",
    "--keep-fd",
    "--init",
    "--grace",
    "--uptime",
    "--die-by-signal",
    "--pid-file",
    "--status-fd",
    "--on-exit",
    "--verbose",
    "--check",
    "--explain",
    "--version",
    "--help",
];

#[test]
fn help_shows_every_option_on_standard_output() {
    for word in ["--help", "-h"] {
        let output = Launch::bare().option(word).run().ok();
        for option in ALL {
            assert!(output.stdout.contains(option), "{option} is missing\n{output}");
        }
    }
}

#[test]
fn help_wins_over_what_stands_before_it() {
    let output = Launch::bare().option("--verbose").option("--help").run().ok();
    assert!(output.stdout.contains("ROOTFS"), "{output}");
}

#[test]
fn version_is_one_line_on_standard_output() {
    let output = Launch::bare().option("--version").run().ok();
    assert_eq!(output.lines().len(), 1, "{output}");
    assert!(output.stdout.starts_with("launcher "), "{output}");
}

#[test]
fn options_behind_rootfs_are_the_commands() {
    let output = Launch::new().probe("args --version --hostname x").run().ok();
    output.prints(&["\"--version\"", "\"--hostname\"", "\"x\""]);
}

#[test]
fn values_may_follow_an_equals_sign() {
    let output = Launch::new().option("--hostname=a").option("--workdir=/tmp").probe("place");
    let output = output.run().ok();
    assert_eq!((output.fact("hostname"), output.fact("cwd")), ("a", "/tmp"));
}

#[test]
fn hostname_is_container_unless_given() {
    assert_eq!(Launch::new().probe("place").run().ok().fact("hostname"), "container");
    let longest = "h".repeat(64);
    let output = Launch::new().option("--hostname").arg(&longest).probe("place").run().ok();
    assert_eq!(output.fact("hostname"), longest);
}

#[test]
fn workdir_is_where_the_command_starts() {
    let rootfs = Rootfs::new();
    std::fs::create_dir_all(rootfs.inside("a/b")).unwrap();
    assert_eq!(Launch::on(&rootfs).probe("place").run().ok().fact("cwd"), "/");
    let launch = Launch::on(&rootfs).option("--workdir").arg("/a/./b/../b");
    assert_eq!(launch.probe("place").run().ok().fact("cwd"), "/a/b");
}

#[test]
fn workdir_may_be_one_that_is_mounted() {
    let output = Launch::new().option("--workdir=/dev/shm").probe("place").run().ok();
    assert_eq!(output.fact("cwd"), "/dev/shm");
}

#[test]
fn init_of_the_users_is_run_in_place_of_the_built_in_one() {
    let launch = || Launch::new().option("--init").arg(subject::init());
    launch().probe("exit 6").run().code(6);
    launch().probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
}

#[test]
fn init_that_is_no_init_of_ours_is_noticed() {
    let output = Launch::new().option("--init").arg(subject::probe()).probe("exit 0").run();
    let output = output.code(125);
    let line = "launcher: the container's init ended with 99 before the command started; is --init \
                the init of this version?";
    assert_eq!(output.complaints().last(), Some(&line), "{output}");
}

#[test]
fn verbose_tells_steps_on_standard_error_only() {
    let quiet = Launch::new().probe("place").run().ok();
    let verbose = Launch::new().option("--verbose").probe("place").run().code(0);
    assert_eq!(quiet.stdout, verbose.stdout);
    let way = match ability::pivot_root() {
        Ok(()) => &["PivotRoot", "CutRoot"][..],
        Err(_) => &["CopyNamespace"],
    };
    for step in ["clone3", "write id maps", "MountDev", "MountProc"].iter().chain(way) {
        assert!(verbose.stderr.contains(step), "{step}\n{verbose}");
    }
    let is_ours = |line: &str| line.starts_with("launcher: ");
    assert!(verbose.stderr.lines().all(is_ours), "{verbose}");
    let mode = if sys::uid() == 0 { ["range", "identity"] } else { ["subid", "single"] };
    let tells = |mode: &str| verbose.stderr.contains(&format!("ids: {mode}"));
    assert!(mode.into_iter().any(tells), "{verbose}");
}

#[test]
fn launcher_debug_is_as_verbose() {
    let output = Launch::new().variable("LAUNCHER_DEBUG", "1").probe("exit 0").run().code(0);
    assert!(output.stderr.contains("clone3"), "{output}");
}

#[test]
fn end_of_the_machine_is_for_its_first_process() {
    let output = Launch::new().option("--on-exit=halt").probe("exit 0").run();
    output
        .fails(125, "launcher: --on-exit is for the machine's first process; see launcher --help");
}
