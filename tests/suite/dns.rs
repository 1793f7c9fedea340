//! Names: the files of --dns.

use std::fs;
use std::os::unix::fs::symlink;

use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;

#[track_caller]
fn run(rootfs: &Rootfs, options: &[&str], script: &str) -> Output {
    let launch = Launch::on(rootfs).command(["sh", "-c", script]);
    options.iter().fold(launch, |launch, option| launch.option(*option)).run()
}

/// With files of its own, the last a link that leads nowhere.
fn rootfs() -> Rootfs {
    let rootfs = Rootfs::new().with_shell();
    for name in ["run", "var/tmp"] {
        fs::create_dir_all(rootfs.inside(name)).unwrap();
    }
    rootfs.add_file("etc/hosts", "own\n");
    rootfs.add_file("etc/hostname", "own\n");
    symlink("../run/resolved/resolv.conf", rootfs.inside("etc/resolv.conf")).unwrap();
    rootfs
}

#[test]
fn without_dns_the_files_are_the_rootfss() {
    run(&rootfs(), &[], "cat /etc/hosts /etc/hostname; readlink /etc/resolv.conf").ok().prints(&[
        "own",
        "own",
        "../run/resolved/resolv.conf",
    ]);
}

#[test]
fn files_lie_over_the_rootfss() {
    let rootfs = rootfs();
    let before = rootfs.listing();
    let script = "cat /etc/resolv.conf /etc/hostname /etc/hosts; echo more >> /etc/resolv.conf";
    for more in ["--verbose", "--read-only"] {
        let options = ["--dns=9.9.9.9,2620:fe::fe", "--hostname=box", more];
        run(&rootfs, &options, script).code(0).prints(&[
            "nameserver 9.9.9.9",
            "nameserver 2620:fe::fe",
            "box",
            "127.0.0.1 localhost",
            "::1 localhost",
            "127.0.1.1 box",
        ]);
    }
    assert_eq!(rootfs.listing(), before);
    let output = run(&rootfs, &["--dns=none"], "grep -c nameserver /etc/resolv.conf");
    output.code(1).prints(&["0"]);
}

#[test]
fn the_hosts_servers_are_a_copy() {
    let Ok(text) = fs::read_to_string("/etc/resolv.conf") else {
        run(&rootfs(), &["--dns=host"], "").fails_with(125, "cannot read /etc/resolv.conf");
        return;
    };
    let output = run(&rootfs(), &["--dns", "host", "--share", "net"], "cat /etc/resolv.conf").ok();
    assert_eq!(output.stdout, text);
}

#[test]
fn a_file_of_the_users_wins() {
    let options = ["--dns=none", "--file", "/dev/null:/etc/hosts"];
    run(&rootfs(), &options, "wc -c < /etc/hosts").ok().prints(&["0"]);
    let options = ["--dns=none", "--device", "/dev/null:/etc/hosts"];
    run(&rootfs(), &options, "wc -c < /etc/hosts; ls /dev/pts").ok().prints(&["0", "ptmx"]);
}

#[test]
fn links_are_covered_where_they_are() {
    let (outside, rootfs) = (Rootfs::bare(), rootfs());
    outside.add_file("hosts", "outside\n");
    let before = outside.listing();
    fs::remove_file(rootfs.inside("etc/hosts")).unwrap();
    symlink(outside.inside("hosts"), rootfs.inside("etc/hosts")).unwrap();
    run(&rootfs, &["--dns=none"], "echo x >> /etc/hosts; tail -n 1 /etc/hosts").ok().prints(&["x"]);
    assert_eq!(outside.listing(), before);
    fs::remove_dir_all(rootfs.inside("etc")).unwrap();
    symlink(outside.path(), rootfs.inside("etc")).unwrap();
    run(&rootfs, &["--dns=none"], "").fails_with(125, "/etc/resolv.conf");
    assert_eq!(outside.listing(), before);
}
