//! Mount points that a root file system lacks or has in an odd shape.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use crate::ability::{for_user, require};
use crate::launch::Launch;
use crate::rootfs::{Rootfs, temporary_path};
use crate::subject;

#[test]
fn missing_mount_points_are_made() {
    let rootfs = Rootfs::bare();
    Launch::on(&rootfs).probe("processes").run().ok().prints(&["1 0 init", "2 1 probe"]);
    for name in ["proc", "dev", "sys"] {
        let made = rootfs.inside(name).metadata().unwrap();
        assert_eq!(made.permissions().mode() & 0o7777, 0o755, "{name}");
        assert_eq!(made.uid(), crate::sys::uid(), "{name}");
    }
    assert_eq!(fs::read_dir(rootfs.path()).unwrap().count(), 4, "and nothing else");
}

#[test]
fn umask_of_the_caller_does_not_change_what_is_made() {
    let rootfs = Rootfs::bare();
    let launch = Launch::on(&rootfs).before(crate::sys::before::Before::Umask(0o077));
    launch.probe("try list /dev/shm").run().ok().prints(&["ok"]);
    let mode = rootfs.inside("dev").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn start_that_cannot_work_leaves_the_rootfs_as_it_was() {
    let rootfs = Rootfs::bare();
    rootfs.add_file("plain", "text");
    rootfs.add_script("script", "#!/no/interpreter\n");
    rootfs.add_script("dos", "#!/probe\r\n");
    let before = rootfs.listing();
    Launch::on(&rootfs).command(["/none"]).run().code(127);
    Launch::on(&rootfs).command(["none"]).run().code(127);
    Launch::on(&rootfs).command(["/script"]).run().fails_with(127, "interpreter /no/interpreter");
    Launch::on(&rootfs).command(["/dos"]).run().fails_with(127, "carriage return");
    let nowhere = Launch::on(&rootfs).option("--workdir").arg("/nope").probe("exit 0");
    nowhere.run().fails_with(125, "change into --workdir /nope: ENOENT");
    Launch::on(&rootfs).command(["/plain"]).run().code(126);
    Launch::on(&rootfs).option("--user=nobody-here").command(["/probe"]).run().code(125);
    Launch::on(&rootfs).option("--userns=bogus").command(["/probe"]).run().code(125);
    assert_eq!(rootfs.listing(), before);
}

#[test]
fn start_that_works_leaves_a_complete_rootfs_as_it_was() {
    let rootfs = Rootfs::new();
    let before = rootfs.listing();
    Launch::on(&rootfs).probe("exit 0").run().ok();
    Launch::on(&rootfs).command(["/none"]).run().code(127);
    assert_eq!(rootfs.listing(), before);
}

#[test]
fn mount_point_that_cannot_be_made_is_named() {
    for_user!();
    require!(foreign_rootfs);
    let folder = subject::rootfs().join("bin");
    let shown = folder.display().to_string();
    Launch::on_path(&folder).command(["/busybox", "true"]).run().fails(
        125,
        &format!(
            "launcher: cannot open or create the mount point {shown}/proc: EACCES (Permission \
             denied); create it, or let the container's root write there"
        ),
    );
}

#[test]
fn mount_point_that_is_a_file_is_refused() {
    let rootfs = Rootfs::bare();
    rootfs.add_file("dev", "");
    let line = format!(
        "launcher: cannot open or create the mount point {}/dev: ENOTDIR (Not a directory); it \
         has to be a directory",
        rootfs.path().display()
    );
    Launch::on(&rootfs).probe("exit 0").run().fails(125, &line);
}

#[test]
fn mount_point_that_links_out_of_the_rootfs_harms_nobody() {
    let outside = temporary_path("outside");
    fs::create_dir(&outside).unwrap();
    for name in ["proc", "dev", "sys"] {
        let rootfs = Rootfs::bare();
        symlink(&outside, rootfs.inside(name)).unwrap();
        let output = Launch::on(&rootfs).probe("exit 0").run();
        // /sys is one that a container lives without.
        let expected = if name == "sys" { 0 } else { 125 };
        assert_eq!(output.status.code(), Some(expected), "{name}\n{output}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    fs::remove_dir(outside).unwrap();
}

#[test]
fn link_to_nothing_is_said_to_be_one() {
    let rootfs = Rootfs::bare();
    symlink("/nowhere", rootfs.inside("proc")).unwrap();
    let advice =
        "/proc: ENOENT (No such file or directory); a symbolic link on the way leads to nothing";
    Launch::on(&rootfs).probe("exit 0").run().fails_with(125, advice);
    let rootfs = Rootfs::new();
    symlink("/nowhere", rootfs.inside("link")).unwrap();
    let advice =
        "/link: ENOENT (No such file or directory); a symbolic link on the way leads to nothing";
    Launch::on(&rootfs).option("--tmpfs=/link").probe("exit 0").run().fails_with(125, advice);
}

#[test]
fn dev_may_be_a_link_within_the_rootfs() {
    let rootfs = Rootfs::bare();
    fs::create_dir_all(rootfs.inside("real/dev")).unwrap();
    symlink("/real/dev", rootfs.inside("dev")).unwrap();
    Launch::on(&rootfs).probe("try write /dev/null").run().ok().prints(&["ok"]);
}

#[test]
fn proc_may_not_be_a_link() {
    let rootfs = Rootfs::new();
    fs::remove_dir(rootfs.inside("proc")).unwrap();
    symlink("/tmp", rootfs.inside("proc")).unwrap();
    let line = format!(
        "launcher: cannot mount proc on {}/proc: ENOTDIR (Not a directory); /proc of the rootfs \
         has to be a directory, not a link",
        rootfs.path().display()
    );
    Launch::on(&rootfs).probe("exit 0").run().fails(125, &line);
}
