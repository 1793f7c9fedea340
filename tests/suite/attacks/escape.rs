//! Ways out of a container, for a command that has every capability its user namespace gives.
//!
//! Each is shown to lead out of what is usually made where pivot_root is refused, and not out of
//! ours: on a disk, on a tmpfs, and on an initial ramfs.

use std::fs::{self, File};

use super::{modes, tell};
use crate::ability::require;
use crate::launch::Launch;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{mounts, subject, sys};

/// Each way, and the usual roots that it leaves.
const WAYS: [(&str, &[&str]); 9] = [
    ("umount", &["chroot", "move", "pivot"]),
    ("setns", &["chroot"]),
    ("cover", &["chroot", "move", "pivot"]),
    ("chroot", &["chroot"]),
    ("proc", &["chroot", "move", "pivot"]),
    ("descriptor", &["chroot", "move"]),
    // These lead out of none, but are tried.
    ("unshare", &[]),
    ("pivot", &[]),
    ("move", &[]),
];

/// What is made where pivot_root is refused: a chroot alone (also that of runc's, crun's and nsjail's
/// modes without pivot_root, once what they move is undone), a root that was moved over `/`, which
/// they make, and `/` bound over itself to have something that can be pivoted from.
const CUTS: [&str; 3] = ["chroot", "move", "pivot"];

/// The number of a directory of the host's that the caller has open (CVE-2024-21626).
const LEFT_OPEN: i32 = 9;

/// A file of the host's that nothing inside has the name of.
fn marker() -> String {
    let path = temporary_path("outside");
    fs::write(&path, "").unwrap();
    path.to_str().unwrap().to_owned()
}

/// The launcher as ever, but the command has every capability, and no filter; and no masks, which it
/// could lift.
fn with_every_capability(rootfs: &Rootfs, mode: &str) -> Launch {
    let launch = Launch::on(rootfs).option("--userns").arg(mode);
    let launch = launch.option("--seccomp=none").option("--unmask");
    match mode {
        // It can have none that we have not, and that may not be all.
        "none" => launch.option("--cap-add=sys_admin").option("--cap-add=sys_ptrace"),
        _ => launch.option("--cap-add=ALL"),
    }
}

#[test]
fn command_can_have_every_capability_for_these_tests() {
    let rootfs = Rootfs::new();
    let launch = with_every_capability(&rootfs, "auto").probe("status CapEff");
    let caps = launch.run().ok().fact("CapEff").to_owned();
    assert!(caps.ends_with("ffffffffff"), "{caps}");
    with_every_capability(&rootfs, "auto").probe("try unshare-mount").run().ok().prints(&["ok"]);
}

#[test]
fn usual_ways_out_lead_nowhere() {
    let (rootfs, marker) = (Rootfs::new(), marker());
    for mode in modes() {
        for (way, _) in WAYS {
            let launch = with_every_capability(&rootfs, mode);
            let launch = launch.descriptor(File::open("/").unwrap(), LEFT_OPEN);
            let output = launch.probe(&format!("escape {way} {marker}")).run().ok();
            tell(&format!("escape {way}"), &format!("mode {mode}"), output.lines()[0]);
            assert_eq!(output.lines(), ["in"], "{way}\n{output}");
        }
    }
    fs::remove_file(marker).unwrap();
}

#[test]
fn usual_ways_out_leave_usual_roots() {
    let (rootfs, marker) = (Rootfs::new(), marker());
    let probe = subject::probe().to_str().unwrap().to_owned();
    let place = rootfs.path().to_str().unwrap();
    for (way, left) in WAYS.into_iter().filter(|(_, left)| !left.is_empty()) {
        for cut in CUTS {
            let words = [probe.as_str(), "naive", cut, place, "escape", way, marker.as_str()];
            let launch = Launch::init(words).descriptor(File::open("/").unwrap(), LEFT_OPEN);
            let output = launch.run().ok();
            let found = output.lines()[0];
            tell(&format!("escape {way}"), &format!("root by {cut}"), found);
            assert!(found == "out" || !left.contains(&cut), "{way} of {cut}\n{output}");
        }
    }
    fs::remove_file(marker).unwrap();
}

#[test]
fn files_cannot_be_opened_by_their_handles() {
    require!(file_handles);
    let (rootfs, marker) = (Rootfs::new(), marker());
    let probe = subject::probe().to_str().unwrap().to_owned();
    let output = Launch::init([probe.as_str(), "handle", marker.as_str()]).run().ok();
    let handle = output.lines()[0];
    // On the host root alone may do that.
    let words = [probe.as_str(), "escape", "handle", "/nowhere", handle];
    let place = rootfs.path().parent().unwrap();
    let is_root = sys::uid() == 0;
    let found = if is_root { "out" } else { "in" };
    Launch::init(words).directory(place).run().ok().prints(&[found]);
    if is_root {
        tell("escape handle", "host", found);
    }
    // Without a user namespace that capability is the host's.
    for mode in mounts::modes() {
        let launch = with_every_capability(&rootfs, mode);
        let launch = launch.probe(&format!("escape handle /nowhere {handle}"));
        let output = launch.run().ok().prints(&["in"]);
        tell("escape handle", &format!("mode {mode}"), output.lines()[0]);
    }
    fs::remove_file(marker).unwrap();
}
