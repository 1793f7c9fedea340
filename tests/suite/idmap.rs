//! `--userns` and the maps, as an ordinary user and as anybody has them.

use crate::ability;
use crate::ability::{for_user, require, subordinate_lines};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::sys;
use crate::sys::before::Before;

/// The lines of the kernel's map, with single blanks.
pub fn map_lines(output: &Output) -> Vec<String> {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    output.stdout.lines().map(squeeze).collect()
}

/// A map inside, as the options make it.
#[track_caller]
pub fn map_of(launch: Launch, file: &str) -> Vec<String> {
    map_lines(&launch.probe(&format!("show /proc/self/{file}")).run().ok())
}

/// A map of these lines, as a user's container sees it: on an initial ramfs it is in a user namespace
/// further in than the one that has the map, and the kernel shows it that one's ids.
pub fn seen<S: AsRef<str>>(lines: &[S]) -> Vec<String> {
    let is_further_in = sys::uid() != 0 && ability::pivot_root().is_err();
    let see = |line: &S| match line.as_ref().split(' ').collect::<Vec<_>>()[..] {
        [inside, _, count] if is_further_in => format!("{inside} {inside} {count}"),
        _ => line.as_ref().to_owned(),
    };
    lines.iter().map(see).collect()
}

fn mode(mode: &str) -> Launch {
    Launch::new().option("--userns").arg(mode)
}

/// The caller's own id first, then the lines of the file, one behind the other.
fn subordinate_map(own: u32, path: &str) -> Vec<String> {
    let mut next = 0;
    let mut lines = Vec::new();
    for (start, count) in [(own, 1)].into_iter().chain(subordinate_lines(path)) {
        lines.push(format!("{next} {start} {count}"));
        next += count;
    }
    lines
}

#[test]
fn single_maps_root_to_the_caller_alone() {
    assert_eq!(map_of(mode("single"), "uid_map"), seen(&[format!("0 {} 1", sys::uid())]));
    assert_eq!(map_of(mode("single"), "gid_map"), seen(&[format!("0 {} 1", sys::gid())]));
}

#[test]
fn users_single_id_has_no_setgroups() {
    for_user!();
    mode("single").probe("show /proc/self/setgroups").run().ok().prints(&["deny"]);
    mode("single").probe("try setgroups 0").run().ok().prints(&["EPERM"]);
}

#[test]
fn users_subid_maps_all_lines_behind_the_caller() {
    for_user!();
    require!(subordinate_ids);
    let uids = seen(&subordinate_map(sys::uid(), "/etc/subuid"));
    assert_eq!(map_of(mode("subid"), "uid_map"), uids);
    let gids = seen(&subordinate_map(sys::gid(), "/etc/subgid"));
    assert_eq!(map_of(mode("subid"), "gid_map"), gids);
    assert_eq!(map_of(mode("auto"), "uid_map"), uids, "it is what auto chooses");
    assert_eq!(map_of(Launch::new(), "uid_map"), uids, "and auto is the default");
}

#[test]
fn users_subid_has_setgroups() {
    for_user!();
    require!(subordinate_ids);
    mode("subid").probe("show /proc/self/setgroups").run().ok().prints(&["allow"]);
    mode("subid").probe("try setgroups 5").run().ok().prints(&["ok"]);
}

#[test]
fn users_subid_gives_files_to_subordinate_ids() {
    use std::os::unix::fs::MetadataExt;
    for_user!();
    require!(subordinate_ids);
    let rootfs = Rootfs::new();
    rootfs.add_file("file", "");
    Launch::on(&rootfs).probe("try chown /file 7").run().ok().prints(&["ok"]);
    let (start, _) = subordinate_lines("/etc/subuid")[0];
    assert_eq!(rootfs.inside("file").metadata().unwrap().uid(), start + 6);
}

#[test]
fn without_the_tools_auto_is_single_and_subid_says_what_is_missing() {
    for_user!();
    require!(subordinate_ids);
    let empty = Rootfs::bare();
    let launch = || mode("subid").variable("PATH", empty.path());
    launch().probe("exit 0").run().fails(
        125,
        "launcher: --userns subid needs newuidmap, which is not on PATH; install it (Debian: \
         uidmap), or use --userns single",
    );
    let auto = || Launch::new().variable("PATH", empty.path());
    let explained = auto().option("--explain").probe("exit 0").run().ok().stdout;
    let why = "one id only: --userns subid needs newuidmap, which is not on PATH";
    assert!(explained.contains(why), "{explained}");
    assert_eq!(map_of(auto(), "uid_map"), seen(&[format!("0 {} 1", sys::uid())]));
}

/// The ids are to be the same whatever else runs.
#[test]
fn tools_that_cannot_be_run_just_now_are_an_error() {
    for_user!();
    require!(subordinate_ids);
    for errno in [libc::EAGAIN, libc::ENOMEM] {
        // The container itself is made by clone3.
        let short = Before::Refuse(vec![libc::SYS_clone as u32], errno);
        let launch = Launch::new().before(short).probe("exit 0");
        launch.run().fails_with(125, "/newuidmap: E");
    }
}

#[test]
fn user_has_no_range_and_no_identity() {
    for_user!();
    mode("range").probe("exit 0").run().fails(
        125,
        "launcher: --userns range needs root with CAP_SETGID, CAP_SETUID and CAP_SYS_ADMIN, and this \
         process has no setgid, setuid, sys_admin; an ordinary user has --userns subid and single",
    );
    mode("identity").probe("exit 0").run().fails(
        125,
        "launcher: --userns identity needs CAP_SETUID and CAP_SETGID, which this process has not; \
         use --userns single or subid, or be root",
    );
}

#[test]
fn user_may_spell_out_the_single_map() {
    for_user!();
    let launch = || {
        let launch = Launch::new().option(format!("--uid-map=0:{}:1", sys::uid()));
        launch.option(format!("--gid-map=0:{}:1", sys::gid()))
    };
    assert_eq!(map_of(launch(), "uid_map"), seen(&[format!("0 {} 1", sys::uid())]));
    assert_eq!(map_of(launch(), "gid_map"), seen(&[format!("0 {} 1", sys::gid())]));
}

#[test]
fn user_may_spell_out_subordinate_maps() {
    for_user!();
    require!(subordinate_ids);
    let (start, _) = subordinate_lines("/etc/subuid")[0];
    let launch = Launch::new().option(format!("--uid-map=0:{}:1", sys::uid()));
    let launch = launch.option("--uid-map").arg(format!("5:{start}:10"));
    let launch = launch.option("--gid-map").arg(format!("0:{}:1", sys::gid()));
    let lines = [format!("0 {} 1", sys::uid()), format!("5 {start} 10")];
    assert_eq!(map_of(launch, "uid_map"), seen(&lines));
}

#[test]
fn user_cannot_map_ids_of_others() {
    for_user!();
    require!(subordinate_ids);
    let launch = Launch::new().option("--uid-map=0:0:1").option("--gid-map=0:0:1");
    let output = launch.probe("exit 0").run().fails_with(125, "newuidmap refused the map 0:0:1");
    assert!(output.stderr.contains("/etc/subuid"), "advice is missing\n{output}");
}

#[test]
fn rootfs_of_the_users_own_belongs_to_root_inside() {
    for_user!();
    let rootfs = Rootfs::new();
    let launch = Launch::on(&rootfs).option("--userns=single");
    launch.probe("try chown /probe 0").run().ok().prints(&["ok"]);
}

#[test]
fn one_id_will_do_where_nobody_asked_for_more_and_the_tools_refuse() {
    for_user!();
    require!(subordinate_ids);
    // newuidmap is setuid, which has no effect under no_new_privs.
    let launch = Launch::new().before(Before::NoNewPrivs).probe("show /proc/self/uid_map");
    let output = launch.run().code(0);
    assert_eq!(output.lines().len(), 1, "{output}");
    assert_eq!(output.stderr.lines().count(), 1, "{output}");
    assert!(output.stderr.contains("warning: the container has one id only: "), "{output}");
    let forced = Launch::new().before(Before::NoNewPrivs).option("--userns=subid");
    forced.probe("exit 0").run().fails_with(125, "refused the map");
}
