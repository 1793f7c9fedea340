//! On privileges that were not meant to be had.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::{attempt, inside, modes, on_host_as, refused, tell};
use crate::launch::Launch;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{ability, subject, sys};

/// CVE-2022-0185 and 2023-0386: the mount API and overlays are for who may mount. In a user
/// namespace of one's own anybody may, as under podman; the kernel's
/// `user.max_user_namespaces` decides.
#[test]
fn file_systems_cannot_be_made() {
    let open = "call fsopen 0 0 0";
    refused(open, &["EPERM"]);
    refused("mount /tmp overlay", &["EPERM"]);
    // With the right to it, what is not there is looked for.
    assert_eq!(inside(&["--cap-add=sys_admin"], open), "EFAULT");
    // Before Linux 5.11 that is no overlay's user namespace.
    if !ability::kernel_is_before(5, 11) {
        assert_ne!(inside(&["--cap-add=sys_admin"], "mount /tmp overlay"), "EPERM");
    }
    // What an overlay would bring in of another owner's comes from one of these.
    refused("open /dev/fuse", &["ENOENT"]);
    refused("nested open /dev/fuse", &["ENOENT"]);
    if sys::uid() == 0 && fs::metadata("/dev/fuse").is_ok() {
        assert_eq!(inside(&["--device=/dev/fuse", "--userns=identity"], "open /dev/fuse"), "ok");
    }
}

/// A namespace of one's own gives nothing over what is outside it.
#[test]
fn root_of_a_nested_namespace_is_no_more() {
    for (words, errnos) in [
        ("open /proc/sys/kernel/core_pattern", &["EACCES", "EROFS"][..]),
        ("mknod /tmp/node", &["EPERM"]),
        ("umount /proc", &["EINVAL", "EPERM"]),
        ("remount /sys", &["EPERM"]),
        ("ptrace 1", &["EPERM"]),
        ("setns /proc/1/ns/mnt", &["EACCES", "EPERM"]),
        ("read /proc/1/root/etc", &["EACCES", "EPERM"]),
    ] {
        refused(&format!("nested {words}"), errnos);
    }
}

/// What container root leaves on a bind with the set-user-id bit, for somebody on the host to run.
/// It is never more than who started the launcher; and root's own only where root lets it write.
#[test]
fn set_user_id_program_on_a_bind_is_at_most_the_callers() {
    let source = temporary_path("bind");
    fs::create_dir(&source).unwrap();
    fs::set_permissions(&source, fs::Permissions::from_mode(0o777)).unwrap();
    for mode in modes() {
        for options in ["", ":noidmap"] {
            let bind = format!("--bind={}:/tmp{options}", source.display());
            let launch = Launch::new().option("--userns").arg(mode).option(bind);
            launch.probe("try create /tmp/program x").run().ok().prints(&["ok"]);
            let program = source.join("program");
            let owner = program.metadata().unwrap().uid();
            fs::remove_file(program).unwrap();
            let is_range = owner >= 524_288;
            assert!(owner == sys::uid() || is_range, "{mode}{options}: {owner}");
            let whose = if owner == sys::uid() { "the caller's" } else { "an id of the range's" };
            tell(&format!("{SET_UID}{options}"), &format!("mode {mode}"), whose);
            // Before Linux 5.12 root has no range, and is warned.
            let has_range = sys::uid() == 0 && mode == "auto" && !ability::kernel_is_before(5, 12);
            assert!(!has_range || options.is_empty() || owner != 0);
        }
        let bind = format!("--bind={}:/tmp:ro", source.display());
        let found = attempt(&["--userns", mode, &bind], "create /tmp/program x");
        tell(&format!("{SET_UID}:ro"), &format!("mode {mode}"), &found);
        assert_eq!(found, "EROFS");
    }
    fs::remove_dir(source).unwrap();
}

const SET_UID: &str = "a file for the host to run, by --bind DIR:/tmp";

/// Capabilities that a file could bring back (CVE-2022-24769): there are where they were asked for.
#[test]
fn inheritable_capabilities_are_those_that_were_asked_for() {
    const INHERITABLE: &str = "inheritable capabilities";
    for mode in modes() {
        let launch = Launch::new().option("--userns").arg(mode);
        let output = launch.probe("status CapInh").run().ok();
        let is_none = output.fact("CapInh").bytes().all(|digit| digit == b'0');
        tell(INHERITABLE, &format!("mode {mode}"), if is_none { "none" } else { "some" });
        assert!(is_none, "{mode}: {output}");
    }
    if ability::many_ids().is_ok() {
        let launch = Launch::new().option("--user=1").option("--cap-add=chown");
        let output = launch.probe("status CapInh").run().ok();
        assert!(output.fact("CapInh").ends_with('1'), "{output}");
        tell(INHERITABLE, "--user=1 --cap-add=chown", "ok");
    }
}

/// CVE-2020-5291: a launcher that is set-user-id is one that its caller may trace.
#[test]
fn launcher_has_no_privilege_of_its_own() {
    let mode = subject::launcher().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o6000, 0);
    tell("a set-user-id launcher to be traced", "mode auto", "it is none");
}

/// CVE-2016-8659: whoever has the ids of container root on the host has no say over the set-up, nor
/// over PID 1, which hold what is the launcher's.
#[test]
fn id_of_container_root_is_no_key_to_its_processes() {
    crate::ability::for_root!();
    let rootfs = Rootfs::new();
    let running = Launch::on(&rootfs).option("--userns=auto").probe("sleep 60").start();
    running.wait_for("ready");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", running.pid()));
    let init = children.unwrap().trim().to_owned();
    let status = fs::read_to_string(format!("/proc/{init}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    let uid = line.split_whitespace().next().unwrap().parse::<u32>().unwrap();
    let as_user = |words: &str| on_host_as(uid, words);
    for words in [
        format!("ptrace {init}"),
        format!("memory {init}"),
        format!("descriptor {init} 3"),
        format!("setns /proc/{init}/ns/user"),
        format!("list /proc/{init}/root"),
    ] {
        let by_root = on_host_as(0, &words);
        assert_ne!(by_root, "EPERM", "{words}");
        if uid != 0 {
            let found = as_user(&words);
            let words = format!("{} (by its id)", words.replace(&init, "INIT"));
            tell(&words, "host", &by_root);
            tell(&words, "mode auto", &found);
            assert!(["EPERM", "EACCES"].contains(&found.as_str()), "{words}: {found}");
        }
    }
}

/// The way to nf_tables and the mount API that a namespace of one's own is, shut.
#[test]
fn user_namespaces_can_be_forbidden() {
    assert_eq!(inside(&["--unmask"], "unshare-user"), "ok");
    for mode in modes() {
        let found = attempt(&["--disable-userns", "--userns", mode], "unshare-user");
        tell("unshare-user", &format!("mode {mode}"), &found);
        assert_eq!(found, if mode == "none" { "EPERM" } else { "ENOSPC" }, "{mode}");
        let raise = "write /proc/sys/user/max_user_namespaces 9";
        let found = attempt(&["--disable-userns", "--userns", mode], raise);
        assert!(["EACCES", "EROFS"].contains(&found.as_str()), "{mode}: {found}");
    }
    let launch = Launch::new().option("--disable-userns").option("--cap-add=ALL");
    launch.probe("exit 0").run().fails_with(125, "which could allow them again");
}
