//! On the kernel and what it keeps for all of the machine.

use super::{inside, on_host, refused};
use crate::ability::for_root;
use crate::launch::Launch;
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
    let reboot = format!("call {} {} 672274793 {}", libc::SYS_reboot, 0xfee1_dead_u32, 0x0123_4567);
    refused(&reboot, &["EPERM"]);
    let launch = Launch::new().option("--cap-add=sys_boot").probe(&format!("try {reboot}"));
    let output = launch.run();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output}");
}

#[test]
fn kernel_and_its_modules_stay() {
    for (number, arguments) in [
        (libc::SYS_kexec_load, "0 0 0"),
        (libc::SYS_init_module, "0 0 0"),
        (libc::SYS_finit_module, "0 0 0"),
        (libc::SYS_delete_module, "0 0 0"),
        (libc::SYS_swapon, "0 0 0"),
        (libc::SYS_acct, "0 0 0"),
        (libc::SYS_bpf, "5 0 0"),
        (libc::SYS_perf_event_open, "0 0 0"),
    ] {
        let words = format!("call {number} {arguments}");
        refused(&words, &["EPERM"]);
        // The filter is not the only wall: without it and with all capabilities it is no better.
        let found = inside(&["--seccomp=none", "--cap-add=ALL"], &words);
        assert_ne!(found, "ok", "{number}");
    }
}

/// The clock of a time namespace has an offset; the machine's is the machine's.
#[test]
fn clock_cannot_be_set() {
    let set = format!("call {} 0 0", libc::SYS_clock_settime);
    for options in [&[][..], &["--seccomp=none"], &["--seccomp=none", "--cap-add=ALL"]] {
        assert!(["EPERM", "EFAULT"].contains(&inside(options, &set).as_str()), "{options:?}");
    }
    assert_eq!(inside(&[], &set), "EPERM");
}

/// Frames of one's own making on the network.
#[test]
fn packets_cannot_be_forged() {
    let open = format!("call {} 17 3 768", libc::SYS_socket);
    refused(&open, &["EPERM"]);
    assert_eq!(inside(&["--cap-add=net_raw"], &open), "ok");
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
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    if let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::"))
        && std::path::Path::new("/sys/fs/cgroup/cgroup.procs").exists()
    {
        assert_eq!(on_host(&format!("open /sys/fs/cgroup{path}/cgroup.procs")), "ok");
    }
}

/// A segment of the host's shared memory.
#[test]
fn shared_memory_of_the_host_is_not_there() {
    let key = 0x4c00_0000 + std::process::id();
    let segment = sys::shared_memory(key as i32).unwrap();
    let open = format!("call {} {key} 0 0", libc::SYS_shmget);
    let (host, own) = (on_host(&open), inside(&[], &open));
    let shared = inside(&["--share=ipc"], &open);
    sys::remove_shared_memory(segment).unwrap();
    assert_eq!((host.as_str(), own.as_str()), ("ok", "ENOENT"));
    assert!(["ok", "EACCES"].contains(&shared.as_str()), "{shared}");
}
