//! What an image says about its command, in a file of the rootfs: how far that goes, and no
//! further.

use std::fs;
use std::os::unix::fs::symlink;

use crate::ability::{for_user, require};
use crate::launch::Launch;
use crate::pace;
use crate::rootfs::Rootfs;
use crate::subject;

const FILE: &str = ".launcher.json";

/// A root file system with a shell, and what its image says.
fn saying(text: &str) -> Rootfs {
    let rootfs = Rootfs::new().with_shell();
    rootfs.add_file(FILE, text);
    rootfs
}

/// Unpacked from a layout by `cargo xtask rootfs`; what is in it: `xtask/src/test/layout.rs`.
#[test]
fn unpacked_image_runs_as_it_says() {
    require!(unpacked_image);
    require!(many_ids);
    let place = subject::unpacked().unwrap();
    let launch = || Launch::on_path(&place).option("--ephemeral");
    if crate::ability::overlay().and_then(|()| crate::ability::attributes_on_tmpfs()).is_err() {
        let expected = ["hello", "/srv/web", "33", "34", "/srv/web", "one two"];
        Launch::on_path(&place).run().ok().prints(&expected);
        return;
    }
    launch().run().ok().prints(&["hello", "/srv/web", "33", "34", "/srv/web", "one two"]);
    let script = "ls -d /gone /emptied/*; id -u; pwd; echo $GREETING; /probe exit 3";
    let launch = launch().option("--user=0").option("--workdir=/tmp").option("--env=GREETING=hi");
    let output = launch.command(["sh", "-c", script]).run().code(3);
    assert_eq!(output.lines(), ["/emptied/new", "0", "/tmp", "hi"], "{output}");
}

#[test]
fn words_win_over_the_image() {
    require!(busybox);
    let rootfs = saying(
        r#"{"Entrypoint": ["/probe", "exit"], "Cmd": ["5"], "Env": ["A=image", "B=image"],
        "WorkingDir": "/tmp"}"#,
    );
    Launch::on(&rootfs).run().code(5);
    Launch::on(&rootfs).probe("exit 6").run().code(6);
    let launch = || Launch::on(&rootfs).command(["/bin/sh", "-c", "pwd; echo $A $B"]);
    launch().run().ok().prints(&["/tmp", "image image"]);
    let changed = launch().option("--workdir=/etc").option("--env=A=word");
    changed.run().ok().prints(&["/etc", "word image"]);
    // As podman's --env-host: the image's own come later.
    let kept = launch().variable("A", "callers").variable("C", "callers").option("--keep-env");
    kept.run().ok().prints(&["/tmp", "image image"]);
}

#[test]
fn what_is_not_understood_is_an_error_and_starts_nothing() {
    for (text, part) in [
        ("{", "no JSON at byte 1"),
        ("[]", "no JSON object"),
        (r#"{"Cmd": "sh"}"#, "Cmd is no list"),
        (r#"{"Privileged": true}"#, "Privileged is unknown"),
        (r#"{"Mounts": ["/:/host"]}"#, "Mounts is unknown"),
        (r#"{"CapAdd": ["ALL"]}"#, "CapAdd is unknown"),
        (r#"{"Env": ["A"]}"#, "A of Env has no value"),
        (r#"{"User": "a:b:c"}"#, "User a:b:c is neither"),
        (r#"{"WorkingDir": "tmp"}"#, "WorkingDir tmp is not absolute"),
    ] {
        let rootfs = Rootfs::bare();
        rootfs.add_file(FILE, text);
        let before = rootfs.listing();
        let output = Launch::on(&rootfs).probe("exit 0").run();
        assert!(output.stderr.contains("it is to be what the image says"), "{output}");
        output.fails_with(125, part);
        assert_eq!(rootfs.listing(), before);
    }
}

/// The file is the container's: it may be anything.
#[test]
fn the_file_is_looked_up_inside_and_has_to_be_one() {
    let host = Rootfs::bare();
    host.add_file("outside", r#"{"Cmd": ["/probe", "exit", "9"]}"#);
    let outside = host.inside("outside");
    for target in [outside.to_str().unwrap(), "../../../outside", "/proc/self/environ"] {
        let rootfs = Rootfs::new();
        symlink(target, rootfs.inside(FILE)).unwrap();
        // Inside there is no such file.
        Launch::on(&rootfs).probe("exit 0").run().ok();
    }
    let rootfs = Rootfs::new();
    symlink("inside", rootfs.inside(FILE)).unwrap();
    rootfs.add_file("inside", r#"{"Cmd": ["/probe", "exit", "9"]}"#);
    Launch::on(&rootfs).run().code(9);

    let rootfs = Rootfs::new();
    crate::sys::make_fifo(&rootfs.inside(FILE)).unwrap();
    Launch::on(&rootfs).probe("exit 0").run().fails_with(125, "EINVAL");
    let rootfs = Rootfs::new();
    fs::create_dir(rootfs.inside(FILE)).unwrap();
    Launch::on(&rootfs).probe("exit 0").run().fails_with(125, "EINVAL");
    let rootfs = Rootfs::new();
    symlink(FILE, rootfs.inside(FILE)).unwrap();
    Launch::on(&rootfs).probe("exit 0").run().fails_with(125, "ELOOP");
    let large = fs::File::create(rootfs.path().join("large")).unwrap();
    large.set_len((1 << 20) + 1).unwrap();
    fs::remove_file(rootfs.inside(FILE)).unwrap();
    fs::rename(rootfs.inside("large"), rootfs.inside(FILE)).unwrap();
    Launch::on(&rootfs).probe("exit 0").run().fails_with(125, "EFBIG");
}

/// CVE-2024-21626: a working directory that is a descriptor of the host's.
#[test]
fn working_directory_of_an_image_leads_nowhere_out() {
    require!(busybox);
    let outer = |fd: i32| {
        let rootfs = saying(&format!(r#"{{"WorkingDir": "/proc/self/fd/{fd}"}}"#));
        let host = rootfs.path().parent().unwrap().to_path_buf();
        let output = Launch::on(&rootfs).directory(host).command(["/bin/sh", "-c", "ls ..; pwd"]);
        output.run()
    };
    for fd in pace::one_in(4, 3..24) {
        let output = outer(fd);
        let is_refused = output.status.code() == Some(125);
        assert!(is_refused || output.lines().contains(&"probe"), "descriptor {fd}\n{output}");
    }
    let rootfs = saying(r#"{"WorkingDir": "/../../../tmp/.."}"#);
    let output = Launch::on(&rootfs).command(["/bin/sh", "-c", "ls; pwd"]).run().ok();
    assert!(output.lines().contains(&"probe") && output.lines().ends_with(&["/"]), "{output}");
}

#[test]
fn user_of_an_image_that_the_container_does_not_have() {
    for_user!();
    let rootfs = Rootfs::new();
    rootfs.add_file(FILE, r#"{"User": "33"}"#);
    let launch = || Launch::on(&rootfs).option("--userns=single").probe("exit 0");
    launch()
        .run()
        .fails_with(125, "it is the User of the rootfs's .launcher.json; --user 0 is root");
    launch().option("--user=0").run().ok();
}

/// What says whom the services are for is not the image's to say.
#[test]
fn an_image_is_no_service_manager() {
    require!(busybox);
    let rootfs = saying(r#"{"Env": ["LISTEN_FDS=3", "LISTEN_PID=1", "NOTIFY_SOCKET=/x"]}"#);
    let script = "echo \"${LISTEN_FDS-none} ${NOTIFY_SOCKET-none}\"";
    Launch::on(&rootfs).command(["/bin/sh", "-c", script]).run().ok().prints(&["none none"]);
}

#[test]
fn explain_says_that_there_is_such_a_file() {
    require!(busybox);
    let rootfs = saying(r#"{"Cmd": ["/bin/sh", "-x"], "WorkingDir": "/tmp"}"#);
    let output = Launch::on(&rootfs).option("--explain").run().ok();
    for part in ["/bin/sh -x", "in /tmp,", "as .launcher.json of the rootfs says"] {
        assert!(output.stdout.contains(part), "{part}\n{output}");
    }
}
