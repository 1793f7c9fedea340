//! On processes: the host's, and the container's own first one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{attempt, inside, modes, on_host, refused, tell};
use crate::ability::require;
use crate::launch::Launch;
use crate::pace;
use crate::person::Person;
use crate::rootfs::Rootfs;
use crate::subject;

/// Signals, traces and writes to the memory of a process of the host's, by its number there.
#[test]
fn processes_of_the_host_have_no_number_inside() {
    assert_eq!(on_host("kill HOST 0"), "ok");
    refused("kill HOST 0", &["ESRCH"]);
    for words in [
        "ptrace HOST",
        "call prlimit64 HOST 7 0",
        "call pidfd_open HOST 0 0",
        "memory HOST",
        "write-memory HOST",
    ] {
        assert_ne!(on_host(words), "ESRCH");
        refused(words, &["ESRCH"]);
    }
}

/// CVE-2019-5736: the command is a script whose interpreter is whoever executes it, and which thus
/// gets hold of that program's file.
#[test]
fn who_executes_the_command_is_not_executed_by_it() {
    let rootfs = Rootfs::new();
    for interpreter in ["/proc/1/exe", "/dev/fd/3", "/proc/self/fd/3"] {
        fs::write(rootfs.inside("script"), format!("#!{interpreter}\n")).unwrap();
        fs::set_permissions(rootfs.inside("script"), fs::Permissions::from_mode(0o755)).unwrap();
        let output = Launch::on(&rootfs).command(["/script"]).run();
        assert!(matches!(output.status.code(), Some(126 | 127)), "{interpreter}: {output}");
    }
    // By this name it is init again, which would execute the script again, and so on.
    fs::write(rootfs.inside("script"), "#!/proc/self/exe\n").unwrap();
    for name in ["/script", "script"] {
        let launch = Launch::on(&rootfs).option("--env=PATH=/").command([name, "word"]);
        launch.run().fails_with(126, "script: ELOOP (links or interpreters lead in a circle)");
    }
    for words in ["open /proc/1/exe", "write /proc/PID/mem", "read /proc/PID/maps"] {
        if words.contains("PID") {
            assert!(["ok", "EIO"].contains(&on_host(words).as_str()), "{words}");
        }
        refused(words, &["EACCES", "EPERM"]);
    }
    // Whoever may look into PID 1 finds a file that nobody can write, and that is not the host's.
    let found = inside(&["--cap-add=sys_ptrace"], "open /proc/1/exe");
    assert!(["ETXTBSY", "EPERM", "EACCES"].contains(&found.as_str()), "{found}");
}

/// CVE-2024-21626: a working directory that is a descriptor of the launcher's.
#[test]
fn working_directory_is_no_descriptor_that_was_left_open() {
    const LEFT_OPEN: &str = "a descriptor of the launcher's to start in";
    for number in pace::sample(0..40) {
        for path in [format!("/proc/self/fd/{number}"), format!("/proc/1/fd/{number}/..")] {
            let output = Launch::new().option("--workdir").arg(&path).probe("place").run();
            assert_eq!(output.status.code(), Some(125), "{path}: {output}");
        }
    }
    tell(LEFT_OPEN, "mode auto", "no start");
    // One that the caller hands on leads to the host, as it was asked to.
    let root = fs::File::open("/usr").unwrap();
    let launch = Launch::new().descriptor(root, 7).option("--keep-fd=7");
    let output = launch.option("--workdir=/proc/self/fd/7").probe("place").run();
    if output.status.success() {
        assert_ne!(output.fact("cwd"), "/");
        tell(LEFT_OPEN, "--keep-fd=7", "ok");
    }
}

/// What PID 1 has open and where it stands: the socket that leads to the launcher is among it.
#[test]
fn what_pid_1_holds_cannot_be_taken() {
    for words in [
        "memory PID",
        "write-memory PID",
        "descriptor PID 0",
        "read /proc/PID/fd/0",
        "list /proc/PID/map_files",
        "list /proc/PID/cwd/",
        "list /proc/PID/root/",
        "read /proc/PID/mem",
        "open /proc/PID/mem",
        "read /proc/PID/environ",
        "read /proc/PID/exe",
    ] {
        let host = on_host(words);
        assert!(["ok", "EFAULT", "EIO"].contains(&host.as_str()), "{words}: {host}");
        refused(words, &["EPERM", "EACCES"]);
        // Root of a user namespace of its own, all capabilities and no filter do not help.
        refused(&format!("nested {words}"), &["EPERM", "EACCES"]);
    }
    for number in 0..10 {
        for mode in pace::in_turn(&modes(), number) {
            let found = attempt(&["--userns", mode], &format!("descriptor 1 {number}"));
            assert_eq!(found, "EPERM", "{mode}: {number}");
        }
    }
}

/// Whoever may trace PID 1 (`--cap-add=sys_ptrace`) has its channel to the launcher, who must not
/// take a process of the host's for the container because of what comes from there.
#[test]
fn launcher_takes_no_process_of_the_hosts_for_the_container() {
    let mut victim = Command::new(subject::probe()).args(["sleep", "60"]).spawn().unwrap();
    let words = format!("forge {}", victim.id());
    let found = attempt(&[], &words);
    tell(FORGE, "mode auto", &found);
    assert_eq!(found, "EPERM");
    let launch = Launch::new().option("--cap-add=sys_ptrace").probe(&format!("try {words}"));
    let output = launch.run();
    let ended = victim.try_wait().unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!((output.stdout.trim_end(), ended), ("ok", None), "{output}");
    tell(FORGE, "--cap-add=sys_ptrace", "ok");
    output.ok();
}

const FORGE: &str = "forge PID-OF-THE-HOSTS";

/// Nor another child of its own, such as who gives the terminal its modes back.
#[test]
fn launcher_takes_no_other_child_of_its_own_for_the_container() {
    require!(terminals);
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    let mut person = Person::new();
    let script =
        "echo re''ady; read pids; for pid in $pids; do /probe try forge $pid; done; exit 7";
    let launch = Launch::on(&rootfs).option("--cap-add=sys_ptrace");
    let running = person.start(launch.command(["/bin/sh", "-c", script]));
    person.sees("ready\r\n");
    let children = format!("/proc/{0}/task/{0}/children", running.pid());
    let children = fs::read_to_string(children).unwrap();
    assert_eq!(children.split_whitespace().count(), 2, "{children}: the container, and that one");
    person.types(&format!("{children}\r"));
    person.sees("ok\r\nok\r\n");
    running.finish().code(7);
}
