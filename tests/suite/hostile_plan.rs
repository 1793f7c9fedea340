//! Every option that puts something into the container, where the root file system means harm at
//! the place it is meant for: links of every kind, pipes, files for directories and the other way
//! round, and `..` on the way. The start is right or refused by one line; the host is untouched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::hostile::{Host, put_other, shapes};
use crate::launch::Launch;
use crate::output::Output;
use crate::pace;
use crate::rootfs::Rootfs;

/// The options; TARGET, and what is bound: a directory DIR and a file FILE.
const OPTIONS: [&[&str]; 16] = [
    &["--bind", "DIR:TARGET"],
    &["--bind", "FILE:TARGET:ro"],
    &["--mount", "DIR:TARGET:ro,norec"],
    &["--bind", "/no/such/source:TARGET:optional"],
    &["--dev-bind", "DIR:TARGET"],
    &["--device", "/dev/null:TARGET"],
    &["--tmpfs", "TARGET:mode=700"],
    &["--file", "FILE:TARGET"],
    &["--dir", "TARGET"],
    &["--symlink", "/etc/passwd:TARGET"],
    &["--mqueue", "TARGET"],
    &["--overlay", "TARGET:lower=DIR,ro"],
    &["--here=TARGET"],
    &["--workdir", "TARGET"],
    &["--read-only", "--bind", "FILE:TARGET"],
    &["--proc-options", "hidepid=invisible", "--dir", "TARGET/proc"],
];

/// All of them where there is time, else one in four, others in each turn.
fn options(turn: usize) -> impl Iterator<Item = &'static &'static [&'static str]> {
    let step = if pace::rounds(1, 2) == 2 { 1 } else { 4 };
    OPTIONS.iter().skip(turn % step).step_by(step)
}

/// A start with these options, for that target.
fn start(rootfs: &Rootfs, source: &Rootfs, options: &[&str], target: &str) -> Output {
    let (dir, file) = (source.inside("dir"), source.inside("dir/file"));
    let launch = Launch::on(rootfs).directory(&dir);
    let fill = |word: &str| {
        let word = word.replace("DIR", dir.to_str().unwrap()).replace("TARGET", target);
        word.replace("FILE", file.to_str().unwrap())
    };
    let launch = options.iter().fold(launch, |launch, word| launch.option(fill(word)));
    launch.probe("show /proc/self/mountinfo").run()
}

/// Tries all options on a root file system that is made anew for each; how many starts were right.
fn try_all(turn: usize, targets: &[&str], what: &str, make: impl Fn(&Rootfs, &Host)) -> usize {
    let (host, source, mut right) = (Host::new(), Rootfs::bare(), 0);
    fs::create_dir(source.inside("dir")).unwrap();
    source.add_file("dir/file", "text");
    let before = source.listing();
    for options in options(turn) {
        for target in targets {
            let rootfs = Rootfs::new();
            make(&rootfs, &host);
            let output = start(&rootfs, &source, options, target);
            host.is_unharmed_by(&format!("{what}: {options:?} {target}"), &output);
            assert_eq!(source.listing(), before, "{what}: {options:?} {target}\n{output}");
            right += usize::from(output.status.success());
        }
    }
    right
}

#[test]
fn links_of_every_kind_at_every_target() {
    let host = Host::new();
    let mut right = 0;
    let kinds = (0..shapes("etc", &host).len()).collect::<Vec<_>>();
    for kind in pace::sample(kinds) {
        let (what, _) = shapes("etc", &host)[kind];
        right += try_all(kind, &["/etc", "/etc/in"], what, |rootfs, host| {
            fs::remove_dir(rootfs.inside("etc")).unwrap();
            symlink(&shapes("etc", host)[kind].1, rootfs.inside("etc")).unwrap();
        });
        // The same with the file that a link's target has in it.
        right += try_all(kind, &["/etc/passwd"], what, |rootfs, host| {
            symlink(&shapes("etc/passwd", host)[kind].1, rootfs.inside("etc/passwd")).unwrap();
        });
    }
    assert!(right > 0, "none was right");
}

#[test]
fn anything_but_links_at_every_target() {
    let mut right = 0;
    for (turn, kind) in ["file", "fifo", "directory"].into_iter().enumerate() {
        right += try_all(turn, &["/spot", "/spot/in", "/spot/"], kind, |rootfs, _| {
            put_other(&rootfs.inside("spot"), kind);
        });
    }
    assert!(right > 0, "none was right");
}

#[test]
fn dots_on_the_way_to_every_target() {
    let host = Host::new();
    let outside = host.path().join("etc/passwd");
    let far = format!("/{}{}", "../".repeat(20), outside.display());
    let through = format!("/tmp/{}{}", "../".repeat(20), outside.display());
    let targets = [far.as_str(), &through, "/tmp/../tmp/spot", "/..", "/.", "/link/../etc/passwd"];
    try_all(1, &targets, "dots", |rootfs, host| {
        symlink(host.path(), rootfs.inside("link")).unwrap();
    });
}

/// What `--dns` and `--read-only` bring has its own targets.
#[test]
fn targets_that_nobody_typed() {
    let host = Host::new();
    let names = ["etc/resolv.conf", "etc/hosts", "etc/hostname", "tmp", "run", "var/tmp"];
    let every = if pace::rounds(1, 2) == 2 { 1 } else { 3 };
    for (turn, name) in names.into_iter().enumerate() {
        for (kind, link) in pace::sample(shapes(name, &host)).skip(turn % every).step_by(every) {
            let rootfs = Rootfs::new();
            fs::remove_dir(rootfs.inside(name)).ok();
            fs::create_dir_all(rootfs.inside(name).parent().unwrap()).unwrap();
            symlink(link, rootfs.inside(name)).unwrap();
            let launch = Launch::on(&rootfs).option("--read-only").option("--dns=none");
            let output = launch.probe("show /proc/self/mountinfo").run();
            host.is_unharmed_by(&format!("{name} is a link, {kind}"), &output);
        }
        for kind in ["file", "fifo", "directory"] {
            let rootfs = Rootfs::new();
            fs::remove_dir(rootfs.inside(name)).ok();
            fs::create_dir_all(rootfs.inside(name).parent().unwrap()).unwrap();
            put_other(&rootfs.inside(name), kind);
            let launch = Launch::on(&rootfs).option("--read-only").option("--dns=none");
            let output = launch.probe("show /proc/self/mountinfo").run();
            host.is_unharmed_by(&format!("{name} is a {kind}"), &output);
        }
    }
}

/// A directory of changes is what a container has written.
#[test]
fn changes_of_an_earlier_container_lead_nowhere_out() {
    crate::ability::require!(overlay);
    crate::ability::require!(attributes_on_files);
    crate::ability::require!(busybox);
    let host = Host::new();
    for (turn, (kind, link)) in pace::sample(shapes("etc", &host)).enumerate() {
        let rootfs = Rootfs::new().with_shell();
        let kept = Rootfs::bare();
        fs::create_dir(kept.inside("kept")).unwrap();
        let launch = || Launch::on(&rootfs).option("--overlay-dir").arg(kept.inside("kept"));
        let script = format!("rm -r /etc /tmp; ln -s '{0}' /etc; ln -s '{0}' /tmp", link.display());
        launch().command(["/bin/sh", "-c", &script]).run().ok();
        for options in options(turn) {
            let source = Path::new("/dev/null");
            let fill = |word: &str| {
                let word = word.replace("TARGET", "/etc/passwd");
                word.replace("DIR", "/usr").replace("FILE", source.to_str().unwrap())
            };
            let launch = options.iter().fold(launch(), |launch, word| launch.option(fill(word)));
            let output = launch.probe("show /proc/self/mountinfo").run();
            host.is_unharmed_by(&format!("{kind}: {options:?}"), &output);
        }
    }
}
