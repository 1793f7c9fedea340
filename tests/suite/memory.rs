//! Root file systems in memory: the host's, which may be an initial ramfs, and the container's.

use std::fs;

use crate::ability;
use crate::ability::{for_root, require};
use crate::idmap::map_of;
use crate::launch::Launch;
use crate::rootfs::Rootfs;
use crate::subject;

#[test]
fn root_is_pivoted_from_wherever_the_kernel_allows_it() {
    let can_pivot = ability::pivot_root().is_ok();
    // From there on the initial ramfs lies on a root of the kernel's own.
    assert!(can_pivot || ability::kernel_is_before(7, 0));
    let output = Launch::new().option("--verbose").probe("exit 0").run().code(0);
    assert_eq!(output.stderr.contains("us  PivotRoot\n"), can_pivot, "{output}");
}

/// tmpfs has idmapped mounts from Linux 6.3 on, ramfs has none.
#[test]
fn rootfs_in_memory_has_a_range_where_the_kernel_can_map_it_and_is_masked_elsewhere() {
    for_root!();
    require!(unshare);
    require!(busybox);
    let place = Rootfs::bare();
    let launch = |kind: &str| {
        let launch = Launch::on(&place).variable("KIND", kind).variable("R", place.path());
        launch.variable("PROBE", subject::probe())
    };
    const SCRIPT: &str = "exec unshare -m sh -c '
        mount -t $KIND $KIND $R && cp $PROBE $R/probe && exec \"$@\"' sh \"$@\"";
    for (kind, can_map) in [("tmpfs", !ability::kernel_is_before(6, 3)), ("ramfs", false)] {
        let run = |words| launch(kind).probe(words).through_shell(SCRIPT).run().code(0);
        let map = run("show /proc/self/uid_map");
        let outside = map.stdout.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap();
        assert_eq!(outside >= 0x0008_0000, can_map, "{kind}\n{map}");
        assert_eq!(map.stderr.contains("launcher: warning: "), !can_map, "{kind}\n{map}");
        let expected = if can_map { "EACCES" } else { "EROFS" };
        run("try open /proc/sys/kernel/core_pattern").prints(&[expected]);
    }
}

/// As an image of `cargo xtask initramfs` has it, on every kernel.
#[test]
fn containers_nest_in_a_rootfs_that_belongs_to_a_range() {
    for_root!();
    // Below those that the launcher takes.
    const START: u32 = 7 * 65536;
    let rootfs = Rootfs::new();
    rootfs.add_program("launcher", &subject::launcher());
    fs::create_dir(rootfs.inside("next")).unwrap();
    rootfs.add_program("next/probe", &subject::probe());
    rootfs.give_to(START);
    assert!(map_of(Launch::on(&rootfs), "uid_map")[0].contains(&START.to_string()));
    let words = ["/launcher", "/next", "/probe", "processes"];
    Launch::on(&rootfs).command(words).run().ok().prints(&["1 0 init", "2 1 probe"]);
}
