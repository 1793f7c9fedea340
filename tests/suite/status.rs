//! `--status-fd` and `--pid-file`: for programs that start the launcher.

use std::fs;
use std::io::Read;

use crate::launch::Launch;
use crate::output::Output;
use crate::pace::rounds;
use crate::rootfs::{Rootfs, temporary_path};

/// What is written to the status descriptor, line by line.
pub fn status_of(launch: Launch) -> (Vec<String>, Output) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let output = launch.descriptor(writer, 9).run();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.ends_with('\n'), "whole lines: {text:?}\n{output}");
    (text.lines().map(String::from).collect(), output)
}

/// The value of a number in a line of JSON that has no blanks.
pub fn number(line: &str, name: &str) -> u64 {
    let (_, rest) = line.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{line}"));
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap_or_else(|_| panic!("{name} in {line}"))
}

#[test]
fn status_tells_start_and_exit_code() {
    let launch = Launch::new().option("--status-fd=9").probe("exit 7");
    let (lines, output) = status_of(launch);
    assert_eq!(lines.len(), 2, "{lines:?}\n{output}");
    assert!(lines[0].starts_with(r#"{"event":"started","pid":"#), "{}", lines[0]);
    assert!(number(&lines[0], "pid") > 1);
    assert_eq!(lines[1], r#"{"event":"exited","code":7}"#);
    output.code(7);
}

/// SIGPIPE is blocked when the failure is told, also where it comes while signals are the caller's.
#[test]
fn failure_is_told_where_nobody_reads_the_status() {
    for option in ["--file=/nosuch:/x", "--bind=/nosuch:/x"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let launch = Launch::new().option("--status-fd=9").option(option).descriptor(writer, 9);
        launch.probe("exit 0").run().fails_with(125, "/nosuch");
    }
}

#[test]
fn status_names_the_namespaces() {
    let launch = Launch::new().option("--status-fd").arg("9").probe("namespaces");
    let (lines, output) = status_of(launch);
    let (_, namespaces) = lines[0].split_once("\"namespaces\":").expect("namespaces");
    for name in ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time"] {
        let inode = output.fact(name).parse::<u64>().unwrap();
        assert_eq!(number(namespaces, name), inode, "{name}");
    }
}

#[test]
fn status_names_the_namespaces_of_a_short_command_too() {
    let rootfs = Rootfs::new();
    for _ in 0..rounds(50, 500) {
        let launch = Launch::on(&rootfs).option("--status-fd=9").command(["/probe"]);
        let (lines, output) = status_of(launch);
        assert!(lines[0].contains("\"net\":") && lines[0].contains("\"time\":"), "{lines:?}");
        output.ok();
    }
}

#[test]
fn status_tells_the_signal() {
    let (lines, output) = status_of(Launch::new().option("--status-fd=9").probe("die 15"));
    assert_eq!(lines[1], r#"{"event":"exited","signal":15,"core":false}"#);
    output.code(143);
}

#[test]
fn status_tells_failures_apart_from_the_commands_codes() {
    let (lines, output) = status_of(Launch::new().option("--status-fd=9").probe("exit 125"));
    assert_eq!(lines[1], r#"{"event":"exited","code":125}"#);
    output.code(125);

    let rootfs = Rootfs::new();
    let launch = Launch::on(&rootfs).option("--status-fd=9").command(["/no\"ne"]);
    let (lines, output) = status_of(launch);
    let start = r#"{"event":"failed","stage":"FindCommand","errno":"ENOENT","code":127,"#;
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with(start), "{}", lines[0]);
    assert!(lines[0].contains(r#""message":"cannot find command /no\"ne in rootfs "#), "{lines:?}");
    output.code(127);

    let launch = Launch::on_path("/nonexistent").option("--status-fd=9").probe("exit 0");
    let (lines, output) = status_of(launch);
    let start = r#"{"event":"failed","stage":"OpenRootfs","errno":"ENOENT","code":125,"#;
    assert!(lines[0].starts_with(start), "{}", lines[0]);
    output.code(125);
}

#[test]
fn status_tells_of_wrong_words_where_it_is_among_them() {
    let failed = r#"{"event":"failed","stage":"Arguments","errno":null,"code":125,"message":""#;
    for words in [
        &["--status-fd", "9", "--bogus", "r"][..],
        &["--status-fd=9", "--hostname"],
        &["--hostname=", "--status-fd=9", "r"],
        &["--status-fd=9"],
        &["--grace=1", "--status-fd=9", "--grace=1", "r"],
    ] {
        let launch = words.iter().fold(Launch::bare(), |launch, word| launch.option(*word));
        let (lines, output) = status_of(launch);
        assert!(lines.len() == 1 && lines[0].starts_with(failed), "{words:?}: {lines:?}");
        output.code(125);
    }
}

#[test]
fn status_descriptor_does_not_reach_the_command() {
    let (_, output) = status_of(Launch::new().option("--status-fd=9").probe("fds"));
    assert_eq!(output.lines().len(), 3, "{output}");
}

#[test]
fn status_descriptor_that_is_not_open_is_refused() {
    let launch = Launch::new().option("--status-fd=9").probe("exit 0");
    launch.run().fails(125, "launcher: cannot write to --status-fd 9: EBADF (Bad file number); it has to be open for writing in the launcher");
    // As by who mixes up the ends of a pipe.
    let (reader, _writer) = std::io::pipe().unwrap();
    let launch = Launch::new().option("--status-fd=9").probe("exit 0").descriptor(reader, 9);
    launch.run().fails_with(125, "it has to be open for writing");
}

#[test]
fn status_that_cannot_be_written_is_told() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let launch = Launch::new().descriptor(full, 9).option("--status-fd=9").probe("exit 3");
    let output = launch.run().code(3);
    // Of `started` and of `exited`.
    let line = "launcher: warning: cannot write to --status-fd 9: ENOSPC (No space left on device)";
    assert_eq!(output.complaints(), [line; 2], "{output}");
}

#[test]
fn status_nobody_reads_does_no_harm() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let launch = Launch::new().descriptor(writer, 9).option("--status-fd=9");
    launch.probe("exit 3").run().code(3);
}

#[test]
fn pid_file_holds_the_pid_of_init_while_it_runs() {
    let path = temporary_path("pid");
    let running = Launch::new().option("--pid-file").arg(&path).probe("trap 15").start();
    running.wait_for("ready");
    let text = wait_for_text(&path);
    let pid = text.trim_end().parse::<i32>().unwrap();
    assert_eq!(text, format!("{pid}\n"));
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), "init\n");
    running.signal(libc::SIGTERM);
    running.finish().ok();
    assert!(!path.exists(), "gone afterwards");
}

/// The command may be quicker than the launcher.
#[track_caller]
fn wait_for_text(path: &std::path::Path) -> String {
    for _ in 0..5000 {
        if let Ok(text) = fs::read_to_string(path) {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("{path:?} never came");
}

#[test]
fn pid_file_is_whole_whenever_it_is_there() {
    let folder = temporary_path("pids");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("pid");
    let rootfs = Rootfs::new();
    let mut seen = 0;
    for _ in 0..rounds(20, 200) {
        let launch = Launch::on(&rootfs).option("--pid-file").arg(&path);
        let mut running = launch.probe("sleep 0.01").start();
        while running.try_wait().is_none() {
            if let Ok(text) = fs::read_to_string(&path) {
                assert!(text.ends_with('\n') && text.len() > 1, "{text:?}");
                seen += 1;
            }
        }
        running.finish().ok();
    }
    assert!(seen > 0, "it was never there");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left beside it");
    fs::remove_dir(folder).unwrap();
}

#[test]
fn relative_pid_file_is_by_the_callers_directory() {
    let folder = temporary_path("pids");
    fs::create_dir(&folder).unwrap();
    let launch = Launch::new().directory(&folder).option("--pid-file=pid").probe("trap 15");
    let running = launch.start();
    running.wait_for("ready");
    wait_for_text(&folder.join("pid"));
    running.signal(libc::SIGTERM);
    running.finish().ok();
    fs::remove_dir(folder).unwrap();
}

#[test]
fn pid_file_that_cannot_be_written_is_an_error() {
    let launch = Launch::new().option("--pid-file=/nonexistent/pid").probe("sleep 20");
    launch.run().fails_with(125, "cannot write --pid-file /nonexistent/pid: ENOENT");
}

#[test]
fn pid_file_takes_the_place_of_a_file_and_of_nothing_else() {
    let rootfs = Rootfs::new();
    let (directory, fifo, link) =
        (rootfs.inside("d"), rootfs.inside("fifo"), rootfs.inside("link"));
    std::fs::create_dir(&directory).unwrap();
    crate::sys::make_fifo(&fifo).unwrap();
    std::os::unix::fs::symlink("d", &link).unwrap();
    for path in [&directory, &fifo, &link] {
        let launch = Launch::on(&rootfs).option("--pid-file").arg(path).probe("print ran");
        launch.run().fails_with(125, "is no regular file");
        assert!(path.symlink_metadata().is_ok());
    }
}

#[test]
fn pid_file_of_somebody_else_is_left_alone() {
    let rootfs = Rootfs::new();
    let path = temporary_path("pid");
    let launch = || Launch::on(&rootfs).option("--pid-file").arg(&path);
    let first = launch().probe("sleep 20").start();
    first.wait_for("ready");
    while !path.exists() {
        std::thread::yield_now();
    }
    let ours = std::fs::read_to_string(&path).unwrap();
    let second = launch().probe("sleep 20").start();
    second.wait_for("ready");
    // It comes when the launcher has heard of the start.
    while std::fs::read_to_string(&path).unwrap() == ours {
        std::thread::yield_now();
    }
    let theirs = std::fs::read_to_string(&path).unwrap();
    first.signal(libc::SIGTERM);
    first.finish().code(143);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), theirs);
    second.signal(libc::SIGTERM);
    second.finish().code(143);
    assert!(!path.exists());
}
