//! The mount plan: what is made in the container, where, and in which order.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;

use crate::launch::Launch;
use crate::output::Output;
use crate::pace;
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys;

/// Runs a script in this root file system with these options.
#[track_caller]
fn run_on(rootfs: &Rootfs, options: &[&str], script: &str) -> Output {
    let launch = Launch::on(rootfs).command(["sh", "-c", script]);
    options.iter().fold(launch, |launch, option| launch.option(*option)).run()
}

#[track_caller]
fn run(options: &[&str], script: &str) -> Output {
    run_on(&Rootfs::new().with_shell(), options, script)
}

#[test]
fn tmpfs_is_there_with_its_size_mode_and_flags() {
    let script = "stat -c %a /t; grep ' /t ' /proc/self/mountinfo; df -k /t | tail -n 1";
    let output = run(&["--tmpfs", "/t:size=1m,mode=1700"], script).ok();
    let lines = output.lines();
    assert_eq!(lines[0], "1700");
    assert!(lines[1].contains(" rw,nosuid,nodev,"), "{output}");
    assert_eq!(lines[2].split_whitespace().nth(1), Some("1024"), "{output}");
    let rootfs = Rootfs::new().with_shell();
    let output = run_on(&rootfs, &["--tmpfs", "/t:size=much"], "");
    output.fails_with(125, "--tmpfs /t:size=much: size is a number of bytes");
    assert!(!rootfs.inside("t").exists(), "nothing half-made");
}

#[test]
fn later_mounts_lie_in_and_over_earlier_ones() {
    let options =
        ["--tmpfs", "/t", "--dir", "/t/a/b:700", "--symlink", "a:/t/l", "--tmpfs", "/t/a/b"];
    run(&options, "stat -c %a /t/a/b; readlink /t/l; ls /t").ok().prints(&["755", "a", "a", "l"]);
    run(&["--dir", "/t/a", "--tmpfs", "/t"], "ls /t").ok().prints(&[]);
}

/// What a start has left in the rootfs is as good for the next.
#[test]
fn a_link_and_a_directory_may_be_there_from_an_earlier_start() {
    let rootfs = Rootfs::new().with_shell();
    let options = ["--symlink", "../a:/t/l", "--dir", "/t/d", "--file", "/dev/null:/t/f"];
    for _ in 0..2 {
        run_on(&rootfs, &options, "readlink /t/l; ls /t").ok().prints(&["../a", "d", "f", "l"]);
    }
    let other = ["--symlink", "../b:/t/l"];
    run_on(&rootfs, &other, "")
        .fails_with(125, "/t/l: EEXIST (File exists); something else is there");
}

#[test]
fn directories_have_the_mode_that_is_given() {
    run(&["--dir", "/t/a/b:1750"], "stat -c %a /t /t/a /t/a/b")
        .ok()
        .prints(&["755", "755", "1750"]);
}

#[test]
fn a_file_is_a_copy() {
    let rootfs = Rootfs::new().with_shell();
    rootfs.add_file("data", "one");
    let option = format!("{}:/etc/copy:640", rootfs.inside("data").display());
    let script = "cat /etc/copy; echo two > /etc/copy; stat -c ' %a' /etc/copy";
    run_on(&rootfs, &["--file", &option], script).ok().prints(&["one 640"]);
    assert_eq!(fs::read_to_string(rootfs.inside("data")).unwrap(), "one");
}

#[test]
fn a_file_may_come_from_a_descriptor_and_be_executed() {
    let rootfs = Rootfs::new().with_shell();
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(b"#!/bin/sh\necho \"ran $0\"; ls /proc/self/fd | wc -l").unwrap();
    drop(write);
    let launch = Launch::on(&rootfs).option("--file").arg("7:/x/run:755");
    let output = launch.descriptor(read, 7).command(["/x/run"]).run().ok();
    output.prints(&["ran /x/run", "4"]);
}

/// Nothing has been started yet, so signals act.
#[test]
fn a_pipe_that_gives_nothing_can_be_interrupted() {
    let source = Rootfs::bare();
    sys::make_fifo(&source.inside("fifo")).unwrap();
    let value = format!("{}:/f", source.inside("fifo").display());
    let running = Launch::new().option("--file").arg(value).probe("exit 0").start();
    running.signal(libc::SIGTERM);
    assert_eq!(running.finish().status.signal(), Some(libc::SIGTERM));
}

#[test]
fn a_descriptor_that_is_not_open_is_named() {
    run(&["--file", "77:/x"], "")
        .fails_with(125, "cannot read descriptor 77 for the container: EBADF");
    run(&["--file", "/nowhere:/x"], "")
        .fails_with(125, "cannot read /nowhere for the container: ENOENT");
}

#[test]
fn mqueue_can_be_mounted_anywhere() {
    run(&["--mqueue", "/q"], "grep -c '/q .*mqueue' /proc/self/mountinfo").ok().prints(&["1"]);
}

#[test]
fn links_in_the_rootfs_lead_nowhere_but_inside() {
    let outside = Rootfs::bare();
    let rootfs = Rootfs::new().with_shell();
    let before = outside.listing();
    let path = outside.path().display().to_string();
    symlink(&path, rootfs.inside("absolute")).unwrap();
    symlink(format!("../../../../../../../..{path}"), rootfs.inside("relative")).unwrap();
    symlink("loop", rootfs.inside("loop")).unwrap();
    symlink("/proc/1/root", rootfs.inside("magic")).unwrap();
    let data = "/dev/null:/tmp/data";
    for (turn, link) in ["absolute", "relative", "loop", "magic"].into_iter().enumerate() {
        let all = [
            ("--tmpfs", format!("/{link}/new/dir")),
            ("--dir", format!("/{link}/dir")),
            ("--symlink", format!("x:/{link}/link")),
            ("--file", format!("/dev/null:/{link}/file")),
            ("--bind", format!("{path}:/{link}/bind")),
        ];
        for (option, value) in pace::in_turn(&all, turn) {
            // What the link names is not there inside; a directory is not made for it.
            let output = run_on(&rootfs, &["--file", data, option, value], "");
            output.fails_with(
                125,
                &format!("cannot open or create {}/{link}", rootfs.path().display()),
            );
        }
    }
    fs::create_dir_all(rootfs.inside(&path[1..])).unwrap();
    let made = |link: &str| {
        run_on(&rootfs, &["--dir", &format!("/{link}/inside")], "").ok();
        fs::remove_dir(rootfs.inside(&path[1..]).join("inside")).unwrap();
    };
    made("absolute");
    made("relative");
    assert_eq!(outside.listing(), before, "nothing of the host's was touched");
}

#[test]
fn the_command_may_lie_in_what_is_mounted() {
    let tools = Rootfs::bare();
    let rootfs = Rootfs::new();
    let option = format!("{}:/tools", tools.path().display());
    let launch = || Launch::on(&rootfs).option("--bind").arg(&option);
    launch().command(["/tools/probe", "exit", "5"]).run().code(5);
    launch().command(["/tools/none"]).run().fails_with(127, "/tools/none");
    launch().option("--workdir=/tools").command(["./probe", "exit", "6"]).run().code(6);
}

#[test]
fn a_read_only_root_cannot_be_changed_but_where_programs_write() {
    let rootfs = Rootfs::new().with_shell();
    for name in ["run", "var", "var/tmp"] {
        fs::create_dir(rootfs.inside(name)).unwrap();
    }
    let before = rootfs.listing();
    let script = "for d in / /etc /tmp /run /var/tmp /dev/shm; do \
                  if echo x > $d/new; then echo $d; fi; done";
    let output = run_on(&rootfs, &["--read-only"], script).code(0);
    assert_eq!(output.lines(), ["/tmp", "/run", "/var/tmp", "/dev/shm"], "{output}");
    let output = run_on(&rootfs, &["--read-only", "--tmpfs", "/etc"], "echo x > /etc/new; ls /etc");
    output.ok().prints(&["new"]);
    assert_eq!(rootfs.listing(), before);
}

#[test]
fn a_file_where_programs_write_on_a_read_only_root_stays_and_is_told() {
    let rootfs = Rootfs::new().with_shell();
    fs::remove_dir(rootfs.inside("tmp")).ok();
    rootfs.add_file("tmp", "own\n");
    let output = run_on(&rootfs, &["--read-only", "--verbose"], "cat /tmp").code(0);
    let output = output.prints(&["own"]);
    assert!(output.stderr.contains("no tmpfs on /tmp, which is no directory"), "{output}");
    assert!(!output.stderr.contains("no tmpfs on /run"), "{output}");
}

#[test]
fn what_the_command_could_clear_is_not_promised() {
    let source = temporary_path("source");
    fs::create_dir(&source).unwrap();
    let bind = format!("--bind={}:/u", source.display());
    let read_only = format!("{bind}:ro");
    for options in [&["--read-only"][..], &[&read_only], &["--tmpfs=/t:ro"]] {
        let options = [&["--cap-add=SYS_ADMIN"], options].concat();
        run(&options, "").fails_with(125, "do not hold against a command with CAP_SYS_ADMIN");
    }
    let script = "grep -c ' ro' /proc/self/mounts; mount -o remount,bind,rw /u";
    let output = run(&[&read_only], script);
    assert_ne!(output.status.code(), Some(0), "{output}");
    run(&["--cap-add=SYS_ADMIN", &bind], "").ok();
    fs::remove_dir(source).unwrap();
}

#[test]
fn a_tmpfs_of_a_stranger_is_refused_and_named() {
    let launch = Launch::new().option("--userns=single");
    let line = "--tmpfs /t: gid 5 is not one of the container's, which maps";
    launch.option("--tmpfs=/t:uid=0,gid=5").probe("exit 0").run().fails_with(125, line);
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let rootfs = Rootfs::new().with_shell();
    fs::create_dir(rootfs.inside("there")).unwrap();
    let launch = Launch::on(&rootfs).option("--dir=/there:700").option("--dir=/new:700");
    let launch = launch.command(["sh", "-c", "stat -c %a /there /new"]);
    launch.run().ok().prints(&["755", "700"]);
}
