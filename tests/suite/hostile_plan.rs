//! Every option that puts something into the container, where the root file system means harm at
//! the place it is meant for: links of every kind, pipes, files for directories and the other way
//! round, and `..` on the way. The start is right or refused by one line; the host is untouched.

use std::fs;
use std::os::unix::fs::symlink;

use crate::hostile::{Host, put_other, shapes};
use crate::launch::Launch;
use crate::output::Output;
use crate::pace;
use crate::rootfs::Rootfs;

/// The options, with every word that they take; TARGET, what is bound: a directory DIR and a file
/// FILE, which is open as descriptor 9 too, and a directory for changes, KEPT.
const OPTIONS: [&[&str]; 24] = [
    &["--bind", "DIR:TARGET"],
    &["--bind", "DIR:TARGET:rw,suid,dev,exec,rec,idmap"],
    &["--bind", "FILE:TARGET:ro,nosuid,nodev,noexec,norec,noidmap"],
    &["--mount", "DIR:TARGET:ro,norec"],
    &["--mount", "FILE:TARGET"],
    &["--bind", "/no/such/source:TARGET:optional"],
    &["--dev-bind", "DIR:TARGET"],
    &["--device", "/dev/null:TARGET"],
    &["--tmpfs", "TARGET"],
    &["--tmpfs", "TARGET:size=1m,nr_inodes=10,mode=700,uid=0,gid=0,noexec,ro"],
    &["--file", "FILE:TARGET"],
    &["--file", "9:TARGET:600"],
    &["--dir", "TARGET"],
    &["--dir", "TARGET:700"],
    &["--symlink", "/etc/passwd:TARGET"],
    &["--mqueue", "TARGET"],
    &["--overlay", "TARGET:lower=DIR,ro"],
    &["--overlay", "TARGET:lower=DIR,lower=/usr,upper=KEPT"],
    &["--here=TARGET"],
    &["--workdir", "TARGET"],
    &["--read-only", "--bind", "FILE:TARGET"],
    &["--ephemeral", "--bind", "DIR:TARGET"],
    &["--overlay-dir", "KEPT", "--tmpfs", "TARGET"],
    &["--proc-options", "hidepid=invisible,subset=pid", "--tty", "--dir", "TARGET/proc"],
];

/// Those whose targets nobody types.
const WITHOUT_TARGET: [&str; 4] = ["--read-only", "--dns=none", "--here", "--tty"];

/// Where the launcher lists the options that its mount plan is made of.
const PLAN: &str = include_str!("../../launcher/src/spec/mounts.rs");

/// A new one cannot be forgotten here.
#[test]
fn every_option_of_the_plan_is_tried() {
    let options = PLAN.lines().filter_map(|line| line.trim().strip_prefix("(\"--"));
    let options = options.map(|rest| rest.split('"').next().unwrap()).collect::<Vec<_>>();
    assert!(options.len() > 10, "{options:?}");
    let words = OPTIONS.iter().copied().flatten().chain(&WITHOUT_TARGET);
    let tried = words.filter_map(|word| word.strip_prefix("--")?.split('=').next());
    let tried = tried.collect::<Vec<_>>();
    let others = ["read-only", "ephemeral", "overlay-dir", "dns", "proc-options", "tty", "workdir"];
    for option in options.into_iter().chain(others) {
        assert!(tried.contains(&option), "--{option}");
    }
}

/// All of them where there is time, else one in four, others in each turn.
fn options(turn: usize) -> impl Iterator<Item = &'static &'static [&'static str]> {
    let step = if pace::rounds(1, 2) == 2 { 1 } else { 4 };
    OPTIONS.iter().skip(turn % step).step_by(step)
}

/// A start with these options, for that target.
fn start(rootfs: &Rootfs, source: &Rootfs, options: &[&str], target: &str) -> Output {
    let (dir, file) = (source.inside("dir"), source.inside("dir/file"));
    let (kept, content) = (Rootfs::bare(), fs::File::open(&file).unwrap());
    let launch = Launch::on(rootfs).directory(&dir).descriptor(content, 9);
    let fill = |word: &str| {
        let word = word.replace("DIR", dir.to_str().unwrap()).replace("TARGET", target);
        let word = word.replace("KEPT", kept.path().to_str().unwrap());
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
    let (before, mut count) = (source.listing(), turn);
    for options in options(turn) {
        count += 1;
        for target in pace::in_turn(targets, count) {
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

/// What `--dns`, `--read-only`, `--here` and `--tty` bring has its own targets.
#[test]
fn targets_that_nobody_typed() {
    let host = Host::new();
    let names = [
        "etc/resolv.conf",
        "etc/hosts",
        "etc/hostname",
        "tmp",
        "run",
        "var/tmp",
        "app",
        "dev/console",
    ];
    let start = |rootfs: &Rootfs| {
        let here = Rootfs::bare();
        let launch = Launch::on(rootfs).directory(here.path());
        let launch = WITHOUT_TARGET.into_iter().fold(launch, Launch::option);
        launch.probe("show /proc/self/mountinfo").run()
    };
    let every = if pace::rounds(1, 2) == 2 { 1 } else { 3 };
    for (turn, name) in names.into_iter().enumerate() {
        for (kind, link) in pace::sample(shapes(name, &host)).skip(turn % every).step_by(every) {
            let rootfs = Rootfs::new();
            fs::remove_dir(rootfs.inside(name)).ok();
            fs::create_dir_all(rootfs.inside(name).parent().unwrap()).unwrap();
            symlink(link, rootfs.inside(name)).unwrap();
            host.is_unharmed_by(&format!("{name} is a link, {kind}"), &start(&rootfs));
        }
        for kind in pace::in_turn(&["file", "fifo", "directory"], turn) {
            let rootfs = Rootfs::new();
            fs::remove_dir(rootfs.inside(name)).ok();
            fs::create_dir_all(rootfs.inside(name).parent().unwrap()).unwrap();
            put_other(&rootfs.inside(name), kind);
            host.is_unharmed_by(&format!("{name} is a {kind}"), &start(&rootfs));
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
        // One container at a time uses that directory, and has it at its end.
        let others = options(turn).filter(|options| !options.contains(&"--ephemeral"));
        for options in others.filter(|options| !options.contains(&"--overlay-dir")) {
            let content = fs::File::open("/dev/null").unwrap();
            let kept = Rootfs::bare();
            let fill = |word: &str| {
                let word = word.replace("TARGET", "/etc/passwd").replace("DIR", "/usr");
                let word = word.replace("KEPT", kept.path().to_str().unwrap());
                word.replace("FILE", "/dev/null")
            };
            let launch = launch().descriptor(content, 9);
            let launch = options.iter().fold(launch, |launch, word| launch.option(fill(word)));
            let output = launch.probe("show /proc/self/mountinfo").run();
            host.is_unharmed_by(&format!("{kind}: {options:?}"), &output);
        }
    }
}
