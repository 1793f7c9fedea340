//! `--userns` and the maps as root has them: ranges, and file systems that show other ids.

use std::os::unix::fs::MetadataExt;

use crate::ability::{self, for_root, require};
use crate::idmap::map_of;
use crate::launch::Launch;
use crate::rootfs::{Rootfs, temporary_path};
use crate::running::Running;
use crate::sys::before::Before;

const COUNT: u32 = 65536;

fn mode(mode: &str) -> Launch {
    Launch::new().option("--userns").arg(mode)
}

/// Where the one range of a map starts outside.
#[track_caller]
fn range_start(map: &[String]) -> u32 {
    let [line] = map else { panic!("one line: {map:?}") };
    let numbers = line.split(' ').map(|n| n.parse::<u32>().unwrap()).collect::<Vec<_>>();
    let &[0, start, COUNT] = numbers.as_slice() else { panic!("a range: {line}") };
    start
}

#[test]
fn root_gets_a_range_of_its_own() {
    for_root!();
    require!(idmapped_mounts);
    for launch in [Launch::new(), mode("auto"), mode("range")] {
        let start = range_start(&map_of(launch, "uid_map"));
        assert_eq!(start % COUNT, 0);
        assert!((0x0008_0000..=0x6fff_0000).contains(&start), "{start:#x}");
    }
    let rootfs = Rootfs::new();
    let uids = map_of(Launch::on(&rootfs), "uid_map");
    assert_eq!(uids, map_of(Launch::on(&rootfs), "gid_map"));
    assert_eq!(uids, map_of(Launch::on(&rootfs), "uid_map"), "the same rootfs, the same range");
}

#[test]
fn in_a_range_setgroups_is_allowed() {
    for_root!();
    require!(idmapped_mounts);
    mode("range").probe("show /proc/self/setgroups").run().ok().prints(&["allow"]);
    mode("range").probe("try setgroups 65535").run().ok().prints(&["ok"]);
}

#[test]
fn files_made_in_a_range_belong_to_the_same_numbers_outside() {
    for_root!();
    require!(idmapped_mounts);
    let rootfs = Rootfs::new();
    rootfs.add_file("file", "");
    Launch::on(&rootfs).option("--userns=range").probe("try chown /file 33").run().ok();
    Launch::on(&rootfs).option("--userns=range").probe("try create /made").run().ok();
    let owner = |path: &str| rootfs.inside(path).metadata().unwrap().uid();
    assert_eq!((owner("file"), owner("made")), (33, 0));
}

#[test]
fn process_of_a_range_has_none_of_the_hosts_ids() {
    for_root!();
    require!(idmapped_mounts);
    let running = mode("range").probe("sleep 20").start();
    running.wait_for("ready");
    let init = child_of(&running);
    let owner = std::fs::metadata(format!("/proc/{init}")).unwrap().uid();
    assert!(owner >= 0x0008_0000, "{owner}");
}

/// The pid of init, seen from the host.
fn child_of(running: &Running) -> i32 {
    let path = format!("/proc/{0}/task/{0}/children", running.pid());
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

#[test]
fn containers_at_the_same_time_have_different_ranges() {
    for_root!();
    require!(idmapped_mounts);
    let rootfs = Rootfs::new();
    let first = Launch::on(&rootfs).probe("sleep 20").start();
    first.wait_for("ready");
    let taken = std::fs::read_to_string(format!("/proc/{}/uid_map", child_of(&first))).unwrap();
    let taken = taken.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap();
    let second = range_start(&map_of(Launch::on(&rootfs), "uid_map"));
    assert_ne!(taken, second);
    drop(first);
    // The lock goes with its holder.
    assert_eq!(range_start(&map_of(Launch::on(&rootfs), "uid_map")), taken);
}

#[test]
fn shifted_rootfs_gets_the_range_of_its_owner() {
    for_root!();
    let rootfs = Rootfs::new();
    rootfs.give_to(10 * COUNT);
    for mode in ["auto", "range"] {
        let launch = Launch::on(&rootfs).option("--userns").arg(mode);
        assert_eq!(range_start(&map_of(launch, "uid_map")), 10 * COUNT);
    }
    Launch::on(&rootfs).probe("try create /made").run().ok().prints(&["ok"]);
    assert_eq!(rootfs.inside("made").metadata().unwrap().uid(), 10 * COUNT);
}

#[test]
fn identity_maps_every_id_to_itself() {
    for_root!();
    let own = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    let own = own.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(map_of(mode("identity"), "uid_map"), [own.as_str()]);
    let rootfs = Rootfs::new();
    rootfs.add_file("file", "");
    Launch::on(&rootfs).option("--userns=identity").probe("try chown /file 12345").run().ok();
    assert_eq!(rootfs.inside("file").metadata().unwrap().uid(), 12345);
}

#[test]
fn roots_single_id_has_setgroups() {
    for_root!();
    mode("single").probe("try setgroups 0").run().ok().prints(&["ok"]);
}

#[test]
fn maps_that_are_spelt_out_are_the_kernels() {
    for_root!();
    require!(idmapped_mounts);
    let launch = || Launch::new().option("--uid-map=0:100000:1000").option("--uid-map=1000:0:1");
    assert_eq!(map_of(launch(), "uid_map"), ["0 100000 1000", "1000 0 1"]);
    assert_eq!(
        map_of(launch(), "gid_map"),
        ["0 100000 1000", "1000 0 1"],
        "the default is the same"
    );
    let launch = launch().option("--gid-map").arg("0:300000:65536");
    assert_eq!(map_of(launch, "gid_map"), ["0 300000 65536"]);
}

#[test]
fn rootfs_is_mapped_where_its_owner_is_not_in_the_map() {
    for_root!();
    require!(idmapped_mounts);
    let rootfs = Rootfs::new();
    let launch = Launch::on(&rootfs).option("--uid-map=0:100000:1000");
    launch.probe("try create /made").run().ok().prints(&["ok"]);
    assert_eq!(rootfs.inside("made").metadata().unwrap().uid(), 0);
}

/// A start with lines for root in /etc/subuid and /etc/subgid, which are put over the host's.
fn with_subordinate_lines(launch: Launch, lines: &str) -> Launch {
    ["/etc/subuid", "/etc/subgid"].iter().fold(launch, |launch, target| {
        let file = temporary_path("subid");
        std::fs::write(&file, lines).unwrap();
        launch.before(Before::mount(&file, target.as_ref()).unwrap())
    })
}

#[test]
fn root_without_all_it_needs_for_a_range_is_told() {
    for_root!();
    const SETGID: u32 = 6;
    const SETUID: u32 = 7;
    const SYS_ADMIN: u32 = 21;
    for (lost, mode) in [(SETGID, "single"), (SETUID, "single"), (SYS_ADMIN, "identity")] {
        let launch = || Launch::new().before(Before::DropBounding(lost));
        let output = launch().probe("exit 0").run().code(0);
        let said = "warning: container root is the host's root, with /proc masked: this process has no CAP_S";
        assert!(output.stderr.contains(said), "{output}");
        assert_eq!(output.stderr.lines().count(), 1, "{output}");
        launch().option("--userns").arg(mode).probe("exit 0").run().ok();
    }
}

#[test]
fn roots_subid_is_by_its_lines_and_says_when_there_are_none() {
    for_root!();
    require!(subordinate_files);
    require!(idmapped_mounts);
    let lines = "other:1:1\nroot:700000:1000\n0:800000:2000\n";
    let map = map_of(with_subordinate_lines(mode("subid"), lines), "uid_map");
    assert_eq!(map, ["0 700000 1000", "1000 800000 2000"]);
    with_subordinate_lines(mode("subid"), "other:1:1\n").probe("exit 0").run().fails(
        125,
        "launcher: --userns subid: /etc/subuid has no line for root; add one, such as \
         root:100000:65536, or use --userns single",
    );
}

#[test]
fn range_that_is_somebodys_is_not_taken() {
    for_root!();
    require!(subordinate_files);
    require!(idmapped_mounts);
    let rootfs = Rootfs::new();
    let usual = range_start(&map_of(Launch::on(&rootfs), "uid_map"));
    let lines = format!("other:{}:1\n", usual + 5);
    let launch = with_subordinate_lines(Launch::on(&rootfs), &lines);
    assert_ne!(range_start(&map_of(launch, "uid_map")), usual);
}

/// A file system in the rootfs that has no idmapped mounts.
fn with_proc_in_rootfs(rootfs: &Rootfs) -> Launch {
    std::fs::create_dir(rootfs.inside("other")).unwrap();
    let mount = Before::mount("proc".as_ref(), &rootfs.inside("other")).unwrap();
    Launch::on(rootfs).before(mount)
}

/// What the kernel says of a tree that cannot be idmapped; before Linux 5.12 of all.
fn refusal() -> &'static str {
    match ability::kernel_is_before(5, 12) {
        true => "ENOSYS (Invalid system call number)",
        false => "EINVAL (Invalid argument)",
    }
}

#[test]
fn rootfs_that_cannot_be_mapped_gets_the_hosts_ids_and_a_warning() {
    for_root!();
    let rootfs = Rootfs::new();
    let launch = with_proc_in_rootfs(&rootfs).probe("show /proc/self/uid_map");
    let output = launch.run().code(0);
    assert!(output.stdout.starts_with("         0          0 "), "{output}");
    let (shown, refusal) = (rootfs.path().display(), refusal());
    let line = format!(
        "launcher: warning: {shown} cannot be idmapped: {refusal}; its file system, \
         or one mounted below it, has no idmapped mounts in this kernel; container root is the \
         host's root, with /proc masked (--userns identity says that this is meant)\n"
    );
    assert_eq!(output.stderr, line);
}

#[test]
fn range_is_not_weakened_for_a_rootfs_that_cannot_be_mapped() {
    for_root!();
    let rootfs = Rootfs::new();
    let launch = with_proc_in_rootfs(&rootfs).option("--userns=range").probe("exit 0");
    let (shown, refusal) = (rootfs.path().display(), refusal());
    launch.run().fails(
        125,
        &format!(
            "launcher: cannot idmap rootfs {shown}: {refusal}; its file system, or \
             one mounted below it, has no idmapped mounts in this kernel; chown the tree to the \
             range (uid and gid of its root directory), or use --userns identity"
        ),
    );
}
