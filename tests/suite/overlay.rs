//! A rootfs that stays as it is: --ephemeral and --overlay-dir.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::mounts::modes;
use crate::output::Output;
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys::before::Before;
use crate::{ability, sys};

/// Changes all that can be: a new file, a changed one, a directory that goes with what is in it.
const CHANGES: &str = "echo new > /new; echo more >> /etc/file; rm -r /dir; ls /dir; cat /etc/file";

fn rootfs() -> Rootfs {
    let rootfs = Rootfs::new().with_shell();
    rootfs.add_file("etc/file", "one\n");
    fs::create_dir(rootfs.inside("dir")).unwrap();
    rootfs.add_file("dir/file", "");
    rootfs
}

#[track_caller]
fn run(rootfs: &Rootfs, options: &[&str], script: &str) -> Output {
    let launch = Launch::on(rootfs).command(["sh", "-c", script]);
    options.iter().fold(launch, |launch, option| launch.option(*option)).run()
}

#[test]
fn ephemeral_changes_are_gone_at_the_end() {
    let rootfs = rootfs();
    let before = rootfs.listing();
    if ability::ephemeral().is_err() {
        require!(overlay);
        // Linux 6.6: before, a directory of the rootfs could not be removed.
        let output = run(&rootfs, &["--ephemeral"], "").fails_with(125, "EOPNOTSUPP");
        assert!(output.stderr.contains("--overlay-dir"), "{output}");
        return;
    }
    let modes = modes().iter().map(|mode| format!("--userns={mode}"));
    for mode in modes {
        let run = |more: &[&str], script| {
            run(&rootfs, &[&["--ephemeral", mode.as_str()], more].concat(), script)
        };
        let output = run(&[], CHANGES).code(0);
        assert_eq!(output.lines(), ["one", "more"], "{output}");
        assert!(output.stderr.contains("/dir: No such file"), "{output}");
        assert_eq!(rootfs.listing(), before);
        run(&[], "cat /etc/file; ls /dir").ok().prints(&["one", "file"]);
        // What is made again is empty; what is the container's own can be given away in it.
        let again = "rm -r /dir; mkdir /dir; ls -A /dir; mv /etc /gone; stat -c '%u %g' /dir";
        run(&[], again).ok().prints(&["0 0"]);
        let output = run(&["--read-only"], "echo > /new").code(1);
        assert!(output.stderr.contains("Read-only"), "{output}");
        assert_eq!(rootfs.listing(), before);
    }
}

#[test]
fn the_root_of_an_overlay_is_as_the_rootfs() {
    require!(ephemeral);
    let rootfs = rootfs();
    fs::set_permissions(rootfs.path(), fs::Permissions::from_mode(0o751)).unwrap();
    run(&rootfs, &["--ephemeral"], "stat -c '%a %u %g' /").ok().prints(&["751 0 0"]);
}

#[test]
fn kept_changes_are_there_the_next_time() {
    require!(overlay);
    require!(attributes_on_files);
    let (rootfs, kept) = (rootfs(), temporary_path("kept"));
    fs::create_dir(&kept).unwrap();
    let before = rootfs.listing();
    let options = ["--overlay-dir", kept.to_str().unwrap()];
    run(&rootfs, &options, CHANGES).code(0);
    run(&rootfs, &options, "cat /new /etc/file; ls -d /dir")
        .code(1)
        .prints(&["new", "one", "more"]);
    assert_eq!(rootfs.listing(), before);
    let new = kept.join("upper/new").metadata().unwrap();
    assert_eq!(new.uid(), sys::uid(), "the container's root is the caller on disk");
    fs::remove_dir_all(&kept).ok();
}

/// There root attaches the rootfs, and an overlay of root's would not act with the container's ids.
#[test]
fn changes_are_kept_or_dropped_on_a_host_without_proc() {
    for_root!();
    require!(overlay);
    require!(attributes_on_files);
    let (rootfs, kept) = (rootfs(), temporary_path("kept"));
    for mode in modes() {
        fs::create_dir(&kept).unwrap();
        let launch = Launch::on(&rootfs).option("--userns").arg(*mode).before(Before::NoProc);
        let launch = launch.option("--overlay-dir").arg(&kept);
        launch.command(["sh", "-c", CHANGES]).run().code(0);
        assert_eq!(kept.join("upper/new").metadata().unwrap().uid(), 0, "{mode}");
        fs::remove_dir_all(&kept).unwrap();
        let before = rootfs.listing();
        let launch = Launch::on(&rootfs).option("--userns").arg(*mode).before(Before::NoProc);
        launch.option("--ephemeral").command(["sh", "-c", CHANGES]).run().code(0);
        assert_eq!(rootfs.listing(), before, "{mode}");
    }
}

#[test]
fn kept_changes_are_for_one_container_at_a_time() {
    require!(overlay);
    require!(attributes_on_files);
    let (rootfs, kept) = (rootfs(), temporary_path("kept"));
    fs::create_dir(&kept).unwrap();
    let options = ["--overlay-dir", kept.to_str().unwrap()];
    let launch = Launch::on(&rootfs).option(options[0]).arg(options[1]);
    let first = launch.command(["sh", "-c", "echo up; sleep 20"]).start();
    first.wait_for("up");
    run(&rootfs, &options, "").fails_with(125, "another container uses it");
    drop(first);
    fs::remove_dir_all(&kept).ok();
}

#[test]
fn a_directory_for_changes_has_to_be_there() {
    run(&rootfs(), &["--overlay-dir", "/nowhere"], "")
        .fails_with(125, "--overlay-dir /nowhere: ENOENT");
}

/// Two directories with a file of the same name, and one of each alone.
fn layers() -> (Rootfs, Rootfs) {
    let layers = (Rootfs::bare(), Rootfs::bare());
    for (layer, name) in [(&layers.0, "top"), (&layers.1, "bottom")] {
        layer.add_file("both", format!("{name}\n"));
        layer.add_file(name, "");
    }
    layers
}

/// What is in both.
const ALL: [&str; 4] = ["both", "bottom", "probe", "top"];

fn overlay_of(layers: &(Rootfs, Rootfs), more: &str) -> String {
    let (top, bottom) = (layers.0.path().display(), layers.1.path().display());
    format!("/o/x:lower={top},lower={bottom}{more}")
}

#[test]
fn an_overlay_of_the_plan_shows_its_layers_and_leaves_them() {
    require!(ephemeral);
    let layers = layers();
    fs::set_permissions(layers.0.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let before = (layers.0.listing(), layers.1.listing());
    let option = overlay_of(&layers, "");
    let script = "cd /o/x; stat -c '%a %u' .; cat both; ls; echo new > both; rm top; cat both; ls";
    let rest = ["both", "bottom", "probe"];
    let lines = [&["750 0", "top"][..], &ALL, &["new"], &rest].concat();
    run(&rootfs(), &["--overlay", &option], script).ok().prints(&lines);
    assert_eq!((layers.0.listing(), layers.1.listing()), before);
    // Several of them, with the rootfs under one of its own: each is the right one.
    let other = format!("/other:lower={}", layers.1.path().display());
    let all = ["--ephemeral", "--overlay", &option, "--overlay", &other];
    let script = "echo new > /o/x/both; rm -r /dir; cat /o/x/both /other/both; ls /dir";
    run(&rootfs(), &all, script).code(1).prints(&["new", "bottom"]);
    assert_eq!((layers.0.listing(), layers.1.listing()), before);
}

/// No layer for changes is needed, so nor are attributes for its marks.
#[test]
fn a_read_only_overlay_of_the_plan_takes_one_layer_or_many() {
    require!(overlay);
    let layers = layers();
    fs::set_permissions(layers.0.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let two = overlay_of(&layers, ",ro");
    let one = format!("/o/x:lower={},ro", layers.0.path().display());
    for (option, files) in [(one, &["both", "probe", "top"][..]), (two, &ALL)] {
        let script = "cd /o/x; stat -c '%a %u' .; ls; echo x > both";
        let output = run(&rootfs(), &["--overlay", &option], script).code(1);
        assert_eq!(output.lines(), [&["750 0"], files].concat(), "{output}");
        assert!(output.stderr.contains("Read-only"), "{output}");
    }
}

/// What a user lacks before Linux 6.6 is named, with what helps.
#[test]
fn an_overlay_of_the_plan_that_cannot_drop_its_changes_is_refused() {
    if ability::ephemeral().is_ok() {
        println!("N/A {}: overlays can drop their changes here", ability::own_name!());
        return;
    }
    require!(overlay);
    let output = run(&rootfs(), &["--overlay", &overlay_of(&layers(), "")], "");
    assert!(output.stderr.contains("upper="), "{output}");
    output.fails_with(125, "EOPNOTSUPP");
}

#[test]
fn an_overlay_of_the_plan_may_keep_its_changes() {
    require!(overlay);
    require!(attributes_on_files);
    let (layers, kept) = (layers(), temporary_path("kept"));
    fs::create_dir(&kept).unwrap();
    let option = overlay_of(&layers, &format!(",upper={}", kept.display()));
    run(&rootfs(), &["--overlay", &option], "echo new > /o/x/both; rm /o/x/top").ok();
    run(&rootfs(), &["--overlay", &option], "cat /o/x/both; ls /o/x")
        .ok()
        .prints(&["new", "both", "bottom", "probe"]);
    fs::remove_dir_all(&kept).ok();
}

#[test]
fn nothing_but_the_overlay_is_left_mounted() {
    require!(ephemeral);
    let layers = layers();
    let count = |options: &[&str]| {
        let output = run(&rootfs(), options, "cat /proc/self/mountinfo").ok();
        assert!(
            !output.lines().iter().any(|line| line.contains(" - tmpfs") && line.contains(" /o"))
        );
        output.lines().len()
    };
    let option = overlay_of(&layers, "");
    assert_eq!(count(&["--overlay", &option]), count(&[]) + 1);
    let both = ["--ephemeral", "--overlay", &option];
    assert_eq!(count(&both), count(&["--ephemeral"]) + 1);
    run(&rootfs(), &both, "readlink /proc/1/root; ls /o/x/top /..").ok();
}

#[test]
fn a_layer_that_is_missing_or_no_directory_is_named() {
    let options = |layer: &str| ["--overlay".to_owned(), format!("/o:lower=/usr,lower={layer}")];
    for (layer, line) in [
        ("/nowhere", "cannot open lower= /nowhere: ENOENT"),
        ("/dev/null", "cannot open lower= /dev/null: ENOTDIR"),
    ] {
        let options = options(layer);
        run(&rootfs(), &options.each_ref().map(String::as_str), "").fails_with(125, line);
    }
}

/// Changes that lie in what is to stay as it is are none that it stays without.
#[test]
fn a_directory_for_changes_lies_outside_of_the_rootfs() {
    let rootfs = rootfs();
    fs::create_dir_all(rootfs.inside("a/b")).unwrap();
    let before = rootfs.listing();
    for place in ["", "a", "a/b", "a/../a/b/."] {
        let place = rootfs.inside(place);
        let output = run(&rootfs, &["--overlay-dir", place.to_str().unwrap()], "");
        output.fails_with(125, "lies in ROOTFS");
        let option =
            format!("/o:lower=/usr,lower={0},upper={1}", rootfs.path().display(), place.display());
        run(&self::rootfs(), &["--overlay", &option], "").fails_with(125, "lies in lower=");
    }
    assert_eq!(rootfs.listing(), before);
}
