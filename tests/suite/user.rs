//! `--user`: whom the command runs as, by files that may be hostile.

use std::fs;
use std::os::unix::fs::symlink;

use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/var/www:/bin/false\nodd:x:40:41::/:/bin/sh\n";
const GROUP: &str = "root:x:0:\nweb:x:34:\nlogs:x:50:other,www\nmore:x:51:www\nno:x:52:other\n";

/// Uid, gid and groups of a command.
#[track_caller]
fn ids(user: &str) -> (String, String, String) {
    let rootfs = Rootfs::new().with_accounts(PASSWD, GROUP);
    let launch = Launch::on(&rootfs).option("--user").arg(user).probe("status Uid Gid Groups");
    let output = launch.run().ok();
    let fact = |name| output.fact(name).to_owned();
    let groups = output.stdout.lines().find_map(|line| line.strip_prefix("Groups"));
    (fact("Uid"), fact("Gid"), groups.unwrap_or("").trim().to_owned())
}

fn four(id: u32) -> String {
    format!("{id} {id} {id} {id}")
}

#[test]
fn without_the_option_it_is_root_without_groups() {
    require!(many_ids);
    let output = Launch::new().probe("status Uid Gid Groups").run().ok();
    assert_eq!((output.fact("Uid"), output.fact("Gid")), ("0 0 0 0", "0 0 0 0"));
    assert_eq!(output.lines()[2].trim(), "Groups", "{output}");
}

#[test]
fn numbers_need_no_accounts() {
    require!(many_ids);
    let launch = |user: &str| Launch::new().option("--user").arg(user).probe("status Uid Gid");
    let output = launch("1000").run().ok();
    assert_eq!((output.fact("Uid"), output.fact("Gid")), (&*four(1000), &*four(0)));
    let output = launch("1000:1001").run().ok();
    assert_eq!((output.fact("Uid"), output.fact("Gid")), (&*four(1000), &*four(1001)));
}

#[test]
fn name_gives_ids_and_supplementary_groups() {
    require!(many_ids);
    assert_eq!(ids("www"), (four(33), four(34), "50 51".into()));
    assert_eq!(ids("33"), (four(33), four(34), "50 51".into()));
}

#[test]
fn group_that_is_given_stands_alone() {
    require!(many_ids);
    assert_eq!(ids("www:logs"), (four(33), four(50), String::new()));
    assert_eq!(ids("www:7"), (four(33), four(7), String::new()));
    assert_eq!(ids("12:web"), (four(12), four(34), String::new()));
}

#[test]
fn another_user_can_use_its_terminal_directories_and_devices() {
    require!(many_ids);
    let launch = |words: &str| Launch::new().option("--user=1000:1000").probe(words).run().ok();
    launch("try write /dev/null").prints(&["ok"]);
    launch("try create /dev/shm/x").prints(&["ok"]);
    launch("pty").prints(&["pty 0"]);
}

#[test]
fn another_user_cannot_write_what_is_roots() {
    require!(many_ids);
    let launch = |words: &str| Launch::new().option("--user=1000").probe(words).run().ok();
    launch("try create /x").prints(&["EACCES"]);
    launch("try setuid 0").prints(&["EPERM"]);
    launch("try kill 1 0").prints(&["EPERM"]);
    launch("try hostname x").prints(&["EPERM"]);
}

#[test]
fn unknown_names_are_refused() {
    let rootfs = Rootfs::new().with_accounts(PASSWD, GROUP);
    let run = |user: &str| Launch::on(&rootfs).option("--user").arg(user).probe("exit 0").run();
    run("nobody").fails(
        125,
        "launcher: --user: no user in the container's /etc/passwd: nobody; give numbers, which \
         need no entry",
    );
    run("0:nogroup").fails(
        125,
        "launcher: --user: no group in the container's /etc/group: nogroup; give numbers, which \
         need no entry",
    );
}

#[test]
fn file_that_is_not_there_is_named() {
    for (user, file) in [
        ("root", "user root of --user: read the container's /etc/passwd: ENOENT"),
        ("0:bin", "group bin of --user: read the container's /etc/group: ENOENT"),
    ] {
        let launch = Launch::new().option("--user").arg(user).probe("exit 0");
        launch.run().fails_with(125, file);
    }
}

#[test]
fn id_that_is_not_mapped_is_refused() {
    let (uid, gid) = (sys::uid(), sys::gid());
    let launch = Launch::new().option("--userns=single").option("--user=5").probe("exit 0");
    launch.run().fails(
        125,
        &format!(
            "launcher: --user: uid 5 is not one of the container's, which maps 0:{uid}:1; map it \
             with --uid-map and --gid-map, or see --userns"
        ),
    );
    let launch = Launch::new().option("--userns=single").option("--user=0:5").probe("exit 0");
    launch
        .run()
        .fails_with(125, &format!("gid 5 is not one of the container's, which maps 0:{gid}:1"));
}

/// Starts as a user that only a hostile /etc/passwd has.
#[track_caller]
fn start_as_leak(rootfs: &Rootfs) -> Output {
    Launch::on(rootfs).option("--user=leak").probe("status Uid").run().code(125)
}

#[test]
fn passwd_that_links_out_of_the_rootfs_is_not_followed_there() {
    let outside = temporary_path("secret");
    fs::write(&outside, "leak:x:0:0:hidden words:/:/bin/sh\n").unwrap();
    let up = "../".repeat(30) + outside.to_str().unwrap().trim_start_matches('/');
    for target in [outside.to_str().unwrap(), &up] {
        let rootfs = Rootfs::new();
        symlink(target, rootfs.inside("etc/passwd")).unwrap();
        let output = start_as_leak(&rootfs);
        assert!(output.stderr.contains("ENOENT"), "{output}");
        assert!(!output.stderr.contains("hidden"), "{output}");
    }
    let rootfs = Rootfs::new();
    fs::remove_dir(rootfs.inside("etc")).unwrap();
    symlink(outside.parent().unwrap(), rootfs.inside("etc")).unwrap();
    assert!(start_as_leak(&rootfs).stderr.contains("ENOENT"));
    fs::remove_file(outside).unwrap();
}

#[test]
fn passwd_that_links_within_the_rootfs_is_followed() {
    let rootfs = Rootfs::new();
    fs::create_dir(rootfs.inside("usr")).unwrap();
    rootfs.add_file("usr/passwd", "me:x:0:0::/me:/bin/sh\n");
    symlink("/usr/passwd", rootfs.inside("etc/passwd")).unwrap();
    let output = Launch::on(&rootfs).option("--user=me").probe("env").run().ok();
    assert_eq!(output.lines()[1], "HOME=/me");
}

#[test]
fn passwd_that_is_no_file_does_not_hang() {
    let rootfs = Rootfs::new();
    sys::make_fifo(&rootfs.inside("etc/passwd")).unwrap();
    start_as_leak(&rootfs);
    // Root's own home is read from it too.
    Launch::on(&rootfs).probe("env").run().ok();
    fs::remove_file(rootfs.inside("etc/passwd")).unwrap();
    fs::create_dir(rootfs.inside("etc/passwd")).unwrap();
    start_as_leak(&rootfs);
    Launch::on(&rootfs).probe("env").run().ok();
}

#[test]
fn passwd_that_is_a_device_is_not_opened() {
    for_root!();
    let rootfs = Rootfs::new();
    sys::make_null_node(&rootfs.inside("etc/passwd")).unwrap();
    start_as_leak(&rootfs);
}

#[test]
fn passwd_with_broken_or_endless_lines_does_no_harm() {
    let text = "x".repeat(3 << 20) + ":::\n:\n\n::::::::\nbad:x:y:z:::\n\0\nme:x:0:0::/me:/bin/sh";
    let rootfs = Rootfs::new().with_accounts(&text, "");
    let output = Launch::on(&rootfs).option("--user=me").probe("env").run().ok();
    assert_eq!(output.lines()[1], "HOME=/me");
    Launch::on(&rootfs).option("--user=bad").probe("exit 0").run().code(125);
}
