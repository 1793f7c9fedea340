//! CVE-2019-5736: who is in a container gets hold of the launcher's own program while that goes in, by
//! /proc/PID/exe, keeps it open, and writes to it as soon as nobody runs it: from the next start on it is
//! root on the host.
//!
//! What is attacked is a copy, made for the test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{modes, tell};
use crate::ability::require;
use crate::launch::Launch;
use crate::pace::patience;
use crate::rootfs::{FORKING, Rootfs, temporary_path};
use crate::{subject, sys};

/// Goes into the container by chroot(8), which executes the command and stays nowhere, and is one file. The
/// image has a link where its command should be, so that it is that file that runs inside.
const NAIVE: &str = r#"
"$BUSYBOX" mount -t proc proc "$ROOT/proc" || exit
("$BUSYBOX" chroot "$ROOT" /probe try overwrite "$NAME" "$LIMIT"; : > "$ROOT/done") &
until [ -e "$ROOT/done" ]; do "$NAIVE" chroot "$ROOT" /sleep 0.2; done 2> /dev/null"#;

#[test]
fn naive_launcher_is_overwritten() {
    require!(busybox);
    let busybox = subject::rootfs().join("bin/busybox");
    let rootfs = image();
    // By this beginning of its name it is busybox.
    let naive = copy_of(&busybox, "busybox");
    let ids: &[&str] = if sys::uid() == 0 { &[] } else { &["-U", "-r"] };
    let mut command = Command::new(&busybox);
    command.arg("unshare").args(ids).args(["-m", "-p", "-f", "sh", "-c", NAIVE]);
    command.env("BUSYBOX", &busybox).env("ROOT", rootfs.path());
    command.env("NAIVE", &naive).env("NAME", naive.file_name().unwrap());
    command.env("LIMIT", patience(Duration::from_secs(20)).as_millis().to_string());
    let no_copying = FORKING.read();
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(no_copying);
    let found = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    tell(WORDS, "busybox chroot", found.trim_end());
    let now = fs::read(&naive).unwrap();
    fs::remove_file(&naive).unwrap();
    assert_eq!((found.trim_end(), now.as_slice()), ("ok", &b"overwritten"[..]));
}

#[test]
fn launcher_is_not_overwritten() {
    let launcher = copy_of(&subject::launcher(), "launcher");
    let name = launcher.file_name().unwrap().to_str().unwrap().to_owned();
    for mode in modes() {
        let rootfs = image();
        let ours = || Launch::on(&rootfs).program(&launcher).option("--userns").arg(mode);
        // The same program goes into the same tree again and again, with the same image's command.
        let attack = |options: &[&str], name: &str| {
            let launch = options.iter().fold(ours(), |launch, option| launch.option(*option));
            let mut attack = launch.probe(&format!("try overwrite {name} 500")).start();
            let mut starts = 0;
            while attack.try_wait().is_none() {
                let output = ours().command(["/sleep", "0.1"]).run();
                assert_eq!(output.status.code(), Some(127), "{output}");
                starts += 1;
            }
            assert!(starts > 0);
            attack.finish().ok().stdout.trim_end().to_owned()
        };
        let found = attack(&[], "/");
        tell(WORDS, &format!("mode {mode}"), &found);
        assert_eq!(found, "EACCES", "{mode}");
        // Whoever may look into all there is inside finds no process that runs that file; PID 1 runs one that
        // has no name.
        let may_look = ["--cap-add=sys_ptrace", "--unmask"];
        assert_eq!(attack(&may_look, &name), "ESRCH", "{mode}");
        assert_eq!(attack(&may_look, "/memfd:init"), "ETXTBSY", "{mode}");
        assert!(fs::read(&launcher).unwrap() == fs::read(subject::launcher()).unwrap(), "{mode}");
    }
    fs::remove_file(&launcher).unwrap();
}

const WORDS: &str = "overwrite LAUNCHER";

/// Whose command is who executes it.
fn image() -> Rootfs {
    let rootfs = Rootfs::new();
    symlink("/proc/self/exe", rootfs.inside("sleep")).unwrap();
    rootfs
}

fn copy_of(program: &Path, name: &str) -> PathBuf {
    let _no_fork = FORKING.write();
    let copy = temporary_path(name);
    fs::copy(program, &copy).unwrap();
    copy
}
