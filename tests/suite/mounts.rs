//! What is mounted inside, how, and that nothing of the host is.

use crate::ability::{self, for_root};
use crate::launch::Launch;
use crate::rootfs::Rootfs;
use crate::sys;
use crate::sys::before::Before;

/// The ways to start that this caller has: each has to be as tight as the others.
pub fn modes() -> &'static [&'static str] {
    if sys::uid() == 0 { &["auto", "single", "identity"] } else { &["auto", "single"] }
}

fn mounts(mode: &str, rootfs: &Rootfs) -> Vec<[String; 4]> {
    mounts_of(Launch::on(rootfs).option("--userns").arg(mode))
}

/// Mount point, options of the mount, type, and root within its file system.
pub fn mounts_of(launch: Launch) -> Vec<[String; 4]> {
    let output = launch.probe("show /proc/self/mountinfo").run().ok();
    let parse = |line: &&str| {
        let fields = line.split(' ').collect::<Vec<_>>();
        let kind = fields[fields.iter().position(|&field| field == "-").unwrap() + 1];
        [fields[4], fields[5], kind, fields[3]].map(String::from)
    };
    output.lines().iter().map(parse).collect()
}

#[test]
fn only_the_containers_own_mounts_are_there() {
    const EXPECTED: [&str; 14] = [
        "/",
        "/dev",
        "/dev/full",
        "/dev/mqueue",
        "/dev/null",
        "/dev/pts",
        "/dev/random",
        "/dev/shm",
        "/dev/tty",
        "/dev/urandom",
        "/dev/zero",
        "/proc",
        "/sys",
        "/sys/fs/cgroup",
    ];
    let rootfs = Rootfs::new();
    let mut all = modes().iter().map(|mode| (*mode, mounts(mode, &rootfs))).collect::<Vec<_>>();
    if ability::ephemeral().is_ok() {
        all.push(("ephemeral", mounts_of(Launch::on(&rootfs).option("--ephemeral"))));
    }
    for (mode, found) in all {
        let points = found.iter().map(|[point, ..]| point.as_str()).collect::<Vec<_>>();
        for needed in ["/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/sys"] {
            assert!(points.contains(&needed), "{mode}: {needed} in {points:?}");
        }
        for point in &points {
            // Masks over parts of /proc are as good as /proc.
            let is_mask = point.starts_with("/proc/") || *point == "/sys/firmware";
            assert!(EXPECTED.contains(point) || is_mask, "{mode}: {point}");
        }
        let mut unique = points.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), points.len(), "{mode}: nothing lies under anything: {points:?}");
    }
}

#[test]
fn mounts_have_the_flags_that_keep_them_harmless() {
    let rootfs = Rootfs::new();
    let found = mounts("auto", &rootfs);
    assert!(found.len() > 5, "{found:?}");
    // Where root has made device nodes itself they are of /dev, which then is no mount without any.
    let has_nodes = !found.iter().any(|[point, ..]| point == "/dev/null");
    for [point, flags, kind, root] in found {
        let has = |flag: &str| flags.split(',').any(|have| have == flag);
        let needed: &[&str] = match point.as_str() {
            "/" => &["nodev"],
            "/dev" if has_nodes => &["nosuid", "noexec"],
            "/dev" | "/dev/shm" | "/dev/mqueue" | "/proc" => &["nosuid", "nodev", "noexec"],
            "/dev/pts" => &["nosuid", "noexec"],
            "/sys" | "/sys/fs/cgroup" => &["ro", "nosuid", "nodev", "noexec"],
            _ => &[],
        };
        for flag in needed {
            assert!(has(flag), "{point} ({kind}) is {flags}");
        }
        if point == "/" {
            let name = rootfs.path().file_name().unwrap().to_string_lossy().into_owned();
            assert!(root.ends_with(&name), "the root is the rootfs, not {root}");
        }
    }
}

#[test]
fn own_mounts_cannot_be_undone() {
    let rootfs = Rootfs::new();
    for mode in modes() {
        for words in ["umount /", "umount /proc", "umount /dev", "mount /tmp", "remount /sys"] {
            let launch = Launch::on(&rootfs).option("--userns").arg(mode);
            launch.probe(&format!("try {words}")).run().ok().prints(&["EPERM"]);
        }
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        let output = launch.probe("try setns /proc/1/ns/mnt").run().ok();
        output.prints_one_of(&["EPERM", "EACCES"]);
    }
}

#[test]
fn root_of_pid_1_is_the_rootfs_too() {
    let rootfs = Rootfs::new();
    let launch = Launch::on(&rootfs).probe("try list /proc/1/root/etc");
    // It is not ours to look through, or it shows nothing but the rootfs.
    launch.run().ok().prints_one_of(&["EACCES", "EPERM", "ok"]);
    let launch = Launch::on(&rootfs).probe("try list /proc/1/root/../../../../boot");
    launch.run().ok().prints_one_of(&["EACCES", "EPERM", "ENOENT"]);
}

#[test]
fn chroot_leads_nowhere() {
    let rootfs = Rootfs::new();
    Launch::on(&rootfs).probe("try chroot /tmp").run().ok().prints(&["ok"]);
    let launch = Launch::on(&rootfs).option("--workdir=/../../..").probe("place");
    assert_eq!(launch.run().ok().fact("cwd"), "/");
}

#[test]
fn settings_of_the_kernel_cannot_be_written() {
    let rootfs = Rootfs::new();
    let places =
        ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger"];
    for mode in modes() {
        for place in places {
            let launch = Launch::on(&rootfs).option("--userns").arg(mode);
            let output = launch.probe(&format!("try open {place}")).run().ok();
            output.prints_one_of(&["EACCES", "EROFS", "EPERM", "ENOENT"]);
        }
    }
}

#[test]
fn with_the_hosts_root_the_hosts_secrets_in_proc_are_hidden() {
    for_root!();
    let launch = || Launch::new().option("--userns=identity");
    let output = launch().probe("show /proc/keys").run().code(0);
    assert_eq!(output.stdout, "", "{output}");
    launch().probe("try open /proc/kcore").run().ok().prints_one_of(&["ok", "ENOENT"]);
    let output = launch().probe("show /proc/timer_list").run();
    assert_eq!(output.stdout, "", "{output}");
}

#[test]
fn sys_is_read_only() {
    let rootfs = Rootfs::new();
    for mode in modes() {
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        let output = launch.probe("try open /sys/class/net/lo/mtu").run().ok();
        output.prints_one_of(&["EROFS", "EACCES"]);
    }
}

#[test]
fn hosts_sys_is_read_only_with_the_network_shared() {
    let rootfs = Rootfs::new();
    for mode in modes() {
        let launch = || Launch::on(&rootfs).option("--userns").arg(*mode).option("--share=net");
        let found = mounts_of(launch());
        for [point, flags, kind, _] in found.iter().filter(|[point, ..]| point.starts_with("/sys"))
        {
            for flag in ["ro", "nosuid", "nodev", "noexec"] {
                assert!(flags.split(',').any(|f| f == flag), "{mode}: {point} ({kind}) is {flags}");
            }
        }
        launch().probe("try open /sys/class/net/lo/mtu").run().ok().prints_one_of(&[
            "EROFS", "EACCES", // Before Linux 5.12 there is no /sys then.
            "ENOENT",
        ]);
        launch().probe("try remount /sys").run().ok().prints_one_of(&["EPERM", "EINVAL"]);
    }
}

#[test]
fn terminals_belong_to_their_group_where_it_is_mapped() {
    let rootfs = Rootfs::new();
    let options = |mode: &str| {
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        let output = launch.probe("show /proc/self/mountinfo").run().ok();
        let line = output.lines().into_iter().find(|line| line.contains(" /dev/pts "));
        line.and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned()
    };
    let single = options("single");
    assert!(single.contains("mode=620") && !single.contains("gid="), "{single}");
    if sys::uid() == 0 {
        let identity = options("identity");
        assert!(identity.split(',').any(|option| option == "gid=5"), "{identity}");
    }
}

#[test]
fn proc_shows_only_the_containers_processes() {
    for mode in modes() {
        let launch = Launch::new().option("--userns").arg(mode);
        launch.probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
    }
}

#[test]
fn mounts_inside_do_not_show_on_the_host() {
    let own = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let rootfs = Rootfs::new();
    let running = Launch::on(&rootfs).probe("sleep 20").start();
    running.wait_for("ready");
    assert!(!own().contains(&*rootfs.path().to_string_lossy()));
}

impl crate::output::Output {
    /// Expects one line, which is one of these.
    #[track_caller]
    pub fn prints_one_of(self, lines: &[&str]) {
        assert!(lines.contains(&self.stdout.trim_end()), "one of {lines:?}\n{self}");
    }
}

#[test]
fn nothing_appears_on_a_host_whose_mounts_are_shared() {
    for_root!();
    let rootfs = Rootfs::new();
    for mode in modes() {
        let launch = Launch::on(&rootfs).option("--userns").arg(*mode).before(Before::ShareMounts);
        let output = launch
            .probe("show /proc/self/mountinfo")
            .through_shell(
                "before=$(cat /proc/self/mountinfo)
                 inside=$(\"$@\") || exit
                 case $inside in *shared:*) echo \"shared inside\";; esac
                 \"$1\" \"$2\" \"$3\" \"$4\" /probe sleep 1 > /dev/null & sleep 0.3
                 [ \"$before\" = \"$(cat /proc/self/mountinfo)\" ] && echo same; wait",
            )
            .run();
        output.ok().prints(&["same"]);
    }
}
