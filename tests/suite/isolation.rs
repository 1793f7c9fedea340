//! What of the caller reaches the command: only what is meant to.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use crate::ability::{for_root, require};
use crate::cgroups::init_of;
use crate::launch::Launch;
use crate::mounts::modes;
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys;

/// podman's default set.
const CAPABILITIES: &str = "00000000800405fb";
const NONE: &str = "0000000000000000";

const CAPS: &str = "status CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs";

#[test]
fn root_inside_has_exactly_the_default_capabilities() {
    for mode in modes() {
        let output = Launch::new().option("--userns").arg(mode).probe(CAPS).run().ok();
        for name in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(output.fact(name), CAPABILITIES, "{mode} {name}");
        }
        for name in ["CapInh", "CapAmb"] {
            assert_eq!(output.fact(name), NONE, "{mode} {name}");
        }
        assert_eq!(output.fact("NoNewPrivs"), "1");
    }
}

#[test]
fn another_user_has_no_capabilities() {
    require!(many_ids);
    let output = Launch::new().option("--user=1000").probe(CAPS).run().ok();
    for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(output.fact(name), NONE, "{name}");
    }
    assert_eq!(output.fact("CapBnd"), CAPABILITIES);
    assert_eq!(output.fact("NoNewPrivs"), "1");
}

/// The numbers of the descriptors that are open inside.
fn open_inside(launch: Launch) -> Vec<String> {
    let output = launch.probe("fds").run().ok();
    output.lines().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn stray_descriptors_do_not_reach_the_command() {
    let root = File::open("/").unwrap();
    let mut launch = Launch::new();
    for number in 3..203 {
        launch = launch.descriptor(root.try_clone().unwrap(), number);
    }
    assert_eq!(open_inside(launch), ["0", "1", "2"]);
}

#[test]
fn keep_fd_hands_a_descriptor_on() {
    let root = File::open("/").unwrap();
    let launch = [7, 8, 9]
        .into_iter()
        .fold(Launch::new(), |launch, number| launch.descriptor(root.try_clone().unwrap(), number));
    let launch = launch.option("--keep-fd=7").option("--keep-fd").arg("9");
    assert_eq!(open_inside(launch), ["0", "1", "2", "7", "9"]);
}

#[test]
fn kept_pipe_ends_with_the_command() {
    require!(busybox);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let rootfs = Rootfs::new().with_shell();
    let launch = Launch::on(&rootfs).descriptor(writer, 5);
    let launch = launch.option("--keep-fd=5").command(["/bin/sh", "-c", "echo through >&5"]);
    launch.run().ok();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through\n");
}

#[test]
fn no_pipe_of_the_callers_is_held_open_by_what_the_launcher_leaves() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = Launch::new().descriptor(writer, 5).probe("sleep 20").start();
    running.wait_for("ready");
    running.signal(libc::SIGKILL);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

#[test]
fn command_leads_a_session_without_a_terminal() {
    let output = Launch::new().probe("session").run().ok();
    assert_eq!((output.fact("session"), output.fact("group")), ("2", "2"));
    assert_eq!((output.fact("foreground"), output.fact("controlling")), ("none", "ENXIO"));
}

#[test]
fn program_of_pid_1_cannot_be_written() {
    for mode in modes() {
        let launch = Launch::new().option("--userns").arg(mode);
        let output = launch.probe("try open /proc/1/exe").run().ok();
        output.prints_one_of(&["EACCES", "EPERM", "ETXTBSY"]);
    }
}

#[test]
fn pid_1_cannot_be_traced_killed_or_stopped() {
    Launch::new().probe("try ptrace 1").run().ok().prints(&["EPERM"]);
    Launch::new().probe("try kill 1 9").run().ok().prints(&["ok"]);
    Launch::new().probe("try kill 1 19").run().ok().prints(&["ok"]);
}

#[test]
fn file_of_the_host_cannot_be_named_from_inside() {
    let outside = temporary_path("outside");
    std::fs::write(&outside, "x").unwrap();
    let rootfs = Rootfs::new();
    let path = outside.to_string_lossy();
    for place in [path.to_string(), format!("/../../..{path}"), format!("/proc/1/cwd{path}")] {
        let launch = Launch::on(&rootfs).probe(&format!("try read {place}"));
        launch.run().ok().prints_one_of(&["ENOENT", "EACCES"]);
    }
    std::os::unix::fs::symlink(&outside, rootfs.inside("link")).unwrap();
    Launch::on(&rootfs).probe("try read /link").run().ok().prints(&["ENOENT"]);
    std::fs::remove_file(outside).unwrap();
}

/// Who has its file open writes nothing to it (CVE-2019-5736), even if the kernel lets executables be
/// written to.
#[test]
fn file_of_init_is_sealed() {
    // It hides its /proc/PID/exe from others.
    for_root!();
    let running = Launch::new().probe("sleep 1000").start();
    running.wait_for("ready");
    let file = File::open(format!("/proc/{}/exe", init_of(running.pid()))).unwrap();
    let all = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    assert_eq!(sys::seals(&file).unwrap(), all);
}

#[test]
fn set_user_id_programs_give_nothing() {
    use std::os::unix::fs::PermissionsExt;
    require!(many_ids);
    let rootfs = Rootfs::new();
    std::fs::set_permissions(rootfs.inside("probe"), std::fs::Permissions::from_mode(0o4755))
        .unwrap();
    let launch = Launch::on(&rootfs).option("--user=1000").probe("status Uid CapEff");
    let output = launch.run().ok();
    assert_eq!(output.fact("Uid"), "1000 1000 1000 1000");
    assert_eq!(output.fact("CapEff"), NONE);
    assert_eq!(rootfs.inside("probe").metadata().unwrap().uid(), sys::uid());
}
