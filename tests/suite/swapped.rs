//! A source is what was opened when the launcher looked at it, whatever lies at its path by the time
//! the container is made: root holds a clone of it by then, an ordinary user compares.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::ability::require;
use crate::launch::Launch;
use crate::output::Output;
use crate::rootfs::Rootfs;
use crate::sys;

/// Has the launcher stop where it makes the file of init or of the filter, when all sources are open, and go on when `swap` is done.
fn run_and_swap(launch: Launch, swap: impl FnOnce()) -> Output {
    let script = "exec strace -o /proc/self/fd/1 -e trace=memfd_create \
                  -e inject=memfd_create:signal=SIGSTOP:when=1 \"$@\"";
    let running = launch.through_shell(script).start();
    running.wait_for("stopped by SIGSTOP");
    swap();
    let strace = running.pid();
    let children = fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).unwrap();
    let launcher = children.split(' ').next().unwrap().parse().unwrap();
    sys::kill(launcher, libc::SIGCONT).unwrap();
    running.finish()
}

/// A directory that says which it is.
fn named(name: &str) -> Rootfs {
    let place = Rootfs::bare();
    place.add_file("name", name);
    place
}

/// Puts `other` in the place of `path`.
fn exchange(path: &Path, other: &Path) {
    sys::exchange(path, other).unwrap();
}

/// Root has what it opened. A user cannot have it any more, and is told.
#[track_caller]
fn expect_opened(output: Output, what: &str) {
    assert!(!output.stdout.contains("other"), "{what}\n{output}");
    if sys::uid() == 0 {
        assert!(output.stdout.contains("opened"), "{what}\n{output}");
        output.code(0);
    } else {
        output.fails_with(125, "another file has taken its place meanwhile");
    }
}

#[test]
fn sources_that_are_exchanged_are_not_mounted() {
    require!(tracing);
    for (option, of_file) in [("--bind", false), ("--bind", true), ("--dev-bind", false)] {
        let (opened, other) = (named("opened"), named("other"));
        let name = if of_file { "name" } else { "" };
        let (place, elsewhere) = (opened.path().join(name), other.path().join(name));
        let value = format!("{}:/x", place.display());
        let launch = Launch::new().option(option).arg(value);
        let launch = launch.probe(if of_file { "show /x" } else { "show /x/name" });
        let output = run_and_swap(launch, || exchange(&place, &elsewhere));
        expect_opened(output, &format!("{option} {name}"));
    }
}

#[test]
fn a_link_in_the_place_of_a_source_is_not_followed() {
    require!(tracing);
    let (opened, other) = (named("opened"), named("other"));
    let value = format!("{}:/x", opened.path().display());
    let aside = other.inside("aside");
    let launch = Launch::new().option("--bind").arg(value).probe("show /x/name");
    let output = run_and_swap(launch, || {
        fs::rename(opened.path(), &aside).unwrap();
        symlink(other.path(), opened.path()).unwrap();
    });
    fs::remove_file(opened.path()).unwrap();
    fs::rename(&aside, opened.path()).unwrap();
    expect_opened(output, "a link");
}

#[test]
fn layers_of_an_overlay_that_are_exchanged_are_not_mounted() {
    require!(tracing);
    require!(overlay);
    require!(attributes_on_tmpfs);
    let (opened, other) = (named("opened"), named("other"));
    let value = format!("/x:lower={}", opened.path().display());
    let launch = Launch::new().option("--overlay").arg(value).probe("show /x/name");
    let output = run_and_swap(launch, || exchange(opened.path(), other.path()));
    expect_opened(output, "a layer");
}

/// The launcher stands in it.
#[test]
fn a_rootfs_that_is_exchanged_is_the_one_that_was_opened() {
    require!(tracing);
    let (opened, other) = (Rootfs::new(), Rootfs::new());
    opened.add_file("name", "opened");
    other.add_file("name", "other");
    let launch = Launch::on(&opened).probe("show /name");
    let output = run_and_swap(launch, || exchange(opened.path(), other.path())).code(0);
    assert!(output.stdout.contains("opened"), "{output}");
}
