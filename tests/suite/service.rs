//! As a service: sockets that a manager has opened, and the way to tell it that all is ready.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use crate::ability::require;
use crate::errors::closed;
use crate::launch::Launch;
use crate::rootfs::temporary_path;
use crate::running::limit;

/// Executes what follows as the process that LISTEN_PID names.
const ANNOUNCE: &str = "LISTEN_PID=$$ exec \"$@\"";

#[test]
fn sockets_of_the_manager_are_the_commands() {
    require!(busybox);
    let root = File::open("/").unwrap();
    let launch = |words: &str| {
        let launch = [3, 4, 5].into_iter().fold(Launch::new(), |launch, number| {
            launch.descriptor(root.try_clone().unwrap(), number)
        });
        let launch = launch.variable("LISTEN_FDS", "2").variable("LISTEN_FDNAMES", "a:b");
        launch.probe(words).through_shell(ANNOUNCE).run().ok()
    };
    let output = launch("fds");
    let numbers = output.lines().iter().map(|line| &line[..1]).collect::<Vec<_>>();
    assert_eq!(numbers, ["0", "1", "2", "3", "4"], "{output}");
    let output = launch("env");
    for line in ["LISTEN_FDS=2", "LISTEN_PID=2", "LISTEN_FDNAMES=a:b"] {
        assert!(output.lines().contains(&line), "{line} is missing\n{output}");
    }
}

#[test]
fn sockets_that_are_not_there_are_named() {
    require!(busybox);
    for count in ["1", "9"] {
        let launch = closed(Launch::new(), 3).variable("LISTEN_FDS", count).probe("exit 0");
        let output = launch.through_shell(ANNOUNCE).run();
        output.fails_with(
            125,
            "descriptor 3: EBADF (Bad file number); LISTEN_FDS says that there are",
        );
    }
}

#[test]
fn sockets_that_are_for_another_process_are_not() {
    let launch = Launch::new().descriptor(File::open("/").unwrap(), 3);
    let launch = launch.variable("LISTEN_FDS", "1").variable("LISTEN_PID", "1");
    let output = launch.option("--keep-env").probe("fds").run().ok();
    assert_eq!(output.lines().len(), 3, "{output}");
}

#[test]
fn command_can_tell_the_manager_that_it_is_ready() {
    let path = temporary_path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    manager.set_read_timeout(Some(limit())).unwrap();
    let launch = Launch::new().variable("NOTIFY_SOCKET", &path);
    launch.probe("notify").run().ok().prints(&["ok"]);
    let mut message = [0; 16];
    let count = manager.recv(&mut message).unwrap();
    assert_eq!(&message[..count], b"READY=1");
    fs::remove_file(path).unwrap();
}

#[test]
fn a_manager_that_cannot_be_told_is_warned_of() {
    for address in ["@abstract", "/nonexistent/socket", "/dev/null", "vsock:2:1"] {
        let output = Launch::new().variable("NOTIFY_SOCKET", address).probe("env").run().code(0);
        assert!(!output.stdout.contains("NOTIFY_SOCKET"), "{output}");
        let warning = format!("warning: the command does not get NOTIFY_SOCKET={address}: ");
        assert!(output.stderr.contains(&warning), "{output}");
    }
}
