//! What of the host is put into the container: --bind and its kin.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::ability::{self, for_root};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::sys::before::Before;
use crate::{mounts, subject, sys};

/// A directory of the host's with a file `data` in it, at the path of a rootfs's.
fn source() -> Rootfs {
    let source = Rootfs::bare();
    source.add_file("data", "text");
    source
}

/// `SRC:DST[:OPTS]`.
fn bound(source: &Path, rest: &str) -> String {
    format!("{}:{rest}", source.display())
}

/// Runs a script in a new root file system with these options.
#[track_caller]
fn run(options: &[&str], script: &str) -> Output {
    let rootfs = Rootfs::new().with_shell();
    let launch = Launch::on(&rootfs).command(["sh", "-c", script]);
    options.iter().fold(launch, |launch, option| launch.option(*option)).run()
}

#[test]
fn a_directory_and_a_file_are_there_with_their_owners() {
    let source = source();
    let (dir, file) = (bound(source.path(), "/a/b"), bound(&source.inside("data"), "/etc/data"));
    let script = "cat /a/b/data /etc/data; stat -c %u /a/b/data; echo new > /a/b/new";
    run(&["--bind", &dir, "--bind", &file], script).ok().prints(&["texttext0"]);
    let new = source.inside("new");
    assert_eq!(fs::read_to_string(&new).unwrap(), "new\n");
    assert_eq!(new.metadata().unwrap().uid(), sys::uid(), "made by root inside");
}

#[test]
fn mount_is_the_same_and_a_source_alone_is_its_own_target() {
    let source = source();
    let path = source.path().display().to_string();
    let script = format!("cat {path}/data; exit 3");
    run(&["--mount", &path], &script).code(3).prints(&["text"]);
}

#[test]
fn read_only_is_so_below_as_well() {
    let source = source();
    let option = bound(source.path(), "/x:ro");
    let script = "echo 1 > /x/new; echo 2 > /x/data; cat /x/data";
    let output = run(&["--bind", &option], script).code(0);
    assert_eq!(output.stderr.matches("Read-only file system").count(), 2, "{output}");
    output.prints(&["text"]);
}

#[test]
fn read_only_reaches_the_mounts_below() {
    for_root!();
    let (source, below) = (source(), source());
    fs::create_dir(source.inside("below")).unwrap();
    let rootfs = Rootfs::new();
    for (options, found) in [("", "ok"), (":ro", "EROFS"), (":ro,norec", "EROFS")] {
        let option = bound(source.path(), &format!("/x{options}"));
        let launch = Launch::on(&rootfs).option("--bind").arg(option);
        let mount = Before::mount(below.path(), &source.inside("below")).unwrap();
        let output = launch.before(mount).probe("try create /x/below/new").run().ok();
        output.prints(&[found]);
        let is_there = below.inside("new").exists();
        assert_eq!(is_there, options.is_empty(), "{options}");
        fs::remove_file(below.inside("new")).ok();
    }
}

#[test]
fn what_is_mounted_below_comes_along_unless_it_is_not_wanted() {
    for_root!();
    let (source, below) = (source(), source());
    fs::create_dir(source.inside("below")).unwrap();
    for (options, found) in [("", "ok"), (":norec", "ENOENT")] {
        let option = bound(source.path(), &format!("/x{options}"));
        let launch = Launch::new().option("--bind").arg(option);
        let mount = Before::mount(below.path(), &source.inside("below")).unwrap();
        let output = launch.before(mount).probe("try read /x/below/data").run().ok();
        output.prints(&[found]);
    }
}

#[test]
fn flags_are_as_podman_has_them_unless_given() {
    let source = source();
    let flags = |rest: &str| {
        let output =
            run(&["--bind", &bound(source.path(), rest)], "grep ' /x ' /proc/self/mountinfo");
        let output = output.ok();
        output.lines()[0].split(' ').nth(5).unwrap().to_owned()
    };
    assert!(flags("/x").starts_with("rw,nosuid,nodev,"));
    assert!(flags("/x:ro,noexec").starts_with("ro,nosuid,nodev,noexec,"));
    if sys::uid() == 0 {
        assert!(!flags("/x:suid,dev").contains("no"));
    }
}

#[test]
fn a_missing_source_is_named_unless_it_is_optional() {
    let missing = "/nowhere/at-all:/x";
    run(&["--bind", missing], "")
        .fails_with(125, "cannot open bind source /nowhere/at-all: ENOENT");
    run(&["--bind", "/nowhere/at-all:/x:optional"], "ls -d /x").code(1);
}

#[test]
fn a_file_is_mounted_on_a_file_and_a_directory_on_a_directory() {
    let source = source();
    let (dir, file) = (bound(source.path(), "/f"), bound(&source.inside("data"), "/tmp"));
    run(&["--file", "/dev/null:/f", "--bind", &dir], "").fails_with(125, "ENOTDIR");
    run(&["--bind", &file], "").fails_with(125, "EISDIR");
}

#[test]
fn colons_in_names_are_escaped() {
    let source = source();
    source.add_file("a:b,c", "odd");
    let option = format!("{}/a\\:b,c:/x\\:y", source.path().display());
    run(&["--bind", &option], "cat /x:y; exit 4").code(4).prints(&["odd"]);
}

#[test]
fn here_is_where_the_launcher_stands() {
    let source = source();
    let rootfs = Rootfs::new().with_shell();
    for (option, place) in [("--here", "/app"), ("--here=/place/it", "/place/it")] {
        let launch = Launch::on(&rootfs).option(option).directory(source.path());
        let output = launch.command(["sh", "-c", "pwd; cat data; echo; echo 1 > made"]).run().ok();
        output.prints(&[place, "text"]);
        fs::remove_file(source.inside("made")).unwrap();
    }
}

#[test]
fn relative_sources_are_the_callers() {
    let source = source();
    let launch = Launch::new().option("--bind").arg("data:/x").directory(source.path());
    launch.probe("try read /x").run().ok().prints(&["ok"]);
}

/// A user's child could not clone what they lead to, and finds other things by them.
#[test]
fn links_of_proc_are_what_they_lead_to_for_the_launcher() {
    let (source, rootfs) = (source(), Rootfs::new().with_shell());
    for mode in mounts::modes() {
        let launch = Launch::on(&rootfs).option("--userns").arg(*mode).directory(source.path());
        let launch =
            launch.option("--bind=/proc/self/exe:/exe:noidmap").option("--bind=/proc/self/cwd:/x");
        let launch = launch.option("--bind=/proc/self/fd/0:/in");
        let launch = launch.stdin(fs::File::open(source.inside("data")).unwrap());
        let output =
            launch.command(["sh", "-c", "stat -c %s /exe; cat /x/data; cat /in"]).run().ok();
        let size = subject::launcher().metadata().unwrap().len().to_string();
        output.prints(&[size.as_str(), "texttext"]);
    }
    let launch = Launch::new().option("--bind=/proc/self/fd/0:/x").probe("exit 0");
    let output = launch.through_shell("printf x | \"$@\"").run();
    output.fails_with(125, "/proc/self/fd/0: EINVAL (Invalid argument); norec of a directory");
}

#[test]
fn nothing_can_be_made_in_sysfs() {
    for option in ["--bind=/etc:/sys/x:noidmap", "--tmpfs=/sys/x", "--dir=/sys/x"] {
        let output = Launch::new().option(option).probe("exit 0").run();
        output
            .fails_with(125, "/sys/x: EROFS (Read-only file system); nothing can be made in /sys");
    }
    Launch::new().option("--tmpfs=/sys").option("--dir=/sys/x").probe("exit 0").run().ok();
}

#[test]
fn devices_work_where_they_are_meant_to_and_nowhere_else() {
    let rootfs = Rootfs::new();
    let attempt = |option: &str, value: &str, path: &str, found: &str| {
        let launch = Launch::on(&rootfs).option(option).arg(value);
        launch.probe(&format!("try write {path}")).run().ok().prints(&[found]);
    };
    attempt("--device", "/dev/null", "/dev/null", "ok");
    attempt("--device", "/dev/null:/dev/other", "/dev/other", "ok");
    attempt("--device", "/dev/full:/some/full", "/some/full", "ENOSPC");
    for no_device in ["/etc/passwd", "/dev"] {
        let launch = Launch::on(&rootfs).option("--device").arg(no_device).probe("exit 0");
        launch.run().fails_with(125, &format!("--device {no_device}: it is no device node"));
    }
    attempt("--dev-bind", "/dev:/hosts", "/hosts/null", "ok");
    attempt("--bind", "/dev:/hosts:noidmap", "/hosts/null", "EACCES");
}

/// A device node on the host for as long as it is kept.
struct Node(PathBuf);

impl Drop for Node {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// One that is root's alone is container root's too, whoever that is outside.
#[test]
fn a_device_of_roots_keeps_owners_and_mode() {
    for_root!();
    let node = Node(format!("/dev/suite-{}", std::process::id()).into());
    sys::make_null_node(&node.0).unwrap();
    fs::set_permissions(&node.0, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&node.0, None, Some(5)).unwrap();
    let rootfs = Rootfs::new().with_shell();
    let value = format!("{}:/dev/some", node.0.display());
    let launch = |mode: &str, script: &str| {
        let launch =
            Launch::on(&rootfs).option("--userns").arg(mode).option("--device").arg(&value);
        launch.command(["sh", "-c", script]).run()
    };
    let script = "stat -c '%a %u %g' /dev/some; echo 1 > /dev/some && echo written";
    launch("identity", script).ok().prints(&["600 0 5", "written"]);
    launch("single", script).ok().prints(&["600 0 65534", "written"]);
    // Before Linux 6.3, where no tmpfs is idmapped, it belongs to nobody that a range has.
    if !ability::kernel_is_before(6, 3) {
        launch("auto", script).ok().prints(&["600 0 5", "written"]);
        // What is done to it inside stays there.
        launch("auto", "chmod 666 /dev/some").ok();
        assert_eq!(node.0.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Whoever the container does not have is told, or nobody would find out why it is closed.
    if !ability::kernel_is_before(6, 3) {
        chown(&node.0, Some(70_000), None).unwrap();
        let output = launch("auto", "stat -c '%a %u %g' /dev/some");
        assert!(output.stderr.contains("belongs to uid 70000, who is not one of"), "{output}");
        output.code(0);
    }
    // One of a devpts is none without its file system.
    let (_master, terminal) = sys::terminal::open().unwrap();
    let path = fs::read_link(format!("/proc/self/fd/{}", terminal.as_raw_fd())).unwrap();
    let launch = Launch::on(&rootfs).option("--userns=identity").option("--device");
    let launch = launch.arg(format!("{}:/dev/line", path.display()));
    launch.probe("try write /dev/line").run().ok().prints(&["ok"]);
}

#[test]
fn nothing_is_mounted_on_the_host_afterwards() {
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let (source, before) = (source(), mounts());
    run(&["--bind", &bound(source.path(), "/x")], "exit 0").ok();
    assert_eq!(mounts(), before);
}

#[test]
fn five_hundred_binds_are_a_plan_like_any_other() {
    let source = source();
    let rootfs = Rootfs::new();
    let mut launch = Launch::on(&rootfs).probe("show /proc/self/mountinfo");
    for index in 0..500 {
        launch = launch.option("--bind").arg(bound(source.path(), &format!("/many/{index}")));
    }
    let output = launch.run().ok();
    assert_eq!(output.stdout.matches(" /many/").count(), 500, "{output}");
}
