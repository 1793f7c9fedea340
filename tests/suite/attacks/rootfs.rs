//! On the launcher, by a rootfs that somebody hostile has made, or changes meanwhile.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::{modes, tell};
use crate::launch::Launch;
use crate::pace;
use crate::rootfs::{Rootfs, temporary_path};
use crate::{subject, sys};

/// CVE-2025-31133 and 2025-52565: the file that masks are made of is one of the attacker's.
#[test]
fn masks_are_not_made_of_the_rootfs() {
    let rootfs = Rootfs::new();
    fs::create_dir_all(rootfs.inside("dev")).unwrap();
    for name in ["null", "console", "tty"] {
        symlink("/proc/sys/kernel/core_pattern", rootfs.inside("dev").join(name)).unwrap();
    }
    let attempt = "try open /proc/sys/kernel/core_pattern";
    for mode in modes() {
        let launch = Launch::on(&rootfs).option("--tty").option("--userns").arg(mode);
        let output = launch.probe(attempt).run().ok();
        tell(LINKS, &format!("mode {mode}"), output.stdout.trim_end());
        output.prints_one_of(&["EROFS", "EACCES"]);
    }
    if sys::uid() != 0 {
        return;
    }
    let launch = || Launch::on(&rootfs).option("--userns=identity");
    assert_eq!(launch().probe("show /proc/keys").run().code(0).stdout, "");
    launch().option("--unmask").probe(attempt).run().ok().prints(&["ok"]);
    tell(LINKS, "--unmask", "ok");
    let trigger = launch().probe("try open /proc/sysrq-trigger").run().ok();
    trigger.prints_one_of(&["EROFS", "ENOENT"]);
}

const LINKS: &str = "links for masks and the console to be made of";

/// CVE-2019-19921 and 2023-27561: /proc of the rootfs is a link to elsewhere in it, where the
/// attacker's own files are in the place of the kernel's. And CVE-2025-52881: so that what is
/// written to them for the container's sake has no effect, or another.
#[test]
fn settings_are_written_to_no_file_of_the_rootfs() {
    const FAKES: [&str; 6] = [
        "self/attr/exec",
        "self/attr/apparmor/exec",
        "self/oom_score_adj",
        "self/uid_map",
        "self/setgroups",
        "thread-self/attr/exec",
    ];
    let rootfs = Rootfs::new();
    for fake in FAKES.map(|name| rootfs.inside("proc").join(name)) {
        fs::create_dir_all(fake.parent().unwrap()).unwrap();
        fs::write(&fake, "fake").unwrap();
    }
    let start = |option: &str| {
        let launch = Launch::on(&rootfs).option("--oom-score-adj=500").option(option);
        let output = launch.probe("show /proc/self/oom_score_adj").run();
        for fake in FAKES {
            let folder = if rootfs.inside("proc").is_symlink() { "tmp" } else { "proc" };
            let text = fs::read_to_string(rootfs.inside(folder).join(fake)).unwrap();
            assert_eq!(text, "fake", "{fake}: {output}");
        }
        output
    };
    start("--hostname=x").ok().prints(&["500"]);
    start("--apparmor=unconfined");
    // What is mounted over a part of it is not there yet when it is written to, or covered.
    let bind = format!("--bind={}:/proc/self", rootfs.inside("proc/self").display());
    start(&bind);
    fs::remove_dir(rootfs.inside("tmp")).unwrap();
    fs::rename(rootfs.inside("proc"), rootfs.inside("tmp")).unwrap();
    symlink("tmp", rootfs.inside("proc")).unwrap();
    start("--hostname=x").fails_with(125, "has to be a directory, not a link");
    by_path_it_leads_on(&rootfs);
    for mode in modes() {
        let launch = Launch::on(&rootfs).option("--userns").arg(mode).probe("exit 0");
        launch.run().fails_with(125, "has to be a directory, not a link");
        tell("a link for /proc", &format!("mode {mode}"), "no start");
    }
}

/// Who mounts by path, as mount(8) does, mounts where the link leads.
fn by_path_it_leads_on(rootfs: &Rootfs) {
    let probe = subject::probe();
    let (inside, link) = (rootfs.inside("tmp"), rootfs.inside("proc"));
    let words = [&probe, Path::new("naive-mount"), &inside, &link, &link];
    let output = Launch::init(words).run().ok();
    tell("a link for /proc", "host", output.stdout.trim_end());
    assert_eq!(output.stdout.trim_end(), "outside");
}

/// CVE-2021-30465: while the container starts, the directory that something is mounted below
/// becomes a link to elsewhere and back. The mount is where it belongs, or there is none.
#[test]
fn mount_point_that_is_exchanged_for_a_link_leads_nowhere() {
    let rootfs = Rootfs::new();
    let source = temporary_path("source");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("mark"), "x").unwrap();
    fs::create_dir_all(rootfs.inside("volume/point")).unwrap();
    // As many steps up as lead to the host's root, were there no wall.
    symlink("../../../../../../../../../..", rootfs.inside("link")).unwrap();
    fs::create_dir_all(rootfs.inside("point")).unwrap();

    let mut any = false;
    let stop = AtomicBool::new(false);
    let exchanges = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                sys::exchange(&rootfs.inside("volume"), &rootfs.inside("link")).unwrap();
                exchanges.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _stop = Stop(&stop);
        // Nobody waits longer for a machine that says nothing meanwhile than a tenth of it takes there.
        let long = 8000 / u64::from(pace::slowness());
        let rounds = pace::rounds(60, long) / modes().len() as u64;
        for mode in modes() {
            let (begin, before) = (Instant::now(), exchanges.load(Ordering::Relaxed));
            let bind = format!("{}:/volume/point", source.display());
            let starts = (0..rounds.max(1)).map(|_| is_mounted_inside(&rootfs, mode, &bind));
            let mounted = starts.filter(|mounted| *mounted).count();
            let turns = exchanges.load(Ordering::Relaxed) - before;
            println!(
                "{mode}: {} s, {turns} exchanges, {rounds} starts: {mounted} inside, else refused",
                begin.elapsed().as_secs()
            );
            any |= mounted > 0;
            tell(RACE, &format!("mode {mode}"), "inside");
        }
    });
    assert!(any, "all starts failed");
    assert_eq!(mounted_by_path(&source), "outside");
    tell(RACE, "host", "outside");
    fs::remove_dir_all(&source).unwrap();
}

/// Ends what waits for it, also when a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether a start mounts there; it may also be refused.
fn is_mounted_inside(rootfs: &Rootfs, mode: &str, bind: &str) -> bool {
    let launch = Launch::on(rootfs).option("--userns").arg(mode).option("--bind").arg(bind);
    let output = launch.probe("show /proc/self/mountinfo").run();
    if !output.status.success() {
        assert_eq!(output.status.code(), Some(125), "{output}");
        return false;
    }
    let lines = output.lines();
    let points = lines.iter().map(|line| line.split(' ').nth(4).unwrap());
    let ours = points.filter(|point| point.ends_with("/point")).collect::<Vec<_>>();
    // By the link, /volume is the root; by the exchange, the directory is called link. What was
    // mounted elsewhere went with the host's tree: then there is none.
    let known = ["/volume/point", "/link/point", "/point"];
    assert!(matches!(ours[..], [one] if known.contains(&one)), "{output}");
    true
}

const RACE: &str = "a mount point exchanged for a link meanwhile";

/// Where a mount ends up by and by that is made as by mount(8).
fn mounted_by_path(source: &Path) -> String {
    let (rootfs, outside) = (Rootfs::new(), Rootfs::new());
    fs::create_dir(outside.inside("point")).unwrap();
    fs::create_dir_all(rootfs.inside("volume/point")).unwrap();
    symlink(outside.path(), rootfs.inside("link")).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                sys::exchange(&rootfs.inside("volume"), &rootfs.inside("link")).unwrap();
            }
        });
        let _stop = Stop(&stop);
        let probe = subject::probe();
        let target = rootfs.inside("volume/point");
        let words = [&probe, Path::new("naive-mount"), source, &target, rootfs.path()];
        Launch::init(words).run().ok().stdout.trim_end().to_owned()
    })
}
