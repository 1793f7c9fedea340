//! `--userns none`: a container of root's without a user namespace.

use std::fs;

use crate::ability;
use crate::ability::{for_root, for_user};
use crate::launch::Launch;

fn none() -> Launch {
    Launch::new().option("--userns=none")
}

/// The launcher refuses where the host's tree cannot be cut away.
fn is_refused() -> bool {
    if ability::pivot_root().is_ok() {
        return false;
    }
    none().probe("exit 0").run().fails(
        125,
        "launcher: --userns none cannot cut an initial ramfs away; it needs Linux 7.0, or another \
         root: switch_root to a tmpfs first",
    );
    true
}

#[test]
fn only_root_can_do_without_a_user_namespace() {
    for_user!();
    none().probe("exit 0").run().fails(
        125,
        "launcher: --userns none needs root; without a user namespace only root can make the other \
         ones",
    );
}

/// Its root is that of its mount namespace; in a chroot (`outer.rs`) it is not.
#[test]
fn a_capability_that_leaves_a_chroot_can_be_had() {
    for_root!();
    if is_refused() {
        return;
    }
    none().option("--cap-add=sys_admin").probe("exit 0").run().ok();
}

#[test]
fn every_other_namespace_is_new() {
    for_root!();
    if is_refused() {
        return;
    }
    let output = none().probe("namespaces").run().ok();
    let hosts = |name: &str| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        link.to_str().unwrap().replace(|c: char| !c.is_ascii_digit(), "")
    };
    assert_eq!(output.fact("user"), hosts("user"));
    for name in ["mnt", "pid", "net", "uts", "ipc", "cgroup", "time"] {
        assert_ne!(output.fact(name), hosts(name), "{name}");
    }
}

#[test]
fn hosts_root_without_a_user_namespace_is_confined() {
    for_root!();
    if is_refused() {
        return;
    }
    let output = none().probe("status CapPrm CapBnd NoNewPrivs").run().ok();
    assert_eq!(output.fact("CapPrm"), "00000000800405fb");
    assert_eq!(output.fact("CapBnd"), "00000000800405fb");
    assert_eq!(output.fact("NoNewPrivs"), "1");
    let attempts = [
        ("open /proc/sys/kernel/core_pattern", "EROFS"),
        ("mknod /tmp/null", "EPERM"),
        ("umount /", "EPERM"),
        ("remount /proc/sys", "EPERM"),
        ("mount /tmp", "EPERM"),
        ("unshare-mount", "EPERM"),
        ("setns /proc/self/ns/mnt", "EPERM"),
    ];
    for (attempt, errno) in attempts {
        let output = none().probe(&format!("try {attempt}")).run().ok();
        assert_eq!(output.lines(), [errno], "{attempt}");
    }
}

#[test]
fn its_user_can_be_another() {
    for_root!();
    if is_refused() {
        return;
    }
    let output = none().option("--user=1000:1001").probe("status Uid Gid CapEff").run().ok();
    assert_eq!(output.fact("Uid"), "1000 1000 1000 1000");
    assert_eq!(output.fact("Gid"), "1001 1001 1001 1001");
    assert_eq!(output.fact("CapEff"), "0000000000000000");
}
