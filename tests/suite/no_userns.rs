//! `--userns none`: a container of root's without a user namespace.

use std::fs;

use crate::ability;
use crate::ability::{for_root, for_user};
use crate::launch::Launch;
use crate::rootfs::temporary_path;
use crate::sys::before::Before;

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
        "launcher: --userns none needs root with CAP_SETGID, CAP_SETUID and CAP_SYS_ADMIN, and this \
         process has no setgid, setuid, sys_admin; without a user namespace only root can make the \
         other ones",
    );
}

#[test]
fn root_is_told_which_capability_it_has_not() {
    for_root!();
    const CAP_SETPCAP: u32 = 8;
    const CAP_NET_ADMIN: u32 = 12;
    const CAP_SYS_ADMIN: u32 = 21;
    let without = |number| none().before(Before::DropBounding(number)).probe("exit 0");
    without(CAP_SYS_ADMIN).run().fails_with(125, "and this process has no sys_admin; without a");
    if is_refused() {
        return;
    }
    let output = without(CAP_NET_ADMIN).run();
    output.fails_with(
        125,
        "loopback interface: EPERM (Operation not permitted); without a user \
                            namespace it takes CAP_NET_ADMIN, or --share net",
    );
    let output = without(CAP_SETPCAP).option("--cap-drop=setpcap").run();
    output.fails_with(
        125,
        "bounding set: EPERM (Operation not permitted); without a user namespace it \
                            takes CAP_SETPCAP",
    );
}

/// Its root is that of its mount namespace; in a chroot (`outer.rs`) it is not.
#[test]
fn a_capability_that_leaves_a_chroot_can_be_had() {
    for_root!();
    if is_refused() {
        return;
    }
    none().option("--cap-add=sys_admin").option("--unmask").probe("exit 0").run().ok();
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

/// Where the host's root got every capability, and with it the host's cgroups. There is no limit to
/// set, as it would be the host's; so the filter refuses, whatever else it says.
#[test]
fn user_namespaces_inside_are_refused_by_every_filter() {
    for_root!();
    if is_refused() {
        return;
    }
    let profile = temporary_path("profile");
    fs::write(&profile, r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).unwrap();
    let of_file = format!("--seccomp={}", profile.display());
    let clone3 = format!("call {} 0 0", libc::SYS_clone3);
    // Which the kernel does not make for who shares its root and the like.
    let flags = libc::CLONE_NEWUSER | libc::CLONE_FS;
    let clone = format!("call {} {flags}", libc::SYS_clone);
    for option in ["--seccomp=default", "--seccomp=none", &of_file, "--cap-add=sys_admin"] {
        let attempt = |words: &str| {
            let output = none().option(option).probe(&format!("try {words}")).run().code(0);
            output.stdout.trim_end().to_owned()
        };
        assert_eq!(attempt("unshare-user"), "EPERM", "{option}");
        assert_eq!(attempt(&clone), "EPERM", "{option}");
        assert_eq!(attempt("nested make-cgroup"), "EPERM", "{option}");
        assert_eq!(attempt(&clone3), "ENOSYS", "{option}");
        // Threads and processes there are.
        none().option(option).probe("processes").run().code(0).prints(&["1 0 init", "2 1 probe"]);
    }
    fs::remove_file(profile).unwrap();
    // And all that is given up by name.
    let attempt = |words: &str| none().option("--unmask").probe(words).run().ok().stdout;
    assert_eq!(attempt("try unshare-user"), "ok\n");
    assert_eq!(attempt(&format!("try {clone}")), "EINVAL\n");
    assert_eq!(attempt("try nested make-cgroup"), "ok\n");
}

/// Where the kernel has no user namespaces a filter that is not wanted need not forbid them, and nothing
/// keeps the keyrings.
#[test]
fn keyrings_that_no_filter_keeps_are_told_of() {
    for_root!();
    if is_refused() {
        return;
    }
    let empty = temporary_path("empty");
    fs::create_dir(&empty).unwrap();
    let lacking = || none().before(Before::mount(&empty, "/proc/self/ns".as_ref()).unwrap());
    let keyctl = format!("try call {}", libc::SYS_keyctl);
    // KEYCTL_GET_KEYRING_ID of no keyring.
    let warned = lacking().option("--seccomp=none").probe(&keyctl).run().code(0);
    assert_eq!(warned.stdout, "EINVAL\n");
    assert!(warned.stderr.contains("has the keyrings of the host's users"), "{warned}");
    lacking().probe(&keyctl).run().ok().prints(&["ENOSYS"]);
    lacking().option("--seccomp=none").option("--unmask").probe("exit 0").run().ok();
    // Where it has them, that filter is there in any case.
    none().option("--seccomp=none").probe(&keyctl).run().ok().prints(&["ENOSYS"]);
    fs::remove_dir(empty).unwrap();
}

#[test]
fn a_capability_that_the_launcher_has_not_is_named() {
    for_root!();
    if is_refused() {
        return;
    }
    const CAP_NET_RAW: u32 = 13;
    let without = || none().before(Before::DropBounding(CAP_NET_RAW));
    without().probe("exit 0").run().ok();
    let output = without().option("--cap-add=net_raw").option("--cap-add=kill").probe("exit 0");
    let line = "--userns none gives no capability that the launcher has not: net_raw;";
    output.run().fails_with(125, line);
}

/// CAP_SYS_ADMIN unmounts what hides the host's settings.
#[test]
fn masks_that_do_not_hold_are_told_of() {
    for_root!();
    const NONE: [&str; 3] = ["sys_admin", "sys_ptrace", "dac_read_search"];
    let none = NONE.map(|capability| ("none", capability));
    let none = if is_refused() { &none[..0] } else { &none };
    for (mode, capability) in [("identity", "sys_admin")].iter().chain(none) {
        let launch = || {
            let launch = Launch::new().option("--userns").arg(*mode);
            launch.option("--cap-add").arg(*capability)
        };
        let output = launch().probe("exit 0").run().code(0);
        let warning = format!("with {capability} the masks over /proc do not hold it");
        assert!(output.stderr.contains(&warning), "{output}");
        launch().option("--unmask").probe("exit 0").run().ok();
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
