//! `--explain`: what a start would do.

use crate::ability::{self, for_root};
use crate::idmap::{map_lines, seen};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;

/// What stands under a heading; nothing if there is none.
pub fn under<'a>(output: &'a Output, heading: &str) -> Vec<&'a str> {
    let lines = output.lines();
    let first = lines.iter().position(|line| line.starts_with(&format!("{heading} ")));
    let Some(first) = first else { return Vec::new() };
    let rest = lines[first + 1..].iter().take_while(|line| line.starts_with(' '));
    [lines[first].strip_prefix(heading).unwrap().trim()]
        .into_iter()
        .chain(rest.map(|line| line.trim()))
        .collect()
}

#[test]
fn nothing_is_started_and_nothing_made() {
    let rootfs = Rootfs::bare();
    let before = rootfs.listing();
    // Nor a mount point, nor a target.
    for options in
        [&["--explain"][..], &["--explain", "--tmpfs=/a/b", "--dev-bind=/dev/null:/c/d:noidmap"]]
    {
        let launch =
            options.iter().fold(Launch::on(&rootfs), |launch, option| launch.option(*option));
        let output = launch.probe("make-file /made").run().ok();
        assert_eq!(under(&output, "command")[0], "/probe make-file /made");
        assert!(under(&output, "cannot be had").is_empty(), "{output}");
        assert_eq!(rootfs.listing(), before);
    }
}

#[test]
fn it_tells_what_was_asked_for() {
    let launch = Launch::new().option("--explain").option("--share=uts").option("--read-only");
    let launch =
        launch.option("--tmpfs=/t:ro").option("--dev-bind=/dev/null:/x:noidmap").option("--here");
    let launch = launch.option("--bind=/nowhere:/y:optional").option("--cap-drop=all");
    let launch = launch.option("--cap-add=kill").option("--new-privs").option("--seccomp=none");
    let launch = launch.option("--rlimit=nofile=99").option("--symlink=a:/l");
    let output = launch.probe("exit 0").run().ok();
    assert!(under(&output, "rootfs").contains(&"read-only"), "{output}");
    let namespaces = under(&output, "namespaces");
    assert_eq!(namespaces, ["new: user mnt pid net ipc cgroup time", "the host's: uts"]);
    let mounts = under(&output, "mounts").join("\n");
    for part in [
        "/t  tmpfs, ro,nosuid,nodev",
        "/x  the host's /dev/null",
        "/app  the host's . and what is mounted below, rw,nosuid,nodev",
        "/y  left out: /nowhere is not there",
        "/l  a link to a",
    ] {
        assert!(mounts.contains(part), "{part}\n{output}");
    }
    let privileges = under(&output, "privileges");
    // On an initial ramfs there may be a third: no user namespace can be made inside.
    assert_eq!(
        privileges[..2],
        ["capabilities: kill", "setuid programs and file capabilities work"]
    );
    assert_eq!(under(&output, "seccomp"), ["none"]);
    assert_eq!(under(&output, "limits"), ["nofile 99:99"]);
    assert!(under(&output, "command")[1].starts_with("in /app, uid 0"), "{output}");
}

#[test]
fn the_ids_are_those_that_a_start_takes() {
    let rootfs = Rootfs::new();
    let output = Launch::on(&rootfs).option("--explain").probe("exit 0").run().ok();
    let promised = under(&output, "ids")[0].split(',').nth(1).unwrap().trim().to_owned();
    let map = Launch::on(&rootfs).probe("show /proc/self/uid_map").run();
    let found = map_lines(&map.ok()).swap_remove(0);
    let promised = promised.strip_prefix("uid ").unwrap().replace(':', " ");
    assert!(seen(&[&promised])[0].starts_with(&found), "{promised} {found}");
}

/// Whose root container root is, and which namespaces are the host's.
#[test]
fn what_is_the_hosts_is_told() {
    for_root!();
    let explain = |options: &[&str]| {
        let launch = Launch::new().option("--explain");
        let launch = options.iter().fold(launch, |launch, option| launch.option(*option));
        launch.probe("exit 0").run().ok()
    };
    for (options, proc) in [
        (&["--userns=identity"][..], "/proc  proc, masked: container root is the host's"),
        (
            &["--userns=identity", "--unmask"],
            "/proc  proc, without masks: container root is the host's root",
        ),
    ] {
        let output = explain(options);
        assert!(under(&output, "mounts").contains(&proc), "{output}");
        let namespaces = under(&output, "namespaces");
        assert_eq!(namespaces[0], "new: user mnt pid net uts ipc cgroup time", "{output}");
    }
    if ability::pivot_root().is_ok() {
        let output = explain(&["--userns=none"]);
        let wall = "no user namespaces and no keys, which are the host's";
        assert_eq!(under(&output, "seccomp")[1], wall, "{output}");
        let namespaces = &under(&output, "namespaces")[..2];
        assert_eq!(namespaces, ["new: mnt pid net uts ipc cgroup time", "the host's: user"]);
        // What stands in for a user namespace keeps them out, also without a filter of the user's.
        for (options, has_keys) in [
            (&["--userns=none", "--seccomp=none"][..], false),
            (&["--userns=none", "--seccomp=none", "--unmask"], true),
            (&["--userns=none", "--unmask"], false),
            (&["--userns=identity"], false),
            (&["--userns=identity", "--seccomp=none"], true),
            (&["--userns=single", "--seccomp=none"], true),
        ] {
            let output = explain(options);
            let has = output.stdout.contains("the keyrings of the host's users (keyctl(2))");
            assert_eq!(has, has_keys, "{output}");
        }
    }
}

/// What is bound is what was asked for, so no warning: but who asks is told.
#[test]
fn a_proc_of_the_hosts_without_masks_is_told() {
    for_root!();
    let tells = |options: &str| {
        let launch = options.split(' ').fold(Launch::new(), |launch, option| launch.option(option));
        let output = launch.option("--userns=identity").probe("exit 0").run().code(0);
        let text = format!("{}{}", output.stdout, output.stderr);
        text.contains("without the masks of /proc, so container root can take the host over by it")
    };
    for option in ["--explain", "--verbose"] {
        assert!(tells(&format!("{option} --bind=/proc:/d")), "{option}");
        for other in ["--bind=/proc:/d --unmask", "--bind=/proc:/d:ro", "--bind=/etc:/d"] {
            assert!(!tells(&format!("{option} {other}")), "{option} {other}");
        }
    }
    assert!(!tells("--bind=/proc:/d"));
}

#[test]
fn a_form_that_is_none_is_refused() {
    let form = Launch::new().option("--explain=yaml").run();
    form.fails_with(125, "it is one of text, json");
}

#[test]
fn programs_get_json() {
    let launch = Launch::new().option("--explain=json").command(["/probe", "a\"b", "\n"]);
    let output = launch.run().ok();
    assert_eq!(output.lines().len(), 1, "{output}");
    assert!(output.stdout.starts_with("{\"rootfs\":[\""), "{output}");
    assert!(output.stdout.contains("\"command\":[\"/probe a\\\"b \\u000a\","), "{output}");
    assert!(output.stdout.ends_with(",\"cannot be had\":[]}\n"), "{output}");
}
