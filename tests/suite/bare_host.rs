//! Hosts on which nobody has mounted anything on /dev. The whole of it, with a root that is read-only
//! and a ramfs, no accounts and the console, is a boot test (`xtask/src/test/bare.sh`); without /proc:
//! `no_proc.rs`.

use std::fs;
use std::path::PathBuf;

use crate::ability::for_root;
use crate::idmap::map_of;
use crate::launch::Launch;
use crate::mounts::modes;
use crate::rootfs::{Rootfs, temporary_path};
use crate::sys::before::Before;

/// An empty directory, for /dev.
struct Nothing(PathBuf);

impl Nothing {
    fn new() -> Nothing {
        let path = temporary_path("nothing");
        fs::create_dir(&path).unwrap();
        Nothing(path)
    }

    fn over_dev(&self, launch: Launch) -> Launch {
        launch.before(Before::mount(&self.0, "/dev".as_ref()).unwrap())
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        // Fails where something was left in it.
        let removed = fs::remove_dir(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
    }
}

#[test]
fn root_needs_no_device_nodes_on_the_host() {
    for_root!();
    let (nothing, rootfs) = (Nothing::new(), Rootfs::new());
    for mode in modes() {
        let launch = || nothing.over_dev(Launch::on(&rootfs).option("--userns").arg(*mode));
        launch().probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
        for attempt in ["write /dev/null", "read /dev/zero", "read /dev/urandom"] {
            launch().probe(&format!("try {attempt}")).run().ok().prints(&["ok"]);
        }
        launch().probe("try open /dev/kmsg").run().ok().prints(&["ENOENT"]);
    }
    let map = |launch: Launch| map_of(launch, "uid_map");
    assert_eq!(map(nothing.over_dev(Launch::on(&rootfs))), map(Launch::on(&rootfs)));
    let closed = || nothing.over_dev(Launch::on(&rootfs)).before(Before::Close(0));
    closed().probe("exit 0").run().ok();
    closed().before(Before::NoProc).probe("exit 0").run().ok();
    let check = nothing.over_dev(Launch::bare().option("--check")).run().ok();
    assert!(check.stdout.contains("yes  device nodes\n"), "{check}");
}
