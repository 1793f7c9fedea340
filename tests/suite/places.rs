//! Where ROOTFS can be, and what it can be called.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::ability::{self, for_root, require};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{subject, sys};

/// Runs the probe on the root file system at this path.
#[track_caller]
fn runs_at(path: &Path) {
    let output = Launch::on_path(path).probe("place").run().ok();
    assert_eq!(output.fact("cwd"), "/");
}

#[test]
fn name_of_any_bytes() {
    let folder = temporary_path("names");
    fs::create_dir(&folder).unwrap();
    let from = Rootfs::new();
    let all = (1..=255u8).filter(|&byte| byte != b'/').collect::<Vec<_>>();
    let names = [b" a b ".to_vec(), b"a:b,c=d\\".to_vec(), b"new\nline".to_vec(), all];
    for name in names {
        let path = folder.join(OsString::from_vec(name));
        fs::rename(from.path(), &path).unwrap();
        runs_at(&path);
        fs::rename(&path, from.path()).unwrap();
    }
    fs::remove_dir(folder).unwrap();
}

#[test]
fn path_of_three_thousand_bytes() {
    let from = Rootfs::new();
    let top = temporary_path("deep");
    let mut path = top.clone();
    while path.as_os_str().len() < 3000 {
        path.push("d".repeat(200));
    }
    fs::create_dir_all(&path).unwrap();
    let path = path.join("rootfs");
    fs::rename(from.path(), &path).unwrap();
    runs_at(&path);
    fs::remove_dir_all(top).unwrap();
}

#[test]
fn path_by_detours() {
    let rootfs = Rootfs::new();
    let shown = rootfs.path().to_string_lossy().into_owned();
    let name = rootfs.path().file_name().unwrap().to_string_lossy().into_owned();
    let (one, other) = (temporary_path("link"), temporary_path("link"));
    symlink(rootfs.path(), &one).unwrap();
    symlink(&one, &other).unwrap();
    let link = other.to_string_lossy().into_owned();
    let paths =
        [format!("{shown}/"), format!("{shown}//."), format!("{shown}/../{name}"), link.clone()];
    for path in paths.into_iter().chain([format!("{link}/"), format!("//{shown}")]) {
        runs_at(Path::new(&path));
    }
    for path in [".", "./", "/proc/self/cwd"] {
        let launch = Launch::on_path(path).directory(rootfs.path()).probe("place");
        assert_eq!(launch.run().ok().fact("cwd"), "/", "{path}");
    }
    let launch = Launch::bare().option("--").option("-r").directory(rootfs.path());
    fs::create_dir(rootfs.inside("-r")).unwrap();
    rootfs.add_program("-r/probe", &subject::probe());
    launch.command(["/probe"]).run().ok().prints(&["probe"]);
    for link in [one, other] {
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn the_hosts_own_root() {
    let probe = subject::probe().to_string_lossy().into_owned();
    let output = Launch::on_path("/").command([probe.as_str(), "processes"]).run();
    output.ok().prints(&["1 0 init", "2 1 probe"]);
}

#[test]
fn one_static_program_and_no_directory() {
    let rootfs = Rootfs::bare();
    Launch::on(&rootfs).probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
}

#[test]
fn merged_usr() {
    let rootfs = Rootfs::new();
    for name in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(rootfs.inside("usr").join(name)).unwrap();
        symlink(Path::new("usr").join(name), rootfs.inside(name)).unwrap();
    }
    rootfs.add_program("bin/tool", &subject::probe());
    for command in ["tool", "/bin/tool", "/usr/bin/tool"] {
        Launch::on(&rootfs).command([command]).run().ok().prints(&["probe"]);
    }
}

#[test]
fn owner_that_the_container_does_not_have() {
    for_root!();
    let rootfs = Rootfs::new();
    rootfs.give_to(300_000);
    for mode in ["auto", "single", "identity"] {
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        launch.probe("place").run().ok();
    }
    // Where root may not write there, it may not make mount points either.
    let rootfs = Rootfs::bare();
    rootfs.give_to(300_000);
    let launch = Launch::on(&rootfs).option("--userns=single").probe("place");
    launch.run().fails_with(125, "create it, or let the container's root write there");
}

/// Has a shell in a mount namespace of its own mount something at $R, the root file system's
/// place, and then run the words. For an ordinary user that is a user namespace, too.
fn on_a_mount(rootfs: &Rootfs, script: &str, words: &str) -> Output {
    const AS_ROOT: &str = "exec unshare -m sh -ec \"$SCRIPT\" sh \"$@\"";
    const AS_USER: &str = "exec unshare -Urm sh -ec \"$SCRIPT\" sh \"$@\"";
    let launch = Launch::on(rootfs).variable("R", rootfs.path());
    let launch = launch.variable("SCRIPT", format!("{script}\nexec \"$@\"")).probe(words);
    launch.through_shell(if sys::uid() == 0 { AS_ROOT } else { AS_USER }).run()
}

#[test]
fn mounts_of_every_kind() {
    require!(unshare);
    require!(busybox);
    let cases = [
        ("mount point", "mount --bind $R $R"),
        ("shared", "mount --bind $R $R; mount --make-shared $R"),
        ("unbindable", "mount --bind $R $R; mount --make-unbindable $R"),
        ("nosuid, nodev", "mount --bind $R $R; mount -o remount,bind,nosuid,nodev $R"),
        ("read-only", "mount --bind $R $R; mount -o remount,bind,ro $R"),
        ("tmpfs", "cd $R; mount -t tmpfs t $R; cp -a . $R; cd /"),
        (
            "overlay",
            "mkdir $R/tmp/u; mount -t tmpfs t $R/tmp/u; mkdir $R/tmp/u/u $R/tmp/u/w
            mount -t overlay -o lowerdir=$R,upperdir=$R/tmp/u/u,workdir=$R/tmp/u/w,userxattr o $R",
        ),
        (
            "submounts",
            "mount --bind $R $R; mount -t tmpfs t $R/tmp; mkdir $R/tmp/below
            mount -t tmpfs t $R/tmp/below",
        ),
        ("twice", "mount --bind $R $R; mount --bind $R $R"),
    ];
    // The test's own overlay, which before Linux 5.11 has no user attributes and is root's.
    let is_made = |what: &str| what != "overlay" || !ability::kernel_is_before(5, 11);
    for (what, script) in cases.into_iter().filter(|(what, _)| is_made(what)) {
        let rootfs = Rootfs::new();
        let output = on_a_mount(&rootfs, script, "processes");
        match what {
            "unbindable" => output.fails_with(125, "it lies below a mount that cannot be bound"),
            _ => output.ok().prints(&["1 0 init", "2 1 probe"]),
        };
    }
}

#[test]
fn submounts_come_with_it_and_are_nodev() {
    require!(unshare);
    require!(busybox);
    let rootfs = Rootfs::new();
    let script = "mount -t tmpfs -o dev t $R/tmp; echo here > $R/tmp/file";
    on_a_mount(&rootfs, script, "show /tmp/file").ok().prints(&["here"]);
    let output = on_a_mount(&rootfs, script, "show /proc/self/mountinfo").ok();
    let line = output.lines().into_iter().find(|line| line.contains(" /tmp ")).unwrap();
    assert!(line.contains("nodev"), "{line}");
}

#[test]
fn mounts_that_do_not_do() {
    require!(unshare);
    require!(busybox);
    let rootfs = Rootfs::new();
    let noexec = "mount --bind $R $R; mount -o remount,bind,noexec $R";
    on_a_mount(&rootfs, noexec, "exit 0").fails_with(126, "on a noexec mount");
    let bare = Rootfs::bare();
    let read_only = "mount --bind $R $R; mount -o remount,bind,ro $R";
    let before = bare.listing();
    on_a_mount(&bare, read_only, "exit 0").fails_with(125, "EROFS (Read-only file system)");
    assert_eq!(bare.listing(), before);
}
