//! ROOTFS as an image file.

use std::fs;
use std::path::PathBuf;

use crate::ability::{self, for_root, for_user, require};
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::{Rootfs, temporary_path};
use crate::subject;

/// The images of this machine, whose kernel mounts them.
fn images() -> Vec<PathBuf> {
    ["squashfs", "erofs", "ext4"].into_iter().filter_map(subject::image).collect()
}

#[track_caller]
fn run(image: &PathBuf, options: &[&str], script: &str) -> Output {
    let launch = Launch::on_path(image).command(["sh", "-c", script]);
    options.iter().fold(launch, |launch, option| launch.option(*option)).run()
}

#[test]
fn images_are_root_file_systems_that_stay_as_they_are() {
    for_root!();
    require!(images);
    for image in images() {
        let content = fs::read(&image).unwrap();
        if ability::ephemeral().is_ok() {
            let script = "echo 1 > /new; rm /probe; stat -c %u /new /etc/passwd; ls /probe; exit 3";
            run(&image, &[], script).code(3).prints(&["0", "0"]);
        }
        let script = "/probe exit 5; echo $?; echo 1 > /tmp/new; cat /tmp/new; echo 1 > /new";
        let output = run(&image, &["--read-only"], script).code(1);
        assert_eq!(output.lines(), ["5", "1"], "{output}");
        assert!(output.stderr.contains("Read-only file system"), "{output}");
        assert_eq!(fs::read(&image).unwrap(), content);
    }
}

/// However it ends: before anything runs, and by the launcher's death. As of each run on an image,
/// [`Running::finish`](crate::running::Running::finish) sees to it.
#[test]
fn no_loop_device_is_left() {
    for_root!();
    require!(images);
    for image in images() {
        Launch::on_path(&image).option("--read-only").command(["/none"]).run().code(127);
        let launch = Launch::on_path(&image).option("--read-only").probe("sleep 1000");
        let running = launch.start();
        running.wait_for("ready");
        running.signal(libc::SIGKILL);
        running.finish();
    }
}

#[test]
fn device_nodes_of_an_image_are_dead() {
    for_root!();
    require!(images);
    for image in images() {
        let output = run(&image, &["--read-only"], "grep ' / / ' /proc/self/mountinfo").ok();
        let options = output.lines()[0].split(' ').nth(5).unwrap().to_owned();
        assert!(options.starts_with("ro,") && options.contains("nodev"), "{output}");
    }
}

#[test]
fn an_ordinary_user_is_told_what_helps() {
    for_user!();
    require!(images);
    for image in images() {
        let output = run(&image, &[], "");
        assert!(output.stderr.contains("only root mounts images"), "{output}");
        output.fails_with(125, "EPERM");
    }
}

/// Where the kernel finds out is its own matter, by the kind of image; nobody is told of the command.
#[test]
fn an_image_that_is_cut_short_is_said_to_be() {
    for_root!();
    require!(images);
    for image in images() {
        let whole = fs::read(&image).unwrap();
        let cut = temporary_path("cut");
        for length in [whole.len() / 50, whole.len() / 3] {
            fs::write(&cut, &whole[..length.max(4096)]).unwrap();
            let output = run(&cut, &[], "true");
            let told = ["cut short or damaged", "its image cut short"];
            let is_told = told.iter().any(|text| output.stderr.contains(text));
            assert!(is_told, "{}, {length}: {output}", image.display());
            output.code(125);
        }
        fs::remove_file(cut).unwrap();
    }
}

#[test]
fn what_is_no_image_is_told_from_what_is_an_archive() {
    let (text, archive) = (temporary_path("text"), temporary_path("archive"));
    fs::write(&text, "text").unwrap();
    fs::write(&archive, b"\x1f\x8b\x08\0\0\0\0\0").unwrap();
    run(&text, &[], "").fails_with(125, "it is neither a directory nor a squashfs");
    run(&archive, &[], "").fails_with(125, "cargo xtask rootfs --from");
    fs::remove_file(text).unwrap();
    fs::remove_file(archive).unwrap();
    let fifo = Rootfs::bare();
    let path = fifo.inside("fifo");
    crate::sys::make_fifo(&path).unwrap();
    run(&path, &[], "").fails_with(125, "ENOTDIR");
}

#[test]
fn an_image_layout_is_told_from_a_root_file_system() {
    let layout = Rootfs::bare();
    layout.add_file("oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    let before = layout.listing();
    let line = "is an OCI image layout; `cargo xtask rootfs --from` unpacks it";
    Launch::on(&layout).probe("exit 0").run().fails_with(125, line);
    assert_eq!(layout.listing(), before);
}
