//! On the kernel and what it keeps for all of the machine.

use std::os::unix::fs::MetadataExt;

use super::{attempt, inside, modes, on_host, on_host_as, refused, tell};
use std::os::unix::fs::FileTypeExt;

use crate::ability::{self, for_root};
use crate::launch::Launch;
use crate::pace;
use crate::rootfs::Rootfs;
use crate::sys;

/// "Shocker": a file handle names an inode of the rootfs's file system, inside the rootfs or not.
#[test]
fn file_handles_open_nothing() {
    if sys::uid() == 0 {
        assert_eq!(on_host("handle /"), "ok");
    }
    refused("handle /", &["EPERM"]);
    // Not the filter alone stands in the way.
    assert_eq!(inside(&["--seccomp=none"], "handle /"), "EPERM");
}

/// reboot(2) with the right to it ends the container and not the machine.
#[test]
fn reboot_ends_the_container_at_most() {
    let reboot = format!("call reboot {} 672274793 {}", 0xfee1_dead_u32, 0x0123_4567);
    refused(&reboot, &["EPERM"]);
    let launch = Launch::new().option("--cap-add=sys_boot").probe(&format!("try {reboot}"));
    let output = launch.run();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output}");
    tell(&reboot, "--cap-add=sys_boot", "the container's end");
}

#[test]
fn kernel_and_its_modules_stay() {
    /// What root is never kept from. None of all does harm: segments, descriptors and addresses are
    /// looked at behind the right to it, and are none.
    const SAFE: [&str; 3] = ["swapon", "bpf", "perf_event_open"];
    for words in [
        "call kexec_load 0 17 0",
        "call kexec_file_load 999 999 0",
        "call init_module 0 0 0",
        "call finit_module 999 0 0",
        "call delete_module 0 0 0",
        "call swapon 0 0 0",
        "call acct 1 0 0",
        "call bpf 5 0 0",
        "call perf_event_open 0 0 0",
    ] {
        refused(words, &["EPERM"]);
        // Lockdown and the like may keep root from the others.
        if sys::uid() == 0 {
            let is_let_through = on_host(words) != "EPERM";
            assert!(is_let_through || !SAFE.iter().any(|name| words.contains(name)), "{words}");
        }
        // The filter is not the only wall: without it and with all capabilities it is no better.
        let found = inside(&["--seccomp=none", "--cap-add=ALL"], words);
        assert_ne!(found, "ok", "{words}");
    }
}

/// The clock of a time namespace has an offset; the machine's is the machine's.
#[test]
fn clock_cannot_be_set() {
    let set = "call clock_settime 0 0";
    for options in [&["--seccomp=none"][..], &["--seccomp=none", "--cap-add=ALL"]] {
        assert!(["EPERM", "EFAULT"].contains(&inside(options, set).as_str()), "{options:?}");
    }
    refused(set, &["EPERM"]);
    if sys::uid() == 0 {
        on_host(set);
    }
}

/// Frames of one's own making on the network.
#[test]
fn packets_cannot_be_forged() {
    let open = "call socket 17 3 768";
    refused(open, &["EPERM"]);
    assert_eq!(inside(&["--cap-add=net_raw"], open), "ok");
}

/// CVE-2022-0492: who may write to a cgroup's files may name a program that the kernel runs on the
/// host.
#[test]
fn cgroups_cannot_be_written() {
    for words in [
        "create /sys/fs/cgroup/release_agent /x",
        "mkdir /sys/fs/cgroup/more",
        "open /sys/fs/cgroup/cgroup.procs",
    ] {
        refused(words, &["EROFS", "EACCES", "EPERM", "ENOENT"]);
    }
    for_root!();
    // On the host, in whichever hierarchies there are; the agent's name is in those of version 1.
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted = table.lines().filter(|line| line.contains(" - cgroup"));
    let mut tried = false;
    for folder in mounted.filter_map(|line| line.split(' ').nth(4)) {
        if std::fs::exists(format!("{folder}/release_agent")).unwrap() {
            assert_eq!(on_host_as(0, &format!("open {folder}/release_agent")), "ok");
            tell("create /sys/fs/cgroup/release_agent /x", "host", "ok");
        }
        if std::fs::exists(format!("{folder}/cgroup.procs")).unwrap() {
            assert_eq!(on_host_as(0, &format!("open {folder}/cgroup.procs")), "ok");
            tell("open /sys/fs/cgroup/cgroup.procs", "host", "ok");
            let more = format!("{folder}/more-{}", std::process::id());
            assert_eq!(on_host_as(0, &format!("mkdir {more}")), "ok");
            std::fs::remove_dir(more).unwrap();
            tell("mkdir /sys/fs/cgroup/more", "host", "ok");
            tried = true;
        }
    }
    if !tried {
        println!("no cgroup file system is mounted here to try it on");
    }
}

/// Of ours, of version 2.
fn owner_of_cgroup() -> Option<u32> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(std::fs::metadata(format!("/sys/fs/cgroup{path}")).ok()?.uid())
}

/// A cgroup file system of one's own, with that file in it: the way round the read-only one.
#[test]
fn cgroups_cannot_be_mounted() {
    refused("mount /tmp cgroup", &["EPERM"]);
    refused("mount /tmp cgroup2", &["EPERM"]);
    // Version 1 is that of the initial user namespace alone.
    refused("nested mount /tmp cgroup", &["EPERM", "ENODEV"]);
    assert_eq!(inside(&["--cap-add=sys_admin"], "mount /tmp cgroup2"), "ok");
    // That of version 2 can be mounted in a namespace of one's own, and belongs to the host's root:
    // whoever is not that makes none, but in a cgroup that was delegated to them.
    let is_delegated = sys::uid() != 0 && owner_of_cgroup() == Some(sys::uid());
    refused("nested make-cgroup", if is_delegated { &["ok"] } else { &["EACCES"] });
    if sys::uid() == 0 {
        assert_eq!(inside(&["--userns=identity", "--unmask"], "nested make-cgroup"), "ok");
    }
    // Where there is no user namespace, the right to mount is enough.
    if sys::uid() == 0 && crate::ability::pivot_root().is_ok() {
        let options = ["--userns=none", "--share=cgroup", "--cap-add=sys_admin", "--unmask"];
        assert_ne!(inside(&options, "mount /tmp cgroup"), "EPERM");
    }
}

/// What the kernel has to say goes to those who may ask.
#[test]
fn kernel_log_cannot_be_read() {
    const SIZE_OF_UNREAD: usize = 9;
    let ask = format!("call syslog {SIZE_OF_UNREAD} 0 0");
    if sys::uid() == 0 {
        assert_eq!((on_host(&ask).as_str(), on_host("open /dev/kmsg").as_str()), ("ok", "ok"));
    }
    refused(&ask, &["EPERM"]);
    refused("open /dev/kmsg", &["ENOENT"]);
    if sys::uid() == 0 {
        on_host("open /proc/kmsg");
    }
    refused("open /proc/kmsg", &["EPERM", "EACCES", "EROFS", "ENOENT"]);
    assert_eq!(inside(&["--seccomp=none", "--cap-add=ALL"], &ask), "EPERM");
}

/// Settings of the whole machine, the first of which name programs that the kernel runs.
#[test]
fn settings_of_the_machine_stay() {
    for name in [
        "kernel/core_pattern",
        "kernel/modprobe",
        "kernel/hotplug",
        "kernel/sysrq",
        "kernel/kptr_restrict",
        "kernel/panic",
        "fs/suid_dumpable",
        "fs/file-max",
        "vm/overcommit_memory",
        "vm/drop_caches",
    ] {
        let open = format!("open /proc/sys/{name}");
        if !std::fs::exists(format!("/proc/sys/{name}")).unwrap() {
            continue;
        }
        refused(&open, &["EACCES", "EROFS", "ENOENT"]);
        if sys::uid() == 0 && on_host(&open) == "ok" {
            // With the host's root and nothing over it, it is there to be written.
            assert_eq!(inside(&["--userns=identity", "--unmask"], &open), "ok");
        }
    }
}

/// Every device of the host's: its disks, its memory, its terminals.
#[test]
fn devices_of_the_host_have_no_name_and_can_get_none() {
    const OWN: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx"];
    let (mut tried, mut has_disk) = (0, false);
    let limit = if pace::slowness() > 1 { 4 } else { 12 };
    for entry in std::fs::read_dir("/dev").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_node = |kind: std::fs::FileType| !kind.is_dir() && !kind.is_symlink();
        let kind = std::fs::symlink_metadata(format!("/dev/{name}")).unwrap().file_type();
        if is_node(kind) && !OWN.contains(&name.as_str()) && tried < limit {
            let words = format!("read /dev/{name}");
            if kind.is_block_device() && !std::mem::replace(&mut has_disk, true) {
                on_host(&words);
                refused(&words, &["ENOENT"]);
            }
            assert_eq!(attempt(&[], &words), "ENOENT", "{name}");
            tried += 1;
        }
    }
    assert!(tried > 0, "there are devices that the container does not have");
    refused("mknod /tmp/node", &["EPERM"]);
    assert_eq!(inside(&["--cap-add=ALL", "--seccomp=none"], "mknod /tmp/node"), "EPERM");
    if sys::uid() == 0 {
        let node = crate::rootfs::temporary_path("node");
        let words = format!("mknod {}", node.display());
        assert_eq!(on_host_as(0, &words), "ok");
        tell("mknod /tmp/node", "host", "ok");
        std::fs::remove_file(node).unwrap();
        dead_in_the_rootfs();
    } else {
        let node = crate::rootfs::temporary_path("node");
        let made = on_host_as(sys::uid(), &format!("mknod {}", node.display()));
        tell("open /node", "mode auto", &format!("{made} for who would make one"));
    }
    for mode in modes() {
        let options = ["--userns", mode, "--bind=/dev/zero:/bound:noidmap"];
        // Before mount_setattr(2) a file's mount cannot be made nodev.
        let found = if ability::kernel_is_before(5, 12) {
            let launch =
                options.iter().fold(Launch::new(), |launch, option| launch.option(*option));
            let output = launch.probe("exit 0").run();
            output.fails_with(125, "cannot open bind source /dev/zero: ENOSYS");
            "no start".to_owned()
        } else {
            let found = attempt(&options, "open /bound");
            assert_eq!(found, "EACCES", "{mode}");
            found
        };
        tell("open /bound", &format!("mode {mode}"), &found);
    }
    assert_eq!(inside(&["--dev-bind=/dev/zero:/bound:noidmap"], "open /bound"), "ok");
}

/// Which needs no write: to a node of the host's in the container's /dev, the mode and the owner are what
/// an attack would change.
#[test]
fn nodes_in_dev_are_not_the_hosts_to_change() {
    let attack = "chown /dev/full 0";
    let changed = || {
        let node = std::fs::metadata("/dev/full").unwrap();
        (node.ctime(), node.ctime_nsec())
    };
    if sys::uid() == 0 {
        let before = changed();
        assert_eq!((on_host(attack).as_str(), before != changed()), ("ok", true));
    }
    let before = changed();
    for mode in modes() {
        let found = attempt(&["--userns", mode], attack);
        assert_eq!(changed(), before, "{mode}");
        let is_own = found == "ok";
        tell(attack, &format!("mode {mode}"), if is_own { "its own node" } else { &found });
    }
}

/// A node that somebody has left in the rootfs.
fn dead_in_the_rootfs() {
    let rootfs = Rootfs::new();
    let node = rootfs.inside("node");
    assert_eq!(on_host_as(0, &format!("mknod {}", node.display())), "ok");
    let found = on_host_as(0, &format!("open {}", node.display()));
    if found == "ok" {
        tell("open /node", "host", "ok"); // else TMPDIR is nodev itself
    }
    for mode in modes() {
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        let output = launch.probe("try open /node").run().ok();
        tell("open /node", &format!("mode {mode}"), output.lines()[0]);
        assert_eq!(output.lines(), ["EACCES"], "{mode}");
    }
}
