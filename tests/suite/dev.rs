//! /dev: what every program expects, and nothing else.

use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::rootfs::Rootfs;
use crate::sys;

#[test]
fn dev_has_exactly_what_a_program_expects() {
    require!(message_queues);
    Launch::new().probe("list /dev").run().ok().prints(&[
        "link fd -> /proc/self/fd",
        "device 666 full",
        "directory 1777 mqueue",
        "device 666 null",
        "link ptmx -> pts/ptmx",
        "directory 755 pts",
        "device 666 random",
        "directory 1777 shm",
        "link stderr -> /proc/self/fd/2",
        "link stdin -> /proc/self/fd/0",
        "link stdout -> /proc/self/fd/1",
        "device 666 tty",
        "device 666 urandom",
        "device 666 zero",
    ]);
}

#[test]
fn devices_work() {
    let rootfs = Rootfs::new();
    let attempt = |words: &str, result: &str| {
        Launch::on(&rootfs).probe(words).run().ok().prints(&[result]);
    };
    attempt("try write /dev/null", "ok");
    attempt("try read /dev/null", "ok");
    attempt("try read /dev/zero", "ok");
    attempt("try read /dev/random", "ok");
    attempt("try read /dev/urandom", "ok");
    attempt("try write /dev/full", "ENOSPC");
    attempt("try open /dev/tty", "ENXIO");
    attempt("try create /dev/shm/file", "ok");
}

#[test]
fn standard_descriptors_can_be_opened_by_name() {
    let output = Launch::new().probe("try write /dev/stdout hello").run().code(0);
    assert!(output.stdout.starts_with("hellook"), "{output}");
}

#[test]
fn pty_can_be_opened_inside() {
    Launch::new().probe("pty").run().ok().prints(&["pty 0"]);
}

#[test]
fn message_queue_shows_in_dev_mqueue() {
    require!(message_queues);
    require!(busybox);
    let script = "/probe try queue /one; /bin/busybox ls /dev/mqueue";
    let rootfs = Rootfs::new().with_shell();
    let output = Launch::on(&rootfs).command(["/bin/sh", "-c", script]).run();
    output.ok().prints(&["ok", "one"]);
}

#[test]
fn what_is_put_into_dev_is_gone_afterwards() {
    let rootfs = Rootfs::new();
    Launch::on(&rootfs).probe("try create /dev/file").run().ok().prints(&["ok"]);
    Launch::on(&rootfs).probe("try create /dev/shm/file").run().ok().prints(&["ok"]);
    assert_eq!(std::fs::read_dir(rootfs.inside("dev")).unwrap().count(), 0);
}

#[test]
fn device_nodes_of_the_rootfs_are_dead() {
    for_root!();
    let rootfs = Rootfs::new();
    sys::make_null_node(&rootfs.inside("null")).unwrap();
    for mode in ["auto", "identity"] {
        let launch = || Launch::on(&rootfs).option("--userns").arg(mode);
        launch().probe("try write /null").run().ok().prints(&["EACCES"]);
        launch().probe("try read /null").run().ok().prints(&["EACCES"]);
    }
}

#[test]
fn no_device_node_can_be_made() {
    for place in ["/node", "/dev/node", "/tmp/node"] {
        let words = format!("try mknod {place}");
        Launch::new().probe(&words).run().ok().prints(&["EPERM"]);
    }
}
