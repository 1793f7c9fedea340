//! Containers in containers.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::ability::{for_root, require};
use crate::launch::Launch;
use crate::rootfs::{FORKING, Rootfs};
use crate::{ability, subject, sys};

/// A launcher and a smaller root file system inside each root file system.
fn nested(depth: usize) -> Rootfs {
    let rootfs = Rootfs::new();
    let mut place = String::new();
    for _ in 0..depth {
        rootfs.add_program(&format!("{place}launcher"), &subject::launcher());
        place += "next/";
        fs::create_dir(rootfs.inside(&place)).unwrap();
        rootfs.add_program(&format!("{place}probe"), &subject::probe());
    }
    rootfs
}

/// The modes in which container root is not the host's root.
fn modes() -> Vec<&'static str> {
    if sys::uid() != 0 {
        return vec!["auto", "single"];
    }
    match ability::idmapped_mounts() {
        Ok(()) => vec!["range"],
        Err(_) => Vec::new(),
    }
}

#[test]
fn launchers_nest_three_deep() {
    let rootfs = nested(2);
    for mode in modes() {
        let inner = ["/launcher", "/next", "/launcher", "/next", "/probe"];
        let run = |words: &[&str]| {
            let launch = Launch::on(&rootfs).option("--userns").arg(mode);
            launch.command([&inner[..], words].concat()).run()
        };
        run(&["exit", "7"]).code(7);
        run(&["die", "15"]).code(143);
        run(&["processes"]).ok().prints(&["1 0 init", "2 1 probe"]);
        run(&["try", "open", "/proc/sys/kernel/core_pattern"])
            .ok()
            .prints_one_of(&["EACCES", "EROFS"]);
    }
}

#[test]
fn signals_reach_the_innermost_command() {
    let rootfs = nested(2);
    for mode in modes() {
        let words = ["/launcher", "/next", "/launcher", "/next", "/probe", "trap", "15"];
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        let running = launch.command(words).start();
        running.wait_for("ready");
        sys::queue(running.pid(), 40, 0x99).unwrap();
        running.wait_for("signal 40 code -1 value 0x99");
        running.signal(libc::SIGTERM);
        running.finish().ok();
    }
}

#[test]
fn nested_launcher_has_single_and_explicit_maps() {
    let rootfs = nested(1);
    for mode in modes() {
        for option in ["--userns=auto", "--userns=single", "--uid-map=0:0:1"] {
            let words = ["/launcher", option, "/next", "/probe", "exit", "3"];
            let launch = Launch::on(&rootfs).option("--userns").arg(mode);
            launch.command(words).run().code(3);
        }
    }
}

#[test]
fn below_the_hosts_root_nesting_is_refused_with_the_reason() {
    for_root!();
    let rootfs = nested(1);
    let reason = "launcher: cannot create the container's namespaces: ENOSPC (No space left on device); \
         the sysctl user.max_user_namespaces is reached (0 in a container that may make none: see \
         \"Nesting\" in the README), or the kernel's depth of 32; root can do without one: --userns \
         none";
    for mode in ["identity", "single"] {
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        launch.command(["/launcher", "/next", "/probe", "exit", "0"]).run().fails(125, reason);
    }
}

#[test]
fn busyboxs_unshare_works_inside() {
    require!(busybox);
    let rootfs = Rootfs::new().with_shell();
    for mode in modes() {
        let unshare = ["/bin/busybox", "unshare", "-r", "-m", "-p", "-f", "--mount-proc"];
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        let output = launch.command([&unshare[..], &["/probe", "processes"]].concat()).run().ok();
        output.prints(&["1 0 probe"]);
    }
}

/// bwrap and the libraries it asks for.
fn add_bwrap(rootfs: &Rootfs) {
    let bwrap = subject::tool("bwrap").unwrap();
    fs::create_dir_all(rootfs.inside("bin")).unwrap();
    rootfs.add_program("bin/bwrap", &bwrap);
    // The dynamic loader lists what it would load: `NAME => PATH (ADDRESS)`, or its own path.
    let forking = FORKING.read();
    let listed = Command::new(&bwrap).env("LD_TRACE_LOADED_OBJECTS", "1").output().unwrap();
    drop(forking);
    for word in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        let path = PathBuf::from(word);
        if path.is_absolute() && path.is_file() {
            let inside = path.strip_prefix("/").unwrap().to_string_lossy().into_owned();
            fs::create_dir_all(rootfs.inside(&inside).parent().unwrap()).unwrap();
            rootfs.add_program(&inside, &path);
        }
    }
}

#[test]
fn bwrap_works_inside() {
    require!(bwrap);
    let rootfs = Rootfs::new();
    add_bwrap(&rootfs);
    let bwrap = "/bin/bwrap --unshare-all --bind / / --proc /proc --dev /dev";
    let bwrap = bwrap.split(' ').collect::<Vec<_>>();
    for mode in modes() {
        let run = |words: &[&str]| {
            let launch = Launch::on(&rootfs).option("--userns").arg(mode);
            launch.command([&bwrap[..], words].concat()).run()
        };
        run(&["/probe", "exit", "5"]).code(5);
        run(&["/probe", "processes"]).ok();
    }
}

#[test]
fn nested_user_namespaces_may_be_made() {
    for mode in modes() {
        let launch = Launch::new().option("--userns").arg(mode);
        launch.probe("try unshare-user").run().ok().prints(&["ok"]);
    }
    // Without one, the mounts are not ours to change.
    Launch::new().probe("try unshare-mount").run().ok().prints(&["EPERM"]);
}

#[test]
fn root_of_a_user_namespace_without_mounts_of_its_own_can_start() {
    let launch = Launch::new().probe("processes").through_shell("exec unshare -Ur \"$@\"");
    launch.run().ok().prints(&["1 0 init", "2 1 probe"]);
}
